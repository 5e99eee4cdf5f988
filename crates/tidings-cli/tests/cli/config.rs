//! `tidings.toml`: which file is used, what counts more, mistakes in it, and changes of it.

use std::io::{BufRead, Write};
use std::process::Command;

use serde_json::Value;

use super::support::program::until;
use super::{Folder, Server, Stream, ask, finished, get, tidings};

/// The program in a folder below `root`.
fn tidings_in(folder: &Folder, below: &str) -> Command {
    let mut command = tidings();
    command.current_dir(folder.path(below)).arg("--json");
    // The port of the tests, unless the file or a flag says otherwise.
    command.env("TIDINGS_PORT", "0");
    command
}

/// The line that says where it listens.
fn banner(server: &Server) -> Value {
    serde_json::from_str(&server.first).unwrap()
}

#[test]
fn the_file_is_found_upwards_and_its_paths_are_relative_to_it() {
    let folder = Folder::new(&[
        ("tidings.toml", "[serve]\ndir = \"public\""),
        ("public/a.txt", "a"),
        ("src/deep/x", ""),
    ]);
    for (below, dir, file) in [
        ("", "public", "tidings.toml"),
        ("src/deep", "../../public", "../../tidings.toml"),
    ] {
        let server = Server::run(&mut tidings_in(&folder, below));
        assert_eq!(get(server.port, "/a.txt").text(), "a");
        assert_eq!(banner(&server)["dir"], dir);
        assert_eq!(banner(&server)["config"], file);
    }
}

#[test]
fn the_banner_says_which_file_is_used() {
    let folder = Folder::new(&[("tidings.toml", "port = 0")]);
    let server = Server::run(tidings().current_dir(folder.root()));
    assert!(server.out.next().unwrap().starts_with("serving . "));
    assert_eq!(server.out.next().unwrap(), "settings from tidings.toml");
}

#[test]
fn another_file_can_be_named_or_none() {
    let folder = Folder::new(&[
        ("tidings.toml", "[serve]\ndir = \"a\""),
        ("etc/dev.toml", "[serve]\ndir = \"../b\""),
        ("a/which.txt", "a"),
        ("b/which.txt", "b"),
        ("which.txt", "neither"),
    ]);
    let served = |command: &mut Command| {
        let server = Server::run(command);
        get(server.port, "/which.txt").text()
    };
    let named = ["--config", "etc/dev.toml"];
    assert_eq!(served(&mut tidings_in(&folder, "")), "a");
    assert_eq!(served(tidings_in(&folder, "").args(named)), "b");
    assert_eq!(
        served(tidings_in(&folder, "").env("TIDINGS_CONFIG", named[1])),
        "b"
    );
    assert_eq!(
        served(tidings_in(&folder, "").arg("--no-config")),
        "neither"
    );
    assert_eq!(
        served(
            tidings_in(&folder, "")
                .arg("--no-config")
                .env("TIDINGS_CONFIG", named[1])
        ),
        "neither"
    );
    let ended = finished(tidings_in(&folder, "").args(["--config", "no/such.toml"]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("cannot read no/such.toml"), "{ended:?}");
}

#[test]
fn a_flag_beats_a_variable_which_beats_the_file() {
    let folder = Folder::new(&[("tidings.toml", "[serve]\nlisting = false")]);
    let status = |command: &mut Command| {
        let server = Server::run(command);
        get(server.port, "/").status
    };
    assert_eq!(status(&mut tidings_in(&folder, "")), 404);
    let variable = ["TIDINGS_NO_LISTING", "0"];
    assert_eq!(
        status(tidings_in(&folder, "").env(variable[0], variable[1])),
        200
    );
    assert_eq!(
        status(
            tidings_in(&folder, "")
                .env(variable[0], variable[1])
                .arg("--no-listing")
        ),
        404
    );
}

#[test]
fn a_switch_of_the_file_is_turned_off_by_its_variable() {
    let folder = Folder::new(&[("tidings.toml", "json = true\nport = 0")]);
    let mut command = tidings();
    command.current_dir(folder.root());
    assert!(Server::run(&mut command).first.starts_with('{'));
    let plain = Server::run(command.env("TIDINGS_JSON", "0"));
    assert!(plain.first.starts_with("http://"), "{}", plain.first);
}

#[test]
fn a_mistake_in_the_file_is_named_with_its_place_and_a_suggestion() {
    let folder = Folder::new(&[("tidings.toml", "port = 0\n\n[serve]\ndri = \"x\"\n")]);
    let ended = finished(tidings().current_dir(folder.root()));
    assert_eq!(ended.code, Some(1));
    assert_eq!(
        ended.err,
        "error: tidings.toml:4:1: unknown key `dri` in [serve]\n  4 | dri = \"x\"\n    | ^^^\nhint: did you mean `dir`?\n"
    );
    assert_eq!(ended.out, "");
}

#[test]
fn a_bare_tidings_does_what_the_file_says_and_a_folder_is_still_served() {
    let folder = Folder::new(&[("tidings.toml", "run = \"proxy\""), ("a/a.txt", "a")]);
    // There is no backend to be run.
    let ended = finished(&mut tidings_in(&folder, ""));
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("URL of the backend"), "{ended:?}");
    let server = Server::run(tidings_in(&folder, "").arg("a"));
    assert_eq!(get(server.port, "/a.txt").text(), "a");
    let mut serve = tidings();
    serve
        .current_dir(folder.root())
        .args(["serve", "--port", "0"]);
    let server = Server::run(&mut serve);
    assert_eq!(get(server.port, "/a/a.txt").text(), "a");
}

/// In `/tmp` anybody can put a file that names a command.
#[test]
#[cfg(unix)]
fn a_file_of_another_user_in_a_folder_above_is_not_used() {
    let folder = Folder::new(&[
        ("tidings.toml", "[serve]\ndir = \"x\""),
        ("mine/a.txt", "a"),
    ]);
    let file = folder.path("tidings.toml");
    if std::os::unix::fs::chown(&file, Some(65_534), None).is_err() {
        eprintln!("SKIPPED: only the administrator can give a file away");
        return;
    }
    let server = Server::run(&mut tidings_in(&folder, "mine"));
    assert_eq!(get(server.port, "/a.txt").text(), "a");
    let warning: Value = serde_json::from_str(&server.err.next().unwrap()).unwrap();
    let message = warning["message"].as_str().unwrap();
    assert!(message.contains("../tidings.toml is not used"), "{message}");
    // It is used if it is named, or where everything is that user's.
    let ended = finished(tidings_in(&folder, "mine").args(["--config", "../tidings.toml"]));
    assert!(ended.err.contains("cannot serve ../x"), "{ended:?}");
    std::os::unix::fs::chown(folder.path("mine"), Some(65_534), None).unwrap();
    let ended = finished(&mut tidings_in(&folder, "mine"));
    assert!(ended.err.contains("cannot serve ../x"), "{ended:?}");
}

const RULES: &str = r#"
[[headers]]
path = "/**"
set = { "X-Robots-Tag" = "noindex", "Cache-Control" = "max-age=60" }

[[headers]]
path = "/sub/*.html"
preset = "cross-origin-isolated"

[[redirects]]
from = "/old/*"
to = "/new/:splat"

[[redirects]]
from = "/@tidings/*"
to = "/elsewhere"
"#;

#[test]
fn headers_are_set_by_path_and_never_on_our_own_resources() {
    let folder = Folder::new(&[
        ("tidings.toml", RULES),
        ("sub/a.html", "<p>"),
        ("a.txt", "a"),
    ]);
    let server = Server::run(&mut tidings_in(&folder, ""));
    let page = get(server.port, "/sub/a.html");
    assert_eq!(page.header("x-robots-tag"), Some("noindex"));
    assert_eq!(page.header("cache-control"), Some("max-age=60"));
    assert_eq!(
        page.header("cross-origin-opener-policy"),
        Some("same-origin")
    );
    assert_eq!(
        page.header("cross-origin-embedder-policy"),
        Some("require-corp")
    );
    let missing = get(server.port, "/missing");
    assert_eq!(
        (missing.status, missing.header("x-robots-tag")),
        (404, Some("noindex"))
    );
    assert_eq!(missing.header("cross-origin-opener-policy"), None);
    let script = get(server.port, "/@tidings/client.js");
    assert_eq!((script.status, script.header("x-robots-tag")), (200, None));
}

#[test]
fn a_redirect_takes_the_rest_of_the_path_along_but_never_another_host() {
    let folder = Folder::new(&[("tidings.toml", RULES)]);
    let server = Server::run(&mut tidings_in(&folder, ""));
    let redirect = get(server.port, "/old/a%20b/c?d=e");
    assert_eq!(redirect.status, 302);
    assert_eq!(redirect.header("location"), Some("/new/a%20b/c?d=e"));
    assert_eq!(redirect.header("x-robots-tag"), Some("noindex"));
    let redirect = get(server.port, "/old//evil.example");
    assert_eq!(redirect.header("location"), Some("/new//evil.example"));
    // Whatever the method.
    assert_eq!(ask(server.port, "POST", "/old/a", &[]).status, 302);
}

#[test]
fn a_folder_can_be_mounted_under_a_path_of_its_own() {
    let folder = Folder::new(&[
        (
            "tidings.toml",
            "[serve]\ndir = \"public\"\nmounts = { \"/docs\" = \"docs/html\", \"/docs/api\" = \"api\" }",
        ),
        ("public/index.html", "<p>site"),
        ("public/docs-old.html", "<p>old"),
        ("public/docs/hidden.html", "<p>hidden"),
        ("docs/html/index.html", "<p>docs"),
        ("docs/html/sub/a.txt", "a"),
        ("docs/html/with-index/index.html", "<p>with"),
        ("docs/conf.py", "secret"),
        ("api/b.txt", "b"),
    ]);
    let server = Server::run(&mut tidings_in(&folder, ""));
    let text = |path: &str| get(server.port, path).text();
    assert!(text("/").contains("<p>site"));
    assert!(text("/docs/").contains("<p>docs"));
    assert_eq!(text("/docs/sub/a.txt"), "a");
    assert_eq!(text("/docs/api/b.txt"), "b");
    // Only whole segments count.
    assert!(text("/docs-old").contains("<p>old"));
    let redirect = |path: &str| get(server.port, path).header("location").map(str::to_owned);
    assert_eq!(redirect("/docs?q").as_deref(), Some("/docs/?q"));
    assert_eq!(
        redirect("/docs/with-index").as_deref(),
        Some("/docs/with-index/")
    );
    assert_eq!(
        redirect("/docs//sub//a.txt").as_deref(),
        Some("/docs/sub/a.txt")
    );
    // The mount takes the place of the folder, and nothing around it is served.
    for path in [
        "/docs/hidden.html",
        "/docs/../conf.py",
        "/docs/%2e%2e/conf.py",
        "/docs/..%2fconf.py",
    ] {
        assert_eq!(get(server.port, path).status, 404, "{path}");
    }
    let listing = text("/docs/sub/");
    assert!(listing.contains("href=\"/docs/sub/\""), "{listing}");
    assert_eq!(ask(server.port, "OPTIONS", "*", &[]).status, 204);
    // A change has the address under which the file is served.
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    folder.save("docs/html/sub/a.txt", "other");
    let (_, said) = stream.change();
    assert_eq!(said["changes"][0]["path"], "/docs/sub/a.txt");
    let page = ask(
        server.port,
        "GET",
        "/docs/",
        &["Accept: text/html", "Sec-Fetch-Mode: navigate"],
    );
    assert!(page.text().contains("/docs/index.html"), "{}", page.text());
}

#[test]
fn a_file_that_is_served_twice_changes_under_both_addresses() {
    let folder = Folder::new(&[
        ("tidings.toml", "[serve]\nmounts = { \"/d\" = \"docs\" }"),
        ("docs/a.txt", "a"),
    ]);
    let server = Server::run(&mut tidings_in(&folder, ""));
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    folder.save("docs/a.txt", "b");
    let (_, said) = stream.change();
    let paths = said["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| &change["path"]);
    assert_eq!(paths.collect::<Vec<_>>(), ["/d/a.txt", "/docs/a.txt"]);
}

/// A backend that answers every request with this page, and with its own path as a header.
fn backend(page: &'static str) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut request = std::io::BufReader::new(socket.try_clone().unwrap());
            let mut first = String::new();
            let _ = request.read_line(&mut first);
            let path = first.split(' ').nth(1).unwrap_or_default();
            let _ = write!(
                socket,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nX-Path: {path}\r\n\
                 X-Robots-Tag: all\r\nConnection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    port
}

#[test]
fn the_same_rules_count_for_a_backend() {
    let port = backend("<p>");
    let text = format!("run = \"proxy\"\n[proxy]\nurl = \"http://127.0.0.1:{port}\"\n{RULES}");
    let folder = Folder::new(&[("tidings.toml", &text)]);
    let server = Server::run(&mut tidings_in(&folder, ""));
    assert_eq!(banner(&server)["config"], "tidings.toml");
    let page = get(server.port, "/sub/a.html");
    assert_eq!(page.header("x-path"), Some("/sub/a.html"));
    assert_eq!(page.header("x-robots-tag"), Some("noindex"));
    assert_eq!(
        page.header("cross-origin-embedder-policy"),
        Some("require-corp")
    );
    let redirect = get(server.port, "/old/a?b");
    assert_eq!((redirect.status, redirect.header("x-path")), (302, None));
    assert_eq!(redirect.header("location"), Some("/new/a?b"));
    let script = get(server.port, "/@tidings/client.js");
    assert_eq!((script.status, script.header("x-robots-tag")), (200, None));
}

#[test]
fn a_policy_that_a_rule_sets_allows_the_script_that_is_added() {
    let port = backend("<p>");
    let folder = Folder::new(&[(
        "tidings.toml",
        "[[headers]]\npath = \"/**\"\nset = { Content-Security-Policy = \"default-src 'none'\" }",
    )]);
    let mut command = tidings();
    command
        .current_dir(folder.root())
        .args(["proxy", "--port", "0"]);
    let server = Server::run(command.arg(format!("http://127.0.0.1:{port}")));
    let headers = [
        "Accept: text/html",
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Dest: document",
    ];
    let page = ask(server.port, "GET", "/", &headers);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("/@tidings/"), "{policy}");
    assert!(page.text().contains("/@tidings/client.js"));
}

#[test]
fn a_changed_rule_counts_at_once_and_a_mistake_changes_nothing() {
    let folder = Folder::new(&[("tidings.toml", ""), ("a.txt", "a")]);
    let server = Server::run(&mut tidings_in(&folder, ""));
    let tag = || {
        get(server.port, "/a.txt")
            .header("x-tag")
            .map(str::to_owned)
    };
    let rule =
        |value: &str| format!("[[headers]]\npath = \"/**\"\nset = {{ X-Tag = \"{value}\" }}\n");
    let event = |name: &str| {
        until(|| {
            let line: Value = serde_json::from_str(&server.out.next().unwrap()).unwrap();
            (line["event"] == name).then_some(line)
        })
        .unwrap()
    };
    assert_eq!(tag(), None);
    folder.save("tidings.toml", rule("one"));
    assert_eq!(event("reconfigured")["applied"][0], "headers");
    assert_eq!(tag().as_deref(), Some("one"));
    folder.save("tidings.toml", "prot = 1");
    let warning: Value = serde_json::from_str(&server.err.next().unwrap()).unwrap();
    assert!(
        warning["message"]
            .as_str()
            .unwrap()
            .contains("tidings.toml:1:1"),
        "{warning}"
    );
    assert!(
        warning["hint"].as_str().unwrap().contains("stay in use"),
        "{warning}"
    );
    assert_eq!(tag().as_deref(), Some("one"));
    folder.save("tidings.toml", rule("two"));
    event("reconfigured");
    assert_eq!(tag().as_deref(), Some("two"));
}

#[test]
fn what_needs_a_restart_is_said_by_name() {
    let folder = Folder::new(&[("tidings.toml", "port = 0"), ("b/x", "")]);
    let server = Server::run(tidings().current_dir(folder.root()));
    server.out.next().unwrap();
    server.out.next().unwrap();
    folder.save(
        "tidings.toml",
        "port = 1\nignore = [\"*.log\"]\n[serve]\ndir = \"b\"\n",
    );
    let expected = "tidings.toml -> port, ignore, dir changed: restart tidings to use it";
    until(|| (server.out.next().unwrap() == expected).then_some(())).unwrap();
    assert_eq!(get(server.port, "/b/x").status, 200);
}

/// A setting that a flag decides is not changed by the file.
#[test]
fn what_a_flag_decides_needs_no_restart() {
    let folder = Folder::new(&[("tidings.toml", ""), ("a.txt", "a")]);
    let server = Server::run(tidings_in(&folder, "").args(["--port", "0"]));
    folder.save(
        "tidings.toml",
        "port = 1234\n[[redirects]]\nfrom = \"/a.txt\"\nto = \"/b.txt\"\n",
    );
    let line = until(|| {
        let line: Value = serde_json::from_str(&server.out.next().unwrap()).unwrap();
        (line["event"] == "reconfigured").then_some(line)
    });
    let line = line.unwrap();
    assert_eq!(line["applied"], serde_json::json!(["redirects"]), "{line}");
    assert_eq!(line["restart"], serde_json::json!([]), "{line}");
}

#[test]
fn init_writes_a_file_that_is_used_and_never_overwrites_one() {
    let folder = Folder::new(&[("public/index.html", "<p>hello"), ("package.json", "{}")]);
    let ended = finished(tidings().arg("init").current_dir(folder.root()));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("tidings.toml written for"), "{ended:?}");
    assert!(ended.out.ends_with("start it with: tidings\n"), "{ended:?}");
    let server = Server::run(&mut tidings_in(&folder, ""));
    assert!(get(server.port, "/").text().contains("hello"));
    folder.save("tidings.toml", "# mine");
    let ended = finished(tidings().arg("init").current_dir(folder.root()));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("cannot write tidings.toml"), "{ended:?}");
    let text = std::fs::read_to_string(folder.path("tidings.toml")).unwrap();
    assert_eq!(text, "# mine");
}
