//! A folder, served: which file answers a request, and what the answer looks like.
//!
//! ```text
//! request -> resolve (pure) -> lookup -> snippet -> lookup again -> open -> read, inject, compress
//! ```
//!
//! What must stay true:
//!
//! - There is one way from a URL to a file: `resolve::parse_target`, then `open::Root`.
//! - The snippet carries the moment up to which the page knows of changes, so it is taken *before*
//!   the file is opened, and before it is decided which file (or whether none) answers. A change
//!   after it is one that the page will hear of.
//! - Private files, files outside the root and files that are not there get the same answer.
//! - Nothing is cached without asking (`no-cache`), and what is sent again has changed.

mod advice;
mod beneath;
mod body;
mod charset;
mod choose;
mod compress;
mod denied;
mod known;
mod links;
mod listing;
mod lookup;
mod media;
mod missing;
mod navigation;
mod open;
mod range;
mod resolve;
mod serve;
mod shell;
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

pub(crate) use body::Body;
pub(crate) use compress::Compress;
pub(crate) use links::{LinkReason, UnservedLink};
pub(crate) use navigation::is_navigation;

use choose::Choice;
use compress::Coding;
use known::Known;
use media::Media;
use open::{KeptRoot, Root};
use resolve::{BadTarget, RelPath};
use serve::{Job, set, set_body};

/// How often the answer may change while we look before we take it as it is.
const ATTEMPTS: usize = 4;
/// Up to here a file is read on the spot: from the page cache that takes less time than the hop to
/// a thread that may block.
const INLINE_BYTES: u64 = 256 * 1024;
/// The same for what is compressed, which takes longer than reading.
const INLINE_COMPRESSED_BYTES: u64 = 64 * 1024;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");

/// What is served, and how.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// As given, absolute. It need not exist all the time, and may be a symlink.
    pub(crate) root: PathBuf,
    /// The file that answers navigations to what does not exist, below the root: `index.html`.
    pub(crate) spa: Option<String>,
    /// Serve what symlinks lead to outside the root.
    pub(crate) follow_symlinks: bool,
    /// List directories that have no index.
    pub(crate) listing: bool,
    pub(crate) compress: Compress,
}

/// What the caller does to HTML documents.
pub(crate) trait Pages: Send + Sync {
    /// What to put into a page. Called for every HTML document that answers a navigation, before
    /// the file is opened; a second time if meanwhile another file became the answer.
    fn snippet(&self, page: &Page<'_>) -> Snippet;
    /// A file was served, of any type, and this was its state, taken from the opened file after
    /// its last byte was read. If it did not stand still, the state before reading is told as well.
    /// (What is too large to be held in memory is told as it was when it was opened.) The path is
    /// the root as given and what was asked for below it: links in it are not resolved.
    fn observed(&self, path: &Path, meta: &Metadata);
    /// Somebody was told that this file is not there, or was given something else because it is
    /// not. The path is written as in `observed`.
    fn missed(&self, _path: &Path) {}
    /// A document that answered a navigation was not injected.
    fn left_alone(&self, url_path: &str, reason: &str);
    /// The browser will not use this file for what it has asked for it.
    fn refused(&self, _url_path: &str, _reason: &str) {}
    /// A link is not served, so that the request got another answer than what it leads to.
    fn unserved_link(&self, _link: &UnservedLink) {}
    /// The file system does not let this be read, or something on the way to it.
    fn unreadable(&self, _path: &Path, _error: &io::Error) {}
}

/// A page that can carry a snippet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page<'a> {
    /// The file's own path below the root as a URL path, decoded: `/docs/index.html`.
    File {
        url_path: &'a str,
        /// Whether another page of ours shows it in a frame.
        framed: bool,
    },
    Listing {
        url_path: &'a str,
    },
    NotFound,
}

/// What goes into a page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snippet {
    /// A script element, in ASCII.
    pub(crate) html: Bytes,
    /// Goes into the `ETag`: differs where `html` differs.
    pub(crate) tag: String,
    /// The same, for a page that brings a Content-Security-Policy of its own.
    pub(crate) with_policy: Bytes,
}

/// A folder that is served. Cheap to share in an `Arc`.
#[derive(Debug)]
pub(crate) struct Files {
    options: Options,
    spa: Option<RelPath>,
    root: KeptRoot,
    known: Arc<Known>,
    /// Replaced in tests: a file's tag settles with time.
    clock: fn() -> SystemTime,
}

/// What a request says, without its body.
#[derive(Clone, Copy)]
struct Asked<'a> {
    uri: &'a Uri,
    headers: &'a HeaderMap,
    peer: Option<IpAddr>,
    navigation: bool,
    /// `Range` is defined for GET alone (RFC 9110 14.2).
    range: Option<range::Asked>,
}

/// Whether this names a file below the root that may be served: plain names, none of them hidden.
pub(crate) fn could_be_served(path: &str) -> bool {
    !path.starts_with('/') && RelPath::plain(path).is_some_and(|path| !path.is_private())
}

/// Whether a request for `asked` (relative to the root) would be allowed to read what really is at `real`.
/// The watcher asks this of all that it finds, so that what is told of a file is what a request gets.
pub(crate) fn may_be_read(
    asked: &Path,
    real: &Path,
    real_root: &Path,
    follow_symlinks: bool,
) -> bool {
    !asked.iter().any(resolve::is_private)
        && resolve::may_be_served(real, real_root, follow_symlinks)
}

impl Files {
    pub(crate) fn new(options: Options) -> Files {
        Files {
            spa: options.spa.as_deref().and_then(RelPath::plain),
            options,
            root: KeptRoot::default(),
            known: Arc::default(),
            clock: SystemTime::now,
        }
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
        let asked = Asked {
            uri: request.uri(),
            headers,
            peer,
            navigation: is_navigation(method, headers),
            range: range.and_then(|range| range::Asked::parse(range.as_bytes())),
        };
        async move {
            let mut response = match *method {
                Method::GET | Method::HEAD => match self.answer(asked, pages).await {
                    Ok(response) => response,
                    Err(error) => self.unreadable(error, asked, pages).await,
                },
                Method::OPTIONS => empty(StatusCode::NO_CONTENT, ALLOW, METHODS),
                _ => missing::not_allowed(method, asked.navigation),
            };
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            // Ports of one machine are one site: what runs on another port may use our files.
            let policy = HeaderName::from_static("cross-origin-resource-policy");
            headers.insert(policy, HeaderValue::from_static("same-site"));
            if *method == Method::HEAD {
                *response.body_mut() = Body::empty();
            }
            response
        }
    }

    async fn answer(&self, asked: Asked<'_>, pages: &dyn Pages) -> io::Result<Response<Body>> {
        let target = match resolve::parse_target(asked.uri.path()) {
            Ok(target) if target.is_untidy() => return Ok(redirect(&target, asked.uri)),
            Ok(target) => Some(target),
            Err(BadTarget::Refused(_)) => None,
            Err(BadTarget::Malformed(why)) => return Ok(missing::malformed(why)),
        };
        for _ in 0..ATTEMPTS {
            let (root, choice, snippet) =
                self.choose_with_snippet(target.as_ref(), asked, pages)?;
            self.tell_missed(target.as_ref(), &choice, pages);
            let link = self.unserved_link(target.as_ref(), &choice, asked, pages);
            let response = match (root, choice) {
                (_, Choice::Redirect(path)) => Some(redirect(&path, asked.uri)),
                (_, Choice::Missing) | (None, _) => Some(not_found(asked, snippet.as_ref(), link)),
                (Some(root), Choice::Listing(path)) => {
                    self.listing(root, path, snippet.as_ref()).await?
                }
                (Some(root), Choice::File { path, len, status }) => {
                    self.file(root, path, len, status, snippet, asked, pages)
                        .await?
                }
            };
            // `None`: it was there a moment ago, and is not now.
            if let Some(response) = response {
                return Ok(response);
            }
        }
        Err(io::Error::other("it comes and goes too quickly"))
    }

    /// The file system has said no. The page about that reloads when this has changed, so it is looked
    /// once more after the snippet was taken: what was changed in between nobody would hear of.
    async fn unreadable(
        &self,
        error: io::Error,
        asked: Asked<'_>,
        pages: &dyn Pages,
    ) -> Response<Body> {
        let snippet = asked.navigation.then(|| pages.snippet(&Page::NotFound));
        let error = match snippet {
            Some(_) => match self.answer(asked, pages).await {
                Ok(response) => return response,
                Err(error) => error,
            },
            None => error,
        };
        if let Ok(target) = resolve::parse_target(asked.uri.path()) {
            // What a link leads to outside, or what is private, is not served, readable or not.
            let link = self.unserved_link(Some(&target), &Choice::Missing, asked, pages);
            if link.as_ref().is_some_and(|link| {
                matches!(link.reason, LinkReason::Outside | LinkReason::Private)
            }) {
                return not_found(asked, snippet.as_ref(), link);
            }
            let mut candidates = lookup::candidates(&target);
            candidates.push(target);
            candidates.extend(self.spa.clone());
            candidates.extend(RelPath::plain("404.html"));
            let paths: Vec<_> = candidates
                .iter()
                .map(|path| path.below(&self.options.root))
                .collect();
            let culprit = denied::culprit(&paths);
            pages.unreadable(culprit.as_ref().unwrap_or(&paths[0]), &error);
        }
        missing::unreadable(asked.uri.path(), &error, snippet.as_ref())
    }

    /// Which link is to blame if no file that would have answered does.
    fn unserved_link(
        &self,
        target: Option<&RelPath>,
        choice: &Choice,
        asked: Asked<'_>,
        pages: &dyn Pages,
    ) -> Option<UnservedLink> {
        // What is private is not looked for, so that nothing can be told from the answer.
        let target = target.filter(|target| !target.is_private());
        let mut candidates = target.map(lookup::candidates).unwrap_or_default();
        match choice {
            Choice::File { path, .. } if candidates.contains(path) => return None,
            Choice::Redirect(_) => return None,
            Choice::Missing if asked.navigation => candidates.extend(self.spa.clone()),
            _ => {}
        }
        let link = candidates.iter().find_map(|path| {
            links::first_unserved(&self.options.root, path, self.options.follow_symlinks)
        })?;
        pages.unserved_link(&link);
        Some(link)
    }

    /// Says which files would have answered, had they been there.
    fn tell_missed(&self, target: Option<&RelPath>, choice: &Choice, pages: &dyn Pages) {
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
            Choice::Listing(_) | Choice::Missing => None,
        };
        for candidate in &candidates[..found.unwrap_or(candidates.len())] {
            pages.missed(&candidate.below(&self.options.root));
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
        asked: Asked<'_>,
        pages: &dyn Pages,
    ) -> io::Result<Option<Response<Body>>> {
        let media = Media::of(path.name().unwrap_or_default());
        let url_path = path.decoded();
        let on_disk = path.below(&self.options.root);
        let header = |name: HeaderName| {
            asked
                .headers
                .get(name)
                .map(|value| value.as_bytes().to_vec())
        };
        let wants_script = asked.navigation && status == StatusCode::OK;
        let compress = self.options.compress.applies_to(asked.peer);
        let job = Job {
            root,
            path,
            media: media.clone(),
            status,
            snippet,
            none_match: joined(asked.headers, IF_NONE_MATCH),
            modified_since: header(IF_MODIFIED_SINCE),
            range: asked.range.filter(|_| status == StatusCode::OK),
            if_range: header(IF_RANGE),
            coding: compress.then(|| Coding::accepted(asked.headers)).flatten(),
            may_compress: self.options.compress != Compress::Never,
            known: Arc::clone(&self.known),
            clock: self.clock,
        };
        let inline = match job.coding {
            None => INLINE_BYTES,
            Some(_) => INLINE_COMPRESSED_BYTES,
        };
        let served = match len <= inline {
            true => job.run()?,
            false => off(move || job.run()).await?,
        };
        Ok(served.map(|served| {
            if let Some(after) = &served.after {
                pages.observed(&on_disk, after);
            }
            if served.moved || served.after.is_none() {
                pages.observed(&on_disk, &served.before);
            }
            let content_type = served.response.headers().get(CONTENT_TYPE);
            let content_type = content_type.and_then(|value| value.to_str().ok());
            // A 304 has none, and the browser what it had.
            let content_type =
                content_type.map_or_else(|| media.content_type(b"", false), Into::into);
            let cannot_reload = || advice::cannot_reload(&media, asked.headers, &content_type);
            let cannot_reload = wants_script.then(cannot_reload).flatten();
            if let Some(why) = served.left_alone.or(cannot_reload) {
                pages.left_alone(&url_path, why);
            }
            if let Some(why) = advice::refused(asked.headers, &content_type) {
                pages.refused(&url_path, &why);
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
        let page = off(move || listing::page(&root, &path, &script)).await?;
        Ok(page.map(|page| our_page(StatusCode::OK, page)))
    }
}

impl Snippet {
    /// The one for a document that has a policy of its own, or has none.
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

/// The 404 page, with the link that is to blame if the client may know of it.
fn not_found(
    asked: Asked<'_>,
    snippet: Option<&Snippet>,
    link: Option<UnservedLink>,
) -> Response<Body> {
    let link = link
        .filter(|link| link.reason != LinkReason::Private)
        .filter(|_| navigation::is_by_local_user(asked.peer, asked.headers));
    missing::missing(asked.uri.path(), snippet, asked.navigation, link.as_ref())
}

/// Runs what takes long on a thread that may block.
async fn off<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

/// All values of a list header, as one list (RFC 9110 5.2).
fn joined(headers: &HeaderMap, name: HeaderName) -> Option<Vec<u8>> {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    (!values.is_empty()).then(|| values.join(&b','))
}

/// 307, because browsers keep a 301 for a `localhost:8000` that is another project tomorrow.
fn redirect(to: &RelPath, from: &Uri) -> Response<Body> {
    let mut location = to.to_url();
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

fn empty(status: StatusCode, name: HeaderName, value: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(name, value);
    response
}

fn our_page(status: StatusCode, html: String) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    set(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
    set(&mut response, CONTENT_SECURITY_POLICY, shell::POLICY);
    set(&mut response, VARY, "Sec-Fetch-Dest, Accept");
    set_body(&mut response, Body::whole(html));
    response
}
