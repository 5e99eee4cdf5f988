//! The directories of one root: which are there, and by which names each is reached.
//!
//! inotify keeps one watch per inode, and notify one name per watch. A directory that a symbolic
//! link leads to a second time is therefore watched under the name it was first found by, and
//! what is heard under that name is told for the other names too.
//!
//! What must stay true:
//! - each inode has one first name; its other names are its aliases;
//! - a directory never has an alias below itself (that would be a loop without end).

use super::ignores::Ignores;
use super::stamp::{Identity, Stamp};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory has at most this many other names; more are not followed.
const ALIAS_LIMIT: usize = 16;

/// How a directory that was found is to be treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// To be watched under this name.
    First,
    /// Watched already under another name: what is in it is to be listed, nothing more.
    Alias,
    /// It contains itself, or has too many names: not followed.
    Loop,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Tree {
    /// Absolute, as given.
    pub(super) root: PathBuf,
    /// The root is a single file; its directory is watched.
    pub(super) is_file: bool,
    pub(super) ignores: Arc<Ignores>,
    directories: BTreeMap<PathBuf, Identity>,
    first: HashMap<Identity, PathBuf>,
    aliases: HashMap<PathBuf, Vec<PathBuf>>,
    /// Real path of a file -> the links in the tree that lead to it.
    links: HashMap<PathBuf, Vec<PathBuf>>,
}

impl Tree {
    pub(super) fn new(root: PathBuf, is_file: bool, ignores: Ignores) -> Tree {
        Tree {
            root,
            is_file,
            ignores: Arc::new(ignores),
            directories: BTreeMap::new(),
            first: HashMap::new(),
            aliases: HashMap::new(),
            links: HashMap::new(),
        }
    }

    /// Forgets all directories, to be found anew.
    pub(super) fn clear(&mut self) {
        self.directories.clear();
        self.first.clear();
        self.aliases.clear();
        self.links.clear();
    }

    /// How many directories the tree has, each counted by each of its names.
    pub(super) fn len(&self) -> usize {
        self.directories.len()
    }

    pub(super) fn has_directory(&self, path: &Path) -> bool {
        self.directories.contains_key(path)
    }

    /// Whether a path is one this root speaks of.
    pub(super) fn speaks_of(&self, path: &Path, is_dir: bool) -> bool {
        if self.is_file {
            path == self.root
        } else {
            path != self.root && !self.ignores.ignored(path, is_dir)
        }
    }

    /// Whether all that the other one speaks of is spoken of by this one too.
    pub(super) fn covers(&self, other: &Tree) -> bool {
        if self.is_file || self.root == other.root {
            return self.root == other.root;
        }
        if !other.root.starts_with(&self.root) {
            return false;
        }
        // The rules on the way down are not read yet.
        let mut ignores = Ignores::clone(&self.ignores);
        for above in other.root.ancestors().skip(1) {
            if above.starts_with(&self.root) {
                ignores.load(above);
            }
        }
        !ignores.ignored(&other.root, !other.is_file)
    }

    /// All names in the tree of what was heard under one name.
    pub(super) fn names(&self, heard: PathBuf) -> Vec<PathBuf> {
        let mut names = Vec::with_capacity(1);
        if let (Some(parent), Some(name)) = (heard.parent(), heard.file_name()) {
            if let Some(aliases) = self.aliases.get(parent) {
                names.extend(aliases.iter().map(|alias| alias.join(name)));
            }
            if !self.links.is_empty()
                && let Ok(real) = std::fs::canonicalize(parent)
                && let Some(links) = self.links.get(&real.join(name))
            {
                names.extend(links.iter().cloned());
            }
        }
        if heard.starts_with(&self.root) {
            names.push(heard);
        }
        names
    }

    /// Notes a directory that was found, and says what to do with it.
    pub(super) fn enter(&mut self, path: &Path, stamp: &Stamp) -> Place {
        let identity = stamp.identity();
        match self.directories.get(path) {
            Some(before) if *before != identity => {
                self.leave_one(path);
            }
            Some(_) | None => {}
        }
        if !identity.is_known() {
            self.directories.insert(path.to_owned(), identity);
            return Place::First;
        }
        let contains_itself = path
            .ancestors()
            .skip(1)
            .take_while(|above| above.starts_with(&self.root))
            .any(|above| self.directories.get(above) == Some(&identity));
        if contains_itself {
            return Place::Loop;
        }
        let place = match self.first.get(&identity) {
            Some(first) if first == path => Place::First,
            Some(first) if identity_of(first) == Some(identity) => {
                let aliases = self.aliases.entry(first.clone()).or_default();
                if !aliases.iter().any(|alias| alias == path) {
                    if aliases.len() >= ALIAS_LIMIT {
                        return Place::Loop;
                    }
                    aliases.push(path.to_owned());
                }
                Place::Alias
            }
            Some(moved) => {
                // It was moved here, and nobody told us yet that it left its first name.
                let moved = moved.clone();
                self.leave_one(&moved);
                self.first.insert(identity, path.to_owned());
                Place::First
            }
            None => {
                self.first.insert(identity, path.to_owned());
                Place::First
            }
        };
        self.directories.insert(path.to_owned(), identity);
        place
    }

    /// Notes a directory outside the tree that is watched for the sake of something in it. Gives
    /// back whether it is to be watched, because it is not yet.
    pub(super) fn enter_outside(&mut self, path: &Path, stamp: &Stamp) -> bool {
        let identity = stamp.identity();
        if let Some(first) = self.first.get(&identity)
            && (first == path || identity_of(first) == Some(identity))
        {
            return false;
        }
        self.first.insert(identity, path.to_owned());
        true
    }

    /// Notes that `link`, in the tree, leads to the file `real`.
    pub(super) fn enter_link(&mut self, link: &Path, real: PathBuf) {
        let links = self.links.entry(real).or_default();
        if !links.iter().any(|known| known == link) {
            links.push(link.to_owned());
        }
    }

    /// Forgets a directory and all below it. Gives back the other names of what was watched
    /// there, to be looked at: one of them must become the first.
    pub(super) fn leave(&mut self, top: &Path) -> Vec<PathBuf> {
        let below: Vec<PathBuf> = self
            .directories
            .range::<Path, _>((std::ops::Bound::Included(top), std::ops::Bound::Unbounded))
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(top))
            .cloned()
            .collect();
        below
            .iter()
            .flat_map(|path| self.leave_one(path))
            .filter(|orphan| !orphan.starts_with(top))
            .collect()
    }

    fn leave_one(&mut self, path: &Path) -> Vec<PathBuf> {
        let Some(identity) = self.directories.remove(path) else {
            return Vec::new();
        };
        match self.first.get(&identity) {
            Some(first) if first == path => {
                self.first.remove(&identity);
                let orphans = self.aliases.remove(path).unwrap_or_default();
                for orphan in &orphans {
                    self.directories.remove(orphan);
                }
                orphans
            }
            Some(first) => {
                if let Some(aliases) = self.aliases.get_mut(first) {
                    aliases.retain(|alias| alias != path);
                    if aliases.is_empty() {
                        let first = first.clone();
                        self.aliases.remove(&first);
                    }
                }
                Vec::new()
            }
            None => Vec::new(),
        }
    }
}

fn identity_of(path: &Path) -> Option<Identity> {
    std::fs::metadata(path)
        .ok()
        .map(|meta| Stamp::of(&meta).identity())
}
