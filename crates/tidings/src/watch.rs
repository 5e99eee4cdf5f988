//! Watching directories: what was saved, as soon as it is complete.
//!
//! ```text
//! the system -> native (raw events) -> dispatcher (which root? ignored?) -> debounce (now or together?)
//!            -> content index (other content?) -> your callback
//! watch thread: walks, adds watches, runs timers, re-attaches roots, follows links
//! ```
//!
//! A save that is complete (Linux reports when a writer closes a file, and a rename is complete by
//! nature) is reported at once, on the thread that received the event: tens of microseconds after the
//! close. Only what may be an intermediate state waits: removals, new names, files that are not
//! closed, and bursts.
//!
//! What must stay true:
//! - No change goes unreported: lost events, more changes than can be held, and a root that was
//!   replaced are reported as [`ChangeSet::rescan`]. A file is reported at or after its last write.
//! - Nothing else is reported: not reading, `chmod`, `touch`, or a save of the same content.
//! - This module depends on nothing else in the crate.
//!
//! # Symbolic links
//! A link is followed to its current target, if that belongs to the root ([`Options::scope`]), and
//! unless it is a directory that contains the link. Changes are reported under every path that leads
//! to the file, also outside of the roots. A link that leads nowhere, or out of scope, counts as
//! absent: what is reported of a path is what a reader who follows the same rule finds there.
//!
//! # What is never walked
//! File systems without files of their own (`/proc`, `/sys`, `/dev`), whatever leads there.
//!
//! # Where the system does not report every change
//! File systems that others change, too (of the network, of a host system, of a program), are known by their
//! types, and others by a probe; they are watched, and polled as well. So is what lies beyond the system's
//! limits. What readers asked for is looked at twice a second, the rest as often as about a
//! twentieth of the time allows. [`Options::poll`] polls everything.

mod content_index;
mod debounce;
mod dispatcher;
mod error;
mod explain;
mod file_systems;
mod ignores;
mod inbox;
mod links;
mod mounts;
mod names;
mod native;
mod polling;
mod scan;
mod scope;
mod stat;
mod tree;
mod used;
mod watch_thread;

pub use error::{Limit, WatchError};
pub use explain::{Because, Explanation, Step, explain};
pub use scope::{Candidate, Scope};

use dispatcher::Dispatcher;
use ignores::Ignores;
use std::cell::Cell;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tree::Tree;
use watch_thread::WatchThread;

/// What to watch. Made with [`Options::new`]; the rest is set field by field.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Directories, watched with all below them, and single files. They may be relative to the
    /// current directory, and must exist.
    pub roots: Vec<PathBuf>,
    /// What to ignore: globs as in a `.gitignore` at each root. The last that matches wins,
    /// and `!glob` fetches back what would be ignored otherwise. Default: none.
    pub ignore: Vec<String>,
    /// Whether `.gitignore` files count: those in the roots, and those above them up to the top
    /// of the repository. Default: true.
    pub gitignore: bool,
    /// What belongs to a root, where links lead out of it. Default: [`Scope::Inside`].
    pub scope: Scope,
    /// At most this many directories of each root are watched by the system; the rest are polled,
    /// about once a second. Default: as many as the system allows.
    pub directory_limit: Option<usize>,
    /// Ask the system for no events, and look at everything this often instead (in a large tree, at what
    /// readers asked for). Default: none, so that only what needs it is polled.
    pub poll: Option<Duration>,
}

impl Options {
    /// Watches these, with every default.
    pub fn new(roots: impl IntoIterator<Item = impl Into<PathBuf>>) -> Options {
        Options {
            roots: roots.into_iter().map(Into::into).collect(),
            ignore: Vec::new(),
            gitignore: true,
            scope: Scope::default(),
            directory_limit: None,
            poll: None,
        }
    }
}

/// What the watcher reports.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// The first walk is done, and everything is watched. Saves in directories that are watched
    /// already may be reported before this.
    Ready {
        /// The newest modification or change time of all files that are watched and of the links to
        /// them, in milliseconds since the epoch. The same after a restart if nothing changed.
        newest_ms: u64,
        /// A digest of the names of all that is watched, relative to the roots: it tells after a
        /// restart that something was removed or renamed, which leaves no time. None where there
        /// are too many.
        tree: Option<u64>,
        /// What changed between the start and the moment its directory was watched (or up to
        /// 20 ms before the start: times of files are no finer).
        changes: Vec<Change>,
        /// How many directories are watched or polled.
        directories: usize,
    },
    /// Something changed.
    Changed(ChangeSet),
    /// Something the user should know. Watching continues as well as it can.
    Warning(WatchError),
}

/// Changes that are reported together.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChangeSet {
    /// The newest time of all files that are there now, as in [`Notice::Ready`]. It is less than
    /// before where the newest one was removed.
    pub newest_ms: u64,
    /// The digest of the names that are there now, as in [`Notice::Ready`]; none before that.
    pub tree: Option<u64>,
    /// Each path once. A path may come again in the next set though nothing happened in between
    /// (never the other way round), where the system cannot tell two versions apart.
    pub changes: Vec<Change>,
    /// Events were lost, or a root was replaced: anything may have changed. One replacement may be
    /// reported more than once.
    pub rescan: bool,
}

impl ChangeSet {
    /// These changes, for who watches by other means than [`Watcher`]. The digest is not known.
    pub fn new(newest_ms: u64, changes: Vec<Change>) -> ChangeSet {
        ChangeSet {
            newest_ms,
            tree: None,
            changes,
            rescan: false,
        }
    }
}

/// One changed path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Absolute: the root as it was given, made absolute, and the path below it. A directory
    /// stands for everything below it: it is reported when it is removed, when it was replaced,
    /// and when it appears empty.
    pub path: PathBuf,
    /// What became of it.
    pub kind: ChangeKind,
}

impl Change {
    /// A change of one path.
    pub fn new(path: impl Into<PathBuf>, kind: ChangeKind) -> Change {
        let path = path.into();
        Change { path, kind }
    }
}

/// What became of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It was not there before.
    Created,
    /// It is there, and different.
    Modified,
    /// It is no longer there.
    Removed,
}

/// A watch that is being kept. Dropping it ends it: afterwards the callback is not called again
/// (unless it is dropped by the callback itself, whose call is then the last).
pub struct Watcher {
    dispatcher: Arc<Dispatcher>,
    watch_thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts to watch, and returns at once: the walk that adds the watches happens on a thread
    /// of its own and ends with [`Notice::Ready`].
    ///
    /// `on_notice` is called by the watcher's threads, never twice at the same time, and must not
    /// take long: the system holds some 16,000 events for us meanwhile, then they are lost (which
    /// is reported). It may call [`observed`](Self::observed), [`missed`](Self::missed) and
    /// [`flush`](Self::flush).
    ///
    /// # Errors
    /// A root that does not exist, an invalid glob, or a thread that cannot be started. If the system
    /// refuses to watch, that is a [`Notice::Warning`], and everything is polled.
    pub fn start(
        options: Options,
        on_notice: impl FnMut(Notice) + Send + 'static,
    ) -> Result<Watcher, WatchError> {
        let started_ns = stat::now_ns();
        let Options {
            roots,
            ignore,
            gitignore,
            scope,
            directory_limit,
            poll,
        } = options;
        let mut trees = Vec::with_capacity(roots.len());
        for root in roots {
            trees.push(prepare_root(&root, &ignore, gitignore, &scope)?);
        }
        let trees = without_covered(trees);
        let root_watches: Vec<PathBuf> = trees
            .iter()
            .map(watch_thread::watched_directory_of)
            .collect();
        let dispatcher = Arc::new(Dispatcher::new(trees, Box::new(on_notice)));
        let mut natives = Vec::with_capacity(root_watches.len());
        let mut troubles = Vec::new();
        for (root, root_watch) in root_watches.into_iter().enumerate() {
            let native = match poll {
                Some(_) => None,
                None => watch_thread::listen(&dispatcher, root, 0)
                    .map_err(|trouble| troubles.push(trouble))
                    .ok(),
            };
            natives.push((root_watch, native));
        }
        let watch_thread = WatchThread::new(
            Arc::clone(&dispatcher),
            natives,
            directory_limit,
            poll,
            started_ns,
        );
        let watch_thread = thread::Builder::new()
            .name("tidings-watch".to_owned())
            .spawn(move || watch_thread.run(troubles))
            .map_err(WatchError::System)?;
        Ok(Watcher {
            dispatcher,
            watch_thread: Some(watch_thread),
        })
    }

    /// Records which version of a file a reader has been given: the metadata of the *opened* file
    /// (`fstat`), taken after its last byte was read. It lets the watcher be silent about saves
    /// that change nothing, and never silent to a reader who saw something in between.
    ///
    /// `path` is written as in [`Change::path`].
    pub fn observed(&self, path: &Path, meta: &fs::Metadata) {
        self.dispatcher.observed(path, meta);
    }

    /// Records that a reader was told that there is nothing at this path. Some editors remove a
    /// file for a moment while they save it: if it is back with the content it had, this reader
    /// still hears of it.
    pub fn missed(&self, path: &Path) {
        self.dispatcher.missed(path);
    }

    /// Calls `done` when everything has been reported that was saved before this call. By then the
    /// callback has returned. If the watcher ends before that, `done` is dropped without being called.
    /// All that is polled is looked at for it, which takes a while in a large tree of a network.
    ///
    /// `done` runs on a thread of the watcher, and must not take long.
    pub fn flush(&self, done: impl FnOnce() + Send + 'static) {
        self.dispatcher.inbox.flush(Box::new(done));
    }

    /// Why a change of this path is reported, or why it is not. It must not be called by `on_notice`, which
    /// it would wait for.
    ///
    /// # Errors
    /// A relative path where there is no current directory.
    pub fn explain(&self, path: &Path) -> Result<Explanation, WatchError> {
        let path = explain::absolute(path).map_err(WatchError::System)?;
        let roots = {
            let state = lock(&self.dispatcher.state);
            let trees = state.roots.iter().map(|root_state| &root_state.tree);
            trees.map(explain::RootRules::of).collect()
        };
        Ok(explain::of_roots(roots, path))
    }

    /// Whether a path (written as in [`Change::path`]) lies in no root, or is ignored. It must not be
    /// called by `on_notice`, which it would wait for.
    pub fn ignores(&self, path: &Path) -> bool {
        // The path may lie on a server that does not answer: nobody else has to wait for it.
        let is_dir = path.is_dir();
        let state = lock(&self.dispatcher.state);
        !state
            .roots
            .iter()
            .any(|root_state| path == root_state.tree.root || root_state.tree.reports(path, is_dir))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.dispatcher.inbox.stop();
        // Within the callback, the thread to wait for may be this one, or wait for this one.
        if IN_CALLBACK.get() {
            return;
        }
        if let Some(watch_thread) = self.watch_thread.take() {
            // A callback that panicked on that thread has been reported there.
            let _ = watch_thread.join();
        }
        self.dispatcher.close();
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").finish_non_exhaustive()
    }
}

thread_local! {
    /// Whether this thread is within a callback of some watcher.
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

fn prepare_root(
    root: &Path,
    ignore: &[String],
    gitignore: bool,
    scope: &Scope,
) -> Result<Tree, WatchError> {
    let no_root = |source| WatchError::NoRoot {
        path: root.to_owned(),
        source,
    };
    let path = std::path::absolute(root).map_err(no_root)?;
    // Without a slash at its end, as the system will name it.
    let path: PathBuf = path.components().collect();
    let is_file = !fs::metadata(&path).map_err(no_root)?.is_dir();
    let ignores = Ignores::new(&path, ignore, gitignore)?;
    let mut tree = Tree::new(path, is_file, ignores, scope.clone());
    tree.locate();
    Ok(tree)
}

/// Leaves out the roots that another root reports anyway: their changes would be reported twice.
fn without_covered(trees: Vec<Tree>) -> Vec<Tree> {
    let mut kept: Vec<Tree> = Vec::with_capacity(trees.len());
    for tree in trees {
        if !kept.iter().any(|other| other.covers(&tree)) {
            kept.retain(|other| !tree.covers(other));
            kept.push(tree);
        }
    }
    kept
}

/// A callback that panicked leaves our data whole: it is ours before and after the call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
