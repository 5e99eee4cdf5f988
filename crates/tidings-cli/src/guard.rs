//! Who may ask: the checks before a request is looked at any further.
//!
//! A development server holds what is not published yet, and every web page that the developer
//! visits can send it requests. Two things keep strangers out, and neither needs configuration
//! for a browser on this machine:
//!
//! - **The host.** A page of `evil.example` becomes "same origin" with us when its name is made to
//!   resolve to 127.0.0.1 (DNS rebinding). The browser still sends that name as `Host`, so only
//!   names that cannot be rebound, or were allowed, are answered.
//! - **The site.** Without rebinding a foreign page can still embed our scripts and open our event
//!   stream. Browsers say so (`Sec-Fetch-Site`, `Origin`), and we send no CORS headers. Sandboxed frames
//!   of our own pages look like strangers; how they are told from them is written in `frames.rs`.
//!
//! What must stay true: a check is a function of the request's head and the allowed names alone; a
//! refusal never echoes anything but a name that was validated.

mod authority;
pub(crate) mod frames;
#[cfg(test)]
mod tests;

use http::header::{HOST, HeaderName, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version};

use authority::{Authority, HostName};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The host names under which we may be asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    allowed: Vec<Allowed>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    Exactly(String),
    /// The domain and everything below it.
    Domain(String),
}

/// A request that is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Guard {
    /// `names`: of `--host`, of `--allow-host`, and the machine's own when it is exposed. A leading
    /// dot (`.example.com`) means the domain with all its subdomains. Ports are ignored, and so is
    /// what cannot be a host name.
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
                // Addresses are allowed anyway.
                HostName::Address(_) => None,
            }
        });
        Guard {
            allowed: allowed.collect(),
        }
    }

    /// The host check. For every request, whatever it asks for, before anything else.
    pub(crate) fn check(&self, parts: &Parts) -> Result<(), Refusal> {
        if parts.method == Method::CONNECT {
            return Err(Refusal::bad_request("this is not a proxy"));
        }
        if !matches!(parts.uri.scheme_str(), None | Some("http" | "https")) {
            return Err(Refusal::bad_request("only http is spoken here"));
        }
        // RFC 9112 3.2.2: in absolute-form the target's authority is the host. It must pass, and
        // the header as well: whoever reads either of them later may rely on it.
        for authority in authorities(parts)? {
            let Some(authority) = Authority::parse(authority) else {
                return Err(Refusal::bad_request("the Host is malformed"));
            };
            match authority.host {
                // An address was not looked up, so that nobody can have changed what it means.
                HostName::Address(_) => {}
                HostName::Name(name) if self.allows(&name) => {}
                HostName::Name(name) => return Err(Refusal::unknown_host(&name)),
            }
        }
        Ok(())
    }

    fn allows(&self, name: &str) -> bool {
        // RFC 6761 6.3: `localhost` and what is below it never leave this machine.
        is_below(name, "localhost")
            || self.allowed.iter().any(|allowed| match allowed {
                Allowed::Exactly(allowed) => name == allowed,
                Allowed::Domain(domain) => is_below(name, domain),
            })
    }
}

/// For the event stream, its script and everything that acts: only pages that we served may ask.
pub(crate) fn same_origin_only(parts: &Parts) -> Result<(), Refusal> {
    let mut sites = parts.headers.get_all(SEC_FETCH_SITE).iter();
    if !sites.all(|site| site == "same-origin" || site == "none") {
        return Err(Refusal::foreign());
    }
    // Older browsers, and plain http in the local network: a request that can read or change
    // something across origins carries an `Origin`. That of an opaque one is `null`.
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
            return Err(Refusal::foreign());
        }
    }
    Ok(())
}

/// For files: other sites may link to our pages, but not embed what we serve.
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
        false => Err(Refusal::foreign()),
    }
}

/// All that says which host is meant, what counts first.
fn authorities(parts: &Parts) -> Result<Vec<&str>, Refusal> {
    let target = parts.uri.authority().map(|authority| authority.as_str());
    let header = host_header(&parts.headers)?;
    // RFC 9112 3.2: required in HTTP/1.1, whatever the form of the target. Before, there was none;
    // later, the target has it.
    if header.is_none()
        && (parts.version == Version::HTTP_11
            || target.is_none() && parts.version > Version::HTTP_11)
    {
        return Err(Refusal::bad_request("there is no Host"));
    }
    Ok(target.into_iter().chain(header).collect())
}

fn host_header(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(None),
        (Some(host), None) => match host.to_str() {
            Ok(host) => Ok(Some(host)),
            Err(_) => Err(Refusal::bad_request("the Host is malformed")),
        },
        (Some(_), Some(_)) => Err(Refusal::bad_request("there is more than one Host")),
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

    fn unknown_host(name: &str) -> Refusal {
        Refusal {
            status: StatusCode::FORBIDDEN,
            text: format!(
                "tidings does not answer to the name {name}, because any website could use it to read your files.\n\
                 If it is yours, start tidings with\n\n    --allow-host {name}\n"
            ),
        }
    }

    fn foreign() -> Refusal {
        Refusal {
            status: StatusCode::FORBIDDEN,
            text: "this is not for other sites\n".to_owned(),
        }
    }
}
