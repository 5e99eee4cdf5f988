//! Watching where there is no inotify, through `notify`.
//!
//! It says the same in several words on several systems; here it becomes our few signs.

use super::{Heard, PER_DIRECTORY, Refusal, Report};
use crate::watch::error::WatchError;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{EventKind, RecursiveMode, Watcher as _};
use std::io;
use std::path::Path;

/// One instance of the system's watcher. Dropping it ends all its watches.
pub(in crate::watch) struct Native {
    watcher: notify::RecommendedWatcher,
}

impl Native {
    /// `ear` runs on notify's thread, one report at a time.
    pub(in crate::watch) fn start(
        mut ear: impl FnMut(Report) + Send + 'static,
    ) -> Result<Native, WatchError> {
        let handler = move |event: notify::Result<notify::Event>| match event {
            Ok(event) => translate(event, &mut ear),
            Err(error) => ear(Report::Failed(into_io(error))),
        };
        match notify::RecommendedWatcher::new(handler, notify::Config::default()) {
            Ok(watcher) => Ok(Native { watcher }),
            Err(error) => Err(WatchError::System(into_io(error))),
        }
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

fn translate(event: notify::Event, ear: &mut impl FnMut(Report)) {
    if event.need_rescan() {
        ear(Report::Lost);
        return;
    }
    let heard = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Heard::Closed,
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Heard::Arrived,
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => Heard::Gone,
        EventKind::Create(_) => Heard::Created,
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => Heard::Written,
        // FSEvents does not say which end of a rename this is.
        EventKind::Modify(ModifyKind::Name(RenameMode::Any | RenameMode::Other)) => {
            for path in event.paths {
                let heard = if std::fs::symlink_metadata(&path).is_ok() {
                    Heard::Arrived
                } else {
                    Heard::Gone
                };
                ear(Report::Heard(path, heard));
            }
            return;
        }
        EventKind::Modify(ModifyKind::Metadata(_)) => Heard::Touched,
        // `Both` repeats a `From` and a `To`.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both) | ModifyKind::Other)
        | EventKind::Access(_)
        | EventKind::Any
        | EventKind::Other => return,
    };
    for path in event.paths {
        ear(Report::Heard(path, heard));
    }
}

fn into_io(error: notify::Error) -> io::Error {
    match error.kind {
        notify::ErrorKind::Io(source) => source,
        notify::ErrorKind::PathNotFound => io::ErrorKind::NotFound.into(),
        _ => io::Error::other(error.to_string()),
    }
}
