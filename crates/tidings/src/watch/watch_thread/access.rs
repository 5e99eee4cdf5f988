//! Directories that cannot be watched for a while: those that may not be read, and those over which
//! another file system was mounted.

use super::WatchThread;
use crate::watch::dispatcher::may_be_entered;
use crate::watch::error::WatchError;
use crate::watch::file_systems::Reports;
use crate::watch::native;
use crate::watch::{Notice, lock};
use std::fs;
use std::io;
use std::path::Path;

/// For more directories than this there are no warnings one by one.
const TOLD_LIMIT: usize = 8;

impl WatchThread {
    /// A directory may not be read. It is tried again when its permissions change, and once a
    /// second, because those of a directory above it may change, too.
    pub(super) fn mark_unreadable(&mut self, root: usize, directory: &Path, source: io::Error) {
        let left = {
            let tree = &mut lock(&self.dispatcher.state).roots[root].tree;
            let left = tree.leave(directory);
            tree.unreadable.insert(directory.to_owned());
            left
        };
        self.leave_outside(root, &left.outside);
        self.polling.remove_below(directory);
        let path = directory.to_owned();
        self.warn_once(directory, WatchError::Unreadable { path, source });
    }

    /// Warns of a directory, if it is the first warning of this one.
    fn warn_once(&mut self, directory: &Path, trouble: WatchError) {
        if self.warned.len() < TOLD_LIMIT && self.warned.insert(directory.to_owned()) {
            lock(&self.dispatcher.state).notify(Notice::Warning(trouble));
        }
    }

    /// The permissions of a directory may have changed.
    pub(super) fn check_access(&mut self, root: usize, directory: &Path) {
        let readable = fs::read_dir(directory).is_ok() && may_be_entered(directory);
        let was_unreadable = {
            let tree = &lock(&self.dispatcher.state).roots[root].tree;
            tree.unreadable.contains(directory)
        };
        if readable == was_unreadable {
            self.rewatch(root, directory);
        }
    }

    /// Tries again what could not be read.
    pub(super) fn check_access_again(&mut self) {
        for root in 0..self.root_watches.len() {
            let unreadable = lock(&self.dispatcher.state).roots[root]
                .tree
                .unreadable
                .clone();
            for directory in unreadable {
                self.check_access(root, &directory);
            }
        }
    }

    /// Looks whether something was mounted over a directory that is watched.
    pub(super) fn check_mounts(&mut self) {
        for (point, mounted) in self.mounts.refresh() {
            for root in 0..self.root_watches.len() {
                let names = {
                    let tree = &lock(&self.dispatcher.state).roots[root].tree;
                    let mut names = tree.names_of_real(&point);
                    // Of the root itself, its own check takes care.
                    names.retain(|name| tree.reports(name, true));
                    names
                };
                for name in names {
                    if mounted {
                        let path = name.clone();
                        self.warn_once(&name, WatchError::Mounted { path });
                    }
                    self.rewatch(root, &name);
                }
            }
        }
    }

    /// Whether a directory is in a file system that holds no files, as `/proc`.
    pub(super) fn holds_no_files(&mut self, device: u64, directory: &Path) -> bool {
        self.mounts.reports(device, directory).0 == Reports::NoFiles
    }

    /// Whether the system may keep silent about changes in a directory, so that it has to be polled. That is
    /// said of each file system once, where it is likely.
    pub(super) fn may_go_unreported(&mut self, device: u64, directory: &Path) -> bool {
        if !self.has_watcher {
            return true;
        }
        let (mut reports, kind) = self.mounts.reports(device, directory);
        if matches!(reports, Reports::All | Reports::Perhaps) {
            let probed = self.probed.entry(device);
            let probed = probed.or_insert_with(|| native::reports_access(directory));
            if *probed == Some(false) {
                reports = Reports::Own;
            }
        }
        if reports == Reports::Own && self.told.insert(device) {
            let warning = WatchError::Unreported {
                path: directory.to_owned(),
                kind: kind.to_owned(),
            };
            lock(&self.dispatcher.state).notify(Notice::Warning(warning));
        }
        reports != Reports::All
    }
}
