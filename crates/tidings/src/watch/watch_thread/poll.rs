//! Looks at what is polled, and hands on what differs as if the system had reported it.

use super::WatchThread;
use crate::watch::dispatcher::RootState;
use crate::watch::inbox::Job;
use crate::watch::lock;
use crate::watch::native::{NativeEvent, RawEvent};
use crate::watch::polling::{Difference, Differing, Entry};
use crate::watch::scan;
use crate::watch::stat::{FileStat, now_ns};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long jobs and timers may wait while the rest is looked at.
pub(super) const SLICE: Duration = Duration::from_millis(20);

impl WatchThread {
    /// Looks at everything that is due.
    pub(super) fn poll(&mut self) {
        if self.polling.is_used_due(Instant::now()) {
            self.poll_used();
        }
        for (root, path) in self.polling.unsettled(Instant::now()) {
            let stat = stat_of(&path);
            let differing = self.polling.settle(&path, &stat, Instant::now());
            self.handle_polled(root, differing);
        }
        if self.polling.is_rest_due(Instant::now()) {
            self.poll_slice();
        }
        self.dispatcher
            .publish_due(&mut lock(&self.dispatcher.state));
    }

    /// Looks at the roots that are files, and at what readers asked for.
    pub(super) fn poll_used(&mut self) {
        let begun = Instant::now();
        for (root, path) in self.polling.files() {
            let Ok(stat) = stat_of(&path) else { continue };
            let times = (Instant::now(), now_ns());
            let differing = self.polling.look_at_file(&path, stat, times);
            self.handle_polled(root, differing);
        }
        let mut directories = BTreeSet::new();
        for path in self.dispatcher.used.all() {
            let Some(moved) = self.polling.moved(&path, Instant::now(), entry_of) else {
                continue;
            };
            let state = lock(&self.dispatcher.state);
            // Of what is ignored, nothing is known.
            if state.roots[moved.root]
                .tree
                .reports(&moved.entry, moved.is_dir)
            {
                directories.insert((moved.root, moved.directory));
            }
        }
        for (root, directory) in directories {
            if self.dispatcher.inbox.is_stopped() {
                return;
            }
            self.poll_directory(root, &directory);
        }
        self.polling.used_done(begun, Instant::now());
    }

    /// Goes on with the round over all directories.
    fn poll_slice(&mut self) {
        let begun = Instant::now();
        let mut ended = true;
        while let Some((root, directory)) = self.polling.next_directory() {
            if self.dispatcher.inbox.is_stopped() {
                return;
            }
            self.poll_directory(root, &directory);
            if begun.elapsed() >= SLICE {
                ended = false;
                break;
            }
        }
        self.polling.slice_done(begun, ended, Instant::now());
    }

    pub(super) fn poll_directory(&mut self, root: usize, directory: &Path) {
        let (rules, real) = {
            let state = lock(&self.dispatcher.state);
            let RootState { tree, .. } = &state.roots[root];
            (tree.rules.clone(), tree.real_directory(directory))
        };
        let scan = match scan::scan(directory, &real, &rules, now_ns()) {
            Ok(scan) => scan,
            // The next round looks again.
            Err(error) if scan::may_pass(&error) => return,
            Err(_) => {
                self.polling.remove(directory);
                let path = directory.to_owned();
                self.dispatcher.inbox.push(Job::Rewatch { root, path });
                return;
            }
        };
        let times = (Instant::now(), now_ns());
        for differing in self.polling.look(directory, &scan, times) {
            self.handle_polled(root, Some(differing));
        }
        self.dispatcher
            .publish_due(&mut lock(&self.dispatcher.state));
    }

    fn handle_polled(&mut self, root: usize, differing: Option<Differing>) {
        let Some((path, difference, stat)) = differing else {
            return;
        };
        if let Some(stat) = stat {
            let index = lock(&self.dispatcher.index);
            let reported = match difference {
                // There may have been an event, too.
                Difference::Appeared | Difference::Changed => index.is_current(&path, &stat),
                // What was never read is not worth being reported for that.
                Difference::Again => !index.has_content(&path),
                Difference::Gone => false,
            };
            if reported {
                return;
            }
        }
        let raw_event = match difference {
            Difference::Appeared => RawEvent::MovedIn,
            Difference::Changed | Difference::Again => RawEvent::Polled,
            Difference::Gone => RawEvent::Removed,
        };
        if stat.is_some() {
            // Who saves a file mostly does so again.
            self.dispatcher.used.note(&path);
        }
        let generation = lock(&self.dispatcher.state).roots[root].generation;
        self.dispatcher
            .handle(root, generation, NativeEvent::Path(path, raw_event));
    }
}

/// The file at a path. An error where it is not to be known now whether there is one.
fn stat_of(path: &Path) -> io::Result<Option<FileStat>> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Ok(None),
        Ok(meta) => Ok(Some(FileStat::of(&meta))),
        // A link that leads to itself, or nowhere for any other reason.
        Err(_) if fs::symlink_metadata(path).is_ok_and(|own| own.is_symlink()) => Ok(None),
        Err(error) if scan::may_pass(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// What is at a path.
fn entry_of(path: &Path) -> Option<Entry<FileStat>> {
    let own = fs::symlink_metadata(path).ok()?;
    let (meta, directory) = match own.is_symlink() {
        true => (fs::metadata(path).ok()?, Entry::Link),
        false => (own, Entry::Directory),
    };
    Some(match meta.is_dir() {
        true => directory,
        false => Entry::File(FileStat::of(&meta)),
    })
}
