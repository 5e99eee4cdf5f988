//! A command without a guardian, where there are no process groups: it is killed when it is to end, and
//! when tidings ends in order. What it has started itself is not found.

use std::io;
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::mpsc::unbounded_channel;

use super::{Notice, Outputs, Process, Spec};
use crate::backend::event::Exit;
use crate::backend::reporter::Reporter;

/// Runs a command. `notice` is called as it goes on.
pub(in crate::backend) fn spawn(
    spec: Spec,
    reporter: &Reporter,
    notice: impl Fn(Notice) + Send + 'static,
) -> io::Result<Process> {
    let mut argv = spec.argv.into_iter();
    let program = argv.next().ok_or(io::ErrorKind::InvalidInput)?;
    let mut child = Command::new(program)
        .args(argv)
        .current_dir(&spec.dir)
        .envs(spec.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut outputs = Outputs::start(
        child.stdout.take(),
        child.stderr.take(),
        spec.source,
        reporter,
    );
    let (orders, mut received) = unbounded_channel();
    tokio::spawn(async move {
        let status = tokio::select! {
            status = child.wait() => status,
            _ = received.recv() => {
                let _ = child.start_kill();
                child.wait().await
            }
        };
        let exit = match status.map(|status| status.code()) {
            Ok(Some(code)) => Exit::Code(code),
            Ok(None) | Err(_) => Exit::Unknown,
        };
        let lines = outputs.last_lines().await;
        notice(Notice::Exited(exit, lines));
        notice(Notice::Gone);
        notice(Notice::Closed);
    });
    Ok(Process { orders })
}
