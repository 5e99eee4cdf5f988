//! The content each file had when it was last reported: a save without a change is not reported.
//!
//! A wrong silence leaves a reader with stale content for ever, a wrong report costs one reload. So
//! nothing is kept silent without proof: an entry, which holds the hash of the content that was last
//! reported (or that was there, and old, before we started).
//!
//! For one file, with the versions A and B, and A again:
//!
//! ```text
//!             no entry  ------------- record(A): report ------------->  entry {A}
//!                ^  ^                                                      |
//!                |  |      mark_written within TICK of the last write:     |
//!                |  +----- a stat cannot tell the two versions apart ------+
//!                |                                                         |
//!                |         record(B): report, entry {B}                    |
//!                |         record(A), other stat: silent,                  |
//!                |                    entry {A, prior stat}                |
//!                |                                                         |
//!                +--- observed(other stat): the reader may hold B ---------+
//!                |    no prior stat, or newer: its own event will come     |
//!                |    older than the silence:  no event will come, so      |
//!                |                             report now                  |
//!                +--- missed (the reader was told that it is absent) ------+
//!                     after a silence, just now: report now
//!                     otherwise:                 its own event will come
//! ```
//!
//! With no entry, the next event is reported whatever the content is. What must stay true: each edge
//! to "no entry" either has an event still to come, or reports now; and `missed` reports at most once
//! for each silence, so that a request is never reported as a change.

use super::names::{ByKey, Names};
use super::stat::{FileStat, TICK, as_ns};
use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

/// Larger files are told apart by time, size and inode; reading them would take too long.
const READ_LIMIT_BYTES: u64 = 32 << 20;

/// Beyond this many contents, new ones are not remembered, and always reported.
const ENTRY_LIMIT: usize = 400_000;

/// How many files readers may be given while initial contents are recorded; after that, none is recorded.
const EARLY_LIMIT: usize = 20_000;

/// How long after a file came back unchanged a reader may tell that it missed it.
const MISSED_LATE: Duration = Duration::from_secs(10);

/// A version of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    pub(super) stat: FileStat,
    /// Hash of the bytes; none if they changed while they were read.
    content: Option<u64>,
}

impl Version {
    /// Reads and hashes a file that has just been found with this stat. It must be a regular file: opening a
    /// pipe would wait.
    pub(super) fn read(path: &Path, stat: FileStat) -> io::Result<Version> {
        let mut file = File::open(path)?;
        let mut hasher = DefaultHasher::new();
        if stat.size > READ_LIMIT_BYTES {
            stat.fingerprint().hash(&mut hasher);
            let content = Some(hasher.finish());
            return Ok(Version { stat, content });
        }
        // On the stack: to allocate this much takes longer than to read a small file.
        let mut buffer = [0; 4096];
        let mut length = 0u64;
        // Not to the very end: whether it has grown meanwhile is seen below.
        while length < stat.size {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    hasher.write(&buffer[..count]);
                    length += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        length.hash(&mut hasher);
        let steady = FileStat::of(&file.metadata()?) == stat && length == stat.size;
        let content = steady.then(|| hasher.finish());
        Ok(Version { stat, content })
    }
}

/// What was last announced of one file.
#[derive(Clone, Copy, Debug)]
struct Entry {
    content: u64,
    /// Fingerprint of the newest stat this content was seen with.
    fingerprint: u64,
    /// Fingerprint before the last silence; 0 if there was none.
    prior_fingerprint: u64,
    changed_ns: i64,
}

/// What readers have been given of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Observed {
    /// The version with this fingerprint.
    One(u64),
    Several,
}

/// All we remember.
#[derive(Debug, Default)]
pub(super) struct ContentIndex {
    entries: ByKey<Entry>,
    /// While initial contents are recorded: what readers were given before there was an entry for it.
    /// `None` afterwards, and where there were too many.
    early: Option<ByKey<Observed>>,
    pub(super) names: Names,
}

impl ContentIndex {
    pub(super) fn new(names: Names) -> ContentIndex {
        ContentIndex {
            entries: ByKey::default(),
            early: Some(ByKey::default()),
            names,
        }
    }

    /// Forgets the path. Returns whether it was known.
    pub(super) fn forget(&mut self, path: &Path) -> bool {
        self.entries.remove(&self.names.key(path));
        self.names.remove(path)
    }

    /// Forgets what is in a directory and below, but for those of its entries that are among
    /// `present`. Returns whether there was anything.
    pub(super) fn forget_all_but(&mut self, directory: &Path, present: &HashSet<u64>) -> bool {
        let gone = self.names.retain(directory, present);
        for key in &gone {
            self.entries.remove(key);
        }
        !gone.is_empty()
    }

    /// Forgets all contents: anything may have changed.
    pub(super) fn invalidate_all(&mut self) {
        self.entries.clear();
    }

    /// Drops what is known of the content.
    pub(super) fn invalidate(&mut self, path: &Path) {
        self.entries.remove(&self.names.key(path));
    }

    /// Enters the content of a file that nobody wrote since before we started. It must still be the file
    /// that the first walk found, and the one that every reader was given: a link that was switched or a
    /// directory that was replaced leaves no time on the files in it. That it is still there is looked at
    /// here, under the lock of the index: a reader's `observed` is then either before, and is known, or
    /// finds the entry.
    pub(super) fn record_initial(
        &mut self,
        path: &Path,
        walked: &FileStat,
        version: &Version,
        started_ns: i64,
    ) {
        let key = self.names.key(path);
        let Some(early) = &self.early else { return };
        let given = early.get(&key).copied();
        let steady = || std::fs::metadata(path).is_ok_and(|meta| FileStat::of(&meta) == *walked);
        if version.stat == *walked
            && walked.changed_ns < started_ns - as_ns(TICK)
            && given.is_none_or(|given| given == Observed::One(walked.fingerprint()))
            && !self.entries.contains_key(&key)
            && steady()
        {
            self.enter(key, version, 0);
        }
    }

    /// All initial contents are recorded.
    pub(super) fn end_initial(&mut self) {
        self.early = None;
    }

    /// Says whether a version is to be announced, and enters it.
    pub(super) fn record(&mut self, path: &Path, version: &Version) -> bool {
        let key = self.names.key(path);
        let before = self.entries.get(&key).copied();
        match (before, version.content) {
            (Some(entry), Some(content)) if entry.content == content => {
                let fingerprint = version.stat.fingerprint();
                if entry.fingerprint != fingerprint {
                    self.enter(key, version, entry.fingerprint);
                }
                false
            }
            _ => {
                self.entries.remove(&key);
                self.enter(key, version, 0);
                true
            }
        }
    }

    /// Whether the version with this stat is the one that was last reported.
    pub(super) fn is_current(&self, path: &Path, stat: &FileStat) -> bool {
        let entry = self.entries.get(&self.names.key(path));
        entry.is_some_and(|entry| entry.fingerprint == stat.fingerprint())
    }

    /// Whether the content that was last reported is known.
    pub(super) fn has_content(&self, path: &Path) -> bool {
        self.entries.contains_key(&self.names.key(path))
    }

    /// Somebody wrote the file now. If its entry is too young for a stat to tell the versions
    /// apart, the entry goes.
    pub(super) fn mark_written(&mut self, path: &Path, now_ns: i64) {
        let key = self.names.key(path);
        if let Some(entry) = self.entries.get(&key)
            && now_ns - entry.changed_ns < as_ns(TICK)
        {
            self.entries.remove(&key);
        }
    }

    /// A reader has been given the version with this stat. Returns whether the path is to be
    /// announced, because the reader holds what will not be followed by another signal.
    pub(super) fn observed(&mut self, path: &Path, stat: &FileStat) -> bool {
        let key = self.names.key(path);
        let fingerprint = stat.fingerprint();
        let Some(entry) = self.entries.get(&key).copied() else {
            self.note_early(key, fingerprint);
            return false;
        };
        if fingerprint == entry.fingerprint || fingerprint == entry.prior_fingerprint {
            return false;
        }
        self.entries.remove(&key);
        entry.prior_fingerprint != 0 && stat.changed_ns <= entry.changed_ns
    }

    /// A reader was told that there is nothing at this path. Returns whether the path is to be
    /// announced: it had just come back unchanged, we kept silent about that, and no further signal
    /// will come. Otherwise only the next signal is news; a request is no change.
    pub(super) fn missed(&mut self, path: &Path, now_ns: i64) -> bool {
        let entry = self.entries.remove(&self.names.key(path));
        entry.is_some_and(|entry| {
            entry.prior_fingerprint != 0 && now_ns - entry.changed_ns < as_ns(MISSED_LATE)
        })
    }

    fn note_early(&mut self, key: u64, fingerprint: u64) {
        let Some(early) = &mut self.early else { return };
        if early.len() >= EARLY_LIMIT {
            self.early = None;
            return;
        }
        let given = early.entry(key).or_insert(Observed::One(fingerprint));
        if *given != Observed::One(fingerprint) {
            *given = Observed::Several;
        }
    }

    fn enter(&mut self, key: u64, version: &Version, prior_fingerprint: u64) {
        let full = self.entries.len() >= ENTRY_LIMIT && !self.entries.contains_key(&key);
        if let Some(content) = version.content
            && !full
        {
            let entry = Entry {
                content,
                fingerprint: version.stat.fingerprint(),
                prior_fingerprint,
                changed_ns: version.stat.changed_ns,
            };
            self.entries.insert(key, entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_000_000_000_000;

    fn version(content: u64, changed_ns: i64) -> Version {
        let stat = FileStat {
            modified_ns: changed_ns,
            changed_ns,
            size: 1,
            inode: 1,
            device: 1,
            links: 1,
        };
        Version {
            stat,
            content: Some(content),
        }
    }

    fn read(path: &Path) -> Version {
        let stat = FileStat::of(&std::fs::metadata(path).unwrap());
        Version::read(path, stat).unwrap()
    }

    #[test]
    fn a_file_that_was_replaced_since_it_was_found_has_no_known_content() {
        let dir = tempfile::tempdir().unwrap();
        let (path, beside) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&path, "one").unwrap();
        std::fs::write(&beside, "two").unwrap();
        let found = FileStat::of(&std::fs::metadata(&path).unwrap());
        assert!(Version::read(&path, found).unwrap().content.is_some());
        std::fs::rename(&beside, &path).unwrap();
        assert!(Version::read(&path, found).unwrap().content.is_none());
    }

    fn index_with(path: &Path, version: &Version) -> ContentIndex {
        let mut index = ContentIndex::default();
        assert!(index.record(path, version));
        index
    }

    #[test]
    fn the_same_content_again_is_no_news() {
        let path = Path::new("/a");
        let mut index = index_with(path, &version(1, START));
        assert!(!index.record(path, &version(1, START + 1)));
        assert!(index.record(path, &version(2, START + 2)));
        assert!(index.record(path, &version(1, START + 3)));
    }

    #[test]
    fn a_reader_that_saw_another_version_makes_the_next_sign_news() {
        let path = Path::new("/a");
        let mut index = index_with(path, &version(1, START));
        assert!(!index.observed(path, &version(2, START + 5).stat));
        assert!(index.record(path, &version(1, START + 9)));
    }

    #[test]
    fn a_reader_of_the_announced_version_changes_nothing() {
        let path = Path::new("/a");
        let mut index = index_with(path, &version(1, START));
        assert!(!index.observed(path, &version(1, START).stat));
        assert!(!index.record(path, &version(1, START + 9)));
        assert!(!index.observed(path, &version(1, START).stat));
        assert!(!index.record(path, &version(1, START + 19)));
    }

    #[test]
    fn a_reader_heard_of_too_late_is_answered_with_an_announcement() {
        let path = Path::new("/a");
        let mut index = index_with(path, &version(1, START));
        assert!(!index.record(path, &version(1, START + 9)));
        assert!(index.observed(path, &version(2, START + 5).stat));
        assert!(index.record(path, &version(1, START + 9)));
    }

    #[test]
    fn a_reader_that_missed_a_silent_return_is_answered_once() {
        let path = Path::new("/a");
        let mut index = index_with(path, &version(1, START));
        assert!(!index.missed(path, START + 9), "it never went away");
        assert!(index.record(path, &version(1, START)));
        assert!(!index.record(path, &version(1, START + 10)));
        assert!(index.missed(path, START + 11));
        assert!(index.record(path, &version(1, START + 10)));
        assert!(!index.missed(path, START + 12));
    }

    #[test]
    fn a_write_within_one_tick_of_the_last_makes_it_news() {
        let path = Path::new("/a");
        let mut index = index_with(path, &version(1, START));
        index.mark_written(path, START + 1_000_000);
        assert!(index.record(path, &version(1, START)));
        index.mark_written(path, START + 30_000_000);
        assert!(!index.record(path, &version(1, START + 30_000_000)));
    }

    #[test]
    fn a_file_that_changed_while_it_was_read_is_news_twice() {
        let path = Path::new("/a");
        let mut torn = version(1, START);
        torn.content = None;
        let mut index = index_with(path, &version(1, START));
        assert!(index.record(path, &torn));
        assert!(index.record(path, &version(1, START)));
    }

    #[test]
    fn a_young_file_is_not_entered_at_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "a").unwrap();
        let version = read(&path);
        let stat = version.stat;
        let mut index = ContentIndex::new(Names::default());
        index.record_initial(&path, &stat, &version, stat.changed_ns);
        assert!(index.record(&path, &version));

        let mut index = ContentIndex::new(Names::default());
        index.record_initial(&path, &stat, &version, long_after(&stat));
        assert!(!index.record(&path, &version));
    }

    fn long_after(stat: &FileStat) -> i64 {
        stat.changed_ns + 2 * as_ns(TICK)
    }

    #[test]
    fn a_file_that_took_the_place_of_the_one_that_was_found_is_not_entered_at_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let [found, path] = ["found", "a"].map(|name| dir.path().join(name));
        std::fs::write(&found, "a").unwrap();
        std::fs::write(&path, "a").unwrap();
        let walked = read(&found).stat;
        let version = read(&path);
        let mut index = ContentIndex::new(Names::default());
        index.record_initial(&path, &walked, &version, long_after(&version.stat));
        assert!(index.record(&path, &version));

        // It was read while the other one stood in its place, and is back.
        let other = read(&found);
        let mut index = ContentIndex::new(Names::default());
        index.record_initial(&path, &version.stat, &other, long_after(&version.stat));
        assert!(index.record(&path, &other));

        // It was replaced after it had been read.
        let mut index = ContentIndex::new(Names::default());
        index.record_initial(&path, &walked, &other, long_after(&version.stat));
        assert!(index.record(&path, &other));
    }

    #[test]
    fn a_reader_that_was_given_another_file_before_the_first_hash_hears_of_this_one() {
        let dir = tempfile::tempdir().unwrap();
        let [before, path] = ["before", "a"].map(|name| dir.path().join(name));
        std::fs::write(&before, "b").unwrap();
        std::fs::write(&path, "a").unwrap();
        let before = read(&before).stat;
        let version = read(&path);
        let stat = version.stat;
        for (given, silent) in [
            (vec![], true),
            (vec![stat], true),
            (vec![before], false),
            (vec![before, stat], false),
        ] {
            let mut index = ContentIndex::new(Names::default());
            for stat in &given {
                index.observed(&path, stat);
            }
            index.record_initial(&path, &stat, &version, long_after(&stat));
            assert_eq!(index.record(&path, &version), !silent, "{given:?}");
        }
    }
}
