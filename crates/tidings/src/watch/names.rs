//! Which names there are: to tell created from modified, for the newest time, and for the digest.
//!
//! Names are kept as hashes of the path below its root, because the names themselves would cost too
//! much in a large tree. What must stay true:
//! - a name is here if and only if a reader who asks for it gets it (or, of what was just found, will
//!   be looked at in a moment);
//! - the digest and the newest time depend on nothing but the names and times that are here, so a
//!   watcher that is started anew on the same files has the same.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

/// Beyond this many names, new ones are not kept.
const NAME_LIMIT: usize = 400_000;

/// A map by [`Names::key`].
pub(super) type ByKey<V> = HashMap<u64, V, BuildHasherDefault<KeyHasher>>;

/// A key is a hash already, and is not hashed once more.
#[derive(Debug, Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Without a slash at the end, also where the root is `/`.
    roots: Vec<Vec<u8>>,
    /// Directory -> entry -> newest time in milliseconds since the epoch, 0 for a directory.
    directories: ByKey<ByKey<u64>>,
    len: usize,
    digest: u64,
    newest_ms: u64,
    /// Whoever had the newest time is gone: it is to be found again.
    newest_left: bool,
}

impl Names {
    pub(super) fn new<'a>(roots: impl Iterator<Item = &'a PathBuf>) -> Names {
        let bytes = |root: &PathBuf| {
            let bytes = root.as_os_str().as_encoded_bytes();
            bytes.strip_suffix(b"/").unwrap_or(bytes).to_vec()
        };
        Names {
            roots: roots.map(bytes).collect(),
            ..Names::default()
        }
    }

    /// The hash of a path, relative to its root: a project that was moved has the same.
    pub(super) fn key(&self, path: &Path) -> u64 {
        let path = path.as_os_str().as_encoded_bytes();
        let roots = self.roots.iter().enumerate();
        let below = roots.filter_map(|(root, prefix)| {
            let below = path.strip_prefix(prefix.as_slice())?;
            (below.is_empty() || below[0] == b'/').then_some((root, below))
        });
        // Roots may lie in each other: the nearest counts.
        let (root, below) = below
            .min_by_key(|(_, below)| below.len())
            .unwrap_or((usize::MAX, path));
        let mut hasher = DefaultHasher::new();
        hasher.write_usize(root);
        hasher.write(below);
        hasher.finish()
    }

    pub(super) fn contains(&self, path: &Path) -> bool {
        let entries = self.directories.get(&self.directory_of(path));
        entries.is_some_and(|entries| entries.contains_key(&self.key(path)))
    }

    /// Whether everything that is there is here: then what is not here was not there.
    pub(super) fn is_complete(&self) -> bool {
        self.len < NAME_LIMIT
    }

    /// Keeps a name and its time. Returns whether the name is new.
    pub(super) fn insert(&mut self, path: &Path, newest_ms: u64) -> bool {
        self.insert_in(self.directory_of(path), path, newest_ms)
    }

    /// The same, where the key of its directory is known.
    pub(super) fn insert_in(&mut self, directory: u64, path: &Path, newest_ms: u64) -> bool {
        if !self.is_complete() && !self.contains(path) {
            return false;
        }
        let key = self.key(path);
        let entries = self.directories.entry(directory).or_default();
        let before = entries.insert(key, newest_ms);
        if before.is_none() {
            self.len += 1;
            self.digest = self.digest.wrapping_add(key);
        }
        if before.is_some_and(|before| before > newest_ms && before == self.newest_ms) {
            self.newest_left = true;
        }
        self.newest_ms = self.newest_ms.max(newest_ms);
        before.is_none()
    }

    /// Drops a name. Returns whether it was here.
    pub(super) fn remove(&mut self, path: &Path) -> bool {
        let (directory, key) = (self.directory_of(path), self.key(path));
        let Some(entries) = self.directories.get_mut(&directory) else {
            return false;
        };
        let removed = entries.remove(&key);
        if entries.is_empty() {
            self.directories.remove(&directory);
        }
        if let Some(newest_ms) = removed {
            self.dropped(key, newest_ms);
        }
        removed.is_some()
    }

    /// Whether there is a name in this directory that is not among `present`.
    pub(super) fn has_other(&self, directory: &Path, present: &HashSet<u64>) -> bool {
        let entries = self.directories.get(&self.key(directory));
        entries.is_some_and(|entries| entries.keys().any(|key| !present.contains(key)))
    }

    /// Drops the names in one directory that are not among `present`, and all below those. Gives
    /// back their keys.
    pub(super) fn retain(&mut self, directory: &Path, present: &HashSet<u64>) -> Vec<u64> {
        let mut gone = self.retain_key(self.key(directory), |key| present.contains(key));
        let mut at = 0;
        // A directory has one key, as an entry of its parent and for its own entries.
        while let Some(key) = gone.get(at) {
            let below = self.retain_key(*key, |_| false);
            gone.extend(below);
            at += 1;
        }
        gone
    }

    fn retain_key(&mut self, directory: u64, keep: impl Fn(&u64) -> bool) -> Vec<u64> {
        let Some(entries) = self.directories.get_mut(&directory) else {
            return Vec::new();
        };
        let gone: Vec<(u64, u64)> = entries.extract_if(|key, _| !keep(key)).collect();
        if entries.is_empty() {
            self.directories.remove(&directory);
        }
        for (key, newest_ms) in &gone {
            self.dropped(*key, *newest_ms);
        }
        gone.into_iter().map(|(key, _)| key).collect()
    }

    fn dropped(&mut self, key: u64, newest_ms: u64) {
        self.len -= 1;
        self.digest = self.digest.wrapping_sub(key);
        self.newest_left |= newest_ms == self.newest_ms;
    }

    /// The newest time of all that is here.
    pub(super) fn newest_ms(&mut self) -> u64 {
        if std::mem::take(&mut self.newest_left) {
            let times = self.directories.values().flat_map(HashMap::values);
            self.newest_ms = times.copied().max().unwrap_or(0);
        }
        self.newest_ms
    }

    /// A sum over all names; none where not all could be kept.
    pub(super) fn digest(&self) -> Option<u64> {
        self.is_complete().then_some(self.digest)
    }

    fn directory_of(&self, path: &Path) -> u64 {
        self.key(path.parent().unwrap_or(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &str, paths: &[&str]) -> Names {
        let mut names = Names::new([PathBuf::from(root)].iter());
        for path in paths {
            names.insert(&Path::new(root).join(path), 1);
        }
        names
    }

    #[test]
    fn the_digest_is_that_of_the_names_whatever_came_between() {
        let mut changed = names("/a", &["x", "d/y", "passing"]);
        assert_ne!(changed.digest(), names("/a", &["x", "d/y"]).digest());
        assert!(changed.remove(Path::new("/a/passing")));
        assert!(!changed.remove(Path::new("/a/passing")));
        assert!(!changed.insert(Path::new("/a/x"), 5));
        assert_eq!(changed.digest(), names("/a", &["d/y", "x"]).digest());
    }

    #[test]
    fn a_project_that_was_moved_has_the_same_digest() {
        let digest = names("/a", &["x", "d/y"]).digest();
        assert_eq!(names("/elsewhere/b", &["x", "d/y"]).digest(), digest);
        assert_eq!(names("/", &["x", "d/y"]).digest(), digest);
        assert_ne!(names("/a", &["x", "d/z"]).digest(), digest);
    }

    #[test]
    fn what_was_in_a_directory_goes_with_it() {
        let mut changed = names("/a", &["x", "d", "d/y", "d/e", "d/e/z", "de"]);
        let present = [
            changed.key(Path::new("/a/x")),
            changed.key(Path::new("/a/de")),
        ];
        assert_eq!(changed.retain(Path::new("/a"), &present.into()).len(), 4);
        assert_eq!(changed.digest(), names("/a", &["x", "de"]).digest());
    }

    #[test]
    fn the_newest_time_is_that_of_what_is_left() {
        let mut names = names("/a", &["x"]);
        names.insert(Path::new("/a/d/y"), 9);
        names.insert(Path::new("/a/z"), 7);
        assert_eq!(names.newest_ms(), 9);
        let gone = names.retain(Path::new("/a/d"), &HashSet::new());
        assert_eq!((gone.len(), names.newest_ms()), (1, 7));
        names.insert(Path::new("/a/z"), 3);
        assert_eq!(names.newest_ms(), 3);
    }
}
