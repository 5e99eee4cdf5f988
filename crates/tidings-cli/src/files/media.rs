//! `Content-Type` by a file's name, and by its first bytes where the name says nothing.
//!
//! `nosniff` is sent with everything, so what stands here is what the browser believes. Text is
//! UTF-8 unless something says otherwise; HTML has its own rules in `charset.rs`.

use std::ffi::OsStr;
use std::path::Path;

/// What a name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Html,
    /// HTML written as XML: a document, but nothing can be put into it by the rules of HTML.
    Xhtml,
    Known {
        /// The complete value of `Content-Type`.
        value: String,
        /// Whether compressing it is worth the time.
        text: bool,
    },
    /// Text if it looks like text, else this.
    Unknown {
        binary: &'static str,
    },
}

const PLAIN: &str = "text/plain; charset=utf-8";
const BINARY: &str = "application/octet-stream";
/// How much of a file is looked at where its name says nothing.
const SNIFF_BYTES: usize = 1024;

impl Media {
    pub(crate) fn of(name: &OsStr) -> Media {
        let extension = Path::new(name).extension().unwrap_or_default();
        let extension = extension.to_string_lossy().to_ascii_lowercase();
        // Where `mime_guess` is missing, outdated or thinks of another world than the web.
        let essence = match &*extension {
            "html" | "htm" => return Media::Html,
            "xhtml" | "xht" => return Media::Xhtml,
            "js" | "mjs" | "cjs" => "text/javascript",
            "json" | "map" | "importmap" => "application/json",
            "jsonld" => "application/ld+json",
            "webmanifest" => "application/manifest+json",
            "md" | "markdown" | "txt" | "log" | "toml" | "ini" | "cfg" | "conf" | "rs" | "go"
            | "py" | "rb" | "sh" | "tsx" | "jsx" | "mts" | "cts" | "vue" | "svelte" | "scss"
            | "sass" | "less" | "diff" | "patch" | "lock" => "text/plain",
            "yaml" | "yml" => "text/yaml",
            "xml" | "xsl" | "xslt" => "application/xml",
            "wasm" => "application/wasm",
            "avif" => "image/avif",
            "jxl" => "image/jxl",
            "ico" => "image/x-icon",
            "m4a" => "audio/mp4",
            "opus" => "audio/ogg",
            "glb" => "model/gltf-binary",
            "gltf" => "model/gltf+json",
            "vtt" => "text/vtt",
            // TypeScript far more often than an MPEG transport stream: the bytes tell.
            "ts" => {
                return Media::Unknown {
                    binary: "video/mp2t",
                };
            }
            "" => return Media::Unknown { binary: BINARY },
            extension => match mime_guess::from_ext(extension).first_raw() {
                Some(guess) => guess,
                None => return Media::Unknown { binary: BINARY },
            },
        };
        let text = is_text(essence);
        let value = match text && !essence.contains("charset") {
            // XML says its encoding itself, and the header would overrule it (RFC 7303 3.2).
            true if !essence.ends_with("xml") => format!("{essence}; charset=utf-8"),
            _ => essence.to_owned(),
        };
        Media::Known { value, text }
    }

    pub(crate) fn is_compressible(&self) -> bool {
        match self {
            Media::Html | Media::Xhtml => true,
            Media::Known { text, value } => *text || value == "application/wasm",
            Media::Unknown { .. } => false,
        }
    }

    /// How much of the file `content_type` wants to see.
    pub(crate) fn sniff_bytes(&self) -> usize {
        match self {
            Media::Unknown { .. } => SNIFF_BYTES,
            _ => 0,
        }
    }

    /// The value of `Content-Type`, except for HTML, whose charset is decided elsewhere.
    pub(crate) fn content_type(&self, first: &[u8]) -> &str {
        match self {
            Media::Html => "text/html",
            Media::Xhtml => "application/xhtml+xml",
            Media::Known { value, .. } => value,
            Media::Unknown { .. } if looks_like_text(first) => PLAIN,
            Media::Unknown { binary } => binary,
        }
    }
}

fn is_text(essence: &str) -> bool {
    essence.starts_with("text/")
        || essence.ends_with("+xml")
        || essence.ends_with("+json")
        || matches!(
            essence,
            "application/json" | "application/xml" | "application/javascript" | "application/toml"
        )
}

/// UTF-8 without NUL.
fn looks_like_text(first: &[u8]) -> bool {
    let look = &first[..first.len().min(SNIFF_BYTES)];
    !look.contains(&0) && is_utf8(first, SNIFF_BYTES)
}

/// Whether the first `look_bytes` are UTF-8, where the end of the look may cut a sequence off but
/// the end of the file may not.
pub(crate) fn is_utf8(first: &[u8], look_bytes: usize) -> bool {
    match std::str::from_utf8(&first[..first.len().min(look_bytes)]) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && first.len() >= look_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: &str) {
        assert_eq!(
            Media::of(OsStr::new(name)).content_type(b"\x00"),
            expected,
            "{name}"
        );
    }

    #[test]
    fn names_tell_the_type_and_text_is_utf8() {
        check("a.css", "text/css; charset=utf-8");
        check("a.js", "text/javascript; charset=utf-8");
        check("A.MJS", "text/javascript; charset=utf-8");
        check("a.json", "application/json; charset=utf-8");
        check("a.map", "application/json; charset=utf-8");
        check("a.webmanifest", "application/manifest+json; charset=utf-8");
        check("a.md", "text/plain; charset=utf-8");
        check("a.txt", "text/plain; charset=utf-8");
        check("a.csv", "text/csv; charset=utf-8");
        check("a.svg", "image/svg+xml");
        check("a.xml", "application/xml");
        check("a.xhtml", "application/xhtml+xml");
        check("a.wasm", "application/wasm");
        check("a.woff2", "font/woff2");
        check("a.png", "image/png");
        check("a.webp", "image/webp");
        check("a.avif", "image/avif");
        check("a.mp4", "video/mp4");
        check("a.pdf", "application/pdf");
    }

    #[test]
    fn a_name_that_tells_nothing_is_looked_into() {
        let sniffed =
            |name: &str, first: &[u8]| Media::of(OsStr::new(name)).content_type(first).to_owned();
        assert_eq!(sniffed("LICENSE", b"MIT"), PLAIN);
        assert_eq!(sniffed("Makefile", b""), PLAIN);
        assert_eq!(
            sniffed("LICENSE", &[b"x".repeat(1023), "ü".into()].concat()),
            PLAIN
        );
        assert_eq!(sniffed("data", b"a\x00b"), BINARY);
        assert_eq!(sniffed("data", b"\xff\xfe"), BINARY);
        assert_eq!(sniffed("data", b"cut off \xc3"), BINARY);
        assert_eq!(sniffed("a.unheardof", b"\x89"), BINARY);
        assert_eq!(sniffed("a.ts", b"const a: number = 1"), PLAIN);
        assert_eq!(sniffed("a.ts", b"G\x00\x11"), "video/mp2t");
    }
}
