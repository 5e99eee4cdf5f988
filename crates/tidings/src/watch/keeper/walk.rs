//! Walks: watch a directory, list it, go on with what is below.
//!
//! Always in this order, so that what appears meanwhile is either listed or heard. Each walk says
//! what it is for; that decides what becomes of what it finds.

use super::Keeper;
use crate::watch::debounce::Sign;
use crate::watch::error::WatchError;
use crate::watch::lock;
use crate::watch::native::{self, PER_DIRECTORY, Refusal};
use crate::watch::stamp::{Stamp, TICK, as_ns, now_ns};
use crate::watch::survey::{self, Found, Survey};
use crate::watch::tree::Place;
use crate::watch::{Change, ChangeKind, Notice};
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// What is this young when the rules change is left to its own signs.
const RULES_TICK: Duration = Duration::from_millis(100);

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
        let newest_ms = state.newest_ms;
        state.tell(Notice::Ready {
            newest_ms,
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
        let meta = fs::metadata(directory).ok().filter(fs::Metadata::is_dir)?;
        let stamp = Stamp::of(&meta);
        let place = lock(&self.desk.state).roots[root]
            .tree
            .enter(directory, &stamp);
        let polled = match place {
            Place::Loop => return None,
            Place::Alias => false,
            Place::First => !self.watch(root, directory)?,
        };
        let ignores = {
            let mut state = lock(&self.desk.state);
            let ignores = &mut state.roots[root].tree.ignores;
            if survey::has_rules(directory) {
                Arc::make_mut(ignores).load(directory);
            }
            Arc::clone(ignores)
        };
        let now_ns = now_ns();
        let mut survey = survey::survey(directory, &ignores, now_ns).ok()?;
        drop(ignores);
        if polled {
            self.polling.add(root, directory, &survey, Instant::now());
        } else {
            self.polling.remove(directory);
        }
        let files = std::mem::take(&mut survey.files);
        for file in &files {
            if let Some(real) = &file.real {
                self.follow(root, &file.path, real);
            }
        }
        let empty = files.is_empty()
            && survey.directories.is_empty()
            && survey.linked_directories.is_empty();
        let newest_ms = survey.newest_ms.max(stamp.newest_ms(now_ns));
        self.note(directory, &stamp, files, empty, newest_ms, walk, found);
        Some(survey)
    }

    /// Enters what a walk found in one directory.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call, and all of it is the survey"
    )]
    pub(super) fn note(
        &mut self,
        directory: &Path,
        stamp: &Stamp,
        files: Vec<Found>,
        empty: bool,
        newest_ms: u64,
        walk: Walk,
        found: &mut Vec<Change>,
    ) {
        let mut state = lock(&self.desk.state);
        if walk == Walk::Appeared {
            // The sign brings the time of what is reported; here it would come before it.
            let fresh = Sign::Complete { fresh: true };
            if empty && !lock(&self.desk.book).knows(directory) {
                self.desk.sign(&mut state, directory.to_owned(), fresh);
            } else {
                lock(&self.desk.book).learn(directory);
            }
            for file in files {
                self.desk.sign(&mut state, file.path, fresh);
            }
            return;
        }
        state.newest_ms = state.newest_ms.max(newest_ms);
        let mut young = false;
        {
            let mut book = lock(&self.desk.book);
            book.learn(directory);
            for file in files {
                // To know it is to call it modified; its own sign is to call it created.
                let signed = match walk {
                    Walk::First | Walk::Appeared => false,
                    Walk::Again => state.debouncer.holds(&file.path),
                    Walk::Rules => {
                        state.debouncer.holds(&file.path)
                            || now_ns() - file.stamp.changed_ns < as_ns(RULES_TICK)
                    }
                };
                if signed {
                    continue;
                }
                book.learn(&file.path);
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
            Refusal::Other(error) => (WatchError::System(error), &mut self.refusal_told),
        };
        if !std::mem::replace(told, true) {
            lock(&self.desk.state).tell(Notice::Trouble(trouble));
        }
        Some(false)
    }

    /// Follows a link to a file: where that lies outside of the tree, its directory is watched.
    pub(super) fn follow(&mut self, root: usize, link: &Path, real: &Path) {
        let Some(parent) = real.parent() else { return };
        let Ok(meta) = fs::metadata(parent) else {
            return;
        };
        let watch = {
            let tree = &mut lock(&self.desk.state).roots[root].tree;
            tree.enter_link(link, real.to_owned());
            tree.enter_outside(parent, &Stamp::of(&meta))
        };
        if watch && PER_DIRECTORY {
            // Refused: then changes of the link itself are still seen.
            let _ = self.anchors[root].native.watch_flat(parent);
        }
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
