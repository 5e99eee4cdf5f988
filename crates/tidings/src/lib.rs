//! tidings.
mod event;
mod id;
pub mod sse;
mod topic;
pub use event::*;
pub use id::*;
pub use topic::*;
#[cfg(feature = "reload")]
pub mod reload;
#[cfg(feature = "watch")]
pub mod watch;
