//! Serves a folder: finds the file for a request and builds the response.
//!
//! ```text
//! request -> resolve (pure) -> lookup -> snippet -> lookup again -> open -> read, inject, compress
//! ```
//!
//! Invariants:
//!
//! - There is one way from a URL to a file: `resolve::parse_target`, then `open::Root`.
//! - The snippet contains the cursor from which the page listens, so it is taken *before* it is decided
//!   which file responds, and before that file is opened. The page is notified of any later change.
//! - Clients cannot tell private files from missing ones. Files outside the root are missing, too; only the
//!   local user's 404 page says which link leads there.
//! - Browsers revalidate every response (`no-cache`), and get a 304 unless it has changed. Fonts they do not keep.

mod analysis;
mod at_once;
mod beneath;
mod body;
mod charset;
mod choose;
mod compress;
mod denied;
mod diagnostics;
mod errors;
mod links;
mod listing;
mod lookup;
mod media;
mod open;
mod range;
mod requester;
mod resolve;
mod respond;
mod sent;
mod template;
#[cfg(test)]
mod tests;
mod validator;

use std::fs::Metadata;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use tidings::reload::{Version, is_navigation, revalidate};

pub(crate) use body::Body;
pub(crate) use compress::Compress;
pub(crate) use links::{LinkReason, UnservedLink};
pub(crate) use sent::SentPage;

use analysis::AnalysisCache;
use choose::Choice;
use compress::Coding;
use media::Media;
use open::{Root, RootHandle};
use range::RangeHeader;
use resolve::{BadTarget, RelPath};
use respond::{FileRequest, set, set_body};

/// How often the choice of a file is repeated because it changed meanwhile.
const ATTEMPTS: usize = 4;
/// Files up to this size are read on the async thread: from the page cache that takes less time than the
/// hop to a blocking thread.
const INLINE_BYTES: u64 = 256 * 1024;
/// The same for files that are compressed, which takes longer.
const INLINE_COMPRESSED_BYTES: u64 = 64 * 1024;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");

/// What is served, and how.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Absolute, with symlinks in it unresolved. It may be missing at times.
    pub(crate) root: PathBuf,
    /// The path under which it is served, without a slash at its end: empty for the whole site. It consists of
    /// characters that are not percent-encoded.
    pub(crate) mount: String,
    /// The file, relative to the root, that is served for navigations to missing paths: `index.html`.
    pub(crate) spa: Option<String>,
    /// Serve files outside the root that symlinks lead to.
    pub(crate) follow_symlinks: bool,
    /// List directories without an index file.
    pub(crate) listing: bool,
    pub(crate) compress: Compress,
}

/// The caller's part: what is injected into pages, and who is notified of what was served.
pub(crate) trait Pages: Send + Sync {
    /// The script to inject into a page. Called for every HTML document that is served for a navigation,
    /// before the file is opened; called again if another file was chosen meanwhile.
    fn script_for(&self, page: &Page<'_>) -> Snippet;
    /// A file of any type was served in this state, taken from the opened file after its last byte was
    /// read. If it changed while it was read, this is called with the state before reading as well. A
    /// file that is streamed is reported in the state in which it was opened. `path` is the root joined
    /// with the requested path; links in it are not resolved.
    fn served(&self, path: &Path, meta: &Metadata);
    /// This file is missing, so a request got a 404 or another file. The path is as in `served`.
    fn not_found(&self, _path: &Path) {}
    /// A document was served for a navigation without the script.
    fn not_injected(&self, url_path: &str, reason: &str);
    /// The browser will refuse this file because of its type.
    fn refused_by_browser(&self, _url_path: &str, _reason: &str) {}
    /// A request got a 404 or another file because this link is not served.
    fn unserved_link(&self, _link: &UnservedLink) {}
    /// This file, or a directory on its path, cannot be read.
    fn unreadable(&self, _path: &Path, _error: &io::Error) {}
}

/// A page that the script can be injected into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page<'a> {
    /// The path of the file relative to the root, as a decoded URL path: `/docs/index.html`.
    File {
        url_path: &'a str,
        /// Whether it is loaded into a frame of another page of ours.
        framed: bool,
    },
    Listing {
        url_path: &'a str,
    },
    NotFound,
}

/// What is injected into a page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snippet {
    /// A script element, in ASCII.
    pub(crate) html: Bytes,
    /// Becomes part of the `ETag`: differs where `html` differs, but for the version. A copy in a browser's cache
    /// carries the version that it was sent as.
    pub(crate) tag: String,
    /// What the page is kept as.
    pub(crate) version: Option<Version>,
    /// The script element for a page that has a Content-Security-Policy of its own.
    pub(crate) with_policy: Bytes,
}

/// A folder that is served.
#[derive(Debug)]
pub(crate) struct Files {
    options: Options,
    spa: Option<RelPath>,
    root: RootHandle,
    analyses: Arc<AnalysisCache>,
    /// Replaced in tests, because an `ETag` depends on the age of the file.
    clock: fn() -> SystemTime,
}

/// The parts of a request's head that matter here.
#[derive(Clone, Copy)]
struct RequestInfo<'a> {
    uri: &'a Uri,
    /// The path below the mount.
    path: &'a str,
    headers: &'a HeaderMap,
    peer: Option<IpAddr>,
    navigation: bool,
    /// `Range` is defined for GET alone (RFC 9110 14.2).
    range: Option<RangeHeader>,
}

/// Whether this is a path relative to the root that may be served: plain names, none of them private.
pub(crate) fn could_be_served(path: &str) -> bool {
    !path.starts_with('/') && RelPath::plain(path).is_some_and(|path| !path.is_private())
}

/// The percent-encoded path of a URL for this decoded one; `None` if no file has it.
pub(crate) fn url_of(path: &str) -> Option<String> {
    Some(RelPath::plain(path)?.to_url())
}

/// Whether a request for `path` (relative to the root) may read the file whose canonical path is `real`.
/// The watcher uses this rule, too, so that it reports exactly the files that requests can get.
pub(crate) fn may_be_read(
    path: &Path,
    real: &Path,
    real_root: &Path,
    follow_symlinks: bool,
) -> bool {
    !path.iter().any(resolve::is_private)
        && resolve::may_be_served(real, real_root, follow_symlinks)
}

impl Files {
    pub(crate) fn new(options: Options) -> Files {
        Files {
            spa: options.spa.as_deref().and_then(RelPath::plain),
            options,
            root: RootHandle::default(),
            analyses: Arc::default(),
            clock: SystemTime::now,
        }
    }

    /// The part of a request's path that is below the mount. `None`: the request is for something else.
    pub(crate) fn below_mount<'a>(&self, path: &'a str) -> Option<&'a str> {
        let mount = &self.options.mount;
        let below = path.strip_prefix(mount)?;
        // `/docs` is not for `/docs-old`.
        (mount.is_empty() || below.is_empty() || below.starts_with('/')).then_some(below)
    }

    /// The decoded URL path of a file.
    fn url_path(&self, path: &RelPath) -> String {
        format!("{}{}", self.options.mount, path.decoded())
    }

    fn redirect(&self, to: &RelPath, from: &Uri) -> Response<Body> {
        let mut location = format!("{}{}", self.options.mount, to.to_url());
        if let Some(query) = from.query() {
            location.push('?');
            location.extend(utf8_percent_encode(query, CONTROLS));
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        set(&mut response, LOCATION, &location);
        set_body(&mut response, Body::empty());
        response
    }

    pub(crate) fn respond<'a, B>(
        &'a self,
        request: &'a Request<B>,
        peer: Option<IpAddr>,
        pages: &'a dyn Pages,
    ) -> impl Future<Output = Response<Body>> + Send + 'a {
        let method = request.method();
        let headers = request.headers();
        let range = headers.get(RANGE).filter(|_| method == Method::GET);
        let request = RequestInfo {
            uri: request.uri(),
            path: self.below_mount(request.uri().path()).unwrap_or_default(),
            headers,
            peer,
            navigation: is_navigation(method, headers),
            range: range.and_then(|range| RangeHeader::parse(range.as_bytes())),
        };
        async move {
            let mut response = match *method {
                Method::GET | Method::HEAD => match self.answer(request, pages).await {
                    Ok(response) => response,
                    Err(error) => self.unreadable(error, request, pages).await,
                },
                Method::OPTIONS => empty(StatusCode::NO_CONTENT, ALLOW, METHODS),
                _ => errors::method_not_allowed(method, request.navigation),
            };
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            // But for fonts, which are not kept at all.
            revalidate(headers);
            headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            // All ports of one host are the same site: a server on another port may use our files.
            let policy = HeaderName::from_static("cross-origin-resource-policy");
            headers.insert(policy, HeaderValue::from_static("same-site"));
            if *method == Method::HEAD {
                *response.body_mut() = Body::empty();
            }
            response
        }
    }

    async fn answer(
        &self,
        request: RequestInfo<'_>,
        pages: &dyn Pages,
    ) -> io::Result<Response<Body>> {
        if request.path.is_empty() {
            let root = RelPath::default().with_trailing_slash();
            return Ok(self.redirect(&root, request.uri));
        }
        let target = match resolve::parse_target(request.path) {
            Ok(target) if target.has_empty_segments() => {
                return Ok(self.redirect(&target, request.uri));
            }
            Ok(target) => Some(target),
            Err(BadTarget::Refused(_)) => None,
            Err(BadTarget::Malformed(why)) => return Ok(errors::bad_request(why)),
        };
        for _ in 0..ATTEMPTS {
            let (root, choice, snippet) =
                self.choose_with_snippet(target.as_ref(), request, pages)?;
            self.report_missing(target.as_ref(), &choice, pages);
            let link = self.unserved_link(target.as_ref(), &choice, request, pages);
            let response = match (root, choice) {
                (_, Choice::Redirect(path)) => Some(self.redirect(&path, request.uri)),
                (_, Choice::NotFound) | (None, _) => {
                    Some(not_found_response(request, snippet.as_ref(), link))
                }
                (Some(root), Choice::Listing(path)) => {
                    self.listing(root, path, snippet.as_ref()).await?
                }
                (Some(root), Choice::File { path, len, status }) => {
                    self.file(root, path, len, status, snippet, request, pages)
                        .await?
                }
            };
            // `None`: the file was removed meanwhile.
            if let Some(response) = response {
                return Ok(response);
            }
        }
        Err(io::Error::other(
            "the file is created and removed too quickly",
        ))
    }

    /// The file cannot be read. The error page reloads once it can, so the request is tried again after the
    /// snippet was taken: the page is not notified of a change before that.
    async fn unreadable(
        &self,
        error: io::Error,
        request: RequestInfo<'_>,
        pages: &dyn Pages,
    ) -> Response<Body> {
        let snippet = request
            .navigation
            .then(|| pages.script_for(&Page::NotFound));
        let error = match snippet {
            Some(_) => match self.answer(request, pages).await {
                Ok(response) => return response,
                Err(error) => error,
            },
            None => error,
        };
        if let Ok(target) = resolve::parse_target(request.path) {
            // Files outside and private files are missing, whether readable or not.
            let link = self.unserved_link(Some(&target), &Choice::NotFound, request, pages);
            if link.as_ref().is_some_and(|link| {
                matches!(link.reason, LinkReason::Outside | LinkReason::Private)
            }) {
                return not_found_response(request, snippet.as_ref(), link);
            }
            let mut candidates = lookup::candidates(&target);
            candidates.push(target);
            candidates.extend(self.spa.clone());
            candidates.extend(RelPath::plain("404.html"));
            let paths: Vec<_> = candidates
                .iter()
                .map(|path| path.below(&self.options.root))
                .collect();
            let denied = denied::find(&paths);
            pages.unreadable(denied.as_ref().unwrap_or(&paths[0]), &error);
        }
        errors::unreadable(request.uri.path(), &error, snippet.as_ref())
    }

    /// If no candidate for this path was chosen: the link that is the cause, if there is one.
    fn unserved_link(
        &self,
        target: Option<&RelPath>,
        choice: &Choice,
        request: RequestInfo<'_>,
        pages: &dyn Pages,
    ) -> Option<UnservedLink> {
        // Private paths are not examined, so that the response cannot depend on what exists there.
        let target = target.filter(|target| !target.is_private());
        let mut candidates = target.map(lookup::candidates).unwrap_or_default();
        match choice {
            Choice::File { path, .. } if candidates.contains(path) => return None,
            Choice::Redirect(_) => return None,
            Choice::NotFound if request.navigation => candidates.extend(self.spa.clone()),
            _ => {}
        }
        let link = candidates.iter().find_map(|path| {
            links::first_unserved(&self.options.root, path, self.options.follow_symlinks)
        })?;
        pages.unserved_link(&link);
        Some(link)
    }

    /// Reports the candidates for this path that come before the chosen file, and are missing.
    fn report_missing(&self, target: Option<&RelPath>, choice: &Choice, pages: &dyn Pages) {
        let Some(target) = target.filter(|target| !target.is_private()) else {
            return;
        };
        if matches!(choice, Choice::File { path, .. } if path == target) {
            return;
        }
        let candidates = lookup::candidates(target);
        let found = match choice {
            Choice::File { path, .. } => candidates.iter().position(|candidate| candidate == path),
            Choice::Redirect(_) => Some(0),
            Choice::Listing(_) | Choice::NotFound => None,
        };
        for candidate in &candidates[..found.unwrap_or(candidates.len())] {
            pages.not_found(&candidate.below(&self.options.root));
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one decision, used once"
    )]
    async fn file(
        &self,
        root: Root,
        path: RelPath,
        len: u64,
        status: StatusCode,
        snippet: Option<Snippet>,
        request: RequestInfo<'_>,
        pages: &dyn Pages,
    ) -> io::Result<Option<Response<Body>>> {
        let media = Media::of(path.name().unwrap_or_default());
        let url_path = self.url_path(&path);
        let on_disk = path.below(&self.options.root);
        let header = |name: HeaderName| {
            request
                .headers
                .get(name)
                .map(|value| value.as_bytes().to_vec())
        };
        let wants_script = request.navigation && status == StatusCode::OK;
        let compress = self.options.compress.applies_to(request.peer);
        let file_request = FileRequest {
            root,
            path,
            media: media.clone(),
            status,
            snippet,
            none_match: list_header(request.headers, IF_NONE_MATCH),
            modified_since: header(IF_MODIFIED_SINCE),
            range: request.range.filter(|_| status == StatusCode::OK),
            if_range: header(IF_RANGE),
            coding: compress
                .then(|| Coding::accepted(request.headers))
                .flatten(),
            may_compress: self.options.compress != Compress::Never,
            analyses: Arc::clone(&self.analyses),
            clock: self.clock,
        };
        let inline = match file_request.coding {
            None => INLINE_BYTES,
            Some(_) => INLINE_COMPRESSED_BYTES,
        };
        let served = match len <= inline {
            true => file_request.respond()?,
            false => blocking(move || file_request.respond()).await?,
        };
        Ok(served.map(|served| {
            if let Some(after) = &served.after {
                pages.served(&on_disk, after);
            }
            if served.changed_while_read || served.after.is_none() {
                pages.served(&on_disk, &served.before);
            }
            let content_type = served.response.headers().get(CONTENT_TYPE);
            let content_type = content_type.and_then(|value| value.to_str().ok());
            // A 304 has no `Content-Type`; the browser keeps the one it has.
            let content_type =
                content_type.map_or_else(|| media.content_type(b"", false), Into::into);
            let cannot_reload =
                || diagnostics::why_not_reloading(&media, request.headers, &content_type);
            let cannot_reload = wants_script.then(cannot_reload).flatten();
            if let Some(why) = served.not_injected.or(cannot_reload) {
                pages.not_injected(&url_path, why);
            }
            if let Some(why) = diagnostics::why_refused(request.headers, &content_type) {
                pages.refused_by_browser(&url_path, &why);
            }
            served.response
        }))
    }

    async fn listing(
        &self,
        root: Root,
        path: RelPath,
        snippet: Option<&Snippet>,
    ) -> io::Result<Option<Response<Body>>> {
        let script = snippet.map(Snippet::text).unwrap_or_default();
        let mount = self.options.mount.clone();
        let page = blocking(move || listing::page(&root, &mount, &path, &script)).await?;
        Ok(page.map(|page| {
            let page = Bytes::from(page);
            let sent = snippet.and_then(|snippet| SentPage::of_text(snippet, &page));
            let mut response = generated_page(StatusCode::OK, page);
            if let Some(sent) = sent {
                response.extensions_mut().insert(sent);
            }
            response
        }))
    }
}

impl Snippet {
    /// The script element for a document with or without a policy of its own.
    fn html(&self, has_policy: bool) -> Bytes {
        match has_policy {
            true => self.with_policy.clone(),
            false => self.html.clone(),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.html).into_owned()
    }
}

/// The 404 response. It names the link that is the cause, if there is one and the client may know.
fn not_found_response(
    request: RequestInfo<'_>,
    snippet: Option<&Snippet>,
    link: Option<UnservedLink>,
) -> Response<Body> {
    let link = link
        .filter(|link| link.reason != LinkReason::Private)
        .filter(|_| requester::is_by_local_user(request.peer, request.headers));
    errors::not_found(
        request.uri.path(),
        snippet,
        request.navigation,
        link.as_ref(),
    )
}

/// Runs this on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

/// The values of all header lines with this name as one list (RFC 9110 5.2).
fn list_header(headers: &HeaderMap, name: HeaderName) -> Option<Vec<u8>> {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    (!values.is_empty()).then(|| values.join(&b','))
}

/// 307, because browsers cache a 301, and another project may use this port tomorrow.
fn empty(status: StatusCode, name: HeaderName, value: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(name, value);
    response
}

fn generated_page(status: StatusCode, html: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    set(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
    set(&mut response, CONTENT_SECURITY_POLICY, template::POLICY);
    set(&mut response, VARY, "Sec-Fetch-Dest, Accept");
    set_body(&mut response, Body::whole(html));
    response
}
