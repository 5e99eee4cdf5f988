//! `Content-Type` by the name of a file, or by its first bytes if the name is not enough.
//!
//! `nosniff` is sent with everything, so browsers use exactly this type. A charset in the header takes
//! precedence over what the file itself declares, so it is only sent where `charset.rs` is certain.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::Path;

use super::charset;

/// The media type by the name of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Html,
    /// HTML in XML syntax: a document that an injector for HTML would break.
    Xhtml,
    Known {
        /// The value of `Content-Type`, without a charset.
        essence: &'static str,
        /// Whether it is text: compressible, and with a charset.
        text: bool,
    },
    /// Text if its bytes look like text, else `binary`.
    Unknown {
        binary: &'static str,
    },
}

const PLAIN: &str = "text/plain";
const BINARY: &str = "application/octet-stream";
/// How many bytes are sniffed if the name is not enough.
const SNIFF_BYTES: usize = 1445;
/// Text up to this size is read as a whole, to check that all of it is UTF-8.
const TEXT_BYTES: usize = 8 * 1024 * 1024;

impl Media {
    pub(crate) fn of(name: &OsStr) -> Media {
        let stored = stored_coding(name);
        // A file that is stored compressed has the type of its content; `.svgz` is in the table.
        let path = Path::new(name);
        let svgz = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("svgz"));
        let name = match stored {
            Some(_) if !svgz => path.file_stem().unwrap_or_default(),
            _ => name,
        };
        let extension = Path::new(name).extension().unwrap_or_default();
        let extension = extension.to_string_lossy().to_ascii_lowercase();
        // Types that `mime_guess` lacks, or that are outdated or unusual on the web in it.
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
            "svgz" => "image/svg+xml",
            "avif" => "image/avif",
            "jxl" => "image/jxl",
            "ico" => "image/x-icon",
            "m4a" => "audio/mp4",
            "opus" => "audio/ogg",
            "glb" => "model/gltf-binary",
            "gltf" => "model/gltf+json",
            "vtt" => "text/vtt",
            // TypeScript more often than an MPEG transport stream: the bytes decide.
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
        Media::Known {
            essence,
            text: is_text(essence) && stored.is_none(),
        }
    }

    pub(crate) fn is_compressible(&self, name: &OsStr) -> bool {
        match self {
            Media::Html | Media::Xhtml => true,
            Media::Known { text, essence } => {
                *text || *essence == "application/wasm" && stored_coding(name).is_none()
            }
            Media::Unknown { .. } => false,
        }
    }

    /// How many bytes of the file `content_type` needs.
    pub(crate) fn bytes_to_inspect(&self, len: u64) -> usize {
        match self {
            Media::Html | Media::Known { text: true, .. } if !self.declares_its_own_charset() => {
                match len <= TEXT_BYTES as u64 {
                    true => TEXT_BYTES,
                    false => charset::INSPECT_BYTES,
                }
            }
            Media::Unknown { .. } => charset::INSPECT_BYTES,
            _ => 0,
        }
    }

    /// The value of `Content-Type`, except for HTML, whose charset `charset.rs` detects. `first` are the
    /// first bytes of the file, or all of them if it is `whole`.
    pub(crate) fn content_type(&self, first: &[u8], whole: bool) -> Cow<'static, str> {
        let essence = match self {
            Media::Html => "text/html",
            Media::Xhtml => "application/xhtml+xml",
            Media::Known { essence, .. } => essence,
            Media::Unknown { .. } if looks_like_text(first) => PLAIN,
            Media::Unknown { binary } => binary,
        };
        // CSS Syntax 3.2: the header takes precedence over `@charset`.
        let declared = self.declares_its_own_charset()
            || essence == "text/css" && declares_another_charset(first);
        let binary = matches!(self, Media::Known { text: false, .. }) || !is_text(essence);
        match !binary && !declared && charset::is_utf8(first, whole) {
            true => Cow::Owned(format!("{essence}; charset=utf-8")),
            false => Cow::Borrowed(essence),
        }
    }

    /// XML declares its encoding in its first line; the header would take precedence (RFC 7303 3.2).
    fn declares_its_own_charset(&self) -> bool {
        match self {
            Media::Xhtml => true,
            Media::Known { essence, .. } => essence.ends_with("xml"),
            _ => false,
        }
    }
}

/// The `Content-Encoding` of files that are stored compressed and that browsers cannot use without it.
///
/// - `.svgz` is an SVG image that is compressed with gzip.
/// - `.js.gz`, `.wasm.br` and the like are requested under these names by the builds of game
///   engines (Unity's `Build/game.framework.js.br`, `game.data.gz`, `game.wasm.br`,
///   `game.symbols.json.gz`; Emscripten's `game.mem.gz`), which rely on the browser to
///   decompress them.
///
/// All other files are sent as they are: an archive (`.tar.gz`) is downloaded, data (`.json.gz`,
/// `.csv.gz`) is decompressed by the script that fetches it, and Unity's `.unityweb` by its own loader.
pub(crate) fn stored_coding(name: &OsStr) -> Option<&'static str> {
    const INNER: [&str; 6] = [".js", ".mjs", ".wasm", ".data", ".mem", ".symbols.json"];
    let name = name.to_string_lossy().to_ascii_lowercase();
    let (stem, extension) = name.rsplit_once('.')?;
    match extension {
        "svgz" => Some("gzip"),
        "gz" | "br" if INNER.iter().any(|inner| stem.ends_with(inner)) => match extension {
            "gz" => Some("gzip"),
            _ => Some("br"),
        },
        _ => None,
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

/// WHATWG MIME Sniffing 7.2: a byte order mark, or no "binary data byte".
fn looks_like_text(first: &[u8]) -> bool {
    if first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff") {
        return true;
    }
    let binary = |byte: &u8| matches!(byte, 0x00..=0x08 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    !first.iter().take(SNIFF_BYTES).any(binary)
}

/// Whether a sheet begins with an `@charset` that is not UTF-8 (CSS Syntax 3.2: in exactly this form).
fn declares_another_charset(sheet: &[u8]) -> bool {
    let Some(rest) = sheet.strip_prefix(b"@charset \"") else {
        return false;
    };
    let label = rest.split(|&byte| byte == b'"').next().unwrap_or_default();
    !label.eq_ignore_ascii_case(b"utf-8") && !label.eq_ignore_ascii_case(b"utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: &str) {
        check_content(name, b"", expected);
    }

    fn check_content(name: &str, content: &[u8], expected: &str) {
        let media = Media::of(OsStr::new(name));
        let shown = content[..content.len().min(60)].escape_ascii();
        assert_eq!(
            media.content_type(content, true),
            expected,
            "{name} {shown}"
        );
    }

    #[test]
    fn the_type_follows_from_the_name() {
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
    fn a_charset_is_sent_only_for_utf8() {
        for (name, essence) in [
            ("a.js", "text/javascript"),
            ("a.css", "text/css"),
            ("a.txt", "text/plain"),
            ("a.csv", "text/csv"),
            ("a.json", "application/json"),
            ("LICENSE", "text/plain"),
        ] {
            let utf8 = format!("{essence}; charset=utf-8");
            check_content(name, b"ascii", &utf8);
            check_content(name, "grüße".as_bytes(), &utf8);
            check_content(name, b"\xef\xbb\xbfmark", &utf8);
            check_content(name, b"latin-1: gr\xfc\xdfe", essence);
            check_content(name, b"shift_jis: \x93\xfa\x96\x7b", essence);
            check_content(name, b"gbk: \xc4\xe3\xba\xc3", essence);
            check_content(name, b"iso-2022-jp: \x1b$BF|K\\\x1b(B", essence);
            check_content(name, b"\xff\xfeu\0t\0f\x001\x006\0", essence);
            check_content(name, b"cut off \xc3", essence);
        }
    }

    #[test]
    fn the_charset_in_a_sheet_takes_precedence() {
        check_content("a.css", b"@charset \"shift_jis\"; a{}", "text/css");
        check_content(
            "a.css",
            b"@charset \"UTF-8\"; a{}",
            "text/css; charset=utf-8",
        );
        check_content(
            "a.js",
            b"@charset \"gbk\";",
            "text/javascript; charset=utf-8",
        );
    }

    #[test]
    fn ascii_at_the_beginning_of_a_large_file_is_not_enough() {
        let part = |content: &[u8]| Media::of(OsStr::new("a.js")).content_type(content, false);
        assert_eq!(part("grüße".as_bytes()), "text/javascript; charset=utf-8");
        assert_eq!(part(b"gr\xc3\xbc\xc3"), "text/javascript; charset=utf-8");
        assert_eq!(part(b"ascii so far"), "text/javascript");
        assert_eq!(part(b"gr\xfc"), "text/javascript");
    }

    #[test]
    fn an_unknown_name_is_sniffed() {
        const TEXT: &str = "text/plain; charset=utf-8";
        check_content("LICENSE", b"MIT", TEXT);
        check_content("Makefile", b"", TEXT);
        check_content("data", b"a\x00b", BINARY);
        check_content("a.unheardof", b"\x89PNG\r\n\x1a\n", BINARY);
        check_content("a.ts", b"const a: number = 1", TEXT);
        check_content("a.ts", b"G\x00\x11", "video/mp2t");
    }

    #[test]
    fn a_file_stored_compressed_has_the_type_of_its_content() {
        for (name, essence, coding) in [
            ("a.svgz", "image/svg+xml", Some("gzip")),
            ("game.framework.js.gz", "text/javascript", Some("gzip")),
            ("game.loader.JS.BR", "text/javascript", Some("br")),
            ("game.wasm.br", "application/wasm", Some("br")),
            ("game.data.gz", BINARY, Some("gzip")),
            ("game.mem.br", BINARY, Some("br")),
            ("game.symbols.json.gz", "application/json", Some("gzip")),
            ("a.tar.gz", "application/gzip", None),
            ("a.tgz", "application/x-compressed", None),
            ("a.csv.gz", "application/gzip", None),
            ("a.json.gz", "application/gzip", None),
            ("js.gz", "application/gzip", None),
            ("game.wasm.unityweb", "application/vnd.unity", None),
            ("a.js", "text/javascript; charset=utf-8", None),
        ] {
            assert_eq!(stored_coding(OsStr::new(name)), coding, "{name}");
            let content = match coding {
                None if essence.contains("text") => &b"text"[..],
                _ => b"\x1f\x8b\x00",
            };
            check_content(name, content, essence);
            let media = Media::of(OsStr::new(name));
            assert!(
                coding.is_none() || !media.is_compressible(OsStr::new(name)),
                "{name}"
            );
        }
    }
}
