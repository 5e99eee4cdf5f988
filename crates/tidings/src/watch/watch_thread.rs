//! The watch thread: walks, adds watches, runs timers, and re-attaches roots that come and go.
//!
//! It alone calls into notify (see `native`), and never while it holds the dispatcher's lock. Between
//! two directories of a walk it publishes what is due, so that a long walk delays no notice.

mod access;
mod flush;
mod follow;
mod poll;
mod root;
mod walk;

use self::flush::Flushing;
use self::root::{MISSING_PAUSE, ROOT_PAUSE, RootWatch};
use self::walk::Walk;
use super::content_index::Version;
use super::debounce::Signal;
use super::dispatcher::Dispatcher;
use super::inbox::{Job, Wake};
use super::lock;
use super::mounts::Mounts;
use super::native::Native;
use super::polling::Polling;
use super::scan::{Found, may_pass};
use super::stat::FileStat;
use super::{Notice, WatchError};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) use self::flush::Done;
pub(super) use self::root::{listen, watched_directory_of};

/// What is hashed after the first walk, so that a first save without a change is not reported.
const HASHED_FILE_BYTES: u64 = 4 << 20;
const HASHED_BYTES: u64 = 128 << 20;
const HASHED_FILES: usize = 20_000;

/// The pause between two checks is at least this many times what the last one took.
const CHECK_SHARE: u32 = 20;

/// Owned by the watch thread; nobody else sees it.
pub(super) struct WatchThread {
    dispatcher: Arc<Dispatcher>,
    root_watches: Vec<RootWatch>,
    polling: Polling,
    /// Whether the system is to be asked for events.
    has_watcher: bool,
    /// Device -> whether anything is reported of it, as far as that could be tried.
    probed: HashMap<u64, Option<bool>>,
    /// Devices of which it was said that not everything is reported.
    told: HashSet<u64>,
    /// Files still to be hashed.
    unhashed: Unhashed,
    started_ns: i64,
    directory_limit: usize,
    /// Each kind of failure to watch a directory is reported once, not for each directory.
    limit_reported: bool,
    refusal_reported: bool,
    no_watcher_reported: bool,
    /// Directories with a warning.
    warned: HashSet<PathBuf>,
    mounts: Mounts,
    next_root_check: Instant,
    /// When links, mounts and permissions are compared with what is known of them.
    next_check: Instant,
    flushing: Flushing,
}

#[derive(Default)]
struct Unhashed {
    /// With what the first walk found there.
    files: Vec<(PathBuf, FileStat)>,
    bytes: u64,
}

impl WatchThread {
    /// `poll`: how often to look, if nothing is to be watched by the system.
    pub(super) fn new(
        dispatcher: Arc<Dispatcher>,
        natives: Vec<(PathBuf, Option<Native>)>,
        directory_limit: Option<usize>,
        poll: Option<Duration>,
        started_ns: i64,
    ) -> WatchThread {
        let root_watches = natives
            .into_iter()
            .map(|(directory, native)| RootWatch::new(directory, native));
        WatchThread {
            dispatcher,
            root_watches: root_watches.collect(),
            polling: Polling::new(poll, Instant::now()),
            has_watcher: poll.is_none(),
            probed: HashMap::new(),
            told: HashSet::new(),
            unhashed: Unhashed::default(),
            started_ns,
            directory_limit: directory_limit.unwrap_or(usize::MAX),
            limit_reported: false,
            refusal_reported: false,
            no_watcher_reported: false,
            warned: HashSet::new(),
            mounts: Mounts::read(),
            next_root_check: Instant::now() + ROOT_PAUSE,
            next_check: Instant::now() + ROOT_PAUSE,
            flushing: Flushing::default(),
        }
    }

    /// Runs until the inbox is stopped. `troubles`: why roots have no watcher of the system.
    pub(super) fn run(mut self, troubles: Vec<WatchError>) {
        for trouble in troubles {
            self.warn_of_no_watcher(trouble);
        }
        self.first_walk();
        self.end_hashing();
        loop {
            let until = match self.unhashed.files.is_empty() {
                false => Some(Instant::now()),
                true => self.next_due(),
            };
            match self.dispatcher.inbox.wait(until) {
                Wake::Stop => return,
                Wake::Job(job) => self.run_job(job),
                Wake::Flush => {
                    let waiting = self.dispatcher.inbox.take_flushes();
                    self.begin_flush(waiting);
                }
                Wake::Timeout => self.hash_next(),
            }
            self.run_due();
            self.run_flushes();
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let due = lock(&self.dispatcher.state).debouncer.due();
        let checks = [self.next_root_check, self.next_check];
        let due = [due, self.polling.due(), self.flushing.due()]
            .into_iter()
            .flatten();
        due.chain(checks).min()
    }

    fn run_due(&mut self) {
        self.dispatcher
            .publish_due(&mut lock(&self.dispatcher.state));
        let now = Instant::now();
        if self.polling.due().is_some_and(|due| due <= now) {
            self.poll();
        }
        if self.next_root_check <= now {
            for root in 0..self.root_watches.len() {
                self.check_root(root, false);
            }
            let missing = !self.root_watches.iter().all(RootWatch::is_attached);
            let pause = if missing { MISSING_PAUSE } else { ROOT_PAUSE };
            self.next_root_check = Instant::now() + pause;
        }
        if self.next_check <= now {
            self.check_access_again();
            self.check_mounts();
            self.check_links();
            // However many there are, they cost little.
            self.next_check = Instant::now() + ROOT_PAUSE.max(now.elapsed() * CHECK_SHARE);
        }
    }

    fn run_job(&mut self, job: Job) {
        match job {
            Job::Rewatch { root, path } => self.rewatch(root, &path),
            Job::FollowLink { root, link } => self.follow_again(root, &link, false),
            Job::CheckAccess { root, path } => self.check_access(root, &path),
            Job::CheckRoot { root } => self.check_root(root, true),
            Job::Rescan { root } => self.rescan(root),
            Job::ReloadRules {
                root,
                directory,
                since_ns,
            } => self.reload_rules(root, &directory, since_ns),
            Job::Announce { path } => {
                let signal = Signal::Complete { fresh: false };
                self.dispatcher
                    .signal(&mut lock(&self.dispatcher.state), path, signal);
            }
        }
    }

    /// Something happened to what is, was or may be a directory: watch what is there now.
    fn rewatch(&mut self, root: usize, path: &Path) {
        let (left, was_dir, was_linked, is_root_file) = {
            let tree = &mut lock(&self.dispatcher.state).roots[root].tree;
            let was_dir = tree.has_directory(path);
            let was_linked = tree.is_linked(path);
            (tree.leave(path), was_dir, was_linked, tree.is_file)
        };
        let is_linked = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
        if was_linked || is_linked {
            // What the link led to may still be there, and would be reported under this name.
            for watched in &left.watched {
                self.root_watches[root].unwatch(watched);
            }
        }
        self.leave_outside(root, &left.outside);
        self.polling.remove_below(path);
        self.follow(root, path);
        let mut is_unknown = false;
        if !is_root_file {
            match fs::metadata(path) {
                Ok(meta) if meta.is_dir() => {
                    self.walk(root, path.to_owned(), Walk::Appeared, &mut Vec::new());
                }
                Err(error) if !is_linked && may_pass(&error) => {
                    self.try_again(root, path, &error);
                    is_unknown = true;
                }
                Ok(_) | Err(_) => {}
            }
        }
        {
            let mut state = lock(&self.dispatcher.state);
            if was_dir && !is_unknown && !state.roots[root].tree.has_directory(path) {
                // It is gone, or nobody's: it leads out of bounds, or may not be read.
                self.dispatcher
                    .signal(&mut state, path.to_owned(), Signal::Removed);
            }
        }
        for path in left.orphans {
            self.dispatcher.inbox.push(Job::Rewatch { root, path });
        }
    }

    /// Rules changed: what is no longer ignored is watched. Nothing is reported of it, because
    /// nothing that is served has changed.
    fn reload_rules(&mut self, root: usize, directory: &Path, since_ns: i64) {
        let mut ignored = Vec::new();
        {
            let tree = &mut lock(&self.dispatcher.state).roots[root].tree;
            if !tree.has_directory(directory) {
                return;
            }
            Arc::make_mut(&mut tree.rules.ignores).load(directory);
            for path in tree.directories_below(directory) {
                if path != tree.root
                    && tree.has_directory(&path)
                    && tree.rules.ignores.ignored(&path, true)
                {
                    let left = tree.leave(&path);
                    ignored.push((path, left));
                }
            }
        }
        // What is ignored from now on is neither watched nor polled.
        let mut orphans = Vec::new();
        for (path, left) in ignored {
            for watched in &left.watched {
                self.root_watches[root].unwatch(watched);
            }
            self.leave_outside(root, &left.outside);
            self.polling.remove_below(&path);
            orphans.extend(left.orphans);
        }
        let top = directory.to_owned();
        self.walk(root, top, Walk::Rules { since_ns }, &mut Vec::new());
        // What a link leads to is watched by the name of the link now.
        let tree = &lock(&self.dispatcher.state).roots[root].tree;
        orphans.retain(|path| !tree.has_directory(path) && tree.reports(path, true));
        for path in orphans {
            self.dispatcher.inbox.push(Job::Rewatch { root, path });
        }
    }

    /// A root has no watcher of the system, and is polled. Of several, one has the same to say.
    fn warn_of_no_watcher(&mut self, trouble: WatchError) {
        if !std::mem::replace(&mut self.no_watcher_reported, true) {
            lock(&self.dispatcher.state).notify(Notice::Warning(trouble));
        }
    }

    fn hash_next(&mut self) {
        let Some((path, walked)) = self.unhashed.files.pop() else {
            return;
        };
        if let Ok(version) = Version::read(&path, walked) {
            let mut index = lock(&self.dispatcher.index);
            index.record_initial(&path, &walked, &version, self.started_ns);
        }
        self.end_hashing();
    }

    /// Frees what was kept for hashing, once all is hashed.
    fn end_hashing(&mut self) {
        if self.unhashed.files.is_empty() {
            self.unhashed = Unhashed::default();
            lock(&self.dispatcher.index).end_initial();
        }
    }
}

impl Unhashed {
    fn push(&mut self, file: Found) {
        let bytes = self.bytes + file.stat.size;
        if file.stat.size <= HASHED_FILE_BYTES
            && bytes <= HASHED_BYTES
            && self.files.len() < HASHED_FILES
        {
            self.bytes = bytes;
            self.files.push((file.path, file.stat));
        }
    }
}
