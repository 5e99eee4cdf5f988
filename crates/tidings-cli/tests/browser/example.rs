//! `examples/axum-reload`, built and run as its users do.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Browser;
use crate::support::program::{Folder, Server};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
const TEMPLATE: &str = "templates/index.html";

/// Builds the program; `./check` has done so before.
fn built() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--message-format=json",
            "-p",
            "axum-reload",
            "--manifest-path",
        ])
        .arg(Path::new(EXAMPLES).join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let messages = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut executables =
        messages.filter_map(|message| Some(message["executable"].as_str()?.into()));
    executables.next_back().unwrap()
}

#[test]
fn it_shows_what_is_saved_and_ends_while_pages_are_open() {
    let source = |path: &str| {
        let path = Path::new(EXAMPLES).join("axum-reload").join(path);
        std::fs::read_to_string(path).unwrap()
    };
    let (template, sheet) = (source(TEMPLATE), source("static/site.css"));
    let folder = Folder::new(&[(TEMPLATE, &template), ("static/site.css", &sheet)]);
    folder.settle();
    let mut command = Command::new(built());
    let command = command.current_dir(folder.root()).env("PORT", "0");
    let mut server = Server::run(command);
    let mut browser = Browser::start();
    let mut tab = browser.open(&format!("http://localhost:{}/", server.port));
    tab.until("document.querySelector('h1').textContent === 'Hello!'");

    // A sheet is swapped, and what was typed stays.
    tab.mark();
    tab.eval("document.querySelector('input').value = 'typed'");
    folder.save("static/site.css", sheet.replace("teal", "rgb(1, 2, 3)"));
    tab.until("getComputedStyle(document.querySelector('h1')).color === 'rgb(1, 2, 3)'");
    assert!(tab.is_same());
    assert_eq!(tab.eval("document.querySelector('input').value"), "typed");

    // A fragment is as the app sent it.
    tab.eval("document.querySelector('button').click()");
    tab.until("document.querySelectorAll('li').length === 3");
    assert_eq!(tab.eval("document.querySelectorAll('ul script').length"), 0);

    // A template, without a build.
    folder.save(
        TEMPLATE,
        template.replace("{{ greeting }}!", "{{ greeting }} again!"),
    );
    tab.until("document.querySelector('h1').textContent === 'Hello again!'");

    // An error in it, and its correction.
    folder.save(TEMPLATE, template.replace("{{ greeting }}", "{{ greeting"));
    tab.until("document.title === '500 Internal Server Error'");
    tab.until("document.body.innerText.includes('syntax error')");
    folder.save(TEMPLATE, &template);
    tab.until("document.querySelector('h1').textContent === 'Hello!'");

    server.signal("INT");
    assert_eq!(server.end(), Some(0));
}

#[test]
fn a_restart_reloads_pages_only_if_the_program_was_built_anew() {
    let folder = Folder::new(&[
        (TEMPLATE, "<link rel=stylesheet href=/static/a.css><p>page"),
        ("static/a.css", "p { color: red }"),
    ]);
    // Both are older than the program: it is what the pages' timestamp comes from.
    folder.settle();
    let program = folder.path("program");
    let build = || std::fs::copy(built(), &program).unwrap();
    let start = |port: u16| {
        let mut command = Command::new(&program);
        Server::run(
            command
                .current_dir(folder.root())
                .env("PORT", port.to_string()),
        )
    };
    build();
    let server = start(0);
    let port = server.port;
    let mut browser = Browser::start();
    let mut tab = browser.open(&format!("http://localhost:{port}/"));
    tab.mark();
    tab.watch_workers();
    server.stop();
    tab.forget_events();
    let server = start(port);
    // Until the page is connected and has received the status, in its worker.
    while tab.event("Network.eventSourceMessageReceived")["eventName"] != "message" {}
    // It receives changes again, in the same document.
    folder.save("static/a.css", "p { color: rgb(1, 2, 3) }");
    tab.until("getComputedStyle(document.querySelector('p')).color === 'rgb(1, 2, 3)'");
    assert!(tab.is_same());
    server.stop();
    build();
    let _server = start(port);
    tab.until("window.__mark === undefined && document.readyState === 'complete'");
}
