//! Opening: where a reader starts, and what it gets before anything live.
//!
//! The one place where a cursor meets the log's bounds. What must stay true
//! - A status and the position it is as of are one: events up to there are not sent again, events
//!   after it are all sent.
//! - Nothing lost is passed over in silence: [`Gap`] comes first, before the status that mends it.
//! - Until a reader has its whole status it holds no id to resume from, or one that gives it the
//!   status again. So only the last part of a status carries an id.
//! - Afterwards it always holds one, also when there was no status.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;

use super::{Inner, SubscribeError};
use crate::engine::{Bounds, Status, Stored};
use crate::event::Frame;
use crate::id::{Cursor, EventId, Seq};
use crate::sse::{data_frame, encode, without_id};
use crate::subscription::{Gap, GapReason, Start};
use crate::topic::{Interest, Selector, Topic};

/// Events read from the log in one go.
const PAGE_EVENTS: usize = 256;

/// A reader's start.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) start: Start,
    pub(crate) parts: VecDeque<Part>,
    pub(crate) cursor: Seq,
}

/// A piece of a stream.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Gap(Gap, Frame, Option<EventId>),
    Status(Topic, Frame, Option<EventId>),
    /// An event of the log; with a frame, one that belongs to a status and whose id must not be held.
    Event(Arc<Stored>, Option<Frame>),
    /// Bytes without any event in them, which only set the id to resume from.
    Mark(Bytes, EventId),
}

impl Part {
    pub(crate) fn bytes(&self) -> &Bytes {
        match self {
            Part::Gap(_, frame, _) | Part::Status(_, frame, _) | Part::Event(_, Some(frame)) => {
                frame.bytes()
            }
            Part::Event(stored, None) => stored.frame.bytes(),
            Part::Mark(bytes, _) => bytes,
        }
    }

    /// The id that its bytes set, if they set one.
    pub(crate) fn id(&self) -> Option<&EventId> {
        match self {
            Part::Gap(_, _, id) | Part::Status(_, _, id) => id.as_ref(),
            Part::Event(stored, None) => Some(&stored.id),
            Part::Event(_, Some(_)) => None,
            Part::Mark(_, id) => Some(id),
        }
    }
}

impl Inner {
    pub(super) async fn open(
        &self,
        interest: &Interest,
        from: Cursor,
    ) -> Result<Opened, SubscribeError> {
        let bounds = self.engine.bounds();
        match from {
            Cursor::Latest => self.newcomer(interest, None).await,
            Cursor::Earliest => {
                let before_first = Seq(bounds.first.0 - 1);
                Ok(Opened {
                    start: Start::Live,
                    parts: VecDeque::from([mark(bounds, before_first)]),
                    cursor: before_first,
                })
            }
            Cursor::After(id) => match self.place(&id, bounds).await? {
                Ok(seq) => Ok(Opened {
                    start: Start::Resumed { after: id },
                    parts: VecDeque::new(),
                    cursor: seq,
                }),
                Err(reason) => self.newcomer(interest, Some((id, reason))).await,
            },
        }
    }

    /// A reader that fell out of the log while it was connected starts again, with the gap told.
    pub(crate) async fn reopen(
        self: Arc<Inner>,
        interest: Interest,
        cursor: Seq,
    ) -> Result<Opened, SubscribeError> {
        let asked = EventId::mint(self.engine.bounds().epoch, cursor);
        self.newcomer(&interest, Some((asked, GapReason::Behind)))
            .await
    }

    /// The position of an id, or why there is none to resume from.
    async fn place(
        &self,
        id: &EventId,
        bounds: Bounds,
    ) -> Result<Result<Seq, GapReason>, SubscribeError> {
        let seq = match id.minted() {
            Some((epoch, seq)) if epoch == bounds.epoch => seq,
            // A publisher that passes on the events of another log may have kept their ids.
            foreign => match self.engine.locate(id).await {
                Ok(Some(seq)) => seq,
                Ok(None) if foreign.is_some() => return Ok(Err(GapReason::OtherLog)),
                Ok(None) => return Ok(Err(GapReason::Unknown)),
                Err(error) => return Err(SubscribeError::Engine(error)),
            },
        };
        // The bounds were read before the id was looked up, so they may be older, never newer.
        let bounds = self.engine.bounds();
        Ok(match seq {
            seq if seq > bounds.last => Err(GapReason::Unknown),
            seq if seq.next() < bounds.first => Err(GapReason::Expired),
            seq => Ok(seq),
        })
    }

    async fn newcomer(
        &self,
        interest: &Interest,
        lost: Option<(EventId, GapReason)>,
    ) -> Result<Opened, SubscribeError> {
        let snapshot = self.engine.snapshot(interest).await;
        let snapshot = snapshot.map_err(SubscribeError::Engine)?;
        let mut statuses = snapshot.statuses;
        self.make_statuses(interest, &mut statuses).await?;
        statuses.sort_by(|a, b| (a.as_of, &a.topic).cmp(&(b.as_of, &b.topic)));

        let bounds = self.engine.bounds();
        let live_from = match &lost {
            // What is still there comes after what was lost, so all of it is wanted.
            Some((_, GapReason::Expired | GapReason::Behind)) if statuses.is_empty() => {
                Seq(bounds.first.0 - 1)
            }
            _ => snapshot.bounds.last,
        };
        let plan = Plan::new(interest, &statuses, live_from);
        let lost = match lost {
            // A status so old that the log has lost what came after it cannot stand alone.
            None if plan.cursor.next() < bounds.first => {
                Some((EventId::mint(bounds.epoch, plan.cursor), GapReason::Expired))
            }
            lost => lost,
        };
        let cursor = plan.cursor.max(Seq(bounds.first.0 - 1));
        let between = self.between(interest, &plan, cursor).await?;

        let mut parts = VecDeque::new();
        let end = plan.until.max(cursor);
        let start = match lost {
            None => Start::Live,
            Some((asked, reason)) => {
                self.counters.gaps.fetch_add(1, Ordering::Relaxed);
                let gap = Gap {
                    reason,
                    asked,
                    earliest: EventId::mint(bounds.epoch, bounds.first),
                };
                let resume_here = statuses
                    .is_empty()
                    .then(|| EventId::mint(bounds.epoch, end));
                let frame = data_frame("gap", resume_here.as_ref(), &gap.to_json());
                let start = Start::Lost {
                    asked: gap.asked.clone(),
                    earliest: gap.earliest.clone(),
                };
                parts.push_back(Part::Gap(gap, frame, resume_here));
                start
            }
        };
        if statuses.len() == 1 && between.is_empty() && end == plan.cursor {
            let status = statuses.swap_remove(0);
            let id = EventId::mint(bounds.epoch, status.as_of);
            parts.push_back(Part::Status(status.topic, status.frame, Some(id)));
        } else if !statuses.is_empty() {
            let pieces = statuses.into_iter();
            parts.extend(pieces.map(|s| Part::Status(s.topic, without_id(&s.frame), None)));
            let pieces = between.into_iter();
            parts.extend(pieces.map(|stored| {
                let frame = without_id(&stored.frame);
                Part::Event(stored, Some(frame))
            }));
            parts.push_back(mark(bounds, end));
        } else if parts.is_empty() {
            // Without a status too a newcomer holds a position from the start: what is published while
            // its connection is broken for the first time is not lost on it.
            parts.push_back(mark(bounds, end));
        }
        Ok(Opened {
            start,
            parts,
            cursor: end,
        })
    }

    /// Asks the callbacks for the statuses they make. No lock is held meanwhile.
    async fn make_statuses(
        &self,
        interest: &Interest,
        statuses: &mut Vec<Status>,
    ) -> Result<(), SubscribeError> {
        let wanted: Vec<_> = {
            let makers = self
                .status_makers
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            let wanted = makers.iter().filter(|(topic, _)| interest.wants(topic));
            wanted
                .map(|(topic, maker)| (topic.clone(), Arc::clone(maker)))
                .collect()
        };
        for (topic, maker) in wanted {
            let failed = |source| SubscribeError::Status {
                topic: topic.to_string(),
                source,
            };
            let made = maker().await.map_err(failed)?;
            let bounds = self.engine.bounds();
            let as_of = match made.as_of.minted() {
                // From a position that is yet to come, a reader would miss what leads up to it.
                Some((of, seq)) if of == bounds.epoch && seq <= bounds.last => seq,
                _ => {
                    return Err(failed(
                        format!(
                            "{} is not a position of this log: use Hub::cursor",
                            made.as_of
                        )
                        .into(),
                    ));
                }
            };
            let frame = encode(&made.status.with_id(made.as_of.clone()), &made.as_of);
            statuses.retain(|status| status.topic != topic);
            statuses.push(Status {
                topic,
                as_of,
                frame,
            });
        }
        Ok(())
    }

    /// The events between the oldest and the newest of several statuses that a reader still needs.
    async fn between(
        &self,
        interest: &Interest,
        plan: &Plan,
        mut cursor: Seq,
    ) -> Result<Vec<Arc<Stored>>, SubscribeError> {
        let mut between = Vec::new();
        while cursor < plan.until {
            let page = self.engine.read(interest, cursor, PAGE_EVENTS).await;
            let page = page.map_err(SubscribeError::Engine)?;
            let needed = page.events.into_iter().take_while(|e| e.seq <= plan.until);
            between.extend(needed.filter(|stored| plan.needs(stored)));
            if page.scanned_to <= cursor {
                break;
            }
            cursor = page.scanned_to;
        }
        Ok(between)
    }
}

/// Sets the id to resume from, and is not heard of (WHATWG HTML 9.2.6).
fn mark(bounds: Bounds, at: Seq) -> Part {
    let id = EventId::mint(bounds.epoch, at);
    Part::Mark(Bytes::from(format!("id: {id}\n\n")), id)
}

/// From which position each topic of a newcomer is needed.
struct Plan {
    interest: Interest,
    starts: Vec<(Topic, Seq)>,
    /// For topics without a status.
    live_from: Seq,
    /// The least and the greatest of all starts.
    cursor: Seq,
    until: Seq,
}

impl Plan {
    fn new(interest: &Interest, statuses: &[Status], live_from: Seq) -> Plan {
        let starts: Vec<_> = statuses
            .iter()
            .map(|s| (s.topic.clone(), s.as_of))
            .collect();
        let all_have_one = interest.selectors().iter().all(|selector| match selector {
            Selector::Exact(topic) => starts.iter().any(|(with, _)| with == topic),
            Selector::All => false,
        });
        let others = (!all_have_one || starts.is_empty()).then_some(live_from);
        let all = || starts.iter().map(|(_, seq)| *seq).chain(others);
        Plan {
            interest: interest.clone(),
            cursor: all().min().unwrap_or(live_from),
            until: all().max().unwrap_or(live_from),
            starts,
            live_from,
        }
    }

    fn needs(&self, stored: &Stored) -> bool {
        let wanted = stored.topics.as_slice().iter();
        wanted
            .filter(|topic| self.interest.wants(topic))
            .any(|topic| {
                let start = self.starts.iter().find(|(with, _)| with == topic);
                stored.seq > start.map_or(self.live_from, |(_, seq)| *seq)
            })
    }
}
