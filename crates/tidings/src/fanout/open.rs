//! Opening a subscription: where the reader starts, and what it gets before anything live.
//!
//! The one place where a cursor meets the log's bounds. What must stay true
//! - A status and the position it is as of are one: events up to there are not sent again, events
//!   after it are all sent.
//! - No loss is silent: [`Gap`] comes first, before the status that makes up for it.
//! - Until a reader has its whole status it holds no id to resume from, or one that gives it the
//!   status again. So only the last of several statuses carries an id.
//! - A gap is told only where something that the reader wants was dropped, or may have been.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;

use super::{Core, SubscribeError};
use crate::delivery::{Delivery, Gap, GapReason, Start};
use crate::engine::{Bounds, Status, Stored};
use crate::id::{Cursor, EventId, Seq};
use crate::sse::{data_frame, encode, with_id};
use crate::topic::{Interest, Selector, Topic};

/// Events read from the log in one go.
const PAGE_EVENTS: usize = 256;

/// A reader's start.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) start: Start,
    /// What comes before anything live.
    pub(crate) queue: VecDeque<Outgoing>,
    /// Where what is live begins, for this reader.
    pub(crate) cursor: Seq,
    /// The id from which the reader could resume before it has read anything; `None` where none would do
    /// without a loss.
    pub(crate) resume_id: Option<EventId>,
    /// Whether the client of a byte stream holds an id once it has read the whole queue.
    pub(crate) client_has_id: bool,
}

/// One thing to be sent: as a delivery for programs, and as bytes for the wire.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) delivery: Delivery,
    pub(crate) bytes: Bytes,
    /// The id that the bytes set, if they set one.
    pub(crate) id: Option<EventId>,
}

impl Outgoing {
    /// An event of the log as it is.
    pub(crate) fn event(stored: Arc<Stored>) -> Outgoing {
        Outgoing {
            bytes: stored.frame.bytes().clone(),
            id: Some(stored.id.clone()),
            delivery: Delivery::Event(stored),
        }
    }

    fn set_id(&mut self, id: Option<EventId>) {
        self.bytes = with_id(&self.bytes, id.as_ref());
        self.id = id;
    }
}

impl Core {
    pub(crate) async fn open(
        &self,
        interest: &Interest,
        from: Cursor,
    ) -> Result<Opened, SubscribeError> {
        match from {
            Cursor::Latest => self.newcomer(interest, None).await,
            Cursor::Earliest => {
                let bounds = self.engine.bounds();
                Ok(Opened::live(bounds, before_first(bounds)))
            }
            Cursor::After(id) => match self.place(interest, &id).await? {
                Ok(seq) => Ok(Opened {
                    start: Start::Resumed { after: id.clone() },
                    queue: VecDeque::new(),
                    cursor: seq,
                    resume_id: Some(id),
                    client_has_id: true,
                }),
                Err(reason) => self.newcomer(interest, Some((id, reason))).await,
            },
        }
    }

    /// A reader that the log has overtaken while it was connected starts again, with a gap.
    pub(crate) async fn reopen(
        self: Arc<Core>,
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
        interest: &Interest,
        id: &EventId,
    ) -> Result<Result<Seq, GapReason>, SubscribeError> {
        let epoch = self.engine.bounds().epoch;
        let seq = match id.minted() {
            Some((of, seq)) if of == epoch => seq,
            // A publisher that passes on the events of another log may have kept their ids.
            foreign => match self.engine.locate(id).await {
                Ok(Some(seq)) => seq,
                Ok(None) if foreign.is_some() => return Ok(Err(GapReason::OtherLog)),
                Ok(None) => return Ok(Err(GapReason::Unknown)),
                Err(error) => return Err(SubscribeError::Engine(error)),
            },
        };
        Ok(if seq > self.engine.bounds().last {
            Err(GapReason::Unknown)
        } else if self.has_lost(interest, seq).await? {
            Err(GapReason::Expired)
        } else {
            Ok(seq)
        })
    }

    /// Whether the log has dropped, or may have dropped, an event after this position that the
    /// interest wants.
    async fn has_lost(&self, interest: &Interest, after: Seq) -> Result<bool, SubscribeError> {
        if after >= before_first(self.engine.bounds()) {
            return Ok(false);
        }
        let page = self.engine.read(interest, after, 1).await;
        Ok(page.map_err(SubscribeError::Engine)?.dropped_to > after)
    }

    async fn newcomer(
        &self,
        interest: &Interest,
        lost: Option<(EventId, GapReason)>,
    ) -> Result<Opened, SubscribeError> {
        let snapshot = self.engine.snapshot(interest).await;
        let snapshot = snapshot.map_err(SubscribeError::Engine)?;
        let mut statuses = snapshot.statuses;
        self.call_status_callbacks(interest, &mut statuses).await?;
        statuses.sort_by(|a, b| (a.as_of, &a.topic).cmp(&(b.as_of, &b.topic)));

        let live_from = match &lost {
            // What is still there comes after what was lost, so all of it is wanted.
            Some((_, GapReason::Expired | GapReason::Behind)) => before_first(self.engine.bounds()),
            _ => snapshot.bounds.last,
        };
        let plan = Plan::new(interest, &statuses, live_from);
        let between = self.between(&plan).await?;
        let bounds = self.engine.bounds();
        let lost = match lost {
            // Events that a status does not include are gone, so it cannot stand alone.
            None if between.incomplete && self.plan_has_lost(&plan).await? => {
                Some((EventId::mint(bounds.epoch, plan.cursor), GapReason::Expired))
            }
            lost => lost,
        };

        let mut queue: VecDeque<Outgoing> = VecDeque::new();
        let mut opened = Opened::live(bounds, plan.until);
        if let Some((asked, reason)) = lost {
            // This one gap stands for all that the log has dropped by now.
            opened.cursor = plan.until.max(before_first(bounds));
            self.counters.gaps.fetch_add(1, Ordering::Relaxed);
            let gap = Gap {
                reason,
                asked: asked.clone(),
                earliest: EventId::mint(bounds.epoch, bounds.first),
            };
            opened.start = Start::Lost {
                asked: asked.clone(),
                earliest: gap.earliest.clone(),
            };
            opened.resume_id = Some(asked);
            queue.push_back(Outgoing {
                bytes: data_frame("gap", &gap.to_json()).bytes().clone(),
                id: None,
                delivery: Delivery::Gap(gap),
            });
        } else if !statuses.is_empty() {
            opened.resume_id = None;
        }
        for status in statuses {
            queue.push_back(Outgoing {
                bytes: status.frame.bytes().clone(),
                id: Some(EventId::mint(bounds.epoch, status.as_of)),
                delivery: Delivery::Status(status.topic, status.frame),
            });
        }
        queue.extend(between.events.into_iter().map(Outgoing::event));
        if let Some(last) = queue.pop_back() {
            let end = EventId::mint(bounds.epoch, opened.cursor);
            queue.iter_mut().for_each(|earlier| earlier.set_id(None));
            queue.push_back(last);
            if let Some(last) = queue.back_mut()
                && last.id.as_ref() != Some(&end)
            {
                last.set_id(Some(end));
            }
        }
        opened.client_has_id = !queue.is_empty();
        opened.queue = queue;
        Ok(opened)
    }

    /// Whether events are gone that come after the start of their topic.
    async fn plan_has_lost(&self, plan: &Plan) -> Result<bool, SubscribeError> {
        for (topic, as_of) in &plan.starts {
            if self.has_lost(&topic.clone().into(), *as_of).await? {
                return Ok(true);
            }
        }
        match &plan.others {
            Some(others) => self.has_lost(others, plan.live_from).await,
            None => Ok(false),
        }
    }

    /// Asks the callbacks for their statuses. No lock is held meanwhile.
    async fn call_status_callbacks(
        &self,
        interest: &Interest,
        statuses: &mut Vec<Status>,
    ) -> Result<(), SubscribeError> {
        let wanted: Vec<_> = {
            let makers = self
                .status_callbacks
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            let wanted = interest
                .selectors()
                .iter()
                .flat_map(|selector| match selector {
                    Selector::Exact(topic) => Vec::from_iter(makers.get_key_value(topic)),
                    Selector::All => Vec::from_iter(&*makers),
                });
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
    async fn between(&self, plan: &Plan) -> Result<Between, SubscribeError> {
        let mut between = Between::default();
        let mut cursor = plan.cursor;
        between.incomplete = cursor < before_first(self.engine.bounds());
        while cursor < plan.until {
            let page = self.engine.read(&plan.interest, cursor, PAGE_EVENTS).await;
            let page = page.map_err(SubscribeError::Engine)?;
            // The log may have dropped some since the last page.
            between.incomplete |= page.dropped_to > cursor;
            let needed = page.events.into_iter().take_while(|e| e.seq <= plan.until);
            let needed = needed.filter(|stored| plan.needs(stored));
            between.events.extend(needed);
            if page.scanned_to <= cursor {
                break;
            }
            cursor = page.scanned_to;
        }
        Ok(between)
    }
}

impl Opened {
    /// A reader that holds nothing yet, and gets everything after this position.
    fn live(bounds: Bounds, cursor: Seq) -> Opened {
        Opened {
            start: Start::Live,
            queue: VecDeque::new(),
            cursor,
            resume_id: Some(EventId::mint(bounds.epoch, cursor)),
            client_has_id: false,
        }
    }
}

/// The position before the log's oldest event.
fn before_first(bounds: Bounds) -> Seq {
    Seq(bounds.first.0.saturating_sub(1))
}

#[derive(Default)]
struct Between {
    events: Vec<Arc<Stored>>,
    /// The log begins after the plan, so some may be missing.
    incomplete: bool,
}

/// From which position each topic of a newcomer is needed.
struct Plan {
    interest: Interest,
    starts: Vec<(Topic, Seq)>,
    /// What it wants besides those, if anything.
    others: Option<Interest>,
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
        let without = interest
            .selectors()
            .iter()
            .filter(|selector| match selector {
                Selector::Exact(topic) => !starts.iter().any(|(with, _)| with == topic),
                Selector::All => true,
            });
        let others = Interest::any_of(without.cloned());
        let others = (!others.selectors().is_empty()).then_some(others);
        let of_others = (others.is_some() || starts.is_empty()).then_some(live_from);
        let all = || starts.iter().map(|(_, seq)| *seq).chain(of_others);
        Plan {
            interest: interest.clone(),
            cursor: all().min().unwrap_or(live_from),
            until: all().max().unwrap_or(live_from),
            starts,
            others,
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
