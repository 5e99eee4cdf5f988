//! tidings.
pub mod engine;
mod event;
pub mod http;
mod hub;
mod id;
pub mod sse;
mod subscription;
mod topic;
pub use event::*;
pub use hub::{AsOf, Hub, PublishError, Stats, StreamId, StreamInfo, SubscribeError};
pub use id::*;
pub use subscription::{Delivery, Gap, GapReason, Start, Subscription};
pub use topic::*;
#[cfg(feature = "reload")]
pub mod reload;
#[cfg(feature = "watch")]
pub mod watch;
