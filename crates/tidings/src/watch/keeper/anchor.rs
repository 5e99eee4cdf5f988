//! Roots that come and go: deleted and made again, renamed away, links that are switched.
//!
//! That it is deleted or moved, a root says itself. What it cannot hear (a link to it or further up
//! that is switched, a directory above it that is moved) is found by comparing, once a second.
//! Its parent is not watched for that: who serves `/tmp/site` would hear of every write in `/tmp`.

use super::Keeper;
use super::walk::{Walk, too_many};
use crate::watch::desk::Desk;
use crate::watch::error::WatchError;
use crate::watch::lock;
use crate::watch::native::{Native, Refusal};
use crate::watch::stamp::{DirectoryId, Stamp, now_ns};
use crate::watch::tree::Tree;
use crate::watch::{Change, ChangeKind, Notice};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a missing root is looked for.
pub(super) const MISSING_PAUSE: Duration = Duration::from_millis(100);
/// How often the roots are compared with what is watched: catches a switched link above a root.
pub(super) const ROOT_PAUSE: Duration = Duration::from_secs(1);

/// How one root hangs in the file system.
pub(super) struct Anchor {
    /// The directory that is watched: the root, or the directory of a root that is a file.
    pub(super) directory: PathBuf,
    pub(super) native: Native,
    /// What is watched now; none while the root is gone.
    standing: Option<DirectoryId>,
    /// That it is gone has been said.
    gone_told: bool,
    pub(super) watched: usize,
}

impl Anchor {
    pub(super) fn new(directory: PathBuf, native: Native) -> Anchor {
        Anchor {
            directory,
            native,
            standing: None,
            gone_told: false,
            watched: 0,
        }
    }

    /// False while the root is gone.
    pub(super) fn stands(&self) -> bool {
        self.standing.is_some()
    }
}

impl Keeper {
    /// Watches a root and walks it. False if it is not there.
    pub(super) fn stand(&mut self, root: usize, walk: Walk, found: &mut Vec<Change>) -> bool {
        let anchor = &mut self.anchors[root];
        let standing = standing(&anchor.directory);
        anchor.standing = standing;
        if standing.is_none() {
            self.tell_gone(root);
            return false;
        }
        anchor.gone_told = false;
        let (path, is_file) = {
            let state = lock(&self.desk.state);
            let tree = &state.roots[root].tree;
            (tree.root.clone(), tree.is_file)
        };
        if is_file {
            self.stand_file(root, &path, walk, found);
        } else {
            self.walk(root, path, walk, found);
        }
        true
    }

    pub(super) fn stand_file(
        &mut self,
        root: usize,
        path: &Path,
        walk: Walk,
        found: &mut Vec<Change>,
    ) {
        let anchor = &mut self.anchors[root];
        let refused = anchor.native.watch_flat(&anchor.directory).err();
        let mut state = lock(&self.desk.state);
        match refused {
            None => {}
            Some(Refusal::Limit) => state.tell(Notice::Trouble(too_many(&anchor.directory))),
            Some(Refusal::Other(error)) => state.tell(Notice::Trouble(WatchError::System(error))),
        }
        if let (Ok(own), Ok(meta)) = (fs::symlink_metadata(path), fs::metadata(path))
            && meta.is_file()
        {
            let newest = |meta| Stamp::of(meta).newest_ms(now_ns());
            let newest_ms = newest(&own).max(newest(&meta));
            lock(&self.desk.book).names.insert(path, newest_ms);
            if walk == Walk::First && self.is_young(&Stamp::of(&meta)) {
                found.push(Change {
                    path: path.to_owned(),
                    kind: ChangeKind::Modified,
                });
            }
        }
        drop(state);
        self.follow(root, path);
    }

    /// Compares a root with what is watched. `touched`: its name was made to mean something
    /// else, so that even the same inode is not what was watched.
    pub(super) fn check_root(&mut self, root: usize, touched: bool) {
        let anchor = &mut self.anchors[root];
        let now = standing(&anchor.directory);
        match (anchor.standing, now) {
            (Some(_), None) => {
                anchor.standing = None;
                self.tell_gone(root);
            }
            (before, Some(_)) if touched || before != now => self.replace(root),
            (_, _) => {}
        }
    }

    pub(super) fn tell_gone(&mut self, root: usize) {
        self.next_root_check = Instant::now() + MISSING_PAUSE;
        let anchor = &mut self.anchors[root];
        if !std::mem::replace(&mut anchor.gone_told, true) {
            let path = anchor.directory.clone();
            lock(&self.desk.state).tell(Notice::Trouble(WatchError::RootGone { path }));
        }
    }

    /// The root is another one: a new native watcher, so that nothing of the old one is heard.
    pub(super) fn replace(&mut self, root: usize) {
        let life = {
            let mut state = lock(&self.desk.state);
            let rooted = &mut state.roots[root];
            rooted.life += 1;
            rooted.life
        };
        // Asked by the life that is over: one replacement is heard several times.
        self.desk.inbox.clear(root);
        match listen(&self.desk, root, life) {
            Ok(native) => self.anchors[root].native = native,
            Err(trouble) => {
                // Tried again with the next check.
                self.anchors[root].standing = None;
                lock(&self.desk.state).tell(Notice::Trouble(trouble));
                return;
            }
        }
        self.rescan(root);
    }

    pub(super) fn rescan(&mut self, root: usize) {
        {
            let tree = &mut lock(&self.desk.state).roots[root].tree;
            tree.clear();
            let mut book = lock(&self.desk.book);
            book.forget(&tree.root);
            book.forget_all_but(&tree.root, &HashSet::new());
        }
        self.anchors[root].watched = 0;
        if !self.stand(root, Walk::Again, &mut Vec::new()) {
            return;
        }
        let mut state = lock(&self.desk.state);
        lock(&self.desk.book).doubt_all();
        self.unhashed.paths.clear();
        self.desk.tell_changed(&mut state, Vec::new(), true);
    }
}

/// A native watcher whose reports go to the desk.
pub(in crate::watch) fn listen(
    desk: &Arc<Desk>,
    root: usize,
    life: u64,
) -> Result<Native, WatchError> {
    let desk = Arc::clone(desk);
    Native::start(move |report| desk.hear(root, life, report))
}

/// The directory that a tree hangs on.
pub(in crate::watch) fn anchor_of(tree: &Tree) -> PathBuf {
    match tree.root.parent() {
        Some(parent) if tree.is_file => parent.to_owned(),
        Some(_) | None => tree.root.clone(),
    }
}

fn standing(directory: &Path) -> Option<DirectoryId> {
    let meta = fs::metadata(directory).ok().filter(fs::Metadata::is_dir)?;
    Some(DirectoryId::of(&meta))
}
