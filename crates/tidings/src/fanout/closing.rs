//! [`Closing`]: waiting until all streams have ended, but not for ever.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::Core;

/// Resolves when no stream is open, or at its own deadline; several may wait at once.
pub(super) struct Closing {
    hub: Arc<Core>,
    /// `None` is never.
    deadline: Option<Instant>,
    /// Its place among those who wait, once it does.
    place: Option<usize>,
}

impl Closing {
    pub(super) fn new(hub: &Arc<Core>, deadline: Option<Instant>) -> Closing {
        Closing {
            hub: Arc::clone(hub),
            deadline,
            place: None,
        }
    }
}

impl Future for Closing {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let hub = Arc::clone(&self.hub);
        let is_late = self.deadline.is_some_and(|at| Instant::now() >= at);
        let mut streams = hub.streams();
        if streams.n_open() == 0 || is_late {
            return Poll::Ready(());
        }
        let deadline = self.deadline;
        let replaced = streams.await_empty(&mut self.place, cx.waker(), deadline);
        drop(streams);
        // A waker is foreign code also when it is dropped.
        drop(replaced);
        // The clock wakes this one at its deadline. Without a clock nobody would.
        match self.deadline.is_none() || hub.clock.wake(&hub) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let waker = self.hub.streams().stop_waiting(place);
            drop(waker);
        }
    }
}
