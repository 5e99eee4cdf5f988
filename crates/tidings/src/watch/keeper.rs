//! The thread that keeps the watch: walks, watches, the clock, roots that come and go.
//!
//! It alone calls into notify (see `native`), and never while it holds the desk's lock. Between
//! two directories of a walk it looks at the clock, so that a long walk delays no notice.

mod access;
mod anchor;
mod follow;
mod walk;

use self::anchor::{Anchor, MISSING_PAUSE, ROOT_PAUSE};
use self::walk::Walk;
use super::content::Version;
use super::debounce::Sign;
use super::desk::{Desk, Rooted};
use super::inbox::{Call, Job};
use super::lock;
use super::mounts::Mounts;
use super::native::{Heard, Native, Report};
use super::polling::Polling;
use super::stamp::now_ns;
use super::survey::{self, Found};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

pub(super) use self::anchor::{anchor_of, listen};

/// What is hashed after the first walk, so that a first save without a change says nothing.
const HASHED_FILE_BYTES: u64 = 4 << 20;
const HASHED_BYTES: u64 = 128 << 20;
const HASHED_FILES: usize = 20_000;

/// The pause between two checks is at least this many times what the last one took.
const CHECK_SHARE: u32 = 20;

/// The keeper's own: nobody else sees it.
pub(super) struct Keeper {
    desk: Arc<Desk>,
    anchors: Vec<Anchor>,
    polling: Polling,
    /// Files still to be hashed.
    unhashed: Unhashed,
    started_ns: i64,
    directory_limit: usize,
    /// Each kind of trouble with watching a directory is told once, not for each directory.
    limit_told: bool,
    refusal_told: bool,
    /// Directories of which trouble was told.
    told: HashSet<PathBuf>,
    mounts: Mounts,
    next_root_check: Instant,
    /// When links, mounts and permissions are compared with what is known of them.
    next_check: Instant,
}

#[derive(Default)]
struct Unhashed {
    paths: Vec<PathBuf>,
    bytes: u64,
}

impl Keeper {
    pub(super) fn new(
        desk: Arc<Desk>,
        natives: Vec<(PathBuf, Native)>,
        directory_limit: Option<usize>,
        started_ns: i64,
    ) -> Keeper {
        let anchors = natives
            .into_iter()
            .map(|(directory, native)| Anchor::new(directory, native));
        Keeper {
            desk,
            anchors: anchors.collect(),
            polling: Polling::default(),
            unhashed: Unhashed::default(),
            started_ns,
            directory_limit: directory_limit.unwrap_or(usize::MAX),
            limit_told: false,
            refusal_told: false,
            told: HashSet::new(),
            mounts: Mounts::read(),
            next_root_check: Instant::now() + ROOT_PAUSE,
            next_check: Instant::now() + ROOT_PAUSE,
        }
    }

    /// Runs until the inbox is stopped.
    pub(super) fn run(mut self) {
        self.first_walk();
        loop {
            let until = match self.unhashed.paths.is_empty() {
                false => Some(Instant::now()),
                true => self.next_due(),
            };
            match self.desk.inbox.wait(until) {
                Call::Stop => return,
                Call::Job(job) => self.work(job),
                Call::Clock => self.hash_one(),
            }
            self.look_at_clock();
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let due = lock(&self.desk.state).debouncer.due();
        let checks = [self.next_root_check, self.next_check];
        let due = [due, self.polling.due()].into_iter().flatten();
        due.chain(checks).min()
    }

    fn look_at_clock(&mut self) {
        self.desk.publish_due(&mut lock(&self.desk.state));
        let now = Instant::now();
        if self.polling.due().is_some_and(|due| due <= now) {
            self.sweep();
        }
        if self.next_root_check <= now {
            for root in 0..self.anchors.len() {
                self.check_root(root, false);
            }
            let missing = !self.anchors.iter().all(Anchor::stands);
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

    fn work(&mut self, job: Job) {
        match job {
            Job::Look { root, path } => self.look(root, &path),
            Job::Follow { root, link } => self.follow_again(root, &link, false),
            Job::Access { root, path } => self.check_access(root, &path),
            Job::Root { root } => self.check_root(root, true),
            Job::Rescan { root } => self.rescan(root),
            Job::Rules { root, directory } => self.reload_rules(root, &directory),
            Job::Announce { path } => {
                let sign = Sign::Complete { fresh: false };
                self.desk.sign(&mut lock(&self.desk.state), path, sign);
            }
        }
    }

    /// Something happened to what is, was or may be a directory: watch what is there now.
    fn look(&mut self, root: usize, path: &Path) {
        let (left, was_dir, was_linked, is_root_file) = {
            let tree = &mut lock(&self.desk.state).roots[root].tree;
            let was_dir = tree.has_directory(path);
            let was_linked = tree.is_linked(path);
            (tree.leave(path), was_dir, was_linked, tree.is_file)
        };
        let is_linked = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
        if was_linked || is_linked {
            // What the link led to may still be there, and would be heard of by this name.
            for watched in &left.watched {
                self.anchors[root].native.unwatch(watched);
            }
        }
        self.leave_outside(root, &left.outside);
        self.polling.remove(path);
        self.follow(root, path);
        if !is_root_file && path.is_dir() {
            self.walk(root, path.to_owned(), Walk::Appeared, &mut Vec::new());
        }
        {
            let mut state = lock(&self.desk.state);
            if was_dir && !state.roots[root].tree.has_directory(path) {
                // It is gone, or nobody's: it leads out of bounds, or may not be read.
                self.desk.sign(&mut state, path.to_owned(), Sign::Gone);
            }
        }
        for path in left.orphans {
            self.desk.inbox.ask(Job::Look { root, path });
        }
    }

    /// Rules changed: what is no longer ignored is watched. Nothing is said of it, because
    /// nothing that is served has changed.
    fn reload_rules(&mut self, root: usize, directory: &Path) {
        {
            let tree = &mut lock(&self.desk.state).roots[root].tree;
            if !tree.has_directory(directory) {
                return;
            }
            Arc::make_mut(&mut tree.rules.ignores).load(directory);
            // What is ignored from now on is watched no longer.
            for path in tree.directories_below(directory) {
                if path != tree.root && tree.rules.ignores.ignored(&path, true) {
                    tree.leave(&path);
                }
            }
        }
        let top = directory.to_owned();
        self.walk(root, top, Walk::Rules, &mut Vec::new());
    }

    /// Looks at the directories that the system does not watch.
    fn sweep(&mut self) {
        let started = Instant::now();
        for (root, directory) in self.polling.directories() {
            if self.desk.inbox.is_stopped() {
                return;
            }
            let (rules, real, life) = {
                let state = lock(&self.desk.state);
                let Rooted { tree, life } = &state.roots[root];
                (tree.rules.clone(), tree.real_directory(&directory), *life)
            };
            let Ok(survey) = survey::survey(&directory, &real, &rules, now_ns()) else {
                self.polling.remove(&directory);
                self.desk.inbox.ask(Job::Look {
                    root,
                    path: directory,
                });
                continue;
            };
            let differences = self.polling.compare(&directory, &survey);
            let signs = [
                (differences.gone, Heard::Gone),
                (differences.appeared, Heard::Arrived),
                (differences.written, Heard::Closed),
            ];
            for (paths, heard) in signs {
                for path in paths {
                    self.desk.hear(root, life, Report::Heard(path, heard));
                }
            }
            self.desk.publish_due(&mut lock(&self.desk.state));
        }
        self.polling.swept(started, Instant::now());
    }

    fn hash_one(&mut self) {
        let Some(path) = self.unhashed.paths.pop() else {
            return;
        };
        if let Ok(version) = Version::read(&path) {
            lock(&self.desk.book).enter_first(&path, &version, self.started_ns);
        }
        if self.unhashed.paths.is_empty() {
            self.unhashed = Unhashed::default();
        }
    }
}

impl Unhashed {
    fn push(&mut self, file: Found) {
        let bytes = self.bytes + file.stamp.size;
        if file.stamp.size <= HASHED_FILE_BYTES
            && bytes <= HASHED_BYTES
            && self.paths.len() < HASHED_FILES
        {
            self.bytes = bytes;
            self.paths.push(file.path);
        }
    }
}
