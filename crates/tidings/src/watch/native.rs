//! The operating system's watching: what it reports, as raw events.
//!
//! On Linux that is inotify (`inotify.rs`); elsewhere `notify` knows the system (`others.rs`). Nothing else
//! names either. A [`Native`] is started with a handler, which it calls on a thread of its own. Two facts
//! shape the rest:
//!
//! - [`Native::watch`] may wait for that thread. It must never be called from the handler, nor under a lock
//!   that the handler takes.
//! - When a directory is moved away the watch at that *path* is forgotten. A directory of the same name that
//!   we watched meanwhile is forgotten with it. So every event of a directory must be followed by a new
//!   `watch`.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod inotify;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod others;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use inotify::{Native, reports_access};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) use others::{Native, reports_access};

use super::error::Limit;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Whether the system tells that a writer is done (inotify's `IN_CLOSE_WRITE`).
pub(super) const TELLS_CLOSE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Whether the handler is called again, with [`NativeEvent::Quiet`], at the time that it returned last. Else
/// the watch thread has to be woken for that.
pub(super) const KEEPS_TIME: bool = TELLS_CLOSE;

/// Whether each directory is watched on its own (so that ignored ones cost nothing).
pub(super) const PER_DIRECTORY: bool = TELLS_CLOSE;

/// How long a file that nobody closed must be left alone to count as done.
pub(super) const WRITE_QUIET: Duration = if TELLS_CLOSE {
    Duration::from_millis(80)
} else {
    Duration::from_millis(15)
};

/// What happened to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RawEvent {
    /// It was created in place: a directory, a link, or a file somebody is about to write.
    Created,
    /// Its bytes changed, and the writer may not be done.
    Written,
    /// The writer closed it.
    Closed,
    /// It was moved here, whole.
    MovedIn,
    /// It was removed or moved away.
    Removed,
    /// Its permissions, owner or times changed.
    Attributes,
    /// It was found to differ, by looking: not of the system.
    Polled,
}

/// What comes from the system.
#[derive(Debug)]
pub(super) enum NativeEvent {
    Path(PathBuf, RawEvent),
    /// Nothing has come until the time that the handler returned.
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        expect(dead_code, reason = "where it is not reported, see `KEEPS_TIME`")
    )]
    Quiet,
    /// The system's queue ran over: some events are lost.
    Lost,
    Failed(io::Error),
}

/// Why a directory is not watched.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The user's limit of watches is reached.
    Limit,
    /// There is no watcher of the system. That is known already.
    NoWatcher,
    Other(io::Error),
}

/// The limit that stops us from watching: of all the user's processes, or of this container's.
pub(super) fn limit_of(what: &str) -> Limit {
    let read = |path: String| -> Option<u64> {
        let text = std::fs::read_to_string(path).ok()?;
        text.trim().parse().ok()
    };
    Limit::of(
        what,
        read(format!("/proc/sys/fs/inotify/max_user_{what}")),
        // Of this user namespace (namespaces(7)).
        read(format!("/proc/sys/user/max_inotify_{what}")),
    )
}
