//! [`Versions`]: the pages that were sent, byte for byte.
//!
//! An open page is patched by what differs between the source that it was made from and the new one. A browser
//! gives its scripts the document only, as it is by now, so the source has to be kept here: under an id that the
//! page carries (`data-version`).
//!
//! What must stay true
//! - Only whole pages are kept, as they were sent; one that breaks off is not.
//! - It is bounded: in bytes, in pages, and in versions of one address. What has been dropped costs its page a
//!   reload, and nothing else.
//! - Ids cannot be guessed: they are as secret as the page.

mod tee;

use std::collections::VecDeque;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use super::own_paths::{method_not_allowed, plain};

pub(super) use tee::Tee;

/// What all pages may have together.
const TOTAL_BYTES: usize = 16 << 20;

/// The largest page that is kept. Larger ones reload.
const PAGE_BYTES: usize = 4 << 20;

/// How many pages are kept.
const PAGES: usize = 256;

/// How many versions of one address: twenty tabs, each with a token of its own in the page. Pages that have heard of
/// the changes since show no older ones.
const PER_ADDRESS: usize = 24;

/// How many ids one page may have: each time that the same bytes are sent, there is another one.
const IDS_PER_PAGE: usize = 128;

/// Names the [`PageHead`] of a response.
const HEAD: HeaderName = HeaderName::from_static("tidings-head");

/// Headers that say what a document may do and how it is read. If one of them has changed, only a reload is sure to
/// show what the new page is.
const HEAD_NAMES: [&str; 22] = [
    "accept-ch",
    "content-language",
    "content-security-policy",
    "content-security-policy-report-only",
    "content-type",
    "critical-ch",
    "cross-origin-embedder-policy",
    "cross-origin-embedder-policy-report-only",
    "cross-origin-opener-policy",
    "cross-origin-opener-policy-report-only",
    "default-style",
    "document-policy",
    "feature-policy",
    "link",
    "origin-agent-cluster",
    "origin-trial",
    "permissions-policy",
    "referrer-policy",
    "refresh",
    "speculation-rules",
    "supports-loading-mode",
    "x-frame-options",
];

/// A digest of the headers of a page that say what the document may do, and how it is read. The same in every
/// process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHead(u64);

impl PageHead {
    /// The digest of these headers. Take it before [`Navigation::respond`](super::Navigation::respond), which edits a
    /// policy.
    pub fn of(headers: &HeaderMap) -> PageHead {
        PageHead::with_nonce(headers, None)
    }

    /// The same for a page whose script element carries a nonce. That may be another one in each response: a page that
    /// is patched goes on with its own, wherever the new source has this one.
    pub(super) fn with_nonce(headers: &HeaderMap, nonce: Option<&str>) -> PageHead {
        let nonce = nonce.map(|nonce| format!("'nonce-{nonce}'"));
        // FNV-1a. Neither a name nor a value has a byte 0 or 1.
        let mut hash = 0xcbf2_9ce4_8422_2325;
        let mut add = |bytes: &[u8], end: u8| {
            for byte in bytes.iter().chain([&end]) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        for name in HEAD_NAMES {
            for value in headers.get_all(name) {
                add(name.as_bytes(), 0);
                match (&nonce, value.to_str()) {
                    (Some(nonce), Ok(value)) => add(value.replace(nonce, "'nonce-'").as_bytes(), 1),
                    _ => add(value.as_bytes(), 1),
                }
            }
        }
        PageHead(hash)
    }

    /// Adds it to a response, for the script that compares it with that of its own page.
    pub fn write(self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::try_from(self.to_string()) {
            headers.insert(HEAD, value);
        }
    }
}

/// 16 hexadecimal digits.
impl fmt::Display for PageHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The pages that were sent lately. It belongs to a [`Reloader`](super::Reloader).
#[derive(Debug, Default)]
pub struct Versions {
    // The keys are random from the system, and cannot be derived from the hashes.
    secrets: [RandomState; 2],
    last: AtomicU64,
    // Held for one look-up.
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    /// Those that were sent last are at the end.
    kept: VecDeque<Kept>,
    bytes: usize,
}

/// One source of a page, and under which ids it was sent.
#[derive(Debug)]
struct Kept {
    address: String,
    head: PageHead,
    before: Bytes,
    after: Bytes,
    /// The ids, each with the script element that stood between the two.
    sent: VecDeque<(String, Bytes)>,
}

impl Kept {
    fn len_bytes(&self) -> usize {
        let sent = self.sent.iter().map(len_of_sent).sum::<usize>();
        self.before.len() + self.after.len() + sent
    }
}

fn len_of_sent((id, script): &(String, Bytes)) -> usize {
    id.len() + script.len()
}

/// A page that is about to be sent.
#[derive(Clone, Debug)]
pub struct Version {
    id: String,
    versions: Arc<Versions>,
}

/// The bytes of a page, and where they were sent from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SentPage {
    /// The path and the query of the page's address.
    pub address: String,
    /// Of the response, before the script was admitted by its policy.
    pub head: PageHead,
    /// What comes before the script element.
    pub before: Bytes,
    /// The script element.
    pub script: Bytes,
    /// What comes after it.
    pub after: Bytes,
}

impl SentPage {
    /// A page that consists of these three.
    pub fn new(
        address: impl Into<String>,
        head: PageHead,
        [before, script, after]: [Bytes; 3],
    ) -> SentPage {
        SentPage {
            address: address.into(),
            head,
            before,
            script,
            after,
        }
    }
}

impl Version {
    pub(super) fn new(versions: &Arc<Versions>) -> Version {
        let n = versions.last.fetch_add(1, Ordering::Relaxed);
        let [high, low] = &versions.secrets;
        Version {
            id: format!("{:016x}{:016x}", high.hash_one(n), low.hash_one(n)),
            versions: Arc::clone(versions),
        }
    }

    /// What the page carries.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Keeps the page that was sent as this version.
    pub fn keep(self, page: SentPage) {
        self.versions.pages().keep(self.id, page);
    }
}

impl Versions {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The response to the script of a page that asks for what it was made from, with `?id=` and its
    /// [`Version::id`]: the exact bytes, and its [`PageHead`]. 404 if they are not kept (any more).
    ///
    /// Who may ask is for the caller to check: only pages of the same origin.
    pub fn respond(&self, request: &Parts) -> Response<Bytes> {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return method_not_allowed("GET, HEAD");
        }
        let query = request.uri.query().unwrap_or_default();
        let id = query.split('&').find_map(|part| part.strip_prefix("id="));
        let Some((head, bytes)) = id.and_then(|id| self.pages().find(id)) else {
            return plain(StatusCode::NOT_FOUND, "this page is not kept any more\n");
        };
        let mut response = plain(StatusCode::OK, "");
        // It is read by a script, and never shown as a page.
        let binary = HeaderValue::from_static("application/octet-stream");
        response.headers_mut().insert(CONTENT_TYPE, binary);
        head.write(response.headers_mut());
        if request.method == Method::GET {
            *response.body_mut() = bytes;
        }
        response
    }
}

impl Pages {
    fn keep(&mut self, id: String, page: SentPage) {
        let len = page.before.len() + page.after.len();
        if len > PAGE_BYTES {
            return;
        }
        let is_same = |kept: &Kept| {
            kept.address == page.address
                && kept.head == page.head
                && kept.before == page.before
                && kept.after == page.after
        };
        // Twenty tabs have the same page, and each has an id of its own.
        let known = self.kept.iter().rposition(is_same);
        let mut kept = match known.and_then(|at| self.kept.remove(at)) {
            Some(kept) => kept,
            None => {
                self.bytes += len;
                Kept {
                    address: page.address,
                    head: page.head,
                    before: page.before,
                    after: page.after,
                    sent: VecDeque::new(),
                }
            }
        };
        // A problem is in the script element, and may be longer than the page.
        let sent = (id, page.script);
        self.bytes += len_of_sent(&sent);
        kept.sent.push_back(sent);
        if kept.sent.len() > IDS_PER_PAGE {
            self.bytes -= kept.sent.pop_front().as_ref().map_or(0, len_of_sent);
        }
        let is_other_version = |other: &&Kept| other.address == kept.address;
        if self.kept.iter().filter(is_other_version).count() >= PER_ADDRESS {
            let oldest = self.kept.iter().position(|other| is_other_version(&other));
            self.drop_at(oldest);
        }
        self.kept.push_back(kept);
        while self.bytes > TOTAL_BYTES || self.kept.len() > PAGES {
            self.drop_at(Some(0));
        }
    }

    fn drop_at(&mut self, at: Option<usize>) {
        let dropped = at.and_then(|at| self.kept.remove(at));
        self.bytes -= dropped.map_or(0, |dropped| dropped.len_bytes());
    }

    fn find(&self, id: &str) -> Option<(PageHead, Bytes)> {
        self.kept.iter().rev().find_map(|kept| {
            let (_, script) = kept.sent.iter().find(|(known, _)| known == id)?;
            let bytes = [&*kept.before, script, &kept.after].concat();
            Some((kept.head, bytes.into()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use http::header::CONTENT_SECURITY_POLICY;

    fn page(address: &str, after: &str) -> SentPage {
        let head = PageHead::of(&HeaderMap::new());
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        SentPage::new(
            address,
            head,
            [bytes("<!doctype html>"), bytes("<script>"), bytes(after)],
        )
    }

    fn ask(versions: &Versions, id: &str) -> Response<Bytes> {
        let request = Request::get(format!("/@tidings/version?id={id}"));
        versions.respond(&request.body(()).unwrap().into_parts().0)
    }

    fn keep(versions: &Arc<Versions>, page: SentPage) -> String {
        let version = Version::new(versions);
        let id = version.id().to_owned();
        version.keep(page);
        id
    }

    #[test]
    fn a_page_is_kept_as_it_was_sent() {
        let versions = Arc::new(Versions::default());
        let ids = ["one", "two"].map(|text| keep(&versions, page("/", text)));
        assert_ne!(ids[0], ids[1]);
        for (id, text) in ids.iter().zip(["one", "two"]) {
            let response = ask(&versions, id);
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()["cache-control"], "no-store");
            assert_eq!(
                *response.body(),
                format!("<!doctype html><script>{text}").as_bytes()
            );
        }
        for id in ["", "0", &ids[0][1..]] {
            assert_eq!(ask(&versions, id).status(), StatusCode::NOT_FOUND, "{id:?}");
        }
    }

    #[test]
    fn the_same_page_is_kept_once_for_all_tabs() {
        let versions = Arc::new(Versions::default());
        let ids: Vec<_> = (0..20).map(|_| keep(&versions, page("/", "x"))).collect();
        assert_eq!(versions.pages().kept.len(), 1);
        assert!(
            ids.iter()
                .all(|id| ask(&versions, id).status() == StatusCode::OK)
        );
    }

    #[test]
    fn of_one_address_only_the_newest_versions_are_kept() {
        let versions = Arc::new(Versions::default());
        let other = keep(&versions, page("/other", "x"));
        let ids: Vec<_> = (0..PER_ADDRESS + 3)
            .map(|n| keep(&versions, page("/", &n.to_string())))
            .collect();
        let (old, new) = ids.split_at(3);
        assert!(
            old.iter()
                .all(|id| ask(&versions, id).status() == StatusCode::NOT_FOUND)
        );
        assert!(
            new.iter()
                .all(|id| ask(&versions, id).status() == StatusCode::OK)
        );
        assert_eq!(ask(&versions, &other).status(), StatusCode::OK);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let versions = Arc::new(Versions::default());
        let large = "x".repeat(PAGE_BYTES - 100);
        for n in 0..10 {
            keep(&versions, page(&n.to_string(), &large));
            assert!(versions.pages().bytes <= TOTAL_BYTES);
        }
        let too_large = keep(&versions, page("/", &"x".repeat(PAGE_BYTES)));
        assert_eq!(ask(&versions, &too_large).status(), StatusCode::NOT_FOUND);
        for n in 0..2 * PAGES {
            keep(&versions, page(&n.to_string(), "small"));
        }
        assert_eq!(versions.pages().kept.len(), PAGES);
        // With a problem in each of them, which is a part of the script element.
        for n in 0..2 * IDS_PER_PAGE {
            let problem = Bytes::from(format!("{n}{}", "x".repeat(100_000)));
            let script = SentPage {
                script: problem,
                ..page("/", "small")
            };
            keep(&versions, script);
            assert!(versions.pages().bytes <= TOTAL_BYTES);
        }
        let pages = versions.pages();
        assert!(pages.kept.len() <= PAGES);
        let bytes: usize = pages.kept.iter().map(Kept::len_bytes).sum();
        assert_eq!(pages.bytes, bytes);
    }

    #[test]
    fn a_head_is_other_only_if_it_matters_to_the_document() {
        let headers = |list: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in list {
                headers.append(*name, HeaderValue::from_static(value));
            }
            PageHead::of(&headers)
        };
        let html = ("content-type", "text/html");
        let head = headers(&[html]);
        assert_eq!(head, headers(&[("date", "today"), html, ("etag", "\"1\"")]));
        assert_ne!(head, headers(&[("content-type", "text/html; charset=x")]));
        assert_ne!(head, headers(&[html, ("link", "<a.css>; rel=stylesheet")]));
        assert_ne!(
            headers(&[("link", "<a>"), ("link", "<b>")]),
            headers(&[("link", "<b>"), ("link", "<a>")])
        );
    }

    #[test]
    fn a_nonce_that_the_script_carries_may_be_another_one() {
        let head = |policy: &'static str, nonce| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
            PageHead::with_nonce(&headers, nonce)
        };
        let one = head("style-src 'nonce-abc'; script-src 'nonce-abc'", Some("abc"));
        assert_eq!(
            one,
            head("style-src 'nonce-x'; script-src 'nonce-x'", Some("x"))
        );
        assert_ne!(
            one,
            head("style-src 'nonce-y'; script-src 'nonce-x'", Some("x"))
        );
        assert_ne!(one, head("style-src 'nonce-x'; script-src 'nonce-x'", None));
    }
}
