//! Finds the symbolic link because of which a path is not served.
//!
//! This is searched for after a 404, and used for the page and the terminal only.
//!
//! Invariant: the reason does not depend on what exists outside the folder, so that it discloses nothing
//! about it. A link that leads outside does so whether or not its target exists.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::resolve::{self, RelPath};

/// The limit of Linux for the links in one path.
const MAX_LINKS: usize = 40;

/// A link that is not served, nor anything below it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnservedLink {
    /// The requested path up to the link: `/assets`.
    pub(crate) url_path: String,
    pub(crate) reason: LinkReason,
}

/// Why a link is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkReason {
    /// It leads out of the folder, and `--follow-symlinks` is not set.
    Outside,
    /// Its target does not exist.
    Dangling,
    /// It leads to itself, directly or through other links.
    Loop,
    /// It leads to a private file. For the terminal only: clients get the same response as for a missing file.
    Private,
}

/// The first link in `path` that is not served.
pub(super) fn first_unserved(
    root: &Path,
    path: &RelPath,
    follow_symlinks: bool,
) -> Option<UnservedLink> {
    let root = fs::canonicalize(root).ok()?;
    let mut real = root.clone();
    let mut requested = RelPath::default();
    for name in path.segments() {
        real.push(name);
        requested = requested.child(name);
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
            url_path: requested.decoded(),
            reason,
        });
    }
    None
}

/// The final target of a link, and whether it leads to itself. Below a name that does not exist, the rest
/// of the path is appended as it is: that is where the file would be.
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
        // Also `/`, which replaces the path.
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
