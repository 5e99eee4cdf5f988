//! How long browsers may keep what the pages load.
//!
//! A reload of a page asks for the page again, but not for what the browser may still use from its cache: a
//! style sheet that was saved would not be seen. So the browser is told to ask. That costs a request that
//! is answered with 304, where the file has a validator.

use http::header::{CACHE_CONTROL, EXPIRES, HeaderMap, HeaderValue, LAST_MODIFIED};

/// Has the browser ask whether a file has changed whenever a page loads it.
///
/// For responses that pass without a script, with the headers that the application gave them. Changed is
/// only what would be kept: by a lifetime of its own, or because browsers guess one from `Last-Modified`
/// (RFC 9111 4.2.2). `immutable` stays: such a file has another address when it changes.
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
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.as_bytes().split(|&byte| byte == b',') {
            let directive = directive.trim_ascii().to_ascii_lowercase();
            match &directive[..] {
                b"no-cache" | b"no-store" | b"immutable" => return,
                b"private" => is_private = true,
                _ => has_lifetime |= directive.starts_with(b"max-age="),
            }
        }
    }
    if has_lifetime || headers.contains_key(LAST_MODIFIED) {
        let value = if is_private {
            "private, no-cache"
        } else {
            "no-cache"
        };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
    }
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
