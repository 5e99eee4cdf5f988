//! A part of a served site that is passed to a backend: `/api=http://localhost:3000`.

use std::str::FromStr;

use crate::upstream::Target;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Route {
    /// Whole segments of a path: it begins with a slash and does not end with one, unless it is `/`.
    pub(crate) prefix: String,
    pub(crate) target: Target,
}

impl FromStr for Route {
    type Err = String;

    fn from_str(text: &str) -> Result<Route, String> {
        let (prefix, target) = text
            .split_once('=')
            .ok_or("give a path and a URL: /api=http://localhost:3000")?;
        Route::new(prefix, target.parse()?)
    }
}

impl Route {
    pub(crate) fn new(prefix: &str, target: Target) -> Result<Route, String> {
        let prefix = Route::prefix(prefix)?;
        Ok(Route { prefix, target })
    }

    /// The prefix as it is compared with paths.
    pub(crate) fn prefix(text: &str) -> Result<String, String> {
        let is_path = text.starts_with('/')
            && !text.contains(['?', '#'])
            && text.parse::<http::uri::PathAndQuery>().is_ok();
        if !is_path {
            return Err(format!(
                "{text:?} is not a path that starts with a slash, such as /api"
            ));
        }
        Ok(match text.trim_end_matches('/') {
            "" => "/".to_owned(),
            prefix => prefix.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_a_path_and_a_url() {
        let prefix = |text: &str| text.parse::<Route>().map(|route| route.prefix);
        assert_eq!(prefix("/api=http://localhost:1/a=b"), Ok("/api".to_owned()));
        assert_eq!(prefix("/api/=http://localhost:1"), Ok("/api".to_owned()));
        assert_eq!(prefix("/=http://localhost:1"), Ok("/".to_owned()));
        for text in [
            "",
            "/api",
            "=http://x",
            "api=http://x",
            "/a?b=http://x",
            "/a b=http://x",
            "/api=",
            "/api=nowhere",
        ] {
            assert!(prefix(text).is_err(), "{text:?}");
        }
    }
}
