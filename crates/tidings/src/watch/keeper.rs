//! The thread that keeps the watch: walks, watches, the clock, roots that come and go.
//!
//! It alone calls into notify (see `native`), and never while it holds the desk's lock. Between
//! two directories of a walk it looks at the clock, so that a long walk delays no notice.

mod anchor;
mod walk;

use self::anchor::{Anchor, MISSING_PAUSE, ROOT_PAUSE};
use self::walk::Walk;
use super::content::Version;
use super::debounce::Sign;
use super::desk::Desk;
use super::inbox::{Call, Job};
use super::lock;
use super::native::{Heard, Native, Report};
use super::polling::Polling;
use super::stamp::now_ns;
use super::survey::{self, Found};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

pub(super) use self::anchor::{anchor_of, listen};

/// What is hashed after the first walk, so that a first save without a change says nothing.
const HASHED_FILE_BYTES: u64 = 4 << 20;
const HASHED_BYTES: u64 = 128 << 20;
const HASHED_FILES: usize = 20_000;

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
    next_root_check: Instant,
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
            next_root_check: Instant::now() + ROOT_PAUSE,
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
        [due, self.polling.due(), Some(self.next_root_check)]
            .into_iter()
            .flatten()
            .min()
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
    }

    fn work(&mut self, job: Job) {
        match job {
            Job::Look { root, path } => self.look(root, &path),
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
        let orphans = lock(&self.desk.state).roots[root].tree.leave(path);
        self.polling.remove(path);
        if path.is_dir() {
            self.walk(root, path.to_owned(), Walk::Appeared, &mut Vec::new());
        } else if let Ok(real) = fs::canonicalize(path)
            && real.is_file()
            && fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink())
        {
            self.follow(root, path, &real);
        }
        for path in orphans {
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
            Arc::make_mut(&mut tree.ignores).load(directory);
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
            let (ignores, life) = {
                let state = lock(&self.desk.state);
                let rooted = &state.roots[root];
                (Arc::clone(&rooted.tree.ignores), rooted.life)
            };
            let Ok(survey) = survey::survey(&directory, &ignores, now_ns()) else {
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
