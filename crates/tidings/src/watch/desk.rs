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
use super::ignores::is_vim_probe;
use super::inbox::{Inbox, Job};
use super::lock;
use super::names::Names;
use super::native::{Heard, Report, WRITE_QUIET};
use super::stamp::{Stamp, now_ns};
use super::tree::Tree;
use super::{Change, ChangeKind, ChangeSet, Notice};
use std::collections::HashSet;
use std::fs;
use std::io;
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
        let names = Names::new(trees.iter().map(|tree| &tree.root));
        let roots = trees.into_iter().map(|tree| Rooted { tree, life: 0 });
        Desk {
            book: Mutex::new(Book::new(names)),
            state: Mutex::new(State {
                roots: roots.collect(),
                debouncer: Debouncer::new(WRITE_QUIET),
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
                if heard == Heard::Gone {
                    state.roots[root].tree.leave_outside(&path);
                }
                let named = state.roots[root].tree.named(path);
                for (name, linked) in named.names {
                    self.take(&mut state, root, name, heard, linked);
                }
                if !matches!(heard, Heard::Written | Heard::Closed) {
                    for link in named.links {
                        self.inbox.ask(Job::Follow { root, link });
                    }
                }
                if let Some(due) = state.debouncer.gathered_due() {
                    self.inbox.ring(due);
                }
            }
        }
    }

    /// Takes one sign of one path. `led_there`: the path is a link, and the sign is of what it
    /// leads to.
    fn take(&self, state: &mut State, root: usize, path: PathBuf, heard: Heard, led_there: bool) {
        let tree = &state.roots[root].tree;
        if path == tree.root && !tree.is_file {
            match heard {
                Heard::Created | Heard::Arrived | Heard::Gone => {
                    self.inbox.ask(Job::Root { root });
                }
                Heard::Touched => self.inbox.ask(Job::Access { root, path }),
                Heard::Written | Heard::Closed => {}
            }
            return;
        }
        if tree.rules.ignores.is_rules(&path)
            && let Some(directory) = path.parent()
        {
            let directory = directory.to_owned();
            self.inbox.ask(Job::Rules { root, directory });
        }
        let was_dir = tree.has_directory(&path) || tree.unreadable.contains(&path);
        let sign = match heard {
            Heard::Written => self.writing(&path),
            Heard::Closed => self.completion(&path),
            Heard::Gone if led_there => Sign::Gone,
            Heard::Gone => {
                if was_dir || tree.links.way(&path).is_some() {
                    let path = path.clone();
                    self.inbox.ask(Job::Look { root, path });
                } else if !lock(&self.book).names.contains(&path) && !state.debouncer.holds(&path) {
                    return;
                }
                Sign::Gone
            }
            Heard::Touched if was_dir => {
                self.inbox.ask(Job::Access { root, path });
                return;
            }
            Heard::Touched => {
                let known = lock(&self.book).names.contains(&path);
                match (known, may_be_opened(&path)) {
                    (true, false) => Sign::Gone,
                    (false, true) => Sign::Complete { fresh: true },
                    // Its content is what it was.
                    (true, true) | (false, false) => return,
                }
            }
            Heard::Created | Heard::Arrived => {
                let Ok(meta) = fs::symlink_metadata(&path) else {
                    return;
                };
                // Where a link leads is followed as if it were there.
                let linked = meta.is_symlink();
                let target = match linked {
                    true => fs::metadata(&path).ok(),
                    false => Some(meta),
                };
                if led_there && target.is_none() {
                    // A part of the way is there again; the end of it will be heard of.
                    return;
                }
                let is_dir = target.as_ref().is_some_and(fs::Metadata::is_dir);
                if (is_dir || linked) && !led_there && tree.speaks_of(&path, is_dir) {
                    let path = path.clone();
                    self.inbox.ask(Job::Look { root, path });
                }
                if is_dir && !tree.is_file {
                    return;
                }
                let hard_link = target.is_some_and(|meta| Stamp::of(&meta).links > 1);
                // A link appears whole, and no close will follow.
                if heard == Heard::Arrived || (linked && !led_there) || hard_link {
                    self.completion(&path)
                } else {
                    self.writing(&path)
                }
            }
        };
        let is_dir = heard == Heard::Gone && was_dir;
        if tree.speaks_of(&path, is_dir) {
            if sign != Sign::Gone {
                lock(&self.book).written(&path, now_ns());
            }
            self.sign(state, path, sign);
        }
    }

    fn writing(&self, path: &Path) -> Sign {
        let empty = fs::metadata(path).is_ok_and(|meta| meta.len() == 0);
        Sign::Written { empty }
    }

    fn completion(&self, path: &Path) -> Sign {
        let fresh = !lock(&self.book).names.contains(path);
        Sign::Complete { fresh }
    }

    /// Takes a sign of a path that is not ignored.
    pub(super) fn sign(&self, state: &mut State, path: PathBuf, sign: Sign) {
        let written = matches!(sign, Sign::Written { .. }).then(|| path.clone());
        if let Some(path) = state.debouncer.sign(path, sign, Instant::now()) {
            let paths = vec![path];
            self.publish(state, Due { paths, lost: false });
        }
        // Mostly a close follows within microseconds; the keeper then finds that nothing is due.
        if let Some(due) = written.and_then(|path| state.debouncer.due_of(&path)) {
            self.inbox.ring(due);
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
            self.tell_changed(state, changes, due.lost);
        }
    }

    /// Tells a set of changes.
    pub(super) fn tell_changed(&self, state: &mut State, changes: Vec<Change>, rescan: bool) {
        let (newest_ms, tree) = self.summary(state);
        state.tell(Notice::Changed(ChangeSet {
            newest_ms,
            tree,
            changes,
            rescan,
        }));
    }

    /// The newest time, and the digest of all names, once they are all known.
    pub(super) fn summary(&self, state: &State) -> (u64, Option<u64>) {
        let names = &mut lock(&self.book).names;
        (names.newest_ms(), names.digest().filter(|_| state.ready))
    }

    /// Looks at the paths as they are now, and keeps those that are news.
    pub(super) fn judge(&self, state: &mut State, paths: Vec<PathBuf>) -> Vec<Change> {
        let now_ns = now_ns();
        let mut changes = Vec::with_capacity(paths.len());
        for path in paths {
            let there = state.find(&path, now_ns);
            let Some(kind) = self.look(&path, &there, state.ready) else {
                continue;
            };
            if kind == ChangeKind::Created
                && matches!(there, There::Directory)
                && state.has_content(&path)
            {
                // A new directory that was empty when it was found, and no longer is.
                continue;
            }
            changes.push(Change { path, kind });
        }
        // Only now, so that what was removed one by one is told one by one.
        for change in &changes {
            if change.kind == ChangeKind::Removed {
                lock(&self.book).forget_all_but(&change.path, &HashSet::new());
            }
        }
        changes
    }

    /// Whether a path is news, and what became of it.
    fn look(&self, path: &Path, there: &There, ready: bool) -> Option<ChangeKind> {
        let version = match there {
            There::File { .. } => Some(Version::read(path)),
            There::Directory | There::Nothing => None,
        };
        let refused = |error: &io::Error| {
            matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            )
        };
        let mut book = lock(&self.book);
        if matches!(there, There::Nothing) || matches!(&version, Some(Err(error)) if refused(error))
        {
            let complete = ready && book.names.is_complete();
            return (book.forget(path) || !complete).then_some(ChangeKind::Removed);
        }
        let newest_ms = match there {
            There::File { newest_ms } => *newest_ms,
            There::Directory | There::Nothing => 0,
        };
        let new = book.names.insert(path, newest_ms);
        let news = match version {
            Some(Ok(version)) => book.is_news(path, &version),
            // A directory, or a file that cannot be read for a reason that may pass.
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
        (news || new && ready).then_some(kind)
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
        let unannounced = lock(&self.book).missed(path, now_ns());
        if unannounced {
            let path = path.to_owned();
            self.inbox.ask(Job::Announce { path });
        }
    }

    /// After this, nobody is told anything. Waits for a notice that is being given.
    pub(super) fn close(&self) {
        lock(&self.state).sink = None;
    }
}

/// What a reader who asks for a path gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    Nothing,
    Directory,
    /// With the newest time of the file and of the link to it.
    File {
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
        let trees = self.roots.iter().map(|rooted| &rooted.tree);
        trees
            .filter(|tree| path.starts_with(&tree.root))
            .max_by_key(|tree| tree.root.as_os_str().len())
    }

    /// What is there now, for a reader: nothing, where a link leads nowhere or out of bounds, and
    /// for a pipe, a socket or a device.
    fn find(&self, path: &Path, now_ns: i64) -> There {
        let (Some(tree), Ok(own)) = (self.tree_of(path), fs::symlink_metadata(path)) else {
            return There::Nothing;
        };
        let own_ms = Stamp::of(&own).newest_ms(now_ns);
        let (real, meta) = if own.is_symlink() {
            match (fs::canonicalize(path), fs::metadata(path)) {
                (Ok(real), Ok(meta)) => (real, meta),
                _ => return There::Nothing,
            }
        } else {
            (tree.real_of(path), own)
        };
        if !tree.rules.admit(path, &real, meta.is_dir()) {
            return There::Nothing;
        }
        if meta.is_dir() {
            match tree.unreadable.contains(path) && !may_be_entered(path) {
                true => There::Nothing,
                false => There::Directory,
            }
        } else if meta.is_file() && !is_vim_probe(path, &meta) {
            let newest_ms = own_ms.max(Stamp::of(&meta).newest_ms(now_ns));
            There::File { newest_ms }
        } else {
            There::Nothing
        }
    }

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
