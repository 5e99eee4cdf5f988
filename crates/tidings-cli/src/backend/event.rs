//! What happens to the backend, told in order.

use std::path::PathBuf;
use std::time::Duration;

use super::lifecycle::Generation;
use super::signal;

/// Something that has happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The build command was started, because of these changes.
    Building {
        paths: Vec<PathBuf>,
    },
    Built {
        took: Duration,
    },
    /// The build command failed, or could not be run. The instance that is there goes on.
    BuildFailed {
        exit: Exit,
        took: Duration,
        /// The last lines of its output.
        lines: Vec<String>,
    },
    /// The command was started, because of these changes.
    Starting {
        generation: Generation,
        /// The port that it shall listen on; none for a Unix socket.
        port: Option<u16>,
        paths: Vec<PathBuf>,
    },
    /// It was not healthy in time, and is ended.
    TimedOut {
        generation: Generation,
        after: Duration,
    },
    /// It answers.
    Healthy {
        generation: Generation,
        took: Duration,
    },
    /// All new requests go to it.
    Switched {
        generation: Generation,
        previous: Option<Generation>,
        /// Since the change that it was started for.
        took: Duration,
    },
    /// It gets no new requests, and is ended when those that it has are done.
    Draining {
        generation: Generation,
        in_flight: usize,
    },
    /// The command has ended.
    Exited {
        generation: Generation,
        exit: Exit,
        /// It was told to.
        expected: bool,
        /// It was healthy before.
        was_healthy: bool,
        uptime: Duration,
        /// The last lines of its output.
        lines: Vec<String>,
    },
    /// The command is started again after a pause.
    Retrying {
        pause: Duration,
    },
    /// Builds or starts keep changing this path, so no more follow until the next change.
    Loop {
        path: PathBuf,
    },
    /// A line of output.
    Output {
        from: Source,
        stream: Stream,
        line: String,
    },
}

/// Whose output it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Build,
    Backend(Generation),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// How a command has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
    /// It could not be run, for this reason.
    NotRun(String),
    /// Whoever waited for it was killed.
    Unknown,
}

impl Exit {
    pub(crate) fn is_success(&self) -> bool {
        *self == Exit::Code(0)
    }

    pub(crate) fn code(&self) -> Option<i32> {
        match self {
            Exit::Code(code) => Some(*code),
            _ => None,
        }
    }

    /// The signal's name.
    pub(crate) fn signal(&self) -> Option<String> {
        match self {
            Exit::Signal(number) => Some(signal::name_of(*number)),
            _ => None,
        }
    }
}

/// As the end of a sentence: "the build ...".
impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exited with code {code}"),
            Exit::Signal(number) => write!(f, "was ended by {}", signal::name_of(*number)),
            Exit::NotRun(why) => write!(f, "could not be run: {why}"),
            Exit::Unknown => f.write_str("ended"),
        }
    }
}

/// Why there is no new instance, or none at all: for the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    /// One sentence.
    pub(crate) title: String,
    /// The last lines of output, as they came, or what to do.
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    BuildFailed,
    /// The command ended by itself, or could not be run.
    Exited,
    /// It is still being built or started, or was not ready in time.
    NotReady,
    /// The server is about to exit.
    Stopping,
}
