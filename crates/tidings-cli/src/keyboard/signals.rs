//! The signals that stop us and let us go on, while we have changed the terminal.

use std::io;

use rustix::process::{Pid, Signal, getpgid, getpgrp, getpid, getppid, getsid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use super::terminal;

/// Handles them from now on, until the process ends.
pub(super) fn handle() -> io::Result<()> {
    let mut stop = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
    let mut go_on = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
    let mut quit = signal(SignalKind::quit())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                told = stop.recv() => match told {
                    Some(()) => suspend(),
                    None => return,
                },
                told = go_on.recv() => match told {
                    Some(()) => terminal::enter_again(),
                    None => return,
                },
                // Both end us as they would without us, but for the terminal.
                _ = hangup.recv() => {
                    terminal::leave();
                    std::process::exit(128 + SignalKind::hangup().as_raw_value());
                }
                _ = quit.recv() => {
                    terminal::leave();
                    std::process::abort();
                }
            }
        }
    });
    Ok(())
}

/// Stops, as it would have happened without us. SIGCONT follows.
fn suspend() {
    if !somebody_can_continue_us() {
        return;
    }
    terminal::leave_until_continued();
    let _ = kill_process(getpid(), Signal::STOP);
}

/// POSIX, general terminal interface, 11.1.4: in an orphaned process group SIGTSTP stops nobody, because no shell
/// would let it go on. SIGSTOP would.
fn somebody_can_continue_us() -> bool {
    let session = getsid(None);
    let mut above = getppid();
    while let Some(process) = above {
        if session.is_err() || getsid(Some(process)) != session {
            return false;
        }
        if getpgid(Some(process)).is_ok_and(|group| group != getpgrp()) {
            return true;
        }
        above = parent_of(process);
    }
    false
}

/// The parent of a process in our group.
fn parent_of(process: Pid) -> Option<Pid> {
    // proc_pid_stat(5): the name is in parentheses, and may hold any others.
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Pid::from_raw(fields.split_whitespace().nth(1)?.parse().ok()?)
}
