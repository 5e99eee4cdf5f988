//! `tidings proxy` in front of real backends: what a person sees who types the command of the page in
//! `docs/`, logs in, saves a template, breaks the code and mends it.
//!
//! The commands are read from the pages, so that page and program cannot differ. The frameworks come from
//! PyPI, npm and Debian (`install`), in the versions that `requirements.txt` and `package-lock.json`
//! name. Where they cannot be had, it is said.
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
mod axum;
#[path = "../browser/chromium.rs"]
#[allow(dead_code, reason = "each test crate uses its part of it")]
mod chromium;
mod django;
mod express;
mod flask;
mod form;
mod generators;
mod guide;
#[path = "../cli/http.rs"]
#[allow(dead_code, reason = "each test crate uses its part of it")]
mod http;
mod load;
mod nginx;
mod php;
mod settings;
mod starlette;
#[path = "../support/mod.rs"]
mod support;
mod tools;
mod vite;
mod wire;

use app::{App, Backend};
use chromium::{Browser, Page};
