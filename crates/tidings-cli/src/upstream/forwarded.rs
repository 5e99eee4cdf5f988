//! Tells the backend who asked, and under which address: `X-Forwarded-For`, `-Host`, `-Proto` and
//! `Forwarded` (RFC 7239).
//!
//! A peer on this machine that sends these headers is a tunnel or another proxy in front of us: what it says
//! about the browser is kept. From anyone else it is replaced, except that `X-Forwarded-For` is always
//! appended to.

use std::net::IpAddr;

use http::header::{FORWARDED, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who sent a request to us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) peer: IpAddr,
    /// `http` or `https`: how the request came.
    pub(crate) scheme: &'static str,
}

/// The address in the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BrowserOrigin {
    pub(super) scheme: String,
    pub(super) authority: String,
}

/// Sets the headers. `host` is the `Host` header or the authority of the request.
pub(super) fn set(headers: &mut HeaderMap, host: &HeaderValue, client: &Client) -> BrowserOrigin {
    let trusted = client.peer.is_loopback();
    if !trusted {
        for name in [X_FORWARDED_HOST, X_FORWARDED_PROTO, FORWARDED] {
            headers.remove(name);
        }
    }
    let sent = |name: &HeaderName| headers.get(name).cloned();
    let (sent_host, sent_proto) = (sent(&X_FORWARDED_HOST), sent(&X_FORWARDED_PROTO));
    let first = sent(&FORWARDED).and_then(|value| first_element(value.to_str().ok()?));
    let first = first.unwrap_or_default();
    // Several proxies in front: the first member is what the browser said to the outermost one.
    let member = |value: &Option<HeaderValue>| {
        let value = value.as_ref()?.to_str().ok()?;
        Some(value.split(',').next()?.trim().to_owned()).filter(|member| !member.is_empty())
    };
    let origin = BrowserOrigin {
        scheme: member(&sent_proto)
            .or(first.proto)
            .map(|scheme| scheme.to_ascii_lowercase())
            .filter(|scheme| scheme == "http" || scheme == "https")
            .unwrap_or_else(|| client.scheme.to_owned()),
        authority: member(&sent_host)
            .or(first.host)
            .filter(|host| is_authority(host))
            .unwrap_or_else(|| host.to_str().unwrap_or_default().to_owned()),
    };
    append_for(headers, client.peer);
    let mut set = |name: HeaderName, value: String| {
        // A value with control characters was none to begin with.
        if !value.is_empty()
            && let Ok(value) = HeaderValue::try_from(value)
            && !headers.contains_key(&name)
        {
            headers.insert(name, value);
        }
    };
    set(X_FORWARDED_HOST, origin.authority.clone());
    set(X_FORWARDED_PROTO, origin.scheme.clone());
    set(FORWARDED, element(client.peer, &origin));
    origin
}

fn append_for(headers: &mut HeaderMap, peer: IpAddr) {
    let mut list: Vec<u8> = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(peer.to_string().as_bytes());
    if let Ok(value) = HeaderValue::from_bytes(&list) {
        headers.insert(X_FORWARDED_FOR, value);
    }
}

/// RFC 7239 4 and 6: an IPv6 address has brackets, and what is no token is quoted.
fn element(peer: IpAddr, origin: &BrowserOrigin) -> String {
    let node = match peer {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    let host = &origin.authority;
    let is_token = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    let host = match is_token {
        _ if host.is_empty() => "unknown".to_owned(),
        true => host.clone(),
        false => format!("\"{}\"", host.replace('\\', "\\\\").replace('"', "\\\"")),
    };
    format!("for={node};host={host};proto={}", origin.scheme)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Element {
    host: Option<String>,
    proto: Option<String>,
}

/// The first element of a `Forwarded` header.
fn first_element(value: &str) -> Option<Element> {
    let mut element = Element::default();
    let mut rest = value;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (text, after) = match after.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"')?;
                // A host has no escaped characters.
                (&quoted[..end], &quoted[end + 1..])
            }
            None => {
                let end = after.find([';', ',']).unwrap_or(after.len());
                after.split_at(end)
            }
        };
        let text = text.trim().to_owned();
        match name.trim().to_ascii_lowercase().as_str() {
            "host" => element.host = Some(text),
            "proto" => element.proto = Some(text),
            _ => {}
        }
        match after.trim_start().strip_prefix(';') {
            Some(more) => rest = more,
            None => return Some(element),
        }
    }
}

/// Whether this can stand between `http://` and a path.
fn is_authority(host: &str) -> bool {
    !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
}

/// The host that the request was sent to.
pub(super) fn host_of(headers: &HeaderMap, uri: &http::Uri) -> HeaderValue {
    let header = headers.get(HOST).cloned();
    let authority = || HeaderValue::from_str(uri.authority()?.as_str()).ok();
    header
        .or_else(authority)
        .unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: &str = "127.0.0.1";
    const PHONE: &str = "192.0.2.7";

    /// The headers that are sent, in the order for, host, proto, forwarded.
    #[track_caller]
    fn check(peer: &str, sent: &[(&'static str, &'static str)], expected: [&str; 4]) {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let client = Client {
            peer: peer.parse().unwrap(),
            scheme: "http",
        };
        set(
            &mut headers,
            &HeaderValue::from_static("localhost:8080"),
            &client,
        );
        let names = [
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "forwarded",
        ];
        let found = names.map(|name| {
            assert_eq!(headers.get_all(name).iter().count(), 1, "{name}");
            headers[name].to_str().unwrap()
        });
        assert_eq!(found, expected, "{peer} {sent:?}");
    }

    #[test]
    fn a_request_gets_all_of_them() {
        let forwarded = "for=127.0.0.1;host=\"localhost:8080\";proto=http";
        check(LOCAL, &[], [LOCAL, "localhost:8080", "http", forwarded]);
    }

    #[test]
    fn an_ipv6_address_is_quoted_and_has_brackets() {
        let forwarded = "for=\"[2001:db8::1]\";host=\"localhost:8080\";proto=http";
        check(
            "2001:db8::1",
            &[],
            ["2001:db8::1", "localhost:8080", "http", forwarded],
        );
    }

    #[test]
    fn the_list_of_clients_is_appended_to() {
        let forwarded = "for=192.0.2.7;host=\"localhost:8080\";proto=http";
        check(
            PHONE,
            &[
                ("x-forwarded-for", "10.0.0.1"),
                ("x-forwarded-for", "10.0.0.2"),
            ],
            [
                "10.0.0.1, 10.0.0.2, 192.0.2.7",
                "localhost:8080",
                "http",
                forwarded,
            ],
        );
    }

    #[test]
    fn what_a_tunnel_on_this_machine_says_is_kept_and_completes_the_rest() {
        check(
            LOCAL,
            &[
                ("x-forwarded-for", "203.0.113.9"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "demo.example.com"),
            ],
            [
                "203.0.113.9, 127.0.0.1",
                "demo.example.com",
                "https",
                "for=127.0.0.1;host=demo.example.com;proto=https",
            ],
        );
        check(
            LOCAL,
            &[(
                "forwarded",
                "for=203.0.113.9;proto=https;host=\"x.example:8443\", for=10.0.0.1",
            )],
            [
                LOCAL,
                "x.example:8443",
                "https",
                "for=203.0.113.9;proto=https;host=\"x.example:8443\", for=10.0.0.1",
            ],
        );
    }

    #[test]
    fn what_another_machine_says_about_the_address_is_replaced() {
        check(
            PHONE,
            &[
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "evil.example"),
                ("forwarded", "for=1.2.3.4;host=evil.example"),
            ],
            [
                PHONE,
                "localhost:8080",
                "http",
                "for=192.0.2.7;host=\"localhost:8080\";proto=http",
            ],
        );
    }

    #[test]
    fn odd_values_never_become_the_address_in_the_browser() {
        for host in ["a/b", "a@b", "", "a b", "\"x"] {
            let mut headers = HeaderMap::new();
            headers.insert(X_FORWARDED_HOST, HeaderValue::from_static(host));
            headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("javascript"));
            let client = Client {
                peer: LOCAL.parse().unwrap(),
                scheme: "http",
            };
            let origin = set(
                &mut headers,
                &HeaderValue::from_static("localhost:1"),
                &client,
            );
            assert_eq!(
                (&*origin.scheme, &*origin.authority),
                ("http", "localhost:1"),
                "{host:?}"
            );
        }
    }
}
