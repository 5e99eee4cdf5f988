//! From a save to the next instance, and what becomes of the one before.

use std::io::{BufRead, BufReader, Read, Write};
use std::thread::JoinHandle;

use super::app::{App, names};
use super::http::{Answer, connect, get};
use super::support::program::{PATIENCE, until};

/// A request that is under way.
fn asked(port: u16, path: &'static str) -> JoinHandle<Answer> {
    std::thread::spawn(move || get(port, path))
}

#[test]
fn the_command_gets_a_port_of_its_own_for_each_start() {
    let app = App::start(&[]);
    let first = app.event("starting");
    assert_eq!(first["generation"], 1);
    app.event("switched");
    assert_eq!(app.get("/").text(), "version 1");
    app.save_version("2");
    let second = app.event("starting");
    assert_ne!(first["port"], second["port"]);
    assert_eq!(second["paths"], serde_json::json!(["version"]));
    app.event("switched");
    assert_eq!(app.get("/").text(), "version 2");
}

#[test]
fn the_port_stands_in_the_arguments_where_they_name_it() {
    let app = App::start(&["--", "python3", "server.py", "{port}"]);
    app.event("switched");
    assert_eq!(app.get("/").text(), "version 1");
}

#[test]
fn a_restart_is_told_step_by_step() {
    let app = App::start(&["--build", "true"]);
    let first = app.events_until("switched");
    assert_eq!(
        names(&first),
        ["building", "built", "starting", "healthy", "switched"]
    );
    app.save_version("2");
    let second = app.events_until("exited");
    assert_eq!(
        names(&second),
        [
            "building", "built", "starting", "healthy", "switched", "draining", "exited"
        ]
    );
    let exited = second.last().unwrap();
    assert_eq!(
        (&exited["generation"], &exited["expected"]),
        (&1.into(), &true.into())
    );
    assert_eq!(exited["code"], 0);
    for event in &second {
        assert!(event["time"].is_u64(), "{event}");
    }
}

#[test]
fn requests_wait_while_the_first_instance_starts() {
    let mut app = App::new();
    app.save_version("late");
    app.run(&[]);
    let early = asked(app.port(), "/");
    app.event("starting");
    app.folder.save(".start", "");
    assert_eq!(early.join().unwrap().text(), "version late");
}

#[test]
fn while_the_new_one_starts_the_old_one_answers() {
    let app = App::start(&[]);
    app.event("switched");
    app.save_version("late");
    app.event("starting");
    assert_eq!(app.get("/").text(), "version 1");
    app.folder.save(".start", "");
    app.event("switched");
    assert_eq!(app.get("/").text(), "version late");
}

#[test]
fn a_request_that_is_under_way_is_answered_by_the_old_one_before_that_ends() {
    let app = App::start(&["--stop-timeout", "60"]);
    app.event("switched");
    let slow = asked(app.port(), "/slow");
    while app.event("output")["line"] != "slow" {}
    app.switch_to("2");
    let draining = app.event("draining");
    assert_eq!(draining["in_flight"], 1);
    app.folder.save(".go", "");
    let exited = app.event("exited");
    assert_eq!(exited["generation"], 1);
    assert_eq!(slow.join().unwrap().text(), "version 1");
}

#[test]
fn a_request_without_end_does_not_keep_the_old_one_longer_than_the_stop_timeout() {
    let app = App::start(&["--stop-timeout", "0.2"]);
    app.event("switched");
    let slow = asked(app.port(), "/slow");
    while app.event("output")["line"] != "slow" {}
    app.switch_to("2");
    assert_eq!(app.event("exited")["generation"], 1);
    assert_eq!(slow.join().unwrap().status, 502);
}

#[test]
fn event_streams_and_upgrades_do_not_hold_up_the_end_and_end_with_it() {
    // A timeout that nobody waits for.
    let app = App::start(&["--stop-timeout", "600"]);
    app.event("switched");
    let mut stream = BufReader::new(connect(app.port()));
    let request = "GET /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.get_mut().write_all(request.as_bytes()).unwrap();
    let mut lines = stream.by_ref().lines().map(Result::unwrap);
    lines.find(|line| line == "data: hello").unwrap();
    let mut socket = BufReader::new(connect(app.port()));
    let request =
        "GET /socket HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nx";
    socket.get_mut().write_all(request.as_bytes()).unwrap();
    let mut head = socket.by_ref().lines().map(Result::unwrap);
    assert!(head.next().unwrap().contains("101"));
    head.find(String::is_empty).unwrap();
    let mut echoed = [0];
    socket.read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"x");
    app.switch_to("2");
    assert_eq!(app.event("draining")["in_flight"], 0);
    assert_eq!(app.event("exited")["generation"], 1);
    // Both are told at once; reading would time out otherwise.
    socket.read_to_end(&mut Vec::new()).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn an_instance_that_ignores_the_signal_is_killed_after_the_stop_timeout() {
    let app = App::start(&["--stop-timeout", "0.3"]);
    app.event("switched");
    app.folder.save(".stubborn", "");
    app.switch_to("2");
    let exited = app.event("exited");
    assert_eq!(exited["signal"], "SIGKILL");
    assert_eq!(exited["expected"], true);
    let lines: Vec<_> = exited["lines"].as_array().unwrap().iter().collect();
    assert_eq!(lines.last().unwrap().as_str(), Some("got SIGTERM"));
}

#[test]
fn the_stop_signal_is_the_one_that_was_asked_for() {
    let app = App::start(&["--stop-signal", "INT"]);
    app.event("switched");
    app.switch_to("2");
    let exited = app.event("exited");
    assert_eq!(exited["lines"][1], "got SIGINT");
}

#[test]
fn an_instance_is_ready_when_the_health_path_answers_below_500() {
    let app = App::start(&["--health", "/health"]);
    let listening = app.event("output")["line"].as_str().unwrap().to_owned();
    assert!(listening.starts_with("listening"), "{listening}");
    let early = asked(app.port(), "/");
    app.folder.save(".healthy", "");
    app.event("healthy");
    assert_eq!(early.join().unwrap().text(), "version 1");
}

#[test]
fn a_command_that_does_not_listen_on_its_port_is_told_how() {
    let mut app = App::new();
    app.save_version("elsewhere");
    app.run(&["--start-timeout", "1"]);
    let waited = asked(app.port(), "/");
    app.event("start_timeout");
    assert_eq!(waited.join().unwrap().status, 503);
    assert_eq!(app.event("exited")["expected"], true);
    // Until the next save, it is said at once.
    let answer = app.get("/");
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("{port}"), "{}", answer.text());
    app.switch_to("2");
}

#[test]
fn on_a_fixed_port_the_old_one_ends_first_and_requests_wait() {
    let port = free_port();
    let url = format!("http://localhost:{port}");
    let fixed = port.to_string();
    let app = App::start(&[&url, "--", "python3", "server.py", &fixed]);
    app.event("switched");
    assert_eq!(app.get("/").text(), "version 1");
    app.save_version("late");
    app.event("exited");
    let waits = asked(app.port(), "/");
    app.event("starting");
    app.folder.save(".start", "");
    assert_eq!(waits.join().unwrap().text(), "version late");
}

#[test]
fn another_program_on_the_fixed_port_is_named_and_not_mistaken_for_the_command() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://localhost:{}", taken.local_addr().unwrap().port());
    let app = App::start(&[&url, "--", "python3", "server.py"]);
    let exited = app.event("exited");
    let error = exited["error"].as_str().unwrap();
    assert!(
        error.contains("Another program") && error.contains(&url),
        "{error}"
    );
    assert_eq!(app.get("/").status, 503);
    drop(taken);
}

#[test]
fn a_change_of_what_is_only_watched_does_not_restart() {
    let mut app = App::new();
    app.folder.save("templates/index.html", "<p>1");
    app.run(&["--watch", "templates"]);
    app.event("switched");
    app.folder.save("templates/index.html", "<p>2");
    let change = app.event("change");
    assert_eq!(change["changes"][0]["path"], "/templates/index.html");
    app.folder.save("db.sqlite3", "x");
    app.folder.save("server.log", "x");
    app.save_version("2");
    let events = app.events_until("switched");
    assert_eq!(names(&events), ["starting", "healthy", "switched"]);
    assert_eq!(events[0]["paths"], serde_json::json!(["version"]));
}

#[test]
fn only_what_changes_below_the_restart_roots_restarts() {
    let mut app = App::new();
    app.folder.save("src/a", "1");
    app.run(&["--restart", "src"]);
    app.event("switched");
    app.save_version("2");
    app.folder.save("src/a", "2");
    let starting = app.event("starting");
    assert_eq!(starting["paths"], serde_json::json!(["src/a"]));
    app.event("switched");
}

#[test]
fn nobody_who_reads_the_output_is_needed() {
    let app = App::new();
    let mut command = app.command(&["--", "sh", "-c", "yes >&2 & exec python3 server.py"]);
    // Its lines are not read: a terminal that was stopped with Ctrl-S.
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    let port = first.trim_end().trim_end_matches('/').rsplit_once(':');
    let port: u16 = port.unwrap().1.parse().unwrap();
    assert_eq!(get(port, "/").text(), "version 1");
    app.save_version("2");
    let switched = until(|| (get(port, "/").text() == "version 2").then_some(()));
    assert!(switched.is_some(), "no switch within {PATIENCE:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    drop(out);
    super::marked::until_gone(&app.marked);
    app.save_version("3");
}

fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}
