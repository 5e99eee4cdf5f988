//! Parses `host[:port]` in a `Host` header, a target and an `Origin`.
//!
//! Stricter than RFC 3986: no user information, no percent-encoding, only the characters of real host names.
//! A parsed name can be printed without escaping.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    pub(super) host: HostName,
    /// `None`: the default port of the scheme.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostName {
    Address(IpAddr),
    /// In lower case, without a final dot.
    Name(String),
}

impl Authority {
    pub(super) fn parse(text: &str) -> Option<Authority> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                (
                    HostName::Address(address.parse::<Ipv6Addr>().ok()?.into()),
                    port,
                )
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                (HostName::parse(&text[..end])?, &text[end..])
            }
        };
        let port = match port.strip_prefix(':') {
            // RFC 3986 3.2.3: a port may be empty.
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
            None if port.is_empty() => None,
            None => return None,
        };
        Some(Authority { host, port })
    }

    pub(super) fn port_or(&self, default: u16) -> u16 {
        self.port.unwrap_or(default)
    }

    /// Whether this `Origin` has the same host and port. The scheme may differ, because a proxy in front of us
    /// may terminate TLS.
    pub(super) fn is_origin(&self, origin: &str) -> bool {
        let (rest, default) = match (
            origin.strip_prefix("http://"),
            origin.strip_prefix("https://"),
        ) {
            (Some(rest), _) => (rest, 80),
            (_, Some(rest)) => (rest, 443),
            _ => return false,
        };
        Authority::parse(rest).is_some_and(|origin| {
            origin.host == self.host
                && origin.port.unwrap_or(default) == self.port.unwrap_or(default)
        })
    }
}

impl HostName {
    fn parse(text: &str) -> Option<HostName> {
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(HostName::Address(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || byte == b'.';
        let fits = name.len() <= 253
            && name.split('.').all(|label| !label.is_empty())
            && name.bytes().all(allowed);
        fits.then(|| HostName::Name(name.to_ascii_lowercase()))
    }
}
