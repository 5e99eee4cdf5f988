//! Which symbolic link keeps a path from being served, and why.
//!
//! This looks afterwards, for the 404 page and the terminal only; nothing is decided by it.
//!
//! What must stay true: the reason does not depend on what exists outside of the folder, so that it cannot be
//! used to find out. A link that leads outside does so whether or not there is anything at its end.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::resolve::{self, RelPath};

/// As many links in one path as Linux follows.
const MAX_LINKS: usize = 40;

/// A link that is not served, nor anything behind it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnservedLink {
    /// The link itself, as asked for: `/assets`.
    pub(crate) url_path: String,
    pub(crate) reason: LinkReason,
}

/// Why a link is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkReason {
    /// It leads out of the folder, and `--follow-symlinks` is not given.
    Outside,
    /// What it leads to does not exist.
    Dangling,
    /// It leads to itself, perhaps by way of others.
    Loop,
    /// It leads to a hidden or private file. For the terminal only: to clients such a file is missing.
    Private,
}

/// The first link on the way to `path` that is not served.
pub(super) fn first_unserved(
    root: &Path,
    path: &RelPath,
    follow_symlinks: bool,
) -> Option<UnservedLink> {
    let root = fs::canonicalize(root).ok()?;
    let mut real = root.clone();
    let mut asked = RelPath::default();
    for name in path.segments() {
        real.push(name);
        asked = asked.child(name);
        if !fs::symlink_metadata(&real).ok()?.is_symlink() {
            continue;
        }
        let (end, is_loop) = follow(&real);
        let reason = if !resolve::may_be_served(&end, &root, follow_symlinks) {
            match resolve::may_be_served(&end, &root, true) {
                true => LinkReason::Outside,
                false => LinkReason::Private,
            }
        } else if is_loop {
            LinkReason::Loop
        } else if is_missing(&end) {
            LinkReason::Dangling
        } else {
            real = end;
            continue;
        };
        return Some(UnservedLink {
            url_path: asked.decoded(),
            reason,
        });
    }
    None
}

/// Where a link ends, and whether it was given up because it leads to itself. Where nothing exists, the
/// rest of the path is taken literally: that is where the file would be.
fn follow(link: &Path) -> (PathBuf, bool) {
    if let Ok(real) = fs::canonicalize(link) {
        return (real, false);
    }
    let reversed = |path: &Path| -> Vec<OsString> {
        let names = path.components().rev();
        names.map(|name| name.as_os_str().to_owned()).collect()
    };
    let mut at = PathBuf::new();
    let mut rest = reversed(link);
    let mut links = 0;
    while let Some(name) = rest.pop() {
        if name == "." {
            continue;
        }
        if name == ".." {
            at.pop();
            continue;
        }
        // The root, too: it replaces what was there.
        at.push(name);
        if let Ok(target) = fs::read_link(&at) {
            links += 1;
            if links > MAX_LINKS {
                return (at, true);
            }
            at.pop();
            rest.extend(reversed(&target));
        }
    }
    (at, false)
}

fn is_missing(path: &Path) -> bool {
    let error = fs::metadata(path).err();
    error.is_some_and(|error| {
        matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename
        )
    })
}
