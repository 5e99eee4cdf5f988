//! [`Channels`]: which channels there are, and which of them an event is for.
//!
//! It is the tail of the engine: it receives each event once, in order, encoded and readable.
//!
//! What must stay true: a channel that is made while events are appended misses none. It is made
//! under the lock that `arrived` holds, from the position that has arrived; what is newer in the log
//! will arrive, what is older is read from the log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::channel::Channel;
use crate::engine::{Stored, Tail, Wakes};
use crate::id::Seq;
use crate::topic::{Interest, Selector, Topic};

#[derive(Default)]
pub(crate) struct Channels {
    // Lock order: `registry`, then a channel's state. Nothing is awaited or woken under either.
    registry: Mutex<Registry>,
}

#[derive(Default)]
struct Registry {
    arrived: Seq,
    by_interest: HashMap<Interest, Arc<Channel>>,
    by_topic: HashMap<Topic, Vec<Arc<Channel>>>,
    /// Channels that no single topic finds: those that want everything.
    broad: Vec<Arc<Channel>>,
}

impl Channels {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts from a log that already holds events up to here. Newer ones may have arrived since the
    /// log was asked.
    pub(super) fn start_at(&self, last: Seq) {
        let mut registry = self.registry();
        registry.arrived = registry.arrived.max(last);
    }

    /// The newest position that has arrived at the channels.
    pub(crate) fn arrived_to(&self) -> Seq {
        self.registry().arrived
    }

    /// Adds a reader to the channel of its interest, and returns its slot there.
    pub(crate) fn enter(&self, interest: &Interest) -> (Arc<Channel>, usize) {
        let mut registry = self.registry();
        if let Some(channel) = registry.by_interest.get(interest) {
            let reader = channel.enter();
            return (Arc::clone(channel), reader);
        }
        let channel = Arc::new(Channel::new(interest.clone(), registry.arrived));
        for selector in interest.selectors() {
            match selector {
                Selector::Exact(topic) => registry
                    .by_topic
                    .entry(topic.clone())
                    .or_default()
                    .push(Arc::clone(&channel)),
                Selector::All => registry.broad.push(Arc::clone(&channel)),
            }
        }
        registry
            .by_interest
            .insert(interest.clone(), Arc::clone(&channel));
        let reader = channel.enter();
        (channel, reader)
    }

    /// Removes a reader, and its channel when that was the last one.
    pub(crate) fn leave(&self, channel: &Arc<Channel>, reader: usize) {
        if !channel.leave(reader) {
            return;
        }
        let mut registry = self.registry();
        // Somebody may have entered since. Entering needs the lock that is held now.
        if !channel.is_empty() {
            return;
        }
        let registered = registry.by_interest.get(&channel.interest);
        if !registered.is_some_and(|registered| Arc::ptr_eq(registered, channel)) {
            return;
        }
        registry.by_interest.remove(&channel.interest);
        registry.broad.retain(|other| !Arc::ptr_eq(other, channel));
        for selector in channel.interest.selectors() {
            if let Selector::Exact(topic) = selector
                && let Some(channels) = registry.by_topic.get_mut(topic)
            {
                channels.retain(|other| !Arc::ptr_eq(other, channel));
                if channels.is_empty() {
                    registry.by_topic.remove(topic);
                }
            }
        }
    }

    /// Wakes the readers of every quiet channel for a keep-alive.
    pub(crate) fn keep_alive(&self, quiet_since: Instant) -> Wakes {
        let mut wakes = Wakes::default();
        let channels: Vec<_> = self.registry().by_interest.values().cloned().collect();
        for channel in channels {
            channel.keep_alive(quiet_since, &mut wakes);
        }
        wakes
    }

    #[cfg(test)]
    pub(crate) fn n_channels(&self) -> usize {
        let registry = self.registry();
        assert_eq!(
            registry.by_topic.values().map(Vec::len).sum::<usize>() + registry.broad.len(),
            registry
                .by_interest
                .keys()
                .map(|interest| interest.selectors().len())
                .sum::<usize>(),
            "the three maps agree"
        );
        registry.by_interest.len()
    }
}

impl Tail for Channels {
    fn arrived(&self, events: &[Arc<Stored>]) -> Wakes {
        let now = Instant::now();
        let mut wakes = Wakes::default();
        let mut registry = self.registry();
        for stored in events {
            let topics = stored.topics.as_slice();
            let mut reached: Vec<&Arc<Channel>> = Vec::new();
            for topic in topics {
                for channel in registry.by_topic.get(topic).into_iter().flatten() {
                    // An event about several topics is one event, also to a reader who wants several of them.
                    if topics.len() > 1 {
                        if reached.iter().any(|other| Arc::ptr_eq(other, channel)) {
                            continue;
                        }
                        reached.push(channel);
                    }
                    channel.push(stored, now, &mut wakes);
                }
            }
            for channel in &registry.broad {
                channel.push(stored, now, &mut wakes);
            }
        }
        if let Some(newest) = events.last() {
            registry.arrived = registry.arrived.max(newest.seq);
        }
        wakes
    }
}
