//! The frameworks and interpreters that the backends need.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/backends");

/// Where programs of the tests' own are built, from one run to the next.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("backends")
}

/// What an application needs to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Python with the frameworks of `requirements.txt`.
    Python,
    /// Node.js with the packages of `package-lock.json`.
    Node,
    Nginx,
    /// Cargo, and the crates that the axum application depends on.
    Cargo,
    /// A program that is there or not: Debian's `php`.
    Program(&'static str),
}

impl Tool {
    /// Whether it is there, or can be installed. If not, it is said.
    pub fn is_there(self) -> bool {
        let there = match self {
            Tool::Python => installed("pip"),
            Tool::Node => installed("npm"),
            Tool::Nginx => installed("nginx"),
            Tool::Cargo => installed("axum"),
            Tool::Program(name) => {
                let version = Command::new(name).arg("--version").output();
                version.is_ok_and(|output| output.status.success())
            }
        };
        if !there {
            skipped(&format!("{self:?} cannot be had"));
        }
        there
    }

    /// Where its programs are.
    fn programs(self) -> Option<PathBuf> {
        match self {
            Tool::Python => Some(directory().join("pip/env/bin")),
            Tool::Node => Some(directory().join("npm/node_modules/.bin")),
            Tool::Nginx => Some(directory().join("nginx/root/usr/sbin")),
            Tool::Cargo | Tool::Program(_) => None,
        }
    }
}

#[expect(clippy::print_stderr, reason = "it says what is skipped")]
pub fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

fn installed(what: &str) -> bool {
    let mut install = Command::new(format!("{HERE}/install"));
    let status = install.arg(what).arg(directory()).status();
    status.is_ok_and(|status| status.success())
}

/// `PATH` with the binary under test and this tool in front.
pub fn path(tool: Tool) -> OsString {
    let binary = Path::new(env!("CARGO_BIN_EXE_tidings"));
    let ours = binary.parent().map(Path::to_owned);
    let theirs = std::env::var_os("PATH").unwrap_or_default();
    let all = ours
        .into_iter()
        .chain(tool.programs())
        .chain(std::env::split_paths(&theirs));
    std::env::join_paths(all).unwrap()
}

/// The files of an application.
pub fn sources(app: &str) -> PathBuf {
    Path::new(HERE).join("apps").join(app)
}

/// Node finds packages beside the application, or above it.
pub fn node_modules() -> PathBuf {
    directory().join("npm/node_modules")
}
