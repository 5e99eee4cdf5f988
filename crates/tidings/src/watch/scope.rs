//! What belongs to a root, where links lead out of it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What belongs to a root. It is asked for every directory and file, by its real path, so that one
/// rule can hold for what is watched and for what is served.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Scope {
    /// What really lies in the root. Links that lead out of it are not followed.
    #[default]
    Inside,
    /// Whatever links lead to.
    Anywhere,
    /// What the function says yes to. It is called often, by the threads of the watcher, and must
    /// not wait for anything.
    Where(Arc<dyn Fn(&Candidate<'_>) -> bool + Send + Sync>),
}

/// A directory or file that may belong to a root.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Candidate<'a> {
    /// The root as it was given, made absolute.
    pub root: &'a Path,
    /// Where the root really is, links resolved.
    pub real_root: &'a Path,
    /// Its path below the root, as it would be reported.
    pub path: &'a Path,
    /// Where it really is, links resolved.
    pub real: &'a Path,
}

impl Scope {
    pub(super) fn admits(&self, candidate: &Candidate<'_>) -> bool {
        match self {
            Scope::Inside => candidate.real.starts_with(candidate.real_root),
            Scope::Anywhere => true,
            Scope::Where(rule) => rule(candidate),
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Inside => "Inside",
            Scope::Anywhere => "Anywhere",
            Scope::Where(_) => "Where(..)",
        })
    }
}

/// The rule of one root, and where the root really is.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub(super) root: PathBuf,
    pub(super) real_root: PathBuf,
    pub(super) scope: Scope,
}

impl Bounds {
    /// Whether all that is in a directory of the root belongs to it, but for links.
    pub(super) fn is_inside(&self) -> bool {
        matches!(self.scope, Scope::Inside)
    }

    /// Whether a path belongs to the root. `asked_for`: the user named it himself, so that only
    /// what leads elsewhere is in doubt.
    pub(super) fn admit(&self, path: &Path, real: &Path, asked_for: bool) -> bool {
        let Ok(below) = path.strip_prefix(&self.root) else {
            return false;
        };
        below.as_os_str().is_empty()
            || (asked_for && real.starts_with(&self.real_root))
            || self.scope.admits(&Candidate {
                root: &self.root,
                real_root: &self.real_root,
                path: below,
                real,
            })
    }
}
