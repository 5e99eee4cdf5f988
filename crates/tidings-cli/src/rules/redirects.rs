//! Redirects: `/old/*` to `/new/:splat`, `/post/:year/:name` to `/blog/:name`.
//!
//! Parts of the requested path go into the new address as they were sent, percent-encoded. They can
//! neither change the host nor add a header: see [`Destination`].

use std::borrow::Cow;
use std::str::FromStr;

use http::{HeaderValue, StatusCode, Uri};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// The name under which the part that `*` matches is inserted.
const SPLAT: &str = "splat";

/// What may not be in an address as it is. `%` may: it begins what is encoded already.
const NOT_IN_URLS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What would end or separate the parameters of a query.
const NOT_IN_PARAMETERS: &AsciiSet = &NOT_IN_URLS
    .add(b'&')
    .add(b'+')
    .add(b';')
    .add(b'=')
    .add(b'#');

/// What a request gets instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) status: StatusCode,
    pub(crate) location: HeaderValue,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RedirectRule {
    from: Source,
    to: Destination,
    status: StatusCode,
}

/// The paths that are redirected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    segments: Vec<Segment>,
    /// Whether the rest of the path may be anything.
    splat: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Exactly this, percent-decoded.
    Literal(Vec<u8>),
    /// Any one segment, inserted under this name.
    Named(String),
}

/// The new address: a path of this server, or a whole URL. Names are inserted only after the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Inserted { name: String, in_query: bool },
}

/// The status of a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(StatusCode);

impl RedirectRule {
    pub(crate) fn new(
        from: Source,
        to: Destination,
        status: Option<Status>,
    ) -> Result<RedirectRule, String> {
        for part in &to.parts {
            match part {
                Part::Inserted { name, .. } if !from.has(name) => {
                    return Err(match name.as_str() {
                        SPLAT => "`to` has :splat, but `from` does not end with *".to_owned(),
                        name => format!(
                            "`to` has :{name}, but `from` has no such segment; write %3A for a colon"
                        ),
                    });
                }
                _ => {}
            }
        }
        let status = status.map_or(StatusCode::FOUND, |Status(status)| status);
        Ok(RedirectRule { from, to, status })
    }

    /// A path that would be redirected to itself is not.
    pub(super) fn apply(&self, path: &str, query: Option<&str>) -> Option<Redirect> {
        let found = self.from.matches(path)?;
        let location = self.to.with(&found, query);
        let (target, _) = location.split_once(['?', '#']).unwrap_or((&location, ""));
        if target == path {
            return None;
        }
        Some(Redirect {
            status: self.status,
            location: HeaderValue::try_from(location).ok()?,
        })
    }
}

impl Source {
    fn has(&self, name: &str) -> bool {
        let named = |segment: &Segment| matches!(segment, Segment::Named(found) if found == name);
        self.segments.iter().any(named) || (self.splat && name == SPLAT)
    }

    /// The names with what they stand for. A slash at the end of the path does not matter.
    fn matches<'a>(&'a self, path: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let mut found = Vec::new();
        let mut rest = Some(path.strip_prefix('/')?);
        for segment in &self.segments {
            let (first, others) = match rest?.split_once('/') {
                Some((first, others)) => (first, Some(others)),
                None => (rest?, None),
            };
            rest = others;
            match segment {
                Segment::Literal(expected)
                    if percent_decode_str(first).eq(expected.iter().copied()) => {}
                Segment::Named(name) if !first.is_empty() => found.push((name.as_str(), first)),
                _ => return None,
            }
        }
        match (self.splat, rest) {
            (true, rest) => found.push((SPLAT, rest.unwrap_or_default())),
            (false, None | Some("")) => {}
            (false, Some(_)) => return None,
        }
        Some(found)
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Source, String> {
        let Some(path) = text.strip_prefix('/') else {
            return Err("the path starts with a slash, as in /old/*".to_owned());
        };
        if path.contains(['?', '#']) {
            return Err("only the path is compared, without ? and #".to_owned());
        }
        let (path, splat) = match path.strip_suffix('*') {
            Some(path) if path.is_empty() || path.ends_with('/') => (path, true),
            _ => (path, false),
        };
        if path.contains('*') {
            return Err(
                "* stands for the rest of the path: it can only be the last segment".to_owned(),
            );
        }
        let mut source = Source {
            segments: Vec::new(),
            splat,
        };
        let path = path.strip_suffix('/').unwrap_or(path);
        for segment in path.split('/').filter(|_| !path.is_empty()) {
            match segment.strip_prefix(':') {
                None => {
                    let literal = percent_decode_str(segment).collect();
                    source.segments.push(Segment::Literal(literal));
                }
                Some(name) if name_at_start_of(name) != Some(name) => {
                    return Err(format!(":{name} is not a name: use letters, digits and _"));
                }
                Some(name) if name == SPLAT || source.has(name) => {
                    return Err(format!("the name :{name} is taken"));
                }
                Some(name) => source.segments.push(Segment::Named(name.to_owned())),
            }
        }
        Ok(source)
    }
}

impl Destination {
    fn with(&self, found: &[(&str, &str)], query: Option<&str>) -> String {
        let mut location = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => location.push_str(text),
                Part::Inserted { name, in_query } => {
                    let value = found.iter().find(|(found, _)| found == name);
                    let encoded = match in_query {
                        true => NOT_IN_PARAMETERS,
                        false => NOT_IN_URLS,
                    };
                    location.extend(utf8_percent_encode(value.map_or("", |v| v.1), encoded));
                }
            }
        }
        // `//host` and, to browsers, `/\host` are addresses on another host. Backslashes are encoded.
        if location.starts_with("//") {
            location = format!("/{}", location.trim_start_matches('/'));
        }
        match query {
            Some(query) if !location.contains('?') => {
                let end = location.find('#').unwrap_or(location.len());
                location.insert_str(end, &format!("?{query}"));
            }
            _ => {}
        }
        location
    }
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Destination, String> {
        let wrong = || {
            "give a path that starts with one slash, or a whole URL with http:// or https://"
                .to_owned()
        };
        let scheme_end = match text.starts_with('/') {
            true => 0,
            false => text.find("://").map_or(0, |colon| colon + 3),
        };
        let authority = &text[scheme_end..];
        let path_start = scheme_end + authority.find(['/', '?', '#']).unwrap_or(authority.len());
        let (before, after) = text.split_at(path_start);
        let is_valid = match before {
            "" => after.starts_with('/') && !after[1..].starts_with(['/', '\\']),
            url => is_origin(url),
        };
        if !is_valid || text.contains(char::is_control) {
            return Err(wrong());
        }
        let mut parts = vec![Part::Text(before.to_owned())];
        let mut rest = after;
        let mut in_query = false;
        while !rest.is_empty() {
            let colon = rest.find(':').unwrap_or(rest.len());
            let (literal, inserted) = rest.split_at(colon);
            in_query |= literal.contains(['?', '#']);
            let name = inserted.strip_prefix(':').and_then(name_at_start_of);
            let mut literal: Cow<'_, str> = utf8_percent_encode(literal, NOT_IN_URLS).into();
            rest = match name {
                Some(name) => &inserted[1 + name.len()..],
                None if inserted.is_empty() => "",
                None => {
                    literal.to_mut().push(':');
                    &inserted[1..]
                }
            };
            parts.push(Part::Text(literal.into_owned()));
            parts.extend(name.map(|name| Part::Inserted {
                name: name.to_owned(),
                in_query,
            }));
        }
        Ok(Destination { parts })
    }
}

/// Whether this is `http://host` or `https://host`, perhaps with a port, and nothing else: it goes into the
/// address as it is.
fn is_origin(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return false;
    };
    let port = authority.as_str().strip_prefix(authority.host());
    !authority.host().is_empty()
        && (port == Some("") || authority.port_u16().is_some() && !authority.as_str().contains('@'))
}

/// The letters, digits and underscores at the start, if there are any and the first is not a digit.
fn name_at_start_of(text: &str) -> Option<&str> {
    let end = text.find(|c: char| c != '_' && !c.is_ascii_alphanumeric());
    let name = &text[..end.unwrap_or(text.len())];
    let starts = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
    starts.then_some(name)
}

impl TryFrom<u16> for Status {
    type Error = String;

    fn try_from(code: u16) -> Result<Status, String> {
        match code {
            301 | 302 | 303 | 307 | 308 => StatusCode::from_u16(code)
                .map(Status)
                .map_err(|error| error.to_string()),
            200 => Err("status 200 would answer with another page without a redirect, which is not possible here: see `spa` and `proxy` in [serve]".to_owned()),
            _ => Err("the status of a redirect is 301, 302, 303, 307 or 308".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The new address of a request.
    #[track_caller]
    fn redirected(from: &str, to: &str, request: &str) -> Option<String> {
        let rule = RedirectRule::new(from.parse().unwrap(), to.parse().unwrap(), None).unwrap();
        let uri: Uri = request.parse().unwrap();
        let redirect = rule.apply(uri.path(), uri.query())?;
        Some(redirect.location.to_str().unwrap().to_owned())
    }

    #[track_caller]
    fn check(from: &str, to: &str, request: &str, expected: &str) {
        let found = redirected(from, to, request);
        assert_eq!(found.as_deref(), Some(expected), "{from} {to} {request}");
    }

    #[track_caller]
    fn does_not_match(from: &str, request: &str) {
        assert_eq!(redirected(from, "/elsewhere", request), None, "{from}");
    }

    #[test]
    fn a_star_is_the_rest_of_the_path() {
        check("/old/*", "/new/:splat", "/old/a/b", "/new/a/b");
        check("/old/*", "/new/:splat", "/old/", "/new/");
        check("/old/*", "/new/:splat", "/old", "/new/");
        check("/*", "/app", "/x/y", "/app");
        does_not_match("/old/*", "/older");
        does_not_match("/old/*", "/x/old/a");
    }

    #[test]
    fn a_name_is_one_segment() {
        check(
            "/:year/:name",
            "/blog/:name/:year",
            "/2024/hello",
            "/blog/hello/2024",
        );
        check("/a/:x/*", "/b/:x-:splat", "/a/1/2/3", "/b/1-2/3");
        does_not_match("/p/:name", "/p/a/b");
        does_not_match("/p/:name", "/p/");
    }

    #[test]
    fn a_path_without_names_is_compared_whole_and_decoded() {
        check("/old", "/new", "/old", "/new");
        check("/old", "/new", "/old/", "/new");
        check("/", "/home", "/", "/home");
        check("/über uns", "/about", "/%C3%BCber%20uns", "/about");
        does_not_match("/old", "/old/a");
        does_not_match("/old", "/Old");
        does_not_match("/", "/a");
    }

    #[test]
    fn the_query_is_kept_unless_the_new_address_has_one() {
        check("/a", "/b", "/a?x=1", "/b?x=1");
        check("/a", "/b#c", "/a?x=1", "/b?x=1#c");
        check("/a", "/b?y=2", "/a?x=1", "/b?y=2");
        check("/s/:q", "/find?q=:q", "/s/a&b=c", "/find?q=a%26b%3Dc");
    }

    #[test]
    fn a_request_cannot_choose_the_host() {
        check("/*", "/:splat", "//evil.example/x", "/evil.example/x");
        check("/*", "/:splat", "///evil.example", "/evil.example");
        check("/*", "/:splat", "/\\evil.example", "/%5Cevil.example");
        let to = "https://docs.example/:splat";
        check(
            "/d/*",
            to,
            "/d/@evil.example",
            "https://docs.example/@evil.example",
        );
        check(
            "/d/*",
            to,
            "/d//evil.example",
            "https://docs.example//evil.example",
        );
        for to in [
            ":splat",
            "//evil.example/:splat",
            "/\\evil.example",
            "https://:splat",
            "https://docs.example:splat",
            "https://:splat@docs.example/",
            "javascript:alert(1)",
            "javascript://x/",
            "https://",
            "new",
            "",
        ] {
            assert!(to.parse::<Destination>().is_err(), "{to:?}");
        }
    }

    #[test]
    fn a_request_cannot_add_a_header() {
        check(
            "/*",
            "/n/:splat",
            "/%0d%0aSet-Cookie:x",
            "/n/%0d%0aSet-Cookie:x",
        );
        assert!("/a\r\nb".parse::<Destination>().is_err());
    }

    #[test]
    fn a_path_is_not_redirected_to_itself() {
        assert_eq!(redirected("/a/*", "/a/:splat", "/a/b"), None);
        assert_eq!(redirected("/app/*", "/app/", "/app/"), None);
        check("/app/*", "/app/", "/app/x", "/app/");
    }

    #[test]
    fn a_new_address_is_encoded_where_it_must_be() {
        check("/a", "/über uns", "/a", "/%C3%BCber%20uns");
        check("/a", "/b%20c", "/a", "/b%20c");
        check("/a", "/b:80", "/a", "/b:80");
        check("/a", "/b?next=http://[::1]/", "/a", "/b?next=http://[::1]/");
        check("/a", "http://[::1]:80/b", "/a", "http://[::1]:80/b");
    }

    #[test]
    fn mistakes_in_a_rule_are_errors() {
        for from in [
            "old", "", "/a*", "/*/b", "/a/**", "/:", "/:a-b", "/:a/:a", "/:splat", "/a?b",
        ] {
            assert!(from.parse::<Source>().is_err(), "{from:?}");
        }
        let rule = |from: &str, to: &str| {
            RedirectRule::new(from.parse().unwrap(), to.parse().unwrap(), None)
        };
        assert!(
            rule("/a", "/:splat")
                .unwrap_err()
                .contains("does not end with *")
        );
        assert!(rule("/:a", "/:b").unwrap_err().contains(":b"));
        for status in [0, 200, 300, 304, 404] {
            assert!(Status::try_from(status).is_err(), "{status}");
        }
    }
}
