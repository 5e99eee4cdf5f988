//! Shared by the benchmarks: statistics, and processes that are measured.
//!
//! Machines are shared and noisy, so the program and its floor take turns in one run, and only their
//! ratio counts.

pub mod chromium;
pub mod load;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Measured times.
#[derive(Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Adds a time.
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The number of times.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The quantile for this share (0 to 1), in milliseconds.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort();
        let last = sorted.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        sorted
            .get(index)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }
}

/// A child process that is killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// The first line it printed.
    pub first_line: String,
}

impl Process {
    /// Starts a program and waits for its first line.
    ///
    /// # Panics
    /// If it cannot be started or prints nothing.
    pub fn start(command: &mut Command) -> Process {
        let shown = format!("{command:?}");
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        let Some(out) = child.stdout.take() else {
            unreachable!("it was piped");
        };
        let mut lines = BufReader::new(out).lines();
        let first_line = match lines.next() {
            Some(Ok(line)) => line,
            other => panic!("{shown} printed nothing: {other:?}"),
        };
        std::thread::spawn(move || lines.for_each(drop));
        Process { child, first_line }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// User and system CPU time of all its threads.
    pub fn cpu(&self) -> Duration {
        cpu_of(self.id())
    }

    /// Its user and system CPU time so far, in the kernel's coarse ticks.
    pub fn ticks(&self) -> Ticks {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        // Fields 14 and 15 of proc_pid_stat(5), counted from the end of the name, which may contain spaces.
        let fields = text.rsplit(')').next().unwrap_or_default();
        let mut fields = fields
            .split_whitespace()
            .skip(11)
            .map(|field| field.parse().unwrap_or(0));
        Ticks {
            user: fields.next().unwrap_or(0),
            system: fields.next().unwrap_or(0),
        }
    }

    /// Its memory, in bytes (the proportional set size).
    pub fn memory_bytes(&self) -> u64 {
        memory_of(self.id())
    }

    /// The most memory that it has had, in bytes (resident, so with shared libraries).
    pub fn peak_memory_bytes(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.id()));
        bytes_in(&text.unwrap_or_default(), "VmHWM:")
    }
}

/// The memory of a process, in bytes (the proportional set size).
pub fn memory_of(id: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup"));
    bytes_in(&text.unwrap_or_default(), "Pss:")
}

/// The figure in the line of this name, which is in KiB.
fn bytes_in(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// CPU time in the kernel's ticks: precise enough for a share, too coarse for anything else.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    user: u64,
    system: u64,
}

impl Ticks {
    /// The share of user time (0 to 1) in the time used since then.
    pub fn user_share_since(self, earlier: Ticks) -> f64 {
        let user = (self.user - earlier.user) as f64;
        let system = (self.system - earlier.system) as f64;
        user / (user + system)
    }
}

/// User and system CPU time of all threads of a process.
pub fn cpu_of(id: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{id}/task"));
    let nanoseconds = tasks.into_iter().flatten().flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// The median.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The path of the program `tidings`, built in the same directory as the running benchmark.
///
/// # Panics
/// If it has not been built.
pub fn tidings() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let path = own.with_file_name("tidings");
    assert!(
        path.exists(),
        "{} is missing: cargo build --release --workspace",
        path.display()
    );
    path
}

/// A command that runs a program pinned to one core, if the machine has two.
pub fn pinned(core: usize, program: &std::path::Path) -> Command {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let has_taskset = Command::new("taskset").arg("-V").output().is_ok();
    if cores < 2 || !has_taskset {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

/// The value after `--name`, or a default.
pub fn option(name: &str, default: usize) -> usize {
    text_option(name)
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// The value after `--name`.
pub fn text_option(name: &str) -> Option<String> {
    let mut arguments = std::env::args();
    arguments.find(|argument| *argument == format!("--{name}"));
    arguments.next()
}
