//! [`Hub`]: publish on one side, subscribe on the other.
//!
//! The hub fans out; it never stores. Publisher and reader meet only in the log (the [`Engine`]), so
//! order is the log's order, and replay, live delivery, a slow reader and a reconnect are one path.

mod channel;
mod clock;
mod closing;
mod fanout;
mod open;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::engine::{
    BoxFuture, Draft, Engine, EngineError, Memory, Retention, StatusUpdate, Tail, Wakes,
};
use crate::event::Event;
use crate::id::{Cursor, EventId};
use crate::recent::Recent;
use crate::subscription::Subscription;
use crate::topic::{Interest, Selector, Topic, Topics};

pub(crate) use channel::{Channel, Take};
use clock::Clock;
use closing::Closing;
use fanout::Fanout;
pub(crate) use open::{Opened, Part};
pub use streams::{StreamId, StreamInfo};
use streams::{Streams, earlier};

/// How long a stream may be silent before it gets a sign of life: 15 seconds, as WHATWG HTML 9.2.7
/// advises, and under the 30 seconds after which the impatient ones among the proxies hang up.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// So many finished topics are remembered, those that were finished last.
const FINISHED_TOPICS: usize = 10_000;

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
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) fanout: Arc<Fanout>,
    clock: Arc<Clock>,
    keep_alive: Duration,
    last_beat: Mutex<Instant>,
    streams: Mutex<Streams>,
    status_makers: RwLock<HashMap<Topic, StatusMaker>>,
    finished: Mutex<Recent<Topic, ()>>,
    closed: AtomicBool,
    pub(crate) counters: Counters,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    opened: AtomicU64,
    published: AtomicU64,
    pub(crate) gaps: AtomicU64,
}

/// A status and the position it is as of: what a callback of [`Hub::make_status`] answers with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AsOf {
    /// The full status.
    pub status: Event,
    /// The newest event that the status includes: [`Hub::cursor`], taken while the state could not
    /// change and nothing about it could be published.
    pub as_of: EventId,
}

impl AsOf {
    /// A status and the newest event that it includes.
    pub fn new(status: Event, as_of: EventId) -> AsOf {
        AsOf { status, as_of }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type StatusMaker =
    Arc<dyn Fn() -> BoxFuture<'static, Result<AsOf, BoxError>> + Send + Sync>;

/// Numbers about a hub, at one moment.
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
    /// Times that a reader had to be told of a gap.
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
    /// The log did not take it.
    #[error("the event could not be appended to the log")]
    Engine(#[source] EngineError),
}

/// Why there is no subscription.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The hub has been closed.
    #[error("the hub is closed")]
    Closed,
    /// Everything asked for has been finished: there will never be anything.
    #[error("the topics are finished")]
    Finished,
    /// The log could not be read.
    #[error("the log could not be read")]
    Engine(#[source] EngineError),
    /// The callback that makes the status of a topic failed.
    #[error("the status of topic {topic:?} could not be made")]
    Status {
        /// Which topic.
        topic: String,
        /// What the callback said.
        source: BoxError,
    },
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
    /// Signs of life are comments, which no page hears of. They keep proxies from hanging up, and
    /// make the operating system notice clients that have vanished. The first one to a newcomer who has
    /// had neither a status nor an event carries the id to resume from instead. With `Duration::MAX`
    /// there are none.
    pub fn with_keep_alive(engine: impl Engine, keep_alive: Duration) -> Hub {
        let engine: Arc<dyn Engine> = Arc::new(engine);
        let fanout = Arc::new(Fanout::default());
        let tail: Arc<dyn Tail> = Arc::clone(&fanout) as Arc<dyn Tail>;
        engine.attach(Arc::downgrade(&tail));
        fanout.start_at(engine.bounds().last);
        Hub {
            inner: Arc::new(Inner {
                engine,
                fanout,
                clock: Arc::default(),
                keep_alive: keep_alive.max(Duration::from_millis(2)),
                last_beat: Mutex::new(Instant::now()),
                streams: Mutex::default(),
                status_makers: RwLock::default(),
                finished: Mutex::default(),
                closed: AtomicBool::new(false),
                counters: Counters::default(),
            }),
        }
    }

    /// Publishes one event about one topic or [several](Topics::several), and returns its id.
    ///
    /// Resolves when the log has kept it; it does not wait for any reader.
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
    /// A newcomer gets the status once and then every later event: no gap, no double. Who publishes
    /// from several places must see to it that events are published in the order in which their
    /// statuses were made.
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
    /// Readers who are there already do not hear of it. The log keeps it until another one is set, until
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

    /// Removes the status of topics, whether it was published or a callback makes it. Newcomers then
    /// begin with what is published next.
    ///
    /// # Errors
    /// As [`Hub::publish`].
    pub async fn clear_status(&self, topics: impl Into<Topics>) -> Result<EventId, PublishError> {
        let topics = topics.into();
        let removed: Vec<_> = {
            let mut makers = self.inner.status_makers_mut();
            let topics = topics.as_slice().iter();
            topics.map(|topic| makers.remove(topic)).collect()
        };
        // A callback is foreign code also when it is dropped.
        drop(removed);
        self.append(Draft::status(topics, StatusUpdate::Remove))
            .await
    }

    /// Lets a callback make the full status of a topic whenever a newcomer needs it.
    ///
    /// The callback answers with the status and the position it is [as of](AsOf). That pair is exact
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
    /// hub.make_status("visits", move || {
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
    pub fn make_status<F, A>(&self, topic: impl Into<Topic>, callback: F)
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<AsOf, BoxError>> + Send + 'static,
    {
        let maker: StatusMaker = Arc::new(move || Box::pin(callback()));
        let replaced = self.inner.status_makers_mut().insert(topic.into(), maker);
        // A callback is foreign code also when it is dropped.
        drop(replaced);
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
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(PublishError::Closed);
        }
        if let Some(id) = draft.event.as_ref().and_then(Event::id)
            && let Some((epoch, _)) = id.minted()
            && epoch == self.inner.engine.bounds().epoch
        {
            return Err(PublishError::ReservedId(id.clone()));
        }
        let removes_status = draft.status == StatusUpdate::Remove;
        if !removes_status {
            let mut finished = self.inner.finished();
            if !finished.is_empty() {
                let topics = draft.topics.as_slice().iter();
                topics.for_each(|topic| finished.remove(topic));
            }
        }
        let n_events = u64::from(draft.event.is_some());
        let appended = self.inner.engine.append(draft).await;
        let appended = appended.map_err(PublishError::Engine)?;
        self.inner
            .counters
            .published
            .fetch_add(n_events, Ordering::Relaxed);
        Ok(appended.id)
    }

    /// Subscribes. Where it starts is told by [`Subscription::start`].
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

    /// Subscribes, with a label that [`Hub::streams`] tells: who or what this is.
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
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(SubscribeError::Closed);
        }
        if self.is_finished(&interest) {
            return Err(SubscribeError::Finished);
        }
        let opened = self.inner.open(&interest, from).await?;
        let (channel, reader) = self.inner.fanout.enter(&interest);
        let id = self.inner.streams().add(&channel, reader, label);
        self.inner.counters.opened.fetch_add(1, Ordering::Relaxed);
        let subscription = Subscription::new(Arc::clone(&self.inner), channel, reader, id, opened);
        // Closed or finished in the meantime: `close` and `finish` know the stream only since a moment ago.
        if self.inner.closed.load(Ordering::Acquire) {
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
        let bounds = self.inner.engine.bounds();
        EventId::mint(bounds.epoch, bounds.last)
    }

    /// Numbers about this hub.
    pub fn stats(&self) -> Stats {
        let open = self.inner.streams().n_open();
        let opened = self.inner.counters.opened.load(Ordering::Relaxed).max(open);
        Stats {
            open,
            opened,
            closed: opened - open,
            published: self.inner.counters.published.load(Ordering::Relaxed),
            gaps: self.inner.counters.gaps.load(Ordering::Relaxed),
        }
    }

    /// The streams that are open now, oldest first.
    pub fn streams(&self) -> Vec<StreamInfo> {
        self.inner.streams().list()
    }

    /// Ends one stream. Its client reconnects by itself, unless it is told otherwise. Returns whether
    /// there was such a stream.
    pub fn disconnect(&self, stream: StreamId) -> bool {
        let mut wakes = Wakes::default();
        let found = self.inner.streams().end(stream, &mut wakes);
        wakes.wake();
        found
    }

    /// Ends every stream that is open now, at random moments within `over`, so that the clients do not
    /// all come back in one burst.
    pub fn disconnect_all(&self, over: Duration) {
        self.end_streams(over, |_| true);
    }

    /// Says that nothing more will come about a topic: its streams end, and who asks for it again is
    /// told to stop for good (status 204 over HTTP). Publishing about the topic opens it again.
    ///
    /// Its status stays, for readers who want other topics besides; [`Hub::clear_status`] removes it.
    /// The hub remembers the last 10 000 finished topics. To a reader, one before those is a topic about
    /// which nothing is published.
    pub fn finish(&self, topic: impl Into<Topic>) {
        {
            let mut finished = self.inner.finished();
            finished.set(topic.into(), ());
            while finished.len() > FINISHED_TOPICS {
                finished.pop_oldest();
            }
        }
        let hub = self.clone();
        self.end_streams(Duration::ZERO, |interest| hub.is_finished(interest));
    }

    /// Whether everything that this interest names has been [finished](Hub::finish).
    pub fn is_finished(&self, interest: &Interest) -> bool {
        let finished = self.inner.finished();
        !finished.is_empty()
            && !interest.selectors().is_empty()
            && interest.selectors().iter().all(|selector| match selector {
                Selector::Exact(topic) => finished.get(topic).is_some(),
                Selector::All => false,
            })
    }

    /// Whether [`Hub::close`] has been called.
    pub fn is_closed(&self) -> bool {
        self.inner.closed.load(Ordering::Acquire)
    }

    /// Closes the hub: no more events, no more subscriptions, and every stream ends at a random moment
    /// within `over`. Resolves when all have ended, or soon after `over` if some client does not
    /// read: such a stream ends with its connection.
    pub async fn close(&self, over: Duration) {
        self.inner.closed.store(true, Ordering::Release);
        self.end_streams(over, |_| true);
        let patience = over.saturating_add(Duration::from_millis(200));
        Closing::new(&self.inner, Instant::now().checked_add(patience)).await;
    }

    fn end_streams(&self, over: Duration, whose: impl Fn(&Interest) -> bool) {
        let end_all = |over| {
            let mut wakes = Wakes::default();
            let mut streams = self.inner.streams();
            streams.end_all(Instant::now(), over, &whose, &mut wakes);
            drop(streams);
            wakes.wake();
        };
        end_all(over);
        // Without a clock's thread their time would never come.
        if !over.is_zero() && !self.inner.clock.ring(&self.inner) {
            end_all(Duration::ZERO);
        }
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn streams(&self) -> std::sync::MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finished(&self) -> std::sync::MutexGuard<'_, Recent<Topic, ()>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status_makers_mut(&self) -> RwLockWriteGuard<'_, HashMap<Topic, StatusMaker>> {
        let makers = self.status_makers.write();
        makers.unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that streams get their signs of life.
    pub(crate) fn start_clock(self: &Arc<Inner>) {
        self.clock.start(self);
    }

    /// Takes a stream out of all books; called when its subscription is dropped.
    pub(crate) fn remove(&self, id: StreamId, channel: &Arc<Channel>, reader: usize) {
        // Out of the book first: once the place in the channel is free, a newcomer may take it, and
        // nobody may end that one by this one's id.
        let mut wakes = Wakes::default();
        self.streams().remove(id, &mut wakes);
        self.fanout.leave(channel, reader);
        wakes.wake();
    }

    /// What the clock does at each turn; returns when it wants the next one, where `None` is never.
    fn turn(&self, now: Instant) -> Option<Instant> {
        // Looking every half interval, for who has been silent for half of one, bounds the silence.
        let half = self.keep_alive / 2;
        let next_beat = {
            let mut last = self
                .last_beat
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let due = now.duration_since(*last) >= half;
            if due {
                *last = now;
            }
            let next = last.checked_add(half);
            drop(last);
            if due && let Some(quiet_since) = now.checked_sub(half) {
                self.fanout.beat(quiet_since).wake();
            }
            next
        };
        let mut wakes = Wakes::default();
        let next_end = self.streams().end_due(now, &mut wakes);
        wakes.wake();
        earlier(next_beat, next_end)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.clock.stop();
    }
}

/// Runs a future to its end in this thread. Ours are ready at once unless the log waits for a disk or
/// a network, so this parks only then.
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
