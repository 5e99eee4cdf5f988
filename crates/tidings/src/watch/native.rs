//! The operating system's watcher, through `notify`. Nothing else names that crate.
//!
//! notify reports more than we want (every `open`), and the same thing differently on different
//! systems; here it becomes six raw events. Two facts of its inotify side shape the rest:
//!
//! - [`Native::watch`] sends to notify's own thread and waits for it. It must never be called
//!   from the handler (which runs on that thread), nor under a lock that the handler takes.
//! - When notify sees a directory deleted or moved away it forgets the watch at that *path*, at
//!   the end of the batch of events it is reading. A directory of the same name that we watched
//!   meanwhile is forgotten with it. So every event of a directory must be followed by a new
//!   `watch` (which then comes after that batch).

use super::error::WatchError;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{EventKind, RecursiveMode, Watcher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Whether the system tells that a writer is done (inotify's `IN_CLOSE_WRITE`).
pub(super) const TELLS_CLOSE: bool = cfg!(any(target_os = "linux", target_os = "android"));

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
}

/// What comes from the system.
#[derive(Debug)]
pub(super) enum NativeEvent {
    Path(PathBuf, RawEvent),
    /// The system's queue ran over: some signals are lost.
    Lost,
    Failed(io::Error),
}

/// Why a directory is not watched.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The user's limit of watches is reached.
    Limit,
    Other(io::Error),
}

/// One instance of the system's watcher. Dropping it ends all its watches.
pub(super) struct Native {
    watcher: notify::RecommendedWatcher,
}

impl Native {
    /// `handler` runs on notify's thread, one report at a time.
    pub(super) fn start(
        mut handler: impl FnMut(NativeEvent) + Send + 'static,
    ) -> Result<Native, WatchError> {
        let handler = move |event: notify::Result<notify::Event>| match event {
            Ok(event) => translate(event, &mut handler),
            Err(error) => handler(NativeEvent::Failed(into_io(error))),
        };
        match notify::RecommendedWatcher::new(handler, notify::Config::default()) {
            Ok(watcher) => Ok(Native { watcher }),
            Err(error) => {
                let error = into_io(error);
                // inotify_init1(2): EMFILE is both this process's table and max_user_instances.
                if TELLS_CLOSE && error.raw_os_error() == Some(24) {
                    let limit = read_limit("max_user_instances");
                    return Err(WatchError::TooManyWatchers { limit });
                }
                Err(WatchError::System(error))
            }
        }
    }

    /// Watches a directory: itself and its entries, or everything below where the system does
    /// that by itself.
    pub(super) fn watch(&mut self, directory: &Path) -> Result<(), Refusal> {
        let mode = if PER_DIRECTORY {
            RecursiveMode::NonRecursive
        } else {
            RecursiveMode::Recursive
        };
        self.add(directory, mode)
    }

    /// Watches a directory for what happens to its direct entries only.
    pub(super) fn watch_flat(&mut self, directory: &Path) -> Result<(), Refusal> {
        self.add(directory, RecursiveMode::NonRecursive)
    }

    /// Ends the watch that was made by this path, where there is one.
    pub(super) fn unwatch(&mut self, directory: &Path) {
        // The only error is that there is none.
        let _ = self.watcher.unwatch(directory);
    }

    fn add(&mut self, directory: &Path, mode: RecursiveMode) -> Result<(), Refusal> {
        self.watcher.watch(directory, mode).map_err(|error| {
            if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) {
                Refusal::Limit
            } else {
                Refusal::Other(into_io(error))
            }
        })
    }
}

/// A limit of inotify that is now in force.
pub(super) fn read_limit(name: &str) -> Option<u64> {
    std::fs::read_to_string(Path::new("/proc/sys/fs/inotify").join(name))
        .ok()?
        .trim()
        .parse()
        .ok()
}

fn translate(event: notify::Event, handler: &mut impl FnMut(NativeEvent)) {
    if event.need_rescan() {
        handler(NativeEvent::Lost);
        return;
    }
    // Most events are files being opened by readers: leave before anything is allocated.
    let raw_event = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => RawEvent::Closed,
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => RawEvent::MovedIn,
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => {
            RawEvent::Removed
        }
        EventKind::Create(_) => RawEvent::Created,
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => RawEvent::Written,
        // FSEvents does not say which end of a rename this is.
        EventKind::Modify(ModifyKind::Name(RenameMode::Any | RenameMode::Other)) => {
            for path in event.paths {
                let raw_event = if std::fs::symlink_metadata(&path).is_ok() {
                    RawEvent::MovedIn
                } else {
                    RawEvent::Removed
                };
                handler(NativeEvent::Path(path, raw_event));
            }
            return;
        }
        EventKind::Modify(ModifyKind::Metadata(_)) => RawEvent::Attributes,
        // `Both` repeats a `From` and a `To`.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both) | ModifyKind::Other)
        | EventKind::Access(_)
        | EventKind::Any
        | EventKind::Other => return,
    };
    for path in event.paths {
        handler(NativeEvent::Path(path, raw_event));
    }
}

fn into_io(error: notify::Error) -> io::Error {
    match error.kind {
        notify::ErrorKind::Io(source) => source,
        notify::ErrorKind::PathNotFound => io::ErrorKind::NotFound.into(),
        _ => io::Error::other(error.to_string()),
    }
}
