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

mod body;
mod endpoint;

pub use body::SseBody;
pub use endpoint::{Endpoint, response, stop};
