//! [`Statuses`]: the full status of each topic that has one, and the position it is as of.
//!
//! What must stay true
//! - A status and its position are one.
//! - The position of a status moves on when the log drops events about other topics only, so that its
//!   readers are not told of a gap for what was never theirs.
//! - There are at most as many as the retention says. The one that was set longest ago goes first.

use crate::engine::Status;
use crate::event::{Event, Frame};
use crate::id::{Epoch, EventId, Seq};
use crate::recent::Recent;
use crate::sse::encode;
use crate::topic::{Interest, Selector, Topic};

#[derive(Default)]
pub(super) struct Statuses {
    by_topic: Recent<Topic, Kept>,
}

struct Kept {
    status: Event,
    as_of: Seq,
    /// `None` until somebody wants it: with each event there may be a new status, and newcomers are rare.
    frame: Option<Frame>,
    /// The first event about the topic that came after the status.
    outdated_by: Option<Seq>,
}

/// The part of the log that is still there.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) epoch: Epoch,
    /// The position in the middle of it.
    pub(super) middle: Seq,
    pub(super) last: Seq,
}

impl Statuses {
    /// Sets the status of these topics, and forgets the oldest beyond `limit`.
    pub(super) fn set(&mut self, topics: &[Topic], status: &Event, as_of: Seq, limit: usize) {
        for topic in topics {
            let kept = Kept {
                status: status.clone(),
                as_of,
                frame: None,
                outdated_by: None,
            };
            self.by_topic.set(topic.clone(), kept);
        }
        while self.by_topic.len() > limit {
            self.by_topic.pop_oldest();
        }
    }

    pub(super) fn remove(&mut self, topics: &[Topic]) {
        topics.iter().for_each(|topic| self.by_topic.remove(topic));
    }

    /// Notes that there is an event about these topics.
    pub(super) fn outdate(&mut self, topics: &[Topic], by: Seq) {
        for topic in topics {
            if let Some(kept) = self.by_topic.get_mut(topic) {
                kept.outdated_by.get_or_insert(by);
            }
        }
    }

    /// The statuses that are wanted. One that has fallen back because of events about other topics is
    /// as of a later position just as well, and moved there. Only from the older half of the log, so
    /// that it is seldom encoded again.
    pub(super) fn wanted(&mut self, interest: &Interest, span: Span) -> Vec<Status> {
        let all = interest.selectors().first() == Some(&Selector::All);
        let topics: Vec<Topic> = match all {
            true => self.by_topic.keys().cloned().collect(),
            false => {
                let exact = interest.selectors().iter();
                exact
                    .filter_map(|selector| match selector {
                        Selector::Exact(topic) => Some(topic.clone()),
                        Selector::All => None,
                    })
                    .collect()
            }
        };
        let wanted = topics.into_iter().filter_map(|topic| {
            let kept = self.by_topic.get_mut(&topic)?;
            let latest = kept.outdated_by.map_or(span.last, |seq| Seq(seq.0 - 1));
            if kept.as_of < span.middle && kept.as_of < latest {
                kept.as_of = latest;
                kept.frame = None;
            }
            let frame = kept
                .frame
                .get_or_insert_with(|| frame_as_of(&kept.status, span.epoch, kept.as_of));
            Some(Status {
                topic,
                as_of: kept.as_of,
                frame: frame.clone(),
            })
        });
        wanted.collect()
    }
}

/// A status has the id of the position it is as of, so a reader who leaves right after it comes back to what
/// followed. Minted, because that is good as long as the log lives.
fn frame_as_of(status: &Event, epoch: Epoch, as_of: Seq) -> Frame {
    let minted = EventId::mint(epoch, as_of);
    encode(&status.clone().with_id(minted.clone()), &minted)
}
