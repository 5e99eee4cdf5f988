//! From what was heard to what is said: the one place where notices are made.
//!
//! Two threads come here, notify's with signs and the keeper with the time. Locks: `state` is
//! held while a sign is taken and while the callback runs, so that notices are in order and never
//! two at once; `book` is held for moments within that, and never while the callback runs, so that
//! the callback may call `observed`. Nobody calls into notify while holding `state`: notify's
//! thread may be waiting for it.

use super::content::{Book, Version};
use super::debounce::{Debouncer, Due, Sign};
use super::error::WatchError;
use super::inbox::{Inbox, Job};
use super::lock;
use super::native::{Heard, Report, TELLS_CLOSE, WRITE_QUIET};
use super::stamp::{Stamp, now_ns};
use super::tree::Tree;
use super::{Change, ChangeKind, ChangeSet, Notice};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

/// Who is told.
pub(super) type Sink = Box<dyn FnMut(Notice) + Send>;

/// See the module.
pub(super) struct Desk {
    pub(super) book: Mutex<Book>,
    pub(super) state: Mutex<State>,
    pub(super) inbox: Inbox,
}

/// What is guarded by the desk's lock.
pub(super) struct State {
    pub(super) roots: Vec<Rooted>,
    pub(super) debouncer: Debouncer,
    /// The newest time so far; it never goes back.
    pub(super) newest_ms: u64,
    /// The first walk is done: what is not known now is new.
    pub(super) ready: bool,
    sink: Option<Sink>,
}

/// One root, and which of its successive native watchers is listened to.
pub(super) struct Rooted {
    pub(super) tree: Tree,
    pub(super) life: u64,
}

impl Desk {
    pub(super) fn new(trees: Vec<Tree>, sink: Sink) -> Desk {
        let roots = trees.into_iter().map(|tree| Rooted { tree, life: 0 });
        Desk {
            book: Mutex::default(),
            state: Mutex::new(State {
                roots: roots.collect(),
                debouncer: Debouncer::new(WRITE_QUIET),
                newest_ms: 0,
                ready: false,
                sink: Some(sink),
            }),
            inbox: Inbox::default(),
        }
    }

    /// Takes what the system says. Runs on notify's thread.
    pub(super) fn hear(&self, root: usize, life: u64, report: Report) {
        let mut state = lock(&self.state);
        if state
            .roots
            .get(root)
            .is_none_or(|rooted| rooted.life != life)
        {
            return;
        }
        match report {
            Report::Lost => self.inbox.ask(Job::Rescan { root }),
            Report::Failed(error) => state.tell(Notice::Trouble(WatchError::System(error))),
            Report::Heard(path, heard) => {
                for name in state.roots[root].tree.names(path) {
                    self.take(&mut state, root, name, heard);
                }
                // A write is mostly followed by its close within microseconds, and to wake the
                // keeper for it would cost more than the save. If nobody closes the file, the
                // keeper finds that when it looks at the roots, within a second.
                let due = match TELLS_CLOSE {
                    true => state.debouncer.gathered_due(),
                    false => state.debouncer.due(),
                };
                if let Some(due) = due {
                    self.inbox.ring(due);
                }
            }
        }
    }

    fn take(&self, state: &mut State, root: usize, path: PathBuf, heard: Heard) {
        let tree = &state.roots[root].tree;
        if path == tree.root && !tree.is_file {
            if matches!(heard, Heard::Created | Heard::Arrived | Heard::Gone) {
                self.inbox.ask(Job::Root { root });
            }
            return;
        }
        if tree.ignores.is_rules(&path)
            && let Some(directory) = path.parent()
        {
            let directory = directory.to_owned();
            self.inbox.ask(Job::Rules { root, directory });
        }
        let sign = match heard {
            Heard::Written => Sign::Written,
            Heard::Closed => self.completion(&path),
            Heard::Gone => {
                if tree.has_directory(&path) {
                    let path = path.clone();
                    self.inbox.ask(Job::Look { root, path });
                } else if !lock(&self.book).knows(&path) && !state.debouncer.holds(&path) {
                    return;
                }
                Sign::Gone
            }
            Heard::Created | Heard::Arrived => {
                let Ok(meta) = fs::symlink_metadata(&path) else {
                    return;
                };
                // Where a link leads is followed as if it were there.
                let linked = meta.is_symlink();
                let is_dir = meta.is_dir() || (linked && path.is_dir());
                if is_dir && !tree.is_file {
                    if tree.speaks_of(&path, true) {
                        self.inbox.ask(Job::Look { root, path });
                    }
                    return;
                }
                if linked {
                    let path = path.clone();
                    self.inbox.ask(Job::Look { root, path });
                }
                // A link appears whole, and no close will follow.
                if heard == Heard::Arrived || linked || Stamp::of(&meta).links > 1 {
                    self.completion(&path)
                } else {
                    Sign::Written
                }
            }
        };
        let is_dir = heard == Heard::Gone && tree.has_directory(&path);
        if tree.speaks_of(&path, is_dir) {
            if sign != Sign::Gone {
                lock(&self.book).written(&path, now_ns());
            }
            self.sign(state, path, sign);
        }
    }

    fn completion(&self, path: &Path) -> Sign {
        let fresh = !lock(&self.book).knows(path);
        Sign::Complete { fresh }
    }

    /// Takes a sign of a path that is not ignored.
    pub(super) fn sign(&self, state: &mut State, path: PathBuf, sign: Sign) {
        if let Some(path) = state.debouncer.sign(path, sign, Instant::now()) {
            let paths = vec![path];
            self.publish(state, Due { paths, lost: false });
        }
    }

    /// Says what is due.
    pub(super) fn publish_due(&self, state: &mut State) {
        if state
            .debouncer
            .due()
            .is_some_and(|due| due <= Instant::now())
        {
            let due = state.debouncer.take_due(Instant::now());
            self.publish(state, due);
        }
    }

    fn publish(&self, state: &mut State, due: Due) {
        let changes = self.judge(state, due.paths);
        if !changes.is_empty() || due.lost {
            let newest_ms = state.newest_ms;
            state.tell(Notice::Changed(ChangeSet {
                newest_ms,
                changes,
                rescan: due.lost,
            }));
        }
    }

    /// Looks at the paths as they are now, and keeps those that are news.
    pub(super) fn judge(&self, state: &mut State, paths: Vec<PathBuf>) -> Vec<Change> {
        let now_ns = now_ns();
        let mut parents = HashSet::new();
        let mut changes = Vec::with_capacity(paths.len());
        for path in paths {
            let Some((kind, newest_ms)) = self.look(&path, state.ready, now_ns) else {
                continue;
            };
            state.newest_ms = state.newest_ms.max(newest_ms);
            if kind == ChangeKind::Created && state.has_content(&path) {
                // A new directory that was empty when it was found, and no longer is.
                continue;
            }
            // The nearest directory that is still there.
            for above in path.ancestors().skip(1) {
                if parents.contains(above) {
                    break;
                }
                if let Ok(meta) = fs::metadata(above) {
                    state.newest_ms = state.newest_ms.max(Stamp::of(&meta).newest_ms(now_ns));
                    parents.insert(above.to_owned());
                    break;
                }
            }
            changes.push(Change { path, kind });
        }
        changes
    }

    fn look(&self, path: &Path, ready: bool, now_ns: i64) -> Option<(ChangeKind, u64)> {
        let Ok(link) = fs::symlink_metadata(path) else {
            let mut book = lock(&self.book);
            let complete = ready && book.is_complete();
            return (book.forget(path) || !complete).then_some((ChangeKind::Removed, 0));
        };
        let mut newest_ms = Stamp::of(&link).newest_ms(now_ns);
        let meta = if link.is_symlink() {
            fs::metadata(path).ok()
        } else {
            Some(link)
        };
        if let Some(meta) = &meta {
            newest_ms = newest_ms.max(Stamp::of(meta).newest_ms(now_ns));
        }
        let version = match &meta {
            Some(meta) if meta.is_file() => Some(Version::read(path)),
            // A pipe, a socket, a device: nothing that is served.
            Some(meta) if !meta.is_dir() => return None,
            // A directory, or a link that leads nowhere.
            Some(_) | None => None,
        };
        let mut book = lock(&self.book);
        let new = book.learn(path);
        let news = match version {
            Some(Ok(version)) => book.is_news(path, &version),
            Some(Err(_)) | None => {
                book.doubt(path);
                true
            }
        };
        let kind = if new && ready {
            ChangeKind::Created
        } else {
            ChangeKind::Modified
        };
        (news || new && ready).then_some((kind, newest_ms))
    }

    /// See [`Watcher::observed`](super::Watcher::observed).
    pub(super) fn observed(&self, path: &Path, meta: &fs::Metadata) {
        let unannounced = lock(&self.book).observed(path, &Stamp::of(meta));
        if unannounced {
            let path = path.to_owned();
            self.inbox.ask(Job::Announce { path });
        }
    }

    /// See [`Watcher::missed`](super::Watcher::missed).
    pub(super) fn missed(&self, path: &Path) {
        let mut book = lock(&self.book);
        if book.knows(path) {
            book.doubt(path);
            // Either its removal is still to be announced, or it is back already.
            if fs::symlink_metadata(path).is_ok() {
                let path = path.to_owned();
                self.inbox.ask(Job::Announce { path });
            }
        }
    }

    /// After this, nobody is told anything. Waits for a notice that is being given.
    pub(super) fn close(&self) {
        lock(&self.state).sink = None;
    }
}

impl State {
    /// Whether this is a directory with something in it that will be spoken of by itself.
    fn has_content(&self, path: &Path) -> bool {
        let Ok(entries) = fs::read_dir(path) else {
            return false;
        };
        entries.flatten().any(|entry| {
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = entry.path();
            self.roots
                .iter()
                .any(|rooted| rooted.tree.speaks_of(&path, is_dir))
        })
    }

    /// Gives a notice.
    pub(super) fn tell(&mut self, notice: Notice) {
        if let Some(sink) = &mut self.sink {
            super::TELLING.set(true);
            sink(notice);
            super::TELLING.set(false);
        }
    }
}
