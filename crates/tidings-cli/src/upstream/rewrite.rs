//! Addresses of the backend in a response's head become addresses in the browser: in `Location`,
//! `Content-Location` and `Refresh`, and the `Domain` of a cookie.
//!
//! Everything else in these headers stays as it is, byte for byte.

use http::header::{CONTENT_LOCATION, LOCATION, REFRESH, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::forwarded::BrowserOrigin;
use super::mount::Mount;
use super::target::{Target, default_port, split_port};

/// What a response's addresses are read against.
pub(super) struct Addresses<'a> {
    pub(super) target: &'a Target,
    pub(super) mount: &'a Mount,
    /// The `Host` that the backend got.
    pub(super) host: &'a str,
    pub(super) browser: &'a BrowserOrigin,
}

impl Addresses<'_> {
    pub(super) fn rewrite(&self, headers: &mut HeaderMap) {
        for name in [LOCATION, CONTENT_LOCATION] {
            replace(headers, &name, |value| self.in_browser(value));
        }
        replace(headers, &REFRESH, |value| self.refresh(value));
        if headers.contains_key(SET_COOKIE) {
            self.cookies(headers);
        }
    }

    /// The address in the browser for one that the backend gave; `None` if it stays as it is.
    fn in_browser(&self, reference: &str) -> Option<String> {
        if let Some(path) = self.local_part(reference) {
            return self.in_browser_at(&self.mount.in_browser(path)?);
        }
        // RFC 3986 4.2: a relative reference is right as it is, unless the paths differ.
        let is_path = reference.starts_with('/') && !reference.starts_with("//");
        if !is_path || self.mount.is_identity() {
            return None;
        }
        let path = self.mount.in_browser(reference)?;
        match path.starts_with('/') && !path.starts_with("//") {
            true => Some(path),
            // `//host/` would be the address of another host.
            false => self.in_browser_at(&path),
        }
    }

    fn in_browser_at(&self, path: &str) -> Option<String> {
        let BrowserOrigin { scheme, authority } = self.browser;
        (!authority.is_empty()).then(|| format!("{scheme}://{authority}{path}"))
    }

    /// What follows the origin in an address of the backend.
    fn local_part<'r>(&self, reference: &'r str) -> Option<&'r str> {
        let own_scheme = self.target.scheme.name();
        let (scheme, rest) = match reference.strip_prefix("//") {
            Some(rest) => (own_scheme.to_owned(), rest),
            None => {
                let (scheme, rest) = reference.split_once("://")?;
                (scheme.to_ascii_lowercase(), rest)
            }
        };
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = split_port(authority)?;
        let port = port.or(default_port(&scheme))?;
        let is_own = port == self.target.port && self.target.is_host(host);
        // The backend may use the name that it was asked under, with its own scheme.
        let is_as_asked = self.browser.scheme != own_scheme
            && split_port(self.host).is_some_and(|(asked, asked_port)| {
                asked.eq_ignore_ascii_case(host)
                    && asked_port.or(default_port(own_scheme)) == Some(port)
            });
        (scheme == own_scheme && (is_own || is_as_asked)).then_some(path)
    }

    /// WHATWG HTML 4.2.5.3: `5; url=ADDRESS`, with or without `url=` and quotes.
    fn refresh(&self, value: &str) -> Option<String> {
        let separator = value.find([';', ','])?;
        let after = &value[separator + 1..];
        let mut start = value.len() - after.trim_start().len();
        let is_named = value
            .get(start..start + 3)
            .is_some_and(|name| name.eq_ignore_ascii_case("url"));
        if is_named {
            let rest = value[start + 3..].trim_start();
            if let Some(rest) = rest.strip_prefix('=') {
                start = value.len() - rest.trim_start().len();
            }
        }
        let address = &value[start..];
        let (start, end) = match address.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inner = &address[1..];
                let len = inner.find(quote).unwrap_or(inner.len());
                (start + 1, start + 1 + len)
            }
            _ => (start, start + address.trim_end().len()),
        };
        let address = self.in_browser(&value[start..end])?;
        Some(format!("{}{address}{}", &value[..start], &value[end..]))
    }

    fn cookies(&self, headers: &mut HeaderMap) {
        let values: Vec<_> = headers.get_all(SET_COOKIE).iter().cloned().collect();
        let rewritten: Vec<_> = values
            .iter()
            .map(|value| self.host_only(value.as_bytes()))
            .collect();
        if rewritten.iter().all(Option::is_none) {
            return;
        }
        headers.remove(SET_COOKIE);
        for (value, rewritten) in values.into_iter().zip(rewritten) {
            let rewritten = rewritten.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
            headers.append(SET_COOKIE, rewritten.unwrap_or(value));
        }
    }

    /// The cookie without its `Domain`, if that is the backend's: a browser would refuse the cookie.
    fn host_only(&self, cookie: &[u8]) -> Option<Vec<u8>> {
        let mut attributes = cookie.split(|&byte| byte == b';');
        let mut kept = attributes.next()?.to_vec();
        let mut last = None;
        for attribute in attributes {
            if let Some(domain) = domain_of(attribute) {
                last = Some(domain);
            } else {
                kept.push(b';');
                kept.extend_from_slice(attribute);
            }
        }
        // RFC 6265 5.3: the last one counts, and 5.2.3: a leading dot does not.
        let domain = str::from_utf8(last?).ok()?;
        let domain = domain.strip_prefix('.').unwrap_or(domain);
        let own = self.target.host_name();
        let is_above = |host: &str| {
            let host = host.to_ascii_lowercase();
            host.strip_suffix(&domain.to_ascii_lowercase())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        (!domain.is_empty() && (self.target.is_host(domain) || is_above(&own))).then_some(kept)
    }
}

/// The value of a `Domain` attribute.
fn domain_of(attribute: &[u8]) -> Option<&[u8]> {
    let equals = attribute.iter().position(|&byte| byte == b'=')?;
    let (name, value) = attribute.split_at(equals);
    name.trim_ascii()
        .eq_ignore_ascii_case(b"domain")
        .then(|| value[1..].trim_ascii())
}

fn replace(headers: &mut HeaderMap, name: &HeaderName, map: impl Fn(&str) -> Option<String>) {
    if let Some(value) = headers.get_mut(name)
        && let Ok(text) = str::from_utf8(value.as_bytes())
        && let Some(text) = map(text)
        && let Ok(mapped) = HeaderValue::from_bytes(text.as_bytes())
    {
        *value = mapped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        target: &'static str,
        mount: &'static str,
        browser: &'static str,
    }

    const PLAIN: Case = Case {
        target: "http://localhost:8000",
        mount: "",
        browser: "http://localhost:8080",
    };

    impl Case {
        fn rewritten(&self, name: HeaderName, values: &[&str]) -> Vec<String> {
            let target: Target = self.target.parse().unwrap();
            let mount = Mount::new(self.mount, target.base.as_deref());
            let (scheme, authority) = self.browser.split_once("://").unwrap();
            let browser = BrowserOrigin {
                scheme: scheme.to_owned(),
                authority: authority.to_owned(),
            };
            let addresses = Addresses {
                target: &target,
                mount: &mount,
                host: authority,
                browser: &browser,
            };
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(&name, HeaderValue::from_str(value).unwrap());
            }
            addresses.rewrite(&mut headers);
            let found = headers.get_all(name).iter();
            found.map(|v| v.to_str().unwrap().to_owned()).collect()
        }

        #[track_caller]
        fn location(&self, sent: &str, expected: &str) {
            for name in [LOCATION, CONTENT_LOCATION] {
                assert_eq!(self.rewritten(name, &[sent]), [expected], "{sent:?}");
            }
        }

        #[track_caller]
        fn refresh(&self, sent: &str, expected: &str) {
            assert_eq!(self.rewritten(REFRESH, &[sent]), [expected], "{sent:?}");
        }

        #[track_caller]
        fn cookie(&self, sent: &str, expected: &str) {
            assert_eq!(self.rewritten(SET_COOKIE, &[sent]), [expected], "{sent:?}");
        }
    }

    #[test]
    fn an_address_of_the_backend_becomes_the_one_in_the_browser() {
        for host in ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"] {
            PLAIN.location(
                &format!("http://{host}:8000/login?next=/x#top"),
                "http://localhost:8080/login?next=/x#top",
            );
        }
        PLAIN.location("http://localhost:8000", "http://localhost:8080");
        PLAIN.location("HTTP://localhost:8000?a", "http://localhost:8080?a");
        PLAIN.location("//localhost:8000/x", "http://localhost:8080/x");
    }

    #[test]
    fn other_addresses_stay_as_they_are() {
        for sent in [
            "/login",
            "login",
            "?page=2",
            "",
            "https://localhost:8000/x",
            "http://localhost:8001/x",
            "http://localhost/x",
            "http://localhost.example.com:8000/x",
            "http://user@localhost:8000/x",
            "http://localhost:8000x/",
            "//localhost/x",
            "mailto:me@localhost:8000",
            "http://example.com/?to=http://localhost:8000/",
        ] {
            PLAIN.location(sent, sent);
        }
    }

    #[test]
    fn a_default_port_may_be_left_out() {
        let case = Case {
            target: "https://example.com",
            ..PLAIN
        };
        case.location("https://example.com/x", "http://localhost:8080/x");
        case.location("https://example.com:443/x", "http://localhost:8080/x");
        case.location("http://example.com/x", "http://example.com/x");
    }

    #[test]
    fn a_backend_behind_tls_may_use_the_name_that_it_was_asked_under() {
        let case = Case {
            target: "https://example.com",
            ..PLAIN
        };
        case.location("https://localhost:8080/x", "http://localhost:8080/x");
        // That is another server: nothing says that it is ours.
        PLAIN.location("https://localhost:8080/x", "https://localhost:8080/x");
    }

    #[test]
    fn the_scheme_in_the_browser_may_be_another_one() {
        let case = Case {
            browser: "https://demo.example.com",
            ..PLAIN
        };
        case.location("http://localhost:8000/x", "https://demo.example.com/x");
        // The tunnel's name with the scheme of the last hop.
        case.location("http://demo.example.com/x", "https://demo.example.com/x");
    }

    #[test]
    fn a_path_in_the_backend_is_taken_off_and_the_mount_put_before_it() {
        let based = Case {
            target: "http://localhost:8000/app",
            ..PLAIN
        };
        based.location("http://localhost:8000/app/x", "http://localhost:8080/x");
        based.location("http://localhost:8000/app", "http://localhost:8080");
        based.location("/app/x?y", "/x?y");
        based.location("/app", "http://localhost:8080");
        based.location(
            "/app//evil.example/",
            "http://localhost:8080//evil.example/",
        );
        // Not below it: there is no address for it in the browser.
        based.location("http://localhost:8000/other", "http://localhost:8000/other");
        based.location("/apple", "/apple");
        based.location("x", "x");
        let mounted = Case {
            target: "http://localhost:8000/v1",
            mount: "/api",
            ..PLAIN
        };
        mounted.location("http://localhost:8000/v1/x", "http://localhost:8080/api/x");
        mounted.location("/v1/x", "/api/x");
        mounted.location("/x", "/x");
        let stripped = Case {
            target: "http://localhost:8000/",
            mount: "/api",
            ..PLAIN
        };
        stripped.location("/x", "/api/x");
        stripped.location("http://localhost:8000/x", "http://localhost:8080/api/x");
        stripped.location("http://localhost:8000", "http://localhost:8080/api");
    }

    #[test]
    fn only_the_address_in_a_refresh_changes() {
        PLAIN.refresh("5", "5");
        PLAIN.refresh("5; url=/next", "5; url=/next");
        for (before, after) in [
            ("5; url=", ""),
            ("5;URL = \"", "\" "),
            ("0, '", "'"),
            ("1;", ""),
        ] {
            PLAIN.refresh(
                &format!("{before}http://localhost:8000/x{after}"),
                &format!("{before}http://localhost:8080/x{after}"),
            );
        }
    }

    #[test]
    fn a_cookie_of_the_backends_domain_becomes_host_only_and_nothing_else_changes() {
        PLAIN.cookie("a=1; Domain=localhost; Path=/", "a=1; Path=/");
        PLAIN.cookie("a=1;domain=127.0.0.1;HttpOnly", "a=1;HttpOnly");
        PLAIN.cookie(
            "a=\"Domain=x; y\";  DOMAIN = .localhost ",
            "a=\"Domain=x; y\"",
        );
        for same in [
            "a=1; Path=/; Secure; SameSite=None; Expires=Wed, 09 Jun 2027 10:18:14 GMT",
            "__Host-a=1; Secure; Path=/",
            "a=1; Domain=example.com",
            "a=1; Domain=",
            "a=1; Domain",
            "domain=localhost",
            "a=1;; ;Secure",
            "",
        ] {
            PLAIN.cookie(same, same);
        }
        let remote = Case {
            target: "https://app.example.com",
            ..PLAIN
        };
        remote.cookie("a=1; Domain=.example.com; Secure", "a=1; Secure");
        remote.cookie("a=1; Domain=app.Example.com", "a=1");
        remote.cookie("a=1; Domain=xample.com", "a=1; Domain=xample.com");
        // The last one counts.
        remote.cookie("a=1; Domain=x.org; Domain=example.com", "a=1");
        let other = "a=1; Domain=example.com; Domain=x.org";
        remote.cookie(other, other);
    }

    #[test]
    fn several_cookies_stay_separate_and_in_order() {
        let sent = [
            "a=1; Domain=localhost",
            "b=2",
            "c=3; Domain=localhost; Secure",
        ];
        assert_eq!(
            PLAIN.rewritten(SET_COOKIE, &sent),
            ["a=1", "b=2", "c=3; Secure"]
        );
    }
}
