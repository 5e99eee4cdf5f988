//! What can go wrong with watching, by what the user can do about it.

use std::io;
use std::path::PathBuf;

/// Why something cannot be watched. [`hint`](WatchError::hint) says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// A root does not exist or cannot be read.
    #[error("cannot watch {}: {source}", path.display())]
    NoRoot {
        /// The root as given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A pattern of [`Options::ignore`](super::Options::ignore) cannot be understood.
    #[error("not a pattern: {glob:?}: {reason}")]
    Pattern {
        /// The pattern as given.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The user has too many watchers (processes that watch).
    #[error("too many watchers (fs.inotify.max_user_instances is {})", shown(*limit))]
    TooManyWatchers {
        /// The limit now in force, where it can be read.
        limit: Option<u64>,
    },
    /// More directories than the system watches; the rest is looked at once in a while.
    #[error(
        "too many watched directories (fs.inotify.max_user_watches is {}): changes in {} and others are noticed about a second late",
        shown(*limit), path.display()
    )]
    TooManyDirectories {
        /// The limit now in force, where it can be read.
        limit: Option<u64>,
        /// The first directory that is not watched.
        path: PathBuf,
    },
    /// A root vanished. It is watched again when it is back.
    #[error("{} is gone; waiting for it to come back", path.display())]
    RootGone {
        /// The root, absolute.
        path: PathBuf,
    },
    /// A directory that cannot be read, so that nothing in it is watched. It is watched as soon as
    /// it can be read.
    #[error("cannot watch {}: {source}", path.display())]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another file system was mounted over a directory that is watched. What is there now is
    /// watched.
    #[error("{} is now another file system", path.display())]
    Mounted {
        /// Where it was mounted.
        path: PathBuf,
    },
    /// Anything else the system refuses.
    #[error("cannot watch: {0}")]
    System(#[source] io::Error),
}

impl WatchError {
    /// What the user can do, as a sentence for a `hint:` line.
    pub fn hint(&self) -> Option<String> {
        match self {
            WatchError::TooManyWatchers { limit } => Some(format!(
                "stop other watchers, or raise the limit: sudo sysctl fs.inotify.max_user_instances={}",
                limit.map_or(1024, |limit| limit.max(128) * 4)
            )),
            WatchError::TooManyDirectories { limit, .. } => Some(format!(
                "ignore what need not be watched, or raise the limit: sudo sysctl fs.inotify.max_user_watches={}",
                limit.map_or(524_288, |limit| limit.max(131_072) * 4)
            )),
            WatchError::Unreadable { path, .. } => Some(format!(
                "make it readable (chmod u+rx {}), or ignore it",
                path.display()
            )),
            WatchError::Mounted { .. } => Some(
                "if it is a network or container mount, changes made elsewhere are not noticed"
                    .to_owned(),
            ),
            WatchError::NoRoot { .. }
            | WatchError::Pattern { .. }
            | WatchError::RootGone { .. }
            | WatchError::System(_) => None,
        }
    }
}

fn shown(limit: Option<u64>) -> String {
    limit.map_or_else(|| "unknown".to_owned(), |limit| limit.to_string())
}
