//! Checks who may send requests, before anything else is done with them.
//!
//! A development server serves unpublished files, and every web page that the developer visits can send
//! requests to it. Two checks keep other sites out. Neither needs configuration for a browser on this
//! machine:
//!
//! - **The host.** A page of `evil.example` becomes same-origin with us if its name resolves to 127.0.0.1
//!   (DNS rebinding). The browser still sends that name as `Host`, so only names that cannot be rebound, or
//!   are allowed explicitly, are accepted.
//! - **The site.** Without rebinding, a page of another site can still embed our scripts and open our
//!   event stream. Browsers send `Sec-Fetch-Site` and `Origin` with such requests, and we send no CORS
//!   headers. Sandboxed frames of our own pages look like other sites; `frames.rs` tells them apart.
//!
//! Invariants: a check depends on the head of the request and the allowed names only; a refusal repeats
//! nothing of the request but a validated name.

mod authority;
pub(crate) mod frames;
pub(crate) mod lan;
pub(crate) mod secret;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use http::header::{FORWARDED, HOST, HeaderName, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version};

use authority::{Authority, HostName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The host names that requests are accepted for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    allowed: Vec<Allowed>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    Exactly(String),
    /// Counts for [`Guard::check_own`] only: otherwise every address is allowed.
    Address(IpAddr),
    /// The domain and everything below it.
    Domain(String),
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Guard {
    /// `names` are those of `--host` and `--allow-host`, and the machine's own if it listens on the network. A
    /// leading dot (`.example.com`) allows the domain with all its subdomains. Ports and invalid names are
    /// ignored.
    pub(crate) fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Guard {
        let allowed = names.into_iter().filter_map(|name| {
            let name = name.as_ref().trim();
            let (domain, name) = match name.strip_prefix('.') {
                Some(name) => (true, name),
                None => (false, name),
            };
            match Authority::parse(name)?.host {
                HostName::Name(name) if domain => Some(Allowed::Domain(name)),
                HostName::Name(name) => Some(Allowed::Exactly(name)),
                HostName::Address(address) => Some(Allowed::Address(address)),
            }
        });
        Guard {
            allowed: allowed.collect(),
        }
    }

    /// The allowed names besides `localhost`, and whether all those below one are allowed as well. Addresses are left out.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, bool)> {
        self.allowed.iter().filter_map(|allowed| match allowed {
            Allowed::Exactly(name) => Some((&**name, false)),
            Allowed::Domain(name) => Some((&**name, true)),
            Allowed::Address(_) => None,
        })
    }

    /// The host check, which comes first for every request.
    pub(crate) fn check(&self, parts: &Parts) -> Result<(), Refusal> {
        if parts.method == Method::CONNECT {
            return Err(Refusal::bad_request("this is not a proxy"));
        }
        if !matches!(parts.uri.scheme_str(), None | Some("http" | "https")) {
            return Err(Refusal::bad_request("only http is supported"));
        }
        // RFC 9112 3.2.2: in absolute-form the authority of the target is the host. It is checked, and the
        // header as well, so that later code may use either.
        for authority in authorities(parts)? {
            let Some(authority) = Authority::parse(authority) else {
                return Err(Refusal::bad_request("the Host header is malformed"));
            };
            match authority.host {
                // An address is not resolved, so it cannot be rebound.
                HostName::Address(_) => {}
                HostName::Name(name) if self.allows(&name) => {}
                HostName::Name(name) => return Err(Refusal::unknown_host(&name)),
            }
        }
        Ok(())
    }

    /// For `--lan`, after [`Guard::check`]: an address must be the one that the client has connected to, or one
    /// that is allowed.
    pub(crate) fn check_own(&self, parts: &Parts, local: IpAddr) -> Result<(), Refusal> {
        let is_own = |address: IpAddr| {
            let address = address.to_canonical();
            address == local
                || address.is_loopback() && local.is_loopback()
                || self.allowed.contains(&Allowed::Address(address))
        };
        for authority in authorities(parts)? {
            if let Some(Authority {
                host: HostName::Address(address),
                ..
            }) = Authority::parse(authority)
                && !is_own(address)
            {
                return Err(Refusal::unknown_host(&address.to_string()));
            }
        }
        Ok(())
    }

    /// The host and port that a request is for, after [`Guard::check`].
    pub(crate) fn authority<'a>(&self, parts: &'a Parts) -> Result<&'a str, Refusal> {
        let first = authorities(parts)?.first().copied();
        // Only HTTP/1.0 has requests without.
        first.ok_or_else(|| Refusal::bad_request("the Host header is missing"))
    }

    /// Whether requests for this name are accepted.
    pub(crate) fn allows(&self, name: &str) -> bool {
        // RFC 6761 6.3: `localhost` and its subdomains always resolve to this machine.
        is_below(name, "localhost")
            || self.allowed.iter().any(|allowed| match allowed {
                Allowed::Exactly(allowed) => name == allowed,
                Allowed::Domain(domain) => is_below(name, domain),
                Allowed::Address(_) => false,
            })
    }
}

/// For a proxy, after [`Guard::check`]: a request in absolute-form (RFC 9112 3.2.2) must name this server, as
/// `Host` does, with the scheme of the connection. So nobody takes us for a proxy to anywhere. `is_own` tells the addresses of this machine.
pub(crate) fn own_target(
    parts: &Parts,
    (scheme, port): (&str, u16),
    is_own: impl Fn(IpAddr) -> bool,
) -> Result<(), Refusal> {
    if parts.uri.authority().is_none() || parts.version > Version::HTTP_11 {
        return Ok(());
    }
    let authorities: Vec<_> = authorities(parts)?
        .into_iter()
        .filter_map(Authority::parse)
        .collect();
    let default = if scheme == "https" { 443 } else { 80 };
    let is_ours = |authority: &Authority| {
        let is_host = match &authority.host {
            HostName::Address(address) => is_own(*address),
            // It was found to be allowed.
            HostName::Name(_) => true,
        };
        is_host && authority.port_or(default) == port
    };
    match authorities.iter().all(is_ours) && parts.uri.scheme_str() == Some(scheme) {
        true => Ok(()),
        false => Err(Refusal::bad_request("this is not a proxy")),
    }
}

/// For a peer on this machine: whether the request is from this machine, too, and not one that a tunnel passes on. Each
/// proxy on the way appends the address that it was asked from, so none may be another machine's.
pub(crate) fn is_from_this_machine(headers: &HeaderMap) -> bool {
    let is_loopback = |member: &str| {
        let address = member.trim().parse::<IpAddr>();
        address.is_ok_and(|address| address.to_canonical().is_loopback())
    };
    let mut told = headers.get_all(X_FORWARDED_FOR).iter().peekable();
    match told.peek() {
        // RFC 7239 6: it need not tell for whom it asks.
        None => !headers.contains_key(FORWARDED),
        Some(_) => told.all(|value| {
            let mut members = value.to_str().unwrap_or_default().split(',');
            members.all(is_loopback)
        }),
    }
}

/// For the event stream, its script and everything with an effect: only pages of our own origin.
pub(crate) fn same_origin_only(parts: &Parts) -> Result<(), Refusal> {
    let mut sites = parts.headers.get_all(SEC_FETCH_SITE).iter();
    if !sites.all(|site| site == "same-origin" || site == "none") {
        return Err(Refusal::cross_site());
    }
    // Older browsers, and plain http in the local network: cross-origin requests whose response can be
    // read, or that have effects, have an `Origin`. That of an opaque one is `null`.
    let ours = authorities(parts)?
        .first()
        .copied()
        .and_then(Authority::parse);
    for origin in parts.headers.get_all(ORIGIN) {
        let same = match (origin.to_str(), &ours) {
            (Ok(origin), Some(ours)) => ours.is_origin(origin),
            _ => false,
        };
        if !same {
            return Err(Refusal::cross_site());
        }
    }
    Ok(())
}

/// For files: other sites may link to our pages, but not embed our files.
pub(crate) fn no_foreign_embedding(parts: &Parts) -> Result<(), Refusal> {
    let is = |name: HeaderName, value: &str| {
        parts
            .headers
            .get_all(name)
            .iter()
            .any(|found| found == value)
    };
    if !is(SEC_FETCH_SITE, "cross-site") {
        return Ok(());
    }
    let plugin = is(SEC_FETCH_DEST, "object") || is(SEC_FETCH_DEST, "embed");
    match is(SEC_FETCH_MODE, "navigate") && !plugin {
        true => Ok(()),
        false => Err(Refusal::cross_site()),
    }
}

/// The authorities of the target and the `Host` header, in the order of precedence.
fn authorities(parts: &Parts) -> Result<Vec<&str>, Refusal> {
    let target = parts.uri.authority().map(|authority| authority.as_str());
    let header = host_header(&parts.headers)?;
    // RFC 9112 3.2: required in HTTP/1.1, whatever the form of the target. HTTP/1.0 has none; in HTTP/2 it is
    // in the target.
    if header.is_none()
        && (parts.version == Version::HTTP_11
            || target.is_none() && parts.version > Version::HTTP_11)
    {
        return Err(Refusal::bad_request("the Host header is missing"));
    }
    Ok(target.into_iter().chain(header).collect())
}

fn host_header(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(None),
        (Some(host), None) => match host.to_str() {
            Ok(host) => Ok(Some(host)),
            Err(_) => Err(Refusal::bad_request("the Host header is malformed")),
        },
        (Some(_), Some(_)) => Err(Refusal::bad_request("there is more than one Host header")),
    }
}

fn is_below(name: &str, domain: &str) -> bool {
    match name.strip_suffix(domain) {
        Some(rest) => rest.is_empty() || rest.ends_with('.'),
        None => false,
    }
}

impl Refusal {
    fn bad_request(why: &str) -> Refusal {
        Refusal {
            status: StatusCode::BAD_REQUEST,
            text: format!("bad request: {why}\n"),
        }
    }

    /// For a path that does not mean the same to everyone.
    pub(crate) fn ambiguous_path() -> Refusal {
        Refusal::bad_request("the path is ambiguous")
    }

    fn unknown_host(name: &str) -> Refusal {
        Refusal {
            status: StatusCode::FORBIDDEN,
            text: format!(
                "tidings refuses requests for the host name {name}: any website could use it to read your files.\n\
                 If the name is yours, start tidings with\n\n    --allow-host {name}\n"
            ),
        }
    }

    fn cross_site() -> Refusal {
        Refusal {
            status: StatusCode::FORBIDDEN,
            text: "other sites may not request this\n".to_owned(),
        }
    }
}
