//! Paths in the browser and paths in the backend.
//!
//! The whole site, or the part of a served folder below a prefix, is passed to the backend. The path stays as
//! it is, unless the backend's address has a path: then that takes the place of the prefix.
//!
//! | `--proxy` | asked for | sent |
//! |---|---|---|
//! | `/api=http://localhost:3000` | `/api/users` | `/api/users` |
//! | `/api=http://localhost:3000/v1` | `/api/users` | `/v1/users` |
//! | `/api=http://localhost:3000/` | `/api/users` | `/users` |

/// The prefix in the browser, and what takes its place in the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Without a slash at its end; empty for the whole site.
    prefix: String,
    /// `None`: the path stays as it is.
    base: Option<String>,
}

impl Mount {
    pub(super) fn new(prefix: &str, base: Option<&str>) -> Mount {
        let prefix = prefix.trim_end_matches('/').to_owned();
        let base = base.filter(|base| *base != prefix).map(str::to_owned);
        Mount { prefix, base }
    }

    /// Whether all paths are the same on both sides.
    pub(super) fn is_identity(&self) -> bool {
        self.base.is_none()
    }

    /// The path and query to ask the backend for. `path_and_query` must be below the prefix, but may be
    /// written differently: with percent-encoded letters.
    pub(super) fn in_backend(&self, path_and_query: &str) -> Option<String> {
        let base = self.base.as_deref()?;
        let end = path_and_query.find('?').unwrap_or(path_and_query.len());
        let (path, query) = path_and_query.split_at(end);
        let n_segments = self.prefix.matches('/').count();
        let rest = match path.match_indices('/').nth(n_segments) {
            Some((start, _)) => &path[start..],
            None => "",
        };
        Some(match (base, rest) {
            ("", "") => format!("/{query}"),
            _ => format!("{base}{rest}{query}"),
        })
    }

    /// The path in the browser for one in the backend, query and fragment included; `None` if it is not below
    /// the base.
    pub(super) fn in_browser(&self, path: &str) -> Option<String> {
        let Some(base) = &self.base else {
            return Some(path.to_owned());
        };
        let rest = match path.strip_prefix(base.as_str()) {
            Some(rest) if rest.is_empty() || rest.starts_with(['/', '?', '#']) => rest,
            _ => return None,
        };
        Some(format!("{}{rest}", self.prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(prefix: &str, base: Option<&str>, path: &str, expected: &str) {
        let mount = Mount::new(prefix, base);
        let sent = mount.in_backend(path).unwrap_or(path.to_owned());
        assert_eq!(sent, expected, "{prefix} {base:?} {path}");
    }

    #[test]
    fn the_prefix_is_kept_unless_the_address_has_a_path() {
        check("/api", None, "/api/users?id=1", "/api/users?id=1");
        check("/api", Some("/v1"), "/api/users?id=1", "/v1/users?id=1");
        check("/api", Some("/v1"), "/api", "/v1");
        check("/api", Some("/v1"), "/api/", "/v1/");
        check("/api", Some("/v1"), "/api?x=/y", "/v1?x=/y");
        check("/api", Some(""), "/api/users", "/users");
        check("/api", Some(""), "/api", "/");
        check("/api", Some(""), "/api?x", "/?x");
        check("/a/b", Some("/c"), "/a/b/d//e/", "/c/d//e/");
        check("/api", Some("/v1"), "/%61pi/users", "/v1/users");
        check("/api", Some("/api"), "/api/x", "/api/x");
    }

    #[test]
    fn a_whole_site_may_be_below_a_path_of_the_backend() {
        check("", None, "/x", "/x");
        check("", Some(""), "/x", "/x");
        check("", Some("/app"), "/", "/app/");
        check("", Some("/app"), "/x?y", "/app/x?y");
    }
}
