//! The settings of `tidings proxy`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tidings::watch;

use super::{Server, Watched};
use crate::backend::Signal;
use crate::upstream::Target;

/// There is a URL, or a command, or both: then the command listens at the URL.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Proxy {
    pub(crate) server: Server,
    pub(crate) watched: Watched,
    pub(crate) url: Option<Target>,
    pub(crate) command: Option<Command>,
    /// How long a request waits for a backend that does not answer yet.
    pub(crate) start_timeout: Duration,
    /// Whether the backend gets its own name as `Host`.
    pub(crate) change_host: bool,
    /// Whether the backend's certificate is not checked.
    pub(crate) insecure: bool,
}

impl Proxy {
    /// What is watched for the pages; `None` if that is nothing.
    pub(crate) fn watch_options(&self) -> Option<watch::Options> {
        let paths = self.watched.paths.iter().map(|path| &**path);
        let mut options = watch::Options::new(paths);
        options.ignore.clone_from(&self.watched.ignore);
        options.gitignore = self.watched.gitignore;
        (!self.watched.paths.is_empty()).then_some(options)
    }
}

/// A backend that is run, and restarted after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// The program and its arguments, at least one; `{port}` stands for the port.
    pub(crate) args: Vec<OsString>,
    /// The working directory.
    pub(crate) dir: PathBuf,
    /// A change in one of these restarts it.
    pub(crate) restart: Vec<PathBuf>,
    /// What runs before each start.
    pub(crate) build: Option<Build>,
    /// It is ready when a GET of this path gets a status below 500; otherwise, when it accepts a
    /// connection.
    pub(crate) health: Option<String>,
    /// How long a start may take.
    pub(crate) start_timeout: Duration,
    /// What asks it to end.
    pub(crate) stop_signal: Signal,
    /// How long it may take to end, before it is killed.
    pub(crate) stop_timeout: Duration,
}

/// A command that runs before each start of the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Build {
    /// For the shell.
    pub(crate) command: String,
    /// The working directory.
    pub(crate) dir: PathBuf,
}
