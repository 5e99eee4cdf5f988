//! Processes that are found again: they and all that they start have a variable in their environment.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::support::program::until;

const VARIABLE: &str = "BACKEND_TEST_MARK";

pub struct Marked(String);

impl Marked {
    pub fn new() -> Marked {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        Marked(format!("{}-{n}", std::process::id()))
    }

    pub fn mark<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env(VARIABLE, &self.0)
    }

    /// The command lines of what the command has started: without tidings itself, and its guardians.
    pub fn started(&self) -> Vec<(i32, String)> {
        let mut all = self.all();
        all.retain(|(_, line)| !line.contains("tidings proxy") && !line.contains("@guardian"));
        all
    }

    /// The command lines of the processes that run, with their ids.
    pub fn all(&self) -> Vec<(i32, String)> {
        let mark = format!("{VARIABLE}={}", self.0);
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap() {
            let path = entry.unwrap().path();
            let Some(id) = path
                .file_name()
                .and_then(|name| name.to_str()?.parse().ok())
            else {
                continue;
            };
            // Those of other users, and those that have just ended, cannot be read.
            let environment = fs::read(path.join("environ")).unwrap_or_default();
            let mut variables = environment.split(|byte| *byte == 0);
            if variables.any(|variable| variable == mark.as_bytes()) {
                let line = fs::read(path.join("cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                found.push((id, line.trim_end().to_owned()));
            }
        }
        found
    }

    /// How many of these have this at the end of their command line.
    pub fn running(&self, text: &str) -> usize {
        let all = self.started();
        all.iter().filter(|(_, line)| line.ends_with(text)).count()
    }

    /// Waits until each of these is in the command line of one.
    #[track_caller]
    pub fn until_running(&self, texts: &[&str]) {
        let run = until(|| {
            let all = self.started();
            let runs = |text: &&str| all.iter().any(|(_, line)| line.ends_with(*text));
            texts.iter().all(runs).then_some(())
        });
        assert!(run.is_some(), "{texts:?} are not all in {:?}", self.all());
    }
}

/// Waits until none is left.
#[track_caller]
pub fn until_gone(marked: &Marked) {
    let gone = until(|| marked.all().is_empty().then_some(()));
    assert!(gone.is_some(), "left behind: {:?}", marked.all());
}
