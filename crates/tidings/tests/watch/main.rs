//! The watcher on a real file system. Nothing here sleeps to let things settle: a test waits for
//! a notice, and silence is shown by a later change being the next notice.
#![cfg(feature = "watch")]
#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod explain;
mod flush;
mod ignored;
mod limit;
mod link;
mod lost;
mod poll;
mod random;
mod root;
mod save;
mod silence;
mod speed;
mod time;
mod tree;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;
use tidings::watch::{
    Candidate, Change, ChangeKind, ChangeSet, Notice, Options, Scope, WatchError, Watcher,
};

use ChangeKind::{Created, Modified, Removed};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a test says that heard other words than it expected.
pub(crate) const UNEXPECTED: &str = "reported something else";

/// What a test that waited in vain says.
pub(crate) const NEVER_REPORTED: &str = "never reported";

/// Runs a test whose writer must keep pace: a save that is interrupted for 100 ms *is* a slow
/// save, and is rightly said twice. So where *other words* were said than expected, on a machine
/// that did not keep time (a thread that sleeps for 1 ms woke much later), the test is made again.
///
/// Only that: a notice that never came, a reader left behind or an unexpected trouble is a fault
/// on any machine. (An earlier version forgave those too, and hid two.)
#[expect(
    clippy::print_stderr,
    reason = "shown only where the test fails in the end"
)]
pub(crate) fn on_time(test: impl Fn()) {
    const TRIES: usize = 4;
    for attempt in 1..=TRIES {
        let clock = Clock::start();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&test));
        let late = clock.stop();
        let Err(panic) = outcome else { return };
        let otherwise = panic
            .downcast_ref::<String>()
            .is_some_and(|message| message.contains(UNEXPECTED));
        if !otherwise || late < Duration::from_millis(8) || attempt == TRIES {
            std::panic::resume_unwind(panic);
        }
        eprintln!("attempt {attempt} does not count: the machine was {late:?} late");
    }
}

/// Measures how late the machine is.
pub(crate) struct Clock {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Clock {
    fn start() -> Clock {
        const BEAT: Duration = Duration::from_millis(1);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut late = Duration::ZERO;
            while !stopped.load(Ordering::Relaxed) {
                let start = Instant::now();
                std::thread::sleep(BEAT);
                late = late.max(start.elapsed().saturating_sub(BEAT));
            }
            late
        });
        Clock { stop, thread }
    }

    fn stop(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// A site that is watched.
pub(crate) struct Site {
    dir: TempDir,
    watcher: Option<Watcher>,
    /// With each notice: when it was given, and what the probed file held at that moment.
    notices: Receiver<(Instant, Notice, Option<String>)>,
    probe: Arc<Mutex<Option<PathBuf>>>,
    newest_ms: u64,
    tree: Option<u64>,
    silence: u32,
    /// The last notices, to be shown when one is missing.
    said: RefCell<VecDeque<String>>,
}

impl Site {
    /// A directory with these files, all of them older than the watcher.
    fn with(files: &[&str]) -> Site {
        Site::new(files, |_| {})
    }

    fn new(files: &[&str], set: impl FnOnce(&mut Options)) -> Site {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("site")).unwrap();
        let mut site = Site {
            dir,
            watcher: None,
            notices: channel().1,
            probe: Arc::default(),
            newest_ms: 0,
            tree: None,
            silence: 0,
            said: RefCell::default(),
        };
        for file in files {
            site.write(file, "first");
        }
        site.settle();
        site.start(set);
        site
    }

    /// Lets the clock go on until what is there counts as older than a watcher started now.
    fn settle(&self) {
        let start = SystemTime::now();
        while start.elapsed().unwrap_or_default() < Duration::from_millis(45) {
            std::thread::yield_now();
        }
    }

    fn start(&mut self, set: impl FnOnce(&mut Options)) -> Vec<Change> {
        let mut options = Options::new([self.root()]);
        set(&mut options);
        let (send, notices) = channel();
        self.watcher = None;
        self.notices = notices;
        let probe = Arc::clone(&self.probe);
        self.watcher = Some(
            Watcher::start(options, move |notice| {
                let at = Instant::now();
                let probed = probe.lock().unwrap().clone();
                let held = probed.and_then(|path| fs::read_to_string(path).ok());
                let _ = send.send((at, notice, held));
            })
            .unwrap(),
        );
        loop {
            match self.next() {
                Notice::Ready {
                    newest_ms,
                    tree,
                    changes,
                    ..
                } => {
                    self.newest_ms = newest_ms;
                    self.tree = tree;
                    return changes;
                }
                Notice::Warning(_) => {}
                other => panic!("before ready: {other:?}"),
            }
        }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("site")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn watcher(&self) -> &Watcher {
        self.watcher.as_ref().unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn save(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    #[track_caller]
    fn next(&self) -> Notice {
        self.next_probed().0
    }

    #[track_caller]
    fn next_probed(&self) -> (Notice, Option<String>) {
        let Ok((_, notice, held)) = self.notices.recv_timeout(PATIENCE) else {
            let said = self.said.borrow();
            panic!("{NEVER_REPORTED}; before: {said:#?}");
        };
        let mut said = self.said.borrow_mut();
        said.push_back(format!("{notice:?} {held:?}"));
        if said.len() > 12 {
            said.pop_front();
        }
        (notice, held)
    }

    /// Saves, and waits for the notice that shows it: one that speaks of the file (or of
    /// everything) and at which these bytes could be read. Whether the file is then called
    /// created or modified depends on how much of its past was seen; that a reader who comes
    /// with the notice finds the last bytes does not.
    #[track_caller]
    fn save_and_see(&self, name: &str, text: &str) {
        let path = self.path(name);
        *self.probe.lock().unwrap() = Some(path.clone());
        self.save(name, text);
        loop {
            let (notice, held) = self.next_probed();
            match notice {
                Notice::Changed(set) => {
                    let spoken_of = set.rescan
                        || set
                            .changes
                            .iter()
                            .any(|change| change.path == path && change.kind != Removed);
                    if spoken_of && held.as_deref() == Some(text) {
                        break;
                    }
                }
                Notice::Warning(_) => {}
                other => panic!("{other:?}"),
            }
        }
        *self.probe.lock().unwrap() = None;
    }

    #[track_caller]
    fn next_set(&mut self) -> ChangeSet {
        match self.next() {
            Notice::Changed(set) => {
                // Only where the newest file is gone can the newest time be an older one.
                let removed = |change: &Change| change.kind != Created;
                let back = set.newest_ms < self.newest_ms;
                let may_be = set.rescan || set.changes.iter().any(removed);
                assert!(!back || may_be, "time went back");
                self.newest_ms = set.newest_ms;
                self.tree = set.tree;
                set
            }
            other => panic!("not a change: {other:?}"),
        }
    }

    /// The names and kinds of one set.
    fn named(&self, set: &ChangeSet) -> Vec<(String, ChangeKind)> {
        set.changes
            .iter()
            .map(|change| {
                let name = change.path.strip_prefix(self.root()).unwrap();
                (name.to_str().unwrap().to_owned(), change.kind)
            })
            .collect()
    }

    /// The next notice is exactly these changes.
    #[track_caller]
    fn expect(&mut self, changes: &[(&str, ChangeKind)]) {
        let set = self.next_set();
        assert!(!set.rescan);
        let named = self.named(&set);
        let wanted: Vec<(String, ChangeKind)> = changes
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), *kind))
            .collect();
        assert_eq!(named, wanted, "{UNEXPECTED}");
    }

    /// Nothing was said of all that happened so far: a change made now is the next notice, and
    /// it says nothing else. It is a removal, which waits as long as anything waits.
    #[track_caller]
    fn expect_silence(&mut self) {
        self.silence += 1;
        let name = format!("sentinel{}", self.silence);
        self.save(&name, "x");
        self.expect(&[(&name, Created)]);
        self.remove(&name);
        self.expect(&[(&name, Removed)]);
    }

    /// Takes notices until these changes have been said, in any number of sets and with nothing
    /// else.
    #[track_caller]
    fn expect_in_time(&mut self, changes: &[(&str, ChangeKind)]) {
        let mut missing: BTreeMap<String, ChangeKind> = changes
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), *kind))
            .collect();
        while !missing.is_empty() {
            let set = self.next_set();
            for (name, kind) in self.named(&set) {
                assert_eq!(missing.remove(&name), Some(kind), "{UNEXPECTED}: {name}");
            }
        }
    }

    #[track_caller]
    fn expect_rescan(&mut self) {
        loop {
            if self.next_set().rescan {
                return;
            }
        }
    }
}

// Saves.
