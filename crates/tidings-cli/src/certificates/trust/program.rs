//! Programs of the system that know its stores.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, Stdio};

/// Why a program did not do what it was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// There is no such program.
    Missing,
    /// What it said.
    Said(String),
}

impl Failed {
    pub(super) fn why(self, program: &str) -> String {
        match self {
            Failed::Missing => format!("there is no {program}"),
            Failed::Said(text) if text.is_empty() => format!("{program} failed"),
            Failed::Said(text) => format!("{program}: {text}"),
        }
    }
}

/// Runs it, without a terminal, and returns what it prints.
pub(super) fn run<S: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = S>,
) -> Result<String, Failed> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let first = said.lines().find(|line| !line.trim().is_empty());
            Err(Failed::Said(first.unwrap_or_default().trim().to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failed::Missing),
        Err(error) => Err(Failed::Said(error.to_string())),
    }
}
