//! From what was typed to what it means: the one place where flags, variables and defaults meet.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use super::parse::{globs, paths};
use super::{ProxyArgs, ServeArgs};
use crate::backend::Signal;
use crate::cli::shared::SharedArgs;
use crate::config::{Build, Command, Output, Proxy, Serve, Server, Watched};
use crate::files::Compress;
use crate::listen::{DEFAULT_PORT, Host, Ports};

const DEFAULT_START_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Why what was typed cannot be done; clap prints it, with the usage.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsageError(pub(crate) String);

impl ServeArgs {
    pub(crate) fn output(&self) -> Output {
        self.shared.output()
    }

    pub(crate) fn config(self) -> Serve {
        Serve {
            server: self.shared.server(),
            watched: self.shared.watched(),
            dir: self.dir.unwrap_or_else(|| PathBuf::from(".")),
            proxy: self.proxy.unwrap_or_default(),
            spa: self.spa,
            follow_symlinks: self.follow_symlinks.unwrap_or(false),
            listing: !self.no_listing.unwrap_or(false),
            compress: self.compress.unwrap_or(Compress::Auto),
        }
    }
}

impl ProxyArgs {
    pub(crate) fn output(&self) -> Output {
        self.shared.output()
    }

    pub(crate) fn config(self) -> Result<Proxy, UsageError> {
        let server = self.shared.server();
        let watched = self.shared.watched();
        if self.url.is_none() && self.command.is_none() {
            return Err(UsageError("give the URL of the backend, or a command that runs it: tidings proxy http://localhost:8000, or tidings proxy -- python app.py".to_owned()));
        }
        let for_a_command = [
            ("--restart", self.restart.is_some()),
            ("--build", self.build.is_some()),
            ("--health", self.health.is_some()),
            ("--stop-signal", self.stop_signal.is_some()),
            ("--stop-timeout", self.stop_timeout.is_some()),
        ];
        if let (None, Some((flag, _))) = (
            &self.command,
            for_a_command.iter().find(|(_, given)| *given),
        ) {
            return Err(UsageError(format!(
                "{flag} is for a backend that tidings runs: give its command after --"
            )));
        }
        let start_timeout = self.start_timeout.unwrap_or(DEFAULT_START_TIMEOUT);
        let command = self.command.map(|args| Command {
            args,
            dir: PathBuf::from("."),
            restart: match self.restart {
                Some(given) => paths(&given, env::var_os("TIDINGS_RESTART").as_deref()),
                None => vec![PathBuf::from(".")],
            },
            build: self.build.map(|command| Build {
                command,
                dir: PathBuf::from("."),
            }),
            health: self.health,
            start_timeout,
            stop_signal: self.stop_signal.unwrap_or(Signal::Term),
            stop_timeout: self.stop_timeout.unwrap_or(DEFAULT_STOP_TIMEOUT),
        });
        Ok(Proxy {
            server,
            watched,
            url: self.url,
            command,
            start_timeout,
            change_host: self.change_host.unwrap_or(false),
            insecure: self.insecure.unwrap_or(false),
        })
    }
}

impl SharedArgs {
    fn output(&self) -> Output {
        Output {
            quiet: self.quiet.unwrap_or(false),
            json: self.json.unwrap_or(false),
        }
    }

    fn server(&self) -> Server {
        Server {
            host: self.host.clone().unwrap_or(Host::Localhost),
            ports: match (self.port, self.strict_port.unwrap_or(false)) {
                (Some(port), _) => Ports::Exactly(port),
                (None, true) => Ports::Exactly(DEFAULT_PORT),
                (None, false) => Ports::From(DEFAULT_PORT),
            },
            allowed_hosts: self.allow_host.clone().unwrap_or_default(),
            open: self.open.clone().filter(|_| !self.no_open),
        }
    }

    fn watched(&self) -> Watched {
        let watch = self.watch.as_deref().unwrap_or_default();
        Watched {
            paths: paths(watch, env::var_os("TIDINGS_WATCH").as_deref()),
            ignore: globs(self.ignore.as_deref().unwrap_or_default()),
            gitignore: !self.no_gitignore.unwrap_or(false),
        }
    }
}
