//! Walks: watch a directory, list it, go on with what is below.
//!
//! Always in this order, so that what appears meanwhile is either listed or reported by an event. Each walk says
//! what it is for; that decides what becomes of what it finds.

use super::WatchThread;
use crate::watch::debounce::Signal;
use crate::watch::dispatcher::State;
use crate::watch::error::WatchError;
use crate::watch::lock;
use crate::watch::native::{self, PER_DIRECTORY, Refusal};
use crate::watch::scan::{self, Entries, Scan};
use crate::watch::stat::{FileStat, TICK, as_ns, now_ns};
use crate::watch::tree::Place;
use crate::watch::{Change, ChangeKind, Notice};
use std::collections::{HashSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Why a walk is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// The first one: what changed since the start is reported with `Ready`.
    First,
    /// A directory appeared: everything in it is reported.
    Appeared,
    /// Anything may have changed, and that is reported as a whole.
    Again,
    /// The rules changed at this time: there may be more to watch, and nothing to report but what was
    /// made since then, whose own event may be still to come or may never have been asked for.
    Rules { since_ns: i64 },
}

impl WatchThread {
    pub(super) fn first_walk(&mut self) {
        let mut found = Vec::new();
        for root in 0..self.root_watches.len() {
            self.attach(root, Walk::First, &mut found);
        }
        let mut state = lock(&self.dispatcher.state);
        let mut changes = Vec::with_capacity(found.len());
        for Change { path, kind } in found {
            // What was announced meanwhile because its directory was watched already is not reported twice.
            let news = self.dispatcher.evaluate(&mut state, vec![path]);
            changes.extend(news.into_iter().map(|change| Change { kind, ..change }));
        }
        state.ready = true;
        self.dispatcher.used.want(!self.polling.is_empty());
        let directories = state
            .roots
            .iter()
            .map(|root_state| root_state.tree.len())
            .sum();
        let (newest_ms, tree) = self.dispatcher.summary(&state);
        state.notify(Notice::Ready {
            newest_ms,
            tree,
            changes,
            directories,
        });
    }

    /// Watches and lists a directory and all below it: watch first, then list, so that what
    /// appears meanwhile is either listed or reported by an event.
    pub(super) fn walk(&mut self, root: usize, top: PathBuf, walk: Walk, found: &mut Vec<Change>) {
        let mut directories = VecDeque::from([top]);
        let mut linked = VecDeque::new();
        while let Some(directory) = directories.pop_front().or_else(|| linked.pop_front()) {
            if self.dispatcher.inbox.is_stopped() {
                return;
            }
            if let Some(scan) = self.visit(root, &directory, walk, found) {
                directories.extend(scan.directories);
                linked.extend(scan.linked_directories);
            }
            self.dispatcher
                .publish_due(&mut lock(&self.dispatcher.state));
        }
    }

    pub(super) fn visit(
        &mut self,
        root: usize,
        directory: &Path,
        walk: Walk,
        found: &mut Vec<Change>,
    ) -> Option<Scan> {
        let target = match target_of(directory) {
            Ok(target) => target,
            Err(error) => {
                self.try_again(root, directory, &error);
                return None;
            }
        };
        // By its dot, so that one that may not be entered is told from one that may.
        let stat = match fs::metadata(directory.join(".")) {
            Ok(meta) => FileStat::of(&meta),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.mark_unreadable(root, directory, error);
                return None;
            }
            Err(error) => {
                self.try_again(root, directory, &error);
                return None;
            }
        };
        if self.holds_no_files(stat.device, directory) {
            return None;
        }
        let place = {
            let tree = &mut lock(&self.dispatcher.state).roots[root].tree;
            let real = target.clone().unwrap_or_else(|| tree.real_of(directory));
            if !tree.rules.admit(directory, &real, true) {
                return None;
            }
            tree.enter(directory, &stat, target)
        };
        let polled = match place {
            Place::Loop => return None,
            // Looked at by each of its names: the inode numbers of such a file system may be anything.
            Place::Alias => self.may_go_unreported(stat.device, directory),
            Place::First => {
                let unreported = self.may_go_unreported(stat.device, directory);
                !self.watch(root, directory)? || unreported
            }
        };
        let entries = match Entries::read(directory) {
            Ok(entries) => entries,
            Err(error) => {
                if error.kind() == io::ErrorKind::PermissionDenied {
                    self.mark_unreadable(root, directory, error);
                } else if scan::may_pass(&error) {
                    // The next look finds all of it.
                    self.poll_from_now_on(root, directory, &Scan::default());
                }
                return None;
            }
        };
        let (rules, real) = {
            let mut state = lock(&self.dispatcher.state);
            let tree = &mut state.roots[root].tree;
            if entries.have_rules() {
                Arc::make_mut(&mut tree.rules.ignores).load(directory);
            }
            tree.unreadable.remove(directory);
            (tree.rules.clone(), tree.real_directory(directory))
        };
        let scan = scan::survey(entries, &real, &rules, now_ns());
        drop(rules);
        if polled || scan.is_partial {
            self.poll_from_now_on(root, directory, &scan);
        } else {
            self.polling.remove(directory);
        }
        for link in &scan.links {
            self.follow(root, link);
        }
        Some(self.note(directory, &stat, scan, walk, found))
    }

    fn poll_from_now_on(&mut self, root: usize, directory: &Path, scan: &Scan) {
        let times = (Instant::now(), now_ns());
        self.polling.add(root, directory, scan, times);
        self.dispatcher.used.want(true);
    }

    /// A directory could not be looked at. If that may pass, it is found anew by the next look at the directory
    /// it is in, and a root by its next check.
    pub(super) fn try_again(&mut self, root: usize, directory: &Path, error: &io::Error) {
        if scan::may_pass(error) {
            self.polling.forget(directory);
            let root_watch = &mut self.root_watches[root];
            if root_watch.directory == directory {
                root_watch.lose();
            }
        }
    }

    /// Enters what a walk found in one directory. Returns what is left to be visited.
    fn note(
        &mut self,
        directory: &Path,
        stat: &FileStat,
        mut scan: Scan,
        walk: Walk,
        found: &mut Vec<Change>,
    ) -> Scan {
        let mut state = lock(&self.dispatcher.state);
        let vanished = match walk {
            Walk::First | Walk::Again => false,
            Walk::Appeared | Walk::Rules { .. } => self.forget_vanished(&state, directory, &scan),
        };
        let files = std::mem::take(&mut scan.files);
        if walk == Walk::Appeared {
            // The signal brings the time of what is reported; here it would come before it.
            let fresh = Signal::Complete { fresh: true };
            let empty = files.is_empty()
                && scan.directories.is_empty()
                && scan.linked_directories.is_empty();
            let created = empty && !lock(&self.dispatcher.index).names.contains(directory);
            if created || vanished {
                self.dispatcher
                    .signal(&mut state, directory.to_owned(), fresh);
            }
            // One that is still to be reported as created is not reported as anything else.
            if !created && !state.debouncer.holds(directory) {
                lock(&self.dispatcher.index).names.insert(directory, 0);
            }
            for file in files {
                self.dispatcher.signal(&mut state, file.path, fresh);
            }
            return scan;
        }
        let mut young = false;
        let mut made_since = Vec::new();
        {
            let mut index = lock(&self.dispatcher.index);
            index.names.insert(directory, 0);
            let directory_key = index.names.key(directory);
            for file in files {
                if let Walk::Rules { since_ns } = walk
                    && file
                        .born_ns
                        .is_some_and(|born| born >= since_ns - as_ns(TICK))
                    && !index.names.contains(&file.path)
                {
                    made_since.push(file.path);
                    continue;
                }
                // Known, it would be reported as modified; its own signal is to report it as created.
                if walk != Walk::First && state.debouncer.holds(&file.path) {
                    continue;
                }
                index
                    .names
                    .insert_in(directory_key, &file.path, file.newest_ms);
                if walk == Walk::First && self.is_recent(&file.stat) {
                    young = true;
                    let created = file.born_ns.is_some_and(|born| born >= self.recent_from());
                    let kind = if created {
                        ChangeKind::Created
                    } else {
                        ChangeKind::Modified
                    };
                    let path = file.path;
                    found.push(Change { path, kind });
                } else if walk == Walk::First {
                    self.unhashed.push(file);
                }
            }
        }
        for path in made_since {
            let fresh = Signal::Complete { fresh: true };
            self.dispatcher.signal(&mut state, path, fresh);
        }
        // A directory that changed though nothing in it did: something was taken out of it.
        if walk == Walk::First && !young && self.is_recent(stat) {
            let path = directory.to_owned();
            let kind = ChangeKind::Modified;
            found.push(Change { path, kind });
        }
        scan
    }

    /// Forgets what a directory no longer has, where there was no event for that: a link leads to
    /// another directory, something was mounted over it. Returns whether there was any.
    fn forget_vanished(&self, state: &State, directory: &Path, scan: &Scan) -> bool {
        if scan.is_partial {
            return false;
        }
        let mut index = lock(&self.dispatcher.index);
        let files = scan.files.iter().map(|file| &file.path);
        let paths = files.chain(&scan.directories).chain(&scan.unknown);
        let paths = paths.chain(&scan.linked_directories);
        let mut present: HashSet<u64> = paths.map(|path| index.names.key(path)).collect();
        if !index.names.has_other(directory, &present) {
            return false;
        }
        // What had an event is reported by itself.
        let held = state.debouncer.held_in(directory);
        present.extend(held.map(|path| index.names.key(path)));
        index.forget_all_but(directory, &present)
    }

    /// Has the system watch a directory. False if it is to be polled; none if it is gone.
    pub(super) fn watch(&mut self, root: usize, directory: &Path) -> Option<bool> {
        let root_watch = &mut self.root_watches[root];
        if !PER_DIRECTORY && directory != root_watch.directory && root_watch.native.is_some() {
            return Some(true);
        }
        let refusal = if root_watch.watched >= self.directory_limit {
            Refusal::Limit
        } else {
            match root_watch.watch(directory) {
                Ok(()) => {
                    root_watch.watched += 1;
                    return Some(true);
                }
                Err(refusal) => refusal,
            }
        };
        let (warning, reported) = match refusal {
            Refusal::NoWatcher => return Some(false),
            Refusal::Limit => (too_many(directory), &mut self.limit_reported),
            // It vanished. Whether it is back by now does not matter: its parent is watched, and
            // has an event for whatever comes under this name.
            Refusal::Other(error) if error.kind() == io::ErrorKind::NotFound => {
                lock(&self.dispatcher.state).roots[root]
                    .tree
                    .leave(directory);
                return None;
            }
            Refusal::Other(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.mark_unreadable(root, directory, error);
                return None;
            }
            Refusal::Other(error) => (WatchError::System(error), &mut self.refusal_reported),
        };
        if !std::mem::replace(reported, true) {
            lock(&self.dispatcher.state).notify(Notice::Warning(warning));
        }
        Some(false)
    }

    /// Files changed from here on may have changed after the start.
    pub(super) fn recent_from(&self) -> i64 {
        self.started_ns - as_ns(TICK)
    }

    pub(super) fn is_recent(&self, stat: &FileStat) -> bool {
        stat.changed_ns >= self.recent_from()
    }
}

/// Where a link leads; none for what is no link.
fn target_of(directory: &Path) -> io::Result<Option<PathBuf>> {
    match fs::symlink_metadata(directory)?.is_symlink() {
        true => fs::canonicalize(directory).map(Some),
        false => Ok(None),
    }
}

pub(super) fn too_many(directory: &Path) -> WatchError {
    WatchError::TooManyDirectories {
        limit: native::limit_of("watches"),
        path: directory.to_owned(),
    }
}
