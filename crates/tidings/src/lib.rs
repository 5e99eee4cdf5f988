//! Server-sent events, complete: the full status on connect, exact resume, visible gaps, and slow
//! readers that cost nothing.
//!
//! # The one idea: one log, many cursors
//! Somebody [publishes](Hub::publish) an event: it is appended to a log (an [`engine`]). Every reader is
//! a cursor over that log (a [`Subscription`]). The status on connect, replay by `Last-Event-ID`, live
//! delivery, a slow reader and a restart are then one path with one promise:
//!
//! > A subscription never yields an event at or before its cursor, and never skips one it may read.
//! > Where it cannot keep that promise (the log dropped events, the id is from an earlier run), it
//! > says so in the stream, with a [`Gap`].
//!
//! There is no queue per reader: one that does not read keeps its cursor and nothing else.
//!
//! # Quick start
//! An [`Endpoint`](http::Endpoint) is a tower service and its response an `http::Response`, so it fits
//! axum, hyper and whatever else is built on those; the library depends on none of them.
//!
//! ```no_run
//! use axum::Router;
//! use tidings::{Event, Hub, http::Endpoint};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::memory();
//! let app: Router = Router::new()
//!     .route_service("/server-sent-events", Endpoint::new(hub.clone(), "news"));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! tokio::spawn(async move { axum::serve(listener, app).await });
//!
//! hub.publish("news", Event::data("hello")).await?;
//! # Ok(()) }
//! ```
//!
//! In the page: `new EventSource("/server-sent-events").onmessage = event => alert(event.data)`.
//!
//! # Hot reloading, in three lines
//! The feature `reload` has a tower layer that shows every saved template, style sheet and image in the open pages
//! of an app, and does nothing in a release build: see `reload::Reload`.
//!
//! ```no_run
//! # #[cfg(feature = "reload")]
//! # mod example {
//! use axum::Router;
//! use tidings::reload::Reload;
//!
//! # async fn run(routes: Router, listener: tokio::net::TcpListener) -> Result<(), Box<dyn std::error::Error>> {
//! let reload = Reload::when(cfg!(debug_assertions)).watch(["templates", "static"])?;
//! let app = routes.layer(reload.layer());
//! axum::serve(listener, app).with_graceful_shutdown(async move {
//!     let _ = tokio::signal::ctrl_c().await;
//!     reload.close().await;
//! }).await?;
//! # Ok(()) }
//! # }
//! ```
//!
//! # The status, then what changes
//! A newcomer needs the current state before it can make use of changes. Publish the full status
//! with each change (or [register a callback](Hub::set_status_callback) that makes it): a newcomer gets it once, and then
//! every later event. There are no gaps and no duplicates, however much is published meanwhile.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tidings::{Cursor, Delivery, Event, Hub};
//!
//! let hub = Hub::memory();
//! for total in 1..=3 {
//!     let (change, status) = (Event::data("+1"), Event::data(total.to_string()));
//!     hub.publish_with_status("visits", change, status).await?;
//! }
//!
//! let mut newcomer = hub.subscribe("visits", Cursor::Latest).await?;
//! hub.publish_with_status("visits", Event::data("+1"), Event::data("4")).await?;
//!
//! let first = newcomer.next().await.unwrap();
//! assert!(matches!(first, Delivery::Status(..)));
//! assert_eq!(first.text().as_deref(), Some("3"));
//! let second = newcomer.next().await.unwrap();
//! assert!(matches!(second, Delivery::Event(_)));
//! assert_eq!(second.text().as_deref(), Some("+1"));
//! # Ok(()) }
//! ```
//!
//! # Named events and resuming
//! Every event has an id. Browsers remember the last one and send it when they reconnect; so may you.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tidings::{Cursor, Delivery, Event, EventName, Hub};
//!
//! let hub = Hub::memory();
//! let goal: EventName = "goal".parse()?;
//! let one_nil = hub.publish("match", Event::data("1:0").named(goal.clone())).await?;
//! hub.publish("match", Event::data("1:1").named(goal)).await?;
//!
//! let mut reader = hub.subscribe("match", Cursor::After(one_nil)).await?;
//! assert_eq!(reader.next().await.unwrap().text().as_deref(), Some("1:1"));
//!
//! // One cannot resume from an id of another log; the reader gets a gap.
//! let elsewhere = Hub::memory().cursor();
//! let mut lost = hub.subscribe("match", Cursor::After(elsewhere)).await?;
//! assert!(matches!(lost.next().await, Some(Delivery::Gap(_))));
//! # Ok(()) }
//! ```
//!
//! # What stays in memory
//! | | how much | until |
//! |---|---|---|
//! | events | as the log's [`Retention`](engine::Retention) says | the oldest go first |
//! | statuses that were published | [`Retention::statuses`](engine::Retention::statuses) | the one that was set longest ago goes first, or [`Hub::clear_status`] |
//! | callbacks that make a status | one for each topic that has one | [`Hub::clear_status`] |
//! | [finished](Hub::finish) topics | their names, of the last 10 000 | something is published about them |
//! | topics that the log has dropped events about | their names, of the last 10 000 | |
//!
//! # Shutting down
//! Streams do not end by themselves, so a graceful shutdown of a server would wait for them for ever:
//! call [`Hub::close`] with it.
//!
//! # Features
//! A feature adds API; it never changes behaviour. None is on by default.
//!
//! | Feature | Adds |
//! |---|---|
//! | `json` | `Event::json`: any `serde::Serialize` as an event |
//! | `watch` | `watch`: directories, watched |
//! | `reload` | `reload`: hot reloading of pages; includes `json` and `watch` |

// The programs in the README compile.
#[cfg(all(doctest, feature = "reload"))]
#[doc = include_str!("../../../README.md")]
struct Readme;

mod delivery;
pub mod engine;
mod event;
mod fanout;
mod field;
pub mod http;
mod hub;
mod id;
mod jitter;
mod recent;
pub mod sse;
mod subscription;
mod topic;

pub use delivery::{Delivery, Gap, GapReason, Start};
#[cfg(feature = "json")]
pub use event::JsonError;
pub use event::{Event, EventName, Frame};
pub use fanout::{AsOf, StreamId, StreamInfo, SubscribeError};
pub use field::FieldError;
pub use hub::{Hub, PublishError, Stats};
pub use id::{Cursor, Epoch, EventId, Seq};
pub use subscription::Subscription;
pub use topic::{Interest, Selector, Topic, Topics};

#[cfg(feature = "reload")]
pub mod reload;
#[cfg(feature = "watch")]
pub mod watch;
