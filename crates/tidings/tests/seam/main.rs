//! The seam between the log and what is live, under load, by every way a reader can come to it.
//!
//! > A subscription never yields an event at or before its cursor, and never skips one it may read.
//! > Where it cannot keep that promise, it says so in the stream.
//!
//! Every claim is checked both ways: for deliveries, and for bytes as a browser parses them.
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]

mod cut;
mod ending;
mod keep_alive;
mod lost;
mod order;
mod slow;
mod status;

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
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn retaining(events: usize) -> Hub {
    Hub::new(Memory::new(Retention::new().events(events).bytes(1 << 30)))
}

pub(crate) fn seq_of(id: &EventId) -> Seq {
    id.minted().unwrap().1
}

pub(crate) fn topics(topics: &[&str]) -> Interest {
    Interest::any_of(topics.iter().map(|topic| Selector::Exact((*topic).into())))
}

/// What a reader gets, either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Status(String),
    Event(String),
    Gap(String),
}

/// Statuses are told apart from events by this prefix, since on the wire both are messages.
pub(crate) const STATUS: &str = "status ";

pub(crate) fn status(text: impl std::fmt::Display) -> Event {
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

/// How a client reads its subscription.
pub(crate) enum Via {
    Deliveries,
    Bytes,
}

/// One client over all its connections: it remembers the id that a browser would send.
pub(crate) struct Client {
    hub: Hub,
    interest: Interest,
    via: Via,
    held: Option<EventId>,
    stream: Option<Stream>,
}

pub(crate) enum Stream {
    Deliveries(Subscription),
    Bytes(SseBody, Box<Parser>, VecDeque<(Got, String)>),
}

impl Client {
    fn new(hub: &Hub, interest: impl Into<Interest>, via: Via) -> Client {
        Client {
            hub: hub.clone(),
            interest: interest.into(),
            via,
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
        self.stream = Some(match self.via {
            Via::Deliveries => Stream::Deliveries(subscription),
            Via::Bytes => Stream::Bytes(
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
            Stream::Deliveries(subscription) => {
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

pub(crate) fn message(frame: &[u8]) -> Message {
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
pub(crate) struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Waits, without a clock, until the log has moved on by this many events or publishing is over.
pub(crate) async fn until_log_moves(hub: &Hub, by: u64, done: &AtomicBool) {
    until_log_is_at(hub, seq_of(&hub.cursor()).0 + by, done).await;
}

pub(crate) async fn until_log_is_at(hub: &Hub, to: u64, done: &AtomicBool) {
    while seq_of(&hub.cursor()).0 < to && !done.load(Ordering::Acquire) {
        tokio::task::yield_now().await;
    }
}
