//! The contract of [`Engine`], claim by claim, run for every engine there is.
//!
//! A new engine adds one line at the end of this file.
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]

use std::collections::HashSet;
use std::pin::pin;
use std::sync::{Arc, Barrier, Mutex, OnceLock, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use tidings::engine::{Draft, Engine, Memory, Retention, StatusUpdate, Stored, Tail, Wakes};
use tidings::{Cursor, Event, EventId, Hub, Interest, Selector, Seq, Topics};

const PLENTY: Retention = Retention::new().events(1_000_000).bytes(1 << 30);

/// Runs a future to its end in this thread, whatever it waits for.
fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn event(topics: impl Into<Topics>, text: &str) -> Draft {
    Draft::event(topics, Event::data(text))
}

fn with_id(text: &str, id: &str) -> Draft {
    Draft::event("t", Event::data(text).with_id(EventId::new(id).unwrap()))
}

fn with_status(topics: impl Into<Topics>, text: &str, status: &str) -> Draft {
    event(topics, text).with_status(Event::data(status))
}

fn status_alone(topics: impl Into<Topics>, status: &str) -> Draft {
    Draft::status(topics, StatusUpdate::Set(Event::data(status)))
}

fn no_status(topics: impl Into<Topics>) -> Draft {
    Draft::status(topics, StatusUpdate::Remove)
}

fn append(engine: &impl Engine, draft: Draft) -> Seq {
    wait(engine.append(draft)).unwrap().seq
}

fn texts(events: &[Arc<Stored>]) -> Vec<String> {
    events
        .iter()
        .map(|stored| text(stored.frame.bytes()))
        .collect()
}

fn text(frame: &[u8]) -> String {
    let mut text = None;
    let mut parser = tidings::sse::Parser::new();
    parser
        .push(frame, |item| {
            if let tidings::sse::Item::Message(message) = item {
                text = Some(message.data);
            }
        })
        .unwrap();
    text.unwrap()
}

#[track_caller]
fn check_read(
    engine: &impl Engine,
    interest: &Interest,
    (after, limit): (u64, usize),
    expected: &[&str],
    (scanned_to, dropped_to): (u64, u64),
) {
    let page = wait(engine.read(interest, Seq(after), limit)).unwrap();
    assert_eq!(texts(&page.events), expected);
    assert_eq!(page.scanned_to, Seq(scanned_to), "scanned_to");
    assert_eq!(page.dropped_to, Seq(dropped_to), "dropped_to");
}

/// A tail that notes what it hears, and looks into the log while it hears it.
struct Ear {
    engine: OnceLock<Box<dyn Fn(Seq) -> bool + Send + Sync>>,
    heard: Mutex<Vec<Seq>>,
    unreadable: Mutex<Vec<Seq>>,
}

impl Ear {
    fn at(engine: &Arc<impl Engine>) -> Arc<Ear> {
        let ear = Arc::new(Ear {
            engine: OnceLock::new(),
            heard: Mutex::default(),
            unreadable: Mutex::default(),
        });
        let log = Arc::downgrade(engine);
        let readable = move |seq: Seq| {
            let log = log.upgrade().unwrap();
            let page = wait(log.read(&Interest::all(), Seq(seq.0 - 1), 1)).unwrap();
            page.events.first().is_some_and(|first| first.seq == seq)
        };
        let _ = ear.engine.set(Box::new(readable));
        let tail: Arc<dyn Tail> = Arc::clone(&ear) as Arc<dyn Tail>;
        engine.attach(Arc::downgrade(&tail));
        ear
    }
}

impl Tail for Ear {
    fn arrived(&self, events: &[Arc<Stored>]) -> Wakes {
        let readable = self.engine.get().unwrap();
        for stored in events {
            self.heard.lock().unwrap().push(stored.seq);
            if !readable(stored.seq) {
                self.unreadable.lock().unwrap().push(stored.seq);
            }
        }
        Wakes::default()
    }
}

fn an_empty_log_begins_after_its_end<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY);
    let bounds = engine.bounds();
    assert_eq!((bounds.first, bounds.last), (Seq(1), Seq::START));
    check_read(&engine, &Interest::all(), (0, 10), &[], (0, 0));
    let snapshot = wait(engine.snapshot(&Interest::all())).unwrap();
    assert!(snapshot.statuses.is_empty());
    assert_eq!(snapshot.bounds, bounds);
    let unknown = EventId::new("x").unwrap();
    assert_eq!(wait(engine.locate(&unknown)).unwrap(), None);
}

fn positions_rise_by_one<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY);
    for expected in 1..=100 {
        assert_eq!(append(&engine, event("t", "x")), Seq(expected));
    }
    let bounds = engine.bounds();
    assert_eq!((bounds.first, bounds.last), (Seq(1), Seq(100)));
}

fn an_event_keeps_its_own_id_or_gets_that_of_its_position<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY);
    let epoch = engine.bounds().epoch;
    let minted = wait(engine.append(event("t", "x"))).unwrap().id;
    assert_eq!(minted, EventId::mint(epoch, Seq(1)));
    let chosen = wait(engine.append(with_id("y", "mine"))).unwrap().id;
    assert_eq!(chosen.as_str(), "mine");
    let page = wait(engine.read(&Interest::all(), Seq(0), 9)).unwrap();
    let ids: Vec<_> = page.events.iter().map(|stored| stored.id.clone()).collect();
    assert_eq!(ids, [minted, chosen]);
    assert!(page.events[1].frame.bytes().ends_with(b"\nid: mine\n\n"));
}

fn an_append_that_is_not_awaited_does_not_happen<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY);
    drop(engine.append(event("t", "x")));
    assert_eq!(engine.bounds().last, Seq::START);
}

fn the_tail_hears_each_event_once_in_order_when_it_is_readable<E: Engine>(
    make: fn(Retention) -> E,
) {
    const THREADS: usize = 8;
    const EACH: usize = 500;
    let engine = Arc::new(make(PLENTY));
    let ear = Ear::at(&engine);
    let start = Barrier::new(THREADS);
    let mut positions: Vec<Seq> = Vec::new();
    thread::scope(|scope| {
        let appending: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    let own: Vec<Seq> = (0..EACH)
                        .map(|_| append(&*engine, event("t", "x")))
                        .collect();
                    assert!(own.is_sorted(), "one thread's appends keep their order");
                    own
                })
            })
            .collect();
        for appended in appending {
            positions.extend(appended.join().unwrap());
        }
    });
    positions.sort();
    let all: Vec<Seq> = (1..=(THREADS * EACH) as u64).map(Seq).collect();
    assert_eq!(positions, all, "no position is given twice or left out");
    assert_eq!(*ear.heard.lock().unwrap(), all);
    assert_eq!(*ear.unreadable.lock().unwrap(), []);
}

fn a_status_alone_is_nothing_to_the_tail<E: Engine>(make: fn(Retention) -> E) {
    let engine = Arc::new(make(PLENTY));
    let ear = Ear::at(&engine);
    append(&*engine, status_alone("t", "s"));
    append(&*engine, event("t", "x"));
    assert_eq!(*ear.heard.lock().unwrap(), [Seq(1)]);
}

fn a_tail_that_is_gone_does_not_matter<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY);
    let gone: Weak<dyn Tail> = Weak::<Ear>::new();
    engine.attach(gone);
    assert_eq!(append(&engine, event("t", "x")), Seq(1));
}

/// A waker that publishes would wait for ever for a lock that its own caller holds.
fn wakers_run_under_no_lock<E: Engine>(make: fn(Retention) -> E) {
    struct Echo(Hub);
    impl Wake for Echo {
        fn wake(self: Arc<Self>) {
            self.0
                .publish_blocking("echo", Event::data("echo"))
                .unwrap();
        }
    }
    let hub = Hub::new(make(PLENTY));
    let mut reader = wait(hub.subscribe("t", Cursor::Latest)).unwrap();
    let echo = Waker::from(Arc::new(Echo(hub.clone())));
    let mut next = pin!(reader.next());
    assert!(
        next.as_mut()
            .poll(&mut Context::from_waker(&echo))
            .is_pending()
    );
    hub.publish_blocking("t", Event::data("x")).unwrap();
    let (epoch, last) = hub.cursor().minted().unwrap();
    assert_eq!(last, Seq(2), "the event and its echo, in epoch {epoch}");
}

fn read_filters_by_interest<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY);
    append(&engine, event("a", "1"));
    append(&engine, event("b", "2"));
    append(&engine, event(Topics::several(["a", "c"]), "3"));
    append(&engine, event("d", "4"));
    let one_of = |topics: &[&str]| {
        Interest::any_of(topics.iter().map(|topic| Selector::Exact((*topic).into())))
    };
    check_read(&engine, &"a".into(), (0, 9), &["1", "3"], (4, 0));
    check_read(&engine, &one_of(&["b", "c"]), (0, 9), &["2", "3"], (4, 0));
    check_read(&engine, &one_of(&["a", "c"]), (0, 9), &["1", "3"], (4, 0));
    check_read(&engine, &"x".into(), (0, 9), &[], (4, 0));
    check_read(&engine, &one_of(&[]), (0, 9), &[], (4, 0));
    let everything = ["1", "2", "3", "4"];
    check_read(&engine, &Interest::all(), (0, 9), &everything, (4, 0));
}

fn read_gives_pages_that_join_without_seam<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY);
    for n in 1..=20u64 {
        let topic = if n % 3 == 0 { "third" } else { "other" };
        append(&engine, event(topic, &n.to_string()));
    }
    check_read(&engine, &"third".into(), (0, 2), &["3", "6"], (6, 0));
    check_read(&engine, &"third".into(), (6, 2), &["9", "12"], (12, 0));
    check_read(&engine, &"third".into(), (7, 2), &["9", "12"], (12, 0));
    check_read(&engine, &"third".into(), (12, 9), &["15", "18"], (20, 0));
    check_read(&engine, &"third".into(), (20, 9), &[], (20, 0));
    for limit in 1..=7 {
        let mut joined = Vec::new();
        let mut after = Seq::START;
        while after < Seq(20) {
            let page = wait(engine.read(&Interest::all(), after, limit)).unwrap();
            assert!(page.scanned_to > after, "a page gets on");
            assert!(page.events.len() <= limit);
            joined.extend(texts(&page.events));
            after = page.scanned_to;
        }
        let all: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
        assert_eq!(joined, all, "in pages of {limit}");
    }
}

fn read_beyond_the_end_is_empty<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY);
    append(&engine, event("t", "1"));
    check_read(&engine, &Interest::all(), (7, 9), &[], (7, 0));
}

fn retention_by_count_is_told<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY.events(3));
    for n in 1..=5 {
        append(&engine, event("t", &n.to_string()));
    }
    check_read(&engine, &"t".into(), (0, 9), &["3", "4", "5"], (5, 2));
    check_read(&engine, &"x".into(), (0, 9), &[], (5, 0));
    let bounds = engine.bounds();
    assert_eq!((bounds.first, bounds.last), (Seq(3), Seq(5)));
}

fn retention_by_bytes_is_told_and_keeps_the_newest<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY.bytes(1000));
    for _ in 1..=10 {
        append(&engine, event("t", &"x".repeat(300)));
    }
    let page = wait(engine.read(&Interest::all(), Seq(0), 99)).unwrap();
    let kept: usize = page.events.iter().map(|e| e.frame.bytes().len()).sum();
    assert!(kept <= 1000, "{kept} bytes are kept");
    assert_eq!(page.dropped_to.next(), page.events[0].seq);
    assert!(page.events.len() >= 2, "no more is dropped than must be");
    let large = "y".repeat(5000);
    append(&engine, event("t", &large));
    check_read(&engine, &"t".into(), (0, 9), &[&large], (11, 10));
}

fn a_retention_of_nothing_still_keeps_the_newest<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY.events(0).bytes(0));
    append(&engine, event("t", "1"));
    append(&engine, event("t", "2"));
    check_read(&engine, &"t".into(), (0, 9), &["2"], (2, 1));
}

/// Every way to look at the log tells the same age of it.
fn retention_by_age_is_told_everywhere<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY.age(Duration::ZERO));
    append(&engine, with_id("1", "one"));
    let appended_at = std::time::Instant::now();
    while appended_at.elapsed() < Duration::from_millis(2) {
        thread::yield_now();
    }
    let one = EventId::new("one").unwrap();
    assert_eq!(wait(engine.locate(&one)).unwrap(), None);
    let bounds = engine.bounds();
    assert_eq!((bounds.first, bounds.last), (Seq(2), Seq(1)));
    let snapshot = wait(engine.snapshot(&Interest::all())).unwrap();
    assert_eq!(snapshot.bounds, bounds);
    check_read(&engine, &"t".into(), (0, 9), &[], (1, 1));
    assert_eq!(append(&engine, event("t", "2")), Seq(2), "none is reused");
}

fn a_chosen_id_is_located_while_the_log_holds_it<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY.events(3));
    let locate = |id: &str| wait(engine.locate(&EventId::new(id).unwrap())).unwrap();
    append(&engine, with_id("1", "a"));
    append(&engine, with_id("2", "b"));
    append(&engine, with_id("3", "a"));
    assert_eq!(locate("a"), Some(Seq(1)), "the first event that had it");
    assert_eq!(locate("b"), Some(Seq(2)));
    append(&engine, event("t", "4"));
    // A reader that had the first must not be taken for one that has had the second.
    assert_eq!(locate("a"), Some(Seq(1)), "as long as any event has it");
    assert_eq!(locate("b"), Some(Seq(2)));
    append(&engine, event("t", "5"));
    assert_eq!(locate("b"), None, "gone with its only event");
    append(&engine, with_id("6", "b"));
    assert_eq!(locate("b"), Some(Seq(6)), "free to be used again");
    append(&engine, event("t", "7"));
    append(&engine, event("t", "8"));
    assert_eq!(locate("a"), None);
}

fn what_is_dropped_is_told_to_those_who_wanted_it<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY.events(3));
    append(&engine, event("quiet", "1"));
    append(&engine, event(Topics::several(["loud", "both"]), "2"));
    for n in 3..=9 {
        append(&engine, event("loud", &n.to_string()));
    }
    let dropped_to = |interest: &Interest| {
        let page = wait(engine.read(interest, Seq::START, 99)).unwrap();
        page.dropped_to.0
    };
    let one_of = |topics: &[&str]| {
        Interest::any_of(topics.iter().map(|topic| Selector::Exact((*topic).into())))
    };
    assert_eq!(dropped_to(&"quiet".into()), 1);
    assert_eq!(dropped_to(&"both".into()), 2);
    assert_eq!(dropped_to(&"loud".into()), 6);
    assert_eq!(dropped_to(&"never".into()), 0);
    assert_eq!(dropped_to(&one_of(&["quiet", "both"])), 2);
    assert_eq!(dropped_to(&Interest::all()), 6);
    assert_eq!(dropped_to(&one_of(&[])), 0);
}

/// An engine may forget which topics its dropped events were about, but not that there were some.
fn what_was_dropped_about_countless_topics_is_never_denied<E: Engine>(make: fn(Retention) -> E) {
    const TOPICS: u64 = 30_000;
    let engine = make(PLENTY.events(1));
    for n in 1..=TOPICS {
        append(&engine, event(n.to_string().as_str(), "x"));
    }
    for n in 1..TOPICS {
        let interest = Interest::from(n.to_string().as_str());
        let page = wait(engine.read(&interest, Seq::START, 1)).unwrap();
        assert!(page.dropped_to >= Seq(n), "topic {n}: {}", page.dropped_to);
        assert!(page.dropped_to < Seq(TOPICS), "it is still in the log");
    }
}

fn a_status_that_is_removed_is_gone_and_may_be_set_again<E: Engine>(make: fn(Retention) -> E) {
    let engine = Arc::new(make(PLENTY));
    let ear = Ear::at(&engine);
    append(&*engine, with_status(Topics::several(["a", "b"]), "1", "s"));
    assert_eq!(append(&*engine, no_status("a")), Seq(1));
    let topics = || {
        let snapshot = wait(engine.snapshot(&Interest::all())).unwrap();
        let topics = snapshot.statuses.iter().map(|s| s.topic.to_string());
        let mut topics: Vec<_> = topics.collect();
        topics.sort();
        topics
    };
    assert_eq!(topics(), ["b"]);
    append(&*engine, status_alone("a", "again"));
    assert_eq!(topics(), ["a", "b"]);
    assert_eq!(*ear.heard.lock().unwrap(), [Seq(1)], "no event, no news");
}

fn statuses_beyond_the_retention_go_oldest_first<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY.statuses(3));
    for topic in ["a", "b", "c", "a", "d", "e"] {
        append(&engine, status_alone(topic, topic));
    }
    let snapshot = wait(engine.snapshot(&Interest::all())).unwrap();
    let topics = snapshot.statuses.iter().map(|s| s.topic.to_string());
    let mut topics: Vec<_> = topics.collect();
    topics.sort();
    assert_eq!(topics, ["a", "d", "e"]);
}

fn a_status_is_as_of_its_event<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY);
    append(&engine, event("t", "1"));
    append(&engine, with_status("t", "2", "so far 2"));
    append(&engine, event("t", "3"));
    let snapshot = wait(engine.snapshot(&"t".into())).unwrap();
    let [status] = &snapshot.statuses[..] else {
        panic!("one status, not {:?}", snapshot.statuses);
    };
    assert_eq!(status.as_of, Seq(2));
    assert_eq!(text(status.frame.bytes()), "so far 2");
    let id = EventId::mint(snapshot.bounds.epoch, Seq(2));
    let id_line = format!("\nid: {id}\n\n");
    assert!(status.frame.bytes().ends_with(id_line.as_bytes()));
    assert_eq!(snapshot.bounds.last, Seq(3));
}

fn a_status_alone_is_as_of_the_newest_event<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY);
    assert_eq!(append(&engine, status_alone("t", "none")), Seq::START);
    append(&engine, event("t", "1"));
    assert_eq!(append(&engine, status_alone("t", "one")), Seq(1));
    let snapshot = wait(engine.snapshot(&"t".into())).unwrap();
    assert_eq!(snapshot.statuses.len(), 1);
    assert_eq!(snapshot.statuses[0].as_of, Seq(1));
    assert_eq!(text(snapshot.statuses[0].frame.bytes()), "one");
}

fn each_topic_has_a_status_of_its_own<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY);
    append(&engine, with_status("a", "1", "a1"));
    append(
        &engine,
        with_status(Topics::several(["b", "c"]), "2", "bc2"),
    );
    append(&engine, with_status("c", "3", "c3"));
    let statuses = |interest: Interest| {
        let snapshot = wait(engine.snapshot(&interest)).unwrap();
        let mut found: Vec<_> = snapshot
            .statuses
            .iter()
            .map(|s| (s.topic.to_string(), s.as_of.0, text(s.frame.bytes())))
            .collect();
        found.sort();
        found
    };
    let all = [
        ("a".to_owned(), 1, "a1".to_owned()),
        ("b".to_owned(), 2, "bc2".to_owned()),
        ("c".to_owned(), 3, "c3".to_owned()),
    ];
    assert_eq!(statuses(Interest::all()), all);
    assert_eq!(statuses("b".into()), all[1..2]);
    assert_eq!(statuses("x".into()), []);
}

/// What the log drops about other topics must not make a status look old.
fn a_status_outlives_events_that_are_not_its_own<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY.events(2));
    append(&engine, with_status("quiet", "1", "all is quiet"));
    append(&engine, with_status("loud", "2", "as of 2"));
    for n in 3..=9 {
        append(&engine, event("loud", &n.to_string()));
    }
    let snapshot = wait(engine.snapshot(&Interest::all())).unwrap();
    let of = |topic: &str| {
        let mut all = snapshot.statuses.iter();
        all.find(|s| s.topic.as_str() == topic).unwrap()
    };
    assert_eq!(of("loud").as_of, Seq(2), "its own events are gone");
    let quiet = of("quiet");
    let first = snapshot.bounds.first;
    assert!(quiet.as_of.next() >= first, "{:?}", quiet.as_of);
    assert_eq!(text(quiet.frame.bytes()), "all is quiet");
    let id = EventId::mint(snapshot.bounds.epoch, quiet.as_of);
    let id_line = format!("\nid: {id}\n\n");
    assert!(quiet.frame.bytes().ends_with(id_line.as_bytes()));
}

/// Every append sets the status, so in any one moment it is as of the newest event, and says the same.
fn a_snapshot_is_one_moment<E: Engine>(make: fn(Retention) -> E) {
    let engine = make(PLENTY);
    append(&engine, with_status("t", "first", "first"));
    thread::scope(|scope| {
        let appending: Vec<_> = (0..3)
            .map(|thread| {
                let engine = &engine;
                scope.spawn(move || {
                    for n in 0..400 {
                        let text = format!("{thread}-{n}");
                        append(engine, with_status("t", &text, &text));
                    }
                })
            })
            .collect();
        let mut seen = HashSet::new();
        while !appending.iter().all(thread::ScopedJoinHandle::is_finished) {
            let snapshot = wait(engine.snapshot(&"t".into())).unwrap();
            let status = &snapshot.statuses[0];
            assert_eq!(status.as_of, snapshot.bounds.last);
            let before = Seq(status.as_of.0 - 1);
            let page = wait(engine.read(&"t".into(), before, 1)).unwrap();
            assert_eq!(texts(&page.events), [text(status.frame.bytes())]);
            seen.insert(status.as_of);
        }
        assert!(!seen.is_empty());
    });
}

macro_rules! engine_suite {
    ($engine:ident, $make:expr, [$($claim:ident),* $(,)?]) => {
        mod $engine {
            use super::*;
            $(#[test] fn $claim() { super::$claim($make); })*
        }
    };
    ($engine:ident, $make:expr) => {
        engine_suite!($engine, $make, [
            an_empty_log_begins_after_its_end,
            positions_rise_by_one,
            an_event_keeps_its_own_id_or_gets_that_of_its_position,
            an_append_that_is_not_awaited_does_not_happen,
            the_tail_hears_each_event_once_in_order_when_it_is_readable,
            a_status_alone_is_nothing_to_the_tail,
            a_tail_that_is_gone_does_not_matter,
            wakers_run_under_no_lock,
            read_filters_by_interest,
            read_gives_pages_that_join_without_seam,
            read_beyond_the_end_is_empty,
            retention_by_count_is_told,
            retention_by_bytes_is_told_and_keeps_the_newest,
            a_retention_of_nothing_still_keeps_the_newest,
            retention_by_age_is_told_everywhere,
            a_chosen_id_is_located_while_the_log_holds_it,
            what_is_dropped_is_told_to_those_who_wanted_it,
            what_was_dropped_about_countless_topics_is_never_denied,
            a_status_that_is_removed_is_gone_and_may_be_set_again,
            statuses_beyond_the_retention_go_oldest_first,
            a_status_is_as_of_its_event,
            a_status_alone_is_as_of_the_newest_event,
            each_topic_has_a_status_of_its_own,
            a_status_outlives_events_that_are_not_its_own,
            a_snapshot_is_one_moment,
        ]);
    };
}

engine_suite!(memory, Memory::new);

#[test]
fn every_log_in_memory_has_an_epoch_of_its_own() {
    let epochs: HashSet<_> = (0..1000)
        .map(|_| Memory::new(PLENTY).bounds().epoch)
        .collect();
    assert_eq!(epochs.len(), 1000);
}
