//! Headers that are set in responses, for paths that match a pattern.

use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName,
    HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use percent_encoding::percent_decode_str;

/// Headers that say how the message is framed or what encoding the body has: a wrong one would break the
/// response.
const FRAMING: [HeaderName; 10] = [
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Sets headers for the paths that a pattern matches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeaderRule {
    pub(crate) path: PathGlob,
    pub(crate) set: Vec<(Name, Value)>,
}

/// A pattern for whole paths: `*` matches within a segment, `**` across segments.
#[derive(Clone, Debug)]
pub(crate) struct PathGlob(GlobMatcher);

/// The name of a header that may be set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Name(HeaderName);

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value(HeaderValue);

/// Headers that are set together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    /// Gives pages `SharedArrayBuffer` and precise timers.
    CrossOriginIsolated,
}

impl HeaderRule {
    pub(super) fn apply(&self, path: &str, headers: &mut HeaderMap) {
        if self.path.matches(path) {
            for (Name(name), Value(value)) in &self.set {
                headers.insert(name, value.clone());
            }
        }
    }
}

impl PathGlob {
    /// `path` is that of a request, percent-encoded.
    fn matches(&self, path: &str) -> bool {
        let path: Vec<u8> = percent_decode_str(path).collect();
        self.0
            .is_match_candidate(&globset::Candidate::from_bytes(&path))
    }
}

impl PartialEq for PathGlob {
    fn eq(&self, other: &PathGlob) -> bool {
        self.0.glob() == other.0.glob()
    }
}

impl FromStr for PathGlob {
    type Err = String;

    fn from_str(text: &str) -> Result<PathGlob, String> {
        if !text.starts_with('/') {
            return Err(
                "the path starts with a slash, as in /assets/**; /** is every path".to_owned(),
            );
        }
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        glob.map(|glob| PathGlob(glob.compile_matcher()))
            .map_err(|error| error.kind().to_string())
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Name, String> {
        let name: HeaderName = text
            .parse()
            .map_err(|_| format!("{text:?} is not the name of a header"))?;
        match FRAMING.contains(&name) {
            false => Ok(Name(name)),
            true => Err(format!(
                "{text} cannot be set: it describes how the response is transferred"
            )),
        }
    }
}

impl FromStr for Value {
    type Err = String;

    fn from_str(text: &str) -> Result<Value, String> {
        let value = text.parse::<HeaderValue>();
        value.map(Value).map_err(|_| {
            "the value of a header is one line of printable ASCII characters".to_owned()
        })
    }
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(text: &str) -> Result<Preset, String> {
        match text {
            "cross-origin-isolated" => Ok(Preset::CrossOriginIsolated),
            _ => Err("the only preset is \"cross-origin-isolated\"".to_owned()),
        }
    }
}

impl Preset {
    pub(crate) fn headers(self) -> Vec<(Name, Value)> {
        let set = |name, value| {
            let (name, value) = (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
            (Name(name), Value(value))
        };
        match self {
            // WHATWG HTML, "cross-origin isolated": both headers, on every document of the page.
            Preset::CrossOriginIsolated => vec![
                set("cross-origin-opener-policy", "same-origin"),
                set("cross-origin-embedder-policy", "require-corp"),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(glob: &str, path: &str, expected: bool) {
        let glob: PathGlob = glob.parse().unwrap();
        assert_eq!(glob.matches(path), expected, "{path}");
    }

    #[test]
    fn two_stars_match_every_path_and_one_stays_within_a_segment() {
        for path in ["/", "/a", "/a/", "/a/b.js"] {
            check("/**", path, true);
        }
        check("/*.js", "/a.js", true);
        check("/*.js", "/lib/a.js", false);
        check("/**/*.js", "/a.js", true);
        check("/**/*.js", "/lib/deep/a.js", true);
        check("/docs/**", "/docs/", true);
        check("/docs/**", "/docs/a/b", true);
        check("/docs/**", "/docsier", false);
        check("/docs", "/docs/a", false);
        check("/*.{js,css}", "/a.css", true);
    }

    #[test]
    fn a_pattern_is_compared_with_the_decoded_path() {
        check("/über uns", "/%C3%BCber%20uns", true);
        check("/a*", "/a%FF", true);
    }

    #[test]
    fn a_pattern_that_cannot_match_is_an_error() {
        for text in ["", "docs/**", "**", "/[a"] {
            assert!(text.parse::<PathGlob>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn headers_that_frame_the_response_are_refused() {
        for name in [
            "Content-Length",
            "transfer-encoding",
            "CONNECTION",
            "Keep-Alive",
            "Content-Encoding",
            "Upgrade",
        ] {
            let error = name.parse::<Name>().unwrap_err();
            assert!(error.contains(name), "{error}");
        }
        assert!("X-Robots-Tag".parse::<Name>().is_ok());
    }

    #[test]
    fn a_value_cannot_start_another_header() {
        for value in ["a\r\nSet-Cookie: b", "a\nb", "a\0b"] {
            assert!(value.parse::<Value>().is_err(), "{value:?}");
        }
        for name in ["", "a b", "a:b", "a\nb"] {
            assert!(name.parse::<Name>().is_err(), "{name:?}");
        }
    }
}
