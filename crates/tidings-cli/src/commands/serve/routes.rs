//! Which part of a served folder is passed to a backend instead: `--proxy /api=http://localhost:3000`.
//!
//! What must stay true: a path belongs to a backend or to the files, however it is written. A prefix is whole
//! segments, percent-encoded or not. If it depends on who reads the path (`/api/../file`, `/api%2Fx`), neither
//! gets it.

use percent_encoding::percent_decode_str;

use crate::config::Route;
use crate::guard::Refusal;
use crate::upstream::{Options, Upstream};

/// The backends, those with the longest prefix first.
pub(super) struct Routes(Vec<Entry>);

struct Entry {
    /// The segments of the prefix, decoded.
    prefix: Vec<Vec<u8>>,
    upstream: Upstream,
}

impl Routes {
    pub(super) fn new(routes: &[Route]) -> Routes {
        let mut entries: Vec<_> = routes.iter().map(Entry::new).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.prefix.len()));
        Routes(entries)
    }

    /// The backend that a path belongs to; `None` for files.
    pub(super) fn backend(&self, path: &str) -> Result<Option<&Upstream>, Refusal> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let found = self.longest(&segments(path));
        match found == self.longest(&resolved(path)) {
            true => Ok(found.map(|index| &self.0[index].upstream)),
            false => Err(Refusal::ambiguous_path()),
        }
    }

    fn longest(&self, path: &[Vec<u8>]) -> Option<usize> {
        self.0
            .iter()
            .position(|entry| path.starts_with(&entry.prefix))
    }
}

impl Entry {
    fn new(route: &Route) -> Entry {
        let options = Options {
            prefix: route.prefix.clone(),
            ..Options::default()
        };
        let prefix = match &*route.prefix {
            "/" => Vec::new(),
            prefix => segments(prefix),
        };
        Entry {
            prefix,
            upstream: Upstream::new(route.target.clone(), &options),
        }
    }
}

/// The segments as they are written, each decoded.
fn segments(path: &str) -> Vec<Vec<u8>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/')
        .map(|segment| percent_decode_str(segment).collect())
        .collect()
}

/// The segments that somebody may read who decodes first: without empty ones, and with the meaning of dots.
fn resolved(path: &str) -> Vec<Vec<u8>> {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let mut segments = Vec::new();
    // WHATWG URL 4.4: in `http` addresses a backslash is a slash.
    for segment in decoded.split(|byte| matches!(byte, b'/' | b'\\')) {
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            segment => segments.push(segment.to_vec()),
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(routes: &[&str]) -> Routes {
        let routes: Vec<Route> = routes.iter().map(|text| text.parse().unwrap()).collect();
        Routes::new(&routes)
    }

    /// The port of the backend, 0 for files, and `None` if it is refused.
    #[track_caller]
    fn check(routes: &Routes, path: &str, expected: Option<u16>) {
        let found = routes.backend(path).ok().map(|upstream| {
            upstream.map_or(0, |upstream| upstream.target().port().unwrap_or_default())
        });
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn a_prefix_is_whole_segments_and_the_longest_one_counts() {
        let routes = routes(&[
            "/api=http://localhost:1",
            "/api/v2/=http://localhost:2",
            "/a%20b=http://localhost:3",
        ]);
        for (path, expected) in [
            ("/", 0),
            ("/apis", 0),
            ("/x/api", 0),
            ("/API/x", 0),
            ("/api", 1),
            ("/api/", 1),
            ("/api/v", 1),
            ("/api/v2", 2),
            ("/api/v2/x", 2),
            ("/api/v22", 1),
            ("/a%20b/c", 3),
            ("/%61pi/x", 1),
            ("/api/x%2fy", 1),
            ("/api/../api/x", 1),
        ] {
            check(&routes, path, Some(expected));
        }
    }

    #[test]
    fn no_path_is_the_backends_for_one_reader_and_a_file_for_another() {
        let routes = routes(&["/api=http://localhost:1", "/api/v2=http://localhost:2"]);
        for path in [
            "/api/../secret.html",
            "/api/..%2fsecret.html",
            "/api/%2e%2e/secret.html",
            "/x/../api/users",
            "/api%2fusers",
            "//api/users",
            "/./api/users",
            "/api\\x",
            "/api%5cx",
            "/api/./v2/x",
            "/api/v2/../v1",
        ] {
            check(&routes, path, None);
        }
        check(&routes, "/../x", Some(0));
        check(&routes, "/a//b/../c", Some(0));
    }

    #[test]
    fn the_whole_site_can_be_a_backends() {
        let routes = routes(&["/=http://localhost:1", "/docs=http://localhost:2"]);
        check(&routes, "/x/../y", Some(1));
        check(&routes, "/docs/x", Some(2));
        check(&routes, "/docs/../x", None);
    }
}
