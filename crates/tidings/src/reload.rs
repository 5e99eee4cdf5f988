//! Hot reloading: what a save means to the pages that are open.
//!
//! A [`Reloader`] turns changed files into events of a [`Hub`], and knows what a page that is made now
//! must carry ([`Stamp`]): the position in the log and the timestamp of the newest change. The
//! [`Injector`] puts the script element with it into the page, and [`CLIENT_JS`] is that script. The
//! page subscribes from its own position, so a change between "page sent" and "stream open" is heard
//! like any other.
//!
//! # The stream
//! Plain JSON for anyone's `EventSource`:
//! - the status, to each newcomer: `{"timestamp":1763800000000,"tree":"94d0c53e7a1b2f68"}`
//! - a change, with the fields of the status and
//!   `"changes":[{"path":"/css/site.css","kind":"modified"}]`
//!
//! `timestamp` is milliseconds since 1970: the newest modification or inode change of any file that
//! is watched. It grows with every change and is the same after a restart of the server, unless
//! something has changed meanwhile. `tree` is a digest of the names of all that is watched; after a
//! restart it tells that something was removed or renamed, which leaves no time. `path` is the file's path below the root, with a leading
//! slash, not percent-encoded; without a slash it is a watched path outside of the root. `kind` is
//! `created`, `modified` or `removed`. `"rescan":true` says that anything may have changed.
//!
//! `usedBy` is there where the publisher knows who asked for the file and a page cannot see that by
//! itself, as with the scripts of a worker ([`Reloader::used_by`]). It lists the paths of those pages
//! and workers; [`ANYONE`] and [`OPAQUE_ORIGIN`] stand for who is not known by a path.
//!
//! Two changes within one tick of the file system's clock would have the same timestamp, and after a
//! removal there may be no newer file at all: then the timestamp is moved on, and `newest` tells what
//! the files themselves say.

mod inject;
mod strip;

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::event::Event;
use crate::hub::{Hub, PublishError};
use crate::id::EventId;
use crate::watch::{Change, ChangeKind, ChangeSet};

pub use inject::{Injector, LIMIT as INJECTOR_LIMIT_BYTES, Outcome};

/// The topic that changes are published under.
pub const TOPIC: &str = "tidings:reload";

/// A user of a file who may be any page: nothing is known but that there is one.
pub const ANYONE: &str = "*";

/// A user of a file that has an opaque origin, as the content of a sandboxed frame has. It is written
/// as in HTML (HTML 7.1.1, "serialization of an origin"). It concerns the pages that hold such a frame.
pub const OPAQUE_ORIGIN: &str = "null";

/// One script of several files, each of one subject; they share one scope.
const CLIENT_SOURCE: &str = concat!(
    include_str!("reload/client/start.js"),
    include_str!("reload/client/ids.js"),
    include_str!("reload/client/share.js"),
    include_str!("reload/client/worker.js"),
    include_str!("reload/client/page.js"),
    include_str!("reload/client/addresses.js"),
    include_str!("reload/client/documents.js"),
    include_str!("reload/client/sheets.js"),
    include_str!("reload/client/images.js"),
    include_str!("reload/client/uses.js"),
    include_str!("reload/client/change.js"),
    include_str!("reload/client/receive.js"),
    include_str!("reload/client/join.js"),
    include_str!("reload/client/end.js"),
);

const CLIENT_STRIPPED: ([u8; CLIENT_SOURCE.len()], usize) = strip::strip(CLIENT_SOURCE);

/// The script that listens in the page. Serve it as JavaScript in UTF-8.
pub const CLIENT_JS: &str = match str::from_utf8(CLIENT_STRIPPED.0.split_at(CLIENT_STRIPPED.1).0) {
    Ok(text) => text,
    Err(_) => panic!("whole lines were left out"),
};

/// Publishes what has changed, and knows what a page must carry.
#[derive(Debug)]
pub struct Reloader {
    hub: Hub,
    root: PathBuf,
    // Held while a change is published, so that a position and a timestamp always belong together.
    // A hub in memory does not wait there.
    clock: Mutex<Clock>,
    users: Users,
}

type FindUsers = dyn Fn(&PublishedChange) -> Vec<String> + Send + Sync;

/// Who uses a changed file, as far as the caller knows.
struct Users(Box<FindUsers>);

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Users")
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    timestamp: Option<u64>,
    newest: u64,
    tree: Option<u64>,
}

/// What a page that is made now must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stamp {
    /// The position after which everything is news to the page.
    pub cursor: EventId,
    /// The timestamp of the newest change; `None` while the tree has not been looked through.
    pub timestamp: Option<u64>,
    /// What the files themselves say, where that differs.
    pub newest: Option<u64>,
    /// The digest of the names of all files; `None` where it is not known.
    pub tree: Option<u64>,
}

/// Which page it is that gets a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageIs<'a> {
    /// A file: its path below the root, with a leading slash.
    File(&'a str),
    /// A listing of a directory: its path, with a slash at both ends.
    Listing(&'a str),
    /// An error page in the place of one that may yet come.
    Missing,
    /// Made by a program: any change may concern it.
    Other,
}

/// What has been published.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Published {
    /// Its id.
    pub id: EventId,
    /// Its timestamp, in milliseconds since 1970.
    pub timestamp: u64,
    /// The paths, as they are in the event.
    pub changes: Vec<PublishedChange>,
}

/// One changed file, as it is in the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PublishedChange {
    /// Its path below the root, with a leading slash; without one, outside of the root.
    pub path: String,
    /// `created`, `modified` or `removed`.
    pub kind: &'static str,
    /// The paths of its users, where [`Reloader::used_by`] knows of any.
    #[serde(rename = "usedBy", skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<String>,
}

#[derive(Serialize)]
struct Told<'a> {
    timestamp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<u64>,
    // JSON numbers end at 53 bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    tree: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a [PublishedChange]>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rescan: bool,
}

impl Reloader {
    /// A reloader for the pages below this directory, which must be the one that the watcher tells
    /// paths below of.
    pub fn new(hub: Hub, root: impl Into<PathBuf>) -> Reloader {
        Reloader {
            hub,
            root: root.into(),
            clock: Mutex::default(),
            users: Users(Box::new(|_| Vec::new())),
        }
    }

    /// Has each changed file's users looked up and published with it, for pages that cannot know
    /// all of them: what a worker or a sandboxed frame asks for is not seen by the page around it.
    ///
    /// `users` gets the path and the kind of a change. It returns URL paths, or [`ANYONE`], or
    /// [`OPAQUE_ORIGIN`]; nothing where the pages themselves know.
    #[must_use]
    pub fn used_by(
        mut self,
        users: impl Fn(&PublishedChange) -> Vec<String> + Send + Sync + 'static,
    ) -> Reloader {
        self.users = Users(Box::new(users));
        self
    }

    /// The hub that is published to.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a page must carry. Take it *before* the page's file is opened: what is saved after that
    /// is then news to the page.
    pub fn stamp(&self) -> Stamp {
        let clock = self.clock();
        let newest = clock.timestamp.is_some_and(|t| t != clock.newest);
        Stamp {
            cursor: self.hub.cursor(),
            timestamp: clock.timestamp,
            newest: newest.then_some(clock.newest),
            tree: clock.tree,
        }
    }

    /// The tree has been looked through: sets the status, and publishes what changed meanwhile. The
    /// arguments are those of [`Notice::Ready`](crate::watch::Notice::Ready).
    ///
    /// # Errors
    /// [`PublishError`] where the hub does not take it.
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
            // Something was published before: that has set the status, and a second one would
            // look like a change that nobody was told of.
            if clock.timestamp.is_some() && changes.is_empty() {
                return Ok(None);
            }
        }
        self.publish(newest_ms, tree, changes, false).map(Some)
    }

    /// Publishes a set of changes.
    ///
    /// # Errors
    /// [`PublishError`] where the hub does not take it.
    pub fn changed(&self, set: &ChangeSet) -> Result<Published, PublishError> {
        self.publish(set.newest_ms, set.tree, &set.changes, set.rescan)
    }

    fn publish(
        &self,
        newest_ms: u64,
        tree: Option<u64>,
        changes: &[Change],
        rescan: bool,
    ) -> Result<Published, PublishError> {
        let changes: Vec<_> = changes
            .iter()
            .map(|change| self.published(change))
            .collect();
        let mut clock = self.clock();
        (clock.newest, clock.tree) = (newest_ms, tree);
        let timestamp = match clock.timestamp {
            None => clock.newest,
            Some(last) => clock.newest.max(last + 1),
        };
        let newest = (timestamp != clock.newest).then_some(clock.newest);
        let digits = tree.map(digits);
        let status = Told {
            timestamp,
            newest,
            tree: digits.as_deref(),
            changes: None,
            rescan: false,
        };
        let told = Told {
            changes: (!changes.is_empty() || rescan).then_some(changes.as_slice()),
            rescan,
            ..status
        };
        let id = self
            .hub
            .publish_with_status_blocking(TOPIC, json(&told), json(&status))?;
        clock.timestamp = Some(timestamp);
        Ok(Published {
            id,
            timestamp,
            changes,
        })
    }

    fn published(&self, change: &Change) -> PublishedChange {
        let mut published = PublishedChange {
            path: match change.path.strip_prefix(&self.root) {
                Ok(below) => url_path(below),
                Err(_) => change
                    .path
                    .to_string_lossy()
                    .trim_start_matches('/')
                    .to_owned(),
            },
            kind: match change.kind {
                ChangeKind::Created => "created",
                ChangeKind::Modified => "modified",
                ChangeKind::Removed => "removed",
            },
            used_by: Vec::new(),
        };
        published.used_by = (self.users.0)(&published);
        published
    }
}

fn json(told: &Told<'_>) -> Event {
    match Event::json(told) {
        Ok(event) => event,
        // Numbers, booleans and strings can always be written.
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

/// Everything that means something in an attribute or a URL, or is not ASCII.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'~');

/// The script element for one page: ASCII, made with `to_string()`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ScriptElement<'a> {
    /// The address of [`CLIENT_JS`]; it must need no escaping in an attribute. Pages share a stream if
    /// theirs is the same up to the first `&` or `#`, so a version of the script belongs before that.
    pub client: &'a str,
    /// The address of the stream, likewise.
    pub stream: &'a str,
    /// What the page carries.
    pub stamp: &'a Stamp,
    /// Which page it is.
    pub page: PageIs<'a>,
    /// Whether the page brings a Content-Security-Policy in a `<meta>`. Its script then listens from
    /// a worker, which has a policy of its own: the page may forbid itself to connect.
    pub own_policy: bool,
}

impl<'a> ScriptElement<'a> {
    /// The element for a page without a policy of its own.
    pub fn new(
        client: &'a str,
        stream: &'a str,
        stamp: &'a Stamp,
        page: PageIs<'a>,
    ) -> ScriptElement<'a> {
        ScriptElement {
            client,
            stream,
            stamp,
            page,
            own_policy: false,
        }
    }

    /// Says whether the page brings a Content-Security-Policy in a `<meta>`.
    #[must_use]
    pub fn own_policy(mut self, own_policy: bool) -> ScriptElement<'a> {
        self.own_policy = own_policy;
        self
    }
}

impl fmt::Display for ScriptElement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let safe = |text| utf8_percent_encode(text, ATTRIBUTE);
        write!(
            f,
            r#"<script src="{}" data-stream="{}" data-cursor="{}""#,
            self.client,
            self.stream,
            safe(self.stamp.cursor.as_str())
        )?;
        if let Some(timestamp) = self.stamp.timestamp {
            write!(f, r#" data-timestamp="{timestamp}""#)?;
        }
        if let Some(newest) = self.stamp.newest {
            write!(f, r#" data-newest="{newest}""#)?;
        }
        if let Some(tree) = self.stamp.tree {
            write!(f, r#" data-tree="{}""#, digits(tree))?;
        }
        match self.page {
            PageIs::File(path) => write!(f, r#" data-file="{}""#, safe(path))?,
            PageIs::Listing(path) => write!(f, r#" data-listing="{}""#, safe(path))?,
            PageIs::Missing => f.write_str(" data-missing")?,
            PageIs::Other => f.write_str(" data-any")?,
        }
        if self.own_policy {
            f.write_str(" data-policy")?;
        }
        f.write_str("></script>")
    }
}

#[cfg(test)]
mod tests;
