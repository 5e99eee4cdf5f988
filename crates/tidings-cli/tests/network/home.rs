//! A user with a home directory of their own.

use std::path::PathBuf;
use std::process::Command;

use crate::support::program::{Finished, finished};
use crate::{Folder, Server, tidings};

pub struct Home(tempfile::TempDir);

impl Home {
    pub fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    /// The program, run by this user.
    pub fn tidings(&self) -> Command {
        let mut command = tidings();
        command
            .env("HOME", self.0.path())
            .env_remove("XDG_DATA_HOME");
        command
    }

    /// Serves a folder at a free port.
    #[track_caller]
    pub fn serve(&self, folder: &Folder, flags: &[&str]) -> Server {
        folder.settle();
        let mut command = self.tidings();
        Server::run(command.arg(folder.root()).args(["--port", "0"]).args(flags))
    }

    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Finished {
        finished(self.tidings().args(arguments))
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Where the program keeps what is this user's.
    pub fn data(&self, name: &str) -> PathBuf {
        let data = match cfg!(target_os = "macos") {
            true => "Library/Application Support/tidings",
            false => ".local/share/tidings",
        };
        self.path(data).join(name)
    }

    /// The certificate of this user's authority.
    pub fn authority(&self) -> PathBuf {
        self.data("tidings-ca.pem")
    }
}

/// An address of this machine that is not loopback, so that it stands for another device. It is one that the
/// local authority may certify.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub fn other_device() -> Option<std::net::Ipv4Addr> {
    let interfaces = if_addrs::get_if_addrs().unwrap();
    let found = interfaces
        .iter()
        .find_map(|interface| match interface.ip() {
            std::net::IpAddr::V4(address) if !address.is_loopback() && !address.is_link_local() => {
                Some(address)
            }
            _ => None,
        });
    if found.is_none() {
        eprintln!("SKIPPED: this machine is in no network");
    }
    found
}
