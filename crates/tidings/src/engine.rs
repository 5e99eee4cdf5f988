//! [`Engine`]: the log. It stores and tails; it never sees a subscriber.
//!
//! # The contract
//! An engine MUST
//! 1. give each event the position after the one before it, within one [`Epoch`];
//! 2. resolve `append` only when what it promises for durability holds;
//! 3. make an event readable before it tells its [`Tail`] of it;
//! 4. tell its tail every event once, in the order of positions;
//! 5. answer `read` with every event the interest wants between `after` and `scanned_to`, and say with
//!    [`Page::first`] where the log begins by now, so that a reader sees what retention took away;
//! 6. keep a status together with the position it is as of, so that the two can never be torn apart,
//!    and move that position on when it drops events that are not about the status's topic;
//! 7. answer with the same retention whichever way it is asked;
//! 8. after an error of its storage refuse every further append.
//!
//! It MUST NOT hold a lock of its own while it calls [`Wakes::wake`].

mod memory;

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::{Duration, SystemTime};

use crate::event::{Event, Frame};
use crate::id::{Epoch, EventId, Seq};
use crate::topic::{Interest, Topic, Topics};

pub use memory::Memory;

/// A future that can be sent between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What is to be appended.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What the event is about.
    pub topics: Topics,
    /// The event; `None` sets the status alone.
    pub event: Option<Event>,
    /// The full status of each of the topics, as of this event.
    pub status: Option<Event>,
}

/// An event that has its place in the log.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its position.
    pub seq: Seq,
    /// What readers resume from: the publisher's id, or the one minted from the position.
    pub id: EventId,
    /// What it is about.
    pub topics: Topics,
    /// Its bytes on the wire, encoded once.
    pub frame: Frame,
    /// When it was appended.
    pub at: SystemTime,
}

/// The current full status of one topic.
#[derive(Clone, Debug)]
pub struct Status {
    /// Of what.
    pub topic: Topic,
    /// It holds everything up to and including this position.
    pub as_of: Seq,
    /// Its bytes on the wire. Their id is the one of `as_of`.
    pub frame: Frame,
}

/// Some events after a position.
#[derive(Clone, Debug)]
pub struct Page {
    /// Those that the interest wants, in order.
    pub events: Vec<Arc<Stored>>,
    /// Everything up to and including this position has been looked at.
    pub scanned_to: Seq,
    /// The oldest position that is still in the log.
    pub first: Seq,
}

/// Where the log begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Which life of the log this is.
    pub epoch: Epoch,
    /// The oldest position in the log; one more than `last` when it is empty.
    pub first: Seq,
    /// The newest position; [`Seq::START`] before the first event.
    pub last: Seq,
}

/// The statuses an interest wants and the end of the log, taken in one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The statuses, in no order.
    pub statuses: Vec<Status>,
    /// The log at that moment.
    pub bounds: Bounds,
}

/// How much a log keeps. Whatever limit is reached first, the oldest events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// At most this many events.
    pub events: usize,
    /// At most this many bytes of frames. The newest event is kept whatever its size.
    pub bytes: usize,
    /// None older than this.
    pub age: Option<Duration>,
}

impl Default for Retention {
    /// 10 000 events and 16 MiB, of any age: minutes of a busy topic, and nothing a laptop notices.
    fn default() -> Retention {
        Retention {
            events: 10_000,
            bytes: 16 << 20,
            age: None,
        }
    }
}

/// Why an engine could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// It has been closed.
    #[error("the log is closed")]
    Closed,
    /// Its storage failed; it takes no more events.
    #[error("the log's storage failed")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The log. See the [contract](self).
pub trait Engine: Send + Sync + 'static {
    /// Appends an event, sets a status, or both as one.
    fn append(&self, draft: Draft) -> BoxFuture<'_, Result<Appended, EngineError>>;

    /// Reads events after a position, at most about `limit` of them.
    fn read(
        &self,
        interest: &Interest,
        after: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, EngineError>>;

    /// The statuses and the end of the log in one moment.
    fn snapshot(&self, interest: &Interest) -> BoxFuture<'_, Result<Snapshot, EngineError>>;

    /// The position of an event with an id that a publisher chose. `None` where the log does not hold it.
    fn locate(&self, id: &EventId) -> BoxFuture<'_, Result<Option<Seq>, EngineError>>;

    /// Where the log begins and ends now.
    fn bounds(&self) -> Bounds;

    /// Names the one who is told of every event from now on.
    fn attach(&self, tail: Weak<dyn Tail>);
}

/// What an append did.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The position of the event, or the one a status alone is as of.
    pub seq: Seq,
    /// What readers resume from.
    pub id: EventId,
}

/// Who is told of new events.
pub trait Tail: Send + Sync {
    /// Takes the next events, and answers with the readers to wake. Never blocks for long.
    fn arrived(&self, events: &[Arc<Stored>]) -> Wakes;
}

/// Readers who have something to read. They are woken when all locks have been left, because a waker
/// is code of somebody else's.
#[derive(Debug, Default)]
#[must_use = "nobody hears of the event until the readers are woken"]
pub struct Wakes(Vec<Waker>);

impl Wakes {
    pub(crate) fn push(&mut self, waker: Waker) {
        self.0.push(waker);
    }

    /// Wakes them. No lock may be held here.
    pub fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
    }
}
