//! Who may request the layer's own paths: pages of the same origin, under a name that cannot be rebound.
//!
//! The events name the files that a developer works on, and every web page that the developer visits can
//! send requests to the app. Without CORS headers another site cannot read them, but:
//! - it can embed the script, so `Sec-Fetch-Site` and `Origin` must say that the page is one of ours;
//! - it is of the same origin as the app once its name resolves to 127.0.0.1 (DNS rebinding), so the host
//!   must be an address or a name that always means this machine, unless it was allowed.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::header::{HOST, ORIGIN};
use http::request::Parts;

/// The host and port of a request.
fn authority(parts: &Parts) -> Option<&str> {
    // RFC 9112 3.2.2: an authority in the target takes precedence over `Host`.
    match parts.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => parts.headers.get(HOST)?.to_str().ok(),
    }
}

/// Whether the script may be put into a page that is requested under this host.
pub(super) fn is_allowed_host(parts: &Parts, allowed: &[String]) -> bool {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let target = parts.uri.authority().map(|authority| authority.as_str());
    let is_allowed = |authority: &str| {
        let (host, _) = split(authority);
        is_address(host) || is_below(host, "localhost") || {
            allowed.iter().any(|name| match name.strip_prefix('.') {
                Some(domain) => is_below(host, domain),
                None => is_name(host, name),
            })
        }
    };
    // RFC 9112 3.2: there is one, except in HTTP/2, where it may be in the target.
    let is_named = target.is_some() || parts.headers.contains_key(HOST);
    is_named
        && target.is_none_or(is_allowed)
        && hosts.all(|host| host.to_str().is_ok_and(is_allowed))
}

/// Whether a request comes from a page of the same origin, or is one that no page can send.
pub(super) fn is_same_origin(parts: &Parts) -> bool {
    let all = |name: &str, is: &dyn Fn(&str) -> bool| {
        let mut values = parts.headers.get_all(name).iter();
        values.all(|value| value.to_str().is_ok_and(is))
    };
    all("sec-fetch-site", &|site| site == "same-origin" || site == "none")
        // Older browsers, and plain http in the local network.
        && all(ORIGIN.as_str(), &|origin| {
            let ours = authority(parts);
            ours.is_some_and(|ours| is_origin_of(origin, ours))
        })
}

/// The scheme may differ, because a proxy in front of the app may terminate TLS.
fn is_origin_of(origin: &str, authority: &str) -> bool {
    let (rest, default) = match (
        origin.strip_prefix("http://"),
        origin.strip_prefix("https://"),
    ) {
        (Some(rest), _) => (rest, "80"),
        (_, Some(rest)) => (rest, "443"),
        _ => return false,
    };
    let ((host, port), (our_host, our_port)) = (split(rest), split(authority));
    is_name(host, our_host) && port.unwrap_or(default) == our_port.unwrap_or(default)
}

/// The host, and the port if there is one.
fn split(authority: &str) -> (&str, Option<&str>) {
    let after_address = authority.rfind(']').map_or(0, |end| end + 1);
    let port = authority[after_address..].find(':');
    match port.map(|colon| authority.split_at(after_address + colon)) {
        Some((host, port)) => (host, Some(&port[1..]).filter(|port| !port.is_empty())),
        None => (authority, None),
    }
}

/// An address is not resolved, so it cannot be rebound.
fn is_address(host: &str) -> bool {
    let in_brackets = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match in_brackets {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<Ipv4Addr>().is_ok(),
    }
}

/// RFC 6761 6.3: `localhost` and its subdomains always resolve to this machine.
fn is_below(host: &str, domain: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    match host.len().checked_sub(domain.len()) {
        None => false,
        Some(start) => host.get(start..).is_some_and(|end| {
            end.eq_ignore_ascii_case(domain) && (start == 0 || host[..start].ends_with('.'))
        }),
    }
}

fn is_name(host: &str, name: &str) -> bool {
    let bare = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    bare(host) == bare(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn hosts_that_can_be_rebound_must_be_allowed() {
        let allowed = ["my.test".to_owned(), ".example.test".to_owned()];
        let check = |host, expected| {
            let is = is_allowed_host(&parts("/", &[("host", host)]), &allowed);
            assert_eq!(is, expected, "{host}");
        };
        for host in [
            "localhost",
            "LOCALHOST:3000",
            "localhost.",
            "a.localhost:1",
            "127.0.0.1:3000",
            "[::1]:3000",
            "[::1]",
            "192.168.1.2",
            "my.test",
            "My.Test:80",
            "example.test",
            "a.example.test",
        ] {
            check(host, true);
        }
        for host in [
            "evil.test",
            "evillocalhost",
            "localhost.evil.test",
            "a.my.test",
            "evilexample.test",
            "",
            ":80",
            "[::1].evil.test",
            "127.0.0.1.evil.test",
            "[evil.test]",
        ] {
            check(host, false);
        }
        assert!(!is_allowed_host(&parts("/", &[]), &allowed));
        let two = [("host", "localhost"), ("host", "evil.test")];
        assert!(!is_allowed_host(&parts("/", &two), &allowed));
        let both = parts("http://evil.test/", &[("host", "localhost")]);
        assert!(!is_allowed_host(&both, &allowed));
        assert!(is_allowed_host(
            &parts("http://localhost:3000/", &[]),
            &allowed
        ));
    }

    #[test]
    fn only_pages_of_the_same_origin_may_request_our_paths() {
        let check = |headers: &[(&str, &str)], expected| {
            let headers = [&[("host", "localhost:3000")], headers].concat();
            let is = is_same_origin(&parts("/", &headers));
            assert_eq!(is, expected, "{headers:?}");
        };
        check(&[], true);
        check(&[("sec-fetch-site", "same-origin")], true);
        check(&[("sec-fetch-site", "none")], true);
        check(&[("origin", "http://localhost:3000")], true);
        check(&[("origin", "https://localhost:3000")], true);
        check(&[("sec-fetch-site", "same-site")], false);
        check(&[("sec-fetch-site", "cross-site")], false);
        check(&[("origin", "http://localhost:3001")], false);
        check(&[("origin", "http://localhost")], false);
        check(&[("origin", "http://evil.test")], false);
        check(&[("origin", "null")], false);
        check(
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", "http://evil.test"),
            ],
            false,
        );
    }
}
