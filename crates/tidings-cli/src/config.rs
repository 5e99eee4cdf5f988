//! What a command is asked to do: every value that may be left out has been decided here.
//!
//! `cli/settings.rs` makes it from what was typed. The stages below get their parts of it.

mod proxy;
mod route;
mod serve;

use std::path::PathBuf;

pub(crate) use proxy::{Build, Command, Proxy};
pub(crate) use route::Route;
pub(crate) use serve::Serve;

use crate::listen::{Host, Ports};

/// What is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Output {
    /// Only the address, warnings and errors.
    pub(crate) quiet: bool,
    /// One JSON object per line.
    pub(crate) json: bool,
}

/// Where the server listens, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: Host,
    pub(crate) ports: Ports,
    /// Host names to answer to, besides that of `host`, `localhost` and IP addresses.
    pub(crate) allowed_hosts: Vec<String>,
    /// The page to open in the browser, as a path.
    pub(crate) open: Option<String>,
}

impl Server {
    /// All host names that the server answers to, besides `localhost` and IP addresses.
    pub(crate) fn host_names(&self) -> Vec<String> {
        let mut names = self.allowed_hosts.clone();
        if let Host::Name(name) = &self.host {
            names.push(name.clone());
        }
        if !self.host.is_loopback() {
            let name = gethostname::gethostname().to_string_lossy().into_owned();
            names.extend([format!("{name}.local"), name]);
        }
        names
    }
}

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    /// For `serve`, besides the folder.
    pub(crate) paths: Vec<PathBuf>,
    /// Patterns of what is not watched, in the syntax of `.gitignore`.
    pub(crate) ignore: Vec<String>,
    /// Whether `.gitignore` files are honoured.
    pub(crate) gitignore: bool,
}
