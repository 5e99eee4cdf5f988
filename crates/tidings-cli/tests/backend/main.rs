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

mod app;
mod building;
mod ending;
mod failing;
mod guardian;
#[path = "../cli/http.rs"]
#[allow(dead_code, reason = "it is made for another test crate")]
mod http;
#[path = "../backends/load.rs"]
mod load;
mod marked;
mod no_hole;
mod output;
mod restart;
#[path = "../support/mod.rs"]
mod support;

use support::program::tidings;
