//! The directories of one root: which are there, and by which names each is reached.
//!
//! inotify keeps one watch per inode, and notify one name per watch. A directory that a symbolic
//! link leads to a second time is therefore watched under the name it was first found by, and
//! its events are reported under its other names, too.
//!
//! What must stay true:
//! - each inode has one first name; its other names are its aliases;
//! - a directory never has an alias below itself (that would be a loop without end).

use super::ignores::Ignores;
use super::links::Links;
use super::scan::Rules;
use super::scope::{Bounds, Scope};
use super::stat::{FileStat, Identity};
use std::collections::{BTreeMap, BTreeSet, HashMap};
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
    pub(super) rules: Rules,
    pub(super) links: Links,
    /// Directories that cannot be read, to be tried again.
    pub(super) unreadable: BTreeSet<PathBuf>,
    directories: BTreeMap<PathBuf, Identity>,
    first: HashMap<Identity, PathBuf>,
    aliases: HashMap<PathBuf, Vec<PathBuf>>,
    /// Of the directories, those that are links: where they really are.
    targets: HashMap<PathBuf, PathBuf>,
    /// Directories outside that are watched for the sake of links.
    outside: HashMap<PathBuf, Identity>,
}

/// What an event is about.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Its names in the tree, and whether it was a link that led there.
    pub(super) names: Vec<(PathBuf, bool)>,
    /// Links whose way it is on.
    pub(super) links: Vec<PathBuf>,
}

/// What was left with a directory.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Other names of what was watched there, to be looked at: one of them must become the first.
    pub(super) orphans: Vec<PathBuf>,
    /// Directories that had been watched by this name.
    pub(super) watched: Vec<PathBuf>,
    /// Directories outside that need no longer be watched.
    pub(super) outside: Vec<PathBuf>,
}

impl Tree {
    pub(super) fn new(root: PathBuf, is_file: bool, ignores: Ignores, scope: Scope) -> Tree {
        let bounds = Bounds {
            root: root.clone(),
            real_root: root.clone(),
            scope,
        };
        Tree {
            root,
            is_file,
            rules: Rules {
                ignores: Arc::new(ignores),
                bounds: Arc::new(bounds),
            },
            links: Links::default(),
            unreadable: BTreeSet::new(),
            directories: BTreeMap::new(),
            first: HashMap::new(),
            aliases: HashMap::new(),
            targets: HashMap::new(),
            outside: HashMap::new(),
        }
    }

    /// Forgets all directories, to be found anew, and looks where the root is now.
    pub(super) fn clear(&mut self) {
        self.links = Links::default();
        self.unreadable.clear();
        self.directories.clear();
        self.first.clear();
        self.aliases.clear();
        self.targets.clear();
        self.outside.clear();
        self.locate();
    }

    /// Reads the rules of the directories from the root down to a path.
    pub(super) fn load_rules_above(&mut self, path: &Path) {
        Arc::make_mut(&mut self.rules.ignores).load_above(path);
    }

    /// Looks where the root is now.
    pub(super) fn locate(&mut self) {
        if let Ok(real) = std::fs::canonicalize(&self.root) {
            Arc::make_mut(&mut self.rules.bounds).real_root = real;
        }
    }

    /// How many directories the tree has, each counted by each of its names.
    pub(super) fn len(&self) -> usize {
        self.directories.len()
    }

    pub(super) fn has_directory(&self, path: &Path) -> bool {
        self.directories.contains_key(path)
    }

    /// The directories at and below a path.
    pub(super) fn directories_below(&self, top: &Path) -> Vec<PathBuf> {
        use std::ops::Bound::{Included, Unbounded};
        let from = self
            .directories
            .range::<Path, _>((Included(top), Unbounded));
        from.map(|(path, _)| path)
            .take_while(|path| path.starts_with(top))
            .cloned()
            .collect()
    }

    /// Where a path in a directory of the tree really is, links in the directory's path resolved
    /// (not the path itself, if it is one).
    pub(super) fn real_of(&self, path: &Path) -> PathBuf {
        let bounds = &self.rules.bounds;
        for above in path.ancestors().skip(1) {
            let base = match self.targets.get(above) {
                Some(target) => target,
                None if above == bounds.root => &bounds.real_root,
                None => continue,
            };
            return match path.strip_prefix(above) {
                Ok(below) => base.join(below),
                Err(_) => break,
            };
        }
        if path == bounds.root {
            return bounds.real_root.clone();
        }
        path.to_owned()
    }

    /// Where a directory of the tree really is.
    pub(super) fn real_directory(&self, directory: &Path) -> PathBuf {
        let target = self.targets.get(directory).cloned();
        target.unwrap_or_else(|| self.real_of(directory))
    }

    pub(super) fn is_linked(&self, directory: &Path) -> bool {
        self.targets.contains_key(directory)
    }

    /// The names that a directory which is really this has in the tree, or would have.
    pub(super) fn names_of_real(&self, real: &Path) -> Vec<PathBuf> {
        let bounds = &self.rules.bounds;
        let base = std::iter::once((&bounds.root, &bounds.real_root));
        let names = base.chain(&self.targets).filter_map(|(name, target)| {
            let below = real.strip_prefix(target).ok()?;
            let name = match below.as_os_str().is_empty() {
                true => name.clone(),
                false => name.join(below),
            };
            let known = |at: &Path| self.has_directory(at);
            (known(&name) || name.parent().is_some_and(known)).then_some(name)
        });
        names.collect()
    }

    /// Whether a path is one this root reports.
    pub(super) fn reports(&self, path: &Path, is_dir: bool) -> bool {
        if self.is_file {
            path == self.root
        } else {
            path != self.root && !self.rules.ignores.ignored(path, is_dir)
        }
    }

    /// Whether all that the other one reports is reported by this one too.
    pub(super) fn covers(&self, other: &Tree) -> bool {
        if self.is_file || self.root == other.root {
            return self.root == other.root;
        }
        if !other.root.starts_with(&self.root) {
            return false;
        }
        // The rules on the way down are not read yet.
        let mut ignores = Ignores::clone(&self.rules.ignores);
        ignores.load_above(&other.root);
        !ignores.ignored(&other.root, !other.is_file)
    }

    /// All names of the path of an event.
    pub(super) fn named(&self, raw_event: PathBuf) -> Named {
        let mut named = Named::default();
        let is_linked = !self.aliases.is_empty() || !self.links.is_empty();
        if is_linked && let (Some(parent), Some(name)) = (raw_event.parent(), raw_event.file_name())
        {
            if let Some(aliases) = self.aliases.get(parent) {
                let names = aliases.iter().map(|alias| (alias.join(name), false));
                named.names.extend(names);
            }
            if !self.links.is_empty() {
                for (link, ends) in self.links.through(&self.real_of(&raw_event)) {
                    if ends {
                        named.names.push((link.clone(), true));
                    }
                    named.links.push(link.clone());
                }
            }
        }
        if raw_event.starts_with(&self.root) {
            named.names.push((raw_event, false));
        }
        named
    }

    /// Notes a directory that was found, and says what to do with it. `target`: where it really
    /// is, if it is a link.
    pub(super) fn enter(&mut self, path: &Path, stat: &FileStat, target: Option<PathBuf>) -> Place {
        let identity = stat.identity();
        match target {
            Some(target) => self.targets.insert(path.to_owned(), target),
            None => self.targets.remove(path),
        };
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
                // It was moved here, and there was no event yet that it left its first name.
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

    /// Notes a directory outside that is watched for the sake of a link. Returns whether it is
    /// to be watched, because it is not yet.
    pub(super) fn enter_outside(&mut self, path: &Path, stat: &FileStat) -> bool {
        let identity = stat.identity();
        if let Some(first) = self.first.get(&identity)
            && (first == path || identity_of(first) == Some(identity))
        {
            return false;
        }
        self.first.insert(identity, path.to_owned());
        self.outside.insert(path.to_owned(), identity);
        true
    }

    /// A directory outside is gone, or needs no longer be watched. Returns whether it had been.
    pub(super) fn leave_outside(&mut self, path: &Path) -> bool {
        // Somebody's first name: it is watched for the sake of that one, too.
        if self.aliases.contains_key(path) {
            return false;
        }
        let Some(identity) = self.outside.remove(path) else {
            return false;
        };
        if self.first.get(&identity).is_some_and(|first| first == path) {
            self.first.remove(&identity);
        }
        true
    }

    /// Forgets a directory and all below it, and the links in them.
    pub(super) fn leave(&mut self, top: &Path) -> Left {
        let mut left = Left::default();
        for path in self.directories_below(top) {
            let identity = self.directories.get(&path);
            let first = identity.and_then(|identity| self.first.get(identity));
            if first.is_some_and(|first| *first == path) {
                left.watched.push(path.clone());
            }
            let orphans = self.leave_one(&path);
            let orphans = orphans.into_iter().filter(|path| !path.starts_with(top));
            left.orphans.extend(orphans);
        }
        self.targets.retain(|name, _| !name.starts_with(top));
        self.unreadable.retain(|path| !path.starts_with(top));
        // But for `top` itself, if it is a link: where it leads now is found next.
        left.outside = self.links.remove_below(top);
        left
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
        .map(|meta| FileStat::of(&meta).identity())
}
