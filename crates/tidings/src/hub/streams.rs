//! [`Streams`]: the book of open streams, and when each of them is to end.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime};

use super::channel::Channel;
use crate::engine::Wakes;
use crate::topic::Interest;

/// Names one stream of one hub. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u64);

impl StreamId {
    /// The number: 1 for a hub's first stream.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// What is known of an open stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Its name in this hub.
    pub id: StreamId,
    /// What it wants.
    pub interest: Interest,
    /// Who or what it is, if the one who opened it said so.
    pub label: Option<String>,
    /// Since when it is open.
    pub opened_at: SystemTime,
}

#[derive(Default)]
pub(crate) struct Streams {
    last_id: u64,
    open: BTreeMap<StreamId, Open>,
    /// Who waits for the book to be empty, or for the deadline.
    waiting: Vec<Waker>,
    /// When those who wait are woken in any case.
    pub(super) deadline: Option<Instant>,
}

struct Open {
    channel: Arc<Channel>,
    reader: usize,
    label: Option<String>,
    opened_at: SystemTime,
    ends_at: Option<Instant>,
}

impl Streams {
    pub(super) fn add(
        &mut self,
        channel: &Arc<Channel>,
        reader: usize,
        label: Option<String>,
    ) -> StreamId {
        self.last_id += 1;
        let open = Open {
            channel: Arc::clone(channel),
            reader,
            label,
            opened_at: SystemTime::now(),
            ends_at: None,
        };
        self.open.insert(StreamId(self.last_id), open);
        StreamId(self.last_id)
    }

    pub(super) fn remove(&mut self, id: StreamId, wakes: &mut Wakes) {
        self.open.remove(&id);
        if self.open.is_empty() {
            self.waiting.drain(..).for_each(|waker| wakes.push(waker));
        }
    }

    pub(super) fn n_open(&self) -> u64 {
        self.open.len() as u64
    }

    pub(super) fn list(&self) -> Vec<StreamInfo> {
        let info = |(id, open): (&StreamId, &Open)| StreamInfo {
            id: *id,
            interest: open.channel.interest.clone(),
            label: open.label.clone(),
            opened_at: open.opened_at,
        };
        self.open.iter().map(info).collect()
    }

    pub(super) fn end(&mut self, id: StreamId, wakes: &mut Wakes) -> bool {
        match self.open.get(&id) {
            None => false,
            Some(open) => {
                open.channel.end(open.reader, wakes);
                true
            }
        }
    }

    pub(super) fn end_all(
        &mut self,
        now: Instant,
        over: Duration,
        whose: impl Fn(&Interest) -> bool,
        wakes: &mut Wakes,
    ) {
        let random = RandomState::new();
        for (id, open) in &mut self.open {
            if !whose(&open.channel.interest) {
                continue;
            }
            if over.is_zero() {
                open.channel.end(open.reader, wakes);
            } else {
                let part = f64::from(random.hash_one(id) as u32) / f64::from(u32::MAX);
                let at = now + over.mul_f64(part);
                open.ends_at = Some(open.ends_at.map_or(at, |earlier| earlier.min(at)));
            }
        }
    }

    /// Ends those whose time has come, and returns when the next one's comes.
    pub(super) fn end_due(&mut self, now: Instant, wakes: &mut Wakes) -> Option<Instant> {
        let mut next = None;
        for open in self.open.values_mut() {
            match open.ends_at {
                Some(at) if at <= now => {
                    open.ends_at = None;
                    open.channel.end(open.reader, wakes);
                }
                Some(at) => next = Some(next.map_or(at, |next: Instant| next.min(at))),
                None => {}
            }
        }
        match self.deadline {
            Some(at) if at <= now => {
                self.deadline = None;
                self.waiting.drain(..).for_each(|waker| wakes.push(waker));
            }
            Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
            None => {}
        }
        next
    }

    pub(super) fn await_empty(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|known| known.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }
}
