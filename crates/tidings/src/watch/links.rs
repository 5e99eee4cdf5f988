//! Symbolic links: where each leads, and which directory entries decide that.
//!
//! A link is resolved step by step, as the kernel would (path_resolution(7)), and every directory entry
//! that was looked up is noted: when one of them changes, the link is resolved again. A missing entry
//! is noted, too, so a dangling link is resolved again when its target appears.
//!
//! What must stay true: a resolution is bounded ([`LINK_HOPS`]), and nothing on it is opened or listed.

use super::stat::{DirectoryId, FileStat};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows before it says `ELOOP`.
const LINK_HOPS: usize = 40;

/// More links than this in one root are reported as what they were found to be, and not followed
/// when that changes.
const LINK_LIMIT: usize = 10_000;

/// The resolution of one link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resolution {
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

impl Resolution {
    /// Walks the resolution of a link whose directory is really at `at`. None if it is no link.
    pub(super) fn of(link: &Path, mut at: PathBuf) -> Option<Resolution> {
        let mut left = steps(&fs::read_link(link).ok()?);
        let mut resolution = Resolution::default();
        let mut hops = 1;
        while let Some(step) = left.pop_front() {
            let name = match step {
                Step::Root => {
                    at = PathBuf::from("/");
                    continue;
                }
                Step::Up => {
                    at.pop();
                    continue;
                }
                Step::Name(name) => name,
            };
            let entry = at.join(name);
            resolution.entries.push(entry.clone());
            let Ok(meta) = fs::symlink_metadata(&entry) else {
                resolution.watch.push(at);
                return Some(resolution);
            };
            if meta.is_symlink() {
                resolution.watch.push(at.clone());
                hops += 1;
                let Some(target) = fs::read_link(&entry).ok().filter(|_| hops <= LINK_HOPS) else {
                    return Some(resolution);
                };
                for step in steps(&target).into_iter().rev() {
                    left.push_front(step);
                }
            } else if meta.is_dir() {
                at = entry;
            } else {
                resolution.watch.push(at);
                // ENOTDIR where there is more to come.
                resolution.end = left.is_empty().then(|| End::of(entry, &meta));
                return Some(resolution);
            }
        }
        resolution.end = fs::metadata(&at).ok().map(|meta| End::of(at, &meta));
        Some(resolution)
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
                false => FileStat::of(meta).fingerprint(),
            },
        }
    }
}

enum Step {
    Root,
    Up,
    Name(OsString),
}

fn steps(path: &Path) -> VecDeque<Step> {
    let steps = path.components().filter_map(|component| match component {
        Component::RootDir => Some(Step::Root),
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Name(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    });
    steps.collect()
}

/// The links of one root, by their names in the tree.
#[derive(Debug, Default)]
pub(super) struct Links {
    resolutions: BTreeMap<PathBuf, Resolution>,
    /// Entry -> the links whose resolution passes it.
    by_entry: HashMap<PathBuf, Vec<PathBuf>>,
    /// Directory -> how many resolutions have it watched.
    watched: HashMap<PathBuf, usize>,
}

impl Links {
    pub(super) fn is_empty(&self) -> bool {
        self.resolutions.is_empty()
    }

    pub(super) fn resolution(&self, link: &Path) -> Option<&Resolution> {
        self.resolutions.get(link)
    }

    pub(super) fn all(&self) -> Vec<PathBuf> {
        self.resolutions.keys().cloned().collect()
    }

    /// The links whose resolution passes this entry, and whether their resolution ends there.
    pub(super) fn through(&self, entry: &Path) -> impl Iterator<Item = (&PathBuf, bool)> {
        let links = self.by_entry.get(entry).into_iter().flatten();
        links.filter_map(move |link| {
            let resolution = self.resolutions.get(link)?;
            let ends = resolution.entries.last().is_some_and(|last| last == entry);
            Some((link, ends))
        })
    }

    /// Notes the resolution of a link; none if it is no longer one. Returns the directories that need
    /// no longer be watched.
    pub(super) fn set(&mut self, link: &Path, resolution: Option<Resolution>) -> Vec<PathBuf> {
        let resolution = resolution
            .filter(|_| self.resolutions.len() < LINK_LIMIT || self.resolutions.contains_key(link));
        for directory in resolution.iter().flat_map(|resolution| &resolution.watch) {
            *self.watched.entry(directory.clone()).or_default() += 1;
        }
        let left = self.drop_resolution(link);
        if let Some(resolution) = resolution {
            for entry in &resolution.entries {
                let links = self.by_entry.entry(entry.clone()).or_default();
                if !links.iter().any(|known| known == link) {
                    links.push(link.to_owned());
                }
            }
            self.resolutions.insert(link.to_owned(), resolution);
        }
        left
    }

    /// Forgets the links below a directory, likewise.
    pub(super) fn remove_below(&mut self, top: &Path) -> Vec<PathBuf> {
        use std::ops::Bound::{Included, Unbounded};
        let from = self
            .resolutions
            .range::<Path, _>((Included(top), Unbounded));
        let links: Vec<PathBuf> = from
            .map(|(link, _)| link)
            .take_while(|link| link.starts_with(top))
            .filter(|link| *link != top)
            .cloned()
            .collect();
        let left = links.iter().flat_map(|link| self.drop_resolution(link));
        left.collect()
    }

    fn drop_resolution(&mut self, link: &Path) -> Vec<PathBuf> {
        let Some(resolution) = self.resolutions.remove(link) else {
            return Vec::new();
        };
        for entry in &resolution.entries {
            if let Some(links) = self.by_entry.get_mut(entry) {
                links.retain(|other| other != link);
                if links.is_empty() {
                    self.by_entry.remove(entry);
                }
            }
        }
        let mut left = Vec::new();
        for directory in resolution.watch {
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

    /// A directory with these links, and the resolution of the first: names relative to the directory.
    #[track_caller]
    fn check(links: &[(&str, &str)], entries: &[&str], watch: &[&str], end: Option<&str>) {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().canonicalize().unwrap();
        fs::create_dir_all(at.join("build/v1")).unwrap();
        fs::write(at.join("build/v1/x"), "x").unwrap();
        for (link, target) in links {
            symlink(target, at.join(link)).unwrap();
        }
        let resolution = Resolution::of(&at.join(links[0].0), at.clone()).unwrap();
        let below = |path: &PathBuf| {
            let below = path.strip_prefix(&at).unwrap();
            below.to_str().unwrap().to_owned()
        };
        assert_eq!(
            resolution.entries.iter().map(below).collect::<Vec<_>>(),
            entries
        );
        assert_eq!(
            resolution.watch.iter().map(below).collect::<Vec<_>>(),
            watch
        );
        assert_eq!(resolution.end.map(|end| below(&end.real)).as_deref(), end);
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
        let resolution = Resolution::of(&dir.path().join("a"), dir.path().to_owned()).unwrap();
        assert_eq!(resolution.end, None);
        assert!(resolution.entries.len() <= LINK_HOPS);
    }

    #[test]
    fn a_directory_is_watched_as_long_as_a_way_needs_it() {
        let mut links = Links::default();
        let resolution = |entry: &str, watch: &str| {
            Some(Resolution {
                entries: vec![entry.into()],
                watch: vec![watch.into()],
                end: None,
            })
        };
        assert!(
            links
                .set(Path::new("/s/a"), resolution("/o/x", "/o"))
                .is_empty()
        );
        assert!(
            links
                .set(Path::new("/s/d/b"), resolution("/o/x", "/o"))
                .is_empty()
        );
        assert!(
            links
                .set(Path::new("/s/a"), resolution("/o/x", "/o"))
                .is_empty()
        );
        assert_eq!(links.through(Path::new("/o/x")).count(), 2);
        assert!(links.remove_below(Path::new("/s/d")).is_empty());
        assert_eq!(links.set(Path::new("/s/a"), None), [Path::new("/o")]);
        assert_eq!(links.through(Path::new("/o/x")).count(), 0);
    }
}
