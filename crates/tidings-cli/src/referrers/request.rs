//! The requester and the purpose of a request, borrowed from its head.

use http::header::{ACCEPT, HOST, HeaderMap, HeaderName, REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Method};
use tidings::reload::is_navigation;

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A request to be recorded. The path is percent-encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ResourceRequest<'a> {
    pub(super) path: &'a str,
    pub(super) requester: Requester<'a>,
    pub(super) purpose: Purpose,
}

/// The resource that made a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Requester<'a> {
    /// The page, worker script or style sheet with this percent-encoded path.
    Path(&'a str),
    /// A document of an opaque origin, which never sends a referrer.
    Opaque,
    /// There is no referrer.
    Unknown,
    /// The user, or a page of ours that observes it itself.
    Untracked,
}

/// The purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    Page,
    /// A script, or what a script fetches, in a page or a worker.
    Script,
    /// A worker or a worklet.
    Worker,
    /// A worker that several pages may use: a shared worker, a service worker.
    SharedWorker,
    Other,
}

impl<'a> ResourceRequest<'a> {
    /// `None`: not to be recorded, because a page observes it itself.
    pub(super) fn of(parts: &'a Parts) -> Option<ResourceRequest<'a>> {
        if parts.method != Method::GET {
            return None;
        }
        let headers = &parts.headers;
        let path = parts.uri.path();
        let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
        let referrer = referrer(parts)?;
        let destination = headers.get(SEC_FETCH_DEST).map(HeaderValue::as_bytes);
        if is_navigation(&parts.method, headers) {
            // In a frame of an opaque origin; other frames are observed by the page that contains them.
            let nested = site == Some(b"cross-site") && destination != Some(b"document");
            let requester = match referrer {
                Referrer::None if nested => Requester::Opaque,
                _ => Requester::Untracked,
            };
            let purpose = Purpose::Page;
            return Some(ResourceRequest {
                path,
                requester,
                purpose,
            });
        }
        let Some(destination) = destination else {
            return ResourceRequest::without_metadata(path, referrer, headers);
        };
        let purpose = match destination {
            b"worker" | b"audioworklet" | b"paintworklet" => Purpose::Worker,
            b"sharedworker" | b"serviceworker" => Purpose::SharedWorker,
            b"script" | b"empty" | b"json" | b"text" => Purpose::Script,
            // Other destinations are requested by documents and their style sheets only.
            _ if site != Some(b"cross-site") => return None,
            _ => Purpose::Other,
        };
        let requester = match referrer {
            Referrer::Path(referrer) => Requester::Path(referrer),
            // Referrer Policy 8.3: an opaque origin has no referrer, and all its requests are cross-site. A
            // worker from a blob has no referrer either, but our origin.
            Referrer::None if site == Some(b"cross-site") => Requester::Opaque,
            Referrer::None => Requester::Unknown,
        };
        Some(ResourceRequest {
            path,
            requester,
            purpose,
        })
    }

    /// Plain http in the local network: no `Sec-Fetch-*` (Fetch Metadata 3.1). There is only `Accept`, which is
    /// specific for style sheets and images of a document, and `*/*` otherwise.
    fn without_metadata(
        path: &'a str,
        referrer: Referrer<'a>,
        headers: &HeaderMap,
    ) -> Option<ResourceRequest<'a>> {
        let browser = headers
            .get(USER_AGENT)
            .is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"));
        let anything = headers.get(ACCEPT).is_none_or(|accept| accept == "*/*");
        let (requester, purpose) = match referrer {
            // It may have started a worker.
            Referrer::Path(path) if anything => (Requester::Path(path), Purpose::Other),
            Referrer::None if anything && browser => (Requester::Unknown, Purpose::Script),
            Referrer::None if browser => (Requester::Opaque, Purpose::Other),
            Referrer::Path(_) | Referrer::None => return None,
        };
        Some(ResourceRequest {
            path,
            requester,
            purpose,
        })
    }
}

#[derive(Clone, Copy, Debug)]
enum Referrer<'a> {
    Path(&'a str),
    None,
}

/// `None`: the referrer is of another origin, whose pages do not listen to us.
fn referrer(parts: &Parts) -> Option<Referrer<'_>> {
    let Some(referrer) = parts.headers.get(REFERER) else {
        return Some(Referrer::None);
    };
    let referrer = referrer.to_str().ok()?;
    let (scheme, rest) = referrer.split_once("://")?;
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(|authority| authority.as_str()))?;
    let same = matches!(scheme, "http" | "https")
        && rest
            .get(..host.len())
            .is_some_and(|origin| origin.eq_ignore_ascii_case(host));
    let path = rest.get(host.len()..).filter(|_| same)?;
    let end = path.find(['?', '#']).unwrap_or(path.len());
    match &path[..end] {
        "" => Some(Referrer::Path("/")),
        path if path.starts_with('/') => Some(Referrer::Path(path)),
        _ => None,
    }
}
