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
    /// What is there, and could not be looked at for a reason that may pass.
    pub(super) unknown: Vec<PathBuf>,
    /// The list of entries broke off: there may be more.
    pub(super) is_partial: bool,
}

impl Scan {
    fn note_unknown(&mut self, path: PathBuf, error: &io::Error) {
        if may_pass(error) {
            self.unknown.push(path);
        }
    }
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
pub(super) struct Entries {
    entries: Vec<fs::DirEntry>,
    /// Why the list ends too early.
    broken_off: Option<io::Error>,
}

impl Entries {
    pub(super) fn read(directory: &Path) -> io::Result<Entries> {
        Ok(Entries::of(fs::read_dir(directory)?))
    }

    fn of(entries: impl Iterator<Item = io::Result<fs::DirEntry>>) -> Entries {
        let mut broken_off = None;
        let entries =
            entries.map_while(|entry| entry.map_err(|error| broken_off = Some(error)).ok());
        Entries {
            entries: entries.collect(),
            broken_off,
        }
    }

    /// Whether the directory has rules of its own, which must be known before the rest is looked at.
    pub(super) fn have_rules(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.file_name() == GITIGNORE)
    }
}

/// Lists a directory that is really `real`. Entries that vanish meanwhile are passed over.
pub(super) fn scan(directory: &Path, real: &Path, rules: &Rules, now_ns: i64) -> io::Result<Scan> {
    let mut entries = Entries::read(directory)?;
    if let Some(error) = entries.broken_off.take() {
        // What would be missing is not gone.
        return Err(error);
    }
    Ok(survey(entries, real, rules, now_ns))
}

/// The same for entries that have been read.
pub(super) fn survey(entries: Entries, real: &Path, rules: &Rules, now_ns: i64) -> Scan {
    let mut scan = Scan {
        is_partial: entries.broken_off.is_some(),
        ..Scan::default()
    };
    for entry in entries.entries {
        let path = entry.path();
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) => {
                scan.note_unknown(path, &error);
                continue;
            }
        };
        if path.file_name().is_some_and(|name| name == GITIGNORE) {
            match fs::metadata(&path) {
                Ok(meta) => scan.rules = Some(FileStat::of(&meta)),
                Err(error) => scan.note_unknown(path.clone(), &error),
            }
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
        let own = match entry.metadata() {
            Ok(own) => own,
            Err(error) => {
                scan.note_unknown(path, &error);
                continue;
            }
        };
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

/// Whether an error says nothing of what is there: a server that restarts, a connection that is made anew, too
/// many open files.
pub(super) fn may_pass(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
    )
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
