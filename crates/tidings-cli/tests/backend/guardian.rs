//! The process that ends a command and all that it has started, spoken to as tidings does.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::marked::{Marked, until_gone};
use super::support::program::PATIENCE;

/// A guardian with its command, which is a script for `sh`.
struct Guarded {
    guardian: Child,
    orders: Option<UnixStream>,
    reports: BufReader<UnixStream>,
}

impl Guarded {
    fn run(marked: &Marked, script: &str, keep_daemons: bool) -> Guarded {
        Guarded::argv(marked, &["sh", "-c", script], 300, keep_daemons)
    }

    fn argv(marked: &Marked, argv: &[&str], stop_ms: u64, keep_daemons: bool) -> Guarded {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        let guardian = marked
            .mark(&mut Command::new(env!("CARGO_BIN_EXE_tidings")))
            .arg("@guardian")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let argv: Vec<_> = argv.iter().map(|word| word.as_bytes()).collect();
        let assignment = json!({
            "argv": argv,
            "stop_signal": "Term",
            "stop_timeout": {"secs": 0, "nanos": stop_ms * 1_000_000},
            "keep_daemons": keep_daemons,
        });
        writeln!(&ours, "{assignment}").unwrap();
        Guarded {
            guardian,
            reports: BufReader::new(ours.try_clone().unwrap()),
            orders: Some(ours),
        }
    }

    fn report(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.reports.read_line(&mut line).unwrap();
        serde_json::from_str(&line).ok()
    }

    #[track_caller]
    fn spawned(&mut self) {
        let report = self.report().unwrap();
        assert!(report["Spawned"].is_i64(), "{report}");
    }

    /// Tidings is gone: the system closes its end.
    fn leave(&mut self) {
        let orders = self.orders.take().unwrap();
        orders.shutdown(std::net::Shutdown::Write).unwrap();
    }

    fn end(&mut self) {
        assert!(self.guardian.wait().unwrap().success());
    }
}

#[test]
fn an_exit_is_reported_with_its_code_or_signal() {
    for (script, expected) in [
        ("exit 3", json!({"Exited": 3})),
        ("kill -KILL $$", json!({"Signaled": 9})),
    ] {
        let marked = Marked::new();
        let mut guarded = Guarded::run(&marked, script, false);
        guarded.spawned();
        assert_eq!(guarded.report(), Some(expected));
        assert_eq!(guarded.report(), Some(json!("Gone")));
        assert_eq!(guarded.report(), None);
        guarded.end();
    }
}

#[test]
fn a_command_that_cannot_be_run_is_reported_with_the_reason() {
    let marked = Marked::new();
    let mut guarded = Guarded::argv(&marked, &["/nowhere/at/all"], 300, false);
    assert_eq!(guarded.report(), Some(json!({"Failed": "no such program"})));
    guarded.end();
}

/// Children in the group, in a session of their own, daemons of which the parent has ended, and programs
/// that ignore the signal.
const FAMILY: &str = "
    sleep 600 &
    setsid sleep 601 &
    (setsid sh -c 'sleep 602 & sleep 603' &)
    trap '' TERM HUP INT
    sh -c 'trap \"\" TERM HUP; while :; do sleep 604; done' &
    echo ready >&2
    while :; do sleep 605; done";

#[test]
fn when_tidings_is_gone_everything_that_the_command_has_started_ends() {
    let marked = Marked::new();
    let mut guarded = Guarded::run(&marked, FAMILY, false);
    guarded.spawned();
    marked.until_running(&["600", "601", "602", "603", "604", "605"]);
    guarded.leave();
    guarded.end();
    until_gone(&marked);
}

#[test]
fn what_a_command_leaves_behind_ends_after_it() {
    let marked = Marked::new();
    let script = "sleep 600 & (setsid sh -c 'trap \"\" TERM; while :; do sleep 601; done' &)";
    let mut guarded = Guarded::run(&marked, script, false);
    guarded.spawned();
    assert_eq!(guarded.report(), Some(json!({"Exited": 0})));
    assert_eq!(guarded.report(), Some(json!("Gone")));
    guarded.end();
    until_gone(&marked);
}

#[test]
fn a_daemon_of_a_build_tool_lives_until_tidings_ends() {
    let marked = Marked::new();
    let script = "sleep 600 & setsid sleep 601 & exec sh -c 'sleep 0.2; exit 0'";
    let mut guarded = Guarded::run(&marked, script, true);
    guarded.spawned();
    assert_eq!(guarded.report(), Some(json!({"Exited": 0})));
    assert_eq!(guarded.report(), Some(json!("Gone")));
    assert_eq!(marked.running("sleep 600"), 0, "it is in the group");
    assert_eq!(marked.running("sleep 601"), 1);
    guarded.leave();
    guarded.end();
    until_gone(&marked);
}

#[test]
fn who_kills_tidings_by_name_does_not_kill_the_guardian() {
    let marked = Marked::new();
    let mut guarded = Guarded::run(&marked, "sleep 600", false);
    guarded.spawned();
    let id = guarded.guardian.id();
    let name = std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap();
    assert!(!name.contains("tidings"), "{name}");
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let session = fields.split(' ').nth(3).unwrap();
    assert_eq!(session, id.to_string(), "Ctrl-C does not reach it");
    guarded.leave();
    guarded.end();
}

#[test]
fn a_folder_of_that_name_can_be_served() {
    let ended = super::support::program::finished(super::tidings().arg("@guardian"));
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("no such folder"), "{}", ended.err);
}
