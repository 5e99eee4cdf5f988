//! What the command prints, and what is said about it.

use super::app::App;
use super::support::program::Server;

fn script(text: &str) -> String {
    format!("{text}; exec python3 server.py")
}

#[test]
fn each_line_is_passed_on_with_its_stream() {
    let text = script("echo out; echo err >&2; printf 'caf\\351 \\377\\n'; printf 'a\\r\\nb\\n'");
    let app = App::start(&["--", "sh", "-c", &text]);
    let mut lines = Vec::new();
    while lines.len() < 5 {
        let output = app.event("output");
        assert_eq!(
            (&output["from"], &output["generation"]),
            (&"backend".into(), &1.into())
        );
        let text = |field: &str| output[field].as_str().unwrap().to_owned();
        lines.push((text("stream"), text("line")));
    }
    let of = |stream: &str| -> Vec<&str> {
        let lines = lines.iter().filter(|(s, _)| s == stream);
        lines.map(|(_, line)| line.as_str()).collect()
    };
    assert_eq!(of("stdout"), ["out", "caf\u{fffd} \u{fffd}", "a", "b"]);
    assert_eq!(of("stderr"), ["err"]);
}

#[test]
fn a_megabyte_without_a_line_break_passes_and_a_prompt_does_not_wait_for_one() {
    let text = script("head -c 1000000 /dev/zero | tr '\\0' x; echo; printf 'ready> '; sleep 1");
    let app = App::start(&["--", "sh", "-c", &text]);
    let mut length = 0;
    loop {
        let output = app.event("output");
        match output["line"].as_str().unwrap() {
            "ready> " => break,
            // In parts, if the machine is so busy that it pauses.
            part => length += part.len(),
        }
    }
    assert_eq!(length, 1_000_000);
    app.event("switched");
}

#[test]
fn for_people_each_line_is_marked() {
    let app = App::new();
    let text = script("echo hello; printf '\\033[2J\\033[31mred\\n'");
    let build = "echo compiled";
    let mut command = app.command(&["--build", build, "--", "sh", "-c", &text]);
    let server = Server::run(&mut command);
    let mut lines = Vec::new();
    while !lines
        .iter()
        .any(|line: &String| line.starts_with("the backend answers after "))
    {
        lines.push(server.out.next().unwrap());
    }
    for expected in [
        "building",
        "build   | compiled",
        "backend | hello",
        "backend | red",
    ] {
        assert!(
            lines.iter().any(|line| line == expected),
            "{expected}: {lines:#?}"
        );
    }
    app.save_version("crash");
    let mut lines = Vec::new();
    while !lines
        .iter()
        .any(|line: &String| line.ends_with("before it was ready"))
    {
        lines.push(server.out.next().unwrap());
    }
    for expected in [
        "version -> building",
        "backend ! cannot start: no such table",
        "the backend exited with code 1 before it was ready",
    ] {
        assert!(
            lines.iter().any(|line| line == expected),
            "{expected}: {lines:#?}"
        );
    }
}

#[test]
fn quiet_prints_only_what_goes_wrong() {
    let app = App::new();
    let mut command = app.command(&["--quiet", "--", "python3", "server.py"]);
    let server = Server::run(&mut command);
    assert_eq!(super::http::get(server.port, "/").text(), "version 1");
    app.save_version("crash");
    let line = server.out.next().unwrap();
    assert_eq!(line, "the backend exited with code 1 before it was ready");
    let lines = [server.out.next().unwrap(), server.out.next().unwrap()];
    assert!(
        lines.contains(&"cannot start: no such table".to_owned()),
        "{lines:?}"
    );
    server.stop();
}
