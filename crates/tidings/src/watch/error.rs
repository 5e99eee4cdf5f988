//! What can go wrong with watching, by what the user can do about it.

use std::fmt;
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
    /// The user has too many watchers (processes that watch); everything is polled.
    #[error("too many watchers ({limit}): changes are polled, and noticed about a second late")]
    TooManyWatchers {
        /// The limit that is reached.
        limit: Limit,
    },
    /// More directories than the system watches; the rest is polled.
    #[error(
        "too many watched directories ({limit}): {} and others are polled, and changes noticed about a second late",
        path.display()
    )]
    TooManyDirectories {
        /// The limit that is reached.
        limit: Limit,
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
    /// On this file system the system does not report what others change: another machine, the host of
    /// a container, the program behind the mount. It is polled, too.
    #[error("{} is on {kind}, where not every change is reported: it is polled as well", path.display())]
    Unreported {
        /// The first directory that was found there.
        path: PathBuf,
        /// The type of the file system.
        kind: String,
    },
    /// Anything else the system refuses. What it was asked to watch is polled.
    #[error("cannot watch: {0}")]
    System(#[source] io::Error),
}

/// A limit of the system that is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// The setting that raises it, as `sysctl` names it.
    pub sysctl: String,
    /// The value now in force, where it can be read.
    pub value: Option<u64>,
}

impl Limit {
    /// `what`: `instances` or `watches`. Of the limit for a user and that of the namespace, the lower one
    /// is reached first.
    pub(super) fn of(what: &str, of_user: Option<u64>, of_namespace: Option<u64>) -> Limit {
        match (of_user, of_namespace) {
            (Some(user), Some(namespace)) if namespace < user => Limit {
                sysctl: format!("user.max_inotify_{what}"),
                value: Some(namespace),
            },
            (value, _) => Limit {
                sysctl: format!("fs.inotify.max_user_{what}"),
                value,
            },
        }
    }

    /// What to set it to, at least this.
    fn raised(&self, least: u64) -> String {
        let value = self.value.unwrap_or(0).saturating_mul(4).max(least);
        format!("sudo sysctl {}={value}", self.sysctl)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some(value) => write!(f, "{} is {value}", self.sysctl),
            None => write!(f, "{}", self.sysctl),
        }
    }
}

impl WatchError {
    /// What the user can do, as a sentence for a `hint:` line.
    pub fn hint(&self) -> Option<String> {
        match self {
            WatchError::TooManyWatchers { limit } => Some(format!(
                "stop other watchers, or raise the limit: {}",
                limit.raised(512)
            )),
            WatchError::TooManyDirectories { limit, .. } => Some(format!(
                "ignore what need not be watched, or raise the limit: {}",
                limit.raised(524_288)
            )),
            WatchError::Unreadable { path, .. } => Some(format!(
                "make it readable (chmod u+rx {}), or ignore it",
                path.display()
            )),
            WatchError::NoRoot { .. }
            | WatchError::Pattern { .. }
            | WatchError::RootGone { .. }
            | WatchError::Mounted { .. }
            | WatchError::Unreported { .. }
            | WatchError::System(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_that_is_named_is_the_one_that_is_reached() {
        for (user, namespace, shown, raised) in [
            (
                Some(128),
                Some(128),
                "fs.inotify.max_user_instances is 128",
                "sudo sysctl fs.inotify.max_user_instances=512",
            ),
            (
                Some(1000),
                None,
                "fs.inotify.max_user_instances is 1000",
                "sudo sysctl fs.inotify.max_user_instances=4000",
            ),
            (
                Some(128),
                Some(3),
                "user.max_inotify_instances is 3",
                "sudo sysctl user.max_inotify_instances=512",
            ),
            (
                None,
                None,
                "fs.inotify.max_user_instances",
                "sudo sysctl fs.inotify.max_user_instances=512",
            ),
        ] {
            let limit = Limit::of("instances", user, namespace);
            assert_eq!(limit.to_string(), shown);
            assert_eq!(limit.raised(512), raised);
        }
    }
}
