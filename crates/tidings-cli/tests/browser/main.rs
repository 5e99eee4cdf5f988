//! What a page does, in a real Chromium, against the real binary and real files.
//!
//! Each test starts a browser and a server of its own. Nothing waits for a fixed time and then hopes:
//! [`Page::until`] looks until it is so. That something did *not* happen is shown by a later change
//! that did.
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]
#![expect(
    unreachable_pub,
    reason = "the modules of a test crate are its own affair"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "`json!({..})` reads best as an argument"
)]

mod app;
mod backend;
mod badge;
mod blocked;
mod burst;
mod case;
mod chromium;
mod console;
mod document;
mod editor;
mod example;
mod images;
mod layer;
mod one_stream;
mod overlay;
mod patch;
mod patched;
mod patched_served;
mod policy;
mod proxied;
mod resources;
mod restore;
mod return_;
mod sandbox;
mod save;
mod served;
mod share;
mod sheets;
mod site;
mod strange;
mod style;
#[path = "../support/mod.rs"]
mod support;
mod swap;
mod types;
mod unseen;
mod wait;
mod wait_backend;
mod wait_policy;

use chromium::{Browser, Page};
use site::Site;
