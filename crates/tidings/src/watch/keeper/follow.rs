//! Links are followed to what they are now.
//!
//! What happens on the way of a link is heard at once where its directories are watched, and found by
//! walking all ways again once a second: a directory above them that is moved says nothing, and
//! neither does a network.

use super::Keeper;
use crate::watch::debounce::Sign;
use crate::watch::links::{End, Way};
use crate::watch::lock;
use crate::watch::native::PER_DIRECTORY;
use crate::watch::stamp::Stamp;
use std::fs;
use std::path::{Path, PathBuf};

/// How often a way may change while it is walked, before it is left to the next check.
const FOLLOW_LIMIT: usize = 8;

impl Keeper {
    /// Walks the way of a link, if it is one, and watches what decides where it leads: again until
    /// nothing new is to be watched, so that what appears meanwhile is either found or heard of.
    pub(super) fn follow(&mut self, root: usize, link: &Path) {
        for _ in 0..FOLLOW_LIMIT {
            if !self.follow_once(root, link) {
                return;
            }
        }
    }

    /// Gives back whether anything is watched that was not before, or could not be watched.
    fn follow_once(&mut self, root: usize, link: &Path) -> bool {
        let at = {
            let tree = &lock(&self.desk.state).roots[root].tree;
            let mut at = tree.real_of(link);
            at.pop();
            at
        };
        let way = Way::of(link, at);
        let to_watch = |directory: &PathBuf| {
            let meta = fs::metadata(directory).ok()?;
            let stamp = Stamp::of(&meta);
            (!self.holds_no_files(stamp.device)).then(|| (directory.clone(), stamp))
        };
        let directories = way.iter().flat_map(|way| &way.watch);
        let directories: Vec<_> = directories.filter_map(to_watch).collect();
        let (watch, left) = {
            let tree = &mut lock(&self.desk.state).roots[root].tree;
            let target = way.as_ref().and_then(Way::target);
            // What nobody gets need not be watched; the next check finds where it leads then.
            let admitted = target.is_some_and(|target| tree.rules.admit(link, target, false));
            let mut watch = directories;
            watch.retain(|(directory, stamp)| admitted && tree.enter_outside(directory, stamp));
            (watch, tree.links.set(link, way))
        };
        self.leave_outside(root, &left);
        if !PER_DIRECTORY {
            return false;
        }
        for (directory, _) in &watch {
            let native = &mut self.anchors[root].native;
            // It may be another directory of the same name.
            native.unwatch(directory);
            if native.watch_flat(directory).is_err() {
                let tree = &mut lock(&self.desk.state).roots[root].tree;
                tree.leave_outside(directory);
            }
        }
        !watch.is_empty()
    }

    /// Ends the watches of directories outside that no link needs any more.
    pub(super) fn leave_outside(&mut self, root: usize, directories: &[PathBuf]) {
        for directory in directories {
            let left = {
                let tree = &mut lock(&self.desk.state).roots[root].tree;
                tree.leave_outside(directory)
            };
            if left {
                self.anchors[root].native.unwatch(directory);
            }
        }
    }

    /// Something happened on the way of a link. `files_too`: also to the file it leads to, of
    /// which nothing need have been heard.
    pub(super) fn follow_again(&mut self, root: usize, link: &Path, files_too: bool) {
        let end_of = |keeper: &Keeper| -> Option<End> {
            let state = lock(&keeper.desk.state);
            state.roots[root].tree.links.way(link)?.end.clone()
        };
        let before = end_of(self);
        self.follow(root, link);
        let now = end_of(self);
        let same = match (&before, &now) {
            (Some(before), Some(now)) => {
                before.real == now.real
                    && before.directory == now.directory
                    && !(files_too && before.fingerprint != now.fingerprint)
            }
            (before, now) => before.is_none() && now.is_none(),
        };
        if same {
            return;
        }
        let is_dir = |end: &Option<End>| end.as_ref().is_some_and(|end| end.directory.is_some());
        if is_dir(&before) || is_dir(&now) {
            self.look(root, link);
        }
        let mut state = lock(&self.desk.state);
        let known = lock(&self.desk.book).names.contains(link);
        let sign = match now {
            Some(end) if end.directory.is_none() => Sign::Complete { fresh: !known },
            None if known => Sign::Gone,
            Some(_) | None => return,
        };
        // What was heard of the file itself knows better whether it is complete.
        if !state.debouncer.holds(link) {
            self.desk.sign(&mut state, link.to_owned(), sign);
        }
    }

    /// Walks the ways of all links again.
    pub(super) fn check_links(&mut self) {
        for root in 0..self.anchors.len() {
            let links = lock(&self.desk.state).roots[root].tree.links.all();
            for link in links {
                if self.desk.inbox.is_stopped() {
                    return;
                }
                self.follow_again(root, &link, true);
                self.desk.publish_due(&mut lock(&self.desk.state));
            }
        }
    }
}
