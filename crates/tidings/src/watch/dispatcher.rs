//! From raw events to notices: the one place where notices are made.
//!
//! Two threads call in: notify's with events, and the watch thread with jobs and timers. Locks:
//! `state` is held while an event is handled and while the callback runs, so that notices are in order
//! and never concurrent; `index` is held for moments within that, and never while the callback runs,
//! so that the callback may call `observed`. Nobody calls into notify while holding `state`: notify's
//! thread may be waiting for it.

use super::content_index::{ContentIndex, Version};
use super::debounce::{Debouncer, Due, Signal};
use super::error::WatchError;
use super::ignores::is_vim_probe;
use super::inbox::{Inbox, Job};
use super::lock;
use super::names::Names;
use super::native::{KEEPS_TIME, NativeEvent, RawEvent, WRITE_QUIET};
use super::stat::{FileStat, now_ns};
use super::tree::Tree;
use super::used::Used;
use super::{Change, ChangeKind, ChangeSet, Notice};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

/// What is called with each notice.
pub(super) type Callback = Box<dyn FnMut(Notice) + Send>;

/// See the module.
pub(super) struct Dispatcher {
    pub(super) index: Mutex<ContentIndex>,
    pub(super) state: Mutex<State>,
    pub(super) inbox: Inbox,
    pub(super) used: Used,
}

/// What is guarded by the dispatcher's lock.
pub(super) struct State {
    pub(super) roots: Vec<RootState>,
    pub(super) debouncer: Debouncer,
    /// The first walk is done: what is not known now is new.
    pub(super) ready: bool,
    callback: Option<Callback>,
}

/// One root, and the generation of its native watcher: events of earlier ones are dropped.
pub(super) struct RootState {
    pub(super) tree: Tree,
    pub(super) generation: u64,
}

impl Dispatcher {
    pub(super) fn new(trees: Vec<Tree>, callback: Callback) -> Dispatcher {
        let names = Names::new(trees.iter().map(|tree| &tree.root));
        let roots = trees.into_iter().map(|tree| RootState {
            tree,
            generation: 0,
        });
        Dispatcher {
            index: Mutex::new(ContentIndex::new(names)),
            state: Mutex::new(State {
                roots: roots.collect(),
                debouncer: Debouncer::new(WRITE_QUIET),
                ready: false,
                callback: Some(callback),
            }),
            inbox: Inbox::default(),
            used: Used::new(),
        }
    }

    /// Takes what the system reports, on the thread that heard of it. Returns when it is to be called again
    /// if nothing else comes: a write is mostly followed by its close within microseconds, and to wake
    /// another thread for each would cost more than the save.
    pub(super) fn handle(
        &self,
        root: usize,
        generation: u64,
        report: NativeEvent,
    ) -> Option<Instant> {
        let mut state = lock(&self.state);
        if state
            .roots
            .get(root)
            .is_none_or(|root_state| root_state.generation != generation)
        {
            return None;
        }
        match report {
            NativeEvent::Quiet => self.publish_due(&mut state),
            NativeEvent::Lost => self.inbox.push(Job::Rescan { root }),
            NativeEvent::Failed(error) => state.notify(Notice::Warning(WatchError::System(error))),
            NativeEvent::Path(path, raw_event) => {
                if raw_event == RawEvent::Removed {
                    state.roots[root].tree.leave_outside(&path);
                }
                let named = state.roots[root].tree.named(path);
                for (name, linked) in named.names {
                    self.handle_path(&mut state, root, name, raw_event, linked);
                }
                if !matches!(
                    raw_event,
                    RawEvent::Written | RawEvent::Closed | RawEvent::Polled
                ) {
                    for link in named.links {
                        self.inbox.push(Job::FollowLink { root, link });
                    }
                }
            }
        }
        let due = state.debouncer.due();
        match due {
            Some(due) if !KEEPS_TIME => self.inbox.wake_by(due),
            _ => {}
        }
        due
    }

    /// Takes one signal of one path. `via_link`: the path is a link, and the signal is of what it
    /// leads to.
    fn handle_path(
        &self,
        state: &mut State,
        root: usize,
        path: PathBuf,
        raw_event: RawEvent,
        via_link: bool,
    ) {
        let tree = &state.roots[root].tree;
        if path == tree.root && !tree.is_file {
            match raw_event {
                RawEvent::Created | RawEvent::MovedIn | RawEvent::Removed => {
                    self.inbox.push(Job::CheckRoot { root });
                }
                RawEvent::Attributes => self.inbox.push(Job::CheckAccess { root, path }),
                RawEvent::Written | RawEvent::Closed | RawEvent::Polled => {}
            }
            return;
        }
        if tree.rules.ignores.is_rules(&path)
            && let Some(directory) = path.parent()
        {
            let directory = directory.to_owned();
            let since_ns = now_ns();
            self.inbox.push(Job::ReloadRules {
                root,
                directory,
                since_ns,
            });
        }
        // Nobody writes to a directory.
        let was_dir = matches!(raw_event, RawEvent::Removed | RawEvent::Attributes)
            && (tree.has_directory(&path) || tree.unreadable.contains(&path));
        let signal = match raw_event {
            RawEvent::Written => self.writing(&path),
            RawEvent::Closed | RawEvent::Polled => self.completion(&path),
            RawEvent::Removed if via_link => Signal::Removed,
            RawEvent::Removed => {
                if was_dir || tree.links.resolution(&path).is_some() {
                    let path = path.clone();
                    self.inbox.push(Job::Rewatch { root, path });
                } else if !lock(&self.index).names.contains(&path) && !state.debouncer.holds(&path)
                {
                    return;
                }
                Signal::Removed
            }
            RawEvent::Attributes if was_dir => {
                self.inbox.push(Job::CheckAccess { root, path });
                return;
            }
            RawEvent::Attributes => {
                let known = lock(&self.index).names.contains(&path);
                match (known, may_be_opened(&path)) {
                    (true, false) => Signal::Removed,
                    (false, true) => Signal::Complete { fresh: true },
                    // Its content is what it was.
                    (true, true) | (false, false) => return,
                }
            }
            RawEvent::Created | RawEvent::MovedIn => {
                let Ok(meta) = fs::symlink_metadata(&path) else {
                    return;
                };
                // Where a link leads is followed as if it were there.
                let linked = meta.is_symlink();
                let target = match linked {
                    true => fs::metadata(&path).ok(),
                    false => Some(meta),
                };
                if via_link && target.is_none() {
                    // A part of the way is there again; the end of it will have an event of its own.
                    return;
                }
                let is_dir = target.as_ref().is_some_and(fs::Metadata::is_dir);
                if (is_dir || linked) && !via_link && tree.reports(&path, is_dir) {
                    let path = path.clone();
                    self.inbox.push(Job::Rewatch { root, path });
                }
                if is_dir && !tree.is_file {
                    return;
                }
                let hard_link = target.is_some_and(|meta| FileStat::of(&meta).links > 1);
                // A link appears whole, and no close will follow.
                if raw_event == RawEvent::MovedIn || (linked && !via_link) || hard_link {
                    self.completion(&path)
                } else {
                    self.writing(&path)
                }
            }
        };
        let is_dir = raw_event == RawEvent::Removed && was_dir;
        if tree.reports(&path, is_dir) {
            // A look comes after the write, whenever that was.
            if signal != Signal::Removed && raw_event != RawEvent::Polled {
                lock(&self.index).mark_written(&path, now_ns());
            }
            self.signal(state, path, signal);
        }
    }

    fn writing(&self, path: &Path) -> Signal {
        let empty = fs::metadata(path).is_ok_and(|meta| meta.len() == 0);
        Signal::Written { empty }
    }

    fn completion(&self, path: &Path) -> Signal {
        let fresh = !lock(&self.index).names.contains(path);
        Signal::Complete { fresh }
    }

    /// Takes a signal of a path that is not ignored.
    pub(super) fn signal(&self, state: &mut State, path: PathBuf, signal: Signal) {
        if let Some(path) = state.debouncer.signal(path, signal, Instant::now()) {
            let paths = vec![path];
            self.publish(state, Due { paths, lost: false });
        }
    }

    /// Publishes what is due.
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
        let changes = self.evaluate(state, due.paths);
        if !changes.is_empty() || due.lost {
            self.publish_changes(state, changes, due.lost);
        }
    }

    /// Publishes a set of changes.
    pub(super) fn publish_changes(&self, state: &mut State, changes: Vec<Change>, rescan: bool) {
        let (newest_ms, tree) = self.summary(state);
        state.notify(Notice::Changed(ChangeSet {
            newest_ms,
            tree,
            changes,
            rescan,
        }));
    }

    /// The newest time, and the digest of all names, once they are all known.
    pub(super) fn summary(&self, state: &State) -> (u64, Option<u64>) {
        let names = &mut lock(&self.index).names;
        (names.newest_ms(), names.digest().filter(|_| state.ready))
    }

    /// Looks at the paths as they are now, and keeps those that are to be reported.
    pub(super) fn evaluate(&self, state: &mut State, paths: Vec<PathBuf>) -> Vec<Change> {
        let now_ns = now_ns();
        let mut changes = Vec::with_capacity(paths.len());
        for path in paths {
            let there = state.presence_of(&path, now_ns);
            let Some(kind) = self.evaluate_one(&path, &there, state.ready) else {
                continue;
            };
            if kind == ChangeKind::Created
                && matches!(there, Presence::Directory)
                && state.has_content(&path)
            {
                // A new directory that was empty when it was found, and no longer is.
                continue;
            }
            changes.push(Change { path, kind });
        }
        // Only now, so that what was removed one by one is reported one by one.
        for change in &changes {
            if change.kind == ChangeKind::Removed {
                lock(&self.index).forget_all_but(&change.path, &HashSet::new());
            }
        }
        changes
    }

    /// Whether a path is to be reported, and what became of it.
    fn evaluate_one(&self, path: &Path, there: &Presence, ready: bool) -> Option<ChangeKind> {
        let version = match there {
            Presence::File { stat, .. } => Some(Version::read(path, *stat)),
            Presence::Directory | Presence::Nothing => None,
        };
        let refused = |error: &io::Error| {
            matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            )
        };
        let mut index = lock(&self.index);
        if matches!(there, Presence::Nothing)
            || matches!(&version, Some(Err(error)) if refused(error))
        {
            let complete = ready && index.names.is_complete();
            return (index.forget(path) || !complete).then_some(ChangeKind::Removed);
        }
        let newest_ms = match there {
            Presence::File { newest_ms, .. } => *newest_ms,
            Presence::Directory | Presence::Nothing => 0,
        };
        let new = index.names.insert(path, newest_ms);
        let news = match version {
            Some(Ok(version)) => index.record(path, &version),
            // A directory, or a file that cannot be read for a reason that may pass.
            Some(Err(_)) | None => {
                index.invalidate(path);
                true
            }
        };
        let kind = if new && ready {
            ChangeKind::Created
        } else {
            ChangeKind::Modified
        };
        (news || new && ready).then_some(kind)
    }

    /// See [`Watcher::observed`](super::Watcher::observed).
    pub(super) fn observed(&self, path: &Path, meta: &fs::Metadata) {
        self.used.note(path);
        let unannounced = lock(&self.index).observed(path, &FileStat::of(meta));
        if unannounced {
            let path = path.to_owned();
            self.inbox.push(Job::Announce { path });
        }
    }

    /// See [`Watcher::missed`](super::Watcher::missed).
    pub(super) fn missed(&self, path: &Path) {
        self.used.note(path);
        let unannounced = lock(&self.index).missed(path, now_ns());
        if unannounced {
            let path = path.to_owned();
            self.inbox.push(Job::Announce { path });
        }
    }

    /// After this, the callback is not called. Waits for a call that is under way.
    pub(super) fn close(&self) {
        lock(&self.state).callback = None;
    }
}

/// What a reader who asks for a path gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Nothing,
    Directory,
    File {
        stat: FileStat,
        /// The newest time of the file and of the link to it.
        newest_ms: u64,
    },
}

/// Whether what is in a directory can be reached, if by name only.
pub(super) fn may_be_entered(directory: &Path) -> bool {
    fs::metadata(directory.join(".")).is_ok()
}

fn may_be_opened(path: &Path) -> bool {
    // Opening a pipe would wait.
    fs::metadata(path).is_ok_and(|meta| meta.is_file()) && fs::File::open(path).is_ok()
}

impl State {
    /// The tree that a path belongs to: roots may lie in each other, the nearest counts.
    fn tree_of(&self, path: &Path) -> Option<&Tree> {
        let trees = self.roots.iter().map(|root_state| &root_state.tree);
        trees
            .filter(|tree| path.starts_with(&tree.root))
            .max_by_key(|tree| tree.root.as_os_str().len())
    }

    /// What is there now, for a reader: nothing, where a link leads nowhere or out of bounds, and
    /// for a pipe, a socket or a device.
    fn presence_of(&self, path: &Path, now_ns: i64) -> Presence {
        let (Some(tree), Ok(own)) = (self.tree_of(path), fs::symlink_metadata(path)) else {
            return Presence::Nothing;
        };
        let own_ms = FileStat::of(&own).newest_ms(now_ns);
        let (real, meta) = if own.is_symlink() {
            match (fs::canonicalize(path), fs::metadata(path)) {
                (Ok(real), Ok(meta)) => (real, meta),
                _ => return Presence::Nothing,
            }
        } else {
            (tree.real_of(path), own)
        };
        if !tree.rules.admit(path, &real, meta.is_dir()) {
            return Presence::Nothing;
        }
        if meta.is_dir() {
            match tree.unreadable.contains(path) && !may_be_entered(path) {
                true => Presence::Nothing,
                false => Presence::Directory,
            }
        } else if meta.is_file() && !is_vim_probe(path, &meta) {
            let stat = FileStat::of(&meta);
            let newest_ms = own_ms.max(stat.newest_ms(now_ns));
            Presence::File { stat, newest_ms }
        } else {
            Presence::Nothing
        }
    }

    /// Whether this is a directory with something in it that will be reported by itself.
    fn has_content(&self, path: &Path) -> bool {
        let Ok(entries) = fs::read_dir(path) else {
            return false;
        };
        entries.flatten().any(|entry| {
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = entry.path();
            self.roots
                .iter()
                .any(|root_state| root_state.tree.reports(&path, is_dir))
        })
    }

    /// Calls the callback.
    pub(super) fn notify(&mut self, notice: Notice) {
        if let Some(callback) = &mut self.callback {
            super::IN_CALLBACK.set(true);
            callback(notice);
            super::IN_CALLBACK.set(false);
        }
    }
}
