//! [`Engine`]: the log. It stores and tails; it never sees a subscriber.
//!
//! # The contract
//! An engine MUST
//! 1. give each event the position after the one before it, within one [`Epoch`];
//! 2. resolve `append` only when what it promises for durability holds;
//! 3. make an event readable before it tells its [`Tail`] of it;
//! 4. tell its tail every event once, in the order of positions;
//! 5. answer `read` with every event the interest wants between `after` and `scanned_to`, and say with
//!    [`Page::dropped_to`] what it no longer has, so that a reader sees what retention took away from it,
//!    and is not told of a gap for what it never wanted;
//! 6. keep a status together with the position it is as of, so that the two can never be torn apart,
//!    and move that position on when it drops events that are not about the status's topic;
//! 7. answer with the same retention whichever way it is asked;
//! 8. answer `locate`, for an id that was chosen for several events, with the first of them, as long as
//!    it holds any of them: prefer duplicates to losses;
//! 9. after an error of its storage refuse every further append.
//!
//! It MUST NOT hold a lock of its own while it calls [`Wakes::wake`].
//!
//! Ids that publishers chose are never spelled like those of the log itself: [`Hub`](crate::Hub)
//! refuses such events, so an engine may tell the two apart by [`EventId::minted`].

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
#[non_exhaustive]
pub struct Draft {
    /// What the event is about.
    pub topics: Topics,
    /// The event; `None` for a change of the status alone.
    pub event: Option<Event>,
    /// What becomes of the full status of each of the topics.
    pub status: StatusUpdate,
}

impl Draft {
    /// An event.
    pub fn event(topics: impl Into<Topics>, event: Event) -> Draft {
        Draft {
            topics: topics.into(),
            event: Some(event),
            status: StatusUpdate::Keep,
        }
    }

    /// A change of the status, without an event.
    pub fn status(topics: impl Into<Topics>, status: StatusUpdate) -> Draft {
        Draft {
            topics: topics.into(),
            event: None,
            status,
        }
    }

    /// The same, with the full status as of the event.
    #[must_use]
    pub fn with_status(mut self, status: Event) -> Draft {
        self.status = StatusUpdate::Set(status);
        self
    }
}

/// What becomes of the status of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusUpdate {
    /// It stays as it is.
    Keep,
    /// It is this, as of the event, or as of now where there is none.
    Set(Event),
    /// The topic has none any more.
    Remove,
}

/// An event that has its place in the log.
#[derive(Clone, Debug)]
#[non_exhaustive]
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

impl Stored {
    /// An event at its position. The frame must set this id.
    pub fn new(seq: Seq, id: EventId, topics: Topics, frame: Frame, at: SystemTime) -> Stored {
        Stored {
            seq,
            id,
            topics,
            frame,
            at,
        }
    }
}

/// The current full status of one topic.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Of what.
    pub topic: Topic,
    /// It holds everything up to and including this position.
    pub as_of: Seq,
    /// Its bytes on the wire. Their id is the one of `as_of`.
    pub frame: Frame,
}

impl Status {
    /// A status as of a position. The frame must set the id of that position.
    pub fn new(topic: Topic, as_of: Seq, frame: Frame) -> Status {
        Status {
            topic,
            as_of,
            frame,
        }
    }
}

/// Some events after a position.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page {
    /// Those that the interest wants, in order.
    pub events: Vec<Arc<Stored>>,
    /// Everything up to and including this position has been looked at.
    pub scanned_to: Seq,
    /// The newest event that the interest wants and that the log has dropped, or may have: a reader
    /// whose cursor is before it has lost something. [`Seq::START`] where there is none.
    pub dropped_to: Seq,
}

impl Page {
    /// A page of events.
    pub fn new(events: Vec<Arc<Stored>>, scanned_to: Seq, dropped_to: Seq) -> Page {
        Page {
            events,
            scanned_to,
            dropped_to,
        }
    }
}

/// Where the log begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// Which life of the log this is.
    pub epoch: Epoch,
    /// The oldest position in the log; one more than `last` when it is empty.
    pub first: Seq,
    /// The newest position; [`Seq::START`] before the first event.
    pub last: Seq,
}

impl Bounds {
    /// A log from `first` to `last`.
    pub fn new(epoch: Epoch, first: Seq, last: Seq) -> Bounds {
        Bounds { epoch, first, last }
    }
}

/// The statuses an interest wants and the end of the log, taken in one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The statuses, in no order.
    pub statuses: Vec<Status>,
    /// The log at that moment.
    pub bounds: Bounds,
}

impl Snapshot {
    /// The statuses at the moment at which the log had these bounds.
    pub fn new(statuses: Vec<Status>, bounds: Bounds) -> Snapshot {
        Snapshot { statuses, bounds }
    }
}

/// How much a log keeps. Whatever limit is reached first, the oldest events go.
///
/// ```
/// use std::time::Duration;
/// use tidings::engine::{Memory, Retention};
///
/// let log = Memory::new(Retention::new().events(1000).age(Duration::from_secs(600)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// At most this many events.
    pub events: usize,
    /// At most this many bytes of frames. The newest event is kept whatever its size.
    pub bytes: usize,
    /// None older than this.
    pub age: Option<Duration>,
    /// At most this many topics have a status. Beyond that the status that was set longest ago is
    /// removed; newcomers to its topic then begin without one.
    pub statuses: usize,
}

impl Retention {
    /// 10 000 events and 16 MiB, of any age: minutes of a busy topic, and nothing a laptop notices.
    /// 100 000 statuses.
    pub const fn new() -> Retention {
        Retention {
            events: 10_000,
            bytes: 16 << 20,
            age: None,
            statuses: 100_000,
        }
    }

    /// Keeps at most this many events; 1 at the least.
    #[must_use]
    pub const fn events(mut self, events: usize) -> Retention {
        self.events = events;
        self
    }

    /// Keeps at most this many bytes of frames.
    #[must_use]
    pub const fn bytes(mut self, bytes: usize) -> Retention {
        self.bytes = bytes;
        self
    }

    /// Keeps no event that is older than this.
    #[must_use]
    pub const fn age(mut self, age: Duration) -> Retention {
        self.age = Some(age);
        self
    }

    /// Keeps at most this many statuses.
    #[must_use]
    pub const fn statuses(mut self, statuses: usize) -> Retention {
        self.statuses = statuses;
        self
    }
}

impl Default for Retention {
    fn default() -> Retention {
        Retention::new()
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

    /// The position of the event with an id that a publisher chose; of several, the first. `None` where
    /// the log does not hold any.
    fn locate(&self, id: &EventId) -> BoxFuture<'_, Result<Option<Seq>, EngineError>>;

    /// Where the log begins and ends now.
    fn bounds(&self) -> Bounds;

    /// Names the one who is told of every event from now on.
    fn attach(&self, tail: Weak<dyn Tail>);
}

/// What an append did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Appended {
    /// The position of the event, or the one a status alone is as of.
    pub seq: Seq,
    /// What readers resume from.
    pub id: EventId,
}

impl Appended {
    /// What is at this position and has this id.
    pub fn new(seq: Seq, id: EventId) -> Appended {
        Appended { seq, id }
    }
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
