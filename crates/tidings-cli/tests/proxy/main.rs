//! `tidings proxy` and `tidings serve --proxy` from outside: the real binary between a client and a backend
//! that both speak HTTP by hand, because what a library would never send is what is tested here.
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

mod backend;
mod bodies;
mod broken;
#[path = "../browser/chromium.rs"]
#[expect(
    dead_code,
    clippy::needless_pass_by_value,
    reason = "these tests use a part of it; JSON that is made for the call"
)]
mod chromium;
mod heads;
mod inject;
mod outage;
mod own_paths;
mod pages;
mod pool;
mod routes;
mod smuggling;
#[path = "../support/mod.rs"]
mod support;
mod transports;
mod upgrades;
mod versions;
mod wire;

use backend::{Backend, Conn};
use support::program::{Server, tidings};
use wire::{Body, Client, Head, request};

/// `tidings proxy` in front of this backend, with these flags.
#[track_caller]
fn proxy(backend: &Backend, flags: &[&str]) -> Server {
    proxy_to(&backend.url(), flags)
}

#[track_caller]
fn proxy_to(url: &str, flags: &[&str]) -> Server {
    Server::run(tidings().args(["proxy", url, "--port", "0"]).args(flags))
}
