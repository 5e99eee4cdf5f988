//! [`Subscription`]: a cursor over the log.
//!
//! > It never yields an event at or before its cursor, and never skips one it may read. Where it
//! > cannot keep that promise, it says so in the stream, with a [`Gap`].
//!
//! One loop serves first connect, replay, live delivery and a slow reader: what is queued, else what
//! the channel has after the cursor, else a page of the log. Nothing grows while nobody reads.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};

use crate::engine::{BoxFuture, EngineError, Page, Stored};
use crate::event::Frame;
use crate::hub::{Channel, Inner, Opened, Part, StreamId, SubscribeError, Take};
use crate::id::{Cursor, EventId, Seq};
use crate::sse::{Item, Parser, comment, id_block};
use crate::topic::Topic;

/// Events read from the log in one go.
const PAGE_EVENTS: usize = 256;

/// Queued parts are joined into one write up to this size.
const JOIN_BYTES: usize = 64 << 10;

/// Where a subscription began.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// With the status, or with what is published next: nothing was asked for.
    Live,
    /// Exactly after the event that was asked for.
    Resumed {
        /// Its id.
        after: EventId,
    },
    /// Not where it was asked to: the stream begins with a [`Gap`].
    Lost {
        /// The id that was asked for.
        asked: EventId,
        /// The oldest that could be had.
        earliest: EventId,
    },
}

/// Some events cannot be had any more. On the wire it is an event named `gap`, with this as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// The position that was asked for. Empty where a client sent something that cannot be an id.
    pub asked: EventId,
    /// The oldest position that the log holds.
    pub earliest: EventId,
}

/// Why events cannot be had any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapReason {
    /// The id is of another log, or of another life of this one: `other-log`.
    OtherLog,
    /// The log has dropped what came after the id: `expired`.
    Expired,
    /// The log does not know the id: `unknown`.
    Unknown,
    /// The reader was connected, but so slow that the log overtook it: `behind`.
    Behind,
}

impl GapReason {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            GapReason::OtherLog => "other-log",
            GapReason::Expired => "expired",
            GapReason::Unknown => "unknown",
            GapReason::Behind => "behind",
        }
    }
}

impl Gap {
    pub(crate) fn to_json(&self) -> String {
        // Ids hold no control characters, so quotes and backslashes are all that needs an escape.
        let quoted = |id: &EventId| id.as_str().replace('\\', "\\\\").replace('"', "\\\"");
        format!(
            r#"{{"reason":"{}","asked":"{}","earliest":"{}"}}"#,
            self.reason.as_str(),
            quoted(&self.asked),
            quoted(&self.earliest),
        )
    }
}

/// One thing that a subscription yields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Delivery {
    /// The current full status of a topic.
    Status(Topic, Frame),
    /// An event.
    Event(Arc<Stored>),
    /// Some events are lost.
    Gap(Gap),
}

impl Delivery {
    /// The text of a status or an event, as a reader would get it.
    pub fn text(&self) -> Option<String> {
        let frame = match self {
            Delivery::Status(_, frame) => frame,
            Delivery::Event(stored) => &stored.frame,
            Delivery::Gap(_) => return None,
        };
        let mut text = None;
        let mut parser = Parser::with_limit(usize::MAX);
        // Cannot fail: there is no limit.
        let _ = parser.push(frame.bytes(), |item| {
            if let Item::Message(message) = item {
                text = Some(message.data);
            }
        });
        text
    }
}

/// A reader of the log. Dropping it takes it out of the hub at once.
pub struct Subscription {
    hub: Arc<Inner>,
    channel: Arc<Channel>,
    reader: usize,
    id: StreamId,
    start: Start,
    parts: VecDeque<Part>,
    cursor: Seq,
    /// The position of which the client knows the id, if it knows any.
    told: Option<Seq>,
    /// The id that a reader of deliveries holds.
    held: Option<EventId>,
    /// A look into the log that is under way.
    looking: Option<Looking>,
    ended: bool,
}

enum Looking {
    Page(BoxFuture<'static, Result<Page, EngineError>>),
    Again(BoxFuture<'static, Result<Opened, SubscribeError>>),
}

/// What a turn of the loop came to.
enum Turn {
    /// A part for the queue's end is there.
    Queued,
    /// Everything after the old cursor, already joined.
    Joined(Bytes),
    Beat,
}

impl Subscription {
    pub(crate) fn new(
        hub: Arc<Inner>,
        channel: Arc<Channel>,
        reader: usize,
        id: StreamId,
        opened: Opened,
    ) -> Subscription {
        Subscription {
            hub,
            channel,
            reader,
            id,
            start: opened.start,
            parts: opened.parts,
            cursor: opened.cursor,
            told: opened.client_has_id.then_some(opened.cursor),
            held: opened.held,
            looking: None,
            ended: false,
        }
    }

    /// Where it began.
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// From where to subscribe again to go on after everything that [`next`](Subscription::next) has
    /// delivered so far, as a browser would.
    ///
    /// Not the id of the newest event: until a status of several topics is complete, there is no id
    /// that would not lose or double something.
    pub fn cursor(&self) -> Cursor {
        self.held.clone().map_or(Cursor::Latest, Cursor::After)
    }

    /// Its name in [`Hub::streams`](crate::Hub::streams).
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// The next delivery; `None` when the stream has been ended by the hub.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Delivery> {
        poll_fn(|cx| self.poll_delivery(cx)).await
    }

    /// Asks for signs of life: comments on the wire while there is nothing else.
    pub(crate) fn keep_alive(&self) {
        self.hub.start_clock();
    }

    fn poll_delivery(&mut self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        loop {
            if let Some(delivery) = self.pop_delivery() {
                return Poll::Ready(Some(delivery));
            }
            match self.poll_turn(cx, false) {
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn pop_delivery(&mut self) -> Option<Delivery> {
        let part = self.parts.pop_front()?;
        if part.id.is_some() {
            self.held = part.id;
        }
        Some(part.delivery)
    }

    /// The next bytes for the wire: everything that is there for this reader, in one piece.
    pub(crate) fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(bytes) = self.join_parts() {
                return Poll::Ready(Some(bytes));
            }
            match self.poll_turn(cx, true) {
                Poll::Ready(Some(Turn::Queued)) => {}
                Poll::Ready(Some(Turn::Joined(bytes))) => return Poll::Ready(Some(bytes)),
                Poll::Ready(Some(Turn::Beat)) => return Poll::Ready(Some(self.keep_alive_bytes())),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn join_parts(&mut self) -> Option<Bytes> {
        if self.parts.len() < 2 {
            return self.parts.pop_front().map(|part| part.bytes);
        }
        let mut joined = BytesMut::new();
        while let Some(part) = self.parts.front() {
            let bytes = &part.bytes;
            if !joined.is_empty() && joined.len() + bytes.len() > JOIN_BYTES {
                break;
            }
            joined.extend_from_slice(bytes);
            self.parts.pop_front();
        }
        Some(joined.freeze())
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>, join: bool) -> Poll<Option<Turn>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            if let Some(looking) = &mut self.looking {
                let found = match looking {
                    Looking::Page(page) => match page.as_mut().poll(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(page) => page.ok().map(|page| self.read(page)),
                    },
                    Looking::Again(opened) => match opened.as_mut().poll(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(opened) => opened.ok().map(|opened| {
                            self.cursor = opened.cursor;
                            if opened.client_has_id {
                                self.told = Some(opened.cursor);
                            }
                            self.parts.extend(opened.parts);
                            None
                        }),
                    },
                };
                // A log that cannot be read ends the stream: its client comes back and asks again.
                let Some(next) = found else {
                    self.looking = None;
                    return Poll::Ready(self.end());
                };
                self.looking = next;
                if !self.parts.is_empty() {
                    return Poll::Ready(Some(Turn::Queued));
                }
                continue;
            }
            let channel = &self.channel;
            match channel.take(self.reader, self.cursor, join, cx.waker()) {
                Take::Bytes { bytes, to } => {
                    self.cursor = to;
                    self.told = Some(to);
                    return Poll::Ready(Some(Turn::Joined(bytes)));
                }
                Take::Events => {
                    // Between the two looks the window may have moved on; then the next turn knows.
                    if let Some(events) = self.channel.events_after(self.cursor) {
                        self.cursor = events.last().map_or(self.cursor, |last| last.seq);
                        self.told = Some(self.cursor);
                        self.parts.extend(events.into_iter().map(Part::event));
                        return Poll::Ready(Some(Turn::Queued));
                    }
                }
                Take::Behind => {
                    let hub = Arc::clone(&self.hub);
                    let interest = self.channel.interest.clone();
                    let cursor = self.cursor;
                    self.looking = Some(Looking::Page(Box::pin(async move {
                        hub.engine.read(&interest, cursor, PAGE_EVENTS).await
                    })));
                }
                Take::Beat => return Poll::Ready(Some(Turn::Beat)),
                Take::Ended => return Poll::Ready(self.end()),
                Take::Nothing => return Poll::Pending,
            }
        }
    }

    /// Takes a page in, or finds that the log has overtaken the cursor.
    fn read(&mut self, page: Page) -> Option<Looking> {
        if self.cursor < page.dropped_to {
            let again = Arc::clone(&self.hub).reopen(self.channel.interest.clone(), self.cursor);
            return Some(Looking::Again(Box::pin(again)));
        }
        self.cursor = page.scanned_to.max(self.cursor);
        if let Some(last) = page.events.last() {
            self.told = Some(last.seq);
        }
        self.parts.extend(page.events.into_iter().map(Part::event));
        None
    }

    /// A comment; or an id without data, where the client would otherwise lose its place. Browsers keep
    /// that and do not dispatch it (WHATWG HTML 9.2.6), but some client libraries hand their users an
    /// empty message for it, so it is sent only
    /// - to a newcomer that has not had an event or a status yet: what is published while its connection
    ///   is broken for the first time must not be lost on it;
    /// - when the log has begun to drop events, and the id that the client knows is in its older half:
    ///   it would soon expire.
    fn keep_alive_bytes(&mut self) -> Bytes {
        let arrived = self.hub.fanout.arrived_to();
        // Looked at after `arrived` was read: what has arrived by then is in the window by now.
        let nothing_new = self
            .channel
            .events_after(self.cursor)
            .is_some_and(|new| new.is_empty());
        let bounds = self.hub.engine.bounds();
        let middle = bounds.first.0.midpoint(bounds.last.0);
        let dropping = bounds.first > Seq::START.next();
        let lasts = |told: Seq| !dropping || told.0 >= middle || told >= arrived;
        let safe = self.told.is_some_and(lasts);
        if !nothing_new || safe {
            return comment("");
        }
        self.cursor = arrived.max(self.cursor);
        self.told = Some(self.cursor);
        id_block(&EventId::mint(bounds.epoch, self.cursor))
    }

    fn end(&mut self) -> Option<Turn> {
        self.ended = true;
        None
    }
}

impl futures_core::Stream for Subscription {
    type Item = Delivery;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.get_mut().poll_delivery(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.remove(self.id, &self.channel, self.reader);
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("id", &self.id)
            .field("start", &self.start)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}
