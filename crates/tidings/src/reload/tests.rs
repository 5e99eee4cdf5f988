use std::time::Duration;

use super::*;
use crate::delivery::Delivery;
use crate::id::Cursor;
use crate::subscription::Subscription;

pub(super) fn reloader() -> Reloader {
    Reloader::new(Hub::memory(), "/site")
}

pub(super) fn change(path: &str, kind: ChangeKind) -> Change {
    Change {
        path: path.into(),
        kind,
    }
}

pub(super) fn set(newest_ms: u64, changes: &[Change]) -> ChangeSet {
    ChangeSet {
        newest_ms,
        tree: None,
        changes: changes.to_vec(),
        rescan: changes.is_empty(),
    }
}

fn poll<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("still pending"),
    }
}

pub(super) fn subscribe(reloader: &Reloader, from: Cursor) -> Subscription {
    poll(reloader.hub().subscribe(TOPIC, from)).unwrap()
}

#[track_caller]
pub(super) fn check_next(subscription: &mut Subscription, expected: &str) {
    let delivery = poll(subscription.next()).unwrap();
    assert_eq!(delivery.text().as_deref(), Some(expected));
}

#[test]
fn a_new_reader_gets_the_timestamp_then_every_change() {
    let reloader = reloader();
    reloader.ready(1000, None, &[]).unwrap();
    let mut stream = subscribe(&reloader, Cursor::Latest);
    let changes = [
        change("/site/css/a b.css", ChangeKind::Modified),
        change("/site/x", ChangeKind::Removed),
        change("/elsewhere/t.html", ChangeKind::Created),
    ];
    reloader.changed(&set(2000, &changes)).unwrap();
    check_next(&mut stream, r#"{"timestamp":1000}"#);
    check_next(
        &mut stream,
        r#"{"timestamp":2000,"changes":[{"path":"/css/a b.css","kind":"modified"},{"path":"/x","kind":"removed"},{"path":"elsewhere/t.html","kind":"created"}]}"#,
    );
}

#[test]
fn a_change_is_published_with_the_users_that_the_caller_knows() {
    let reloader = reloader().used_by(|change| match change.path.as_str() {
        "/lib.js" => vec!["/worker.js".to_owned(), ANYONE.to_owned()],
        _ => Vec::new(),
    });
    reloader.ready(1, None, &[]).unwrap();
    let mut stream = subscribe(&reloader, Cursor::After(reloader.page_state().cursor));
    let changes = [
        change("/site/lib.js", ChangeKind::Modified),
        change("/site/a.css", ChangeKind::Modified),
    ];
    reloader.changed(&set(2, &changes)).unwrap();
    check_next(
        &mut stream,
        r#"{"timestamp":2,"changes":[{"path":"/lib.js","kind":"modified","usedBy":["/worker.js","*"]},{"path":"/a.css","kind":"modified"}]}"#,
    );
}

#[test]
fn the_timestamp_grows_with_every_change_whatever_the_files_say() {
    let reloader = reloader();
    reloader.ready(1000, None, &[]).unwrap();
    let one = [change("/site/a", ChangeKind::Modified)];
    let timestamps: Vec<_> = [1000, 1000, 900, 5000, 5000]
        .map(|newest| {
            reloader
                .changed(&set(newest, &one))
                .unwrap()
                .unwrap()
                .timestamp
        })
        .into();
    assert_eq!(timestamps, [1001, 1002, 1003, 5000, 5001]);
    // The files' own time is kept as well: it is the one that a restart finds.
    let state = reloader.page_state();
    assert_eq!((state.timestamp, state.newest), (Some(5001), Some(5000)));
    let mut stream = subscribe(&reloader, Cursor::Latest);
    check_next(&mut stream, r#"{"timestamp":5001,"newest":5000}"#);
}

#[test]
fn the_state_after_a_removal_is_the_one_that_a_restart_finds() {
    let reloader = reloader();
    reloader.ready(1000, Some(1), &[]).unwrap();
    // The newest file is gone, so the newest time is older now, and the names have changed.
    let removal = ChangeSet {
        tree: Some(0xfedc_ba98_7654_3210),
        ..set(900, &[change("/site/a", ChangeKind::Removed)])
    };
    reloader.changed(&removal).unwrap();
    let mut stream = subscribe(&reloader, Cursor::Latest);
    check_next(
        &mut stream,
        r#"{"timestamp":1001,"newest":900,"tree":"fedcba9876543210"}"#,
    );
    let state = reloader.page_state();
    assert_eq!((state.newest, state.tree), (Some(900), removal.tree));
}

#[test]
fn a_page_served_before_the_first_walk_is_done_gets_the_timestamp() {
    let reloader = reloader();
    let state = reloader.page_state();
    assert_eq!(state.timestamp, None);
    let mut stream = subscribe(&reloader, Cursor::After(state.cursor));
    reloader.ready(1000, None, &[]).unwrap();
    check_next(&mut stream, r#"{"timestamp":1000}"#);
}

#[test]
fn a_page_that_has_a_change_from_before_the_end_of_the_walk_gets_no_second_event() {
    let reloader = reloader();
    reloader
        .changed(&set(1000, &[change("/site/a", ChangeKind::Modified)]))
        .unwrap();
    let state = reloader.page_state();
    assert!(reloader.ready(1000, None, &[]).unwrap().is_none());
    assert_eq!(reloader.page_state(), state);
}

#[test]
fn a_rescan_is_published_without_a_path() {
    let reloader = reloader();
    let mut stream = subscribe(&reloader, Cursor::Latest);
    reloader.changed(&set(7, &[])).unwrap();
    check_next(&mut stream, r#"{"timestamp":7,"changes":[],"rescan":true}"#);
}

#[test]
fn the_cursor_and_the_timestamp_of_a_page_always_match() {
    let reloader = Arc::new(reloader());
    reloader.ready(1, None, &[]).unwrap();
    let other = Arc::clone(&reloader);
    let publisher = std::thread::spawn(move || {
        for _ in 0..2000 {
            other.changed(&set(1, &[])).unwrap();
        }
    });
    while !publisher.is_finished() {
        let state = reloader.page_state();
        // The first event has timestamp 1, each later one 1 more.
        let (_, seq) = state.cursor.minted().unwrap();
        assert_eq!(state.timestamp, Some(seq.0));
    }
    publisher.join().unwrap();
}

#[test]
fn a_closed_hub_is_an_error_not_a_panic() {
    let reloader = reloader();
    poll(reloader.hub().close(Duration::ZERO));
    assert!(reloader.ready(1, None, &[]).is_err());
}

#[test]
fn the_script_element_holds_any_path_in_ascii() {
    let state = PageState {
        cursor: EventId::new("00.7").unwrap(),
        timestamp: Some(5),
        newest: None,
        tree: Some(0xab),
        problem: None,
        paused: None,
        options: Arc::default(),
    };
    let element = |page, own_policy| {
        let element = ScriptElement::new("/c.js", "/s", &state, page);
        element.own_policy(own_policy).to_string()
    };
    assert_eq!(
        element(PageKind::File("/é \"><script>%.html"), false),
        r#"<script src="/c.js" data-stream="/s" data-cursor="00.7" data-timestamp="5" data-tree="00000000000000ab" data-file="/%C3%A9%20%22%3E%3Cscript%3E%25.html"></script>"#
    );
    assert!(element(PageKind::Missing, true).ends_with(r#" data-missing data-policy></script>"#));
    assert!(element(PageKind::Listing("/d/"), false).ends_with(r#" data-listing="/d/"></script>"#));
}

#[test]
fn a_reader_from_another_log_gets_a_gap_and_the_status() {
    let reloader = reloader();
    reloader.ready(9, None, &[]).unwrap();
    let foreign = EventId::new("0123456789ab.3").unwrap();
    let mut stream = subscribe(&reloader, Cursor::After(foreign));
    assert!(matches!(poll(stream.next()), Some(Delivery::Gap(_))));
    check_next(&mut stream, r#"{"timestamp":9}"#);
}

fn problem(text: &str) -> Problem {
    Problem::new(ProblemKind::BuildFailed, "Failed", text)
}

/// The event of a problem, with the cursor before it as its id.
fn problem_json(id: &EventId, rest: &str) -> String {
    format!(
        r#"{rest}"problem":{{"id":"{id}","kind":"build_failed","title":"Failed","text":[["x\n"]]}}}}"#
    )
}

#[test]
fn a_problem_is_published_and_is_in_the_status_and_moves_no_timestamp() {
    let reloader = reloader();
    reloader.ready(1000, None, &[]).unwrap();
    let before = reloader.page_state();
    let mut open = subscribe(&reloader, Cursor::After(before.cursor.clone()));
    assert!(reloader.set_problem(Some(problem("x"))).unwrap().is_some());
    let shown = problem_json(&before.cursor, r#"{"timestamp":1000,"#);
    check_next(&mut open, &shown);
    check_next(&mut subscribe(&reloader, Cursor::Latest), &shown);
    assert_eq!(reloader.page_state().timestamp, Some(1000));

    assert!(reloader.set_problem(None).unwrap().is_some());
    check_next(&mut open, r#"{"timestamp":1000}"#);
    let mut newcomer = subscribe(&reloader, Cursor::Latest);
    check_next(&mut newcomer, r#"{"timestamp":1000}"#);
}

#[test]
fn the_same_problem_again_is_not_published() {
    let reloader = reloader();
    assert!(reloader.set_problem(None).unwrap().is_none());
    assert!(reloader.set_problem(Some(problem("x"))).unwrap().is_some());
    let state = reloader.page_state();
    assert!(reloader.set_problem(Some(problem("x"))).unwrap().is_none());
    assert_eq!(reloader.page_state(), state);
    assert!(reloader.set_problem(Some(problem("y"))).unwrap().is_some());
    assert_ne!(reloader.page_state(), state);
}

#[test]
fn a_change_does_not_repeat_the_problem_but_its_status_has_it() {
    let reloader = reloader();
    reloader.ready(1000, None, &[]).unwrap();
    let before = reloader.page_state();
    reloader.set_problem(Some(problem("x"))).unwrap();
    let mut open = subscribe(&reloader, Cursor::After(reloader.page_state().cursor));
    let one = [change("/site/a", ChangeKind::Modified)];
    reloader.changed(&set(2000, &one)).unwrap();
    check_next(
        &mut open,
        r#"{"timestamp":2000,"changes":[{"path":"/a","kind":"modified"}]}"#,
    );
    let mut newcomer = subscribe(&reloader, Cursor::Latest);
    check_next(
        &mut newcomer,
        &problem_json(&before.cursor, r#"{"timestamp":2000,"#),
    );
}

#[test]
fn a_problem_before_the_first_walk_is_done_stays_when_it_is() {
    let reloader = reloader();
    let before = reloader.page_state();
    reloader.set_problem(Some(problem("x"))).unwrap();
    let mut open = subscribe(&reloader, Cursor::After(before.cursor.clone()));
    check_next(&mut open, &problem_json(&before.cursor, "{"));
    reloader.ready(1000, None, &[]).unwrap();
    check_next(
        &mut open,
        &problem_json(&before.cursor, r#"{"timestamp":1000,"#),
    );
}

#[test]
fn a_restart_ends_the_problem_and_moves_the_timestamp_but_not_that_of_the_files() {
    let reloader = reloader();
    reloader.ready(1000, None, &[]).unwrap();
    reloader.set_problem(Some(problem("x"))).unwrap();
    let state = reloader.page_state();
    let mut open = subscribe(&reloader, Cursor::After(state.cursor));
    reloader.restarted().unwrap();
    check_next(
        &mut open,
        r#"{"timestamp":1001,"newest":1000,"restarted":true}"#,
    );
    let mut newcomer = subscribe(&reloader, Cursor::Latest);
    check_next(&mut newcomer, r#"{"timestamp":1001,"newest":1000}"#);
    assert_eq!(reloader.page_state().problem, None);
}

#[test]
fn a_restart_before_the_first_walk_is_done_leaves_the_timestamp_to_the_walk() {
    let reloader = reloader();
    let mut open = subscribe(&reloader, Cursor::After(reloader.page_state().cursor));
    reloader.restarted().unwrap();
    check_next(&mut open, r#"{"restarted":true}"#);
    reloader.ready(1000, None, &[]).unwrap();
    check_next(&mut open, r#"{"timestamp":1000}"#);
}

#[test]
fn a_page_carries_the_problem_whatever_is_in_it() {
    let reloader = reloader();
    let text = "\x1b[31m\"'><script>\u{e9}&\u{2028}";
    reloader.set_problem(Some(problem(text))).unwrap();
    let state = reloader.page_state();
    let element = ScriptElement::new("/c.js", "/s", &state, PageKind::Waiting).to_string();
    assert!(element.is_ascii());
    let (_, rest) = element
        .split_once(r#" data-waiting data-problem="{&quot;id&quot;:&quot;"#)
        .unwrap();
    assert!(
        rest.ends_with(r#"[[&quot;\&quot;'&gt;&lt;script&gt;&#xe9;&amp;&#x2028;&quot;,&quot;fg1&quot;],[&quot;\n&quot;]]}"></script>"#),
        "{rest}"
    );
}

#[test]
fn a_change_carries_its_text_as_far_as_the_limit_allows() {
    let reloader = reloader().texts(|change| match change.path.as_str() {
        "/a.css" => Some(ChangedText::sheet("a { }")),
        "/large.css" => Some(ChangedText::sheet("-".repeat(texts::LIMIT_BYTES - 4))),
        "/b.html" => Some(ChangedText::page(
            "\n\"",
            PageHead::of(&http::HeaderMap::new()),
        )),
        _ => None,
    });
    reloader.ready(1, None, &[]).unwrap();
    let mut stream = subscribe(&reloader, Cursor::After(reloader.page_state().cursor));
    let changes = ["a.css", "large.css", "b.html", "c.js"]
        .map(|name| change(&format!("/site/{name}"), ChangeKind::Modified));
    let published = reloader.changed(&set(2, &changes)).unwrap().unwrap();
    check_next(
        &mut stream,
        r#"{"timestamp":2,"changes":[{"path":"/a.css","kind":"modified","text":"a { }"},{"path":"/large.css","kind":"modified"},{"path":"/b.html","kind":"modified","text":"\n\"","head":"cbf29ce484222325"},{"path":"/c.js","kind":"modified"}]}"#,
    );
    let listed = serde_json::to_string(&published.changes[0]).unwrap();
    assert_eq!(listed, r#"{"path":"/a.css","kind":"modified"}"#);
}
