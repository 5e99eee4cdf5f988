//! The seam between the log and what is live, under load, by every way a reader can come to it.
//!
//! > A subscription never yields an event at or before its cursor, and never skips one it may read.
//! > Where it cannot keep that promise, it says so in the stream.
//!
//! Every claim is checked at both doors: deliveries as values, and bytes as a browser parses them.
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use tidings::engine::{Memory, Retention};
use tidings::http::SseBody;
use tidings::sse::{Item, Message, Parser};
use tidings::{
    AsOf, Cursor, Delivery, Event, EventId, GapReason, Hub, Interest, PublishError, Selector, Seq,
    Start, SubscribeError, Subscription,
};

/// Far more than any wait here takes; only a hang reaches it.
const LONG: Duration = Duration::from_secs(60);

fn retaining(events: usize) -> Hub {
    Hub::new(Memory::new(Retention {
        events,
        bytes: 1 << 30,
        age: None,
    }))
}

fn seq_of(id: &EventId) -> Seq {
    id.minted().unwrap().1
}

fn topics(topics: &[&str]) -> Interest {
    Interest::any_of(topics.iter().map(|topic| Selector::Exact((*topic).into())))
}

/// What a reader gets, whichever door it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Got {
    Status(String),
    Event(String),
    Gap(String),
}

/// Statuses are told apart from events by this prefix, since on the wire both are messages.
const STATUS: &str = "status ";

fn status(text: impl std::fmt::Display) -> Event {
    Event::data(format!("{STATUS}{text}"))
}

impl Got {
    fn from_message(message: Message) -> Got {
        if message.name == "gap" {
            return Got::Gap(message.data);
        }
        match message.data.strip_prefix(STATUS) {
            Some(status) => Got::Status(status.to_owned()),
            None => Got::Event(message.data),
        }
    }
}

/// One client over all its connections: it remembers the id that a browser would send.
enum Door {
    Values,
    Bytes,
}

struct Client {
    hub: Hub,
    interest: Interest,
    door: Door,
    held: Option<EventId>,
    stream: Option<Stream>,
}

enum Stream {
    Values(Subscription),
    Bytes(SseBody, Box<Parser>, VecDeque<(Got, String)>),
}

impl Client {
    fn new(hub: &Hub, interest: impl Into<Interest>, door: Door) -> Client {
        Client {
            hub: hub.clone(),
            interest: interest.into(),
            door,
            held: None,
            stream: None,
        }
    }

    async fn connect(&mut self) {
        let from = self.held.clone().map_or(Cursor::Latest, Cursor::After);
        self.connect_from(from).await;
    }

    async fn connect_from(&mut self, from: Cursor) {
        let subscribed = self.hub.subscribe(self.interest.clone(), from).await;
        let subscription = subscribed.unwrap();
        self.stream = Some(match self.door {
            Door::Values => Stream::Values(subscription),
            Door::Bytes => Stream::Bytes(
                SseBody::from(subscription),
                Box::new(Parser::new()),
                VecDeque::new(),
            ),
        });
    }

    fn disconnect(&mut self) {
        self.stream = None;
    }

    async fn next(&mut self) -> Option<Got> {
        tokio::time::timeout(LONG, self.next_now()).await.unwrap()
    }

    async fn next_now(&mut self) -> Option<Got> {
        match self.stream.as_mut().unwrap() {
            Stream::Values(subscription) => {
                let got = match subscription.next().await? {
                    Delivery::Status(_, frame) => Got::from_message(message(frame.bytes())),
                    Delivery::Event(stored) => Got::from_message(message(stored.frame.bytes())),
                    Delivery::Gap(gap) => Got::Gap(gap.reason.as_str().to_owned()),
                    other => panic!("{other:?}"),
                };
                if let Cursor::After(id) = subscription.cursor() {
                    self.held = Some(id);
                }
                Some(got)
            }
            Stream::Bytes(body, parser, queue) => {
                while queue.is_empty() {
                    let bytes = body.frame().await?.unwrap().into_data().unwrap();
                    let tell = |item| {
                        if let Item::Message(message) = item {
                            let id = message.last_event_id.clone();
                            queue.push_back((Got::from_message(message), id));
                        }
                    };
                    parser.push(&bytes, tell).unwrap();
                    if queue.is_empty() && !parser.last_event_id().is_empty() {
                        self.held = Some(EventId::new(parser.last_event_id()).unwrap());
                    }
                }
                let (got, id) = queue.pop_front().unwrap();
                if !id.is_empty() {
                    self.held = Some(EventId::new(id).unwrap());
                }
                Some(got)
            }
        }
    }
}

fn message(frame: &[u8]) -> Message {
    let mut found = None;
    let tell = |item| {
        if let Item::Message(message) = item {
            found = Some(message);
        }
    };
    Parser::new().push(frame, tell).unwrap();
    found.unwrap()
}

/// Small and repeatable enough: what differs between two runs is the scheduler anyway.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Waits, without a clock, until the log has moved on by this many events or publishing is over.
async fn until_log_moves(hub: &Hub, by: u64, done: &AtomicBool) {
    until_log_is_at(hub, seq_of(&hub.cursor()).0 + by, done).await;
}

async fn until_log_is_at(hub: &Hub, to: u64, done: &AtomicBool) {
    while seq_of(&hub.cursor()).0 < to && !done.load(Ordering::Acquire) {
        tokio::task::yield_now().await;
    }
}

// ---------------------------------------------------------------- (a) order

async fn every_reader_gets_the_logs_order(door: fn() -> Door) {
    const PUBLISHERS: usize = 4;
    const EACH: usize = 1000;
    const READERS: u64 = 18;
    let hub = retaining(1_000_000);
    let done = Arc::new(AtomicBool::new(false));
    // The place everyone begins to count from: the first event that each of them gets.
    let readers: Vec<_> = (0..READERS)
        .map(|reader| {
            let (hub, done, door) = (hub.clone(), Arc::clone(&done), door());
            tokio::spawn(async move {
                let mut dice = Dice(reader + 1);
                until_log_moves(&hub, dice.below(2000), &done).await;
                let mut client = Client::new(&hub, "t", door);
                let first = match reader % 3 {
                    0 => Cursor::Earliest,
                    1 => Cursor::After(hub.cursor()),
                    _ => Cursor::Latest,
                };
                client.connect_from(first).await;
                let mut got = Vec::new();
                loop {
                    match client.next().await.unwrap() {
                        Got::Event(text) if text == "end" => return got,
                        Got::Event(text) => got.push(text),
                        other => panic!("{other:?}"),
                    }
                    match dice.below(400) {
                        // Out of the window, and back by way of the log.
                        0 => until_log_moves(&hub, 600, &done).await,
                        // Gone for a while, and back by id.
                        1 | 2 => {
                            client.disconnect();
                            until_log_moves(&hub, dice.below(500), &done).await;
                            client.connect().await;
                        }
                        3..20 => tokio::task::yield_now().await,
                        _ => {}
                    }
                }
            })
        })
        .collect();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let hub = hub.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    let event = Event::data(format!("{publisher}-{n}"));
                    hub.publish("t", event).await.unwrap();
                    hub.publish("other", Event::data("x")).await.unwrap();
                    if n % 64 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    done.store(true, Ordering::Release);
    hub.publish("t", Event::data("end")).await.unwrap();

    let mut log = Vec::new();
    let mut all = Client::new(&hub, "t", Door::Values);
    all.connect_from(Cursor::Earliest).await;
    while let Some(Got::Event(text)) = all.next().await {
        if text == "end" {
            break;
        }
        log.push(text);
    }
    assert_eq!(log.len(), PUBLISHERS * EACH);
    for (reader, got) in readers.into_iter().enumerate() {
        let got = tokio::time::timeout(LONG, got).await.unwrap().unwrap();
        // From where it began to the end: order, no gap and no double are one claim.
        let from = log.len().checked_sub(got.len()).unwrap();
        assert!(got == log[from..], "reader {reader} from {from}");
        if reader % 3 == 0 {
            assert_eq!(from, 0, "who asks for all gets all");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_reader_gets_the_logs_order_as_values() {
    every_reader_gets_the_logs_order(|| Door::Values).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_reader_gets_the_logs_order_as_bytes() {
    every_reader_gets_the_logs_order(|| Door::Bytes).await;
}

// ---------------------------------------------------------------- (b) status

/// How the state and its changes are made one.
#[derive(Clone, Copy)]
enum Keep {
    /// The publisher hands the status over with each event.
    Published,
    /// A callback makes it for each newcomer.
    Made,
}

/// A number that several threads count up: the event is the new value, and so is the status.
struct Counter {
    hub: Hub,
    topic: &'static str,
    keep: Keep,
    value: Arc<Mutex<u64>>,
}

impl Counter {
    fn new(hub: &Hub, topic: &'static str, keep: Keep) -> Arc<Counter> {
        let value = Arc::new(Mutex::new(0));
        match keep {
            Keep::Published => {
                let first = status(format!("{topic}:0"));
                hub.publish_with_status_blocking(topic, Event::data(format!("{topic}:0")), first)
                    .unwrap();
            }
            Keep::Made => {
                let (value, from) = (Arc::clone(&value), hub.clone());
                // A callback that holds the hub keeps it alive; here both end with the test.
                hub.make_status(topic, move || {
                    let value = value.lock().unwrap();
                    let made = AsOf {
                        status: status(format!("{topic}:{value}")),
                        as_of: from.cursor(),
                    };
                    drop(value);
                    async { Ok(made) }
                });
            }
        }
        Arc::new(Counter {
            hub: hub.clone(),
            topic,
            keep,
            value,
        })
    }

    fn count(&self) {
        let mut value = self.value.lock().unwrap();
        *value += 1;
        let text = format!("{}:{value}", self.topic);
        let event = Event::data(text.as_str());
        match self.keep {
            Keep::Made => self.hub.publish_blocking(self.topic, event),
            Keep::Published => {
                let status = status(text);
                self.hub
                    .publish_with_status_blocking(self.topic, event, status)
            }
        }
        .unwrap();
    }
}

async fn a_status_and_what_follows_are_exact(kept: &[(&'static str, Keep)], door: fn() -> Door) {
    const THREADS: u64 = 3;
    const EACH: u64 = 1000;
    const TOTAL: u64 = THREADS * EACH;
    let hub = retaining(1_000_000);
    let counters: Vec<_> = kept
        .iter()
        .map(|(topic, keep)| Counter::new(&hub, topic, *keep))
        .collect();
    let interest = topics(&kept.iter().map(|(topic, _)| *topic).collect::<Vec<_>>());
    let n_joined = Arc::new(AtomicU64::new(0));
    let publishing: Vec<_> = (0..THREADS)
        .map(|_| {
            let counters = counters.clone();
            let n_joined = Arc::clone(&n_joined);
            std::thread::spawn(move || {
                for n in 0..EACH {
                    // Publishing goes on as long as newcomers come, so that they meet it.
                    while n > EACH / 2 && n_joined.load(Ordering::Acquire) < 60 {
                        std::thread::yield_now();
                    }
                    counters.iter().for_each(|counter| counter.count());
                }
            })
        })
        .collect();
    let done = Arc::new(AtomicBool::new(false));
    let newcomers: Vec<_> = (0..60u64)
        .map(|newcomer| {
            let (hub, interest, door) = (hub.clone(), interest.clone(), door());
            let (done, n_joined) = (Arc::clone(&done), Arc::clone(&n_joined));
            let n_topics = kept.len();
            tokio::spawn(async move {
                // All of them before publishing stops to wait for them.
                until_log_is_at(&hub, 17 * newcomer, &done).await;
                let mut client = Client::new(&hub, interest, door);
                client.connect().await;
                n_joined.fetch_add(1, Ordering::Release);
                let mut values: HashMap<String, u64> = HashMap::new();
                let number = |text: &str| {
                    let (topic, value) = text.split_once(':').unwrap();
                    (topic.to_owned(), value.parse::<u64>().unwrap())
                };
                let mut dice = Dice(newcomer + 99);
                while values.len() < n_topics || values.values().any(|value| *value < TOTAL) {
                    match client.next().await.unwrap() {
                        Got::Status(text) => {
                            let (topic, value) = number(&text);
                            let before = values.insert(topic, value);
                            assert_eq!(before, None, "one status per topic: {text}");
                        }
                        Got::Event(text) => {
                            let (topic, value) = number(&text);
                            let before = values.insert(topic, value);
                            assert_eq!(before, Some(value - 1), "before {text}");
                        }
                        Got::Gap(gap) => panic!("{gap}"),
                    }
                    if dice.below(1000) == 0 {
                        // Not before the whole status is there: till then no id is held, and a new
                        // one is due.
                        if values.len() == n_topics && client.held.is_some() {
                            client.disconnect();
                            client.connect().await;
                        }
                    }
                }
            })
        })
        .collect();
    for newcomer in newcomers {
        tokio::time::timeout(LONG, newcomer).await.unwrap().unwrap();
    }
    done.store(true, Ordering::Release);
    publishing
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_made_status_and_what_follows_are_exact() {
    a_status_and_what_follows_are_exact(&[("n", Keep::Made)], || Door::Values).await;
    a_status_and_what_follows_are_exact(&[("n", Keep::Made)], || Door::Bytes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_published_status_and_what_follows_are_exact() {
    a_status_and_what_follows_are_exact(&[("n", Keep::Published)], || Door::Values).await;
    a_status_and_what_follows_are_exact(&[("n", Keep::Published)], || Door::Bytes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_topics_with_statuses_of_their_own_are_each_exact() {
    let both = [("a", Keep::Made), ("b", Keep::Published)];
    a_status_and_what_follows_are_exact(&both, || Door::Values).await;
    a_status_and_what_follows_are_exact(&both, || Door::Bytes).await;
}

#[tokio::test]
async fn a_status_from_the_future_or_another_log_is_refused() {
    let hub = retaining(10);
    hub.publish("t", Event::data("1")).await.unwrap();
    let (epoch, last) = hub.cursor().minted().unwrap();
    for bad in [
        EventId::mint(epoch, last.next()),
        Hub::memory().cursor(),
        EventId::new("mine").unwrap(),
    ] {
        let as_of = bad.clone();
        hub.make_status("t", move || {
            let made = AsOf {
                status: Event::data("x"),
                as_of: as_of.clone(),
            };
            async { Ok(made) }
        });
        let refused = hub.subscribe("t", Cursor::Latest).await;
        let Err(SubscribeError::Status { topic, source }) = refused else {
            panic!("{bad} was taken");
        };
        assert_eq!(topic, "t");
        assert!(source.to_string().contains(bad.as_str()));
    }
    assert_eq!(hub.stats().open, 0);
}

// ---------------------------------------------------------------- (c) cut anywhere

/// All that a body has now.
fn now(body: &mut SseBody) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(frame)) = Pin::new(&mut *body).poll_frame(&mut cx) {
        bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    bytes
}

fn parse(bytes: &[u8]) -> (Vec<(Got, String)>, String) {
    let mut parser = Parser::new();
    let mut got = Vec::new();
    let tell = |item| {
        if let Item::Message(message) = item {
            let id = message.last_event_id.clone();
            got.push((Got::from_message(message), id));
        }
    };
    parser.push(bytes, tell).unwrap();
    (got, parser.last_event_id().to_owned())
}

/// A client's picture of the world: a status replaces its topic, an event is added to it.
#[derive(Debug, Default, PartialEq, Eq, Clone)]
struct Picture(HashMap<String, Vec<String>>);

impl Picture {
    fn see(&mut self, got: &Got) {
        match got {
            // "a=1,2,3": all of topic a so far.
            Got::Status(text) => {
                let (topic, all) = text.split_once('=').unwrap();
                let all = all.split(',').filter(|one| !one.is_empty());
                self.0
                    .insert(topic.to_owned(), all.map(str::to_owned).collect());
            }
            Got::Event(text) => {
                let (topic, one) = text.split_once('+').unwrap();
                let all = self.0.entry(topic.to_owned()).or_default();
                all.push(one.to_owned());
            }
            Got::Gap(_) => {}
        }
    }
}

/// Reads the stream, cuts it after every byte, comes back with the id that a browser would have, and
/// must have the same picture as one who was never cut.
async fn check_cuts(hub: &Hub, interest: &Interest, asked: Option<EventId>, whole: &Picture) {
    let open = async |held: Option<EventId>| {
        let from = held.map_or(Cursor::Latest, Cursor::After);
        SseBody::from(hub.subscribe(interest.clone(), from).await.unwrap())
    };
    let bytes = now(&mut open(asked.clone()).await);
    let mut resumed = 0;
    for cut in 0..=bytes.len() {
        let (before, held) = parse(&bytes[..cut]);
        let held = match held.is_empty() {
            true => asked.clone(),
            false => Some(EventId::new(held).unwrap()),
        };
        let resumes = held != asked;
        let (after, _) = parse(&now(&mut open(held).await));
        let mut picture = Picture::default();
        let all: Vec<_> = before.iter().chain(&after).map(|(got, _)| got).collect();
        all.iter().for_each(|got| picture.see(got));
        if resumes {
            resumed += 1;
            assert!(
                after.iter().all(|(got, _)| matches!(got, Got::Event(_))),
                "cut at {cut}: an id was held, so it goes on from there: {after:?}"
            );
            for (n, one) in all.iter().enumerate() {
                assert!(!all[..n].contains(one), "cut at {cut}: {one:?} came twice");
            }
        } else {
            let first = after.iter().find(|(got, _)| !matches!(got, Got::Gap(_)));
            assert!(
                matches!(first, Some((Got::Status(_), _))) || whole.0.is_empty(),
                "cut at {cut}: no id was held, so the status comes again: {after:?}"
            );
        }
        assert_eq!(&picture, whole, "cut at {cut}");
    }
    assert!(resumed > 0, "some cut is after the first id");
}

fn picture(topics: &[(&str, &str)]) -> Picture {
    let mut picture = Picture::default();
    for (topic, all) in topics {
        picture.see(&Got::Status(format!("{topic}={all}")));
    }
    picture
}

async fn publish(hub: &Hub, events: &[&str]) {
    for text in events {
        let (topic, _) = text.split_once('+').unwrap();
        hub.publish(topic, Event::data(*text)).await.unwrap();
    }
}

#[tokio::test]
async fn one_status_may_be_cut_anywhere() {
    let hub = retaining(100);
    publish(&hub, &["a+1", "a+2"]).await;
    hub.set_status("a", status("a=1,2")).await.unwrap();
    publish(&hub, &["a+3", "b+1", "a+4"]).await;
    check_cuts(&hub, &"a".into(), None, &picture(&[("a", "1,2,3,4")])).await;
}

#[tokio::test]
async fn two_statuses_and_what_lies_between_may_be_cut_anywhere() {
    let hub = retaining(100);
    publish(&hub, &["a+1", "b+1"]).await;
    hub.set_status("a", status("a=1")).await.unwrap();
    publish(&hub, &["b+2", "a+2", "c+1", "a+3"]).await;
    // Its own event is in the status, and lies behind the other one.
    hub.publish_with_status("b", Event::data("b+3"), status("b=1,2,3"))
        .await
        .unwrap();
    publish(&hub, &["a+4", "b+4", "c+2"]).await;
    let whole = picture(&[("a", "1,2,3,4"), ("b", "1,2,3,4")]);
    check_cuts(&hub, &topics(&["a", "b"]), None, &whole).await;
    check_cuts(
        &hub,
        &topics(&["b", "a"]),
        Some(hub_from_another_life()),
        &whole,
    )
    .await;
}

#[tokio::test]
async fn a_gap_and_its_status_may_be_cut_anywhere() {
    let hub = retaining(3);
    let expired = hub.cursor();
    publish(&hub, &["a+1", "a+2", "b+1", "a+3"]).await;
    hub.set_status("a", status("a=1,2,3")).await.unwrap();
    publish(&hub, &["a+4", "b+2"]).await;
    let whole = picture(&[("a", "1,2,3,4")]);
    check_cuts(&hub, &"a".into(), Some(expired), &whole).await;
    check_cuts(&hub, &"a".into(), Some(hub_from_another_life()), &whole).await;
}

/// An id from a log that is no more.
fn hub_from_another_life() -> EventId {
    Hub::memory().cursor()
}

#[tokio::test]
async fn a_newcomer_without_a_status_holds_a_position_from_the_start() {
    let hub = retaining(100);
    hub.publish("t", Event::data("before")).await.unwrap();
    let body = &mut SseBody::from(hub.subscribe("t", Cursor::Latest).await.unwrap());
    let (got, held) = parse(&now(body));
    assert_eq!(got, []);
    // Its connection breaks before it has got anything; it must not miss what comes now.
    hub.publish("t", Event::data("meanwhile")).await.unwrap();
    let mut client = Client::new(&hub, "t", Door::Bytes);
    client.held = Some(EventId::new(held).unwrap());
    client.connect().await;
    assert_eq!(client.next().await, Some(Got::Event("meanwhile".into())));
}

// ---------------------------------------------------------------- (d) slow readers

async fn a_reader_that_is_overtaken_is_told(door: fn() -> Door) {
    let hub = retaining(1000);
    let mut counting = 0;
    let mut count = || {
        counting += 1;
        hub.publish_with_status_blocking("n", Event::data(format!("{counting}")), status(counting))
            .unwrap()
    };
    count();
    let mut slow = Client::new(&hub, "n", door());
    slow.connect().await;
    assert_eq!(slow.next().await, Some(Got::Status("1".into())));
    let mut quick = Client::new(&hub, "n", door());
    quick.connect().await;
    assert_eq!(quick.next().await, Some(Got::Status("1".into())));
    for n in 2..=5000 {
        count();
        assert_eq!(quick.next().await, Some(Got::Event(n.to_string())));
    }
    assert_eq!(
        hub.stats().gaps,
        0,
        "who reads does not suffer from who does not"
    );
    let Some(Got::Gap(gap)) = slow.next().await else {
        panic!("a gap is due");
    };
    assert!(gap.contains("behind"), "{gap}");
    assert_eq!(slow.next().await, Some(Got::Status("5000".into())));
    assert_eq!(hub.stats().gaps, 1);
    for n in 5001..5400 {
        count();
        if n % 7 == 0 {
            slow.disconnect();
            slow.connect().await;
        }
        assert_eq!(slow.next().await, Some(Got::Event(n.to_string())));
    }
    assert_eq!(hub.stats().gaps, 1);
}

#[tokio::test]
async fn a_reader_that_is_overtaken_is_told_as_values() {
    a_reader_that_is_overtaken_is_told(|| Door::Values).await;
}

#[tokio::test]
async fn a_reader_that_is_overtaken_is_told_as_bytes() {
    a_reader_that_is_overtaken_is_told(|| Door::Bytes).await;
}

#[tokio::test]
async fn a_slow_reader_that_the_log_still_serves_misses_nothing() {
    let hub = retaining(10_000);
    let mut slow = Client::new(&hub, "t", Door::Bytes);
    slow.connect().await;
    for n in 0..3000 {
        hub.publish("t", Event::data(n.to_string())).await.unwrap();
    }
    for n in 0..3000 {
        assert_eq!(slow.next().await, Some(Got::Event(n.to_string())));
    }
    assert_eq!(hub.stats().gaps, 0);
}

// ---------------------------------------------------------------- (e) ids that lead nowhere

/// A gap for this reason, told first; then what makes up for it; then what is live.
#[track_caller]
fn check_lost(hub: &Hub, asked: &str, reason: &str, then: &[Got]) {
    let asked = EventId::new(asked).unwrap();
    let (epoch, last) = hub.cursor().minted().unwrap();
    let from = Cursor::After(asked.clone());
    let mut cx = Context::from_waker(Waker::noop());
    let mut subscribing = Box::pin(hub.subscribe("t", from));
    let Poll::Ready(Ok(subscription)) = subscribing.as_mut().poll(&mut cx) else {
        panic!("a log in memory answers at once");
    };
    let Start::Lost {
        asked: told_asked,
        earliest,
    } = subscription.start().clone()
    else {
        panic!("{:?}", subscription.start());
    };
    assert_eq!(told_asked, asked);
    let (of, first) = earliest.minted().unwrap();
    assert_eq!(of, epoch);
    assert!(first <= last.next());
    let mut body = SseBody::from(subscription);
    let (got, _) = parse(&now(&mut body));
    let json = format!(
        r#"{{"reason":"{reason}","asked":{},"earliest":"{earliest}"}}"#,
        serde_json::to_string(asked.as_str()).unwrap()
    );
    serde_json::from_str::<serde_json::Value>(&json).unwrap();
    let got: Vec<_> = got.into_iter().map(|(got, _)| got).collect();
    assert_eq!(got[0], Got::Gap(json));
    assert_eq!(&got[1..], then);
    hub.publish_blocking("t", Event::data("live")).unwrap();
    let (live, _) = parse(&now(&mut body));
    assert_eq!(live.len(), 1);
    assert_eq!(live[0].0, Got::Event("live".into()));
}

/// Five events of which the log holds three.
fn short_log(with_status: bool) -> (Hub, String) {
    let hub = retaining(3);
    let (epoch, _) = hub.cursor().minted().unwrap();
    for n in 1..=5 {
        hub.publish_blocking("t", Event::data(n.to_string()))
            .unwrap();
    }
    if with_status {
        hub.publish_with_status_blocking("t", Event::data("6"), status("1 to 6"))
            .unwrap();
    }
    (hub, epoch.to_string())
}

#[tokio::test]
async fn an_id_that_leads_nowhere_is_a_gap_and_then_the_status() {
    let status = [Got::Status("1 to 6".into())];
    let check = |id: fn(&str) -> String, reason: &str| {
        let (hub, epoch) = short_log(true);
        check_lost(&hub, &id(&epoch), reason, &status);
    };
    check(|_| "00000000beef.3".into(), "other-log");
    check(|_| "whatever".into(), "unknown");
    check(|_| r#"with "quotes" and \ é雪"#.into(), "unknown");
    check(|epoch| format!("{epoch}.99"), "unknown");
    check(|epoch| format!("{epoch}.18446744073709551615"), "unknown");
    check(|epoch| format!("{epoch}.1"), "expired");
    check(|epoch| format!("{epoch}.0"), "expired");
}

#[tokio::test]
async fn without_a_status_an_expired_id_gets_all_that_is_left() {
    let left = ["3", "4", "5"].map(|text| Got::Event(text.into()));
    let (hub, epoch) = short_log(false);
    check_lost(&hub, &format!("{epoch}.1"), "expired", &left);
}

#[tokio::test]
async fn without_a_status_an_unknown_id_gets_what_is_live() {
    let (hub, _) = short_log(false);
    check_lost(&hub, "whatever", "unknown", &[]);
    let (hub, _) = short_log(false);
    check_lost(&hub, "00000000beef.3", "other-log", &[]);
}

#[tokio::test]
async fn the_last_event_before_the_log_begins_is_no_gap() {
    let (hub, epoch) = short_log(false);
    let asked = EventId::new(format!("{epoch}.2")).unwrap();
    let from = Cursor::After(asked.clone());
    let mut resumed = hub.subscribe("t", from).await.unwrap();
    assert_eq!(resumed.start(), &Start::Resumed { after: asked });
    let next = resumed.next().await.unwrap();
    assert_eq!(next.text().as_deref(), Some("3"));
}

#[tokio::test]
async fn a_reader_resumes_from_an_id_that_the_publisher_chose() {
    let hub = retaining(100);
    // The second is spelled like one of another log's, as by a publisher that passes its events on.
    for id in ["mine", "00000000beef.7"] {
        let event = Event::data(id).with_id(EventId::new(id).unwrap());
        let id = hub.publish("t", event).await.unwrap();
        hub.publish("t", Event::data("next")).await.unwrap();
        let mut resumed = hub.subscribe("t", Cursor::After(id)).await.unwrap();
        let next = resumed.next().await.unwrap();
        assert_eq!(next.text().as_deref(), Some("next"));
    }
}

#[tokio::test]
async fn an_aged_id_is_expired_and_not_resumed() {
    let hub = Hub::new(Memory::new(Retention {
        age: Some(Duration::ZERO),
        ..Retention::default()
    }));
    let before = hub.cursor();
    hub.publish("t", Event::data("1")).await.unwrap();
    while seq_of(
        &hub.subscribe("t", Cursor::Earliest)
            .await
            .unwrap()
            .id_told(),
    ) == Seq(0)
    {
        tokio::task::yield_now().await;
    }
    let aged = hub.subscribe("t", Cursor::After(before)).await.unwrap();
    assert!(matches!(aged.start(), Start::Lost { .. }));
}

/// Where a stream begins, as it tells on the wire.
trait Told {
    fn id_told(self) -> EventId;
}

impl Told for Subscription {
    fn id_told(self) -> EventId {
        let (_, held) = parse(&now(&mut SseBody::from(self)));
        EventId::new(held).unwrap()
    }
}

#[tokio::test]
async fn a_quiet_topics_status_is_no_gap_however_old_it_is() {
    let hub = retaining(10);
    hub.set_status("quiet", status("all is quiet"))
        .await
        .unwrap();
    for _ in 0..100 {
        hub.publish("loud", Event::data("!")).await.unwrap();
    }
    let mut client = Client::new(&hub, "quiet", Door::Bytes);
    client.connect().await;
    let status = Got::Status("all is quiet".into());
    assert_eq!(client.next().await, Some(status));
    hub.publish("quiet", Event::data("hm")).await.unwrap();
    assert_eq!(client.next().await, Some(Got::Event("hm".into())));
    assert_eq!(hub.stats().gaps, 0);
}

#[tokio::test]
async fn a_status_that_lost_what_follows_it_is_told_as_a_gap() {
    let hub = retaining(3);
    hub.set_status("t", status("long ago")).await.unwrap();
    for n in 1..=5 {
        hub.publish("t", Event::data(n.to_string())).await.unwrap();
    }
    let mut newcomer = hub.subscribe("t", Cursor::Latest).await.unwrap();
    let Some(Delivery::Gap(gap)) = newcomer.next().await else {
        panic!("a gap is due");
    };
    assert_eq!(gap.reason, GapReason::Expired);
    let mut texts = Vec::new();
    for _ in 0..4 {
        texts.push(newcomer.next().await.unwrap().text().unwrap());
    }
    assert_eq!(texts, ["status long ago", "3", "4", "5"]);
}

#[tokio::test]
async fn one_event_about_several_topics_comes_once() {
    let hub = retaining(100);
    let both = tidings::Topics::several(["a", "b"]);
    for interest in [topics(&["a", "b"]), "a".into(), Interest::all()] {
        let mut live = hub
            .subscribe(interest.clone(), Cursor::Latest)
            .await
            .unwrap();
        let before = hub.cursor();
        hub.publish(both.clone(), Event::data("once"))
            .await
            .unwrap();
        hub.publish("a", Event::data("next")).await.unwrap();
        let mut replayed = hub
            .subscribe(interest, Cursor::After(before))
            .await
            .unwrap();
        for reader in [&mut live, &mut replayed] {
            let first = reader.next().await.unwrap().text();
            let second = reader.next().await.unwrap().text();
            assert_eq!(first.as_deref(), Some("once"));
            assert_eq!(second.as_deref(), Some("next"));
        }
    }
}

// ---------------------------------------------------------------- (g) endings

async fn ended(mut subscription: Subscription) -> Vec<String> {
    let mut texts = Vec::new();
    let all = async {
        while let Some(delivery) = subscription.next().await {
            texts.push(delivery.text().unwrap());
        }
    };
    tokio::time::timeout(LONG, all).await.unwrap();
    texts
}

#[tokio::test]
async fn disconnect_ends_one_stream_and_no_other() {
    let hub = retaining(100);
    let one = hub.subscribe("t", Cursor::Latest).await.unwrap();
    let mut other = hub.subscribe("t", Cursor::Latest).await.unwrap();
    let id = one.id();
    let ending = tokio::spawn(ended(one));
    assert!(hub.disconnect(id));
    assert_eq!(ending.await.unwrap(), [""; 0]);
    assert!(!hub.disconnect(id), "it is gone");
    hub.publish("t", Event::data("still here")).await.unwrap();
    assert!(other.next().await.is_some());
    let open: Vec<_> = hub.streams().iter().map(|stream| stream.id).collect();
    assert_eq!(open, [other.id()]);
}

#[tokio::test]
async fn a_stream_that_is_ended_gets_what_was_before_and_nothing_after() {
    let hub = retaining(10_000);
    // Within the window and far out of it.
    for n in [1, 256, 257, 3000] {
        let reader = hub.subscribe("t", Cursor::Latest).await.unwrap();
        for n in 0..n {
            hub.publish("t", Event::data(n.to_string())).await.unwrap();
        }
        hub.disconnect(reader.id());
        hub.disconnect(reader.id());
        for _ in 0..10 {
            hub.publish("t", Event::data("after")).await.unwrap();
        }
        let got = ended(reader).await;
        let got: Vec<_> = got.iter().filter(|text| *text != "after").collect();
        let expected: Vec<String> = (0..n).map(|n| n.to_string()).collect();
        assert_eq!(got, expected.iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn disconnect_all_ends_everyone_within_its_time() {
    let hub = retaining(100);
    let mut ending = Vec::new();
    for _ in 0..50 {
        let reader = hub.subscribe("t", Cursor::Latest).await.unwrap();
        ending.push(tokio::spawn(ended(reader)));
    }
    hub.disconnect_all(Duration::from_millis(50));
    for reader in ending {
        reader.await.unwrap();
    }
    assert_eq!(hub.stats().open, 0);
    assert!(!hub.is_closed());
    assert!(hub.subscribe("t", Cursor::Latest).await.is_ok());
}

#[tokio::test]
async fn a_finished_topic_ends_its_streams_until_it_is_published_again() {
    let hub = retaining(100);
    let reader = hub.subscribe("t", Cursor::Latest).await.unwrap();
    let mut wider = hub
        .subscribe(topics(&["t", "u"]), Cursor::Latest)
        .await
        .unwrap();
    hub.publish("t", Event::data("the last")).await.unwrap();
    hub.finish("t");
    assert_eq!(ended(reader).await, ["the last"]);
    let newcomer = hub.subscribe("t", Cursor::Latest).await;
    assert!(matches!(newcomer, Err(SubscribeError::Finished)));
    assert!(hub.is_finished(&"t".into()));
    assert!(!hub.is_finished(&topics(&["t", "u"])), "u may go on");
    assert!(!hub.is_finished(&Interest::any_of([])), "nothing was named");
    hub.publish("u", Event::data("goes on")).await.unwrap();
    assert_eq!(
        wider.next().await.unwrap().text().as_deref(),
        Some("the last")
    );
    assert_eq!(
        wider.next().await.unwrap().text().as_deref(),
        Some("goes on")
    );
    hub.publish("t", Event::data("again")).await.unwrap();
    assert!(hub.subscribe("t", Cursor::Latest).await.is_ok());
}

/// Whoever gets in between `finish` looking at the streams and its own look at what is finished would
/// wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn finish_leaves_nobody_behind_who_is_just_coming() {
    for _ in 0..50 {
        let hub = retaining(100);
        let coming: Vec<_> = (0..8)
            .map(|_| {
                let hub = hub.clone();
                tokio::spawn(async move {
                    while let Ok(reader) = hub.subscribe("t", Cursor::Latest).await {
                        ended(reader).await;
                    }
                })
            })
            .collect();
        tokio::task::yield_now().await;
        hub.finish("t");
        for reader in coming {
            tokio::time::timeout(LONG, reader).await.unwrap().unwrap();
        }
        assert_eq!(hub.stats().open, 0);
    }
}

#[tokio::test]
async fn a_closed_hub_takes_nothing_and_its_streams_end_after_the_last_word() {
    let hub = retaining(100);
    let readers = [
        hub.subscribe("t", Cursor::Latest).await.unwrap(),
        hub.subscribe(Interest::all(), Cursor::Latest)
            .await
            .unwrap(),
    ];
    hub.publish("t", Event::data("the last")).await.unwrap();
    let ending = readers.map(|reader| tokio::spawn(ended(reader)));
    tokio::time::timeout(LONG, hub.close(Duration::ZERO))
        .await
        .unwrap();
    for reader in ending {
        assert_eq!(reader.await.unwrap(), ["the last"]);
    }
    assert!(hub.is_closed());
    let published = hub.publish("t", Event::data("x")).await;
    assert!(matches!(published, Err(PublishError::Closed)));
    let status = hub.set_status("t", Event::data("x")).await;
    assert!(matches!(status, Err(PublishError::Closed)));
    let newcomer = hub.subscribe("t", Cursor::Latest).await;
    assert!(matches!(newcomer, Err(SubscribeError::Closed)));
    assert_eq!(hub.stats().open, 0);
}

#[tokio::test]
async fn close_does_not_wait_for_ever_for_a_reader_that_does_not_read() {
    let hub = retaining(100);
    let asleep = hub.subscribe("t", Cursor::Latest).await.unwrap();
    let closing = hub.close(Duration::from_millis(20));
    tokio::time::timeout(LONG, closing).await.unwrap();
    assert_eq!(hub.stats().open, 1);
    assert_eq!(ended(asleep).await, [""; 0]);
    assert_eq!(hub.stats().open, 0);
}

#[tokio::test]
async fn close_may_be_called_by_several() {
    let hub = retaining(100);
    let reader = hub.subscribe("t", Cursor::Latest).await.unwrap();
    let other = hub.clone();
    let both = async { tokio::join!(hub.close(Duration::ZERO), other.close(Duration::ZERO)) };
    let ((), _) = tokio::join!(
        async {
            tokio::time::timeout(LONG, both).await.unwrap();
        },
        ended(reader)
    );
    tokio::time::timeout(LONG, hub.close(Duration::ZERO))
        .await
        .unwrap();
}

// ---------------------------------------------------------------- (h) signs of life

async fn bytes_until(body: &mut SseBody, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !enough(&bytes) {
        let frame = tokio::time::timeout(LONG, body.frame()).await.unwrap();
        let frame: Bytes = frame.unwrap().unwrap().into_data().unwrap();
        bytes.extend_from_slice(&frame);
    }
    bytes
}

#[tokio::test]
async fn a_quiet_stream_gets_comments_that_nobody_hears() {
    let hub = Hub::with_keep_alive(Memory::new(Retention::default()), Duration::from_millis(50));
    let mut body = SseBody::from(hub.subscribe("t", Cursor::Latest).await.unwrap());
    let id = hub.cursor();
    let expected = format!("id: {id}\n\n: \n\n: \n\n: \n\n");
    let bytes = bytes_until(&mut body, |bytes| bytes.len() >= expected.len()).await;
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[tokio::test]
async fn a_quiet_reader_is_moved_on_so_that_it_does_not_expire() {
    let memory = Memory::new(Retention {
        events: 5,
        ..Retention::default()
    });
    let hub = Hub::with_keep_alive(memory, Duration::from_millis(50));
    let mut body = SseBody::from(hub.subscribe("quiet", Cursor::Latest).await.unwrap());
    for _ in 0..20 {
        hub.publish("loud", Event::data("!")).await.unwrap();
    }
    let moved_on = format!("id: {}\n\n", hub.cursor());
    let told = |bytes: &[u8]| bytes.ends_with(moved_on.as_bytes());
    let bytes = bytes_until(&mut body, told).await;
    let (heard, held) = parse(&bytes);
    assert_eq!(heard, [], "nothing that a page would hear");
    drop(body);
    hub.publish("quiet", Event::data("at last")).await.unwrap();
    for _ in 0..3 {
        hub.publish("loud", Event::data("!")).await.unwrap();
    }
    let held = EventId::new(held).unwrap();
    let mut client = Client::new(&hub, "quiet", Door::Bytes);
    client.held = Some(held);
    client.connect().await;
    assert_eq!(client.next().await, Some(Got::Event("at last".into())));
    assert_eq!(hub.stats().gaps, 0);
}

/// Signs of life carry positions; under load none of them may be ahead of an event.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_of_life_never_passes_an_event_by() {
    let memory = Memory::new(Retention {
        events: 1_000_000,
        ..Retention::default()
    });
    let hub = Hub::with_keep_alive(memory, Duration::from_millis(2));
    const TOTAL: usize = 300;
    let publishing = {
        let hub = hub.clone();
        tokio::spawn(async move {
            for n in 0..TOTAL {
                for _ in 0..5 {
                    hub.publish("loud", Event::data("!")).await.unwrap();
                }
                hub.publish("t", Event::data(n.to_string())).await.unwrap();
                tokio::time::sleep(Duration::from_millis(u64::from(n % 10 == 0) * 4)).await;
            }
        })
    };
    let readers: Vec<_> = (0..16u64)
        .map(|reader| {
            let hub = hub.clone();
            tokio::spawn(async move {
                let mut dice = Dice(reader + 5);
                let mut client = Client::new(&hub, "t", Door::Bytes);
                client.connect_from(Cursor::Earliest).await;
                let mut n = 0;
                while n < TOTAL {
                    // A reconnect in between two looks, also right after a mark without an event.
                    let next = tokio::time::timeout(
                        Duration::from_millis(1 + dice.below(4)),
                        client.next(),
                    );
                    match next.await {
                        Ok(got) => {
                            assert_eq!(got, Some(Got::Event(n.to_string())));
                            n += 1;
                        }
                        Err(_) => {
                            client.disconnect();
                            client.connect().await;
                        }
                    }
                }
            })
        })
        .collect();
    for reader in readers {
        tokio::time::timeout(LONG, reader).await.unwrap().unwrap();
    }
    publishing.await.unwrap();
}
