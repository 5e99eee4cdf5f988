//! Directories that the system does not watch (its limit is reached), looked at once in a while.
//!
//! A sweep is paid with processor time, so the pause between two grows with what the last one
//! took: never more than about a twentieth of one core.

use super::scan::Scan;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The pause between two sweeps, at least.
const PAUSE: Duration = Duration::from_secs(1);
/// The pause is at least this many times what the last sweep took.
const SHARE: u32 = 20;

/// What a directory held when it was last looked at.
#[derive(Debug, Default)]
struct Listing {
    files: HashMap<PathBuf, u64>,
    directories: HashSet<PathBuf>,
}

/// What changed in one directory since then.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    pub(super) written: Vec<PathBuf>,
    pub(super) appeared: Vec<PathBuf>,
    pub(super) gone: Vec<PathBuf>,
}

/// The directories that are polled, each with the number of its root.
#[derive(Debug, Default)]
pub(super) struct Polling {
    directories: BTreeMap<PathBuf, (usize, Listing)>,
    next: Option<Instant>,
}

impl Polling {
    /// Polls a directory from now on; `scan` is what is there now.
    pub(super) fn add(&mut self, root: usize, directory: &Path, scan: &Scan, now: Instant) {
        let listing = Listing::of(scan);
        self.directories
            .insert(directory.to_owned(), (root, listing));
        self.next.get_or_insert(now + PAUSE);
    }

    /// The directory is watched, or gone.
    pub(super) fn remove(&mut self, directory: &Path) {
        if !self.directories.is_empty() {
            self.directories.remove(directory);
        }
        if self.directories.is_empty() {
            self.next = None;
        }
    }

    /// When the next sweep is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.next
    }

    /// What is to be swept.
    pub(super) fn directories(&self) -> Vec<(usize, PathBuf)> {
        self.directories
            .iter()
            .map(|(path, (root, _))| (*root, path.clone()))
            .collect()
    }

    /// Compares a directory with how it was.
    pub(super) fn compare(&mut self, directory: &Path, scan: &Scan) -> Differences {
        let Some((_, before)) = self.directories.get_mut(directory) else {
            return Differences::default();
        };
        let now = Listing::of(scan);
        let mut differences = Differences::default();
        for (path, print) in &now.files {
            if before.files.get(path) != Some(print) {
                differences.written.push(path.clone());
            }
        }
        for path in &now.directories {
            if !before.directories.contains(path) {
                differences.appeared.push(path.clone());
            }
        }
        let files = before.files.keys();
        for path in files.chain(&before.directories) {
            if !now.files.contains_key(path) && !now.directories.contains(path) {
                differences.gone.push(path.clone());
            }
        }
        *before = now;
        differences
    }

    /// A sweep is over.
    pub(super) fn swept(&mut self, started: Instant, now: Instant) {
        let pause = PAUSE.max(now.saturating_duration_since(started) * SHARE);
        self.next = (!self.directories.is_empty()).then(|| now + pause);
    }
}

impl Listing {
    fn of(scan: &Scan) -> Listing {
        let files = scan
            .files
            .iter()
            .map(|file| (file.path.clone(), file.stat.fingerprint()));
        let directories = scan.directories.iter().chain(&scan.linked_directories);
        Listing {
            files: files.collect(),
            directories: directories.cloned().collect(),
        }
    }
}
