//! A command that is run, with all that it starts.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::Signal;
use super::event::{Exit, Source, Stream};
use super::output::{self, LastLines};
use super::reporter::Reporter;

#[cfg(unix)]
#[path = "process/guarded.rs"]
mod running;
#[cfg(not(unix))]
#[path = "process/alone.rs"]
mod running;

pub(super) use running::spawn;

/// How long the last lines of a command that has ended are waited for. They are there at once, unless what
/// it has started holds its output open.
const LAST_LINES_TIMEOUT: Duration = Duration::from_millis(300);

/// What to run, and how to end it.
#[derive(Debug)]
pub(super) struct Spec {
    /// The program and its arguments.
    pub(super) argv: Vec<OsString>,
    pub(super) dir: PathBuf,
    pub(super) environment: Vec<(&'static str, OsString)>,
    pub(super) stop_signal: Signal,
    pub(super) stop_timeout: Duration,
    /// Daemons that it leaves behind stay until tidings ends: servers of build tools.
    pub(super) keep_daemons: bool,
    pub(super) source: Source,
}

/// What is told of a command.
#[derive(Debug)]
pub(super) enum Notice {
    /// It has ended, or could not be run. These are the last lines of its output.
    Exited(Exit, Vec<String>),
    /// Nothing of it is left, except daemons that are kept.
    Gone,
    /// Nor of these.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Stop,
    Kill,
}

/// A command that runs. When this is dropped, it is ended.
#[derive(Debug)]
pub(super) struct Process {
    // Few are ever sent.
    orders: UnboundedSender<Order>,
}

impl Process {
    /// Sends the stop signal to all that belongs to it, and KILL after the stop timeout.
    pub(super) fn end(&self) {
        let _ = self.orders.send(Order::Stop);
    }

    /// Ends it at once.
    pub(super) fn kill(&self) {
        let _ = self.orders.send(Order::Kill);
    }
}

/// A shell that runs this text.
pub(super) fn shell(text: &str) -> Vec<OsString> {
    let words: [&OsStr; 3] = match cfg!(windows) {
        true => ["cmd".as_ref(), "/C".as_ref(), text.as_ref()],
        false => ["/bin/sh".as_ref(), "-c".as_ref(), text.as_ref()],
    };
    words.map(OsStr::to_owned).to_vec()
}

/// The two streams of a command, being passed on.
struct Outputs {
    tasks: Vec<JoinHandle<()>>,
    last: LastLines,
}

impl Outputs {
    fn start(
        out: Option<impl AsyncRead + Unpin + Send + 'static>,
        err: Option<impl AsyncRead + Unpin + Send + 'static>,
        source: Source,
        reporter: &Reporter,
    ) -> Outputs {
        let last = LastLines::default();
        let mut tasks = Vec::new();
        if let Some(out) = out {
            let lines =
                output::pass_on(out, source, Stream::Stdout, last.clone(), reporter.clone());
            tasks.push(tokio::spawn(lines));
        }
        if let Some(err) = err {
            let lines =
                output::pass_on(err, source, Stream::Stderr, last.clone(), reporter.clone());
            tasks.push(tokio::spawn(lines));
        }
        Outputs { tasks, last }
    }

    /// The last lines, once they are read.
    async fn last_lines(&mut self) -> Vec<String> {
        let all = async {
            for task in &mut self.tasks {
                let _ = task.await;
            }
        };
        if tokio::time::timeout(LAST_LINES_TIMEOUT, all).await.is_ok() {
            self.tasks.clear();
        }
        self.last.get()
    }
}
