//! `wait`, `why`, `completions` and `man`, and how programs find a server.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::http::post;
use super::support::program::{Finished, until};
use super::{Folder, Server, ask, finished, tidings};

/// A place of its own for the files of servers.
struct Place(Folder);

impl Place {
    fn new() -> Place {
        Place(Folder::new(&[]))
    }

    fn tidings(&self, working_dir: &Path) -> Command {
        let mut command = tidings();
        command.env("XDG_RUNTIME_DIR", self.0.root());
        command.env("TMPDIR", self.0.root());
        command.current_dir(working_dir);
        command
    }

    fn serve(&self, folder: &Folder, flags: &[&str]) -> Server {
        folder.settle();
        let mut command = self.tidings(folder.root());
        Server::run(command.args(["--port", "0"]).args(flags))
    }

    /// Runs a command in a folder.
    fn run(&self, working_dir: &Path, arguments: &[&str]) -> Finished {
        finished(self.tidings(working_dir).args(arguments))
    }

    fn files(&self) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(self.0.path("tidings"))
            .into_iter()
            .flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

#[test]
fn wait_finds_the_server_of_the_folder_and_its_file_goes_with_it() {
    let place = Place::new();
    let folder = Folder::new(&[("index.html", "<p>hi"), ("sub/a.css", "a{}")]);
    let none = place.run(folder.root(), &["wait"]);
    assert_eq!(none.code, Some(2), "{none:?}");
    assert!(
        none.err.contains("no server runs for this folder"),
        "{none:?}"
    );
    let mut server = place.serve(&folder, &[]);
    let [file] = &place.files()[..] else {
        panic!("one file: {:?}", place.files());
    };
    let mode = file.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    for dir in [folder.root(), &folder.path("sub")] {
        let waited = place.run(dir, &["wait"]);
        assert_eq!((waited.code, &*waited.out), (Some(0), "no page is open\n"));
    }
    let elsewhere = Folder::new(&[]);
    assert_eq!(place.run(elsewhere.root(), &["wait"]).code, Some(2));
    let url = format!("http://localhost:{}", server.port);
    let waited = place.run(elsewhere.root(), &["wait", "--url", &url]);
    assert_eq!(waited.code, Some(0), "{waited:?}");
    // The same port of another machine.
    for host in ["staging.example", "203.0.113.9"] {
        let url = format!("http://{host}:{}", server.port);
        let waited = place.run(elsewhere.root(), &["wait", "--url", &url]);
        assert_eq!(waited.code, Some(2), "{waited:?}");
        let expected = format!("no server of yours runs at http://{host}");
        assert!(waited.err.contains(&expected), "{waited:?}");
    }
    server.signal("TERM");
    server.end();
    assert!(place.files().is_empty(), "{:?}", place.files());
    // After a crash the file is left, and nobody takes it for a server.
    let server = place.serve(&folder, &[]);
    server.kill();
    assert_eq!(place.files().len(), 1);
    assert_eq!(place.run(folder.root(), &["wait"]).code, Some(2));
    assert!(place.files().is_empty(), "it is removed");
}

#[test]
fn a_folder_whose_name_is_not_utf_8_is_like_any_other() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let folder = Folder::new(&[]);
    let root = folder.root().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("index.html"), "<p>hi").unwrap();
    folder.settle();
    let _server = Server::run(place.tidings(&root).args(["--port", "0"]));
    assert_eq!(place.run(&root, &["wait"]).code, Some(0));
    let why = place.run(&root, &["why", "index.html", "--json"]);
    assert_eq!(why.code, Some(0), "{why:?}");
    let told: Value = serde_json::from_str(&why.out).unwrap();
    assert_eq!(told["counts"], true);
    assert!(told["server"].is_string(), "{told}");
}

#[test]
fn of_several_servers_the_nearest_is_meant_or_else_one_must_be_named() {
    let place = Place::new();
    let folder = Folder::new(&[("index.html", "<p>hi"), ("sub/a.css", "a{}")]);
    let _outer = place.serve(&folder, &[]);
    let _inner = place.serve(&folder, &["sub"]);
    // Both were started here.
    let several = place.run(folder.root(), &["wait"]);
    assert_eq!(several.code, Some(2), "{several:?}");
    assert!(several.err.contains("--url"), "{several:?}");
    assert_eq!(place.run(&folder.path("sub"), &["wait"]).code, Some(0));
}

#[test]
fn orders_need_post_the_token_and_the_same_origin() {
    let folder = Folder::new(&[("index.html", "<p>hi")]);
    let server = Server::start(&folder, &[]);
    for name in ["wait", "why"] {
        let path = format!("/@tidings/{name}");
        assert_eq!(post(server.port, &path, r#"{"timeout_ms":1}"#).status, 403);
        assert_eq!(super::get(server.port, &path).status, 405);
        let foreign = ask(server.port, "POST", &path, &["Origin: http://evil.example"]);
        assert_eq!(foreign.status, 403);
        let wrong = ask(
            server.port,
            "POST",
            &path,
            &["tidings-token: 00000000000000000000000000000000"],
        );
        assert_eq!(wrong.status, 403);
        // Nobody has asked for anything else that ends like it.
        let path = format!("/@tidings/x/{name}");
        assert_eq!(post(server.port, &path, "{}").status, 404);
    }
}

/// A page by hand, which never answers a roll call.
#[test]
fn a_page_that_does_not_answer_is_named_when_the_time_is_over() {
    let place = Place::new();
    let folder = Folder::new(&[("index.html", "<p>hi")]);
    let server = place.serve(&folder, &[]);
    let report = r#"{"page":"x","n":1,"at":"/index.html","did":"open"}"#;
    assert_eq!(post(server.port, "/@tidings/seen", report).status, 204);
    let waited = place.run(folder.root(), &["wait", "--timeout", "3", "--json"]);
    assert_eq!(waited.code, Some(3), "{waited:?}");
    let said: Value = serde_json::from_str(&waited.out).unwrap();
    let expected = json!({
        "event": "waited",
        "pages": 1,
        "unanswered": [{"page": 1, "path": "/index.html", "why": "silent"}],
    });
    assert_eq!(said, expected);
    // It need not be for ever.
    let forgotten = until(|| {
        let waited = place.run(folder.root(), &["wait", "--timeout", "0.2"]);
        (waited.code == Some(0)).then_some(())
    });
    forgotten.expect("it is forgotten");
}

#[test]
fn why_names_the_rule_with_and_without_a_server() {
    let place = Place::new();
    let folder = Folder::new(&[
        ("index.html", "<p>hi"),
        ("build/out.css", "a{}"),
        (".gitignore", "# made\nbuild/\n"),
        ("notes.log", "x"),
        ("tidings.toml", "ignore = [\"*.log\"]\n"),
    ]);
    std::fs::create_dir(folder.path(".git")).unwrap();
    let check = |server: bool| {
        let built = place.run(folder.root(), &["why", "build/out.css"]);
        assert_eq!(built.code, Some(1), "{built:?}");
        let expected = "build/out.css: a change of it does not count\n  \
             .      watched: it is named, or is the folder that is served\n  \
             build  not watched: .gitignore:2: build/\n";
        assert_eq!(built.out, expected);
        let log = place.run(folder.root(), &["why", "notes.log"]);
        assert!(log.out.contains("not watched: --ignore *.log"), "{log:?}");
        let page = place.run(folder.root(), &["why", "index.html"]);
        assert_eq!(page.code, Some(0), "{page:?}");
        assert!(
            page.out
                .contains("index.html  watched: no rule is about it"),
            "{page:?}"
        );
        let rest = match server {
            true => "no page is open\n",
            false => "no server runs for this folder\n",
        };
        assert!(page.out.ends_with(rest), "{page:?}");
        let hidden = place.run(folder.root(), &["why", ".git/HEAD"]);
        assert!(hidden.out.contains("it is a hidden name"), "{hidden:?}");
    };
    check(false);
    let _server = place.serve(&folder, &[]);
    check(true);
    let page = place.run(folder.root(), &["why", "build/out.css", "--json"]);
    let said: Value = serde_json::from_str(&page.out).unwrap();
    let gitignore = folder.path(".gitignore");
    let step = json!({"path": folder.path("build"), "ignored": true, "rule": "gitignore", "file": gitignore, "line": 2, "pattern": "build/"});
    assert_eq!((&said["counts"], &said["steps"][1]), (&json!(false), &step));
}

#[test]
fn why_says_by_its_exit_code_that_it_cannot_tell() {
    let place = Place::new();
    let folder = Folder::new(&[("index.html", "<p>hi"), ("wrong.toml", "nonsense = 1\n")]);
    let check = |command: &mut Command, error: &str| {
        let ended = finished(command);
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{ended:?}");
        assert!(ended.err.contains(error), "{ended:?}");
    };
    let why = || {
        let mut command = place.tidings(folder.root());
        command.args(["why", "index.html"]);
        command
    };
    let none = "no server of yours runs at http://localhost:1";
    check(why().args(["--url", "http://localhost:1"]), none);
    check(why().env("TIDINGS_IGNORE", "{a,b"), "{a,b");
    // As `tidings` alone would.
    check(why().env("TIDINGS_CONFIG", "wrong.toml"), "nonsense");
    folder.save("other.toml", "ignore = [\"*.html\"]\n");
    let ended = finished(why().env("TIDINGS_CONFIG", "other.toml"));
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

#[test]
fn wait_tells_of_the_pages_also_if_the_server_itself_is_late() {
    let place = Place::new();
    let folder = Folder::new(&[("index.html", "<p>hi")]);
    let server = place.serve(&folder, &[]);
    let report = r#"{"page":"x","n":1,"at":"/index.html","did":"open"}"#;
    assert_eq!(post(server.port, "/@tidings/seen", report).status, 204);
    let mut stream = super::Stream::open(server.port, &[]);
    stream.event();
    super::control::pause(server.port);
    assert_eq!(stream.event().1["paused"], 0);
    folder.save("index.html", "<p>ho");
    assert_eq!(stream.event().1["paused"], 1);
    let waited = place.run(folder.root(), &["wait", "--timeout", "0.2", "--json"]);
    assert_eq!(waited.code, Some(3), "{waited:?}");
    let said: Value = serde_json::from_str(&waited.out).unwrap();
    let expected = json!({"event": "waited", "pages": 1, "late": "paused"});
    assert_eq!(said, expected);
}

#[test]
fn a_server_that_does_not_answer_in_time_is_late_and_not_gone() {
    let place = Place::new();
    let folder = Folder::new(&[("index.html", "<p>hi")]);
    let server = place.serve(&folder, &[]);
    server.signal("STOP");
    let waited = place.run(folder.root(), &["wait", "--timeout", "0.1"]);
    assert_eq!(waited.code, Some(3), "{waited:?}");
    assert!(
        waited.err.contains("did not answer after 5.1 s"),
        "{waited:?}"
    );
    server.signal("CONT");
}

#[test]
fn completions_and_the_manual_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = finished(tidings().args(["completions", shell]));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        for word in ["proxy", "why", "stdin-quit"] {
            assert!(ended.out.contains(word), "{shell}: {word}");
        }
    }
    let main = finished(tidings().arg("man"));
    assert!(main.out.contains(".TH tidings 1"), "{}", main.out);
    for command in ["serve", "proxy", "wait", "why", "trust"] {
        let page = finished(tidings().args(["man", command]));
        assert_eq!(page.code, Some(0), "{page:?}");
        assert!(
            page.out.contains(&format!(".TH tidings-{command} 1")),
            "{}",
            page.out
        );
    }
    let none = finished(tidings().args(["man", "nonsense"]));
    assert_eq!(none.code, Some(1));
    assert!(
        none.err.contains("there is no command nonsense"),
        "{none:?}"
    );
}
