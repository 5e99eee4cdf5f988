//! Sandboxed frames of our own pages, told from those of strangers.
//!
//! A document in `<iframe sandbox>` without `allow-same-origin` has an opaque origin. What it loads from
//! us comes as from a stranger, and nothing in the request says otherwise:
//!
//! - `Sec-Fetch-Site` is `cross-site`, because an opaque origin is the same site as nothing (HTML,
//!   "schemelessly same site"); `Origin`, where it is sent, is `null` (Fetch 3.2), as it is for the
//!   sandboxed frame of a stranger;
//! - there is no `Referer`, because a document with an opaque origin has no referrer, whatever its
//!   policy (Referrer Policy 8.3, step "if document's origin is an opaque origin"; so does Chromium);
//! - there are no cookies that a stranger's request would not carry as well.
//!
//! So what is ours is told by a secret: a host name that nobody can guess. A document that one of our
//! pages has put into a frame (the browser says so: `Sec-Fetch-Dest: iframe`, `Sec-Fetch-Site:
//! same-origin`) is told the name, in the address of its script. If that script finds that it runs in an
//! opaque origin, it opens the same document under this name, and all that the document loads is then
//! asked for under it, whether the address is relative or begins with a slash. The name is below
//! `localhost`, which never leaves this machine (RFC 6761 6.3; Chromium and Firefox see to that
//! themselves, Safari does not).
//!
//! What must stay true:
//!
//! - Only a document that our own page has framed learns the name: a stranger who frames it asks with
//!   `cross-site`, another port of this machine with `same-site`, and a redirect over a foreign site
//!   leaves `cross-site` as well (Fetch Metadata 2.3).
//! - Under the name there are files and nothing that acts: no stream, no word back.
//! - `Access-Control-Allow-Origin: null` is said under the name only. A stranger's frame is `null`, too,
//!   so anywhere else it would hand every file to everybody.
//! - The name is not told to others: a sheet or script that came from under it refers nobody else to it
//!   (`Referrer-Policy: same-origin`).
//!
//! What stays refused: frames without scripts (`sandbox=""`), which cannot move; `srcdoc`, `data:` and
//! `blob:` documents, which have no address of ours; Safari's. The terminal says so. On plain http in
//! the network browsers do not say what is foreign, so there all but what needs CORS is loaded. Whoever sandboxes
//! code that must not read the folder keeps it from doing so with a policy, as in production.

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

/// The script that opens a sandboxed document under the secret name, which is the fragment of its own
/// address. It holds nothing secret, so that it can be had by everybody.
pub(crate) const FRAME_JS: &str = include_str!("frame.js");

/// The secret name. Another one in every process.
#[derive(Debug)]
pub(crate) struct FrameHost {
    name: String,
    /// Something was asked for under it: browsers know the way.
    used: AtomicBool,
}

const LOCALHOST: &str = ".localhost";

impl Default for FrameHost {
    fn default() -> FrameHost {
        // The keys come from the system, and what is hashed with them tells nothing of them.
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

    /// Whether this was asked for under the secret name. Should the name ever become known: who says to
    /// be another origin is refused all the same.
    pub(crate) fn admits(&self, parts: &Parts) -> Result<bool, Refusal> {
        let asked = authorities(parts)?;
        // Most requests are for a shorter name, and need no closer look.
        if asked.is_empty() || asked.iter().any(|asked| asked.len() < self.name.len()) {
            return Ok(false);
        }
        let asked: Vec<_> = asked.into_iter().filter_map(Authority::parse).collect();
        let is_name =
            |asked: &Authority| matches!(&asked.host, HostName::Name(name) if *name == self.name);
        let Some(ours) = asked.first().filter(|_| asked.iter().all(is_name)) else {
            return Ok(false);
        };
        // A link in the frame may open a tab of its own, which has an origin: this one.
        let may_ask = |origin: &HeaderValue| {
            origin == "null" || origin.to_str().is_ok_and(|origin| ours.is_origin(origin))
        };
        match parts.headers.get_all(ORIGIN).iter().all(may_ask) {
            true => Ok(true),
            false => Err(Refusal::foreign()),
        }
    }

    /// Opens a file to a sandboxed frame of ours: to be used, and where it says that it has no origin
    /// (module scripts, fonts, `fetch`), to be read.
    pub(crate) fn open<B>(&self, mut response: Response<B>, asked: &HeaderMap) -> Response<B> {
        self.used.store(true, Ordering::Relaxed);
        let mut set = |name, value| {
            let headers = response.headers_mut();
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin");
        set(REFERRER_POLICY, "same-origin");
        if asked.get(ORIGIN).is_some_and(|origin| origin == "null") {
            set(ACCESS_CONTROL_ALLOW_ORIGIN, "null");
        }
        // Beside what it varies by anyway.
        let origin = HeaderValue::from_static("Origin");
        response.headers_mut().append(VARY, origin);
        response
    }
}

/// Whether a page asks that has no origin: a sandboxed frame's requests carry `Origin: null` or none.
fn is_opaque(headers: &HeaderMap) -> bool {
    headers
        .get_all(ORIGIN)
        .iter()
        .all(|origin| origin == "null")
}

/// Whether this asks for a script as a sandboxed document does, or a stranger's.
pub(crate) fn is_foreign_script(parts: &Parts) -> bool {
    let is =
        |name: HeaderName, value: &str| parts.headers.get(name).is_some_and(|found| found == value);
    parts.method == Method::GET
        && is(SEC_FETCH_SITE, "cross-site")
        && is(SEC_FETCH_MODE, "no-cors")
        && is(SEC_FETCH_DEST, "script")
}

/// Whether a request that was refused as foreign may have come from a sandboxed frame of ours: it does
/// not say where it comes from.
pub(crate) fn may_be_sandboxed(headers: &HeaderMap) -> bool {
    !headers.contains_key(REFERER) && is_opaque(headers)
}
