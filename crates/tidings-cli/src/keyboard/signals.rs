//! The signals that stop us, let us go on or end us, while we have changed the terminal.
//!
//! What must stay true: a signal that whoever started us had us ignore is ignored, as with `trap '' HUP` in a shell.

use std::io;
use std::path::Path;

use rustix::process::{Pid, Signal, getpgid, getpgrp, getpid, getppid, getsid, kill_process};
use tokio::signal::unix::{Signal as TokioSignal, SignalKind, signal};

use super::terminal;

/// Handles them from now on, until the process ends.
pub(super) fn handle() -> io::Result<()> {
    let ignored = ignored();
    let handle = |number: Signal| match (ignored >> (number.as_raw() - 1)) & 1 {
        1 => Ok(None),
        _ => signal(SignalKind::from_raw(number.as_raw())).map(Some),
    };
    let mut stop = handle(Signal::TSTP)?;
    let mut go_on = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
    let mut quit = handle(Signal::QUIT)?;
    let mut hangup = handle(Signal::HUP)?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = told(&mut stop) => suspend(),
                told = go_on.recv() => match told {
                    Some(()) => terminal::enter_again(),
                    None => return,
                },
                // Both would end us without us, too. To end by the signal itself, its default action would have to
                // be set again, for which there is no safe function: so it is the status that a shell has for that,
                // and where there is to be an image of the memory, another signal that makes one.
                () = told(&mut hangup) => {
                    terminal::leave();
                    std::process::exit(128 + Signal::HUP.as_raw());
                }
                () = told(&mut quit) => {
                    terminal::leave();
                    std::process::abort();
                }
            }
        }
    });
    Ok(())
}

/// Resolves when the signal comes: never if it is not handled.
async fn told(signal: &mut Option<TokioSignal>) {
    let told = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if told.is_none() {
        std::future::pending().await
    }
}

/// The signals that are ignored, the first in the lowest bit. None where the system does not tell.
fn ignored() -> u64 {
    // proc_pid_status(5).
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or_default()
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
        // Where nobody tells who is above that, as on macOS: mostly a shell, above a program that runs others.
        if !Path::new("/proc/self/stat").exists() {
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
