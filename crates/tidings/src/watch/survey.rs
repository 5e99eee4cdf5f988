//! One pass over a directory: what is in it, and how new that is.
//!
//! One `readdir` and one `stat` per entry, no recursion (the keeper has the list of what is still
//! to be visited, so that it can look up between two directories).

use super::ignores::{GITIGNORE, Ignores};
use super::stamp::Stamp;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A file, a dangling link, or a link to a file.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Of what a link leads to.
    pub(super) stamp: Stamp,
    pub(super) born_ns: Option<i64>,
    /// The real path, if this is a link to a file.
    pub(super) real: Option<PathBuf>,
}

/// What is in one directory, without what is ignored.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) files: Vec<Found>,
    pub(super) directories: Vec<PathBuf>,
    /// Links to directories: visited after all others, so that a directory gets its real name as
    /// its first.
    pub(super) linked_directories: Vec<PathBuf>,
    pub(super) newest_ms: u64,
}

/// Whether the directory has rules of its own, which must be known before it is surveyed.
pub(super) fn has_rules(directory: &Path) -> bool {
    directory.join(GITIGNORE).exists()
}

/// Lists a directory. Entries that vanish meanwhile are passed over.
pub(super) fn survey(directory: &Path, ignores: &Ignores, now_ns: i64) -> io::Result<Survey> {
    let mut survey = Survey::default();
    for entry in fs::read_dir(directory)? {
        let Ok(entry) = entry else { continue };
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let path = entry.path();
        let linked = kind.is_symlink();
        let meta = if linked {
            fs::metadata(&path).ok()
        } else {
            None
        };
        let is_dir = kind.is_dir() || meta.as_ref().is_some_and(fs::Metadata::is_dir);
        if ignores.ignored_entry(&path, is_dir) {
            continue;
        }
        if kind.is_dir() {
            survey.directories.push(path);
            continue;
        }
        let Ok(own) = entry.metadata() else { continue };
        survey.newest_ms = survey.newest_ms.max(Stamp::of(&own).newest_ms(now_ns));
        if linked && is_dir {
            survey.linked_directories.push(path);
            continue;
        }
        let real = if linked {
            fs::canonicalize(&path).ok()
        } else {
            None
        };
        let meta = meta.unwrap_or(own);
        let stamp = Stamp::of(&meta);
        survey.newest_ms = survey.newest_ms.max(stamp.newest_ms(now_ns));
        let born_ns = meta.created().ok().map(super::stamp::since_epoch_ns);
        if meta.is_file() || meta.is_symlink() {
            survey.files.push(Found {
                path,
                stamp,
                born_ns,
                real,
            });
        }
    }
    Ok(survey)
}
