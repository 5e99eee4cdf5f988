//! How long browsers may keep what the pages load.
//!
//! A reload of a page asks for the page again, but not for what the browser may still use from its cache: a
//! style sheet that was saved would not be seen. So the browser is told to ask. That costs a request that
//! is answered with 304, where the file has a validator.
//!
//! Fonts are not kept at all. Where Chromium has a font in memory and asks with its validator, and the answer is
//! another font, it goes on with the parsed form of the one before: on every later page, until the user reloads
//! with an empty cache (seen in Chromium 156, with any server; `tests/browser/resources.rs` has the case). Without
//! a copy there is no validator to ask with.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, EXPIRES, HeaderMap, HeaderValue, LAST_MODIFIED};

/// Has the browser ask whether a file has changed whenever a page loads it.
///
/// For responses that pass without a script, with the headers that the application gave them. Changed is
/// only what would be kept: by a lifetime of its own, or because browsers guess one from `Last-Modified`
/// (RFC 9111 4.2.2). `immutable` stays: such a file has another address when it changes.
///
/// Fonts are not to be kept (`no-store`), because Chromium shows the old one otherwise, although it has asked.
///
/// ```
/// use http::HeaderMap;
/// use tidings::reload::revalidate;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("cache-control", "public, max-age=3600".parse()?);
/// revalidate(&mut headers);
/// assert_eq!(headers["cache-control"], "no-cache");
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn revalidate(headers: &mut HeaderMap) {
    let mut has_lifetime = headers.contains_key(EXPIRES);
    let mut is_private = false;
    let mut is_asked_for = false;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.as_bytes().split(|&byte| byte == b',') {
            let directive = directive.trim_ascii().to_ascii_lowercase();
            match &directive[..] {
                b"no-store" | b"immutable" => return,
                b"no-cache" => is_asked_for = true,
                b"private" => is_private = true,
                _ => has_lifetime |= directive.starts_with(b"max-age="),
            }
        }
    }
    let is_kept = !is_asked_for && (has_lifetime || headers.contains_key(LAST_MODIFIED));
    let value = match (is_font(headers), is_kept, is_private) {
        (true, _, _) => "no-store",
        (false, false, _) => return,
        (false, true, true) => "private, no-cache",
        (false, true, false) => "no-cache",
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
}

/// By the types of RFC 8081, and those that were usual before: `font/woff2`, `application/font-woff`,
/// `application/x-font-ttf`, `application/vnd.ms-opentype`.
fn is_font(headers: &HeaderMap) -> bool {
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or_default().to_ascii_lowercase();
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.contains("font") || essence.contains("opentype")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    #[track_caller]
    fn check(headers: &[(&'static str, &'static str)], expected: Option<&str>) {
        let headers = headers.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        let mut headers: HeaderMap = headers.collect();
        revalidate(&mut headers);
        let value = headers.get(CACHE_CONTROL).map(|value| value.to_str());
        assert_eq!(value.transpose().unwrap(), expected, "{headers:?}");
    }

    #[test]
    fn a_file_that_would_be_kept_is_asked_for_again() {
        let modified = ("last-modified", "Wed, 25 Nov 2026 18:51:49 GMT");
        check(&[modified], Some("no-cache"));
        check(&[("expires", modified.1)], Some("no-cache"));
        check(
            &[("cache-control", "public, max-age=172800")],
            Some("no-cache"),
        );
        check(&[("cache-control", "Max-Age=60")], Some("no-cache"));
        check(
            &[("cache-control", "private, max-age=60")],
            Some("private, no-cache"),
        );
        check(&[modified, ("cache-control", "public")], Some("no-cache"));
    }

    #[test]
    fn a_font_is_not_kept_unless_it_never_changes() {
        for name in [
            "font/woff2",
            "application/font-woff",
            "Application/X-Font-TTF",
        ] {
            let font = ("content-type", name);
            check(&[font, ("etag", "\"1\"")], Some("no-store"));
            for value in ["no-cache", "max-age=60", "private, no-cache", "no-store"] {
                check(&[font, ("cache-control", value)], Some("no-store"));
            }
            let value = "max-age=31536000, immutable";
            check(&[font, ("cache-control", value)], Some(value));
        }
        check(&[("content-type", "text/css"), ("etag", "\"1\"")], None);
    }

    #[test]
    fn what_is_not_kept_or_never_changes_stays_as_it_is() {
        let modified = ("last-modified", "Wed, 25 Nov 2026 18:51:49 GMT");
        check(&[], None);
        check(&[("etag", "\"1\"")], None);
        for value in [
            "no-store",
            "no-cache",
            "max-age=31536000, immutable",
            "private, no-cache",
        ] {
            check(&[modified, ("cache-control", value)], Some(value));
        }
    }
}
