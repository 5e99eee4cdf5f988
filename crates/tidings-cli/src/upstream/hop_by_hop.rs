//! Removes what is meant for one connection only, in both directions (RFC 9110 7.6.1).

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HOST, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

/// Removed even where `Connection` does not name them.
const ALWAYS: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("keep-alive"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    // RFC 7540 3.2.1: it belongs to `Upgrade: h2c`.
    HeaderName::from_static("http2-settings"),
];

/// Kept even where `Connection` names them: without them the message would mean something else. A sender
/// must not name them (RFC 9110 7.6.1, "intended for all recipients of the content").
const NEVER: [HeaderName; 5] = [
    HOST,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    CONTENT_ENCODING,
    CONTENT_RANGE,
];

/// What the removed headers said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    /// The `Upgrade` header of a message that asks for an upgrade or agrees to one.
    pub(super) upgrade: Option<HeaderValue>,
    /// `TE: trailers`.
    pub(super) takes_trailers: bool,
    /// There was a `Transfer-Encoding`.
    pub(super) had_coding: bool,
}

pub(super) fn remove(headers: &mut HeaderMap, version: Version) -> Removed {
    let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        .collect();
    let removed = Removed {
        // RFC 9110 7.8: it counts only if `Connection` names it, and never in HTTP/1.0.
        upgrade: headers
            .get(UPGRADE)
            .filter(|_| version == Version::HTTP_11 && named.contains(&UPGRADE))
            .cloned(),
        takes_trailers: tokens(headers, &TE).any(|coding| {
            let coding = coding.split(';').next().unwrap_or_default();
            coding.trim().eq_ignore_ascii_case("trailers")
        }),
        had_coding: headers.contains_key(TRANSFER_ENCODING),
    };
    for name in named.iter().filter(|name| !NEVER.contains(name)) {
        headers.remove(name);
    }
    for name in ALWAYS {
        headers.remove(name);
    }
    removed
}

/// Whether this upgrade may be tunnelled. Not HTTP/2 and TLS: their requests would pass unchecked.
pub(super) fn may_be_tunnelled(upgrade: &HeaderValue) -> bool {
    let Ok(protocols) = upgrade.to_str() else {
        return false;
    };
    protocols.split(',').all(|protocol| {
        let name = protocol.split('/').next().unwrap_or_default().trim();
        !["h2c", "h2", "http", "tls"]
            .iter()
            .any(|refused| name.eq_ignore_ascii_case(refused))
    })
}

/// The comma-separated members of a header that may occur more than once.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[track_caller]
    fn check(lines: &[(&str, &str)], left: &[&str]) -> Removed {
        let mut headers = headers(lines);
        let removed = remove(&mut headers, Version::HTTP_11);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, left, "{lines:?}");
        removed
    }

    #[test]
    fn what_connection_names_is_removed_in_every_line_and_case() {
        check(
            &[
                ("connection", "close, X-One"),
                ("Connection", " x-TWO ,,\"odd\""),
                ("x-one", "1"),
                ("x-two", "2"),
                ("x-two", "2"),
                ("x-three", "3"),
            ],
            &["x-three"],
        );
    }

    #[test]
    fn known_headers_of_a_connection_are_removed_unnamed() {
        check(
            &[
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "keep-alive"),
                ("te", "gzip"),
                ("transfer-encoding", "chunked"),
                ("upgrade", "websocket"),
                ("http2-settings", "x"),
                ("trailer", "x-sum"),
            ],
            &["trailer"],
        );
    }

    #[test]
    fn a_message_keeps_its_meaning_whatever_connection_names() {
        let lines = [
            (
                "connection",
                "host, content-length, content-type, content-encoding, content-range",
            ),
            ("host", "x"),
            ("content-length", "1"),
            ("content-type", "text/html"),
            ("content-encoding", "gzip"),
            ("content-range", "bytes 0-0/1"),
        ];
        let mut left: Vec<_> = lines[1..].iter().map(|(name, _)| *name).collect();
        left.sort_unstable();
        check(&lines, &left);
    }

    #[test]
    fn an_upgrade_counts_only_if_connection_names_it() {
        let upgrade = ("upgrade", "websocket");
        let removed = check(&[upgrade, ("connection", "keep-alive, Upgrade")], &[]);
        assert_eq!(removed.upgrade.unwrap(), "websocket");
        assert_eq!(check(&[upgrade], &[]).upgrade, None);
        let mut old = headers(&[upgrade, ("connection", "upgrade")]);
        assert_eq!(remove(&mut old, Version::HTTP_10).upgrade, None);
    }

    #[test]
    fn trailers_are_taken_where_te_says_so() {
        assert!(check(&[("te", "gzip, Trailers")], &[]).takes_trailers);
        assert!(check(&[("te", "trailers;q=1")], &[]).takes_trailers);
        assert!(!check(&[("te", "gzip")], &[]).takes_trailers);
    }

    #[test]
    fn http_and_tls_are_no_tunnels() {
        for (protocol, expected) in [
            ("websocket", true),
            ("my-protocol/1", true),
            ("h2c", false),
            ("websocket, h2c", false),
            ("H2C", false),
            ("HTTP/2.0", false),
            ("TLS/1.0", false),
        ] {
            let value = HeaderValue::from_static(protocol);
            assert_eq!(may_be_tunnelled(&value), expected, "{protocol}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_connection_names_is_left(
            names in proptest::collection::vec("[a-z]{1,3}", 0..6),
            others in proptest::collection::vec("[a-z]{1,3}", 0..6),
        ) {
            let mut all = HeaderMap::new();
            for name in names.iter().chain(&others) {
                all.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static("1"));
            }
            all.insert(CONNECTION, HeaderValue::from_str(&names.join(", ")).unwrap());
            remove(&mut all, Version::HTTP_11);
            for name in &names {
                prop_assert!(!all.contains_key(name));
            }
            for name in others.iter().filter(|name| !names.contains(name) && *name != "te") {
                prop_assert!(all.contains_key(name));
            }
        }
    }
}
