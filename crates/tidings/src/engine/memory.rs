//! [`Memory`]: a log in memory, bounded by count, bytes and age.
//!
//! Two locks. `order` is held by whoever appends, from taking a position until the tail knows of the
//! event, so that the tail hears events in order. `log` guards the events and is held for moments
//! only; readers never wait for the tail.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use super::{
    Appended, Bounds, BoxFuture, Draft, Engine, EngineError, Page, Retention, Snapshot, Status,
    Stored, Tail,
};
use crate::event::{Event, Frame};
use crate::id::{Epoch, EventId, Seq};
use crate::sse::encode;
use crate::topic::{Interest, Topic};

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
    chosen: HashMap<EventId, Seq>,
    statuses: HashMap<Topic, Kept>,
}

/// The status of a topic.
struct Kept {
    status: Event,
    as_of: Seq,
    frame: Frame,
    /// The first event about the topic that came after the status.
    outdated_by: Option<Seq>,
}

impl Memory {
    /// An empty log of a new epoch.
    pub fn new(retention: Retention) -> Memory {
        // A fresh `RandomState` is keyed by the operating system's randomness.
        let random = RandomState::new().hash_one(SystemTime::now());
        Memory {
            epoch: Epoch::new(random),
            retention,
            order: Mutex::new(None),
            log: Mutex::new(Log {
                events: VecDeque::new(),
                first: Seq::START.next(),
                bytes: 0,
                chosen: HashMap::new(),
                statuses: HashMap::new(),
            }),
        }
    }

    /// The log as it is now: whoever looks at it, what is too old is gone.
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
                // The earlier holder of an id wins: rather an event twice than not at all.
                self.chosen.entry(id.clone()).or_insert(seq);
            }
            for topic in draft.topics.as_slice() {
                if let Some(kept) = self.statuses.get_mut(topic) {
                    kept.outdated_by.get_or_insert(seq);
                }
            }
            self.bytes += stored.frame.bytes().len();
            self.events.push_back(Arc::clone(&stored));
            self.trim(at, retention);
            stored
        });
        let (seq, id) = match &stored {
            Some(stored) => (stored.seq, stored.id.clone()),
            None => (self.last(), EventId::mint(epoch, self.last())),
        };
        if let Some(status) = &draft.status {
            // A status has the id of the position it is as of, so a reader who leaves right after
            // it comes back to what followed. Minted, because that is good as long as the log lives.
            let minted = EventId::mint(epoch, seq);
            let status = status.clone().with_id(minted.clone());
            let frame = encode(&status, &minted);
            for topic in draft.topics.as_slice() {
                let kept = Kept {
                    status: status.clone(),
                    as_of: seq,
                    frame: frame.clone(),
                    outdated_by: None,
                };
                self.statuses.insert(topic.clone(), kept);
            }
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
            if self.chosen.get(&oldest.id) == Some(&oldest.seq) {
                self.chosen.remove(&oldest.id);
            }
        }
    }

    /// The statuses that are wanted. One that has fallen back because of events about other topics is
    /// as of a later position just as well, and moved there; or else its readers would soon be told of
    /// a gap. Only from the older half of the log, so that it is seldom encoded again.
    fn statuses(&mut self, epoch: Epoch, interest: &Interest) -> Vec<Status> {
        let last = self.last();
        let middle = Seq(self.first.0 - 1 + self.events.len() as u64 / 2);
        let wanted = self
            .statuses
            .iter_mut()
            .filter(|(topic, _)| interest.wants(topic));
        let brought_up = wanted.map(|(topic, kept)| {
            let latest = kept.outdated_by.map_or(last, |seq| Seq(seq.0 - 1));
            if kept.as_of < middle && kept.as_of < latest {
                kept.as_of = latest;
                let minted = EventId::mint(epoch, latest);
                kept.frame = encode(&kept.status.clone().with_id(minted.clone()), &minted);
            }
            Status {
                topic: topic.clone(),
                as_of: kept.as_of,
                frame: kept.frame.clone(),
            }
        });
        brought_up.collect()
    }

    fn read(&self, interest: &Interest, after: Seq, limit: usize) -> Page {
        let skipped = (after.0 + 1).saturating_sub(self.first.0);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let mut page = Page {
            events: Vec::new(),
            scanned_to: self.last().max(after),
            first: self.first,
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
        let snapshot = Snapshot {
            statuses: log.statuses(self.epoch, interest),
            bounds: log.bounds(self.epoch),
        };
        drop(log);
        Box::pin(std::future::ready(Ok(snapshot)))
    }

    fn locate(&self, id: &EventId) -> BoxFuture<'_, Result<Option<Seq>, EngineError>> {
        let seq = self.log().chosen.get(id).copied();
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
