//! Directories of which the system does not report every change: looked at once in a while.
//!
//! What pages use is looked at often; the rest in rounds, a slice at a time, so that a large tree delays
//! nothing else. Looking costs processor time, and answers of a network, so the pauses grow with what the
//! last look took: never more than about a twentieth of the time is spent.
//!
//! A look may come in the middle of a save. So what was touched just now is looked at again before it is
//! reported, until it stays as it is; that is what an event of the system says elsewhere.
//!
//! What must stay true: no IO and no clock here; what differs from the last look is given out exactly once, or is
//! held as unsettled; and two versions with the same `stat` are told apart by a second look, once the
//! times of the file system are surely over.

#[cfg(test)]
mod tests;

use super::ignores::GITIGNORE;
use super::scan::{Found, Scan};
use super::stat::{FileStat, as_ns};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often what pages use is looked at, where nothing was asked for.
const USED_PAUSE: Duration = Duration::from_millis(500);
/// From the begin of a round over the rest to the begin of the next, at least.
const ROUND_PAUSE: Duration = Duration::from_secs(1);
/// The pause is at least this many times what the last look took.
const SHARE: u32 = 20;

/// A file that was written less than this ago may still be being written.
const SETTLE: Duration = Duration::from_millis(80);
/// The same for a file without anything in it.
const SETTLE_EMPTY: Duration = Duration::from_secs(2);
/// How long a file is waited for that is written all the time.
const SETTLE_CAP: Duration = Duration::from_secs(1);

/// Times of files are as coarse as this on some file systems (FAT, and what is exported from one).
const COARSE: Duration = Duration::from_secs(2);

/// By how much the clock of a server may differ from ours, for what is seen for the first time.
const SKEW: Duration = Duration::from_secs(60);

/// What a look tells of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Print {
    /// Of the times and the size. Not of the inode: some network file systems number them anew.
    hash: u64,
    /// Until then another change may leave the same times. By our clock, since it was seen: that of the server may
    /// be behind.
    young_until: Option<Instant>,
}

impl Print {
    /// Of a file that is looked at for the first time.
    fn of(stat: &FileStat, (now, now_ns): (Instant, i64)) -> Print {
        let young = stat.modified_ns > now_ns - as_ns(COARSE + SKEW);
        Print {
            hash: hash_of(stat),
            young_until: young.then(|| now + COARSE),
        }
    }

    /// Of a file that looked like this before, if it was there.
    fn after(before: Option<Print>, stat: &FileStat, now: Instant) -> Print {
        let hash = hash_of(stat);
        let young_until = match before {
            Some(before) if before.hash == hash => before.young_until.filter(|until| now < *until),
            Some(_) | None => Some(now + COARSE),
        };
        Print { hash, young_until }
    }

    /// What became of the file since it looked like this.
    fn difference(self, now: Print) -> Option<Difference> {
        if self == now {
            None
        } else if self.hash == now.hash {
            Some(Difference::Again)
        } else {
            Some(Difference::Changed)
        }
    }
}

fn hash_of(stat: &FileStat) -> u64 {
    let mut hasher = DefaultHasher::new();
    (stat.modified_ns, stat.changed_ns, stat.size).hash(&mut hasher);
    hasher.finish()
}

/// What became of an entry since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// A file is there that was not, or a directory.
    Appeared,
    /// A file is different.
    Changed,
    /// It looks the same, and may have been changed all the same.
    Again,
    /// It is gone.
    Gone,
}

/// An entry that differs, with its `stat` if it is a file.
pub(super) type Differing = (PathBuf, Difference, Option<FileStat>);

/// An entry of a polled directory that is not what it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) root: usize,
    pub(super) directory: PathBuf,
    pub(super) entry: PathBuf,
    pub(super) is_dir: bool,
}

/// What there is by one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry<File> {
    Directory,
    /// A link to a directory.
    Link,
    /// A file, or a link to one.
    File(File),
}

/// The entries of a directory when it was last looked at, sorted by name.
#[derive(Debug, Default)]
struct Listing(Vec<(Box<OsStr>, Entry<Print>)>);

#[derive(Debug)]
struct Polled {
    root: usize,
    listing: Listing,
    /// Of its `.gitignore`.
    rules: Option<FileStat>,
}

/// What changed so short before that there may be more to come.
#[derive(Debug)]
struct Unsettled {
    root: usize,
    difference: Difference,
    stat: Option<FileStat>,
    /// When it was first found to differ.
    begun: Instant,
    /// Since when it is as it is.
    same_since: Instant,
    next_look: Instant,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Polling {
    used_pause: Duration,
    round_pause: Duration,
    directories: BTreeMap<PathBuf, Polled>,
    /// Roots that are files.
    files: BTreeMap<PathBuf, (usize, Option<Print>)>,
    unsettled: HashMap<PathBuf, Unsettled>,
    next_used: Instant,
    next_rest: Instant,
    round_begun: Instant,
    /// The last directory that was looked at in this round.
    at: Option<PathBuf>,
}

impl Polling {
    /// `pause`: how often to look, if that was asked for.
    pub(super) fn new(pause: Option<Duration>, now: Instant) -> Polling {
        Polling {
            used_pause: pause.unwrap_or(USED_PAUSE),
            round_pause: pause.unwrap_or(ROUND_PAUSE),
            directories: BTreeMap::new(),
            files: BTreeMap::new(),
            unsettled: HashMap::new(),
            next_used: now,
            next_rest: now,
            round_begun: now,
            at: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.directories.is_empty() && self.files.is_empty()
    }

    /// Polls a directory from now on; `scan` is what is there now.
    pub(super) fn add(
        &mut self,
        root: usize,
        directory: &Path,
        scan: &Scan,
        times: (Instant, i64),
    ) {
        if self.is_empty() {
            self.begin(times.0);
        }
        let polled = Polled {
            root,
            listing: Listing::of(scan, |_, stat| Print::of(stat, times)),
            rules: scan.rules,
        };
        self.directories.insert(directory.to_owned(), polled);
    }

    /// Polls a root that is a file.
    pub(super) fn add_file(
        &mut self,
        root: usize,
        path: &Path,
        stat: Option<FileStat>,
        times: (Instant, i64),
    ) {
        if self.is_empty() {
            self.begin(times.0);
        }
        let print = stat.map(|stat| Print::of(&stat, times));
        self.files.insert(path.to_owned(), (root, print));
    }

    fn begin(&mut self, now: Instant) {
        self.next_used = now + self.used_pause;
        self.next_rest = now + self.round_pause;
        self.round_begun = now;
        self.at = None;
    }

    /// The directory is watched, or gone.
    pub(super) fn remove(&mut self, directory: &Path) {
        if !self.directories.is_empty() {
            self.directories.remove(directory);
        }
    }

    /// A directory and all below it are another's, or nobody's.
    pub(super) fn remove_below(&mut self, top: &Path) {
        let from = (Bound::Included(top), Bound::Unbounded);
        let below = self.directories.range::<Path, _>(from);
        let below = below.map(|(path, _)| path);
        let below: Vec<_> = below
            .take_while(|path| path.starts_with(top))
            .cloned()
            .collect();
        for path in below {
            self.directories.remove(&path);
        }
    }

    /// Forgets that an entry is there: if the next look finds it, it has appeared.
    pub(super) fn forget(&mut self, entry: &Path) {
        let (Some(directory), Some(name)) = (entry.parent(), entry.file_name()) else {
            return;
        };
        if let Some(polled) = self.directories.get_mut(directory) {
            polled.listing.remove(name);
        }
    }

    /// Forgets a root.
    pub(super) fn remove_root(&mut self, root: usize) {
        self.directories.retain(|_, polled| polled.root != root);
        self.files.retain(|_, (of, _)| *of != root);
        self.unsettled.retain(|_, unsettled| unsettled.root != root);
    }

    /// When something is to be looked at.
    pub(super) fn due(&self) -> Option<Instant> {
        let settled = self.unsettled.values().map(|unsettled| unsettled.next_look);
        let polled = (!self.is_empty()).then(|| self.next_used.min(self.next_rest));
        settled.chain(polled).min()
    }

    pub(super) fn is_used_due(&self, now: Instant) -> bool {
        self.next_used <= now
    }

    /// What pages use has been looked at.
    pub(super) fn used_done(&mut self, begun: Instant, now: Instant) {
        let took = now.saturating_duration_since(begun);
        self.next_used = now + self.used_pause.max(took * SHARE);
    }

    pub(super) fn is_rest_due(&self, now: Instant) -> bool {
        self.next_rest <= now
    }

    /// Every directory, and its root.
    pub(super) fn directories(&self) -> Vec<(usize, PathBuf)> {
        let directories = self.directories.iter();
        directories
            .map(|(path, polled)| (polled.root, path.clone()))
            .collect()
    }

    /// Whether anything is held since then, because there may be more to come.
    pub(super) fn holds_since(&self, time: Instant) -> bool {
        let mut unsettled = self.unsettled.values();
        unsettled.any(|unsettled| unsettled.begun <= time)
    }

    /// The next directory of this round, and its root.
    pub(super) fn next_directory(&mut self) -> Option<(usize, PathBuf)> {
        let from = match &self.at {
            Some(at) => Bound::Excluded(at.as_path()),
            None => Bound::Unbounded,
        };
        let mut rest = self.directories.range::<Path, _>((from, Bound::Unbounded));
        let (path, polled) = rest.next()?;
        let next = (polled.root, path.clone());
        self.at = Some(next.1.clone());
        Some(next)
    }

    /// A slice of the round is done; `ended`: it was the last one.
    pub(super) fn slice_done(&mut self, begun: Instant, ended: bool, now: Instant) {
        let pause = now.saturating_duration_since(begun) * SHARE;
        self.next_rest = now + pause;
        if ended {
            self.next_rest = self.next_rest.max(self.round_begun + self.round_pause);
            self.round_begun = self.next_rest;
            self.at = None;
        }
    }

    pub(super) fn files(&self) -> Vec<(usize, PathBuf)> {
        let files = self.files.iter();
        files
            .map(|(path, (root, _))| (*root, path.clone()))
            .collect()
    }

    /// Compares a root that is a file.
    pub(super) fn look_at_file(
        &mut self,
        path: &Path,
        stat: Option<FileStat>,
        (now, now_ns): (Instant, i64),
    ) -> Option<Differing> {
        let (root, before) = self.files.get_mut(path)?;
        let root = *root;
        let print = stat.map(|stat| Print::after(*before, &stat, now));
        let difference = match (std::mem::replace(before, print), print) {
            (None, None) => return None,
            (Some(_), None) => Difference::Gone,
            (None, Some(_)) => Difference::Appeared,
            (Some(before), Some(now)) => before.difference(now)?,
        };
        self.settled(root, (path.to_owned(), difference, stat), now, now_ns)
    }

    /// Of the nearest directory above a path that is polled: the entry that leads there, if that is not
    /// what it was. `entry` tells what is there now.
    pub(super) fn moved(
        &self,
        path: &Path,
        now: Instant,
        entry: impl FnOnce(&Path) -> Option<Entry<FileStat>>,
    ) -> Option<Moved> {
        let mut child = path;
        while let Some(directory) = child.parent() {
            let Some(polled) = self.directories.get(directory) else {
                child = directory;
                continue;
            };
            let before = polled.listing.get(child.file_name()?);
            let now = entry(child).map(|entry| match (entry, before) {
                (Entry::Directory, _) => Entry::Directory,
                (Entry::Link, _) => Entry::Link,
                (Entry::File(stat), Some(Entry::File(before))) => {
                    Entry::File(Print::after(Some(before), &stat, now))
                }
                (Entry::File(stat), _) => Entry::File(Print::after(None, &stat, now)),
            });
            return (now != before).then(|| Moved {
                root: polled.root,
                directory: directory.to_owned(),
                entry: child.to_owned(),
                is_dir: matches!(now, Some(Entry::Directory | Entry::Link)),
            });
        }
        None
    }

    /// Compares a directory with how it was. Returns what is to be handled now.
    pub(super) fn look(
        &mut self,
        directory: &Path,
        scan: &Scan,
        (now, now_ns): (Instant, i64),
    ) -> Vec<Differing> {
        let Some(polled) = self.directories.get_mut(directory) else {
            return Vec::new();
        };
        let root = polled.root;
        let before = std::mem::take(&mut polled.listing);
        polled.listing = Listing::of(scan, |name, stat| {
            Print::after(before.print(name), stat, now)
        });
        for name in scan.unknown.iter().filter_map(|path| path.file_name()) {
            if let Some(entry) = before.get(name) {
                polled.listing.insert(name, entry);
            }
        }
        let mut differing = Vec::new();
        let rules_path = directory.join(GITIGNORE);
        if polled.rules != scan.rules && !scan.unknown.contains(&rules_path) {
            polled.rules = scan.rules;
            differing.push((rules_path, Difference::Changed, scan.rules));
        }
        for name in before.names_not_in(&polled.listing) {
            differing.push((directory.join(name), Difference::Gone, None));
        }
        let directories = scan.directories.iter().map(|path| (path, Entry::Directory));
        let links = scan.linked_directories.iter();
        for (path, now) in directories.chain(links.map(|path| (path, Entry::Link))) {
            if path.file_name().and_then(|name| before.get(name)) != Some(now) {
                differing.push((path.clone(), Difference::Appeared, None));
            }
        }
        for Found { path, stat, .. } in &scan.files {
            let name = path.file_name().unwrap_or_default();
            let difference = match (before.print(name), polled.listing.print(name)) {
                (Some(before), Some(now)) => match before.difference(now) {
                    Some(difference) => difference,
                    None => continue,
                },
                (_, _) => Difference::Appeared,
            };
            differing.push((path.clone(), difference, Some(*stat)));
        }
        let differing = differing.into_iter();
        differing
            .filter_map(|differing| self.settled(root, differing, now, now_ns))
            .collect()
    }

    /// Holds back what was touched just now.
    fn settled(
        &mut self,
        root: usize,
        differing: Differing,
        now: Instant,
        now_ns: i64,
    ) -> Option<Differing> {
        let (path, difference, stat) = differing;
        if difference == Difference::Again && self.unsettled.contains_key(&path) {
            // What is held is still to be given out, and tells more.
            return None;
        }
        let before = self.unsettled.remove(&path);
        let difference = match (&before, difference) {
            // Nobody has heard yet that it is there.
            (Some(before), Difference::Changed) if before.difference == Difference::Appeared => {
                Difference::Appeared
            }
            (_, difference) => difference,
        };
        let settled = match (difference, &stat) {
            (Difference::Again, _) | (Difference::Appeared, None) => true,
            // An editor removes and re-creates.
            (Difference::Gone, _) | (_, None) => false,
            // By a clock that may not be ours: the time of a file may seem to be still to come.
            (_, Some(stat)) => {
                stat.modified_ns.max(stat.changed_ns) < now_ns - as_ns(quiet_time(Some(stat)))
            }
        };
        if settled {
            return Some((path, difference, stat));
        }
        let same_since = match &before {
            Some(before) if before.stat == stat => before.same_since,
            Some(_) | None => now,
        };
        let unsettled = Unsettled {
            root,
            difference,
            stat,
            begun: before.map_or(now, |before| before.begun),
            same_since,
            next_look: now + SETTLE,
        };
        self.unsettled.insert(path, unsettled);
        None
    }

    /// What is to be looked at again now.
    pub(super) fn unsettled(&self, now: Instant) -> Vec<(usize, PathBuf)> {
        let due = self.unsettled.iter();
        let due = due.filter(|(_, unsettled)| unsettled.next_look <= now);
        due.map(|(path, unsettled)| (unsettled.root, path.clone()))
            .collect()
    }

    /// Takes another look at what was not settled. Returns it if it is now.
    pub(super) fn settle(
        &mut self,
        path: &Path,
        stat: &io::Result<Option<FileStat>>,
        now: Instant,
    ) -> Option<Differing> {
        let mut unsettled = self.unsettled.remove(path)?;
        let Ok(stat) = *stat else {
            // It is not known what is there: the wait begins anew.
            unsettled.begun = now;
            unsettled.next_look = now + SETTLE;
            self.unsettled.insert(path.to_owned(), unsettled);
            return None;
        };
        if unsettled.stat != stat {
            unsettled.same_since = now;
            unsettled.stat = stat;
        }
        let quiet = quiet_time(stat.as_ref());
        if unsettled.same_since + quiet <= now || unsettled.begun + SETTLE_CAP.max(quiet) <= now {
            let difference = match (unsettled.difference, stat) {
                (_, None) => {
                    // However it looks when it is back, it has appeared.
                    self.forget(path);
                    Difference::Gone
                }
                // It is back.
                (Difference::Gone, Some(_)) => Difference::Changed,
                (difference, Some(_)) => difference,
            };
            return Some((path.to_owned(), difference, stat));
        }
        unsettled.next_look = now + SETTLE;
        self.unsettled.insert(path.to_owned(), unsettled);
        None
    }
}

/// How long a file must be left alone to count as done.
fn quiet_time(stat: Option<&FileStat>) -> Duration {
    match stat {
        Some(stat) if stat.size == 0 => SETTLE_EMPTY,
        Some(_) | None => SETTLE,
    }
}

impl Listing {
    fn of(scan: &Scan, print: impl Fn(&OsStr, &FileStat) -> Print) -> Listing {
        let directories = scan.directories.iter().map(|path| (path, Entry::Directory));
        let links = scan.linked_directories.iter();
        let links = links.map(|path| (path, Entry::Link));
        let files = scan.files.iter().filter_map(|file| {
            let name = file.path.file_name()?;
            Some((&file.path, Entry::File(print(name, &file.stat))))
        });
        let entries = directories.chain(links).chain(files);
        let named = entries.filter_map(|(path, entry)| Some((path.file_name()?.into(), entry)));
        let mut entries: Vec<(Box<OsStr>, Entry<Print>)> = named.collect();
        entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Listing(entries)
    }

    fn at(&self, name: &OsStr) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| (**other).cmp(name))
    }

    fn get(&self, name: &OsStr) -> Option<Entry<Print>> {
        Some(self.0[self.at(name).ok()?].1)
    }

    fn print(&self, name: &OsStr) -> Option<Print> {
        match self.get(name) {
            Some(Entry::File(print)) => Some(print),
            Some(Entry::Directory | Entry::Link) | None => None,
        }
    }

    fn insert(&mut self, name: &OsStr, entry: Entry<Print>) {
        if let Err(at) = self.at(name) {
            self.0.insert(at, (name.into(), entry));
        }
    }

    fn remove(&mut self, name: &OsStr) {
        if let Ok(at) = self.at(name) {
            self.0.remove(at);
        }
    }

    fn names_not_in(&self, other: &Listing) -> Vec<&OsStr> {
        let names = self.0.iter().map(|(name, _)| &**name);
        names.filter(|name| other.get(name).is_none()).collect()
    }
}
