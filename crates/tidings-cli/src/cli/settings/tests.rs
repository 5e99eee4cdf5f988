use clap::Parser;
use tidings::reload::ReloadMode;

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
        poll = 250
        reload = "patch"
        restore = false
        badge = true
        forward-console = false
        lan = true
        cert = "c.pem"
        key = "k.pem"
        slow = "500,20"
        stdin-quit = true
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
    assert_eq!(config.watched.poll, Some(Duration::from_millis(250)));
    assert_eq!(
        config.pages,
        Pages {
            reload: ReloadMode::Patch,
            restore: false,
            badge: true,
            forward_console: false,
        }
    );
    assert!(config.server.lan && config.server.stdin_quit);
    assert_eq!(
        config.server.tls,
        Some(Tls::Files {
            cert: "../c.pem".into(),
            key: "../k.pem".into()
        })
    );
    assert_eq!(config.server.slow, "500,20".parse().ok());
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
        poll = true
        https = true
        json = true
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
    assert_eq!(config.watched.poll, Some(DEFAULT_POLL));
    assert_eq!(config.server.tls, Some(Tls::Local));
    assert!(config.pages.forward_console, "programs want all there is");
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

#[test]
fn what_is_wrong_in_the_file_is_not_blamed_on_a_flag() {
    for (text, expected) in [
        ("cert = \"x.pem\"", "`cert` needs `key`"),
        ("key = \"x.pem\"", "`key` needs `cert`"),
        ("lan = true\nhost = \"127.0.0.1\"", "`lan` needs an address"),
    ] {
        let cli = Cli::parse_from(["tidings"]);
        let error = cli.serve.config(Some(&file(text))).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.is::<UsageError>(), "{error}");
    }
    let config = serve(&["--host", "localhost"], "lan = true");
    assert!(!config.server.lan, "who types it means this machine only");
}
