//! The address of a backend, as it is typed: `http://localhost:8000`, `https://…`, `h2c://…`,
//! `unix:/run/app.sock`, or only `localhost:8000`, `:8000` or `8000`.
//!
//! It is fixed when the program starts; no request changes it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use http::HeaderValue;

/// Where requests are passed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(super) scheme: Scheme,
    pub(super) host: TargetHost,
    pub(super) port: u16,
    /// The path in the address, without a slash at its end; `None` where the address has no path at all.
    pub(super) base: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
    /// HTTP/2 without TLS, "with prior knowledge" (RFC 9113 3.3).
    H2c,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TargetHost {
    /// In lower case.
    Name(String),
    Address(IpAddr),
    /// A Unix socket.
    Socket(PathBuf),
}

impl Scheme {
    /// The scheme in addresses of the backend.
    pub(super) fn name(self) -> &'static str {
        match self {
            Scheme::Http | Scheme::H2c => "http",
            Scheme::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Scheme::Http | Scheme::H2c => 80,
            Scheme::Https => 443,
        }
    }
}

/// The port that an address with this scheme means if it has none.
pub(super) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

impl Target {
    /// A backend on this machine that listens on this port of any loopback address.
    pub(crate) fn local(port: u16) -> Target {
        Target {
            scheme: Scheme::Http,
            host: TargetHost::Name("localhost".to_owned()),
            port,
            base: None,
        }
    }

    /// Whether the backend is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        match &self.host {
            TargetHost::Name(name) => is_localhost(name),
            TargetHost::Address(address) => address.is_loopback() || address.is_unspecified(),
            TargetHost::Socket(_) => true,
        }
    }

    /// The name or address of the machine, where there is one.
    pub(crate) fn host(&self) -> Option<String> {
        match &self.host {
            TargetHost::Name(name) => Some(name.clone()),
            TargetHost::Address(address) => Some(address.to_string()),
            TargetHost::Socket(_) => None,
        }
    }

    /// The port, where there is one.
    pub(crate) fn port(&self) -> Option<u16> {
        match self.host {
            TargetHost::Socket(_) => None,
            TargetHost::Name(_) | TargetHost::Address(_) => Some(self.port),
        }
    }

    /// The backend's own name, as in a `Host` header.
    pub(crate) fn authority(&self) -> String {
        let host = match &self.host {
            TargetHost::Name(name) => name.clone(),
            TargetHost::Address(IpAddr::V4(address)) => address.to_string(),
            TargetHost::Address(IpAddr::V6(address)) => format!("[{address}]"),
            // RFC 9112 3.2: every request has a Host. This is what curl sends to a Unix socket.
            TargetHost::Socket(_) => "localhost".to_owned(),
        };
        match self.port == self.scheme.default_port() {
            true => host,
            false => format!("{host}:{}", self.port),
        }
    }

    pub(super) fn host_header(&self) -> HeaderValue {
        // A parsed name has only letters, digits and the like.
        HeaderValue::try_from(self.authority()).unwrap_or(HeaderValue::from_static("localhost"))
    }

    /// Whether this host, as it stands in a URL, is the backend's. `localhost`, `127.0.0.1` and `[::1]` are
    /// one host.
    pub(super) fn is_host(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        match &self.host {
            TargetHost::Socket(_) => is_this_machine(&host),
            TargetHost::Name(name) => *name == host || is_localhost(name) && is_this_machine(&host),
            TargetHost::Address(address) => {
                parse_address(&host) == Some(*address)
                    || (address.is_loopback() || address.is_unspecified()) && is_this_machine(&host)
            }
        }
    }

    /// The host without its port, for TLS and for messages.
    pub(super) fn host_name(&self) -> String {
        match &self.host {
            TargetHost::Name(name) => name.clone(),
            TargetHost::Address(address) => address.to_string(),
            TargetHost::Socket(_) => "localhost".to_owned(),
        }
    }
}

pub(super) fn is_localhost(name: &str) -> bool {
    name == "localhost"
}

/// Whether this host of a URL is one of the names that mean this machine.
fn is_this_machine(host: &str) -> bool {
    is_localhost(host)
        || parse_address(host).is_some_and(|address| {
            address == Ipv4Addr::LOCALHOST
                || address == Ipv6Addr::LOCALHOST
                || address.is_unspecified()
        })
}

fn parse_address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(six) => six.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// Splits `host[:port]`. The host keeps its brackets.
pub(super) fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = match authority.starts_with('[') {
        true => authority.find(']')? + 1,
        false => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        // RFC 3986 3.2.3: a port may be empty.
        Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok()?)
        }
        _ => return None,
    };
    (!host.is_empty()).then_some((host, port))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = self.base.as_deref().unwrap_or_default();
        if let TargetHost::Socket(path) = &self.host {
            write!(f, "unix:{}", path.display())?;
            return match base {
                "" => Ok(()),
                base => write!(f, ":{base}"),
            };
        }
        let scheme = match self.scheme {
            Scheme::H2c => "h2c",
            other => other.name(),
        };
        write!(f, "{scheme}://{}{base}", self.authority())
    }
}

const EXAMPLE: &str = "give an address such as http://localhost:8000";

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err(format!("it is empty; {EXAMPLE}"));
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (parse_scheme(scheme)?, rest),
            None => return without_scheme(text),
        };
        with_authority(scheme, rest)
    }
}

fn parse_scheme(scheme: &str) -> Result<Scheme, String> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok(Scheme::Http),
        "https" => Ok(Scheme::Https),
        "h2c" => Ok(Scheme::H2c),
        "ws" => Err("use http:// instead of ws://: WebSockets are passed on as well".to_owned()),
        "wss" => Err("use https:// instead of wss://: WebSockets are passed on as well".to_owned()),
        _ => Err("only http://, https://, h2c:// and unix: are supported".to_owned()),
    }
}

/// `8000`, `:8000` and `localhost:8000` are understood. Without a port it could be anything.
fn without_scheme(text: &str) -> Result<Target, String> {
    let digits = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = digits.parse::<u16>() {
        return match port {
            0 => Err("0 is no port of a backend".to_owned()),
            port => Ok(Target::local(port)),
        };
    }
    let authority = text.split(['/', '?', '#']).next().unwrap_or_default();
    match split_port(authority) {
        Some((_, Some(_))) => with_authority(Scheme::Http, text),
        Some((host, None)) if is_localhost(&host.to_ascii_lowercase()) => {
            Err("the port is missing; give it as in http://localhost:8000".to_owned())
        }
        Some((host, None)) if host.contains('.') && !text.starts_with('.') => {
            Err(format!("say whether it is http://{host} or https://{host}"))
        }
        _ if text.starts_with(['/', '.']) => Err(
            "this is a path: unix:PATH is a socket, and `tidings serve PATH` serves a folder"
                .to_owned(),
        ),
        _ => Err(EXAMPLE.to_owned()),
    }
}

fn with_authority(scheme: Scheme, rest: &str) -> Result<Target, String> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err(
            "leave out the name and password before the @: the browser sends them".to_owned(),
        );
    }
    let Some((host, port)) = split_port(authority) else {
        return Err(format!("{authority:?} is not a host and port; {EXAMPLE}"));
    };
    if port == Some(0) {
        return Err("0 is no port of a backend".to_owned());
    }
    Ok(Target {
        scheme,
        host: parse_host(host)?,
        port: port.unwrap_or(scheme.default_port()),
        base: parse_base(path)?,
    })
}

fn parse_host(host: &str) -> Result<TargetHost, String> {
    if let Some(address) = parse_address(host) {
        return Ok(TargetHost::Address(address));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_name = name.len() < 254
        && name.split('.').all(|label| !label.is_empty())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    match is_name {
        true => Ok(TargetHost::Name(name.to_ascii_lowercase())),
        false => Err(format!("{host:?} is not the name or address of a host")),
    }
}

fn parse_base(path: &str) -> Result<Option<String>, String> {
    if path.contains(['?', '#']) {
        return Err(
            "give the address without a query or fragment: each request has its own".to_owned(),
        );
    }
    let is_path = path
        .bytes()
        .all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'`'));
    match path {
        "" => Ok(None),
        _ if !is_path => Err(format!("the path {path:?} must be percent-encoded")),
        path => Ok(Some(path.trim_end_matches('/').to_owned())),
    }
}

/// `unix:/run/app.sock`, `unix:///run/app.sock`, and with a path in the backend as in nginx:
/// `unix:/run/app.sock:/base`.
fn unix(path: &str) -> Result<Target, String> {
    if cfg!(not(unix)) {
        return Err("this system has no Unix sockets that could be used".to_owned());
    }
    let path = path.strip_prefix("//").unwrap_or(path);
    let (socket, base) = match path.split_once(":/") {
        Some((socket, base)) => (socket, parse_base(&format!("/{base}"))?),
        None => (path, None),
    };
    if socket.is_empty() {
        return Err("the path of the socket is missing, as in unix:/run/app.sock".to_owned());
    }
    Ok(Target {
        scheme: Scheme::Http,
        host: TargetHost::Socket(PathBuf::from(socket)),
        port: 80,
        base,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        match (text.parse::<Target>(), expected) {
            (Ok(target), Ok(expected)) => assert_eq!(target.to_string(), expected, "{text:?}"),
            (Err(error), Err(expected)) => {
                assert!(error.contains(expected), "{text:?}: {error}");
            }
            (result, _) => panic!("{text:?}: {result:?}"),
        }
    }

    #[test]
    fn an_address_is_a_url_or_a_port_of_this_machine() {
        check("http://localhost:8000", Ok("http://localhost:8000"));
        check("HTTP://LocalHost:8000/", Ok("http://localhost:8000"));
        check("http://localhost:80", Ok("http://localhost"));
        check("https://example.com", Ok("https://example.com"));
        check(
            "https://example.com:8443/app/",
            Ok("https://example.com:8443/app"),
        );
        check("http://[::1]:3000/a/b", Ok("http://[::1]:3000/a/b"));
        check("h2c://127.0.0.1:50051", Ok("h2c://127.0.0.1:50051"));
        check("8000", Ok("http://localhost:8000"));
        check(":8000", Ok("http://localhost:8000"));
        check("localhost:8000", Ok("http://localhost:8000"));
        check("127.0.0.1:8000/app", Ok("http://127.0.0.1:8000/app"));
        check("[::1]:8000", Ok("http://[::1]:8000"));
    }

    #[test]
    #[cfg(unix)]
    fn a_socket_is_a_path_with_a_base_after_a_colon() {
        check("unix:/run/app.sock", Ok("unix:/run/app.sock"));
        check("unix:///run/app.sock", Ok("unix:/run/app.sock"));
        check("unix:app.sock", Ok("unix:app.sock"));
        check("unix:/run/app.sock:/base/", Ok("unix:/run/app.sock:/base"));
        check("unix:", Err("path of the socket"));
    }

    #[test]
    fn what_could_be_anything_is_refused_with_a_hint() {
        check("", Err("http://localhost:8000"));
        check("localhost", Err("port is missing"));
        check("example.com", Err("https://example.com"));
        check("./manage.py", Err("tidings serve"));
        check("/run/app.sock", Err("unix:PATH"));
        check("npm", Err("http://localhost:8000"));
        check("ws://localhost:8000", Err("http://"));
        check("ftp://localhost", Err("only http://"));
        check("http://user:secret@localhost:8000", Err("before the @"));
        check("http://localhost:8000/?x=1", Err("query"));
        check("http://localhost:99999", Err("not a host and port"));
        check("http://:8000", Err("not a host and port"));
        check("http://localhost:0", Err("no port"));
        check("http://a b:8000", Err("not the name"));
        check("http://localhost:8000/a b", Err("percent-encoded"));
    }

    #[test]
    fn the_names_of_this_machine_are_one_host() {
        let is = |target: &str, host| target.parse::<Target>().unwrap().is_host(host);
        for target in ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"] {
            for host in ["localhost", "LOCALHOST.", "127.0.0.1", "[::1]"] {
                assert!(is(target, host), "{target} {host}");
            }
            for host in [
                "example.com",
                "127.0.0.2",
                "localhost.example.com",
                "::1",
                "",
            ] {
                assert!(!is(target, host), "{target} {host}");
            }
        }
        assert!(is("https://Example.com", "example.COM"));
        assert!(!is("https://example.com", "localhost"));
    }
}
