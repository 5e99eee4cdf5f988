//! A command under a guardian (`guardian.rs`).

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::process::Stdio;

use rustix::process::Pid;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Notice, Order, Outputs, Process, Spec};
use crate::backend::event::Exit;
use crate::backend::guardian::{self, Assignment, Report};
use crate::backend::reporter::Reporter;

/// Runs a command. `notice` is called as it goes on.
pub(in crate::backend) fn spawn(
    spec: Spec,
    reporter: &Reporter,
    notice: impl Fn(Notice) + Send + 'static,
) -> io::Result<Process> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let ours = UnixStream::from_std(ours)?;
    let mut command = Command::new(own_program()?);
    command
        .arg0(guardian::NAME)
        .arg(guardian::ARGUMENT)
        .current_dir(&spec.dir)
        .envs(spec.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    // It holds the guardian's end of the socket.
    drop(command);
    let outputs = Outputs::start(
        child.stdout.take(),
        child.stderr.take(),
        spec.source,
        reporter,
    );
    let (orders, received) = unbounded_channel();
    let assignment = Assignment {
        argv: spec.argv.into_iter().map(OsString::into_vec).collect(),
        stop_signal: spec.stop_signal,
        stop_timeout: spec.stop_timeout,
        keep_daemons: spec.keep_daemons,
    };
    let attendant = Attendant {
        child,
        outputs,
        notice,
        assignment,
        pid: None,
        exited: false,
        gone: false,
    };
    tokio::spawn(attendant.run(ours, received));
    Ok(Process { orders })
}

use std::ffi::OsString;
use std::path::PathBuf;

/// This program, even if its file was replaced or removed meanwhile.
fn own_program() -> io::Result<PathBuf> {
    match cfg!(target_os = "linux") {
        true => Ok("/proc/self/exe".into()),
        false => std::env::current_exe(),
    }
}

/// Passes on orders to the guardian, and what it reports.
struct Attendant<F> {
    child: Child,
    outputs: Outputs,
    notice: F,
    assignment: Assignment,
    /// The command's id, once it runs.
    pid: Option<Pid>,
    exited: bool,
    gone: bool,
}

impl<F: Fn(Notice) + Send + 'static> Attendant<F> {
    async fn run(mut self, socket: UnixStream, mut orders: UnboundedReceiver<Order>) {
        let (reports, mut writer) = socket.into_split();
        let mut line = serde_json::to_vec(&self.assignment).unwrap_or_default();
        line.push(b'\n');
        // If the guardian is gone, that is noticed below.
        let _ = writer.write_all(&line).await;
        let mut writer = Some(writer);
        let mut reports = BufReader::new(reports).lines();
        loop {
            tokio::select! {
                order = orders.recv(), if writer.is_some() => match (order, &mut writer) {
                    (Some(order), Some(writer)) => {
                        let byte = match order {
                            Order::Stop => guardian::STOP,
                            Order::Kill => guardian::KILL,
                        };
                        let _ = writer.write_all(&[byte]).await;
                    }
                    // Dropped: that shuts down its half of the socket, which ends the command.
                    _ => writer = None,
                },
                line = reports.next_line() => match line {
                    Ok(Some(line)) => self.reported(&line).await,
                    Ok(None) | Err(_) => break,
                },
            }
        }
        self.guardian_ended().await;
    }

    async fn reported(&mut self, line: &str) {
        match serde_json::from_str(line) {
            Ok(Report::Spawned(pid)) => self.pid = Pid::from_raw(pid),
            Ok(Report::Failed(why)) => self.exited(Exit::NotRun(why)).await,
            Ok(Report::Exited(code)) => self.exited(Exit::Code(code)).await,
            Ok(Report::Signaled(signal)) => self.exited(Exit::Signal(signal)).await,
            Ok(Report::Gone) => self.gone(),
            Err(_) => {}
        }
    }

    async fn exited(&mut self, exit: Exit) {
        if !std::mem::replace(&mut self.exited, true) {
            let lines = self.outputs.last_lines().await;
            (self.notice)(Notice::Exited(exit, lines));
        }
    }

    fn gone(&mut self) {
        if !std::mem::replace(&mut self.gone, true) {
            (self.notice)(Notice::Gone);
        }
    }

    async fn guardian_ended(mut self) {
        if let Some(pid) = self.pid.filter(|_| !self.gone) {
            // Somebody has killed the guardian: what it guarded is ended from here, as well as that is possible.
            let stop = self.assignment.stop_signal.into();
            let _ = rustix::process::kill_process_group(pid, stop);
            let deadline = tokio::time::Instant::now() + self.assignment.stop_timeout;
            while rustix::process::test_kill_process_group(pid).is_ok() {
                if tokio::time::Instant::now() >= deadline {
                    let kill = rustix::process::Signal::KILL;
                    let _ = rustix::process::kill_process_group(pid, kill);
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        self.exited(Exit::Unknown).await;
        self.gone();
        let _ = self.child.wait().await;
        (self.notice)(Notice::Closed);
    }
}
