//! Watching where there is no inotify, through `notify`.
//!
//! It reports the same thing differently on different systems; here it becomes our raw events.

use super::{NativeEvent, PER_DIRECTORY, RawEvent, Refusal};
use crate::watch::error::WatchError;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{EventKind, RecursiveMode, Watcher as _};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// One instance of the system's watcher. Dropping it ends all its watches.
pub(in crate::watch) struct Native {
    watcher: notify::RecommendedWatcher,
}

impl Native {
    /// `handler` runs on notify's thread, one report at a time.
    pub(in crate::watch) fn start(
        mut handler: impl FnMut(NativeEvent) -> Option<Instant> + Send + 'static,
    ) -> Result<Native, WatchError> {
        let handler = move |event: notify::Result<notify::Event>| match event {
            Ok(event) => translate(event, &mut handler),
            Err(error) => {
                handler(NativeEvent::Failed(into_io(error)));
            }
        };
        match notify::RecommendedWatcher::new(handler, notify::Config::default()) {
            Ok(watcher) => Ok(Native { watcher }),
            Err(error) => Err(WatchError::System(into_io(error))),
        }
    }

    /// Returns when every event of what happened by now was handled. These systems do not say when that is;
    /// they tell within some ten milliseconds (FSEvents is asked for no latency).
    pub(in crate::watch) fn drain(&self) {
        std::thread::sleep(Duration::from_millis(100));
    }

    /// Watches a directory: itself and its entries, or everything below where the system does
    /// that by itself.
    pub(in crate::watch) fn watch(&mut self, directory: &Path) -> Result<(), Refusal> {
        let mode = if PER_DIRECTORY {
            RecursiveMode::NonRecursive
        } else {
            RecursiveMode::Recursive
        };
        self.add(directory, mode)
    }

    /// Watches a directory for what happens to its direct entries only.
    pub(in crate::watch) fn watch_flat(&mut self, directory: &Path) -> Result<(), Refusal> {
        self.add(directory, RecursiveMode::NonRecursive)
    }

    /// Ends the watch that was made by this path, where there is one.
    pub(in crate::watch) fn unwatch(&mut self, directory: &Path) {
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

/// Not tried here.
pub(in crate::watch) fn reports_access(_directory: &Path) -> Option<bool> {
    None
}

fn translate(event: notify::Event, handler: &mut impl FnMut(NativeEvent) -> Option<Instant>) {
    if event.need_rescan() {
        handler(NativeEvent::Lost);
        return;
    }
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
