//! Walks: watch a directory, list it, go on with what is below.
//!
//! Always in this order, so that what appears meanwhile is either listed or heard. Each walk says
//! what it is for; that decides what becomes of what it finds.

use super::Keeper;
use crate::watch::debounce::Sign;
use crate::watch::desk::State;
use crate::watch::error::WatchError;
use crate::watch::lock;
use crate::watch::native::{self, PER_DIRECTORY, Refusal};
use crate::watch::stamp::{Stamp, TICK, as_ns, now_ns};
use crate::watch::survey::{self, Survey};
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
    /// Anything may have changed, and that is said as a whole.
    Again,
    /// The rules changed: there may be more to watch, and nothing to say.
    Rules,
}

impl Keeper {
    pub(super) fn first_walk(&mut self) {
        let mut found = Vec::new();
        for root in 0..self.anchors.len() {
            self.stand(root, Walk::First, &mut found);
        }
        let mut state = lock(&self.desk.state);
        let mut changes = Vec::with_capacity(found.len());
        for Change { path, kind } in found {
            // What was announced meanwhile because its directory was watched already is not news.
            let news = self.desk.judge(&mut state, vec![path]);
            changes.extend(news.into_iter().map(|change| Change { kind, ..change }));
        }
        state.ready = true;
        let directories = state.roots.iter().map(|rooted| rooted.tree.len()).sum();
        let (newest_ms, tree) = self.desk.summary(&state);
        state.tell(Notice::Ready {
            newest_ms,
            tree,
            changes,
            directories,
        });
    }

    /// Watches and lists a directory and all below it: watch first, then list, so that what
    /// appears meanwhile is either listed or heard.
    pub(super) fn walk(&mut self, root: usize, top: PathBuf, walk: Walk, found: &mut Vec<Change>) {
        let mut directories = VecDeque::from([top]);
        let mut linked = VecDeque::new();
        while let Some(directory) = directories.pop_front().or_else(|| linked.pop_front()) {
            if self.desk.inbox.is_stopped() {
                return;
            }
            if let Some(survey) = self.visit(root, &directory, walk, found) {
                directories.extend(survey.directories);
                linked.extend(survey.linked_directories);
            }
            self.desk.publish_due(&mut lock(&self.desk.state));
        }
    }

    pub(super) fn visit(
        &mut self,
        root: usize,
        directory: &Path,
        walk: Walk,
        found: &mut Vec<Change>,
    ) -> Option<Survey> {
        let own = fs::symlink_metadata(directory).ok()?;
        let target = match own.is_symlink() {
            true => Some(fs::canonicalize(directory).ok()?),
            false => None,
        };
        // By its dot, so that one that may not be entered is told from one that may.
        let stamp = match fs::metadata(directory.join(".")) {
            Ok(meta) => Stamp::of(&meta),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.set_aside(root, directory, error);
                return None;
            }
            // It is gone, or no directory.
            Err(_) => return None,
        };
        if self.holds_no_files(stamp.device) {
            return None;
        }
        let place = {
            let tree = &mut lock(&self.desk.state).roots[root].tree;
            let real = target.clone().unwrap_or_else(|| tree.real_of(directory));
            if !tree.rules.admit(directory, &real, true) {
                return None;
            }
            tree.enter(directory, &stamp, target)
        };
        let polled = match place {
            Place::Loop => return None,
            Place::Alias => false,
            Place::First => !self.watch(root, directory)?,
        };
        let (rules, real) = {
            let mut state = lock(&self.desk.state);
            let tree = &mut state.roots[root].tree;
            if survey::has_rules(directory) {
                Arc::make_mut(&mut tree.rules.ignores).load(directory);
            }
            tree.unreadable.remove(directory);
            (tree.rules.clone(), tree.real_directory(directory))
        };
        let survey = match survey::survey(directory, &real, &rules, now_ns()) {
            Ok(survey) => survey,
            Err(error) => {
                if error.kind() == io::ErrorKind::PermissionDenied {
                    self.set_aside(root, directory, error);
                }
                return None;
            }
        };
        drop(rules);
        if polled {
            self.polling.add(root, directory, &survey, Instant::now());
        } else {
            self.polling.remove(directory);
        }
        for link in &survey.links {
            self.follow(root, link);
        }
        Some(self.note(directory, &stamp, survey, walk, found))
    }

    /// Enters what a walk found in one directory. Gives back what is left to be visited.
    fn note(
        &mut self,
        directory: &Path,
        stamp: &Stamp,
        mut survey: Survey,
        walk: Walk,
        found: &mut Vec<Change>,
    ) -> Survey {
        let mut state = lock(&self.desk.state);
        let vanished = match walk {
            Walk::First | Walk::Again => false,
            Walk::Appeared | Walk::Rules => self.forget_vanished(&state, directory, &survey),
        };
        let files = std::mem::take(&mut survey.files);
        if walk == Walk::Appeared {
            // The sign brings the time of what is reported; here it would come before it.
            let fresh = Sign::Complete { fresh: true };
            let empty = files.is_empty()
                && survey.directories.is_empty()
                && survey.linked_directories.is_empty();
            let created = empty && !lock(&self.desk.book).names.contains(directory);
            if created || vanished {
                self.desk.sign(&mut state, directory.to_owned(), fresh);
            }
            // One that waits to be told that it was created is told nothing else.
            if !created && !state.debouncer.holds(directory) {
                lock(&self.desk.book).names.insert(directory, 0);
            }
            for file in files {
                self.desk.sign(&mut state, file.path, fresh);
            }
            return survey;
        }
        let mut young = false;
        {
            let mut book = lock(&self.desk.book);
            book.names.insert(directory, 0);
            for file in files {
                // To know it is to call it modified; its own sign is to call it created.
                if walk != Walk::First && state.debouncer.holds(&file.path) {
                    continue;
                }
                book.names.insert(&file.path, file.newest_ms);
                if walk == Walk::First && self.is_young(&file.stamp) {
                    young = true;
                    let created = file.born_ns.is_some_and(|born| born >= self.young_from());
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
        // A directory that changed though nothing in it did: something was taken out of it.
        if walk == Walk::First && !young && self.is_young(stamp) {
            let path = directory.to_owned();
            let kind = ChangeKind::Modified;
            found.push(Change { path, kind });
        }
        survey
    }

    /// Forgets what a directory no longer has, where nothing was heard of that: a link leads to
    /// another directory, something was mounted over it. Gives back whether there was any.
    fn forget_vanished(&self, state: &State, directory: &Path, survey: &Survey) -> bool {
        let mut book = lock(&self.desk.book);
        let files = survey.files.iter().map(|file| &file.path);
        let paths = files.chain(&survey.directories);
        let paths = paths.chain(&survey.linked_directories);
        let mut present: HashSet<u64> = paths.map(|path| book.names.key(path)).collect();
        if !book.names.has_other(directory, &present) {
            return false;
        }
        // What was heard of is told by itself.
        let held = state.debouncer.held_in(directory);
        present.extend(held.map(|path| book.names.key(path)));
        book.forget_all_but(directory, &present)
    }

    /// Has the system watch a directory. False if it is to be polled; none if it is gone.
    pub(super) fn watch(&mut self, root: usize, directory: &Path) -> Option<bool> {
        let anchor = &mut self.anchors[root];
        if !PER_DIRECTORY && directory != anchor.directory {
            return Some(true);
        }
        let refusal = if anchor.watched >= self.directory_limit {
            Refusal::Limit
        } else {
            match anchor.native.watch(directory) {
                Ok(()) => {
                    anchor.watched += 1;
                    return Some(true);
                }
                Err(refusal) => refusal,
            }
        };
        let (trouble, told) = match refusal {
            Refusal::Limit => (too_many(directory), &mut self.limit_told),
            // It vanished. Whether it is back by now does not matter: its parent is watched, and
            // tells of whatever comes under this name.
            Refusal::Other(error) if error.kind() == io::ErrorKind::NotFound => {
                lock(&self.desk.state).roots[root].tree.leave(directory);
                return None;
            }
            Refusal::Other(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.set_aside(root, directory, error);
                return None;
            }
            Refusal::Other(error) => (WatchError::System(error), &mut self.refusal_told),
        };
        if !std::mem::replace(told, true) {
            lock(&self.desk.state).tell(Notice::Trouble(trouble));
        }
        Some(false)
    }

    /// Files changed from here on may have changed after the start.
    pub(super) fn young_from(&self) -> i64 {
        self.started_ns - as_ns(TICK)
    }

    pub(super) fn is_young(&self, stamp: &Stamp) -> bool {
        stamp.changed_ns >= self.young_from()
    }
}

pub(super) fn too_many(directory: &Path) -> WatchError {
    WatchError::TooManyDirectories {
        limit: native::read_limit("max_user_watches"),
        path: directory.to_owned(),
    }
}
