//! [`Memory`]: a log in memory, bounded by count, bytes and age.
//!
//! Two locks. `order` is held by whoever appends, from taking a position until the tail knows of the
//! event, so that the tail gets events in order. `log` guards the events and is held for moments
//! only; readers never wait for the tail.

mod dropped;
mod statuses;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use super::{
    Appended, Bounds, BoxFuture, Draft, Engine, EngineError, Page, Retention, Snapshot,
    StatusUpdate, Stored, Tail,
};
use crate::id::{Epoch, EventId, Seq};
use crate::sse::encode;
use crate::topic::Interest;
use dropped::Dropped;
use statuses::{Span, Statuses};

/// A log in memory: gone with the process, and its ids with it.
pub struct Memory {
    epoch: Epoch,
    retention: Retention,
    order: Mutex<Option<Weak<dyn Tail>>>,
    log: Mutex<Log>,
}

struct Log {
    events: VecDeque<Arc<Stored>>,
    /// The position of the oldest event, or of the next one while there is none.
    first: Seq,
    bytes: usize,
    /// Only ids that publishers chose; ours tell their position themselves.
    chosen: HashMap<EventId, Uses>,
    statuses: Statuses,
    dropped: Dropped,
}

/// Which events have an id that a publisher chose: mostly one.
///
/// The first is remembered as long as the log holds any of them, dropped or not: a reader that comes
/// back with the id may have had that one, and must not be taken for one that has had the last.
#[derive(Clone, Copy)]
struct Uses {
    first: Seq,
    last: Seq,
}

impl Memory {
    /// An empty log of a new epoch.
    pub fn new(retention: Retention) -> Memory {
        Memory {
            epoch: Epoch::new(fastrand::u64(..)),
            retention,
            order: Mutex::new(None),
            log: Mutex::new(Log {
                events: VecDeque::new(),
                first: Seq::START.next(),
                bytes: 0,
                chosen: HashMap::new(),
                statuses: Statuses::default(),
                dropped: Dropped::default(),
            }),
        }
    }

    /// Locks the log, and drops what is too old.
    fn log(&self) -> MutexGuard<'_, Log> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.trim(SystemTime::now(), &self.retention);
        log
    }

    fn append_now(&self, draft: &Draft) -> Appended {
        let order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let at = SystemTime::now();
        let (appended, stored) = self.log().append(self.epoch, draft, at, &self.retention);
        let tail = order.as_ref().and_then(Weak::upgrade);
        let wakes = match (tail, stored) {
            (Some(tail), Some(stored)) => Some(tail.arrived(&[stored])),
            _ => None,
        };
        drop(order);
        if let Some(wakes) = wakes {
            wakes.wake();
        }
        appended
    }
}

impl Log {
    fn last(&self) -> Seq {
        Seq(self.first.0 + self.events.len() as u64 - 1)
    }

    fn append(
        &mut self,
        epoch: Epoch,
        draft: &Draft,
        at: SystemTime,
        retention: &Retention,
    ) -> (Appended, Option<Arc<Stored>>) {
        let stored = draft.event.as_ref().map(|event| {
            let seq = self.last().next();
            let minted = EventId::mint(epoch, seq);
            let stored = Arc::new(Stored {
                seq,
                frame: encode(event, &minted),
                id: event.id().cloned().unwrap_or(minted),
                topics: draft.topics.clone(),
                at,
            });
            if let Some(id) = event.id() {
                let first = Uses {
                    first: seq,
                    last: seq,
                };
                self.chosen.entry(id.clone()).or_insert(first).last = seq;
            }
            self.statuses.outdate(draft.topics.as_slice(), seq);
            self.bytes += stored.frame.bytes().len();
            self.events.push_back(Arc::clone(&stored));
            self.trim(at, retention);
            stored
        });
        let (seq, id) = match &stored {
            Some(stored) => (stored.seq, stored.id.clone()),
            None => (self.last(), EventId::mint(epoch, self.last())),
        };
        let topics = draft.topics.as_slice();
        match &draft.status {
            StatusUpdate::Keep => {}
            StatusUpdate::Set(status) => {
                self.statuses.set(topics, status, seq, retention.statuses);
            }
            StatusUpdate::Remove => self.statuses.remove(topics),
        }
        (Appended { seq, id }, stored)
    }

    fn trim(&mut self, now: SystemTime, retention: &Retention) {
        while let Some(oldest) = self.events.front() {
            let too_many = self.events.len() > retention.events.max(1);
            let too_large = self.bytes > retention.bytes && self.events.len() > 1;
            let too_old = retention
                .age
                .is_some_and(|age| now.duration_since(oldest.at).is_ok_and(|lived| lived > age));
            if !(too_many || too_large || too_old) {
                return;
            }
            let oldest = Arc::clone(oldest);
            self.events.pop_front();
            self.first = oldest.seq.next();
            self.bytes -= oldest.frame.bytes().len();
            if self
                .chosen
                .get(&oldest.id)
                .is_some_and(|uses| uses.last == oldest.seq)
            {
                self.chosen.remove(&oldest.id);
            }
            self.dropped.note(&oldest);
        }
    }

    fn span(&self, epoch: Epoch) -> Span {
        Span {
            epoch,
            middle: Seq(self.first.0 - 1 + self.events.len() as u64 / 2),
            last: self.last(),
        }
    }

    fn read(&self, interest: &Interest, after: Seq, limit: usize) -> Page {
        let skipped = after.next().0.saturating_sub(self.first.0);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let mut page = Page {
            events: Vec::new(),
            scanned_to: self.last().max(after),
            dropped_to: self.dropped.newest_of(interest),
        };
        for stored in self.events.iter().skip(skipped) {
            if interest.wants_any(&stored.topics) {
                page.events.push(Arc::clone(stored));
                if page.events.len() >= limit.max(1) {
                    page.scanned_to = stored.seq;
                    break;
                }
            }
        }
        page
    }
}

impl Engine for Memory {
    fn append(&self, draft: Draft) -> BoxFuture<'_, Result<Appended, EngineError>> {
        // Lazily, as for every engine: an append that is never awaited does not happen.
        Box::pin(async move { Ok(self.append_now(&draft)) })
    }

    fn read(
        &self,
        interest: &Interest,
        after: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, EngineError>> {
        let page = self.log().read(interest, after, limit);
        Box::pin(std::future::ready(Ok(page)))
    }

    fn snapshot(&self, interest: &Interest) -> BoxFuture<'_, Result<Snapshot, EngineError>> {
        let mut log = self.log();
        let span = log.span(self.epoch);
        let snapshot = Snapshot {
            statuses: log.statuses.wanted(interest, span),
            bounds: log.bounds(self.epoch),
        };
        drop(log);
        Box::pin(std::future::ready(Ok(snapshot)))
    }

    fn locate(&self, id: &EventId) -> BoxFuture<'_, Result<Option<Seq>, EngineError>> {
        let seq = self.log().chosen.get(id).map(|uses| uses.first);
        Box::pin(std::future::ready(Ok(seq)))
    }

    fn bounds(&self) -> Bounds {
        self.log().bounds(self.epoch)
    }

    fn attach(&self, tail: Weak<dyn Tail>) {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = Some(tail);
    }
}

impl Log {
    fn bounds(&self, epoch: Epoch) -> Bounds {
        Bounds {
            epoch,
            first: self.first,
            last: self.last(),
        }
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory")
            .field("bounds", &self.bounds())
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
