//! Roots that come and go: deleted and made again, renamed away, links that are switched.
//!
//! A root that is deleted or moved has an event of its own. What has none (a link to it or further up
//! that is switched, a directory above it that is moved) is found by comparing, once a second. Its
//! parent is not watched for that: whoever serves `/tmp/site` would be woken by every write in `/tmp`.

use super::WatchThread;
use super::walk::{Walk, too_many};
use crate::watch::dispatcher::Dispatcher;
use crate::watch::error::WatchError;
use crate::watch::file_systems::Reports;
use crate::watch::lock;
use crate::watch::native::{Native, Refusal};
use crate::watch::stat::{DirectoryId, FileStat, now_ns};
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

/// The watch of one root.
pub(super) struct RootWatch {
    /// The directory that is watched: the root, or the directory of a root that is a file.
    pub(super) directory: PathBuf,
    /// None where the system has none for us, or none is wanted: then everything is polled.
    pub(super) native: Option<Native>,
    /// What is watched now; none while the root is gone.
    directory_id: Option<DirectoryId>,
    /// Where it really is.
    real: Option<PathBuf>,
    /// That it is gone has been reported.
    gone_reported: bool,
    pub(super) watched: usize,
}

impl RootWatch {
    pub(super) fn new(directory: PathBuf, native: Option<Native>) -> RootWatch {
        RootWatch {
            directory,
            native,
            directory_id: None,
            real: None,
            gone_reported: false,
            watched: 0,
        }
    }

    /// Has the system watch a directory of this root.
    pub(super) fn watch(&mut self, directory: &Path) -> Result<(), Refusal> {
        match &mut self.native {
            Some(native) => native.watch(directory),
            None => Err(Refusal::NoWatcher),
        }
    }

    /// Likewise, for what happens to its direct entries only.
    pub(super) fn watch_flat(&mut self, directory: &Path) -> Result<(), Refusal> {
        match &mut self.native {
            Some(native) => native.watch_flat(directory),
            None => Err(Refusal::NoWatcher),
        }
    }

    pub(super) fn unwatch(&mut self, directory: &Path) {
        if let Some(native) = &mut self.native {
            native.unwatch(directory);
        }
    }

    /// It is not known what is there now: the next check finds it anew.
    pub(super) fn lose(&mut self) {
        self.directory_id = None;
    }

    /// False while the root is gone.
    pub(super) fn is_attached(&self) -> bool {
        self.directory_id.is_some()
    }
}

impl WatchThread {
    /// Watches a root and walks it. False if it is not there, or could not be looked at.
    pub(super) fn attach(&mut self, root: usize, walk: Walk, found: &mut Vec<Change>) -> bool {
        let root_watch = &mut self.root_watches[root];
        let directory_id = directory_id(&root_watch.directory);
        root_watch.directory_id = directory_id;
        root_watch.real = fs::canonicalize(&root_watch.directory).ok();
        if directory_id.is_none() {
            self.report_gone(root);
            return false;
        }
        root_watch.gone_reported = false;
        let (path, is_file) = {
            let state = lock(&self.dispatcher.state);
            let tree = &state.roots[root].tree;
            (tree.root.clone(), tree.is_file)
        };
        if is_file {
            self.attach_file(root, &path, walk, found);
        } else {
            self.walk(root, path, walk, found);
        }
        self.root_watches[root].is_attached()
    }

    pub(super) fn attach_file(
        &mut self,
        root: usize,
        path: &Path,
        walk: Walk,
        found: &mut Vec<Change>,
    ) {
        let directory = self.root_watches[root].directory.clone();
        let refused = self.root_watches[root].watch_flat(&directory).err();
        let meta = fs::metadata(&directory);
        let unreported = meta.is_ok_and(|meta| {
            let device = FileStat::of(&meta).device;
            self.may_go_unreported(device, &directory)
        });
        if refused.is_some() || unreported {
            let stat = fs::metadata(path).ok().map(|meta| FileStat::of(&meta));
            let times = (Instant::now(), now_ns());
            self.polling.add_file(root, path, stat, times);
        }
        let mut state = lock(&self.dispatcher.state);
        match refused {
            None | Some(Refusal::NoWatcher) => {}
            Some(Refusal::Limit) => state.notify(Notice::Warning(too_many(&directory))),
            Some(Refusal::Other(error)) => state.notify(Notice::Warning(WatchError::System(error))),
        }
        if let (Ok(own), Ok(meta)) = (fs::symlink_metadata(path), fs::metadata(path))
            && meta.is_file()
        {
            let newest = |meta| FileStat::of(meta).newest_ms(now_ns());
            let newest_ms = newest(&own).max(newest(&meta));
            lock(&self.dispatcher.index).names.insert(path, newest_ms);
            if walk == Walk::First && self.is_recent(&FileStat::of(&meta)) {
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
        let root_watch = &mut self.root_watches[root];
        let now = directory_id(&root_watch.directory);
        match (root_watch.directory_id, now) {
            (Some(_), None) => {
                root_watch.directory_id = None;
                self.report_gone(root);
            }
            (before, Some(_)) if !touched && before == now => {}
            (Some(before), Some(now)) if !touched && self.is_renumbered(root, before, now) => {
                self.root_watches[root].directory_id = Some(now);
            }
            (_, Some(_)) => self.replace(root),
            (None, None) => {}
        }
    }

    /// Whether a root may be what it was though its inode is another one. Network file systems number them
    /// anew when nobody holds them, as a watch would. What is in it is compared anyway.
    fn is_renumbered(&mut self, root: usize, before: DirectoryId, now: DirectoryId) -> bool {
        let root_watch = &self.root_watches[root];
        root_watch.native.is_none()
            && before.device() == now.device()
            && root_watch.real == fs::canonicalize(&root_watch.directory).ok()
            && self.mounts.reports(now.device(), &root_watch.directory).0 != Reports::All
    }

    pub(super) fn report_gone(&mut self, root: usize) {
        self.next_root_check = Instant::now() + MISSING_PAUSE;
        let root_watch = &mut self.root_watches[root];
        if !std::mem::replace(&mut root_watch.gone_reported, true) {
            let path = root_watch.directory.clone();
            lock(&self.dispatcher.state).notify(Notice::Warning(WatchError::RootGone { path }));
        }
    }

    /// The root is another one: a new native watcher, so that no event of the old one is handled.
    pub(super) fn replace(&mut self, root: usize) {
        let generation = {
            let mut state = lock(&self.dispatcher.state);
            let root_state = &mut state.roots[root];
            root_state.generation += 1;
            root_state.generation
        };
        // Asked by the generation that is over: one replacement causes several events.
        self.dispatcher.inbox.clear(root);
        if self.has_watcher {
            let native = listen(&self.dispatcher, root, generation);
            self.root_watches[root].native = native
                .map_err(|trouble| self.warn_of_no_watcher(trouble))
                .ok();
        }
        self.rescan(root);
    }

    pub(super) fn rescan(&mut self, root: usize) {
        {
            let tree = &mut lock(&self.dispatcher.state).roots[root].tree;
            tree.clear();
            let mut index = lock(&self.dispatcher.index);
            index.forget(&tree.root);
            index.forget_all_but(&tree.root, &HashSet::new());
        }
        self.root_watches[root].watched = 0;
        self.polling.remove_root(root);
        if !self.attach(root, Walk::Again, &mut Vec::new()) {
            return;
        }
        let mut state = lock(&self.dispatcher.state);
        lock(&self.dispatcher.index).invalidate_all();
        self.unhashed.files.clear();
        lock(&self.dispatcher.index).end_initial();
        self.dispatcher
            .publish_changes(&mut state, Vec::new(), true);
    }
}

/// A native watcher whose reports go to the dispatcher.
pub(in crate::watch) fn listen(
    dispatcher: &Arc<Dispatcher>,
    root: usize,
    generation: u64,
) -> Result<Native, WatchError> {
    let dispatcher = Arc::clone(dispatcher);
    Native::start(move |report| dispatcher.handle(root, generation, report))
}

/// The directory that a tree hangs on.
pub(in crate::watch) fn watched_directory_of(tree: &Tree) -> PathBuf {
    match tree.root.parent() {
        Some(parent) if tree.is_file => parent.to_owned(),
        Some(_) | None => tree.root.clone(),
    }
}

fn directory_id(directory: &Path) -> Option<DirectoryId> {
    let meta = fs::metadata(directory).ok().filter(fs::Metadata::is_dir)?;
    Some(DirectoryId::of(&meta))
}
