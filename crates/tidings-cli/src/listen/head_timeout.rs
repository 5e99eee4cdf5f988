//! How long a client may take for a request's head, and how long a connection may be idle.
//!
//! Hyper has such a limit, but sets and removes a timer for each request. Here a connection has one timer, which
//! is looked at when it expires.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct HeadTimeout {
    timer: Pin<Box<Sleep>>,
    /// Which head is waited for, and since when.
    awaited: Option<usize>,
    since: Instant,
}

impl HeadTimeout {
    pub(super) fn new() -> HeadTimeout {
        HeadTimeout {
            timer: Box::pin(tokio::time::sleep(HEAD_TIMEOUT)),
            awaited: None,
            since: Instant::now(),
        }
    }

    /// Ready when the head with this number has been waited for too long; `None` if none is.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, awaited: Option<usize>) -> Poll<()> {
        if awaited.is_some() && awaited != self.awaited {
            self.since = Instant::now();
        }
        self.awaited = awaited;
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let since = awaited.map_or(now, |_| self.since);
            if now >= since + HEAD_TIMEOUT {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(since + HEAD_TIMEOUT);
        }
        Poll::Pending
    }
}
