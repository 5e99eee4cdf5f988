//! What is typed: flags, variables, mistakes.

use super::{Folder, Server, finished, get, tidings};

/// Exit code 1, `error: ..` with this in it, and a hint; nothing on standard output.
#[track_caller]
fn fails(folder: &Folder, arguments: &[&str], with: &str) {
    let ended = finished(
        tidings()
            .args(["--port", "0"])
            .args(arguments)
            .current_dir(folder.root()),
    );
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let mut lines = ended.err.lines();
    let error = lines.next().unwrap();
    assert!(error.starts_with("error: "), "{ended:?}");
    assert!(error.contains(with), "{ended:?}");
    assert!(lines.next().unwrap().starts_with("hint: "), "{ended:?}");
    assert_eq!(ended.out, "");
}

/// Exit code 2, and the mistake is named.
#[track_caller]
fn is_misuse(arguments: &[&str], with: &str) {
    let ended = finished(tidings().args(arguments));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains(with), "{ended:?}");
    assert_eq!(ended.out, "");
}

#[test]
fn mistakes_in_the_command_line_exit_with_2_and_are_named() {
    is_misuse(&["--nope"], "--nope");
    is_misuse(&["--port", "many"], "many");
    is_misuse(&["--port", "65536"], "65536");
    is_misuse(&["--compress", "perhaps"], "perhaps");
    is_misuse(&["--host", "http://x"], "http://x");
    is_misuse(&["a", "b"], "'b'");
    is_misuse(&["--spa", "../x"], "../x");
    is_misuse(&["--spa", "/abs"], "/abs");
    is_misuse(&["--spa", "a/../../x"], "a/../../x");
    is_misuse(&["--proxy", "api=http://localhost:1"], "\"api\"");
    is_misuse(&["--proxy", "/api"], "/api=http://localhost:3000");
    is_misuse(&["proxy", "ftp://localhost:8000"], "http://, https://");
    is_misuse(&["proxy", "http://x", "--start-timeout", "5s"], "5s");
    is_misuse(&["proxy", "--health", "healthz", "--", "x"], "/healthz");
    is_misuse(&["proxy", "--stop-signal", "STOP", "--", "x"], "TERM");
    let serve = "Usage: tidings serve [OPTIONS]";
    is_misuse(&["--cert", "x.pem"], "--cert needs --key");
    is_misuse(&["serve", "--cert", "x.pem"], serve);
    let proxy = "Usage: tidings proxy [OPTIONS]";
    is_misuse(&["proxy", "--key", "x.pem", "http://x"], proxy);
    for host in ["localhost", "127.0.0.1", "::1"] {
        is_misuse(&["--lan", "--host", host], "leave out --host");
    }
}

#[test]
fn proxy_needs_a_backend_and_says_how_to_give_one() {
    is_misuse(&["proxy"], "tidings proxy http://localhost:8000");
    is_misuse(&["proxy"], "tidings proxy -- python app.py");
    is_misuse(&["proxy"], "Usage: tidings proxy");
    is_misuse(&["proxy", "--"], "tidings proxy http://localhost:8000");
}

#[test]
fn a_flag_about_a_command_needs_one() {
    for flag in [
        ["--restart", "src"],
        ["--build", "make"],
        ["--health", "/"],
        ["--stop-signal", "INT"],
        ["--stop-timeout", "1"],
    ] {
        let arguments = ["proxy", "http://localhost:8000", flag[0], flag[1]];
        is_misuse(
            &arguments,
            &format!("{} is for a backend that tidings runs", flag[0]),
        );
    }
}

#[test]
fn what_cannot_be_served_or_watched_exits_with_1_and_a_hint() {
    let folder = Folder::new(&[("a.html", "a")]);
    fails(
        &folder,
        &["nowhere"],
        "cannot serve nowhere: no such folder",
    );
    fails(&folder, &["a.html"], "cannot serve a.html: not a folder");
    fails(&folder, &["--watch", "no/such"], "no/such");
    fails(&folder, &["--ignore", "{a,b"], "{a,b");
}

#[test]
fn a_pattern_may_hold_commas_in_braces() {
    let folder = Folder::new(&[]);
    let server = Server::start(&folder, &["--ignore", "*.{tmp,log},*.bak"]);
    let mut stream = super::Stream::open(server.port, &[]);
    stream.event();
    for name in ["a.tmp", "a.log", "a.bak", "a.txt"] {
        folder.save(name, "a");
    }
    let (_, said) = stream.change();
    assert_eq!(said["changes"].as_array().unwrap().len(), 1, "{said}");
    assert_eq!(said["changes"][0]["path"], "/a.txt");
}

#[test]
fn the_page_of_an_app_need_not_exist_yet() {
    let folder = Folder::new(&[]);
    let server = Server::start(&folder, &["--spa", "app.html"]);
    let route = || {
        let accept = ["Accept: text/html", "Sec-Fetch-Mode: navigate"];
        super::ask(server.port, "GET", "/some/route", &accept)
    };
    assert_eq!(route().status, 404);
    folder.save("app.html", "<title>the app</title>");
    let answer = route();
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("<title>the app</title>"));
}

#[test]
fn the_version_is_the_packages() {
    let ended = finished(tidings().arg("--version"));
    let expected = format!("tidings {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((ended.code, ended.out), (Some(0), expected));
}

/// To be changed with the flags: `COLUMNS=100 tidings --help > crates/tidings-cli/tests/cli/help.txt`, and
/// `tidings proxy --help` likewise.
#[test]
fn the_help_is_the_one_in_help_txt() {
    for (arguments, expected) in [
        (&["--help"][..], include_str!("help.txt")),
        (&["proxy", "--help"], include_str!("help-proxy.txt")),
    ] {
        let ended = finished(tidings().args(arguments).env("COLUMNS", "100"));
        assert_eq!(ended.code, Some(0));
        assert_eq!(ended.out, expected, "{arguments:?}");
    }
}

#[test]
fn a_flag_can_be_a_variable_and_wins_over_it() {
    let folder = Folder::new(&[("a.txt", "a")]);
    // Two ports that were free a moment ago.
    let [one, other] = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let [one, other] = [one, other].map(|socket| socket.local_addr().unwrap().port());
    let port = one.to_string();
    let mut command = tidings();
    command.arg(folder.root()).env("TIDINGS_PORT", &port);
    let server = Server::run(&mut command);
    assert_eq!(server.port, one);
    let server = Server::run(command.args(["--port", &other.to_string()]));
    assert_eq!(server.port, other);
    assert_eq!(get(server.port, "/a.txt").text(), "a");
}

#[test]
fn a_flag_that_says_no_wins_over_the_variable() {
    let folder = Folder::new(&[]);
    let mut command = tidings();
    command
        .arg(folder.root())
        .args(["--port", "0", "--no-open"]);
    // Opening it would fail with a warning, or open a browser.
    let server = Server::run(command.env("TIDINGS_OPEN", "/").env("PATH", ""));
    server.stop();
    let mut command = tidings();
    command
        .arg(folder.root())
        .args(["--port", "0", "--no-config"]);
    Server::run(command.env("TIDINGS_CONFIG", "no/such.toml"));
}

#[test]
fn a_switch_given_as_a_variable_is_on_for_1_and_off_for_0() {
    let folder = Folder::new(&[]);
    for (value, quiet) in [("1", true), ("true", true), ("0", false), ("", false)] {
        let mut command = tidings();
        command.arg(folder.root()).args(["--port", "0"]);
        let server = Server::run(command.env("TIDINGS_JSON", value));
        assert_eq!(server.first.starts_with('{'), quiet, "{value:?}");
    }
}
