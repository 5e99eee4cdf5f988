//! [`Hub`]: publish on one side, subscribe on the other.
//!
//! The hub fans out; it never stores. Publisher and reader meet only in the log (the [`Engine`]), so
//! order is the log's order, and replay, live delivery, a slow reader and a reconnect are one path.

#[cfg(test)]
mod tests;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use crate::engine::{BoxFuture, Draft, Engine, EngineError, Memory, Retention, StatusUpdate};
use crate::event::Event;
use crate::fanout::{AsOf, BoxError, Core, StreamId, StreamInfo, SubscribeError};
use crate::id::{Cursor, EventId};
use crate::subscription::Subscription;
use crate::topic::{Interest, Topic, Topics};

/// How long a stream may be silent before it gets a keep-alive comment: 15 seconds, as WHATWG HTML 9.2.7
/// advises, and below the 30 seconds after which some proxies close idle connections.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Publishes events to everyone who subscribed. Cheap to clone; all clones are one hub.
///
/// ```
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use tidings::{Cursor, Event, Hub};
///
/// let hub = Hub::memory();
/// let mut news = hub.subscribe("news", Cursor::Latest).await?;
/// hub.publish("news", Event::data("hello")).await?;
/// assert_eq!(news.next().await.and_then(|d| d.text()), Some("hello".to_owned()));
/// # Ok(()) }
/// # use std::task::{Context, Poll, Waker};
/// # let mut run = Box::pin(run());
/// # assert!(matches!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(()))));
/// ```
#[derive(Clone)]
pub struct Hub {
    core: Arc<Core>,
}

/// Statistics of a hub, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Streams that are open now.
    pub open: u64,
    /// Streams that have ever been opened.
    pub opened: u64,
    /// Streams that have ended, for whatever reason.
    pub closed: u64,
    /// Events published through this hub.
    pub published: u64,
    /// Gaps that readers were told of.
    pub gaps: u64,
}

/// Why an event was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The hub has been closed.
    #[error("the hub is closed")]
    Closed,
    /// The id that was chosen for the event is spelled like the ids of the log itself, so readers would
    /// resume from the position it names and not from the event.
    #[error("event id {0} is spelled like one that this log gives: choose another, or omit it")]
    ReservedId(EventId),
    /// The log could not store it.
    #[error("the event could not be appended to the log")]
    Engine(#[source] EngineError),
}

impl Hub {
    /// A hub with a log in memory, of the default [`Retention`].
    pub fn memory() -> Hub {
        Hub::new(Memory::new(Retention::default()))
    }

    /// A hub over this log.
    pub fn new(engine: impl Engine) -> Hub {
        Hub::with_keep_alive(engine, KEEP_ALIVE)
    }

    /// A hub over this log whose streams are never silent for longer than `keep_alive`; the default
    /// is 15 seconds.
    ///
    /// Keep-alives are comments, which clients ignore. They keep proxies from closing the connection, and
    /// make the operating system notice clients that have vanished. The first one to a newcomer that has
    /// had neither a status nor an event carries the id to resume from instead. With `Duration::MAX`
    /// there are none.
    pub fn with_keep_alive(engine: impl Engine, keep_alive: Duration) -> Hub {
        Hub {
            core: Core::new(Arc::new(engine), keep_alive),
        }
    }

    /// Publishes one event about one topic or [several](Topics::several), and returns its id.
    ///
    /// Resolves when the log has stored it; it does not wait for any reader.
    ///
    /// # Errors
    /// [`PublishError::Closed`] after [`Hub::close`]; [`PublishError::ReservedId`] where the event has an
    /// id that is spelled like the log's own; [`PublishError::Engine`] when the log refused.
    ///
    /// # Cancel safety
    /// Dropping the future may still publish the event.
    pub async fn publish(
        &self,
        topics: impl Into<Topics>,
        event: Event,
    ) -> Result<EventId, PublishError> {
        self.append(Draft::event(topics, event)).await
    }

    /// Publishes an event together with the full status that holds after it, as one.
    ///
    /// A newcomer gets the status once and then every later event, without gaps or duplicates. If several
    /// tasks publish, they must publish in the order in which they made the statuses.
    ///
    /// # Errors
    /// As [`Hub::publish`].
    pub async fn publish_with_status(
        &self,
        topics: impl Into<Topics>,
        event: Event,
        status: Event,
    ) -> Result<EventId, PublishError> {
        self.append(Draft::event(topics, event).with_status(status))
            .await
    }

    /// Sets the full status of topics as of now, without an event.
    ///
    /// Readers that are connected already do not get it. The log keeps it until another one is set, until
    /// [`Hub::clear_status`], or until it has [too many](crate::engine::Retention::statuses).
    ///
    /// # Errors
    /// As [`Hub::publish`].
    pub async fn set_status(
        &self,
        topics: impl Into<Topics>,
        status: Event,
    ) -> Result<EventId, PublishError> {
        self.append(Draft::status(topics, StatusUpdate::Set(status)))
            .await
    }

    /// Removes the status of topics, whether it was published or comes from a callback. Newcomers then
    /// begin with what is published next.
    ///
    /// # Errors
    /// As [`Hub::publish`].
    pub async fn clear_status(&self, topics: impl Into<Topics>) -> Result<EventId, PublishError> {
        let topics = topics.into();
        self.core.remove_status_callbacks(topics.as_slice());
        self.append(Draft::status(topics, StatusUpdate::Remove))
            .await
    }

    /// Registers a callback that returns the full status of a topic whenever a newcomer needs it.
    ///
    /// The callback returns the status and the position it is [as of](AsOf). The pair is exact
    /// if the state is changed, and the change published, under one lock of yours, and the callback
    /// takes [`Hub::cursor`] under the same lock. It runs under no lock of the hub, as often as there
    /// are newcomers. It takes precedence over a status that was published. It stays until another
    /// callback replaces it, or [`Hub::clear_status`] removes it.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use tidings::{AsOf, Event, Hub};
    ///
    /// let hub = Hub::memory();
    /// let visits = Arc::new(Mutex::new(0));
    ///
    /// let (counted, from) = (Arc::clone(&visits), hub.clone());
    /// hub.set_status_callback("visits", move || {
    ///     let visits = counted.lock().unwrap();
    ///     let answer = AsOf::new(Event::data(visits.to_string()), from.cursor());
    ///     async { Ok(answer) }
    /// });
    ///
    /// let mut visits = visits.lock().unwrap();
    /// *visits += 1;
    /// hub.publish_blocking("visits", Event::data("+1"))?;
    /// # Ok::<(), tidings::PublishError>(())
    /// ```
    pub fn set_status_callback<F, A>(&self, topic: impl Into<Topic>, callback: F)
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<AsOf, BoxError>> + Send + 'static,
    {
        let maker = Arc::new(move || Box::pin(callback()) as BoxFuture<'static, _>);
        self.core.insert_status_callback(topic.into(), maker);
    }

    /// [`Hub::publish`] for code that is not async. With a log in memory it never waits.
    ///
    /// # Errors
    /// As [`Hub::publish`].
    pub fn publish_blocking(
        &self,
        topics: impl Into<Topics>,
        event: Event,
    ) -> Result<EventId, PublishError> {
        block_on(self.publish(topics, event))
    }

    /// [`Hub::publish_with_status`] for code that is not async.
    ///
    /// # Errors
    /// As [`Hub::publish`].
    pub fn publish_with_status_blocking(
        &self,
        topics: impl Into<Topics>,
        event: Event,
        status: Event,
    ) -> Result<EventId, PublishError> {
        block_on(self.publish_with_status(topics, event, status))
    }

    async fn append(&self, draft: Draft) -> Result<EventId, PublishError> {
        if self.core.is_closed() {
            return Err(PublishError::Closed);
        }
        if let Some(id) = draft.event.as_ref().and_then(Event::id)
            && let Some((epoch, _)) = id.minted()
            && epoch == self.core.engine.bounds().epoch
        {
            return Err(PublishError::ReservedId(id.clone()));
        }
        if draft.status != StatusUpdate::Remove {
            self.core.open_again(draft.topics.as_slice());
        }
        let n_events = u64::from(draft.event.is_some());
        let appended = self.core.engine.append(draft).await;
        let appended = appended.map_err(PublishError::Engine)?;
        self.core
            .counters
            .published
            .fetch_add(n_events, Ordering::Relaxed);
        Ok(appended.id)
    }

    /// Subscribes. [`Subscription::start`] says where the subscription begins.
    ///
    /// # Errors
    /// [`SubscribeError`], by what can be done about it.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn subscribe(
        &self,
        interest: impl Into<Interest>,
        from: Cursor,
    ) -> Result<Subscription, SubscribeError> {
        self.subscribe_as(interest, from, None).await
    }

    /// Subscribes, with a label that [`Hub::streams`] returns, such as who the subscriber is.
    ///
    /// # Errors
    /// As [`Hub::subscribe`].
    pub async fn subscribe_as(
        &self,
        interest: impl Into<Interest>,
        from: Cursor,
        label: Option<String>,
    ) -> Result<Subscription, SubscribeError> {
        let interest = interest.into();
        if self.core.is_closed() {
            return Err(SubscribeError::Closed);
        }
        if self.is_finished(&interest) {
            return Err(SubscribeError::Finished);
        }
        let opened = self.core.open(&interest, from).await?;
        let (channel, reader) = self.core.channels.enter(&interest);
        let id = self.core.streams().add(&channel, reader, label);
        self.core.counters.opened.fetch_add(1, Ordering::Relaxed);
        let subscription = Subscription::new(Arc::clone(&self.core), channel, reader, id, opened);
        // `close` and `finish` may have run before the stream was registered.
        if self.core.is_closed() {
            return Err(SubscribeError::Closed);
        }
        if self.is_finished(&interest) {
            return Err(SubscribeError::Finished);
        }
        Ok(subscription)
    }

    /// The id of the newest event: "now". What a page that is being made should carry, so that it can
    /// subscribe [`After`](Cursor::After) it and miss nothing. Before the first event it is the
    /// position before that.
    pub fn cursor(&self) -> EventId {
        let bounds = self.core.engine.bounds();
        EventId::mint(bounds.epoch, bounds.last)
    }

    /// Statistics of this hub.
    pub fn stats(&self) -> Stats {
        let open = self.core.streams().n_open();
        let opened = self.core.counters.opened.load(Ordering::Relaxed).max(open);
        Stats {
            open,
            opened,
            closed: opened - open,
            published: self.core.counters.published.load(Ordering::Relaxed),
            gaps: self.core.counters.gaps.load(Ordering::Relaxed),
        }
    }

    /// The streams that are open now, oldest first.
    pub fn streams(&self) -> Vec<StreamInfo> {
        self.core.streams().list()
    }

    /// Ends one stream. Its client reconnects by itself, unless it is told otherwise. Returns whether
    /// there was such a stream.
    pub fn disconnect(&self, stream: StreamId) -> bool {
        self.core.end_stream(stream)
    }

    /// Ends every stream that is open now, at random moments within `over`, so that the clients do not
    /// all come back in one burst.
    pub fn disconnect_all(&self, over: Duration) {
        self.core.end_streams(over, |_| true);
    }

    /// Marks a topic as finished: its streams end, and later subscribers get
    /// [`SubscribeError::Finished`] (status 204 over HTTP, which makes browsers stop for good). Publishing about the topic opens it again.
    ///
    /// Its status stays, for readers who want other topics besides; [`Hub::clear_status`] removes it.
    /// The hub remembers the last 10 000 finished topics. To a reader, one before those is a topic about
    /// which nothing is published.
    pub fn finish(&self, topic: impl Into<Topic>) {
        self.core.finish(topic.into());
    }

    /// Whether everything that this interest names has been [finished](Hub::finish).
    pub fn is_finished(&self, interest: &Interest) -> bool {
        self.core.is_finished(interest)
    }

    /// Whether [`Hub::close`] has been called.
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Closes the hub: no more events, no more subscriptions, and every stream ends at a random moment
    /// within `over`. Resolves when all have ended, or soon after `over` if some client does not
    /// read: such a stream ends with its connection.
    pub async fn close(&self, over: Duration) {
        self.core.close(over).await;
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// Blocks on a future. Ours are ready at once unless the log waits for a disk or a network, so this
/// parks only then.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Unpark>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    if let Poll::Ready(output) = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        return output;
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
