//! tidings.
#[cfg(feature = "reload")]
pub mod reload;
#[cfg(feature = "watch")]
pub mod watch;
