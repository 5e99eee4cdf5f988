//! [`Dropped`]: which events the log no longer has, told by topic.
//!
//! A reader that comes back after the log has moved on has lost something only if one of the dropped
//! events was of interest to it. What must stay true: the answer is never earlier than the newest
//! dropped event of an interest. It may be later, for topics that are no longer remembered.

use crate::engine::Stored;
use crate::id::Seq;
use crate::recent::Recent;
use crate::topic::{Interest, Selector, Topic};

/// So many topics are remembered, those with the newest dropped events.
const REMEMBERED_TOPICS: usize = 10_000;

#[derive(Default)]
pub(super) struct Dropped {
    /// The newest event about any topic.
    newest: Seq,
    by_topic: Recent<Topic, Seq>,
    /// The same for all topics that are not in `by_topic`: not later than this.
    others: Seq,
}

impl Dropped {
    /// Notes that the log has dropped this event, which was its oldest.
    pub(super) fn note(&mut self, stored: &Stored) {
        self.newest = stored.seq;
        for topic in stored.topics.as_slice() {
            self.by_topic.set(topic.clone(), stored.seq);
        }
        while self.by_topic.len() > REMEMBERED_TOPICS {
            if let Some((_, seq)) = self.by_topic.pop_oldest() {
                self.others = seq;
            }
        }
    }

    /// The newest dropped event that the interest wants, or a later position.
    pub(super) fn newest_of(&self, interest: &Interest) -> Seq {
        let newest = interest.selectors().iter().map(|selector| match selector {
            Selector::All => self.newest,
            Selector::Exact(topic) => self.by_topic.get(topic).copied().unwrap_or(self.others),
        });
        newest.max().unwrap_or(Seq::START)
    }
}
