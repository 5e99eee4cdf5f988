//! The real binary, from outside: what is typed, what is printed, what goes over the wire.
//!
//! Nothing waits for a fixed time and then hopes: a test reads lines and sockets, which have generous
//! limits, or looks until it is so.
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]
#![expect(
    unreachable_pub,
    reason = "the modules of a test crate are its own affair"
)]

mod abuse;
mod arguments;
mod config;
mod control;
mod file_systems;
mod frames;
mod http;
mod keys;
mod modes;
mod names;
mod output;
mod permissions;
mod ports;
mod programs;
mod security;
mod stop;
mod strangers;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod texts;
mod versions;
mod watching;

use http::{Stream, ask, get};
use support::program::{Folder, Server, finished, tidings};
