//! One pass over a directory: what is in it, and how new that is.
//!
//! One `readdir` and one `stat` per entry, no recursion (the watch thread has the list of what is still
//! to be visited, so that it can look up between two directories).

use super::ignores::{GITIGNORE, Ignores, is_vim_probe};
use super::scope::Bounds;
use super::stat::FileStat;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file, or a link to one.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Of what a link leads to.
    pub(super) stat: FileStat,
    /// The newest time of the file, and of the link to it.
    pub(super) newest_ms: u64,
    pub(super) born_ns: Option<i64>,
}

/// What is in one directory, without what is ignored, and without what is nothing to anybody:
/// links that lead nowhere or out of bounds, sockets, files that may not be read.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) files: Vec<Found>,
    pub(super) directories: Vec<PathBuf>,
    /// Links to directories: visited after all others, so that a directory gets its real name as
    /// its first.
    pub(super) linked_directories: Vec<PathBuf>,
    /// All links, wherever they lead.
    pub(super) links: Vec<PathBuf>,
    /// Of the `.gitignore`, where there is one.
    pub(super) rules: Option<FileStat>,
}

/// What decides what is listed.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) ignores: Arc<Ignores>,
    pub(super) bounds: Arc<Bounds>,
}

impl Rules {
    /// Whether a path that is not ignored, and is really this, belongs to the root.
    pub(super) fn admit(&self, path: &Path, real: &Path, is_dir: bool) -> bool {
        let asked_for = self.ignores.asked_for(path, is_dir);
        self.bounds.admit(path, real, asked_for)
    }
}

/// The entries of a directory, not looked at yet.
pub(super) struct Entries(Vec<fs::DirEntry>);

impl Entries {
    pub(super) fn read(directory: &Path) -> io::Result<Entries> {
        let entries = fs::read_dir(directory)?;
        Ok(Entries(entries.flatten().collect()))
    }

    /// Whether the directory has rules of its own, which must be known before the rest is looked at.
    pub(super) fn have_rules(&self) -> bool {
        self.0.iter().any(|entry| entry.file_name() == GITIGNORE)
    }
}

/// Lists a directory that is really `real`. Entries that vanish meanwhile are passed over.
pub(super) fn scan(directory: &Path, real: &Path, rules: &Rules, now_ns: i64) -> io::Result<Scan> {
    let entries = Entries::read(directory)?;
    Ok(survey(entries, real, rules, now_ns))
}

/// The same for entries that have been read.
pub(super) fn survey(entries: Entries, real: &Path, rules: &Rules, now_ns: i64) -> Scan {
    let mut scan = Scan::default();
    for entry in entries.0 {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let path = entry.path();
        if path.file_name().is_some_and(|name| name == GITIGNORE) {
            let meta = fs::metadata(&path);
            scan.rules = meta.ok().map(|meta| FileStat::of(&meta));
        }
        let linked = kind.is_symlink();
        let target = linked.then(|| fs::metadata(&path).ok()).flatten();
        let is_dir = kind.is_dir() || target.as_ref().is_some_and(fs::Metadata::is_dir);
        if rules.ignores.ignored_entry(&path, is_dir) {
            continue;
        }
        if linked {
            scan.links.push(path.clone());
        }
        let admitted = match (linked, &target) {
            // Most entries of most trees: what is in it lies where it does.
            (false, _) if rules.bounds.is_inside() => true,
            (false, _) => rules.admit(&path, &real.join(entry.file_name()), is_dir),
            (true, Some(_)) => match fs::canonicalize(&path) {
                Ok(real) => rules.admit(&path, &real, is_dir),
                Err(_) => continue,
            },
            // It leads nowhere.
            (true, None) => continue,
        };
        if !admitted {
            continue;
        }
        if is_dir {
            match linked {
                false => scan.directories.push(path),
                true => scan.linked_directories.push(path),
            }
            continue;
        }
        let Ok(own) = entry.metadata() else { continue };
        let own_ms = FileStat::of(&own).newest_ms(now_ns);
        let meta = target.unwrap_or(own);
        if !meta.is_file() || is_vim_probe(&path, &meta) || !may_be_read(&path, &meta) {
            continue;
        }
        let stat = FileStat::of(&meta);
        scan.files.push(Found {
            path,
            stat,
            newest_ms: own_ms.max(stat.newest_ms(now_ns)),
            born_ns: meta.created().ok().map(super::stat::since_epoch_ns),
        });
    }
    scan
}

/// Whether a file can be opened. Of those that everybody may read it is taken for granted.
fn may_be_read(path: &Path, meta: &fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if meta.permissions().mode() & 0o444 == 0o444 {
            return true;
        }
    }
    let _ = meta;
    match fs::File::open(path) {
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::PermissionDenied,
    }
}
