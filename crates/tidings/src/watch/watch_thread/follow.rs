//! Links are followed to their current targets.
//!
//! A change on the way of a link causes an event where the directories on it are watched. What causes
//! none (a directory further up that is moved, a network file system) is found by resolving all links
//! again, about once a second.

use super::WatchThread;
use crate::watch::debounce::Signal;
use crate::watch::links::{End, Resolution};
use crate::watch::lock;
use crate::watch::native::PER_DIRECTORY;
use crate::watch::stat::FileStat;
use std::fs;
use std::path::{Path, PathBuf};

/// How often a link may change while it is resolved, before it is left to the next check.
const FOLLOW_LIMIT: usize = 8;

impl WatchThread {
    /// Resolves a link, if it is one, and watches what decides where it leads: again until
    /// nothing new is to be watched, so that what appears meanwhile is either found or reported by an event.
    pub(super) fn follow(&mut self, root: usize, link: &Path) {
        for _ in 0..FOLLOW_LIMIT {
            if !self.follow_once(root, link) {
                return;
            }
        }
    }

    /// Returns whether anything is watched that was not before, or could not be watched.
    fn follow_once(&mut self, root: usize, link: &Path) -> bool {
        let at = {
            let tree = &lock(&self.dispatcher.state).roots[root].tree;
            let mut at = tree.real_of(link);
            at.pop();
            at
        };
        let resolution = Resolution::of(link, at);
        let mut directories = Vec::new();
        for directory in resolution.iter().flat_map(|resolution| &resolution.watch) {
            let Ok(meta) = fs::metadata(directory) else {
                continue;
            };
            let stat = FileStat::of(&meta);
            if !self.holds_no_files(stat.device, directory) {
                directories.push((directory.clone(), stat));
            }
        }
        let (watch, left) = {
            let tree = &mut lock(&self.dispatcher.state).roots[root].tree;
            let target = resolution.as_ref().and_then(Resolution::target);
            // What nobody gets need not be watched; the next check finds where it leads then.
            let admitted = target.is_some_and(|target| tree.rules.admit(link, target, false));
            let mut watch = directories;
            watch.retain(|(directory, stat)| admitted && tree.enter_outside(directory, stat));
            (watch, tree.links.set(link, resolution))
        };
        self.leave_outside(root, &left);
        if !PER_DIRECTORY {
            return false;
        }
        for (directory, _) in &watch {
            let root_watch = &mut self.root_watches[root];
            // It may be another directory of the same name.
            root_watch.unwatch(directory);
            if root_watch.watch_flat(directory).is_err() {
                let tree = &mut lock(&self.dispatcher.state).roots[root].tree;
                tree.leave_outside(directory);
            }
        }
        !watch.is_empty()
    }

    /// Ends the watches of directories outside that no link needs any more.
    pub(super) fn leave_outside(&mut self, root: usize, directories: &[PathBuf]) {
        for directory in directories {
            let left = {
                let tree = &mut lock(&self.dispatcher.state).roots[root].tree;
                tree.leave_outside(directory)
            };
            if left {
                self.root_watches[root].unwatch(directory);
            }
        }
    }

    /// Something happened on the way of a link. `files_too`: also to the file it leads to, of
    /// which there need not have been an event.
    pub(super) fn follow_again(&mut self, root: usize, link: &Path, files_too: bool) {
        let end_of = |watch_thread: &WatchThread| -> Option<End> {
            let state = lock(&watch_thread.dispatcher.state);
            state.roots[root].tree.links.resolution(link)?.end.clone()
        };
        let before = end_of(self);
        self.follow(root, link);
        let now = end_of(self);
        let same = match (&before, &now) {
            (Some(before), Some(now)) => {
                before.real == now.real
                    && before.directory == now.directory
                    && !(files_too && before.fingerprint != now.fingerprint)
            }
            (before, now) => before.is_none() && now.is_none(),
        };
        if same {
            return;
        }
        let is_dir = |end: &Option<End>| end.as_ref().is_some_and(|end| end.directory.is_some());
        if is_dir(&before) || is_dir(&now) {
            self.rewatch(root, link);
        }
        let mut state = lock(&self.dispatcher.state);
        let known = lock(&self.dispatcher.index).names.contains(link);
        let signal = match now {
            Some(end) if end.directory.is_none() => Signal::Complete { fresh: !known },
            None if known => Signal::Removed,
            Some(_) | None => return,
        };
        // An event of the file itself knows better whether it is complete.
        if !state.debouncer.holds(link) {
            self.dispatcher.signal(&mut state, link.to_owned(), signal);
        }
    }

    /// Resolves all links again.
    pub(super) fn check_links(&mut self) {
        for root in 0..self.root_watches.len() {
            let links = lock(&self.dispatcher.state).roots[root].tree.links.all();
            for link in links {
                if self.dispatcher.inbox.is_stopped() {
                    return;
                }
                self.follow_again(root, &link, true);
                self.dispatcher
                    .publish_due(&mut lock(&self.dispatcher.state));
            }
        }
    }
}
