//! What a page does, in a real Chromium, against the real binary and real files.
//!
//! Each test starts a browser and a server of its own. Nothing waits for a fixed time and then hopes:
//! [`Page::until`] looks until it is so. That something did *not* happen is shown by a later change
//! that did.

mod burst;
mod chromium;
mod document;
mod return_;
mod save;
mod share;
mod site;
mod swap;

use chromium::{Browser, Page};
use site::Site;
