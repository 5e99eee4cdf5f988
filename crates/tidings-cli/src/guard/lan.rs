//! `--lan`: which devices in the network may send requests.
//!
//! The printed address holds a token. Whoever opens it gets the token as a cookie, and is redirected to the
//! same address without it, so it does not stay in the history or go elsewhere in a `Referer`.
//! Everyone else is refused. Programs on this machine need no token: what they can do does not depend on it.
//!
//! What must stay true: a backend never gets the token.

use http::header::{COOKIE, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Uri};

use super::secret::is_equal;

/// The parameter in the address.
pub(crate) const PARAMETER: &str = "tidings";

#[derive(Clone, Debug)]
pub(crate) struct LanToken {
    /// Letters and digits.
    token: String,
    /// Cookies are shared by all ports of a host (RFC 6265 8.5), so the port is a part of the name.
    cookie: String,
}

/// What a request has to show.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The cookie.
    Cookie,
    /// The token in the address, and where the same page is without it.
    Address {
        location: String,
    },
    Nothing,
}

impl LanToken {
    pub(crate) fn new(token: String, port: u16) -> LanToken {
        LanToken {
            token,
            cookie: format!("tidings-lan-{port}"),
        }
    }

    /// The cookie that whoever has opened this printed address sends, if it has a token.
    pub(crate) fn cookie_for(url: &str, port: u16) -> Option<String> {
        let (_, token) = url.split_once('?')?.1.split_once('=')?;
        let LanToken { token, cookie } = LanToken::new(token.to_owned(), port);
        Some(format!("{cookie}={token}"))
    }

    /// An address with the token.
    pub(crate) fn in_address(&self, url: &str) -> String {
        format!("{url}?{PARAMETER}={}", self.token)
    }

    pub(crate) fn shown_by(&self, parts: &Parts) -> Shown {
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        if is_read && let Some(query) = self.query_without(&parts.uri) {
            let location = format!("{}{query}", safe_path(&parts.uri));
            return Shown::Address { location };
        }
        let has_cookie = cookies(&parts.headers).any(|cookie| self.is_cookie(cookie));
        match has_cookie {
            true => Shown::Cookie,
            false => Shown::Nothing,
        }
    }

    /// The value of `Set-Cookie`. A link on another site may lead here, but its page cannot send the cookie
    /// with anything else.
    pub(crate) fn set_cookie(&self, secure: bool) -> String {
        let LanToken { token, cookie } = self;
        let secure = if secure { "; Secure" } else { "" };
        format!("{cookie}={token}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{secure}")
    }

    /// Takes the token out of a request, wherever it is.
    pub(crate) fn remove_from(&self, parts: &mut Parts) {
        self.remove_cookie(&mut parts.headers);
        self.remove_parameter(&mut parts.uri);
    }

    fn remove_parameter(&self, uri: &mut Uri) {
        let Some(query) = self.query_without(uri) else {
            return;
        };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = format!("{}{query}", uri.path()).parse().ok();
        if let Ok(without) = Uri::from_parts(parts) {
            *uri = without;
        }
    }

    fn remove_cookie(&self, headers: &mut HeaderMap) {
        if !cookies(headers).any(|cookie| self.is_named(cookie)) {
            return;
        }
        let kept: Vec<_> = cookies(headers)
            .filter(|cookie| !self.is_named(cookie))
            .collect();
        let kept = HeaderValue::from_bytes(&kept.join(&b"; "[..])).ok();
        headers.remove(COOKIE);
        if let Some(kept) = kept.filter(|kept| !kept.is_empty()) {
            headers.insert(COOKIE, kept);
        }
    }

    /// The query without the token, with its question mark, if the token is there.
    fn query_without(&self, uri: &Uri) -> Option<String> {
        let query = uri.query()?;
        let is_token = |pair: &&str| {
            let value = pair
                .strip_prefix(PARAMETER)
                .and_then(|rest| rest.strip_prefix('='));
            value.is_some_and(|value| is_equal(value.as_bytes(), self.token.as_bytes()))
        };
        query.split('&').find(is_token)?;
        let rest: Vec<_> = query.split('&').filter(|pair| !is_token(pair)).collect();
        match rest.is_empty() {
            true => Some(String::new()),
            false => Some(format!("?{}", rest.join("&"))),
        }
    }

    fn is_named(&self, cookie: &[u8]) -> bool {
        let value = cookie.strip_prefix(self.cookie.as_bytes());
        value.is_some_and(|value| value.first() == Some(&b'='))
    }

    fn is_cookie(&self, cookie: &[u8]) -> bool {
        let value = cookie.strip_prefix(self.cookie.as_bytes());
        let value = value.and_then(|value| value.strip_prefix(b"="));
        value.is_some_and(|value| is_equal(value, self.token.as_bytes()))
    }
}

/// The path, if a browser that is redirected to it stays on this host.
fn safe_path(uri: &Uri) -> &str {
    // RFC 3986 4.2: a reference that begins with two slashes leads to another host, and browsers take a
    // backslash for a slash.
    match uri.path().as_bytes() {
        [b'/']
        | [
            b'/',
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'_' | b'%' | b'-' | b'~' | b'@',
            ..,
        ] => uri.path(),
        _ => "/",
    }
}

/// `name=value`, of all headers: HTTP/2 may have several (RFC 9113 8.2.3).
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(COOKIE).into_iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii)
        .filter(|cookie| !cookie.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn token() -> LanToken {
        LanToken::new("abc123".to_owned(), 8080)
    }

    fn shown(method: &str, target: &str, cookies: &[&str]) -> Shown {
        let mut request = Request::builder().method(method).uri(target);
        for cookie in cookies {
            request = request.header(COOKIE, *cookie);
        }
        token().shown_by(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn the_token_is_taken_out_of_the_address() {
        for (target, expected) in [
            ("/?tidings=abc123", "/"),
            ("/a/b?x=1&tidings=abc123&y", "/a/b?x=1&y"),
            ("http://h:1/?tidings=abc123", "/"),
            ("//evil.example/?tidings=abc123", "/"),
            ("/\\evil.example/?tidings=abc123", "/"),
            ("/?x&tidings=abc123", "/?x"),
        ] {
            let Ok(_) = target.parse::<Uri>() else {
                continue;
            };
            let location = expected.to_owned();
            assert_eq!(shown("GET", target, &[]), Shown::Address { location });
        }
        assert_eq!(shown("POST", "/?tidings=abc123", &[]), Shown::Nothing);
        for wrong in ["", "abc12", "abc1234", "abc124", "ABC123"] {
            assert_eq!(
                shown("GET", &format!("/?tidings={wrong}"), &[]),
                Shown::Nothing
            );
        }
    }

    #[test]
    fn a_backend_gets_an_address_without_the_token() {
        for (target, expected) in [
            ("/api?tidings=abc123", "/api"),
            ("//a/b?x=1&tidings=abc123&y", "//a/b?x=1&y"),
            ("http://h:1/?tidings=abc123", "http://h:1/"),
            ("/?tidings=other", "/?tidings=other"),
        ] {
            let request = Request::post(target).body(()).unwrap();
            let mut parts = request.into_parts().0;
            token().remove_from(&mut parts);
            assert_eq!(parts.uri, expected);
        }
    }

    #[test]
    fn the_cookie_counts_wherever_it_is_and_only_for_its_port() {
        for cookies in [
            &["tidings-lan-8080=abc123"][..],
            &["a=1; tidings-lan-8080=abc123; b=2"],
            &["a=1", "tidings-lan-8080=abc123"],
            &["tidings-lan-8080=old; tidings-lan-8080=abc123"],
        ] {
            assert_eq!(shown("POST", "/", cookies), Shown::Cookie, "{cookies:?}");
        }
        for cookie in [
            "tidings-lan-8080=abc12",
            "tidings-lan-80=abc123",
            "xtidings-lan-8080=abc123",
            "tidings-lan-8080",
        ] {
            assert_eq!(shown("GET", "/", &[cookie]), Shown::Nothing, "{cookie}");
        }
    }

    #[test]
    fn what_an_address_stands_for_is_the_cookie() {
        let address = token().in_address("http://192.0.2.1:8080/");
        let cookie = LanToken::cookie_for(&address, 8080).unwrap();
        assert_eq!(shown("POST", "/", &[&cookie]), Shown::Cookie);
        assert_eq!(LanToken::cookie_for("http://localhost:8080/", 8080), None);
    }

    #[test]
    fn a_backend_gets_all_cookies_but_this_one() {
        for (cookies, expected) in [
            (&["a=1; tidings-lan-8080=abc123; b=2"][..], Some("a=1; b=2")),
            (&["tidings-lan-8080=other"], None),
            (&["a=1", "tidings-lan-8080=abc123", "b=2"], Some("a=1; b=2")),
            (&["a=1;b=2"], Some("a=1;b=2")),
        ] {
            let mut headers = HeaderMap::new();
            for cookie in cookies {
                headers.append(COOKIE, HeaderValue::from_static(cookie));
            }
            token().remove_cookie(&mut headers);
            let left = headers.get(COOKIE).map(|value| value.to_str().unwrap());
            assert_eq!(left, expected, "{cookies:?}");
        }
    }
}
