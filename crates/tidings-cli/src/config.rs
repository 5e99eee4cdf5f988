//! What a command is asked to do: every value that may be left out has been decided here.
//!
//! `cli/settings.rs` makes it from what was typed. The stages below get their parts of it.

pub(crate) mod file;
mod proxy;
mod route;
mod serve;
pub(crate) mod value;

use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use proxy::{Build, Command, Proxy};
pub(crate) use route::Route;
pub(crate) use serve::{Mount, Serve};

use crate::listen::{Host, Ports};
use crate::rules::LiveRules;

/// The settings of a command.
pub(crate) trait Config: Send + 'static {
    /// What can change while it runs.
    fn rules(&self) -> &Arc<LiveRules>;
    /// The keys of everything else that differs.
    fn differences(&self, other: &Self) -> Vec<&'static str>;
}

/// Keys of settings that differ.
#[derive(Debug, Default)]
struct Differences {
    keys: Vec<&'static str>,
}

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
    /// The file that some of this is from, as it is printed.
    pub(crate) config_file: Option<PathBuf>,
}

impl Server {
    /// The configuration file, for messages.
    pub(crate) fn config_file_shown(&self) -> Option<String> {
        let file = self.config_file.as_ref()?;
        Some(file.display().to_string())
    }

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

impl Differences {
    fn note(&mut self, key: &'static str, differs: bool) {
        if differs {
            self.keys.push(key);
        }
    }

    /// Of the settings that both commands have.
    fn of_shared(
        &mut self,
        (output, server, watched): (&Output, &Server, &Watched),
        other: (&Output, &Server, &Watched),
    ) {
        let Output { quiet, json } = output;
        self.note("quiet", *quiet != other.0.quiet);
        self.note("json", *json != other.0.json);
        let Server {
            host,
            ports,
            allowed_hosts,
            open,
            config_file: _,
        } = server;
        self.note("port", *ports != other.1.ports);
        self.note("host", *host != other.1.host);
        self.note("allow-host", *allowed_hosts != other.1.allowed_hosts);
        self.note("open", *open != other.1.open);
        let Watched {
            paths,
            ignore,
            gitignore,
        } = watched;
        self.note("watch", *paths != other.2.paths);
        self.note("ignore", *ignore != other.2.ignore);
        self.note("gitignore", *gitignore != other.2.gitignore);
    }
}
