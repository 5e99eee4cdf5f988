//! What is left behind: nothing. Claims that need a look inside.

use std::pin::Pin;
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::delivery::{Delivery, GapReason};
use crate::engine::{Appended, Bounds, Page, Snapshot, Tail};
use crate::fanout::FINISHED_TOPICS;
use crate::id::Seq;
use crate::topic::Selector;

fn poll<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a log in memory answers at once"),
    }
}

fn subscribe(hub: &Hub, interest: impl Into<Interest>) -> Subscription {
    poll(hub.subscribe(interest, Cursor::Latest)).unwrap()
}

fn publish(hub: &Hub, topic: &str, text: &str) {
    hub.publish_blocking(topic, Event::data(text)).unwrap();
}

#[track_caller]
fn check_nothing_left(hub: &Hub) {
    let stats = hub.stats();
    assert_eq!(stats.open, 0);
    assert_eq!(stats.opened, stats.closed);
    assert!(hub.streams().is_empty());
    assert_eq!(hub.core.channels.n_channels(), 0);
}

#[test]
fn thousands_of_readers_leave_nothing_behind() {
    const THREADS: usize = 8;
    const EACH: u64 = 1000;
    let hub = Hub::memory();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for n in 0..THREADS {
            let (hub, start) = (&hub, &start);
            scope.spawn(move || {
                start.wait();
                let mut kept = std::collections::VecDeque::new();
                for round in 0..EACH {
                    let mut reader = match round % 4 {
                        0 => subscribe(hub, "same"),
                        1 => subscribe(hub, format!("{n}").as_str()),
                        2 => subscribe(hub, Interest::all()),
                        _ => subscribe(
                            hub,
                            Interest::any_of(
                                ["same", "b"].map(|topic| Selector::Exact(topic.into())),
                            ),
                        ),
                    };
                    publish(hub, "same", "x");
                    // With its waker kept, as by a task that waits.
                    let next = pin!(reader.next()).poll(&mut Context::from_waker(Waker::noop()));
                    assert_eq!(next.is_ready(), round % 4 != 1);
                    kept.push_back(reader);
                    if kept.len() > 20 {
                        kept.pop_front();
                    }
                }
            });
        }
    });
    check_nothing_left(&hub);
    assert_eq!(hub.stats().opened, THREADS as u64 * EACH);
}

#[test]
fn readers_who_want_the_same_share_one_channel() {
    let hub = Hub::memory();
    let one = subscribe(&hub, "a");
    let other = subscribe(&hub, "a");
    assert_eq!(hub.core.channels.n_channels(), 1);
    drop(one);
    assert_eq!(hub.core.channels.n_channels(), 1);
    drop(other);
    check_nothing_left(&hub);
}

#[test]
fn a_subscription_that_is_given_up_half_way_leaves_nothing_behind() {
    let hub = Hub::memory();
    hub.set_status_callback("slow", std::future::pending);
    let mut subscribing = Box::pin(hub.subscribe("slow", Cursor::Latest));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(subscribing.as_mut().poll(&mut cx).is_pending());
    drop(subscribing);
    check_nothing_left(&hub);
}

/// The channel's window is the only memory that a reader who never reads could hold.
#[test]
fn a_reader_that_never_reads_holds_a_bounded_window() {
    #[track_caller]
    fn check(size: usize, n: usize, kept: usize) {
        let hub = Hub::memory();
        let _asleep = subscribe(&hub, "t");
        let (channel, reader) = hub.core.channels.enter(&"t".into());
        for _ in 0..n {
            publish(&hub, "t", &"x".repeat(size));
        }
        let last = hub.core.engine.bounds().last;
        let from = Seq(last.0 - kept as u64);
        assert_eq!(channel.events_after(from).map(|e| e.len()), Some(kept));
        if let Some(older) = from.0.checked_sub(1) {
            assert!(channel.events_after(Seq(older)).is_none());
        }
        hub.core.channels.leave(&channel, reader);
    }
    check(100, 200, 200);
    check(100, 256, 256);
    check(100, 5000, 256);
    // Its frame is some bytes larger, so that fewer than 262 fit into 256 KiB.
    check(1000, 5000, 254);
    check(10_000, 100, 26);
    // The newest is kept whatever its size.
    check(300_000, 10, 1);
}

/// A place in a channel is given away again; an old id must not reach who has it now.
#[test]
fn disconnect_never_hits_a_newcomer_by_an_old_id() {
    let hub = &Hub::memory();
    thread::scope(|scope| {
        for _ in 0..4 {
            let (ids, of_old) = std::sync::mpsc::channel();
            // Ends the old stream again and again, until the hub knows of it no more.
            scope.spawn(move || of_old.iter().for_each(|id| while hub.disconnect(id) {}));
            scope.spawn(move || {
                for _ in 0..500 {
                    let old = subscribe(hub, "t");
                    let _ = ids.send(old.id());
                    drop(old);
                    let mut newcomer = subscribe(hub, "t");
                    thread::yield_now();
                    let mut cx = Context::from_waker(Waker::noop());
                    let waits = pin!(newcomer.next()).poll(&mut cx).is_pending();
                    assert!(waits, "nobody has ended the newcomer");
                }
            });
        }
    });
    check_nothing_left(hub);
}

/// Publishing while a publish runs, leaving while being woken: a waker may do anything.
#[test]
fn a_waker_may_use_the_hub() {
    struct Leaver(Hub, Mutex<Option<Subscription>>);
    impl Wake for Leaver {
        fn wake(self: Arc<Leaver>) {
            let _ = self.0.stats();
            self.0.disconnect_all(Duration::ZERO);
            drop(self.1.lock().unwrap().take());
            let _ = poll(self.0.subscribe("t", Cursor::Latest));
        }
    }
    let hub = Hub::memory();
    let mut reader = subscribe(&hub, "t");
    let other = subscribe(&hub, "t");
    let leaver = Arc::new(Leaver(hub.clone(), Mutex::new(Some(other))));
    let waker = Waker::from(Arc::clone(&leaver));
    let mut cx = Context::from_waker(&waker);
    assert!(pin!(reader.next()).poll(&mut cx).is_pending());
    publish(&hub, "t", "x");
    assert!(leaver.1.lock().unwrap().is_none(), "it was woken");
    drop((reader, waker, leaver));
    check_nothing_left(&hub);
}

/// Waits for something that another thread is about to do, and gives up only when it surely hangs.
#[track_caller]
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        thread::yield_now();
    }
}

#[test]
fn the_clock_ends_with_its_hub() {
    let hub = Hub::with_keep_alive(Memory::new(Retention::default()), Duration::from_secs(3600));
    let reader = subscribe(&hub, "t");
    assert_eq!(
        Arc::strong_count(&hub.core.clock),
        1,
        "no stream has asked for it"
    );
    reader.keep_alive();
    reader.keep_alive();
    let clock = Arc::clone(&hub.core.clock);
    assert_eq!(Arc::strong_count(&clock), 3, "hub, thread and this test");
    drop(hub);
    assert_eq!(
        Arc::strong_count(&clock),
        3,
        "the subscription holds the hub"
    );
    drop(reader);
    wait_until("the thread has left", || Arc::strong_count(&clock) == 1);
}

#[test]
fn the_clock_does_not_keep_its_hub_alive() {
    let hub = Hub::with_keep_alive(Memory::new(Retention::default()), Duration::from_millis(2));
    subscribe(&hub, "t").keep_alive();
    let inner = Arc::downgrade(&hub.core);
    let clock = Arc::clone(&hub.core.clock);
    drop(hub);
    wait_until("the hub is gone", || inner.strong_count() == 0);
    wait_until("the thread has left", || Arc::strong_count(&clock) == 1);
}

#[test]
fn a_reader_of_deliveries_gets_no_keep_alive() {
    let hub = Hub::with_keep_alive(Memory::new(Retention::default()), Duration::from_secs(3600));
    let mut reader = subscribe(&hub, "t");
    let mut cx = Context::from_waker(Waker::noop());
    hub.core.channels.keep_alive(Instant::now()).wake();
    let next = Pin::new(&mut reader);
    assert!(futures_core::Stream::poll_next(next, &mut cx).is_pending());
}

type Interruption = Mutex<Option<Box<dyn FnOnce(&Memory) + Send>>>;

/// A log in which something happens at the worst moment.
struct Interrupted {
    memory: Arc<Memory>,
    after_bounds: Interruption,
    before_read: Interruption,
}

impl Interrupted {
    fn run(&self, interruption: &Interruption) {
        let run = interruption.lock().unwrap().take();
        run.into_iter().for_each(|run| run(&self.memory));
    }
}

impl Engine for Interrupted {
    fn append(&self, draft: Draft) -> BoxFuture<'_, Result<Appended, EngineError>> {
        self.memory.append(draft)
    }

    fn read(
        &self,
        interest: &Interest,
        after: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, EngineError>> {
        self.run(&self.before_read);
        self.memory.read(interest, after, limit)
    }

    fn snapshot(&self, interest: &Interest) -> BoxFuture<'_, Result<Snapshot, EngineError>> {
        self.memory.snapshot(interest)
    }

    fn locate(&self, id: &EventId) -> BoxFuture<'_, Result<Option<Seq>, EngineError>> {
        self.memory.locate(id)
    }

    fn bounds(&self) -> Bounds {
        let bounds = self.memory.bounds();
        self.run(&self.after_bounds);
        bounds
    }

    fn attach(&self, tail: std::sync::Weak<dyn Tail>) {
        self.memory.attach(tail);
    }
}

fn append(memory: &Memory, topic: &str, text: &str) {
    poll(memory.append(Draft::event(topic, Event::data(text)))).unwrap();
}

#[test]
fn an_event_that_arrives_while_the_hub_is_made_is_not_lost() {
    let memory = Arc::new(Memory::new(Retention::default()));
    let beginning = EventId::mint(memory.bounds().epoch, Seq::START);
    let hub = Hub::new(Interrupted {
        memory,
        after_bounds: Mutex::new(Some(Box::new(|memory| append(memory, "t", "early")))),
        before_read: Mutex::default(),
    });
    let mut reader = poll(hub.subscribe("t", Cursor::After(beginning))).unwrap();
    let first = poll(reader.next()).unwrap();
    assert_eq!(first.text().as_deref(), Some("early"));
}

/// The newcomer has the statuses already, and needs the events between them, when the log drops some.
#[test]
fn what_is_dropped_between_two_statuses_is_told() {
    let memory = Arc::new(Memory::new(Retention::new().events(5)));
    let hub = Hub::new(Interrupted {
        memory,
        after_bounds: Mutex::default(),
        before_read: Mutex::new(Some(Box::new(|memory| {
            (4..=12).for_each(|n| append(memory, "a", &n.to_string()));
        }))),
    });
    let set = |topic, status: &str| poll(hub.set_status(topic, Event::data(status))).unwrap();
    set("a", "a: nothing");
    publish(&hub, "a", "1");
    publish(&hub, "a", "2");
    publish(&hub, "b", "3");
    set("b", "b: 3");
    let both = Interest::any_of(["a", "b"].map(|topic| Selector::Exact(topic.into())));
    let mut reader = subscribe(&hub, both);
    let Some(Delivery::Gap(gap)) = poll(reader.next()) else {
        panic!("1 and 2 are gone");
    };
    assert_eq!(gap.reason, GapReason::Expired);
    let texts: Vec<_> = (0..7)
        .map(|_| poll(reader.next()).unwrap().text())
        .collect();
    let expected = ["a: nothing", "b: 3", "8", "9", "10", "11", "12"];
    assert_eq!(texts, expected.map(|text| Some(text.to_owned())));
    assert_eq!(hub.stats().gaps, 1);
}

#[test]
fn no_duration_is_too_long() {
    let hub = Hub::with_keep_alive(Memory::new(Retention::default()), Duration::MAX);
    let mut never = subscribe(&hub, "t");
    never.keep_alive();
    hub.disconnect_all(Duration::MAX);
    let mut closing = Box::pin(hub.close(Duration::MAX));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(closing.as_mut().poll(&mut cx).is_pending());
    assert!(pin!(never.next()).poll(&mut cx).is_pending());
    // The clock is still there, for what has an end.
    hub.disconnect_all(Duration::from_millis(1));
    assert!(block_on(never.next()).is_none());
    drop(never);
    assert!(closing.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn a_waker_that_panics_does_not_stop_the_clock_for_good() {
    struct Panicking;
    impl Wake for Panicking {
        fn wake(self: Arc<Self>) {
            panic!("as planned");
        }
    }
    let hub = Hub::with_keep_alive(Memory::new(Retention::default()), Duration::from_millis(2));
    let mut reader = subscribe(&hub, "t");
    let waker = Waker::from(Arc::new(Panicking));
    let mut cx = Context::from_waker(&waker);
    assert!(reader.poll_bytes(&mut cx).is_pending());
    reader.keep_alive();
    wait_until("the thread has left", || {
        Arc::strong_count(&hub.core.clock) == 1
    });
    hub.disconnect_all(Duration::from_millis(1));
    assert!(block_on(reader.next()).is_none());
}

#[test]
fn finished_topics_do_not_pile_up() {
    let hub = Hub::memory();
    let n_topics = 2 * FINISHED_TOPICS;
    for n in 0..n_topics {
        hub.finish(n.to_string());
    }
    assert_eq!(hub.core.finished().len(), FINISHED_TOPICS);
    assert!(hub.is_finished(&(n_topics - 1).to_string().as_str().into()));
    assert!(!hub.is_finished(&"0".into()));
}
