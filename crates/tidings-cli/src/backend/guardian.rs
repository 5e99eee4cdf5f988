//! The guardian: a process of ours that runs one command, and ends all that belongs to it when we are
//! gone, however that came about.
//!
//! ```text
//! tidings --socket--> guardian (session of its own) -> command (process group of its own) -> its children
//! ```
//!
//! The socket is the guardian's standard input. The first line on it says what to run; after that, its end
//! means the same as [`STOP`]. So when tidings is killed, the system closes the socket, and the command
//! ends as it would have otherwise: by the stop signal, and by KILL after the stop timeout. There is no
//! moment at which a command runs that nobody would end, because the guardian runs it.
//!
//! What must stay true:
//! - Nothing gets a signal that is not ours. The command is waited for only when everything else is gone:
//!   until then its id, which is also that of its group, is not given to another process.
//! - On Linux, processes that have left the group (daemons) become children of the guardian when their
//!   parents end, so they are found. Elsewhere the group is all that is ended.
//! - The guardian has no terminal: Ctrl-C there does not reach it or the command, which gets its stop
//!   signal from here. Its name in the list of processes does not hold ours, so that `pkill tidings` ends
//!   tidings, and the guardian the command.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions};
use serde::{Deserialize, Serialize};

use super::Signal;

/// The argument that makes the program a guardian.
pub(super) const ARGUMENT: &str = "@guardian";

/// The name of the process.
pub(super) const NAME: &str = "backend-guardian";

/// Sent by tidings: end the command.
pub(super) const STOP: u8 = b's';

/// Sent by tidings: end it by KILL at once.
pub(super) const KILL: u8 = b'k';

/// How often adopted processes that have ended are waited for.
const REAP_INTERVAL: Duration = Duration::from_secs(5);

/// The shortest and the longest pause between two looks at what is left.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

/// What to run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Assignment {
    /// The program and its arguments.
    pub(super) argv: Vec<Vec<u8>>,
    pub(super) stop_signal: Signal,
    pub(super) stop_timeout: Duration,
    /// Daemons that the command leaves behind stay until tidings ends: servers of build tools.
    pub(super) keep_daemons: bool,
}

/// What the guardian reports, one JSON object per line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The command runs, with this id.
    Spawned(i32),
    /// It cannot be run.
    Failed(String),
    /// It has exited with this code.
    Exited(i32),
    /// It was ended by this signal.
    Signaled(i32),
    /// Nothing is left but daemons. The end of the socket means that these are gone, too.
    Gone,
}

/// Runs as a guardian if the program was started as one.
pub(crate) fn run() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != ARGUMENT || arguments.next().is_some() {
        return None;
    }
    let socket = io::stdin().as_fd().try_clone_to_owned().ok()?;
    let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&socket).ok()?.st_mode);
    if kind != rustix::fs::FileType::Socket {
        // Somebody has a folder of this name.
        return None;
    }
    let _ = guard(UnixStream::from(socket));
    Some(ExitCode::SUCCESS)
}

/// What the guardian hears of.
enum Note {
    Stop,
    Kill,
    Exited(Report),
}

fn guard(socket: UnixStream) -> io::Result<()> {
    // Fails only for the leader of a group, which a child of tidings is not.
    let _ = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let _ = rustix::thread::set_name(c"backend-guard");
    }
    let mut orders = BufReader::new(socket.try_clone()?);
    let mut line = String::new();
    orders.read_line(&mut line)?;
    let assignment: Assignment = serde_json::from_str(&line)?;
    let mut reports = Reports(socket);
    let child = match spawn(&assignment) {
        Ok(child) => child,
        Err(error) => {
            reports.send(&Report::Failed(reason(&error)));
            return Ok(());
        }
    };
    let leader = Pid::from_child(&child);
    reports.send(&Report::Spawned(leader.as_raw_pid()));
    let (notes, heard) = channel();
    let told = notes.clone();
    std::thread::spawn(move || obey(orders, &told));
    std::thread::spawn(move || watch(leader, &notes));
    Guard {
        child,
        leader,
        assignment,
        reports,
        heard,
        exited: false,
        stopped: false,
        signalled: HashSet::new(),
    }
    .run();
    Ok(())
}

fn spawn(assignment: &Assignment) -> io::Result<Child> {
    let mut argv = assignment
        .argv
        .iter()
        .map(|word| OsString::from_vec(word.clone()));
    let program = argv.next().ok_or(io::ErrorKind::InvalidInput)?;
    let null = std::fs::File::options().write(true).open("/dev/null")?;
    let child = Command::new(program)
        .args(argv)
        .stdin(Stdio::null())
        .process_group(0)
        .spawn();
    // Only the command writes there: their end is the end of the last process that could.
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    child
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such program".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Passes on what tidings orders, and its end.
fn obey(mut orders: impl Read, told: &Sender<Note>) {
    let mut order = [0];
    loop {
        let note = match orders.read(&mut order) {
            Ok(1..) if order[0] == KILL => Note::Kill,
            Ok(1..) if order[0] == STOP => Note::Stop,
            Ok(1..) => continue,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => {
                let _ = told.send(Note::Stop);
                return;
            }
        };
        if told.send(note).is_err() {
            return;
        }
    }
}

/// Waits for the end of the command, and leaves it to be waited for.
fn watch(leader: Pid, told: &Sender<Note>) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    loop {
        match rustix::process::waitid(WaitId::Pid(leader), options) {
            Ok(Some(status)) => {
                let report = match (status.exit_status(), status.terminating_signal()) {
                    (_, Some(signal)) => Report::Signaled(signal),
                    (code, None) => Report::Exited(code.unwrap_or(0)),
                };
                let _ = told.send(Note::Exited(report));
                return;
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => {
                let _ = told.send(Note::Exited(Report::Exited(0)));
                return;
            }
        }
    }
}

struct Reports(UnixStream);

impl Reports {
    fn send(&mut self, report: &Report) {
        if let Ok(mut line) = serde_json::to_vec(report) {
            line.push(b'\n');
            // Nobody reads it once tidings is gone.
            let _ = self.0.write_all(&line);
        }
    }
}

struct Guard {
    child: Child,
    leader: Pid,
    assignment: Assignment,
    reports: Reports,
    heard: Receiver<Note>,
    exited: bool,
    /// Tidings has asked for the end, or is gone.
    stopped: bool,
    /// The processes outside of the group that got the stop signal.
    signalled: HashSet<Pid>,
}

impl Guard {
    fn run(mut self) {
        let mut kill = false;
        while !self.exited {
            match self.heard.recv_timeout(REAP_INTERVAL) {
                Ok(Note::Exited(report)) => self.exited(&report),
                Ok(Note::Stop) => break,
                Ok(Note::Kill) => {
                    kill = true;
                    break;
                }
                Err(RecvTimeoutError::Timeout) => self.reap_adopted(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.exited && self.assignment.keep_daemons {
            self.end(kill, Belongs::ToGroup);
            self.reports.send(&Report::Gone);
            while !self.stopped && !self.others(Belongs::ToUs).is_empty() {
                match self.heard.recv_timeout(REAP_INTERVAL) {
                    Ok(Note::Exited(_)) | Err(RecvTimeoutError::Timeout) => self.reap_adopted(),
                    Ok(Note::Kill) => {
                        kill = true;
                        break;
                    }
                    Ok(Note::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        }
        self.end(kill, Belongs::ToUs);
        // Its id may be given away from here on.
        let _ = self.child.wait();
        // What was adopted at the last moment: they are children of ours, whose ids are safe.
        loop {
            let left = children();
            if left.is_empty() {
                break;
            }
            for pid in left {
                if !reaped(pid) {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                }
            }
            std::thread::sleep(PAUSES.0);
        }
        self.reports.send(&Report::Gone);
    }

    fn exited(&mut self, report: &Report) {
        self.exited = true;
        self.reports.send(report);
    }

    /// Sends the stop signal, and KILL after the stop timeout, until nothing is left but the command itself,
    /// which has exited and was not waited for.
    fn end(&mut self, mut kill: bool, which: Belongs) {
        let deadline = Instant::now() + self.assignment.stop_timeout;
        let stop = self.assignment.stop_signal.into();
        let mut pause = PAUSES.0;
        // Those that have ended are still in the group, so there always is one.
        let _ = rustix::process::kill_process_group(self.leader, stop);
        loop {
            let others = self.others(which);
            if self.exited && others.is_empty() && !self.group_is_left() {
                return;
            }
            kill |= Instant::now() >= deadline;
            if kill {
                let kill = rustix::process::Signal::KILL;
                let _ = rustix::process::kill_process_group(self.leader, kill);
            }
            for pid in others {
                if kill {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                } else if !in_group(pid, self.leader) && self.signalled.insert(pid) {
                    let _ = rustix::process::kill_process(pid, stop);
                }
            }
            match self.heard.recv_timeout(pause) {
                Ok(Note::Exited(report)) => self.exited(&report),
                Ok(Note::Kill) => kill = true,
                Ok(Note::Stop) => self.stopped = true,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(pause),
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// The children of the guardian besides the command itself: what it has adopted. When the command has
    /// exited, these and what is below them are all that is left. Those that have ended are waited for.
    fn others(&self, which: Belongs) -> Vec<Pid> {
        let mut others = children();
        others.retain(|pid| {
            *pid != self.leader
                && (which == Belongs::ToUs || in_group(*pid, self.leader))
                && !reaped(*pid)
        });
        others
    }

    fn reap_adopted(&self) {
        self.others(Belongs::ToUs);
    }

    /// Whether there is more in the group than what [`others`](Self::others) finds.
    fn group_is_left(&mut self) -> bool {
        if cfg!(target_os = "linux") {
            return false;
        }
        // Without the command itself in it. Its id might be given away between the two calls, but ids are not
        // reused that soon.
        let _ = self.child.wait();
        rustix::process::test_kill_process_group(self.leader).is_ok()
    }
}

/// Which of the adopted processes are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Belongs {
    ToGroup,
    ToUs,
}

fn in_group(pid: Pid, leader: Pid) -> bool {
    rustix::process::getpgid(Some(pid)).is_ok_and(|group| group == leader)
}

/// Whether a child has ended; then it is waited for.
fn reaped(pid: Pid) -> bool {
    matches!(
        rustix::process::waitpid(Some(pid), WaitOptions::NOHANG),
        Ok(Some(_)) | Err(rustix::io::Errno::CHILD)
    )
}

/// The children of this process.
#[cfg(target_os = "linux")]
fn children() -> Vec<Pid> {
    // Fails on kernels without CONFIG_PROC_CHILDREN.
    children_of_threads().unwrap_or_else(|_| children_by_parent())
}

#[cfg(target_os = "linux")]
fn children_of_threads() -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task")? {
        let children = match std::fs::read_to_string(thread?.path().join("children")) {
            Ok(children) => children,
            // The thread has ended meanwhile; the main one has not.
            Err(_) if !found.is_empty() => continue,
            Err(error) => return Err(error),
        };
        let ids = children.split_whitespace();
        found.extend(ids.filter_map(|id| id.parse().ok().and_then(Pid::from_raw)));
    }
    Ok(found)
}

/// The same, by asking each process for its parent.
#[cfg(target_os = "linux")]
fn children_by_parent() -> Vec<Pid> {
    let own = rustix::process::getpid().as_raw_pid();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id: &i32| parent_of(*id) == Some(own))
        .filter_map(Pid::from_raw)
        .collect()
}

/// proc_pid_stat(5): `pid (name) state ppid ...`; the name may hold spaces and parentheses.
#[cfg(target_os = "linux")]
fn parent_of(id: i32) -> Option<i32> {
    let stat = std::fs::read(format!("/proc/{id}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn children() -> Vec<Pid> {
    Vec::new()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn children_are_found_on_any_kernel() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_child(&child);
        let by_parent = children_by_parent();
        let by_thread = children_of_threads();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(by_parent.contains(&pid));
        match by_thread {
            Ok(found) => assert!(found.contains(&pid)),
            Err(error) => eprintln!("SKIPPED: this kernel has no list of children: {error}"),
        }
        assert!(!children_by_parent().contains(&pid));
    }

    #[test]
    fn a_process_whose_name_is_odd_is_understood() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("a) S 1 (b");
        std::fs::copy("/bin/sleep", &odd).unwrap();
        let mut child = Command::new(&odd).arg("60").spawn().unwrap();
        let parent = parent_of(child.id() as i32);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(parent, Some(std::process::id() as i32));
    }
}
