//! What a request can make the server do.

use super::*;
use crate::support::program::{tidings, until};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const METHODS: [&str; 8] = [
    "POST", "PUT", "PATCH", "DELETE", "MKCOL", "MOVE", "PROPFIND", "TRACE",
];

/// Every file and its content.
fn content(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(content(&path)),
            false => found.push((path.clone(), fs::read(path).unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
fn storybook_cve_2026_27148_nothing_is_written_or_removed() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    let before = content(folder.root());
    let destination = format!("Destination: http://localhost:{}/moved", server.port);
    for path in [
        "/", "/a.txt", "/new.txt", "/app.js", STREAM, SCRIPT, VERSION,
    ] {
        for method in METHODS {
            let mut headers = vec!["Content-Length: 3", &destination];
            headers.push("Content-Type: application/json");
            let head =
                format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
            let head = head + &headers.join("\r\n") + "\r\n\r\nabc";
            let answer = send(server.port, head.as_bytes());
            assert!(
                (400..500).contains(&answer.status),
                "{method} {path}: {:?}",
                answer.head
            );
        }
    }
    assert_eq!(content(folder.root()), before);
}

/// A server, and an editor that notes what it was told to open.
struct Editing {
    folder: Folder,
    tools: tempfile::TempDir,
    server: Server,
}

impl Editing {
    fn new() -> Editing {
        let folder = folder();
        folder.save("src/main.js", "x");
        folder.save(".env", "SECRET");
        folder.save("server.pem", "SECRET");
        let tools = tempfile::tempdir().unwrap();
        fs::write(tools.path().join("outside.js"), "").unwrap();
        symlink(tools.path().join("outside.js"), folder.path("out.js")).unwrap();
        symlink(tools.path(), folder.path("out")).unwrap();
        let editor = tools.path().join("code");
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" > '{0}/part' && mv '{0}/part' '{0}/opened'\n",
            tools.path().display()
        );
        fs::write(&editor, script).unwrap();
        fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
        folder.settle();
        let server = Server::run(
            tidings()
                .arg(folder.root())
                .args(["--port", "0"])
                .current_dir(folder.root())
                .env("TIDINGS_EDITOR", editor.as_os_str()),
        );
        Editing {
            folder,
            tools,
            server,
        }
    }

    fn open(&self, headers: &[&str], method: &str, file: &str) -> u16 {
        let body = json!({"do": "open-in-editor", "file": file, "line": 1});
        order(self.server.port, method, headers, &body.to_string()).status
    }

    /// What was opened, once a file of the folder is.
    #[track_caller]
    fn opened_first(&self, headers: &[&str]) -> String {
        assert_eq!(self.open(headers, "POST", "src/main.js"), 204);
        let opened = self.tools.path().join("opened");
        until(|| fs::read_to_string(&opened).ok()).unwrap()
    }

    fn expected(&self) -> String {
        let path = fs::canonicalize(self.folder.path("src/main.js")).unwrap();
        format!("--goto\n{}:1:1\n", path.display())
    }
}

#[test]
fn metro_cve_2025_11953_control_takes_a_post_of_json_from_our_page_with_the_token() {
    let editing = Editing::new();
    let port = editing.server.port;
    let token = format!("tidings-token: {}", token(port));
    let json = "Content-Type: application/json";
    for (method, headers) in [
        ("GET", vec![json, &token]),
        ("PUT", vec![json, &token]),
        ("POST", vec![json]),
        ("POST", vec![&*token]),
        ("POST", vec![&token, "Content-Type: text/plain"]),
        (
            "POST",
            vec![&token, "Content-Type: application/x-www-form-urlencoded"],
        ),
        (
            "POST",
            vec![
                &token,
                "Content-Type: multipart/form-data; boundary=application/json",
            ],
        ),
        ("POST", vec![json, &token, "Origin: http://evil.example"]),
        ("POST", vec![json, &token, "Sec-Fetch-Site: same-site"]),
        ("POST", vec![json, "tidings-token: "]),
        ("POST", vec![json, &token[..token.len() - 1]]),
    ] {
        let status = editing.open(&headers, method, "src/main.js");
        assert!(
            matches!(status, 403 | 405 | 415),
            "{method} {headers:?}: {status}"
        );
    }
    // A query is not an order, nor is a name a command.
    let url = format!("{CONTROL}?do=open-in-editor&file=src/main.js");
    assert_eq!(ask(port, "GET", &url, &[&token]).status, 405);
    for file in [
        "src/main.js; touch pwned",
        "$(touch pwned)",
        "`touch pwned`",
        "--wait",
        "-n",
    ] {
        assert_eq!(editing.open(&[json, &token], "POST", file), 404, "{file}");
    }
    assert_eq!(editing.opened_first(&[json, &token]), editing.expected());
    assert!(!editing.folder.path("pwned").exists());
}

#[test]
fn launch_editor_cve_2026_53632_only_files_of_the_folder_are_opened() {
    let editing = Editing::new();
    let token = format!("tidings-token: {}", token(editing.server.port));
    let headers = ["Content-Type: application/json", &token];
    let outside = editing.tools.path().join("outside.js");
    let outside = outside.to_str().unwrap();
    let up = format!("{}{outside}", "../".repeat(20));
    for file in [
        r"\\evil.example\share\a.js",
        "//evil.example/share/a.js",
        r"\\?\UNC\evil.example\share\a.js",
        "file://evil.example/a.js",
        "file:///etc/passwd",
        "/etc/passwd",
        "..",
        "src/..",
        "src/../a.txt/../../outside.js",
        outside,
        &up,
        "out.js",
        "out/outside.js",
        ".env",
        "server.pem",
        "src",
        "",
        "src/main.js\u{0}.png",
    ] {
        assert_eq!(editing.open(&headers, "POST", file), 404, "{file:?}");
    }
    assert_eq!(editing.opened_first(&headers), editing.expected());
}
