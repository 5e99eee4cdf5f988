//! What the files held when they were last spoken of: a save that changes nothing says nothing.
//!
//! Being silent is the dangerous answer, so it is given only on proof. What must stay true, for a
//! file that goes from A to B and back to A:
//! - silence needs an entry: a hash of the content that was last announced (or was there, and
//!   old, before we started);
//! - whoever shows a reader a version tells us its stamp ([`Book::observed`]). If that is not the
//!   version of the entry, the reader may hold B, and the entry is dropped: the next sign is
//!   spoken of whatever the content is;
//! - if it is *older* than a version about which we kept silent, no further sign will come: the
//!   path is to be spoken of now;
//! - times of files tick ([`TICK`]): a second write within one tick may not show in the stamp, so
//!   a sign that comes that early drops the entry too.

use super::names::Names;
use super::stamp::{Stamp, TICK, as_ns};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

/// Larger files are told apart by time, size and inode; reading them would take too long.
const READ_LIMIT_BYTES: u64 = 32 << 20;

/// Beyond this many contents, new ones are not remembered, and always spoken of.
const ENTRY_LIMIT: usize = 400_000;

/// How long after a file came back unchanged a reader may tell that it missed it.
const MISSED_LATE: Duration = Duration::from_secs(10);

/// A version of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    pub(super) stamp: Stamp,
    /// Hash of the bytes; none if they changed while they were read.
    content: Option<u64>,
}

impl Version {
    /// Reads and hashes a file. `path` must be a regular file: opening a pipe would wait.
    pub(super) fn read(path: &Path) -> io::Result<Version> {
        let mut file = File::open(path)?;
        let stamp = Stamp::of(&file.metadata()?);
        let mut hasher = DefaultHasher::new();
        if stamp.size > READ_LIMIT_BYTES {
            stamp.fingerprint().hash(&mut hasher);
            let content = Some(hasher.finish());
            return Ok(Version { stamp, content });
        }
        let mut buffer = vec![0; usize::try_from(stamp.size.clamp(512, 65_536)).unwrap_or(512)];
        let mut length = 0u64;
        // Not to the very end: whether it has grown meanwhile is seen below.
        while length < stamp.size {
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
        let steady = Stamp::of(&file.metadata()?) == stamp && length == stamp.size;
        let content = steady.then(|| hasher.finish());
        Ok(Version { stamp, content })
    }
}

/// What was last announced of one file.
#[derive(Clone, Copy, Debug)]
struct Entry {
    content: u64,
    /// Fingerprint of the newest stamp this content was seen with.
    print: u64,
    /// Fingerprint before the last silence; 0 if there was none.
    prior: u64,
    changed_ns: i64,
}

/// All we remember.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// By [`Names::key`].
    entries: HashMap<u64, Entry>,
    pub(super) names: Names,
}

impl Book {
    pub(super) fn new(names: Names) -> Book {
        Book {
            entries: HashMap::new(),
            names,
        }
    }

    /// Forgets the path. Gives back whether it was known.
    pub(super) fn forget(&mut self, path: &Path) -> bool {
        self.entries.remove(&self.names.key(path));
        self.names.remove(path)
    }

    /// Forgets what is in a directory and below, but for those of its entries that are among
    /// `present`. Gives back whether there was anything.
    pub(super) fn forget_all_but(&mut self, directory: &Path, present: &HashSet<u64>) -> bool {
        let gone = self.names.retain(directory, present);
        for key in &gone {
            self.entries.remove(key);
        }
        !gone.is_empty()
    }

    /// Forgets all contents: anything may have changed.
    pub(super) fn doubt_all(&mut self) {
        self.entries.clear();
    }

    /// Drops what is known of the content.
    pub(super) fn doubt(&mut self, path: &Path) {
        self.entries.remove(&self.names.key(path));
    }

    /// Enters the content of a file that nobody wrote since before we started. The file must
    /// still be what was read, which is looked at here, under the lock of the book: a reader's
    /// `observed` is then either before (and the stamp has changed) or finds the entry.
    pub(super) fn enter_first(&mut self, path: &Path, version: &Version, started_ns: i64) {
        let old = version.stamp.changed_ns < started_ns - as_ns(TICK);
        let steady = || std::fs::metadata(path).is_ok_and(|meta| Stamp::of(&meta) == version.stamp);
        let key = self.names.key(path);
        if old && !self.entries.contains_key(&key) && steady() {
            self.enter(key, version, 0);
        }
    }

    /// Says whether a version is to be announced, and enters it.
    pub(super) fn is_news(&mut self, path: &Path, version: &Version) -> bool {
        let key = self.names.key(path);
        let before = self.entries.get(&key).copied();
        match (before, version.content) {
            (Some(entry), Some(content)) if entry.content == content => {
                let print = version.stamp.fingerprint();
                if entry.print != print {
                    self.enter(key, version, entry.print);
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

    /// Somebody wrote the file now. If its entry is too young for a stamp to tell the versions
    /// apart, the entry goes.
    pub(super) fn written(&mut self, path: &Path, now_ns: i64) {
        let key = self.names.key(path);
        if let Some(entry) = self.entries.get(&key)
            && now_ns - entry.changed_ns < as_ns(TICK)
        {
            self.entries.remove(&key);
        }
    }

    /// A reader has been given the version with this stamp. Gives back whether the path is to be
    /// announced, because the reader holds what will not be followed by another sign.
    pub(super) fn observed(&mut self, path: &Path, stamp: &Stamp) -> bool {
        let key = self.names.key(path);
        let Some(entry) = self.entries.get(&key).copied() else {
            return false;
        };
        let print = stamp.fingerprint();
        if print == entry.print || print == entry.prior {
            return false;
        }
        self.entries.remove(&key);
        entry.prior != 0 && stamp.changed_ns <= entry.changed_ns
    }

    /// A reader was told that there is nothing at this path. Gives back whether the path is to be
    /// announced: it had just come back unchanged, we kept silent about that, and no further sign
    /// will come. Otherwise only the next sign is news; a request is no change.
    pub(super) fn missed(&mut self, path: &Path, now_ns: i64) -> bool {
        let entry = self.entries.remove(&self.names.key(path));
        entry
            .is_some_and(|entry| entry.prior != 0 && now_ns - entry.changed_ns < as_ns(MISSED_LATE))
    }

    fn enter(&mut self, key: u64, version: &Version, prior: u64) {
        let full = self.entries.len() >= ENTRY_LIMIT && !self.entries.contains_key(&key);
        if let Some(content) = version.content
            && !full
        {
            let entry = Entry {
                content,
                print: version.stamp.fingerprint(),
                prior,
                changed_ns: version.stamp.changed_ns,
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
        let stamp = Stamp {
            modified_ns: changed_ns,
            changed_ns,
            size: 1,
            inode: 1,
            device: 1,
            links: 1,
        };
        Version {
            stamp,
            content: Some(content),
        }
    }

    fn book_with(path: &Path, version: &Version) -> Book {
        let mut book = Book::default();
        assert!(book.is_news(path, version));
        book
    }

    #[test]
    fn the_same_content_again_is_no_news() {
        let path = Path::new("/a");
        let mut book = book_with(path, &version(1, START));
        assert!(!book.is_news(path, &version(1, START + 1)));
        assert!(book.is_news(path, &version(2, START + 2)));
        assert!(book.is_news(path, &version(1, START + 3)));
    }

    #[test]
    fn a_reader_that_saw_another_version_makes_the_next_sign_news() {
        let path = Path::new("/a");
        let mut book = book_with(path, &version(1, START));
        assert!(!book.observed(path, &version(2, START + 5).stamp));
        assert!(book.is_news(path, &version(1, START + 9)));
    }

    #[test]
    fn a_reader_of_the_announced_version_changes_nothing() {
        let path = Path::new("/a");
        let mut book = book_with(path, &version(1, START));
        assert!(!book.observed(path, &version(1, START).stamp));
        assert!(!book.is_news(path, &version(1, START + 9)));
        assert!(!book.observed(path, &version(1, START).stamp));
        assert!(!book.is_news(path, &version(1, START + 19)));
    }

    #[test]
    fn a_reader_heard_of_too_late_is_answered_with_an_announcement() {
        let path = Path::new("/a");
        let mut book = book_with(path, &version(1, START));
        assert!(!book.is_news(path, &version(1, START + 9)));
        assert!(book.observed(path, &version(2, START + 5).stamp));
        assert!(book.is_news(path, &version(1, START + 9)));
    }

    #[test]
    fn a_reader_that_missed_a_silent_return_is_answered_once() {
        let path = Path::new("/a");
        let mut book = book_with(path, &version(1, START));
        assert!(!book.missed(path, START + 9), "it never went away");
        assert!(book.is_news(path, &version(1, START)));
        assert!(!book.is_news(path, &version(1, START + 10)));
        assert!(book.missed(path, START + 11));
        assert!(book.is_news(path, &version(1, START + 10)));
        assert!(!book.missed(path, START + 12));
    }

    #[test]
    fn a_write_within_one_tick_of_the_last_makes_it_news() {
        let path = Path::new("/a");
        let mut book = book_with(path, &version(1, START));
        book.written(path, START + 1_000_000);
        assert!(book.is_news(path, &version(1, START)));
        book.written(path, START + 30_000_000);
        assert!(!book.is_news(path, &version(1, START + 30_000_000)));
    }

    #[test]
    fn a_file_that_changed_while_it_was_read_is_news_twice() {
        let path = Path::new("/a");
        let mut torn = version(1, START);
        torn.content = None;
        let mut book = book_with(path, &version(1, START));
        assert!(book.is_news(path, &torn));
        assert!(book.is_news(path, &version(1, START)));
    }

    #[test]
    fn a_young_file_is_not_entered_at_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "a").unwrap();
        let version = Version::read(&path).unwrap();
        let mut book = Book::default();
        book.enter_first(&path, &version, version.stamp.changed_ns);
        assert!(book.is_news(&path, &version));

        let mut book = Book::default();
        book.enter_first(&path, &version, version.stamp.changed_ns + 2 * as_ns(TICK));
        assert!(!book.is_news(&path, &version));
    }
}
