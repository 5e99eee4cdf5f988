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

use crate::delivery::{Delivery, Start};
use crate::engine::{BoxFuture, EngineError, Page};
use crate::fanout::{Channel, Core, Fetched, Opened, Outgoing, StreamId, SubscribeError};
use crate::id::{Cursor, EventId, Seq};
use crate::sse::{comment, id_block};

/// Events read from the log in one go.
const PAGE_EVENTS: usize = 256;

/// What is queued is joined into one write up to this size.
const JOIN_BYTES: usize = 64 << 10;

/// A reader of the log. Dropping it takes it out of the hub at once.
pub struct Subscription {
    core: Arc<Core>,
    channel: Arc<Channel>,
    reader: usize,
    id: StreamId,
    start: Start,
    /// What comes before anything from the channel.
    queue: VecDeque<Outgoing>,
    cursor: Seq,
    /// The position of which the client of a byte stream knows the id, if it knows any.
    client_position: Option<Seq>,
    /// The id from which a reader of deliveries can resume.
    resume_id: Option<EventId>,
    /// A read from the log that is under way.
    log_read: Option<LogRead>,
    ended: bool,
}

/// A read from the log, for a cursor that is behind its channel.
enum LogRead {
    Page(BoxFuture<'static, Result<Page, EngineError>>),
    Reopen(BoxFuture<'static, Result<Opened, SubscribeError>>),
}

/// What one step of the loop came to.
enum Step {
    /// Something has been put into the queue.
    Queued,
    /// Everything after the old cursor, already joined.
    Joined(Bytes),
    /// A keep-alive is due.
    KeepAlive,
}

impl Subscription {
    pub(crate) fn new(
        core: Arc<Core>,
        channel: Arc<Channel>,
        reader: usize,
        id: StreamId,
        opened: Opened,
    ) -> Subscription {
        Subscription {
            core,
            channel,
            reader,
            id,
            start: opened.start,
            queue: opened.queue,
            cursor: opened.cursor,
            client_position: opened.client_has_id.then_some(opened.cursor),
            resume_id: opened.resume_id,
            log_read: None,
            ended: false,
        }
    }

    /// Where it began.
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// From where to subscribe again to continue after everything that [`next`](Subscription::next) has
    /// delivered so far, as a browser would.
    ///
    /// Not the id of the newest event: until a status of several topics is complete, there is no id
    /// that would not lose or duplicate something.
    pub fn cursor(&self) -> Cursor {
        self.resume_id.clone().map_or(Cursor::Latest, Cursor::After)
    }

    /// Its id in [`Hub::streams`](crate::Hub::streams).
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

    /// Asks for keep-alives: comments on the wire while there is nothing else.
    pub(crate) fn keep_alive(&self) {
        self.core.start_clock();
    }

    fn poll_delivery(&mut self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        loop {
            if let Some(delivery) = self.pop_delivery() {
                return Poll::Ready(Some(delivery));
            }
            match self.poll_step(cx, false) {
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn pop_delivery(&mut self) -> Option<Delivery> {
        let next = self.queue.pop_front()?;
        if next.id.is_some() {
            self.resume_id = next.id;
        }
        Some(next.delivery)
    }

    /// The next bytes for the wire: everything that is available to this reader, in one piece.
    pub(crate) fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(bytes) = self.join_queued() {
                return Poll::Ready(Some(bytes));
            }
            match self.poll_step(cx, true) {
                Poll::Ready(Some(Step::Queued)) => {}
                Poll::Ready(Some(Step::Joined(bytes))) => return Poll::Ready(Some(bytes)),
                Poll::Ready(Some(Step::KeepAlive)) => {
                    return Poll::Ready(Some(self.keep_alive_bytes()));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn join_queued(&mut self) -> Option<Bytes> {
        if self.queue.len() < 2 {
            return self.queue.pop_front().map(|next| next.bytes);
        }
        let mut joined = BytesMut::new();
        while let Some(next) = self.queue.front() {
            let bytes = &next.bytes;
            if !joined.is_empty() && joined.len() + bytes.len() > JOIN_BYTES {
                break;
            }
            joined.extend_from_slice(bytes);
            self.queue.pop_front();
        }
        Some(joined.freeze())
    }

    fn poll_step(&mut self, cx: &mut Context<'_>, join: bool) -> Poll<Option<Step>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            if let Some(log_read) = &mut self.log_read {
                let found = match log_read {
                    LogRead::Page(page) => match page.as_mut().poll(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(page) => page.ok().map(|page| self.queue_page(page)),
                    },
                    LogRead::Reopen(opened) => match opened.as_mut().poll(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(opened) => opened.ok().map(|opened| {
                            self.cursor = opened.cursor;
                            if opened.client_has_id {
                                self.client_position = Some(opened.cursor);
                            }
                            self.queue.extend(opened.queue);
                            None
                        }),
                    },
                };
                // A log that cannot be read ends the stream: its client comes back and asks again.
                let Some(next) = found else {
                    self.log_read = None;
                    return Poll::Ready(self.end());
                };
                self.log_read = next;
                if !self.queue.is_empty() {
                    return Poll::Ready(Some(Step::Queued));
                }
                continue;
            }
            let channel = &self.channel;
            match channel.fetch(self.reader, self.cursor, join, cx.waker()) {
                Fetched::Joined { bytes, to } => {
                    self.cursor = to;
                    self.client_position = Some(to);
                    return Poll::Ready(Some(Step::Joined(bytes)));
                }
                Fetched::Separate => {
                    // The window may have moved on between the two calls; the next round then finds out.
                    if let Some(events) = self.channel.events_after(self.cursor) {
                        self.cursor = events.last().map_or(self.cursor, |last| last.seq);
                        self.client_position = Some(self.cursor);
                        self.queue.extend(events.into_iter().map(Outgoing::event));
                        return Poll::Ready(Some(Step::Queued));
                    }
                }
                Fetched::Behind => {
                    let core = Arc::clone(&self.core);
                    let interest = self.channel.interest.clone();
                    let cursor = self.cursor;
                    self.log_read = Some(LogRead::Page(Box::pin(async move {
                        core.engine.read(&interest, cursor, PAGE_EVENTS).await
                    })));
                }
                Fetched::KeepAlive => return Poll::Ready(Some(Step::KeepAlive)),
                Fetched::Ended => return Poll::Ready(self.end()),
                Fetched::Pending => return Poll::Pending,
            }
        }
    }

    /// Queues a page, or finds that the log has dropped something after the cursor.
    fn queue_page(&mut self, page: Page) -> Option<LogRead> {
        if self.cursor < page.dropped_to {
            let reopening =
                Arc::clone(&self.core).reopen(self.channel.interest.clone(), self.cursor);
            return Some(LogRead::Reopen(Box::pin(reopening)));
        }
        self.cursor = page.scanned_to.max(self.cursor);
        if let Some(last) = page.events.last() {
            self.client_position = Some(last.seq);
        }
        self.queue
            .extend(page.events.into_iter().map(Outgoing::event));
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
        let arrived = self.core.channels.arrived_to();
        // Looked at after `arrived` was read: what has arrived by then is in the window by now.
        let nothing_new = self
            .channel
            .events_after(self.cursor)
            .is_some_and(|new| new.is_empty());
        let bounds = self.core.engine.bounds();
        let middle = bounds.first.0.midpoint(bounds.last.0);
        let dropping = bounds.first > Seq::START.next();
        let lasts = |at: Seq| !dropping || at.0 >= middle || at >= arrived;
        let safe = self.client_position.is_some_and(lasts);
        if !nothing_new || safe {
            return comment("");
        }
        self.cursor = arrived.max(self.cursor);
        self.client_position = Some(self.cursor);
        id_block(&EventId::mint(bounds.epoch, self.cursor))
    }

    fn end(&mut self) -> Option<Step> {
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
        self.core.remove(self.id, &self.channel, self.reader);
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
