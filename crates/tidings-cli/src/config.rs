//! What a command is asked to do: every value that may be left out has been decided here.
//!
//! `cli/settings.rs` makes it from what was typed. The stages below get their parts of it.

pub(crate) mod file;
mod proxy;
mod route;
mod serve;
mod slow;
pub(crate) mod value;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use proxy::{Build, Command, Proxy};
pub(crate) use route::Route;
pub(crate) use serve::{Mount, Serve};
pub(crate) use slow::Slow;

use tidings::reload::{PageOptions, ReloadMode};

use crate::listen::{Host, Ports};
use crate::rules::LiveRules;

/// The settings of a command.
pub(crate) trait Config: Send + 'static {
    /// What can change while it runs.
    fn rules(&self) -> &Arc<LiveRules>;
    /// How files are watched.
    fn watched(&self) -> &Watched;
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
    /// Whether devices in the local network may connect, with a token.
    pub(crate) lan: bool,
    /// Whether and how it serves HTTPS.
    pub(crate) tls: Option<Tls>,
    /// How slow the network is that it pretends to be.
    pub(crate) slow: Option<Slow>,
    /// Whether it stops when standard input is closed.
    pub(crate) stdin_quit: bool,
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

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// From an authority of our own, on this machine.
    Local,
    /// From these files.
    Files { cert: PathBuf, key: PathBuf },
}

/// What pages do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pages {
    /// When a page is patched in place after its HTML was saved.
    pub(crate) reload: ReloadMode,
    /// Whether a page that reloads puts back what its user has done.
    pub(crate) restore: bool,
    pub(crate) badge: bool,
    /// Whether they send their errors.
    pub(crate) forward_console: bool,
}

impl Pages {
    /// What their script gets.
    pub(crate) fn options(&self) -> PageOptions {
        let mut options = PageOptions::default();
        options.reload = self.reload;
        options.restore = self.restore;
        options.badge = self.badge;
        options.console = self.forward_console;
        options
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
    /// How often to look, instead of being told by the system.
    pub(crate) poll: Option<Duration>,
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
        (output, server, watched, pages): (&Output, &Server, &Watched, &Pages),
        other: (&Output, &Server, &Watched, &Pages),
    ) {
        let Output { quiet, json } = output;
        self.note("quiet", *quiet != other.0.quiet);
        self.note("json", *json != other.0.json);
        let Server {
            host,
            ports,
            allowed_hosts,
            open,
            lan,
            tls,
            slow,
            stdin_quit,
            config_file: _,
        } = server;
        self.note("port", *ports != other.1.ports);
        self.note("host", *host != other.1.host);
        self.note("allow-host", *allowed_hosts != other.1.allowed_hosts);
        self.note("open", *open != other.1.open);
        self.note("lan", *lan != other.1.lan);
        self.note_tls(tls.as_ref(), other.1.tls.as_ref());
        self.note("slow", *slow != other.1.slow);
        self.note("stdin-quit", *stdin_quit != other.1.stdin_quit);
        let Watched {
            paths,
            ignore,
            gitignore,
            poll,
        } = watched;
        self.note("watch", *paths != other.2.paths);
        self.note("ignore", *ignore != other.2.ignore);
        self.note("gitignore", *gitignore != other.2.gitignore);
        self.note("poll", *poll != other.2.poll);
        let Pages {
            reload,
            restore,
            badge,
            forward_console,
        } = pages;
        self.note("reload", *reload != other.3.reload);
        self.note("restore", *restore != other.3.restore);
        self.note("badge", *badge != other.3.badge);
        self.note(
            "forward-console",
            *forward_console != other.3.forward_console,
        );
    }

    fn note_tls(&mut self, one: Option<&Tls>, other: Option<&Tls>) {
        match (one, other) {
            (Some(Tls::Files { cert, key }), Some(Tls::Files { cert: c, key: k })) => {
                self.note("cert", cert != c);
                self.note("key", key != k);
            }
            (Some(Tls::Files { .. }), _) | (_, Some(Tls::Files { .. })) => self.note("cert", true),
            (one, other) => self.note("https", one != other),
        }
    }
}
