//! Fan-out: from the log to its readers.
//!
//! [`Core`] is what a hub and its subscriptions share. Publisher and reader meet only in the log (the
//! [`Engine`]); here is who is to be woken for what.

mod channel;
mod channels;
mod clock;
mod closing;
mod open;
mod streams;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant};

use crate::engine::{BoxFuture, Engine, EngineError, Tail, Wakes};
use crate::event::Event;
use crate::id::EventId;
use crate::recent::Recent;
use crate::topic::{Interest, Selector, Topic};

pub(crate) use channel::{Channel, Fetched};
use channels::Channels;
use clock::Clock;
use closing::Closing;
pub(crate) use open::{Opened, Outgoing};
pub use streams::{StreamId, StreamInfo};
use streams::{Streams, earlier};

/// How many finished topics are remembered: those that were finished last.
pub(crate) const FINISHED_TOPICS: usize = 10_000;

/// What a hub and its subscriptions share.
pub(crate) struct Core {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) channels: Arc<Channels>,
    pub(crate) clock: Arc<Clock>,
    keep_alive: Duration,
    last_keep_alive: Mutex<Instant>,
    streams: Mutex<Streams>,
    status_callbacks: RwLock<HashMap<Topic, StatusCallback>>,
    finished: Mutex<Recent<Topic, ()>>,
    closed: AtomicBool,
    pub(crate) counters: Counters,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) opened: AtomicU64,
    pub(crate) published: AtomicU64,
    pub(crate) gaps: AtomicU64,
}

/// A status and the position it is as of: what a callback set with [`Hub::set_status_callback`](crate::Hub::set_status_callback) returns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AsOf {
    /// The full status.
    pub status: Event,
    /// The newest event that the status includes: [`Hub::cursor`](crate::Hub::cursor), taken while the state could not
    /// change and nothing about it could be published.
    pub as_of: EventId,
}

impl AsOf {
    /// A status and the newest event that it includes.
    pub fn new(status: Event, as_of: EventId) -> AsOf {
        AsOf { status, as_of }
    }
}

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type StatusCallback =
    Arc<dyn Fn() -> BoxFuture<'static, Result<AsOf, BoxError>> + Send + Sync>;

/// Why there is no subscription.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The hub has been closed.
    #[error("the hub is closed")]
    Closed,
    /// All of the topics are finished: nothing more will come.
    #[error("the topics are finished")]
    Finished,
    /// The log could not be read.
    #[error("the log could not be read")]
    Engine(#[source] EngineError),
    /// The status callback of a topic failed.
    #[error("the status callback of topic {topic:?} failed")]
    Status {
        /// Which topic.
        topic: String,
        /// The error it returned.
        source: BoxError,
    },
}

impl Core {
    pub(crate) fn new(engine: Arc<dyn Engine>, keep_alive: Duration) -> Arc<Core> {
        let channels = Arc::new(Channels::default());
        let tail: Arc<dyn Tail> = Arc::clone(&channels) as Arc<dyn Tail>;
        engine.attach(Arc::downgrade(&tail));
        channels.start_at(engine.bounds().last);
        Arc::new(Core {
            engine,
            channels,
            clock: Arc::default(),
            keep_alive: keep_alive.max(Duration::from_millis(2)),
            last_keep_alive: Mutex::new(Instant::now()),
            streams: Mutex::default(),
            status_callbacks: RwLock::default(),
            finished: Mutex::default(),
            closed: AtomicBool::new(false),
            counters: Counters::default(),
        })
    }

    pub(crate) fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn finished(&self) -> MutexGuard<'_, Recent<Topic, ()>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_finished(&self, interest: &Interest) -> bool {
        let finished = self.finished();
        !finished.is_empty()
            && !interest.selectors().is_empty()
            && interest.selectors().iter().all(|selector| match selector {
                Selector::Exact(topic) => finished.get(topic).is_some(),
                Selector::All => false,
            })
    }

    /// Remembers that a topic is finished, and ends the streams that want nothing else.
    pub(crate) fn finish(self: &Arc<Core>, topic: Topic) {
        {
            let mut finished = self.finished();
            finished.set(topic, ());
            while finished.len() > FINISHED_TOPICS {
                finished.pop_oldest();
            }
        }
        self.end_streams(Duration::ZERO, |interest| self.is_finished(interest));
    }

    /// Forgets that these topics were finished.
    pub(crate) fn open_again(&self, topics: &[Topic]) {
        let mut finished = self.finished();
        if !finished.is_empty() {
            topics.iter().for_each(|topic| finished.remove(topic));
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) async fn close(self: &Arc<Core>, over: Duration) {
        self.closed.store(true, Ordering::Release);
        self.end_streams(over, |_| true);
        let patience = over.saturating_add(Duration::from_millis(200));
        Closing::new(self, Instant::now().checked_add(patience)).await;
    }

    /// Returns whether there was such a stream.
    pub(crate) fn end_stream(&self, id: StreamId) -> bool {
        let mut wakes = Wakes::default();
        let found = self.streams().end(id, &mut wakes);
        wakes.wake();
        found
    }

    /// Ends the streams of these interests, each at a random moment within `over`.
    pub(crate) fn end_streams(self: &Arc<Core>, over: Duration, whose: impl Fn(&Interest) -> bool) {
        let end_all = |over| {
            let mut wakes = Wakes::default();
            let mut streams = self.streams();
            streams.end_all(Instant::now(), over, &whose, &mut wakes);
            drop(streams);
            wakes.wake();
        };
        end_all(over);
        // Without a clock's thread their time would never come.
        if !over.is_zero() && !self.clock.wake(self) {
            end_all(Duration::ZERO);
        }
    }

    pub(crate) fn insert_status_callback(&self, topic: Topic, maker: StatusCallback) {
        let replaced = self.status_callbacks_mut().insert(topic, maker);
        // A callback is foreign code also when it is dropped.
        drop(replaced);
    }

    pub(crate) fn remove_status_callbacks(&self, topics: &[Topic]) {
        let removed: Vec<_> = {
            let mut makers = self.status_callbacks_mut();
            topics.iter().map(|topic| makers.remove(topic)).collect()
        };
        drop(removed);
    }

    fn status_callbacks_mut(&self) -> RwLockWriteGuard<'_, HashMap<Topic, StatusCallback>> {
        let makers = self.status_callbacks.write();
        makers.unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the clock, so that streams get keep-alives.
    pub(crate) fn start_clock(self: &Arc<Core>) {
        self.clock.start(self);
    }

    /// Unregisters a stream; called when its subscription is dropped.
    pub(crate) fn remove(&self, id: StreamId, channel: &Arc<Channel>, reader: usize) {
        // From the streams first: once the slot in the channel is free, a newcomer may get it, and that
        // one must not be ended by this one's id.
        let mut wakes = Wakes::default();
        self.streams().remove(id, &mut wakes);
        self.channels.leave(channel, reader);
        wakes.wake();
    }

    /// Does what is due now; returns when something is due next, where `None` is never.
    fn run_due(&self, now: Instant) -> Option<Instant> {
        // Checking every half interval for channels that were quiet for half an interval bounds the
        // silence to one interval.
        let half = self.keep_alive / 2;
        let next_keep_alive = {
            let mut last = self
                .last_keep_alive
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let due = now.duration_since(*last) >= half;
            if due {
                *last = now;
            }
            let next = last.checked_add(half);
            drop(last);
            if due && let Some(quiet_since) = now.checked_sub(half) {
                self.channels.keep_alive(quiet_since).wake();
            }
            next
        };
        let mut wakes = Wakes::default();
        let next_end = self.streams().end_due(now, &mut wakes);
        wakes.wake();
        earlier(next_keep_alive, next_end)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.clock.stop();
    }
}
