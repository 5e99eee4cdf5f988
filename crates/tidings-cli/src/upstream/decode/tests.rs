use std::collections::VecDeque;
use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http_body_util::BodyExt;
use proptest::prelude::*;

use super::*;

/// A body of these pieces.
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

const NAMES: [&str; 5] = ["gzip", "zlib", "raw", "br", "zstd"];

fn encode(name: &str, text: &[u8]) -> Vec<u8> {
    let level = Compression::default();
    match name {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        "zlib" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        "raw" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut encoded = Vec::new();
            brotli::CompressorWriter::new(&mut encoded, 4096, 5, 22)
                .write_all(text)
                .unwrap();
            encoded
        }
        "zstd" => {
            let mut encoded = Vec::with_capacity(zstd_safe::compress_bound(text.len()));
            zstd_safe::compress(&mut encoded, text, 3).unwrap();
            encoded
        }
        other => panic!("{other}"),
    }
}

fn header(name: &str) -> &str {
    match name {
        "zlib" | "raw" => "deflate",
        other => other,
    }
}

fn codings(value: &str) -> Option<Codings> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, value.parse().unwrap());
    Codings::of(&headers)
}

/// The decoded frames, and whether they end with an error.
fn decoded(value: &str, input: &[u8], piece: usize) -> (Vec<Bytes>, Option<io::Error>) {
    let pieces = input.chunks(piece.max(1)).map(Bytes::copy_from_slice);
    let mut body = Decoded::new(Pieces(pieces.collect()), &codings(value).unwrap());
    let mut frames = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => frames.push(frame.into_data().unwrap()),
                Err(error) => {
                    assert!(body.frame().await.is_none(), "something after an error");
                    return (frames, Some(error));
                }
            }
        }
        (frames, None)
    })
}

#[track_caller]
fn check(value: &str, input: &[u8], piece: usize, expected: &[u8]) {
    let (frames, error) = decoded(value, input, piece);
    assert!(error.is_none(), "{value}: {error:?}");
    assert_eq!(frames.concat(), expected, "{value}");
}

#[test]
fn a_head_names_its_codings_in_the_order_of_their_application() {
    let order = |value| codings(value).map(|codings| codings.0);
    assert_eq!(order("gzip, BR"), Some(vec![Coding::Brotli, Coding::Gzip]));
    assert_eq!(order("x-gzip"), Some(vec![Coding::Gzip]));
    assert_eq!(order(" identity, ,"), Some(vec![]));
    assert_eq!(order("gzip, rot13"), None);
    assert_eq!(order("gzip,gzip,gzip,gzip,gzip"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_body_is_decoded_however_it_is_cut(
        text in proptest::collection::vec(prop_oneof![3 => Just(b'a'), 1 => any::<u8>()], 0..5000),
        piece in 1usize..700,
    ) {
        for name in NAMES {
            check(header(name), &encode(name, &text), piece, &text);
        }
    }

    #[test]
    fn stacked_codings_are_undone_one_after_the_other(
        text in proptest::collection::vec(any::<u8>(), 0..2000),
        first in 0usize..5,
        second in 0usize..5,
        piece in 1usize..300,
    ) {
        let (first, second) = (NAMES[first], NAMES[second]);
        let encoded = encode(second, &encode(first, &text));
        let value = format!("{}, {}", header(first), header(second));
        check(&value, &encoded, piece, &text);
    }

    #[test]
    fn no_damage_makes_it_panic_or_hang(
        name in 0usize..5,
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
        piece in 1usize..50,
    ) {
        let name = NAMES[name];
        let mut encoded = encode(name, &b"<p>hello</p>\n".repeat(40));
        let at = at.index(encoded.len());
        encoded[at] ^= flip;
        let _ = decoded(header(name), &encoded, piece);
    }
}

#[test]
fn a_body_that_is_cut_off_anywhere_ends_with_an_error() {
    let text: Vec<u8> = (0..3000_u32)
        .flat_map(|n| n.to_string().into_bytes())
        .collect();
    for name in NAMES {
        let encoded = encode(name, &text);
        let near_the_end = encoded.len() - 12;
        for end in (1..near_the_end)
            .step_by(101)
            .chain(near_the_end..encoded.len())
        {
            let (frames, error) = decoded(header(name), &encoded[..end], 512);
            assert!(error.is_some(), "{name}: {end} of {} bytes", encoded.len());
            assert!(text.starts_with(&frames.concat()), "{name}");
        }
    }
}

#[test]
fn a_body_without_any_byte_is_empty_whatever_its_label_says() {
    for name in NAMES {
        check(header(name), b"", 1, b"");
    }
}

#[test]
fn a_wrong_checksum_is_an_error() {
    for (name, from_end) in [("gzip", 8), ("gzip", 1), ("zlib", 1)] {
        let mut encoded = encode(name, b"<p>hello</p>");
        let index = encoded.len() - from_end;
        encoded[index] ^= 1;
        assert!(decoded(header(name), &encoded, 7).1.is_some(), "{name}");
    }
}

#[test]
fn more_members_follow_each_other_and_what_is_none_is_ignored() {
    let two = [encode("gzip", b"one "), encode("gzip", b"two")].concat();
    check("gzip", &two, 9, b"one two");
    check("gzip", &[&two[..], b"\0\0\0"].concat(), 9, b"one two");
    check(
        "br",
        &[&encode("br", b"one")[..], b"rest"].concat(),
        4,
        b"one",
    );
    let two = [encode("zstd", b"one "), encode("zstd", b"two")].concat();
    check("zstd", &two, 9, b"one two");
}

#[test]
fn what_was_flushed_is_passed_on_before_more_comes() {
    let head = b"<title>first</title>".as_slice();
    let mut parts: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(head).unwrap();
    gzip.flush().unwrap();
    parts.push(("gzip", gzip.get_ref().clone()));
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(head).unwrap();
    zlib.flush().unwrap();
    parts.push(("deflate", zlib.get_ref().clone()));
    let mut br = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
    br.write_all(head).unwrap();
    br.flush().unwrap();
    parts.push(("br", br.get_ref().clone()));
    let mut context = zstd_safe::CCtx::create();
    let mut buffer = [0; 4096];
    let mut out = zstd_safe::OutBuffer::around(&mut buffer[..]);
    let mut input = zstd_safe::InBuffer::around(head);
    context.compress_stream(&mut out, &mut input).unwrap();
    context.flush_stream(&mut out).unwrap();
    parts.push(("zstd", out.as_slice().to_vec()));
    for (value, flushed) in parts {
        let (frames, error) = decoded(value, &flushed, 4096);
        assert_eq!(frames.concat(), head, "{value}");
        // The end is missing.
        assert!(error.is_some(), "{value}");
    }
}

#[test]
fn a_bomb_is_decoded_in_small_steps() {
    let zeros = vec![0; 16 << 20];
    for name in NAMES {
        let (frames, error) = decoded(header(name), &encode(name, &zeros), 1 << 20);
        assert!(error.is_none(), "{name}");
        let largest = frames.iter().map(Bytes::len).max().unwrap();
        assert!(largest <= 8 * STEP, "{name}: {largest}");
        assert_eq!(frames.iter().map(Bytes::len).sum::<usize>(), zeros.len());
    }
}
