//! [`Streams`]: the registry of open streams, and when each of them is to end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime};

use slab::Slab;

use super::channel::Channel;
use crate::engine::Wakes;
use crate::jitter;
use crate::topic::Interest;

/// Identifies one stream of one hub. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u64);

impl StreamId {
    /// The number: 1 for a hub's first stream.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Information about an open stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Its id in this hub.
    pub id: StreamId,
    /// The topics it subscribed to.
    pub interest: Interest,
    /// The label that was given when it was opened.
    pub label: Option<String>,
    /// When it was opened.
    pub opened_at: SystemTime,
}

#[derive(Default)]
pub(crate) struct Streams {
    last_id: u64,
    open: BTreeMap<StreamId, Open>,
    /// Who waits until no stream is open.
    waiting: Slab<Waiting>,
}

struct Waiting {
    waker: Option<Waker>,
    /// When it is woken in any case; `None` is never.
    deadline: Option<Instant>,
}

struct Open {
    channel: Arc<Channel>,
    reader: usize,
    label: Option<String>,
    opened_at: SystemTime,
    /// `None` is never.
    ends_at: Option<Instant>,
}

impl Streams {
    pub(crate) fn add(
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

    pub(crate) fn remove(&mut self, id: StreamId, wakes: &mut Wakes) {
        self.open.remove(&id);
        if self.open.is_empty() {
            for (_, waiting) in &mut self.waiting {
                waiting.waker.take().into_iter().for_each(|w| wakes.push(w));
            }
        }
    }

    pub(crate) fn n_open(&self) -> u64 {
        self.open.len() as u64
    }

    pub(crate) fn list(&self) -> Vec<StreamInfo> {
        let info = |(id, open): (&StreamId, &Open)| StreamInfo {
            id: *id,
            interest: open.channel.interest.clone(),
            label: open.label.clone(),
            opened_at: open.opened_at,
        };
        self.open.iter().map(info).collect()
    }

    pub(crate) fn end(&mut self, id: StreamId, wakes: &mut Wakes) -> bool {
        match self.open.get(&id) {
            None => false,
            Some(open) => {
                open.channel.end(open.reader, wakes);
                true
            }
        }
    }

    pub(crate) fn end_all(
        &mut self,
        now: Instant,
        over: Duration,
        whose: impl Fn(&Interest) -> bool,
        wakes: &mut Wakes,
    ) {
        for open in self.open.values_mut() {
            if !whose(&open.channel.interest) {
                continue;
            }
            if over.is_zero() {
                open.channel.end(open.reader, wakes);
            } else {
                let at = now.checked_add(jitter::up_to(over));
                open.ends_at = earlier(open.ends_at, at);
            }
        }
    }

    /// Ends the streams that are due, wakes the waiters whose deadline has passed, and returns when the
    /// next is due; `None` is never.
    pub(crate) fn end_due(&mut self, now: Instant, wakes: &mut Wakes) -> Option<Instant> {
        let mut next = None;
        for open in self.open.values_mut() {
            match open.ends_at {
                Some(at) if at <= now => {
                    open.ends_at = None;
                    open.channel.end(open.reader, wakes);
                }
                at => next = earlier(next, at),
            }
        }
        for (_, waiting) in &mut self.waiting {
            match waiting.deadline {
                Some(at) if at <= now => {
                    waiting.waker.take().into_iter().for_each(|w| wakes.push(w));
                }
                at => next = earlier(next, at),
            }
        }
        next
    }

    /// Keeps a waker until no stream is open or the deadline has come. Returns the one it replaces.
    pub(crate) fn await_empty(
        &mut self,
        place: &mut Option<usize>,
        waker: &Waker,
        deadline: Option<Instant>,
    ) -> Option<Waker> {
        let waker = Some(waker.clone());
        match place.and_then(|place| self.waiting.get_mut(place)) {
            Some(waiting) => std::mem::replace(&mut waiting.waker, waker),
            None => {
                *place = Some(self.waiting.insert(Waiting { waker, deadline }));
                None
            }
        }
    }

    pub(crate) fn stop_waiting(&mut self, place: usize) -> Option<Waker> {
        self.waiting.try_remove(place)?.waker
    }
}

/// The earlier of two moments, where `None` is never.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
