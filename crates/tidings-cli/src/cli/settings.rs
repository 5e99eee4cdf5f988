//! From what was typed to what it means: the one place where flags, variables, the file and defaults meet.
//!
//! A flag beats a variable (clap sees to that), which beats the file, which beats the default. A list is
//! replaced as a whole, and so is the backend: whoever types a URL or a command means that and not the
//! command of the file besides.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;

use super::parse::{globs, paths};
use super::shared::{ALL_ADDRESSES, SharedArgs};
use super::{Cli, Command, ProxyArgs, ServeArgs};
use crate::backend::Signal;
use crate::config::file::{self, ConfigFile, Run, SwitchOr, Wanted};
use crate::config::{self, Build, Output, Pages, Proxy, Serve, Server, Tls, Watched};
use crate::files::Compress;
use crate::listen::{DEFAULT_PORT, Host, Ports};
use crate::rules::{LiveRules, Rules};

/// The page of `spa = true`.
pub(super) const SPA_PAGE: &str = "index.html";

/// How often `poll = true` looks.
const DEFAULT_POLL: Duration = Duration::from_millis(500);

const DEFAULT_START_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What was typed cannot be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsageError {
    /// The subcommand that was meant.
    pub(crate) command: &'static str,
    message: String,
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UsageError {}

fn usage_error(command: &'static str, message: String) -> anyhow::Error {
    UsageError { command, message }.into()
}

impl Cli {
    /// The command that was typed, or that the file has for `tidings` alone.
    pub(crate) fn into_command(self, file: Option<&ConfigFile>) -> Command {
        let run = file.and_then(|file| file.settings.run);
        match (self.command, run) {
            (Some(command), _) => command,
            (None, Some(Run::Proxy)) if !self.is_serve => Command::Proxy(ProxyArgs {
                shared: self.serve.shared,
                ..ProxyArgs::default()
            }),
            (None, _) => Command::Serve(self.serve),
        }
    }

    /// Which file is to be read.
    pub(crate) fn file(&self) -> Wanted {
        match self.shared() {
            Some(shared) if shared.no_config => Wanted::Nothing,
            Some(SharedArgs {
                config: Some(file), ..
            }) => Wanted::Given(file.clone()),
            Some(_) => Wanted::Nearest,
            None => Wanted::Nothing,
        }
    }

    /// What is printed, as far as it is known before the file is read.
    pub(crate) fn output(&self) -> Output {
        match self.shared() {
            Some(shared) => shared.output(None),
            None => Output {
                json: match &self.command {
                    Some(Command::Wait(args)) => args.json,
                    Some(Command::Why(args)) => args.json,
                    _ => false,
                },
                quiet: false,
            },
        }
    }

    fn shared(&self) -> Option<&SharedArgs> {
        match &self.command {
            None => Some(&self.serve.shared),
            Some(Command::Serve(args)) => Some(&args.shared),
            Some(Command::Proxy(args)) => Some(&args.shared),
            Some(
                Command::Init
                | Command::Trust(_)
                | Command::Wait(_)
                | Command::Why(_)
                | Command::Completions(_)
                | Command::Man(_),
            ) => None,
        }
    }
}

impl ServeArgs {
    pub(crate) fn config(&self, file: Option<&ConfigFile>) -> anyhow::Result<Serve> {
        let settings = Settings { file };
        let from_file = settings.serve();
        let routes = || settings.routes();
        Ok(Serve {
            output: self.shared.output(file),
            server: self.shared.server("serve", file)?,
            watched: self.shared.watched(file),
            pages: self.shared.pages(file),
            rules: settings.rules(),
            dir: match (&self.dir, &from_file.dir) {
                (Some(typed), _) => typed.clone(),
                (None, Some(dir)) => settings.path(dir),
                (None, None) => PathBuf::from("."),
            },
            mounts: settings.mounts(),
            proxy: self.proxy.clone().map_or_else(routes, Ok)?,
            spa: match (&self.spa, from_file.spa) {
                (Some(typed), _) => Some(typed.clone()),
                (None, Some(SwitchOr::Value(page))) => Some(page.0),
                (None, Some(SwitchOr::Switch(true))) => Some(SPA_PAGE.to_owned()),
                (None, Some(SwitchOr::Switch(false)) | None) => None,
            },
            follow_symlinks: self
                .follow_symlinks
                .or(from_file.follow_symlinks)
                .unwrap_or(false),
            listing: self
                .no_listing
                .map(|no| !no)
                .or(from_file.listing)
                .unwrap_or(true),
            compress: self
                .compress
                .or(from_file.compress)
                .unwrap_or(Compress::Auto),
        })
    }
}

impl ProxyArgs {
    pub(crate) fn config(&self, file: Option<&ConfigFile>) -> anyhow::Result<Proxy> {
        let settings = Settings { file };
        let from_file = settings.proxy();
        let misuse = |message| usage_error("proxy", message);
        let typed = self.url.is_some() || self.command.is_some();
        let (url, command) = match typed {
            true => (
                self.url.clone(),
                self.command.clone().map(|args| (args, PathBuf::from("."))),
            ),
            false => settings.backend()?,
        };
        if url.is_none() && command.is_none() {
            return Err(misuse(
                "give the URL of the backend, or a command that runs it, or set `url` or `command` in [proxy] of a \
                 tidings.toml\n\n  tidings proxy http://localhost:8000\n  tidings proxy -- python app.py"
                    .to_owned(),
            ));
        }
        let for_a_command = [
            ("--restart", self.restart.is_some()),
            ("--build", self.build.is_some()),
            ("--health", self.health.is_some()),
            ("--stop-signal", self.stop_signal.is_some()),
            ("--stop-timeout", self.stop_timeout.is_some()),
        ];
        if let (None, Some((flag, _))) = (&command, for_a_command.iter().find(|(_, given)| *given))
        {
            return Err(misuse(format!(
                "{flag} is for a backend that tidings runs: give its command after --"
            )));
        }
        let start_timeout = self
            .start_timeout
            .or(from_file.start_timeout)
            .unwrap_or(DEFAULT_START_TIMEOUT);
        let watched = self.shared.watched(file);
        let command = command.map(|(args, dir)| config::Command {
            args,
            restart: match (&self.restart, &from_file.restart) {
                (Some(given), _) => paths(given, env::var_os("TIDINGS_RESTART").as_deref()),
                (None, Some(paths)) => paths.iter().map(|path| settings.path(path)).collect(),
                // Who watches all of it for the pages does not want a restart for each change.
                (None, None) if watched.paths.iter().any(|path| is_same(path, &dir)) => Vec::new(),
                (None, None) => vec![dir.clone()],
            },
            build: match (&self.build, &from_file.build) {
                (Some(command), _) => Some(Build {
                    command: command.clone(),
                    dir: PathBuf::from("."),
                }),
                (None, Some(command)) => Some(Build {
                    command: command.clone(),
                    dir: settings.folder(),
                }),
                (None, None) => None,
            },
            dir,
            health: self.health.clone().or(from_file.health),
            start_timeout,
            stop_signal: self
                .stop_signal
                .or(from_file.stop_signal)
                .unwrap_or(Signal::Term),
            stop_timeout: self
                .stop_timeout
                .or(from_file.stop_timeout)
                .unwrap_or(DEFAULT_STOP_TIMEOUT),
        });
        Ok(Proxy {
            output: self.shared.output(file),
            server: self.shared.server("proxy", file)?,
            watched,
            pages: self.shared.pages(file),
            rules: settings.rules(),
            url,
            command,
            start_timeout,
            change_host: self.change_host.or(from_file.change_host).unwrap_or(false),
            insecure: self.insecure.or(from_file.insecure).unwrap_or(false),
        })
    }
}

/// Whether two paths are written differently at most.
fn is_same(one: &Path, other: &Path) -> bool {
    let plain =
        |path: &Path| path::absolute(path).map(|path| path.components().collect::<PathBuf>());
    matches!((plain(one), plain(other)), (Ok(one), Ok(other)) if one == other)
}

impl SharedArgs {
    fn output(&self, file: Option<&ConfigFile>) -> Output {
        let from_file = Settings { file }.top();
        Output {
            quiet: self.quiet.or(from_file.quiet).unwrap_or(false),
            json: self.json.or(from_file.json).unwrap_or(false),
        }
    }

    fn server(&self, command: &'static str, file: Option<&ConfigFile>) -> anyhow::Result<Server> {
        let from_file = Settings { file }.top();
        let port = self.port.or(from_file.port);
        let strict_port = self.strict_port.or(from_file.strict_port);
        let lan = match (self.lan, &self.host) {
            (Some(lan), _) => lan,
            // Who types this means it, whatever the file says.
            (None, Some(typed)) if typed.is_loopback() => false,
            (None, _) => from_file.lan.unwrap_or(false),
        };
        let host = match (&self.host, from_file.host) {
            (Some(typed), _) => typed.clone(),
            (None, Some(SwitchOr::Value(host))) => host,
            (None, Some(SwitchOr::Switch(true))) => Host::Address(ALL_ADDRESSES.into()),
            (None, Some(SwitchOr::Switch(false)) | None) => match lan {
                true => Host::Address(ALL_ADDRESSES.into()),
                false => Host::Localhost,
            },
        };
        if lan && host.is_loopback() {
            let is_typed = self.lan.is_some() || self.host.is_some();
            return Err(match file.filter(|_| !is_typed) {
                None => usage_error(
                    command,
                    "--lan needs an address that other devices reach: leave out --host, or give one of this machine"
                        .to_owned(),
                ),
                Some(file) => anyhow!(
                    "{}: `lan` needs an address that other devices reach: leave out `host`, or give one of this machine",
                    file.shown.display()
                ),
            });
        }
        Ok(Server {
            config_file: file.map(|file| file.shown.clone()),
            host,
            ports: match (port, strict_port) {
                (Some(port), _) => Ports::Exactly(port),
                (None, Some(true)) => Ports::Exactly(DEFAULT_PORT),
                (None, Some(false) | None) => Ports::From(DEFAULT_PORT),
            },
            allowed_hosts: self
                .allow_host
                .clone()
                .or(from_file.allow_host)
                .unwrap_or_default(),
            open: match (&self.open, from_file.open) {
                _ if self.no_open => None,
                (Some(typed), _) => Some(typed.clone()),
                (None, Some(SwitchOr::Value(path))) => Some(path),
                (None, Some(SwitchOr::Switch(true))) => Some("/".to_owned()),
                (None, Some(SwitchOr::Switch(false)) | None) => None,
            },
            lan,
            tls: self.tls(command, file)?,
            slow: self.slow.or(from_file.slow),
            stdin_quit: self.stdin_quit.or(from_file.stdin_quit).unwrap_or(false),
        })
    }

    /// A certificate that is given counts, whether `--https` is or not.
    fn tls(&self, command: &'static str, file: Option<&ConfigFile>) -> anyhow::Result<Option<Tls>> {
        let settings = Settings { file };
        let from_file = settings.top();
        let path = |typed: &Option<PathBuf>, from_file: Option<&PathBuf>| {
            let from_file = from_file.map(|path| settings.path(path));
            typed.clone().or(from_file)
        };
        let cert = path(&self.cert, from_file.cert.as_ref());
        let key = path(&self.key, from_file.key.as_ref());
        let is_typed = self.cert.is_some() || self.key.is_some();
        let missing = |has: &str, needs: &str| match file.filter(|_| !is_typed) {
            None => usage_error(
                command,
                format!("--{has} needs --{needs}: a certificate and its private key, both in PEM"),
            ),
            Some(file) => anyhow!(
                "{}: `{has}` needs `{needs}`: a certificate and its private key, both in PEM",
                file.shown.display()
            ),
        };
        match (cert, key, self.https.or(from_file.https)) {
            (Some(cert), Some(key), _) => Ok(Some(Tls::Files { cert, key })),
            (Some(_), None, _) => Err(missing("cert", "key")),
            (None, Some(_), _) => Err(missing("key", "cert")),
            (None, None, Some(true)) => Ok(Some(Tls::Local)),
            (None, None, Some(false) | None) => Ok(None),
        }
    }

    fn pages(&self, file: Option<&ConfigFile>) -> Pages {
        let from_file = Settings { file }.top();
        Pages {
            reload: self.reload.or(from_file.reload).unwrap_or_default(),
            restore: self
                .no_restore
                .map(|no| !no)
                .or(from_file.restore)
                .unwrap_or(true),
            badge: self.badge.or(from_file.badge).unwrap_or(false),
            forward_console: self
                .forward_console
                .or(from_file.forward_console)
                .unwrap_or_else(|| self.output(file).json),
        }
    }

    fn watched(&self, file: Option<&ConfigFile>) -> Watched {
        let settings = Settings { file };
        let from_file = settings.top();
        Watched {
            paths: match (&self.watch, &from_file.watch) {
                (Some(given), _) => paths(given, env::var_os("TIDINGS_WATCH").as_deref()),
                (None, Some(paths)) => paths.iter().map(|path| settings.path(path)).collect(),
                (None, None) => Vec::new(),
            },
            ignore: match (&self.ignore, from_file.ignore) {
                (Some(given), _) => globs(given),
                (None, from_file) => from_file.unwrap_or_default(),
            },
            gitignore: self
                .no_gitignore
                .map(|no| !no)
                .or(from_file.gitignore)
                .unwrap_or(true),
            poll: match (self.poll, from_file.poll) {
                (Some(typed), _) => Some(typed),
                (None, Some(SwitchOr::Value(interval))) => Some(interval),
                (None, Some(SwitchOr::Switch(true))) => Some(DEFAULT_POLL),
                (None, Some(SwitchOr::Switch(false)) | None) => None,
            },
        }
    }
}

/// What the file says; without a file, nothing.
#[derive(Clone, Copy)]
struct Settings<'a> {
    file: Option<&'a ConfigFile>,
}

impl Settings<'_> {
    fn top(self) -> file::Settings {
        self.file
            .map(|file| file.settings.clone())
            .unwrap_or_default()
    }

    fn serve(self) -> file::Serve {
        self.top().serve
    }

    fn proxy(self) -> file::Proxy {
        self.top().proxy
    }

    fn rules(self) -> Arc<LiveRules> {
        let file::Settings {
            headers, redirects, ..
        } = self.top();
        Arc::new(LiveRules::new(Rules { headers, redirects }))
    }

    /// A path of the file, relative to the working directory.
    fn path(self, path: &Path) -> PathBuf {
        self.file
            .map_or_else(|| path.to_owned(), |file| file.path(path))
    }

    fn folder(self) -> PathBuf {
        self.file
            .map_or_else(|| PathBuf::from("."), ConfigFile::folder)
    }

    fn mounts(self) -> Vec<config::Mount> {
        let mut mounts = self.serve().mounts.unwrap_or_default();
        for mount in &mut mounts {
            mount.dir = self.path(&mount.dir);
        }
        mounts
    }

    fn routes(self) -> anyhow::Result<Vec<config::Route>> {
        let proxied = self.serve().proxy.unwrap_or_default();
        let routes = proxied.iter().map(|one| one.route(&self.folder()));
        routes
            .map(|route| route.map_err(|why| anyhow!(why)))
            .collect()
    }

    /// The URL of the backend, and its command with the working directory.
    #[expect(clippy::type_complexity, reason = "it is taken apart at once")]
    fn backend(
        self,
    ) -> anyhow::Result<(
        Option<crate::upstream::Target>,
        Option<(Vec<OsString>, PathBuf)>,
    )> {
        let file::Proxy { url, command, .. } = self.proxy();
        let url = url.map(|url| url.target(&self.folder())).transpose();
        let command = command.map(|args| args.into_iter().map(OsString::from).collect());
        Ok((
            url.map_err(|why| anyhow!(why))?,
            command.map(|args| (args, self.folder())),
        ))
    }
}

#[cfg(test)]
mod tests;
