//! `--lan`, `--https`, `--slow` and `tidings trust` from outside: the real binary, with the clients that people use
//! (curl, Chromium).
//!
//! Each test has a home directory of its own, so none touches the certificates of whoever runs it.
//! Nothing waits for a fixed time and then hopes.
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]
#![expect(
    unreachable_pub,
    reason = "the modules of a test crate are its own affair"
)]

#[path = "../browser/chromium.rs"]
#[expect(
    dead_code,
    clippy::needless_pass_by_value,
    reason = "these tests use a part of it; JSON that is made for the call"
)]
mod chromium;
mod curl;
mod given;
mod home;
mod https;
mod lan;
mod phone;
mod programs;
mod slow;
#[path = "../support/mod.rs"]
mod support;
mod tabs;
mod trust;

use home::Home;
use support::program::{Folder, Lines, Server, tidings};
