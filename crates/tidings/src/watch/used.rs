//! What pages use: the files that readers asked for last, whether they were there or not.
//!
//! Only where something is polled does it matter; otherwise a reader pays for one look at a flag.

use super::lock;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// More files than this are not kept: the one that was used longest ago is forgotten.
const USED_LIMIT: usize = 512;

/// See the module.
#[derive(Debug)]
pub(super) struct Used {
    wanted: AtomicBool,
    // Held for a moment, under no other lock.
    paths: Mutex<Paths>,
}

#[derive(Debug, Default)]
struct Paths {
    /// With the number of the last use.
    last_uses: HashMap<PathBuf, u64>,
    uses: u64,
}

impl Used {
    /// It is wanted until the first walk has shown whether anything is polled.
    pub(super) fn new() -> Used {
        Used {
            wanted: AtomicBool::new(true),
            paths: Mutex::default(),
        }
    }

    /// Says whether anything is polled.
    pub(super) fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
        if !wanted {
            *lock(&self.paths) = Paths::default();
        }
    }

    pub(super) fn note(&self, path: &Path) {
        if !self.wanted.load(Ordering::Relaxed) {
            return;
        }
        let mut paths = lock(&self.paths);
        paths.uses += 1;
        let use_number = paths.uses;
        if let Some(last_use) = paths.last_uses.get_mut(path) {
            *last_use = use_number;
            return;
        }
        if paths.last_uses.len() >= USED_LIMIT {
            let oldest = paths
                .last_uses
                .iter()
                .min_by_key(|(_, last_use)| **last_use);
            if let Some(oldest) = oldest.map(|(path, _)| path.clone()) {
                paths.last_uses.remove(&oldest);
            }
        }
        paths.last_uses.insert(path.to_owned(), use_number);
    }

    pub(super) fn all(&self) -> Vec<PathBuf> {
        lock(&self.paths).last_uses.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_is_forgotten_first() {
        let used = Used::new();
        for n in 0..USED_LIMIT {
            used.note(Path::new(&n.to_string()));
        }
        used.note(Path::new("0"));
        used.note(Path::new("new"));
        let all = used.all();
        assert_eq!(all.len(), USED_LIMIT);
        for (path, kept) in [("0", true), ("1", false), ("2", true), ("new", true)] {
            assert_eq!(all.contains(&PathBuf::from(path)), kept, "{path}");
        }
    }

    #[test]
    fn nothing_is_kept_where_nothing_is_polled() {
        let used = Used::new();
        used.note(Path::new("early"));
        used.want(false);
        used.note(Path::new("late"));
        assert!(used.all().is_empty());
    }
}
