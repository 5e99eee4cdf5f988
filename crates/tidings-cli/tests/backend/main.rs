//! The real binary with a command as its backend: how it is built, started, replaced and ended.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]
#![expect(
    unreachable_pub,
    reason = "the modules of a test crate are its own affair"
)]

mod guardian;
mod marked;
#[path = "../support/mod.rs"]
mod support;

use support::program::tidings;
