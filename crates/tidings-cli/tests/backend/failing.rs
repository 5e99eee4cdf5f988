//! Builds and starts that fail, and commands that crash.

use super::app::App;
use super::support::program::until;

const NAVIGATION: &[&str] = &[
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Dest: document",
    "Accept: text/html",
];

/// A build that fails as long as there is a file `broken`.
const BUILD: &str = "echo compiling; if [ -e broken ]; then echo 'error[E1]: no' >&2; exit 101; fi";

#[test]
fn a_first_build_that_fails_is_shown_at_once_and_mended_by_a_save() {
    let mut app = App::new();
    app.folder.save("broken", "");
    app.run(&["--build", BUILD]);
    let failed = app.event("build_failed");
    assert_eq!(failed["code"], 101);
    let lines = failed["lines"].as_array().unwrap();
    assert!(lines.contains(&"compiling".into()) && lines.contains(&"error[E1]: no".into()));
    let page = super::http::ask(app.port(), "GET", "/", NAVIGATION);
    assert_eq!(page.status, 503);
    let text = page.text();
    assert!(
        text.contains("error[E1]: no") && text.contains("<script"),
        "{text}"
    );
    let kind = page
        .head
        .iter()
        .find(|line| line.starts_with("tidings-problem: "));
    assert_eq!(kind.unwrap(), "tidings-problem: build_failed");
    std::fs::remove_file(app.folder.path("broken")).unwrap();
    app.event("switched");
    assert_eq!(app.get("/").text(), "version 1");
}

#[test]
fn the_lines_of_the_file_that_the_build_names_are_shown_but_of_no_other_file() {
    let build = "for place in /etc/passwd:1:1 .env:1:1 src/app.ts:2:3; do echo \"$place: no\"; done; exit 1";
    let mut app = App::new();
    app.folder.save(".env", "SECRET=1\n");
    app.folder.save("src/app.ts", "one\n<two>\nthree\n");
    app.run(&["--build", build]);
    app.event("build_failed");
    let page = super::http::ask(app.port(), "GET", "/", NAVIGATION).text();
    assert!(page.contains("<mark>    2  &lt;two&gt;</mark>"), "{page}");
    assert!(
        !page.contains("SECRET") && !page.contains("root:"),
        "{page}"
    );
}

#[test]
fn a_crash_at_the_first_start_is_shown_at_once_with_code_and_last_lines() {
    let mut app = App::new();
    app.save_version("crash");
    app.run(&[]);
    let exited = app.event("exited");
    assert_eq!(
        (&exited["code"], &exited["expected"]),
        (&1.into(), &false.into())
    );
    let lines = exited["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.contains(&"cannot start: no such table".into()));
    let page = super::http::ask(app.port(), "GET", "/", NAVIGATION);
    assert!(page.text().contains("no such table"));
    let json = super::http::ask(app.port(), "GET", "/", &["Accept: application/json"]);
    assert!(
        json.text().contains("exited with code 1"),
        "{}",
        json.text()
    );
    app.switch_to("2");
}

#[test]
fn a_later_build_that_fails_leaves_the_old_instance_in_place() {
    let app = App::start(&["--build", BUILD]);
    app.event("switched");
    app.folder.save("broken", "");
    app.event("build_failed");
    assert_eq!(app.get("/").text(), "version 1");
    std::fs::remove_file(app.folder.path("broken")).unwrap();
    app.switch_to("2");
}

#[test]
fn a_later_start_that_crashes_leaves_the_old_instance_in_place() {
    let app = App::start(&[]);
    app.event("switched");
    app.save_version("crash");
    assert_eq!(app.event("exited")["generation"], 2);
    assert_eq!(app.get("/").text(), "version 1");
    app.switch_to("3");
}

#[test]
fn an_instance_that_crashes_is_started_again_at_once() {
    let app = App::start(&[]);
    app.event("switched");
    assert_eq!(app.get("/crash").status, 502);
    let exited = app.event("exited");
    assert_eq!(
        (&exited["code"], &exited["was_healthy"]),
        (&3.into(), &true.into())
    );
    // Waits for it, and is answered.
    assert_eq!(app.get("/").text(), "version 1");
    assert_eq!(app.event("switched")["generation"], 2);
}

#[test]
fn a_request_to_an_instance_that_has_just_died_goes_to_the_next_one() {
    let app = App::start(&[]);
    let mut port = app.event("starting")["port"].as_u64().unwrap() as u16;
    app.event("switched");
    for generation in 2..6 {
        let ids = app
            .marked
            .started()
            .into_iter()
            .map(|(id, _)| id.to_string());
        let mut kill = std::process::Command::new("kill");
        assert!(kill.arg("-KILL").args(ids).status().unwrap().success());
        // What was accepted before it died is lost.
        until(|| std::net::TcpStream::connect(("127.0.0.1", port)).err()).unwrap();
        assert_eq!(app.get("/").text(), "version 1");
        port = app.event("starting")["port"].as_u64().unwrap() as u16;
        assert_eq!(app.event("switched")["generation"], generation);
    }
}

#[test]
fn a_command_that_keeps_crashing_is_started_after_longer_and_longer_pauses() {
    let mut app = App::new();
    app.save_version("unstable");
    app.run(&[]);
    let pauses: Vec<_> = (0..3)
        .map(|_| app.event("retrying")["ms"].as_u64().unwrap())
        .collect();
    assert_eq!(pauses, [250, 500, 1000]);
    // A save does not wait for the end of the pause.
    app.save_version("2");
    until(|| (app.get("/").text() == "version 2").then_some(())).unwrap();
}

#[test]
fn a_program_that_does_not_exist_is_said_so() {
    let app = App::start(&["--", "nowhere-to-be-found"]);
    let exited = app.event("exited");
    assert_eq!(exited["error"], "no such program");
    assert!(app.get("/").text().contains("no such program"));
}
