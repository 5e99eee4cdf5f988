//! What pages and programs may ask of the server, and who may.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::http::{Answer, send};
use super::support::program::{tidings, until};
use super::{Folder, Server, Stream};

pub const CONTROL: &str = "/@tidings/control";

fn folder() -> Folder {
    Folder::new(&[("index.html", "<title>t</title>"), ("a.css", "p {}")])
}

/// The page, as a browser asks for it.
fn page(port: u16) -> String {
    let headers = [
        "Accept: text/html",
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Dest: document",
    ];
    super::ask(port, "GET", "/", &headers).text()
}

/// The token that pages get.
#[track_caller]
pub fn token(port: u16) -> String {
    let page = page(port);
    let (_, rest) = page.split_once("data-token=\"").expect("a token");
    rest.split_once('"').unwrap().0.to_owned()
}

/// A request for control with these headers.
fn ask(port: u16, headers: &[&str], body: &str) -> Answer {
    ask_by(port, "POST", headers, body)
}

/// The same by any method.
pub fn ask_by(port: u16, method: &str, headers: &[&str], body: &str) -> Answer {
    let mut request = format!("{method} {CONTROL} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|line| line.starts_with("Host:")) {
        request += &format!("Host: localhost:{port}\r\n");
    }
    for line in headers {
        request += &format!("{line}\r\n");
    }
    request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    send(port, request.as_bytes())
}

/// As a page asks.
fn order(port: u16, order: &Value) -> Answer {
    let token = format!("tidings-token: {}", token(port));
    ask(
        port,
        &["Content-Type: application/json", &token],
        &order.to_string(),
    )
}

/// Holds changes.
#[track_caller]
pub fn pause(port: u16) {
    assert_eq!(order(port, &json!({"do": "pause"})).status, 204);
}

#[test]
fn control_takes_a_post_of_json_from_the_same_origin_with_the_token() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    let port = server.port;
    let token = format!("tidings-token: {}", token(port));
    let wrong = format!("tidings-token: {:032}", 0);
    let json = "Content-Type: application/json";
    let ours = format!("Origin: http://localhost:{port}");
    let pause = r#"{"do":"pause"}"#;
    for (name, headers, body, status) in [
        (
            "a form of another site",
            vec!["Content-Type: text/plain", &token],
            pause,
            415,
        ),
        ("no type", vec![&token], pause, 415),
        ("no token", vec![json], pause, 403),
        ("another token", vec![json, &wrong], pause, 403),
        ("a token that is cut", vec![json, &token[..40]], pause, 403),
        ("two tokens", vec![json, &token, &token], pause, 403),
        (
            "another site",
            vec![json, &token, "Sec-Fetch-Site: cross-site"],
            pause,
            403,
        ),
        (
            "another port",
            vec![json, &token, "Sec-Fetch-Site: same-site"],
            pause,
            403,
        ),
        (
            "another origin",
            vec![json, &token, "Origin: http://evil.test"],
            pause,
            403,
        ),
        (
            "a sandboxed frame",
            vec![json, &token, "Origin: null"],
            pause,
            403,
        ),
        (
            "a name that was rebound",
            vec![json, &token, "Host: evil.test"],
            pause,
            403,
        ),
        ("no order", vec![json, &token], "{}", 400),
        (
            "another order",
            vec![json, &token],
            r#"{"do":"run","command":"x"}"#,
            400,
        ),
        ("no JSON", vec![json, &token], "do=pause", 400),
    ] {
        assert_eq!(ask(port, &headers, body).status, status, "{name}");
    }
    let large = format!(r#"{{"do":"{}"}}"#, "x".repeat(10_000));
    assert_eq!(ask(port, &[json, &token], &large).status, 413);
    for method in ["GET", "PUT", "OPTIONS"] {
        assert_eq!(
            super::ask(port, method, CONTROL, &[&token]).status,
            405,
            "{method}"
        );
    }
    let mut stream = Stream::open(port, &[]);
    let (_, status) = stream.event();
    assert_eq!(status.get("paused"), None, "nothing of that had any effect");
    assert_eq!(ask(port, &[json, &token, &ours], pause).status, 204);
    assert_eq!(stream.event().1["paused"], 0);
    // Who reads the answer to a preflight request learns nothing either.
    let preflight = super::ask(port, "OPTIONS", CONTROL, &["Origin: http://evil.test"]);
    assert_eq!(preflight.header("access-control-allow-origin"), None);
}

#[test]
fn each_run_has_a_token_of_its_own() {
    let folder = folder();
    let tokens = [0, 1].map(|_| token(Server::start(&folder, &[]).port));
    assert_ne!(tokens[0], tokens[1]);
}

#[test]
fn a_pause_holds_changes_and_its_end_tells_all_of_them_at_once() {
    let folder = folder();
    let server = Server::start(&folder, &["--json"]);
    let port = server.port;
    let mut stream = Stream::open(port, &[]);
    stream.event();
    assert_eq!(order(port, &json!({"do": "pause"})).status, 204);
    assert_eq!(order(port, &json!({"do": "pause"})).status, 204);
    assert_eq!(stream.event().1["paused"], 0);
    folder.save("a.css", "p { color: red }");
    assert_eq!(stream.event().1["paused"], 1);
    folder.save("b.css", "");
    assert_eq!(stream.event().1["paused"], 2);
    // Pages that are opened meanwhile learn of it, and have seen what is held.
    assert!(page(port).contains(" data-paused=\"2\""));
    let mut late = Stream::open(port, &[]);
    assert_eq!(late.event().1["paused"], 2);
    assert_eq!(order(port, &json!({"do": "toggle-pause"})).status, 204);
    for stream in [&mut stream, &mut late] {
        let (_, change) = stream.event();
        assert_eq!(change.get("paused"), None);
        assert_eq!(change["changes"].as_array().unwrap().len(), 2, "{change}");
    }
    assert!(!page(port).contains("data-paused"));
    let events = std::iter::from_fn(|| server.out.next());
    let events = events.map(|line| serde_json::from_str::<Value>(&line).unwrap());
    let mut events = events.filter(|event| event["event"] != "listening");
    assert_eq!(events.next().unwrap(), json!({"event": "paused"}));
    assert_eq!(
        events.next().unwrap(),
        json!({"event": "resumed", "held": 2})
    );
    assert_eq!(events.next().unwrap()["event"], "saved");
}

#[test]
fn all_pages_are_reloaded_on_request_also_during_a_pause() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    order(server.port, &json!({"do": "reload"}));
    assert_eq!(stream.change().1["rescan"], true);
    order(server.port, &json!({"do": "pause"}));
    order(server.port, &json!({"do": "reload"}));
    let (_, reload) = stream.change();
    assert_eq!(
        (&reload["rescan"], &reload["paused"]),
        (&true.into(), &0.into())
    );
}

/// An editor that writes its arguments to a file.
fn editor(dir: &Path) -> std::path::PathBuf {
    // A name that is known, so that it is told the line.
    let editor = dir.join("code");
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > '{0}/part' && mv '{0}/part' '{0}/opened'\n",
        dir.display()
    );
    fs::write(&editor, script).unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    editor
}

#[test]
fn a_file_of_the_folder_opens_in_the_editor_and_no_other_file_does() {
    let folder = folder();
    let odd = "js/$(touch hacked); a b.js";
    folder.save(odd, "x");
    folder.save(".env", "SECRET=1");
    folder.settle();
    let tools = tempfile::tempdir().unwrap();
    fs::write(tools.path().join("outside.js"), "").unwrap();
    let editor = editor(tools.path());
    let server = Server::run(
        tidings()
            .arg(folder.root())
            .args(["--port", "0"])
            .current_dir(folder.root())
            .env("TIDINGS_EDITOR", editor.as_os_str()),
    );
    let open = |file: &str| {
        let order_ = json!({"do": "open-in-editor", "file": file, "line": 3, "column": 5});
        order(server.port, &order_).status
    };
    let outside = tools.path().join("outside.js").display().to_string();
    for file in [
        "missing.js",
        "../outside.js",
        &outside,
        "/etc/passwd",
        ".env",
        "",
        r"\\evil.test\share\x.js",
        "//evil.test/x.js",
        "js",
    ] {
        assert_eq!(open(file), 404, "{file}");
    }
    // A page that somebody has opened through a tunnel.
    let token = format!("tidings-token: {}", token(server.port));
    let tunnel = "X-Forwarded-For: 203.0.113.9";
    let headers = ["Content-Type: application/json", &token, tunnel];
    let order_ = json!({"do": "open-in-editor", "file": odd});
    let answer = ask(server.port, &headers, &order_.to_string());
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(open(odd), 204);
    let opened = tools.path().join("opened");
    let arguments = until(|| fs::read_to_string(&opened).ok()).unwrap();
    let path = fs::canonicalize(folder.path(odd)).unwrap();
    assert_eq!(arguments, format!("--goto\n{}:3:5\n", path.display()));
    assert!(!folder.path("hacked").exists());
}

#[test]
fn without_an_editor_the_answer_says_what_to_set() {
    let folder = folder();
    folder.settle();
    let server = Server::run(
        tidings()
            .arg(folder.root())
            .args(["--port", "0"])
            .env("VISUAL", "vim")
            .env_remove("EDITOR"),
    );
    let answer = order(
        server.port,
        &json!({"do": "open-in-editor", "file": "a.css"}),
    );
    assert_eq!(answer.status, 501);
    assert!(
        answer.text().contains("TIDINGS_EDITOR"),
        "{}",
        answer.text()
    );
}

#[test]
fn errors_of_pages_are_taken_only_where_that_was_asked_for() {
    let body = r#"{"page":"p","path":"/x.html","errors":[{"kind":"error","text":"Error: no","file":"/a.js","line":3,"column":5}]}"#;
    let folder = folder();
    let quiet = Server::start(&folder, &[]);
    assert_eq!(
        super::http::post(quiet.port, "/@tidings/console", body).status,
        404
    );
    assert!(!page(quiet.port).contains("data-console"));
    let server = Server::start(&folder, &["--forward-console"]);
    assert!(page(server.port).contains(" data-console"));
    let send = |body| super::http::post(server.port, "/@tidings/console", body).status;
    assert_eq!(send("{}"), 400);
    assert_eq!(send(body), 204);
    let line = std::iter::from_fn(|| server.out.next()).find(|line| line.contains("uncaught"));
    assert_eq!(line.unwrap(), "x.html: uncaught Error: no (a.js:3:5)");
    let foreign = ["Sec-Fetch-Site: cross-site"];
    let answer = super::ask(server.port, "POST", "/@tidings/console", &foreign);
    assert_eq!(answer.status, 403);
}
