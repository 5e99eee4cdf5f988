//! Hot reloading: open pages show what was saved.
//!
//! [`Reload`] is all of it for an app on axum or anything else that takes tower layers. The rest is for servers that
//! want only parts of it:
//! - what is injected is decided by [`Navigation::of`] for a request and [`Navigation::decide`] for its response, and
//!   carried out by [`Navigation::respond`], which makes a [`PageBody`];
//! - [`OwnPaths`] says where the script and the stream are, and [`client_response`] is the response with the script;
//! - [`Reloader`], [`Injector`] and [`InjectBody`] are the pieces below that.
//!
//! # How a page stays up to date
//! A [`Reloader`] publishes changed files as events of a [`Hub`], and says what a page served now must
//! carry ([`PageState`]): the cursor in the log, and the timestamp of the newest change. An [`Injector`]
//! inserts the script element with it into the page, and [`CLIENT_JS`] is that script. The page
//! subscribes from its own cursor, so it also gets a change that comes after it was served and before
//! its stream is open.
//!
//! # The stream
//! The events are JSON, for any `EventSource`:
//! - the status, which each new reader gets first: `{"timestamp":1763800000000,"tree":"94d0c53e7a1b2f68"}`
//! - a change, which has the fields of the status but for `problem`, and
//!   `"changes":[{"path":"/css/site.css","kind":"modified"}]`
//! - a problem that has come or gone: the status as it is now
//! - a restart of the backend: the status as it is now, and `"restarted":true`
//! - a roll call: the status as it is now, and `"call":true`. Each page reports when it shows all changes before it.
//! - a question: the status as it is now, and `"ask":[..]` with changes as in `changes`. Each page reports what it
//!   would do about them, and does nothing.
//!
//! So an event without `changes` is the whole status, and a field that it does not have does not apply (any
//! more). A change leaves the problem as it is.
//!
//! | Field | |
//! |---|---|
//! | `timestamp` | milliseconds since 1970: the newest modification or inode change of any watched file. It grows with every change, and with every restart of the backend. After a restart of the server it is the same, unless something changed meanwhile. Absent until the first walk over the files is done. |
//! | `newest` | the newest time of the files themselves, only where `timestamp` is greater: because two changes had the same time on disk, the newest file was removed, or the backend was restarted |
//! | `tree` | a digest of the names of everything that is watched, absent for very large trees. After a restart it shows that something was removed or renamed, which leaves no newer time. |
//! | `path` | the file's path below the root, with a leading slash, not percent-encoded; without the slash, a watched path outside of the root |
//! | `kind` | `created`, `modified` or `removed` |
//! | `usedBy` | the paths of pages and workers that use the file, where the publisher knows of some that a page cannot see itself ([`Reloader::used_by`]). [`ANYONE`] and [`OPAQUE_ORIGIN`] stand for users without a known path. |
//! | `text` | the file's new text, of small style sheets and pages where the publisher knows it ([`Reloader::texts`]) |
//! | `head` | of a page whose `text` is there: the digest of its headers ([`PageHead`]) |
//! | `rescan` | `true` if anything may have changed |
//! | `restarted` | `true` if another run of the backend answers from now on |
//! | `paused` | how many changes are held, during a pause ([`Reloader::pause`]): in each event, and absent otherwise |
//! | `problem` | why pages are not what their source says ([`Reloader::set_problem`]): `{"id":"5e0a2c.7","kind":"build_failed","title":"The build failed","text":[["error","bold fg9"],[": expected `;`\n"]]}` |
//! | `id` | another problem has another one, also in another run of the server |
//! | `kind` of a problem | `build_failed`, `backend_exited`, `backend_not_ready` or `backend_unreachable` |
//! | `excerpt` | the lines of a file that it is about: `{"file":"src/main.rs","line":4,"column":5,"first":1,"lines":[..]}`, where `first` is the number of the first of the lines |
//! | `text` | pieces of text, some with a style: names separated by blanks, of `bold`, `dim`, `italic`, `underline`, `strike`, `inverse`, `file` (a place in a file), `fg0` to `fg15` and `bg0` to `bg15` (the colours of a terminal), `fg#rrggbb` and `bg#rrggbb` |

mod caching;
mod client;
mod guard;
mod handle;
mod inject;
mod inject_body;
mod layer;
mod navigation;
mod options;
mod own_paths;
mod page_body;
mod pause;
mod policy;
mod problem;
mod response;
mod roll_call;
mod script_element;
mod text_page;
mod texts;
mod versions;

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::event::Event;
use crate::hub::{Hub, PublishError};
use crate::id::EventId;
use crate::watch::{Change, ChangeKind, ChangeSet};

use pause::Held;
use problem::PublishedProblem;
use texts::Texts;

pub use caching::revalidate;
pub use client::CLIENT_JS;
pub use handle::Reload;
pub use inject::{Injector, LIMIT as INJECTOR_LIMIT_BYTES, Outcome};
pub use inject_body::InjectBody;
pub use layer::{ReloadBody, ReloadFuture, ReloadLayer, ReloadService};
pub use navigation::{Navigation, as_navigation, is_navigation};
pub use options::{PageOptions, ReloadMode};
pub use own_paths::{OwnPaths, OwnResource, client_response, stream_response};
pub use page_body::PageBody;
pub use pause::Resumed;
pub use problem::{Excerpt, PROBLEM_HEADER, Place, Problem, ProblemKind, problem_page};
pub use response::Decision;
pub use script_element::ScriptElement;
pub use texts::ChangedText;
pub use versions::{PageHead, SentPage, Version, Versions};

/// The topic that changes are published under.
pub const TOPIC: &str = "tidings:reload";

/// An unknown user of a file: it may be any page.
pub const ANYONE: &str = "*";

/// A user of a file with an opaque origin, such as the document of a sandboxed frame. The change concerns
/// every page with such a frame. Written like a serialized opaque origin (WHATWG HTML 7.1.1).
pub const OPAQUE_ORIGIN: &str = "null";

/// Publishes changes, and knows the state that a page must carry.
#[derive(Debug)]
pub struct Reloader {
    hub: Hub,
    /// `None`: no file has a known address.
    root: Option<PathBuf>,
    /// The path under which each directory is served, and the directory.
    mounts: Vec<(String, PathBuf)>,
    // Held while a change is published, so that the cursor and the timestamp of a page always match. A
    // hub in memory never blocks there.
    clock: Mutex<Clock>,
    users: Users,
    texts: Texts,
    // Held to read or replace it.
    options: Mutex<Arc<PageOptions>>,
    versions: Arc<Versions>,
}

type UsersOf = dyn Fn(&PublishedChange) -> Vec<String> + Send + Sync;

/// The callback of [`Reloader::used_by`].
struct Users(Box<UsersOf>);

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Users")
    }
}

#[derive(Debug, Default)]
struct Clock {
    timestamp: Option<u64>,
    newest: u64,
    tree: Option<u64>,
    problem: Option<Arc<PublishedProblem>>,
    /// What has changed during a pause; `None` if there is none.
    held: Option<Held>,
}

impl Clock {
    /// The timestamp of a change that is published now.
    fn next_timestamp(&self) -> u64 {
        match self.timestamp {
            None => self.newest,
            Some(last) => self.newest.max(last + 1),
        }
    }

    /// The status with this timestamp.
    fn status(&self, timestamp: Option<u64>) -> Payload<'_> {
        let moved = timestamp.is_some_and(|timestamp| timestamp != self.newest);
        Payload {
            timestamp,
            newest: moved.then_some(self.newest),
            tree: self.tree.map(digits),
            problem: self.problem.as_deref(),
            paused: self.held.as_ref().map(Held::len),
            ..Payload::default()
        }
    }
}

/// The state that a page served now must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageState {
    /// The page has not seen any event after this one.
    pub cursor: EventId,
    /// The timestamp of the newest change; `None` until the first walk is done.
    pub timestamp: Option<u64>,
    /// The newest time of the files themselves, where it differs from `timestamp`.
    pub newest: Option<u64>,
    /// The digest of the names of all watched files; `None` where it is not known.
    pub tree: Option<u64>,
    problem: Option<Arc<PublishedProblem>>,
    paused: Option<usize>,
    options: Arc<PageOptions>,
}

impl PageState {
    /// The problem that the page shows.
    pub fn problem(&self) -> Option<&Problem> {
        self.problem.as_deref().map(|published| &published.problem)
    }
}

#[cfg(test)]
impl PageState {
    fn at(cursor: EventId) -> PageState {
        PageState {
            cursor,
            timestamp: None,
            newest: None,
            tree: None,
            problem: None,
            paused: None,
            options: Arc::default(),
        }
    }
}

/// What kind of page a script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageKind<'a> {
    /// A file: its path below the root, with a leading slash.
    File(&'a str),
    /// A listing of a directory: its path, with a slash at both ends.
    Listing(&'a str),
    /// An error page: it is replaced once its own address has a page.
    Missing,
    /// A [`problem_page`]: it is replaced once its own address has an answer without [`PROBLEM_HEADER`].
    Waiting,
    /// A page generated by a program: any change may concern it.
    Other,
}

/// A change that was published.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Published {
    /// The event's id.
    pub id: EventId,
    /// The event's timestamp, in milliseconds since 1970.
    pub timestamp: u64,
    /// The changed files, as in the event.
    pub changes: Vec<PublishedChange>,
}

/// One changed file, as in the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PublishedChange {
    /// Its path below the root, with a leading slash; without the slash, a path outside of the root.
    pub path: String,
    /// `created`, `modified` or `removed`.
    pub kind: &'static str,
    /// Its users, as returned by the callback of [`Reloader::used_by`].
    #[serde(rename = "usedBy", skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<String>,
    /// The file's new text, as returned by the callback of [`Reloader::texts`]. Not serialized: it is a part of
    /// the event only.
    #[serde(skip)]
    pub text: Option<ChangedText>,
}

/// The data of an event.
#[derive(Default, Serialize)]
struct Payload<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<u64>,
    // As text: JavaScript's numbers hold 53 bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    tree: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a PublishedProblem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<usize>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "texts::with_texts"
    )]
    changes: Option<&'a [PublishedChange]>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rescan: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    restarted: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    call: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<&'a [PublishedChange]>,
}

impl Reloader {
    /// A reloader for the pages below this directory, which must be written as the watcher reports it:
    /// absolute.
    pub fn new(hub: Hub, root: impl Into<PathBuf>) -> Reloader {
        Reloader::with_root(hub, Some(root.into()))
    }

    /// A reloader for the pages of a program: under which addresses it serves the files that are watched, if
    /// it does, is not known. Their paths are published without a leading slash.
    pub fn without_root(hub: Hub) -> Reloader {
        Reloader::with_root(hub, None)
    }

    fn with_root(hub: Hub, root: Option<PathBuf>) -> Reloader {
        Reloader {
            hub,
            root,
            mounts: Vec::new(),
            clock: Mutex::default(),
            users: Users(Box::new(|_| Vec::new())),
            texts: Texts::default(),
            options: Mutex::default(),
            versions: Arc::default(),
        }
    }

    /// Adds directories that are served under paths of their own, such as `/docs`, without a slash at the
    /// end. Their changes are published under these paths.
    #[must_use]
    pub fn mounts<'a>(
        mut self,
        mounts: impl IntoIterator<Item = (&'a str, impl Into<PathBuf>)>,
    ) -> Reloader {
        let mounts = mounts.into_iter();
        self.mounts
            .extend(mounts.map(|(prefix, dir)| (prefix.to_owned(), dir.into())));
        self
    }

    /// Sets a callback that returns the users of a changed file; they are published with the change. A
    /// page cannot see all uses itself: not what a worker or a sandboxed frame loads.
    ///
    /// The callback gets the path and the kind of the change. It returns URL paths, [`ANYONE`] or
    /// [`OPAQUE_ORIGIN`], and nothing where the page sees the use itself.
    #[must_use]
    pub fn used_by(
        mut self,
        users: impl Fn(&PublishedChange) -> Vec<String> + Send + Sync + 'static,
    ) -> Reloader {
        self.users = Users(Box::new(users));
        self
    }

    /// Sets what the pages do about changes.
    #[must_use]
    pub fn options(self, options: PageOptions) -> Reloader {
        self.set_options(options);
        self
    }

    fn set_options(&self, options: PageOptions) {
        *self.options.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(options);
    }

    fn current_options(&self) -> Arc<PageOptions> {
        Arc::clone(&self.options.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a page that is sent now is to be kept as, so that it can be patched later. `None` if pages are never
    /// patched.
    pub fn new_version(&self) -> Option<Version> {
        (self.current_options().reload != ReloadMode::Full).then(|| Version::new(&self.versions))
    }

    /// The pages that were sent.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// The hub to which changes are published.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state that a page served now must carry. Take it *before* the page's file is opened, so that
    /// the page gets every change that comes after that.
    pub fn page_state(&self) -> PageState {
        let clock = self.clock();
        let newest = clock.timestamp.is_some_and(|t| t != clock.newest);
        PageState {
            cursor: self.hub.cursor(),
            timestamp: clock.timestamp,
            newest: newest.then_some(clock.newest),
            tree: clock.tree,
            problem: clock.problem.clone(),
            paused: clock.held.as_ref().map(Held::len),
            options: self.current_options(),
        }
    }

    /// Sets the status after the watcher's first walk, and publishes what changed during it. The
    /// arguments are the fields of [`Notice::Ready`](crate::watch::Notice::Ready).
    ///
    /// # Errors
    /// [`PublishError`] if the hub refuses the event.
    pub fn ready(
        &self,
        newest_ms: u64,
        tree: Option<u64>,
        changes: &[Change],
    ) -> Result<Option<Published>, PublishError> {
        {
            let mut clock = self.clock();
            clock.newest = newest_ms;
            clock.tree = tree;
            // A change that was published during the walk has set the status already. A second status
            // with another id would look to a page like a change that it has missed.
            if clock.timestamp.is_some() && changes.is_empty() {
                return Ok(None);
            }
        }
        self.publish(newest_ms, tree, changes, false)
    }

    /// Publishes a set of changes. Returns `None` if they are held: see [`pause`](Self::pause).
    ///
    /// # Errors
    /// [`PublishError`] if the hub refuses the event.
    pub fn changed(&self, set: &ChangeSet) -> Result<Option<Published>, PublishError> {
        self.publish(set.newest_ms, set.tree, &set.changes, set.rescan)
    }

    fn publish(
        &self,
        newest_ms: u64,
        tree: Option<u64>,
        changes: &[Change],
        rescan: bool,
    ) -> Result<Option<Published>, PublishError> {
        let published = self.published(changes);
        let mut clock = self.clock();
        if let Some(held) = clock
            .held
            .as_mut()
            .filter(|_| rescan || !changes.is_empty())
        {
            held.add(newest_ms, tree, changes, rescan);
            return self.tell_status(&clock).map(|_| None);
        }
        (clock.newest, clock.tree) = (newest_ms, tree);
        self.tell_changes(&mut clock, published, rescan).map(Some)
    }

    /// Publishes these changes under the next timestamp; without any, the status.
    fn tell_changes(
        &self,
        clock: &mut Clock,
        changes: Vec<PublishedChange>,
        rescan: bool,
    ) -> Result<Published, PublishError> {
        let timestamp = clock.next_timestamp();
        let status = clock.status(Some(timestamp));
        let is_change = !changes.is_empty() || rescan;
        let change = Payload {
            changes: is_change.then_some(changes.as_slice()),
            rescan,
            // What there is stays as it is, and is not sent again with each change.
            problem: status.problem.filter(|_| !is_change),
            ..clock.status(Some(timestamp))
        };
        let id = self
            .hub
            .publish_with_status_blocking(TOPIC, json(&change), json(&status))?;
        clock.timestamp = Some(timestamp);
        Ok(Published {
            id,
            timestamp,
            changes,
        })
    }

    fn below_root<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        path.strip_prefix(self.root.as_ref()?).ok()
    }

    /// Sets or clears the problem that every page shows: those that are open, and those that are served
    /// from now on. Pages keep their state, because the timestamp does not move.
    ///
    /// Returns the id of the event, or `None` if this problem was set already: then nothing is published,
    /// and pages whose users have dismissed it do not show it again.
    ///
    /// # Errors
    /// [`PublishError`] if the hub refuses the event.
    pub fn set_problem(&self, problem: Option<Problem>) -> Result<Option<EventId>, PublishError> {
        let mut clock = self.clock();
        if clock.problem.as_deref().map(|current| &current.problem) == problem.as_ref() {
            return Ok(None);
        }
        let problem = problem.map(|problem| {
            // The position before the event: no two events have the same one.
            let id = self.hub.cursor().as_str().to_owned();
            Arc::new(PublishedProblem { id, problem })
        });
        let before = std::mem::replace(&mut clock.problem, problem);
        match self.tell_status(&clock) {
            Ok(id) => Ok(Some(id)),
            Err(error) => {
                clock.problem = before;
                Err(error)
            }
        }
    }

    /// Tells every page that a new backend answers from now on, which ends any problem. It may answer anything
    /// differently, so pages bring all that they have loaded up to date, or reload; during a pause, when that ends.
    ///
    /// # Errors
    /// [`PublishError`] if the hub refuses the event.
    pub fn restarted(&self) -> Result<EventId, PublishError> {
        let mut clock = self.clock();
        let before = clock.problem.take();
        let told = match &mut clock.held {
            Some(held) => {
                held.add_restart();
                self.tell_status(&clock)
            }
            None => self.tell_restart(&mut clock),
        };
        if told.is_err() {
            clock.problem = before;
        }
        told
    }

    /// The changes under each address of their files.
    fn published(&self, changes: &[Change]) -> Vec<PublishedChange> {
        let mut all = Vec::with_capacity(changes.len());
        for change in changes {
            let mut paths = self.addresses(&change.path);
            if paths.is_empty() {
                let path = change.path.to_string_lossy();
                paths.push(path.trim_start_matches('/').to_owned());
            }
            let kind = match change.kind {
                ChangeKind::Created => "created",
                ChangeKind::Modified => "modified",
                ChangeKind::Removed => "removed",
            };
            for path in paths {
                let mut published = PublishedChange {
                    path,
                    kind,
                    used_by: Vec::new(),
                    text: None,
                };
                published.used_by = (self.users.0)(&published);
                published.text = (self.texts.0)(&published);
                all.push(published);
            }
        }
        all
    }

    /// The URL paths of a file: none if it is not served. A directory may be both in the root and mounted.
    fn addresses(&self, path: &Path) -> Vec<String> {
        let mounted = self.mounts.iter().filter_map(|(prefix, dir)| {
            let below = path.strip_prefix(dir).ok()?;
            Some(format!("{prefix}{}", url_path(below)))
        });
        let in_root = self.below_root(path).map(url_path);
        mounted.chain(in_root).collect()
    }
}

fn json(payload: &Payload<'_>) -> Event {
    Event::data(json_text(payload))
}

fn json_text(value: &impl Serialize) -> String {
    match serde_json::to_string(value) {
        Ok(text) => text,
        // Numbers, booleans and strings are always valid JSON.
        Err(error) => unreachable!("{error}"),
    }
}

fn digits(tree: u64) -> String {
    format!("{tree:016x}")
}

fn url_path(below: &Path) -> String {
    let mut path = String::new();
    for component in below.components() {
        if let Component::Normal(name) = component {
            path.push('/');
            path.push_str(&name.to_string_lossy());
        }
    }
    if path.is_empty() {
        "/".to_owned()
    } else {
        path
    }
}

#[cfg(test)]
mod tests;
