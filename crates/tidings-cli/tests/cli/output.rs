//! What is printed, and where.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::post;
use super::{Folder, Server, Stream, ask, get, tidings};

#[test]
fn a_change_is_one_line_with_the_file_the_pages_and_the_time() {
    let folder = Folder::new(&[("style.css", "a{}"), ("index.html", "<p>hi")]);
    let server = Server::start(&folder, &[]);
    server.out.next().unwrap();
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    folder.save("style.css", "a{color:red}");
    let (id, _) = stream.change();
    let port = server.port;
    // At the same time: the line is printed a quarter of a second after the last report.
    std::thread::scope(|scope| {
        for action in ["style", "reload"] {
            let id = &id;
            scope.spawn(move || report(port, id, action));
        }
    });
    let line = server.out.next().unwrap();
    let ms = line
        .strip_prefix("style.css -> 2 pages (1 reloaded), ")
        .and_then(|rest| rest.strip_suffix(" ms"))
        .unwrap_or_else(|| panic!("{line:?}"));
    assert!(ms.parse::<u64>().is_ok(), "{line:?}");
    // No page reports this one.
    folder.save("other.txt", "b");
    stream.change();
    assert_eq!(
        server.out.next().unwrap(),
        "other.txt -> no open page uses it"
    );
}

#[test]
fn quiet_prints_the_address_and_nothing_else() {
    let folder = Folder::new(&[("style.css", "a{}")]);
    let mut server = Server::start(&folder, &["--quiet", "--host", "127.0.0.1"]);
    assert_eq!(server.first, format!("http://127.0.0.1:{}/", server.port));
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    folder.save("style.css", "a{color:red}");
    stream.change();
    server.signal("INT");
    server.end();
    assert_eq!(server.out.next(), None);
    assert_eq!(server.err.next(), None);
}

#[test]
fn json_is_one_object_per_line_with_the_documented_fields() {
    let folder = Folder::new(&[("style.css", "a{}")]);
    let server = Server::start(&folder, &["--json"]);
    let port = server.port;
    let first: Value = serde_json::from_str(&server.first).unwrap();
    let expected = serde_json::json!({
        "event": "listening",
        "urls": [format!("http://localhost:{port}/")],
        "dir": folder.root(),
        "exposed": false,
    });
    assert_eq!(first, expected);
    let mut stream = Stream::open(port, &[]);
    stream.event();
    folder.save("style.css", "a{color:red}");
    let (id, said) = stream.change();
    report(server.port, &id, "style");
    let next = || serde_json::from_str::<Value>(&server.out.next().unwrap()).unwrap();
    let changes = serde_json::json!([{"path": "/style.css", "kind": "modified"}]);
    let saved = serde_json::json!({
        "event": "saved",
        "id": id,
        "timestamp": said["timestamp"],
        "changes": changes,
    });
    assert_eq!(next(), saved);
    let mut pushed = next();
    assert!(pushed["ms"].take().is_u64());
    let expected = serde_json::json!({"event": "pushed", "id": id, "streams": 1, "ms": null});
    assert_eq!(pushed, expected);
    let mut line = next();
    assert!(line["ms"].take().is_u64());
    let expected = serde_json::json!({
        "event": "change",
        "id": id,
        "timestamp": said["timestamp"],
        "changes": changes,
        "pages": 1,
        "swapped": 1,
        "patched": 0,
        "reloaded": 0,
        "streams": 1,
        "ms": null,
    });
    assert_eq!(line, expected);
}

#[test]
fn what_cannot_reload_or_is_refused_by_the_browser_is_said_once() {
    let folder = Folder::new(&[
        ("logo.svg", "<svg/>"),
        ("data.json", "{}"),
        ("app.js.download", "1"),
        ("main.ts", "1"),
    ]);
    let server = Server::start(&folder, &[]);
    server.out.next().unwrap();
    let document = "Sec-Fetch-Dest: document";
    let script = "Sec-Fetch-Dest: script";
    let alone =
        "does not reload: it is opened by itself, and only an HTML page can carry the script";
    let refused = "is refused by the browser: by its name it is text/plain, and a script must end in .js or .mjs";
    for (path, destination, said) in [
        ("logo.svg", document, alone),
        ("data.json", document, alone),
        ("app.js.download", script, refused),
        ("main.ts", script, refused),
    ] {
        for _ in 0..2 {
            let answer = ask(server.port, "GET", &format!("/{path}"), &[destination]);
            assert_eq!(answer.status, 200);
        }
        assert_eq!(server.out.next().unwrap(), format!("{path} {said}"));
    }
}

#[test]
fn a_browser_that_cannot_be_opened_is_said_in_words() {
    let folder = Folder::new(&[]);
    let programs = Folder::new(&[("xdg-open", "#!/bin/sh\nexit 3\n")]);
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(programs.path("xdg-open"), executable).unwrap();
    let empty = Folder::new(&[]);
    for (path, why) in [
        (&programs, "the program that opens URLs failed"),
        (&empty, "no program that opens URLs was found"),
    ] {
        let mut command = tidings();
        command.arg(folder.root()).args(["--port", "0", "--open"]);
        let server = Server::run(command.env("PATH", path.root()));
        let line = server.err.next().unwrap();
        assert_eq!(line, format!("warning: cannot open a browser: {why}"));
        let hint = server.err.next().unwrap();
        assert_eq!(
            hint,
            format!("hint: open http://localhost:{}/ yourself", server.port)
        );
    }
}

#[test]
fn an_error_in_json_is_an_object_too() {
    let folder = Folder::new(&[]);
    let ended = super::finished(tidings().arg(folder.path("nowhere")).arg("--json"));
    assert_eq!(ended.code, Some(1));
    let said: Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(said["event"], "error");
    assert!(said["message"].is_string() && said["hint"].is_string());
}

#[test]
fn who_stops_reading_the_output_does_not_stop_the_server() {
    let folder = Folder::new(&[("a.txt", "0")]);
    // As in `tidings | head -n 1`.
    let mut child = tidings()
        .arg(folder.root())
        .args(["--port", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    drop(out);
    let port = first.trim_end().trim_end_matches('/').rsplit_once(':');
    let port = port.unwrap().1.parse().unwrap();
    let mut stream = Stream::open(port, &[]);
    stream.event();
    // A line is printed a quarter of a second after each change.
    let began = Instant::now();
    let mut text = String::new();
    while began.elapsed() < Duration::from_secs(1) {
        text.push('x');
        folder.save("a.txt", &text);
        stream.change();
    }
    assert_eq!(get(port, "/a.txt").text(), text);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn who_reads_the_address_and_no_more_does_not_stop_the_server() {
    let folder = Folder::new(&[("a.txt", "0")]);
    let mut child = tidings()
        .arg(folder.root())
        .args(["--port", "0", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut first = Vec::new();
    while first.last() != Some(&b'\n') {
        let mut byte = [0];
        out.read_exact(&mut byte).unwrap();
        first.extend(byte);
    }
    let first: Value = serde_json::from_slice(&first).unwrap();
    let url = first["urls"][0].as_str().unwrap().trim_end_matches('/');
    let port = url.rsplit_once(':').unwrap().1.parse().unwrap();
    // Together much more than a pipe holds.
    let text = vec!["\u{1f4a5}".repeat(400); 6].join("\n");
    let error = serde_json::json!({"kind": "error", "text": text});
    let errors = serde_json::json!({"page": "p", "path": "/", "errors": vec![error; 5]});
    for _ in 0..8 {
        let answer = post(port, "/@tidings/console", &errors.to_string());
        assert_eq!(answer.status, 204, "{answer:?}");
    }
    assert_eq!(get(port, "/a.txt").text(), "0");
    // What was printed is there for whoever reads it after all.
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["event"], "page_error");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_terminal_gets_colour_and_a_pipe_does_not() {
    let folder = Folder::new(&[]);
    let server = Server::start(&folder, &[]);
    assert!(!server.first.contains('\x1b'), "{:?}", server.first);
    let works = Command::new("script")
        .args(["-qec", "true", "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    if !works.is_ok_and(|status| status.success()) {
        return eprintln!("SKIPPED: there is no `script` to make a terminal with");
    }
    for (no_colour, coloured) in [("", true), ("1", false)] {
        let serve = format!(
            "{} {} --port 0",
            env!("CARGO_BIN_EXE_tidings"),
            folder.root().display()
        );
        // Its death hangs up the terminal, which ends the server.
        let server = Server::run(
            Command::new("script")
                .args(["-qec", &serve, "/dev/null"])
                .env("NO_COLOR", no_colour)
                .env_remove("TIDINGS_JSON")
                .stdin(Stdio::null()),
        );
        assert_eq!(server.first.contains("\x1b["), coloured, "{no_colour:?}");
    }
}

/// Reports what a page has done about a change, as a page does.
#[track_caller]
fn report(port: u16, id: &str, action: &str) {
    let body = format!(r#"{{"id":"{id}","did":"{action}"}}"#);
    let answer = post(port, "/@tidings/seen", &body);
    assert_eq!(answer.status, 204, "{answer:?}");
}
