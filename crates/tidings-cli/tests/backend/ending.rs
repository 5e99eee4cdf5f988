//! Nothing is left behind, whatever ends tidings.

use super::app::{App, names};
use super::marked::until_gone;

/// Workers in the group, a process in a session of its own, daemons, and one that ignores signals.
const FAMILY: &str = "
    sleep 600 &
    setsid sleep 601 &
    (setsid sh -c 'sleep 602 & exec sleep 603' &)
    sh -c 'trap \"\" TERM HUP INT; while :; do sleep 604; done' &
    exec python3 server.py";

const ALL: [&str; 6] = ["600", "601", "602", "603", "604", "server.py"];

fn family() -> App {
    let app = App::start(&["--stop-timeout", "0.5", "--", "sh", "-c", FAMILY]);
    app.event("switched");
    app.marked.until_running(&ALL);
    app
}

#[test]
fn after_ctrl_c_and_term_everything_has_ended_before_tidings() {
    for signal in ["INT", "TERM"] {
        let mut app = family();
        app.server().signal(signal);
        let events = app.events_until("exited");
        assert_eq!(names(&events), ["exited"]);
        assert_eq!(events.last().unwrap()["expected"], true);
        assert_eq!(app.server().end(), Some(0));
        assert_eq!(app.marked.started(), []);
        until_gone(&app.marked);
    }
}

#[test]
fn after_hup_or_kill_everything_ends() {
    for signal in ["HUP", "KILL", "ABRT"] {
        let mut app = family();
        let id = app.server().pid();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let ignored = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:\t"));
        if signal == "HUP" && u64::from_str_radix(ignored.unwrap(), 16).unwrap() & 1 != 0 {
            // As by `nohup`.
            eprintln!("SKIPPED: whoever runs the tests has SIGHUP ignored");
            continue;
        }
        app.server().signal(signal);
        assert_eq!(app.server().end(), None, "it was ended by {signal}");
        until_gone(&app.marked);
    }
}

#[test]
fn killed_at_any_moment_of_a_start_it_leaves_nothing() {
    for n in 0..12 {
        let app = App::new();
        let mut command = app.command(&[
            "--stop-timeout",
            "0.2",
            "--build",
            "sleep 0.01",
            "--",
            "sh",
            "-c",
            FAMILY,
        ]);
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(n * 7));
        child.kill().unwrap();
        child.wait().unwrap();
        until_gone(&app.marked);
    }
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_the_stop_timeout() {
    let mut app = App::start(&["--stop-timeout", "600"]);
    app.event("switched");
    app.folder.save(".stubborn", "");
    app.server().signal("INT");
    while app.event("output")["line"] != "got SIGTERM" {}
    app.server().signal("INT");
    assert_eq!(app.event("exited")["signal"], "SIGKILL");
    assert_eq!(app.server().end(), Some(0));
    until_gone(&app.marked);
}

#[test]
fn when_the_guardian_is_killed_the_command_is_ended_by_tidings() {
    let app = App::start(&["--stop-timeout", "0.3"]);
    app.event("switched");
    let all = app.marked.all();
    let guardian = all
        .iter()
        .find(|(_, line)| line.starts_with("backend-guardian"));
    let id = guardian.unwrap().0.to_string();
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &id])
        .status();
    assert!(killed.unwrap().success());
    let exited = app.event("exited");
    assert_eq!(exited["generation"], 1);
    // It is treated as a crash.
    app.event("switched");
    assert_eq!(app.get("/").text(), "version 1");
    assert_eq!(app.marked.running("server.py"), 1);
}

#[test]
fn a_daemon_that_the_old_instance_left_ends_with_it() {
    let script = "(setsid sleep 600 &) ; exec python3 server.py";
    let app = App::start(&["--", "sh", "-c", script]);
    app.event("switched");
    app.switch_to("2");
    app.event("exited");
    let one =
        super::support::program::until(|| (app.marked.running("sleep 600") == 1).then_some(()));
    assert!(one.is_some(), "{:?}", app.marked.all());
}
