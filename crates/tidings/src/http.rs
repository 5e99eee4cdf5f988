//! The HTTP door: a hub's streams for browsers.
//!
//! [`Endpoint`] is a tower service, [`SseBody`] an [`http_body::Body`]; both fit axum, hyper and
//! anything else on those traits, and the library depends on none of them.
//!
//! | Header | Why |
//! |---|---|
//! | `Content-Type: text/event-stream` | what `EventSource` insists on; always UTF-8 (WHATWG HTML 9.2.5) |
//! | `Cache-Control: no-store, no-transform` | nothing between us may keep, compress or buffer it |
//! | `X-Accel-Buffering: no` | nginx would hold it back |
//! | `X-Content-Type-Options: nosniff` | it is no page, whatever it holds |
//! | `Connection: keep-alive` | on HTTP/1.1 only: HTTP/2 forbids it (RFC 9113 8.2.2) |

//!
//! # The stream
//! ```text
//! : tidings
//! retry: 1318
//! data: the status
//! id: 3f2a9c01b7de.41
//!
//! data: what has changed
//! id: 3f2a9c01b7de.42
//!
//! ```
//! The comment and the reconnection time are sent at once, so that the head is flushed and the page's
//! `open` fires, and readers know when to come back even if the connection breaks before there is any
//! event. A blank line always ends an event with data, because some client libraries hand their users an
//! empty message for anything else. There are two exceptions, blocks that hold only an id, where nothing
//! else can carry it: a newcomer gets one with the first keep-alive if there has been neither a status nor
//! an event for it, and a reader of a quiet topic before the id that it holds falls out of the log.

mod body;
mod endpoint;

pub use body::SseBody;
pub use endpoint::{Endpoint, response, stop};
