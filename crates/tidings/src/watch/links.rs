//! Symbolic links: where each leads, and what on the way decides that.
//!
//! A link is followed to what it is now. Its way is walked step by step, as the kernel would
//! (path_resolution(7)), and every directory entry that was looked up is noted: when one of them
//! changes, the link is walked again. An entry that is missing is such an entry, too, so a dangling
//! link is looked at again when its target appears.
//!
//! What must stay true: a way is bounded ([`HOPS`]), and nothing on it is opened or listed.

use super::stamp::{DirectoryId, Stamp};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows before it says `ELOOP`.
const HOPS: usize = 40;

/// More links than this in one root are reported as what they were found to be, and not followed
/// when that changes.
const LINK_LIMIT: usize = 10_000;

/// The way of one link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    /// Every entry that was looked up, by its directory's real path; the last one is the target,
    /// or what is missing.
    pub(super) entries: Vec<PathBuf>,
    /// The directories to be watched for these entries: those of links, of what is missing, and of
    /// a file. (A directory tells itself when it is removed or moved.)
    pub(super) watch: Vec<PathBuf>,
    /// Where it ends; none if it leads nowhere.
    pub(super) end: Option<End>,
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Without a link in it.
    pub(super) real: PathBuf,
    /// Which directory; none for anything else.
    pub(super) directory: Option<DirectoryId>,
    /// Which version of a file.
    pub(super) fingerprint: u64,
}

impl Way {
    /// Walks the way of a link whose directory is really at `at`. None if it is no link.
    pub(super) fn of(link: &Path, mut at: PathBuf) -> Option<Way> {
        let mut left = parts(&fs::read_link(link).ok()?);
        let mut way = Way::default();
        let mut hops = 1;
        while let Some(part) = left.pop_front() {
            let name = match part {
                Part::Root => {
                    at = PathBuf::from("/");
                    continue;
                }
                Part::Up => {
                    at.pop();
                    continue;
                }
                Part::Name(name) => name,
            };
            let entry = at.join(name);
            way.entries.push(entry.clone());
            let Ok(meta) = fs::symlink_metadata(&entry) else {
                way.watch.push(at);
                return Some(way);
            };
            if meta.is_symlink() {
                way.watch.push(at.clone());
                hops += 1;
                let Some(target) = fs::read_link(&entry).ok().filter(|_| hops <= HOPS) else {
                    return Some(way);
                };
                for part in parts(&target).into_iter().rev() {
                    left.push_front(part);
                }
            } else if meta.is_dir() {
                at = entry;
            } else {
                way.watch.push(at);
                // ENOTDIR where there is more to come.
                way.end = left.is_empty().then(|| End::of(entry, &meta));
                return Some(way);
            }
        }
        way.end = fs::metadata(&at).ok().map(|meta| End::of(at, &meta));
        Some(way)
    }

    /// Where the target is, or would be as far as that can be told.
    pub(super) fn target(&self) -> Option<&Path> {
        match &self.end {
            Some(end) => Some(&end.real),
            None => self.entries.last().map(PathBuf::as_path),
        }
    }
}

impl End {
    fn of(real: PathBuf, meta: &fs::Metadata) -> End {
        End {
            real,
            directory: meta.is_dir().then(|| DirectoryId::of(meta)),
            fingerprint: match meta.is_dir() {
                true => 0,
                false => Stamp::of(meta).fingerprint(),
            },
        }
    }
}

enum Part {
    Root,
    Up,
    Name(OsString),
}

fn parts(path: &Path) -> VecDeque<Part> {
    let parts = path.components().filter_map(|component| match component {
        Component::RootDir => Some(Part::Root),
        Component::ParentDir => Some(Part::Up),
        Component::Normal(name) => Some(Part::Name(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect()
}

/// The links of one root, by their names in the tree.
#[derive(Debug, Default)]
pub(super) struct Links {
    ways: BTreeMap<PathBuf, Way>,
    /// Entry -> the links whose way passes it.
    by_entry: HashMap<PathBuf, Vec<PathBuf>>,
    /// Directory -> how many ways have it watched.
    watched: HashMap<PathBuf, usize>,
}

impl Links {
    pub(super) fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }

    pub(super) fn way(&self, link: &Path) -> Option<&Way> {
        self.ways.get(link)
    }

    pub(super) fn all(&self) -> Vec<PathBuf> {
        self.ways.keys().cloned().collect()
    }

    /// The links whose way passes this entry, and whether their way ends there.
    pub(super) fn through(&self, entry: &Path) -> impl Iterator<Item = (&PathBuf, bool)> {
        let links = self.by_entry.get(entry).into_iter().flatten();
        links.filter_map(move |link| {
            let way = self.ways.get(link)?;
            let ends = way.entries.last().is_some_and(|last| last == entry);
            Some((link, ends))
        })
    }

    /// Notes the way of a link; none if it is no longer one. Gives back the directories that need
    /// no longer be watched.
    pub(super) fn set(&mut self, link: &Path, way: Option<Way>) -> Vec<PathBuf> {
        let way = way.filter(|_| self.ways.len() < LINK_LIMIT || self.ways.contains_key(link));
        for directory in way.iter().flat_map(|way| &way.watch) {
            *self.watched.entry(directory.clone()).or_default() += 1;
        }
        let left = self.drop_way(link);
        if let Some(way) = way {
            for entry in &way.entries {
                let links = self.by_entry.entry(entry.clone()).or_default();
                if !links.iter().any(|known| known == link) {
                    links.push(link.to_owned());
                }
            }
            self.ways.insert(link.to_owned(), way);
        }
        left
    }

    /// Forgets the links below a directory, likewise.
    pub(super) fn remove_below(&mut self, top: &Path) -> Vec<PathBuf> {
        use std::ops::Bound::{Included, Unbounded};
        let from = self.ways.range::<Path, _>((Included(top), Unbounded));
        let links: Vec<PathBuf> = from
            .map(|(link, _)| link)
            .take_while(|link| link.starts_with(top))
            .filter(|link| *link != top)
            .cloned()
            .collect();
        let left = links.iter().flat_map(|link| self.drop_way(link));
        left.collect()
    }

    fn drop_way(&mut self, link: &Path) -> Vec<PathBuf> {
        let Some(way) = self.ways.remove(link) else {
            return Vec::new();
        };
        for entry in &way.entries {
            if let Some(links) = self.by_entry.get_mut(entry) {
                links.retain(|other| other != link);
                if links.is_empty() {
                    self.by_entry.remove(entry);
                }
            }
        }
        let mut left = Vec::new();
        for directory in way.watch {
            if let Some(count) = self.watched.get_mut(&directory) {
                *count -= 1;
                if *count == 0 {
                    self.watched.remove(&directory);
                    left.push(directory);
                }
            }
        }
        left
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A directory with these links, and the way of the first: names relative to the directory.
    #[track_caller]
    fn check(links: &[(&str, &str)], entries: &[&str], watch: &[&str], end: Option<&str>) {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().canonicalize().unwrap();
        fs::create_dir_all(at.join("build/v1")).unwrap();
        fs::write(at.join("build/v1/x"), "x").unwrap();
        for (link, target) in links {
            symlink(target, at.join(link)).unwrap();
        }
        let way = Way::of(&at.join(links[0].0), at.clone()).unwrap();
        let below = |path: &PathBuf| {
            let below = path.strip_prefix(&at).unwrap();
            below.to_str().unwrap().to_owned()
        };
        assert_eq!(way.entries.iter().map(below).collect::<Vec<_>>(), entries);
        assert_eq!(way.watch.iter().map(below).collect::<Vec<_>>(), watch);
        assert_eq!(way.end.map(|end| below(&end.real)).as_deref(), end);
    }

    #[test]
    fn the_way_to_a_directory_passes_its_parents() {
        check(
            &[("a", "build/v1")],
            &["build", "build/v1"],
            &[],
            Some("build/v1"),
        );
    }

    #[test]
    fn the_way_to_a_file_passes_the_links_on_it() {
        check(
            &[("a", "current/../v1/./x"), ("current", "build/v1")],
            &["current", "build", "build/v1", "build/v1", "build/v1/x"],
            &["", "build/v1"],
            Some("build/v1/x"),
        );
    }

    #[test]
    fn what_is_missing_is_the_last_entry() {
        check(
            &[("a", "build/v2/x")],
            &["build", "build/v2"],
            &["build"],
            None,
        );
        check(
            &[("a", "build/v1/x/y")],
            &["build", "build/v1", "build/v1/x"],
            &["build/v1"],
            None,
        );
    }

    #[test]
    fn a_loop_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        symlink("b", dir.path().join("a")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        let way = Way::of(&dir.path().join("a"), dir.path().to_owned()).unwrap();
        assert_eq!(way.end, None);
        assert!(way.entries.len() <= HOPS);
    }

    #[test]
    fn a_directory_is_watched_as_long_as_a_way_needs_it() {
        let mut links = Links::default();
        let way = |entry: &str, watch: &str| {
            Some(Way {
                entries: vec![entry.into()],
                watch: vec![watch.into()],
                end: None,
            })
        };
        assert!(links.set(Path::new("/s/a"), way("/o/x", "/o")).is_empty());
        assert!(links.set(Path::new("/s/d/b"), way("/o/x", "/o")).is_empty());
        assert!(links.set(Path::new("/s/a"), way("/o/x", "/o")).is_empty());
        assert_eq!(links.through(Path::new("/o/x")).count(), 2);
        assert!(links.remove_below(Path::new("/s/d")).is_empty());
        assert_eq!(links.set(Path::new("/s/a"), None), [Path::new("/o")]);
        assert_eq!(links.through(Path::new("/o/x")).count(), 0);
    }
}
