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
use crate::config::{self, Build, Output, Proxy, Serve, Server, Watched};
use crate::files::Compress;
use crate::listen::{DEFAULT_PORT, Host, Ports};
use crate::rules::{LiveRules, Rules};

/// The page of `spa = true`.
pub(super) const SPA_PAGE: &str = "index.html";

const DEFAULT_START_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What was typed cannot be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsageError(pub(crate) String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

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
            None => Output::default(),
        }
    }

    fn shared(&self) -> Option<&SharedArgs> {
        match &self.command {
            None => Some(&self.serve.shared),
            Some(Command::Serve(args)) => Some(&args.shared),
            Some(Command::Proxy(args)) => Some(&args.shared),
            Some(Command::Init) => None,
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
            server: self.shared.server(file),
            watched: self.shared.watched(file),
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
        let typed = self.url.is_some() || self.command.is_some();
        let (url, command) = match typed {
            true => (
                self.url.clone(),
                self.command.clone().map(|args| (args, PathBuf::from("."))),
            ),
            false => settings.backend()?,
        };
        if url.is_none() && command.is_none() {
            return Err(UsageError(
                "give the URL of the backend, or a command that runs it, or set `url` or `command` in [proxy] of a \
                 tidings.toml\n\n  tidings proxy http://localhost:8000\n  tidings proxy -- python app.py"
                    .to_owned(),
            )
            .into());
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
            return Err(UsageError(format!(
                "{flag} is for a backend that tidings runs: give its command after --"
            ))
            .into());
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
            server: self.shared.server(file),
            watched,
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

    fn server(&self, file: Option<&ConfigFile>) -> Server {
        let from_file = Settings { file }.top();
        let port = self.port.or(from_file.port);
        let strict_port = self.strict_port.or(from_file.strict_port);
        Server {
            config_file: file.map(|file| file.shown.clone()),
            host: match (&self.host, from_file.host) {
                (Some(typed), _) => typed.clone(),
                (None, Some(SwitchOr::Value(host))) => host,
                (None, Some(SwitchOr::Switch(true))) => Host::Address(ALL_ADDRESSES.into()),
                (None, Some(SwitchOr::Switch(false)) | None) => Host::Localhost,
            },
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
mod tests {
    use clap::Parser;

    use super::*;

    /// The file is in the folder above.
    fn file(text: &str) -> ConfigFile {
        ConfigFile::of_text_in("..", text)
    }

    #[track_caller]
    fn serve(arguments: &[&str], text: &str) -> Serve {
        let cli = Cli::parse_from(["tidings"].iter().chain(arguments));
        cli.serve.config(Some(&file(text))).unwrap()
    }

    #[track_caller]
    fn proxy(arguments: &[&str], text: &str) -> Proxy {
        let arguments = ["tidings", "proxy"].iter().chain(arguments);
        let Some(Command::Proxy(args)) = Cli::parse_from(arguments).command else {
            panic!("another command");
        };
        args.config(Some(&file(text))).unwrap()
    }

    fn typed(command: &Option<config::Command>) -> String {
        let args = command.iter().flat_map(|command| &command.args);
        let args: Vec<_> = args.map(|arg| arg.to_string_lossy()).collect();
        args.join(" ")
    }

    #[test]
    fn without_anything_the_defaults_count() {
        let config = serve(&[], "");
        assert_eq!(config.dir, Path::new("."));
        assert_eq!(config.server.ports, Ports::From(8080));
        assert_eq!(config.server.host, Host::Localhost);
        assert!(config.watched.gitignore && config.listing && !config.follow_symlinks);
        assert_eq!((config.server.open, config.spa), (None, None));
        let config = proxy(&["--", "x"], "");
        let command = config.command.unwrap();
        assert_eq!(command.restart, [Path::new(".")]);
        assert_eq!(command.start_timeout, Duration::from_secs(30));
        assert_eq!(command.stop_timeout, Duration::from_secs(5));
        assert_eq!(command.stop_signal, Signal::Term);
    }

    #[test]
    fn the_file_says_everything_that_flags_can_say() {
        let config = serve(
            &[],
            r#"
            port = 3000
            host = true
            allow-host = ["a.test"]
            open = "/x"
            watch = ["w"]
            ignore = ["*.log", "a,b"]
            gitignore = false
            quiet = true
            json = true
            [serve]
            dir = "public"
            mounts = { "/docs/" = "docs/html" }
            proxy = { "/api/" = "unix:run/app.sock" }
            spa = "app.html"
            follow-symlinks = true
            listing = false
            compress = "never"
            "#,
        );
        assert_eq!(config.server.ports, Ports::Exactly(3000));
        assert_eq!(config.server.host, Host::Address(ALL_ADDRESSES.into()));
        assert_eq!(config.server.allowed_hosts, ["a.test"]);
        assert_eq!(config.server.open.as_deref(), Some("/x"));
        assert_eq!(config.watched.paths, [Path::new("../w")]);
        assert_eq!(config.watched.ignore, ["*.log", "a,b"]);
        assert!(!config.watched.gitignore);
        assert_eq!(
            config.output,
            Output {
                quiet: true,
                json: true
            }
        );
        assert_eq!(config.dir, Path::new("../public"));
        assert_eq!(config.mounts[0].prefix, "/docs");
        assert_eq!(config.mounts[0].dir, Path::new("../docs/html"));
        assert_eq!(config.proxy[0].prefix, "/api");
        #[cfg(unix)]
        assert_eq!(
            config.proxy[0].target,
            "unix:../run/app.sock".parse().unwrap()
        );
        assert_eq!(config.spa.as_deref(), Some("app.html"));
        assert!(config.follow_symlinks && !config.listing);
        assert_eq!(config.compress, Compress::Never);

        let config = proxy(
            &[],
            r#"
            strict-port = true
            [proxy]
            url = "http://localhost:8000"
            command = ["a", "{port}"]
            restart = ["app"]
            build = "make"
            health = "/healthz"
            start-timeout = 1.5
            stop-signal = "int"
            stop-timeout = 2
            change-host = true
            insecure = true
            "#,
        );
        assert_eq!(config.server.ports, Ports::Exactly(8080));
        assert_eq!(config.url, Some("http://localhost:8000".parse().unwrap()));
        assert!(config.change_host && config.insecure);
        assert_eq!(config.start_timeout, Duration::from_millis(1500));
        assert_eq!(
            config.command,
            Some(config::Command {
                args: vec!["a".into(), "{port}".into()],
                dir: "..".into(),
                restart: vec!["../app".into()],
                build: Some(Build {
                    command: "make".to_owned(),
                    dir: "..".into()
                }),
                health: Some("/healthz".to_owned()),
                start_timeout: Duration::from_millis(1500),
                stop_signal: Signal::Int,
                stop_timeout: Duration::from_secs(2),
            })
        );
    }

    #[test]
    fn what_is_typed_beats_the_file() {
        let text = r#"
            port = 3000
            host = "192.0.2.1"
            open = true
            watch = ["w"]
            ignore = ["a"]
            [serve]
            dir = "public"
            spa = true
            compress = "never"
            "#;
        let arguments = [
            "site",
            "--port",
            "1",
            "--host",
            "::1",
            "--no-open",
            "--watch",
            "x",
            "--ignore",
            "b",
            "--spa",
            "s.html",
            "--compress",
            "always",
        ];
        let config = serve(&arguments, text);
        assert_eq!(config.dir, Path::new("site"));
        assert_eq!(config.server.ports, Ports::Exactly(1));
        assert_eq!(config.server.host, "::1".parse().unwrap());
        assert_eq!(config.server.open, None);
        assert_eq!(config.watched.paths, [Path::new("x")]);
        assert_eq!(config.watched.ignore, ["b"]);
        assert_eq!(config.spa.as_deref(), Some("s.html"));
        assert_eq!(config.compress, Compress::Always);
    }

    #[test]
    fn a_backend_that_is_typed_is_meant_alone() {
        let text = "[proxy]\nurl = \"http://localhost:1\"\ncommand = [\"c\"]\nbuild = \"b\"";
        let url = |port: u16| Some(format!("http://localhost:{port}").parse().unwrap());
        let config = proxy(&[], text);
        assert_eq!(
            (config.url, typed(&config.command)),
            (url(1), "c".to_owned())
        );
        let config = proxy(&["http://localhost:2"], text);
        assert_eq!((config.url, config.command), (url(2), None));
        let config = proxy(&["--", "d", "-x"], text);
        assert_eq!(
            (&config.url, typed(&config.command)),
            (&None, "d -x".to_owned())
        );
        // It runs where it was typed; what the file builds is built where the file is.
        let command = config.command.unwrap();
        assert_eq!(command.dir, Path::new("."));
        assert_eq!(command.restart, [Path::new(".")]);
        assert_eq!(command.build.unwrap().dir, Path::new(".."));
    }

    #[test]
    fn what_is_watched_for_the_pages_restarts_the_command_only_if_that_is_said() {
        let restart = |arguments: &[&str]| proxy(arguments, "").command.unwrap().restart;
        assert_eq!(restart(&["--", "c"]), [Path::new(".")]);
        assert_eq!(restart(&["--watch", "app", "--", "c"]), [Path::new(".")]);
        for same in [".", "./"] {
            assert!(restart(&["--watch", same, "--", "c"]).is_empty());
        }
        let both = restart(&["--watch", ".", "--restart", ".", "--", "c"]);
        assert_eq!(both, [Path::new(".")]);
    }

    #[test]
    fn a_list_may_be_empty() {
        let config = proxy(&[], "[proxy]\ncommand = [\"c\"]\nrestart = []");
        assert_eq!(config.command.unwrap().restart, [""; 0].map(PathBuf::from));
    }
}
