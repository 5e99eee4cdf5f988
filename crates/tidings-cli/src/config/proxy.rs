//! The settings of `tidings proxy`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidings::watch;

use super::{Differences, Output, Pages, Server, Watched};
use crate::backend::Signal;
use crate::rules::LiveRules;
use crate::upstream::Target;

/// There is a URL, or a command, or both: then the command listens at the URL.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    pub(crate) output: Output,
    pub(crate) server: Server,
    pub(crate) watched: Watched,
    pub(crate) pages: Pages,
    /// Headers and redirects. They can change while the server runs.
    pub(crate) rules: Arc<LiveRules>,
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
    /// What is watched, for the pages and for the command; `None` if that is nothing.
    pub(crate) fn watch_options(&self) -> Option<watch::Options> {
        let restart = self.command.iter().flat_map(|command| &command.restart);
        let paths = self.watched.paths.iter().chain(restart);
        let mut options = watch::Options::new(paths.map(|path| &**path));
        options.ignore.clone_from(&self.watched.ignore);
        options.gitignore = self.watched.gitignore;
        options.poll = self.watched.poll;
        (!options.roots.is_empty()).then_some(options)
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

impl super::Config for Proxy {
    fn rules(&self) -> &Arc<LiveRules> {
        &self.rules
    }

    fn watched(&self) -> &Watched {
        &self.watched
    }

    fn differences(&self, other: &Proxy) -> Vec<&'static str> {
        let Proxy {
            output,
            server,
            watched,
            pages,
            rules: _,
            url,
            command,
            start_timeout,
            change_host,
            insecure,
        } = self;
        let mut found = Differences::default();
        found.of_shared(
            (output, server, watched, pages),
            (&other.output, &other.server, &other.watched, &other.pages),
        );
        found.note("url", *url != other.url);
        match (command, &other.command) {
            (Some(one), Some(other)) => one.note_differences(other, &mut found),
            (one, other) => found.note("command", one != other),
        }
        found.note("start-timeout", *start_timeout != other.start_timeout);
        found.note("change-host", *change_host != other.change_host);
        found.note("insecure", *insecure != other.insecure);
        found.keys
    }
}

impl Command {
    fn note_differences(&self, other: &Command, found: &mut Differences) {
        let Command {
            args,
            dir,
            restart,
            build,
            health,
            start_timeout: _,
            stop_signal,
            stop_timeout,
        } = self;
        found.note("command", *args != other.args || *dir != other.dir);
        found.note("restart", *restart != other.restart);
        found.note("build", *build != other.build);
        found.note("health", *health != other.health);
        found.note("stop-signal", *stop_signal != other.stop_signal);
        found.note("stop-timeout", *stop_timeout != other.stop_timeout);
    }
}
