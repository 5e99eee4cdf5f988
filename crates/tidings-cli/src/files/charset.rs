//! Detects the encoding of text, and of HTML documents in particular.
//!
//! The charset in the header takes precedence in browsers. So it is sent only where it is certain; otherwise
//! the page's own declaration, `@charset` or the browser's detection decide.
//!
//! A browser looks for `<meta charset>` in the first 1024 bytes of a response. The injected script may move
//! it behind them, so what the prescan would have found in the document on disk must be sent in the
//! `Content-Type`.

/// How many bytes the prescan reads (WHATWG HTML 13.2.3.2).
const PRESCAN_BYTES: usize = 1024;
/// How much of a large file is checked for being UTF-8.
pub(crate) const INSPECT_BYTES: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    /// By its byte order mark. The script is ASCII and cannot be injected.
    Utf16(&'static str),
    /// Declared in the document.
    Declared(String),
    /// Neither UTF-8 nor declared: the browser detects it.
    Unknown,
}

impl Charset {
    /// Detects the charset by the first bytes of a document, which may be the `whole`.
    pub(crate) fn of(first: &[u8], whole: bool) -> Charset {
        // WHATWG Encoding 6, "BOM sniff": a byte order mark outranks everything.
        if first.starts_with(b"\xef\xbb\xbf") {
            return Charset::Utf8;
        }
        if first.starts_with(b"\xff\xfe") {
            return Charset::Utf16("utf-16le");
        }
        if first.starts_with(b"\xfe\xff") {
            return Charset::Utf16("utf-16be");
        }
        match prescan(&first[..first.len().min(PRESCAN_BYTES)]) {
            Some(label)
                if label.eq_ignore_ascii_case("utf-8") || label.eq_ignore_ascii_case("utf8") =>
            {
                Charset::Utf8
            }
            Some(label) => Charset::Declared(label),
            None if is_utf8(first, whole) => Charset::Utf8,
            None => Charset::Unknown,
        }
    }

    pub(crate) fn content_type(&self) -> String {
        match self {
            Charset::Utf8 => "text/html; charset=utf-8".to_owned(),
            Charset::Utf16(label) => format!("text/html; charset={label}"),
            Charset::Declared(label) => format!("text/html; charset={label}"),
            Charset::Unknown => "text/html".to_owned(),
        }
    }
}

/// Whether a text is UTF-8, judged by its first bytes.
///
/// This is certain for a `whole` text. If more follows, ASCII alone is not enough, because the next byte may
/// be in any encoding; bytes that are UTF-8 and not ASCII are. ISO-2022-JP consists of ASCII bytes only, and
/// is recognised by its escape sequences.
pub(crate) fn is_utf8(first: &[u8], whole: bool) -> bool {
    let valid = match std::str::from_utf8(first) {
        Ok(_) => true,
        // The inspected part may end within a character, the text may not.
        Err(error) => !whole && error.error_len().is_none(),
    };
    valid && (whole || !first.is_ascii()) && !first.contains(&0x1b)
}

/// WHATWG HTML 13.2.3.2, "prescan a byte stream to determine its encoding".
fn prescan(bytes: &[u8]) -> Option<String> {
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"<!--") {
            // The two dashes of the opening may be those of the end: `<!-->` is a comment.
            at += 2 + find(&rest[2..], b"-->")? + 3;
        } else if is_meta(rest) {
            at += 5;
            if let Some(label) = meta(bytes, &mut at) {
                return Some(label);
            }
        } else if rest[0] == b'<' && is_tag(&rest[1..]) {
            while at < bytes.len() && !is_space(bytes[at]) && bytes[at] != b'>' {
                at += 1;
            }
            while attribute(bytes, &mut at).is_some() {}
            at += 1;
        } else if rest.starts_with(b"<!") || rest.starts_with(b"</") || rest.starts_with(b"<?") {
            at += find(rest, b">")? + 1;
        } else {
            at += 1;
        }
    }
    None
}

fn is_meta(rest: &[u8]) -> bool {
    rest.len() > 5
        && rest[..5].eq_ignore_ascii_case(b"<meta")
        && (is_space(rest[5]) || rest[5] == b'/')
}

fn is_tag(after: &[u8]) -> bool {
    match after {
        [b'/', letter, ..] | [letter, ..] => letter.is_ascii_alphabetic(),
        [] => false,
    }
}

/// The encoding that a `<meta>` declares, if it does.
fn meta(bytes: &[u8], at: &mut usize) -> Option<String> {
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let mut pragma = false;
    let mut needs_pragma = None;
    let mut charset = None;
    while let Some((name, value)) = attribute(bytes, at) {
        if seen.contains(&name) {
            continue;
        }
        match &*name {
            b"http-equiv" => pragma |= value == b"content-type",
            b"content" if charset.is_none() => {
                if let Some(label) = from_content(&value) {
                    charset = Some(label);
                    needs_pragma = Some(true);
                }
            }
            b"charset" => {
                charset = Some(value.clone());
                needs_pragma = Some(false);
            }
            _ => {}
        }
        seen.push(name);
    }
    match (needs_pragma, charset) {
        (Some(needs), Some(charset)) if pragma || !needs => label(&charset),
        _ => None,
    }
}

/// A label that is valid in a header. UTF-16 cannot be true, because then this could not have been read as
/// ASCII; the standard takes UTF-8 instead, and windows-1252 for x-user-defined.
fn label(charset: &[u8]) -> Option<String> {
    let label = std::str::from_utf8(charset.trim_ascii()).ok()?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_:.-".contains(&byte);
    if label.is_empty() || label.len() > 40 || !label.bytes().all(allowed) {
        return None;
    }
    Some(match label {
        label if label.starts_with("utf-16") => "utf-8".to_owned(),
        "x-user-defined" => "windows-1252".to_owned(),
        label => label.to_owned(),
    })
}

/// WHATWG HTML 13.2.3.2, "get an attribute". Names and values come out in lower case.
fn attribute(bytes: &[u8], at: &mut usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let peek = |at: usize| bytes.get(at).copied();
    while peek(*at).is_some_and(|byte| is_space(byte) || byte == b'/') {
        *at += 1;
    }
    if peek(*at)? == b'>' {
        return None;
    }
    let mut name = Vec::new();
    let mut value = Vec::new();
    loop {
        match peek(*at)? {
            b'=' if !name.is_empty() => break,
            byte if is_space(byte) => {
                skip_spaces(bytes, at);
                if peek(*at)? != b'=' {
                    return Some((name, value));
                }
                break;
            }
            b'/' | b'>' => return Some((name, value)),
            byte => name.push(byte.to_ascii_lowercase()),
        }
        *at += 1;
    }
    *at += 1; // The equals sign.
    skip_spaces(bytes, at);
    match peek(*at)? {
        quote @ (b'"' | b'\'') => {
            *at += 1;
            while peek(*at)? != quote {
                value.push(peek(*at)?.to_ascii_lowercase());
                *at += 1;
            }
            *at += 1;
        }
        _ => {
            while !is_space(peek(*at)?) && peek(*at)? != b'>' {
                value.push(peek(*at)?.to_ascii_lowercase());
                *at += 1;
            }
        }
    }
    Some((name, value))
}

/// WHATWG HTML 2.5.4, "extracting a character encoding from a meta element".
fn from_content(content: &[u8]) -> Option<Vec<u8>> {
    let mut at = 0;
    loop {
        at += find(content.get(at..)?, b"charset")? + 7;
        skip_spaces(content, &mut at);
        if content.get(at) == Some(&b'=') {
            break;
        }
    }
    at += 1;
    skip_spaces(content, &mut at);
    let rest = content.get(at..)?;
    let (rest, end): (&[u8], &[u8]) = match rest.first()? {
        b'"' => (&rest[1..], b"\""),
        b'\'' => (&rest[1..], b"'"),
        _ => {
            let length = rest
                .iter()
                .position(|&byte| is_space(byte) || byte == b';')
                .unwrap_or(rest.len());
            return Some(rest[..length].to_vec());
        }
    };
    Some(rest[..find(rest, end)?].to_vec())
}

fn skip_spaces(bytes: &[u8], at: &mut usize) {
    while bytes.get(*at).is_some_and(|&byte| is_space(byte)) {
        *at += 1;
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &[u8], expected: &str) {
        assert_eq!(
            Charset::of(document, true).content_type(),
            expected,
            "{}",
            document.escape_ascii()
        );
    }

    #[test]
    fn utf8_is_detected() {
        check(b"<p>hi", "text/html; charset=utf-8");
        check("<p>grüße".as_bytes(), "text/html; charset=utf-8");
        check(b"", "text/html; charset=utf-8");
        check(
            b"\xef\xbb\xbf<meta charset=latin1>",
            "text/html; charset=utf-8",
        );
        check(b"<meta charset='UTF-8'>", "text/html; charset=utf-8");
    }

    #[test]
    fn a_late_byte_that_is_not_utf8_is_noticed() {
        let late = [b"x".repeat(2 * INSPECT_BYTES), b"\xe9".into()].concat();
        check(&late, "text/html");
        check(b"iso-2022-jp: \x1b$BF|K\\\x1b(B", "text/html");
        let part = |first: &[u8]| Charset::of(first, false);
        assert_eq!(part(b"ascii so far"), Charset::Unknown);
        assert_eq!(part(b"gr\xc3\xbc\xc3"), Charset::Utf8);
        assert_eq!(part(b"<meta charset=utf-8>"), Charset::Utf8);
    }

    #[test]
    fn utf16_is_detected_by_its_byte_order_mark() {
        check(b"\xff\xfe<\0p\0", "text/html; charset=utf-16le");
        check(b"\xfe\xff\0<\0p", "text/html; charset=utf-16be");
        check(b"<meta charset=utf-16le>", "text/html; charset=utf-8");
    }

    #[test]
    fn a_declared_charset_is_detected() {
        check(
            b"<meta charset=iso-8859-1>",
            "text/html; charset=iso-8859-1",
        );
        check(
            b"<!doctype html><html lang=de><head><META CharSet = \"Shift_JIS\" /><p>\x82",
            "text/html; charset=shift_jis",
        );
        check(
            b"<meta http-equiv=Content-Type content='text/html; charset=windows-1252'>",
            "text/html; charset=windows-1252",
        );
        check(
            b"<meta content='text/html;charset=\"koi8-r\"' http-equiv='content-type'>",
            "text/html; charset=koi8-r",
        );
        check(
            b"<meta name=x content=y><meta charset=gbk>",
            "text/html; charset=gbk",
        );
    }

    #[test]
    fn similar_markup_is_not_a_declaration() {
        check(b"<!-- <meta charset=gbk> -->", "text/html; charset=utf-8");
        check(
            b"<meta content='text/html; charset=gbk'>",
            "text/html; charset=utf-8",
        );
        check(
            b"<meta name=charset content=gbk>",
            "text/html; charset=utf-8",
        );
        check(
            b"<a title='<meta charset=gbk>'>",
            "text/html; charset=utf-8",
        );
        check(b"<metadata charset=gbk>", "text/html; charset=utf-8");
        check(b"<meta charset='a\r\nX: y'>", "text/html; charset=utf-8");
        check(b"<meta charset=>", "text/html; charset=utf-8");
        check(b"<meta charset", "text/html; charset=utf-8");
        check(
            &[&b" ".repeat(1024)[..], b"<meta charset=gbk>"].concat(),
            "text/html; charset=utf-8",
        );
        check(b"<p>\xff", "text/html");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(pieces in proptest::collection::vec("<|<meta |charset|=|'|\"|>|/|<!--|-->|content|http-equiv|content-type| |;|a", 0..40)) {
            let value = Charset::of(pieces.concat().as_bytes(), true).content_type();
            proptest::prop_assert!(http::HeaderValue::try_from(value).is_ok());
        }
    }
}
