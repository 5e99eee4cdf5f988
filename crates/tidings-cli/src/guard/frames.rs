//! Tells sandboxed frames of our own pages from other sites.
//!
//! A document in `<iframe sandbox>` without `allow-same-origin` has an opaque origin. Its requests look like
//! those of another site:
//!
//! - `Sec-Fetch-Site` is `cross-site`, because an opaque origin is the same site as nothing (HTML,
//!   "schemelessly same site"); `Origin`, where it is sent, is `null` (Fetch 3.2), as for a
//!   sandboxed frame of another site;
//! - there is no `Referer`, because a document with an opaque origin has no referrer, whatever its
//!   policy (Referrer Policy 8.3, step "if document's origin is an opaque origin"; so does Chromium);
//! - there are no cookies that requests of another site would not have as well.
//!
//! So they are identified by a secret: a host name that cannot be guessed. A document that is loaded into a
//! frame of one of our pages (`Sec-Fetch-Dest: iframe`, `Sec-Fetch-Site: same-origin`) gets the name in the
//! URL of its script. If that script runs in an opaque origin, it navigates to the same document under this
//! name, and then all URLs in the document, relative or beginning with a slash, are requested under it. The
//! name is a subdomain of `localhost`, which always resolves to this machine (RFC 6761 6.3; built into
//! Chromium and Firefox, but not into Safari).
//!
//! Invariants:
//!
//! - Only documents in frames of our own pages get the name: if another site frames one, the request is
//!   `cross-site`, from another port of this machine it is `same-site`, and after a redirect through another
//!   site it is `cross-site` as well (Fetch Metadata 2.3).
//! - Under the name there are only files: neither the stream nor requests with an effect.
//! - `Access-Control-Allow-Origin: null` is sent under the name only. Sandboxed frames of other sites are
//!   `null`, too, so otherwise they could read every file.
//! - The name is not disclosed: sheets and scripts that are loaded from it send no `Referer` to other
//!   origins (`Referrer-Policy: same-origin`).
//!
//! These are still refused, with a note in the terminal: frames without scripts (`sandbox=""`), which cannot
//! navigate; `srcdoc`, `data:` and `blob:` documents, which have no URL of ours; and Safari. On plain http
//! in the network browsers send no `Sec-Fetch-Site`, so all but CORS requests are accepted there. To keep
//! sandboxed code from reading the folder, use a Content-Security-Policy, as in production.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, HeaderMap, HeaderName, HeaderValue, ORIGIN, REFERER,
    REFERRER_POLICY, VARY,
};
use http::request::Parts;
use http::{Method, Response};

use super::authority::{Authority, HostName};
use super::{Refusal, SEC_FETCH_DEST, SEC_FETCH_MODE, SEC_FETCH_SITE, authorities};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// The script that opens a sandboxed document under the secret name, which is the fragment of the script's
/// URL. The script itself contains no secret and is served to all.
pub(crate) const FRAME_JS: &str = include_str!("frame.js");

/// The secret host name, random for each process.
#[derive(Debug)]
pub(crate) struct FrameHost {
    name: String,
    /// Whether there has been a request under the name.
    used: AtomicBool,
}

const LOCALHOST: &str = ".localhost";

impl Default for FrameHost {
    fn default() -> FrameHost {
        // The keys are random from the system, and cannot be derived from the hashes.
        let half = || RandomState::new().hash_one(0);
        FrameHost {
            name: format!("frame-{:016x}{:016x}{LOCALHOST}", half(), half()),
            used: AtomicBool::new(false),
        }
    }
}

impl FrameHost {
    /// The first label of the name; `localhost` follows.
    pub(crate) fn label(&self) -> &str {
        self.name.strip_suffix(LOCALHOST).unwrap_or_default()
    }

    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether the request is under the secret name. In case the name is disclosed, other origins are still
    /// refused.
    pub(crate) fn admits(&self, parts: &Parts) -> Result<bool, Refusal> {
        let authorities = authorities(parts)?;
        // Most requests are for a shorter name, and need no parsing.
        let is_shorter = |text: &&str| text.len() < self.name.len();
        if authorities.is_empty() || authorities.iter().any(is_shorter) {
            return Ok(false);
        }
        let authorities: Vec<_> = authorities
            .into_iter()
            .filter_map(Authority::parse)
            .collect();
        let is_secret = |authority: &Authority| matches!(&authority.host, HostName::Name(name) if *name == self.name);
        let Some(ours) = authorities
            .first()
            .filter(|_| authorities.iter().all(is_secret))
        else {
            return Ok(false);
        };
        // A link in the frame may open a new tab, whose origin is the secret name.
        let may_ask = |origin: &HeaderValue| {
            origin == "null" || origin.to_str().is_ok_and(|origin| ours.is_origin(origin))
        };
        match parts.headers.get_all(ORIGIN).iter().all(may_ask) {
            true => Ok(true),
            false => Err(Refusal::cross_site()),
        }
    }

    /// Adds the headers by which a sandboxed frame of ours may use a file and, for CORS requests (module scripts,
    /// fonts, `fetch`), read it.
    pub(crate) fn open<B>(&self, mut response: Response<B>, request: &HeaderMap) -> Response<B> {
        self.used.store(true, Ordering::Relaxed);
        let mut set = |name, value| {
            let headers = response.headers_mut();
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin");
        set(REFERRER_POLICY, "same-origin");
        if request.get(ORIGIN).is_some_and(|origin| origin == "null") {
            set(ACCESS_CONTROL_ALLOW_ORIGIN, "null");
        }
        // In addition to the `Vary` of the response.
        let origin = HeaderValue::from_static("Origin");
        response.headers_mut().append(VARY, origin);
        response
    }
}

/// Whether the request may be from an opaque origin: its `Origin` is `null` or missing.
fn is_opaque(headers: &HeaderMap) -> bool {
    headers
        .get_all(ORIGIN)
        .iter()
        .all(|origin| origin == "null")
}

/// Whether this is a request for a script by a sandboxed document or another site.
pub(crate) fn is_foreign_script(parts: &Parts) -> bool {
    let is =
        |name: HeaderName, value: &str| parts.headers.get(name).is_some_and(|found| found == value);
    parts.method == Method::GET
        && is(SEC_FETCH_SITE, "cross-site")
        && is(SEC_FETCH_MODE, "no-cors")
        && is(SEC_FETCH_DEST, "script")
}

/// Whether a request that was refused as cross-site may be from a sandboxed frame of ours: its origin is
/// unknown.
pub(crate) fn may_be_sandboxed(headers: &HeaderMap) -> bool {
    !headers.contains_key(REFERER) && is_opaque(headers)
}
