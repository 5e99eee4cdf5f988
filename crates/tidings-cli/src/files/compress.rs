//! Compresses responses to other machines in the network.
//!
//! On loopback compression only costs time. Only responses that are wholly in memory are compressed, never
//! streams and never ranges.

use std::io::{self, Write};
use std::net::IpAddr;

use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, HeaderMap};

/// When to compress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Compress {
    /// Only for peers on other machines.
    #[default]
    Auto,
    Always,
    Never,
}

impl Compress {
    pub(crate) fn applies_to(self, peer: Option<IpAddr>) -> bool {
        match self {
            Compress::Always => true,
            Compress::Never => false,
            // A dual-stack socket shows 127.0.0.1 as ::ffff:127.0.0.1.
            Compress::Auto => peer.is_some_and(|peer| !peer.to_canonical().is_loopback()),
        }
    }
}

/// Below this compression saves less than the headers cost.
const MIN_BYTES: u64 = 1024;
/// Above this compression takes longer than sending the plain bytes.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Whether a file of this length is worth compressing.
pub(crate) fn is_worthwhile(len: u64) -> bool {
    (MIN_BYTES..=MAX_BYTES).contains(&len)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    /// The best coding that the client accepts (RFC 9110 12.5.3), by its weights and then by our preference.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Coding> {
        let mut brotli = None;
        let mut gzip = None;
        let mut any = None;
        for value in headers.get_all(ACCEPT_ENCODING) {
            // A value that is not text is ignored.
            for item in value.to_str().unwrap_or("").split(',') {
                let mut parts = item.split(';');
                let coding = parts.next().unwrap_or("").trim().to_ascii_lowercase();
                let weight = parts.find_map(weight).unwrap_or(1000);
                match &*coding {
                    "br" => brotli = Some(weight),
                    "gzip" | "x-gzip" => gzip = Some(weight),
                    "*" => any = Some(weight),
                    _ => {}
                }
            }
        }
        let brotli = brotli.or(any).unwrap_or(0);
        let gzip = gzip.or(any).unwrap_or(0);
        match (brotli, gzip) {
            (0, 0) => None,
            (brotli, gzip) if brotli >= gzip => Some(Coding::Brotli),
            _ => Some(Coding::Gzip),
        }
    }

    /// For `Content-Encoding`.
    pub(crate) fn token(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Gzip => "gzip",
        }
    }

    /// For the `ETag`.
    pub(crate) fn etag_suffix(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Gzip => "gz",
        }
    }

    /// Compresses. Takes about 10 ms for a megabyte: not for an async thread.
    pub(crate) fn encode(self, chunks: &[&[u8]]) -> io::Result<Vec<u8>> {
        match self {
            Coding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(6));
                for chunk in chunks {
                    encoder.write_all(chunk)?;
                }
                encoder.finish()
            }
            Coding::Brotli => {
                // Quality 4: about gzip's time, noticeably smaller. 22: the usual window.
                let mut encoder = brotli::CompressorWriter::new(Vec::new(), 16 * 1024, 4, 22);
                for chunk in chunks {
                    encoder.write_all(chunk)?;
                }
                Ok(encoder.into_inner())
            }
        }
    }
}

/// `q=0.5` in thousandths. An invalid weight counts as 0, because uncompressed is always acceptable.
fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let weight: f32 = value.trim().parse().unwrap_or(0.0);
    Some((weight.clamp(0.0, 1.0) * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::io::Read;

    fn check(accept: &'static str, expected: Option<Coding>) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
        assert_eq!(Coding::accepted(&headers), expected, "{accept}");
    }

    #[test]
    fn weights_are_honoured() {
        check("gzip, deflate, br, zstd", Some(Coding::Brotli));
        check("gzip", Some(Coding::Gzip));
        check("br;q=0, gzip", Some(Coding::Gzip));
        check("br; q=0.5, gzip; q=0.8", Some(Coding::Gzip));
        check("BR;Q=0.2", Some(Coding::Brotli));
        check("*", Some(Coding::Brotli));
        check("br;q=0, *", Some(Coding::Gzip));
        check("br;q=0, *;q=0", None);
        check("gzip;q=0.000", None);
        check("gzip;q=nonsense", None);
        check("gzip;q=nan", None);
        check("identity, deflate", None);
        check("", None);
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same() {
        let text = "So it goes. ".repeat(10_000);
        let (first, second) = text.as_bytes().split_at(777);
        let gzip = Coding::Gzip.encode(&[first, second]).unwrap();
        let mut plain = String::new();
        flate2::read::GzDecoder::new(&*gzip)
            .read_to_string(&mut plain)
            .unwrap();
        assert!(plain == text && gzip.len() < 2000);
        let br = Coding::Brotli.encode(&[first, second]).unwrap();
        let mut plain = String::new();
        brotli::Decompressor::new(&*br, 4096)
            .read_to_string(&mut plain)
            .unwrap();
        assert!(plain == text && br.len() < 2000);
    }

    #[test]
    fn auto_compresses_for_other_machines_only() {
        let applies = |peer: &str| Compress::Auto.applies_to(peer.parse().ok());
        assert!(
            !applies("127.0.0.1")
                && !applies("::1")
                && !applies("::ffff:127.0.0.1")
                && !applies("unknown")
        );
        assert!(applies("192.168.1.7") && applies("::ffff:192.168.1.7") && applies("fe80::1"));
    }
}
