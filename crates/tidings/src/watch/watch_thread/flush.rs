//! Flushes: somebody waits until all that is saved by now has been reported.
//!
//! A flush is over when the events that the system holds have been handled, nothing is left to be walked or to be
//! hashed, and nothing is held any more. What has no events is looked at once more for it.

use super::WatchThread;
use crate::watch::debounce::{GATHER_CAP, WRITE_CAP};
use crate::watch::lock;
use crate::watch::native::Native;
use std::time::{Duration, Instant};

/// A file that is written without a pause is always held. It has been reported at least once by then.
const LIMIT: Duration = WRITE_CAP.saturating_add(GATHER_CAP);

/// What is called at the end of a flush.
pub(in crate::watch) type Done = Box<dyn FnOnce() + Send>;

/// The flushes that are under way.
#[derive(Default)]
pub(super) struct Flushing {
    waiting: Vec<(Instant, Done)>,
}

impl Flushing {
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.iter().map(|(limit, _)| *limit).min()
    }
}

impl WatchThread {
    pub(super) fn begin_flush(&mut self, waiting: Vec<Done>) {
        let natives = self.root_watches.iter().map(|root| &root.native);
        natives.flatten().for_each(Native::drain);
        let now = Instant::now();
        self.next_root_check = now;
        self.next_check = now;
        self.poll_everything();
        let waiting = waiting.into_iter().map(|done| (now + LIMIT, done));
        self.flushing.waiting.extend(waiting);
    }

    pub(super) fn end_flushes(&mut self) {
        if self.flushing.waiting.is_empty() {
            return;
        }
        let is_idle = self.unhashed.files.is_empty()
            && self.dispatcher.inbox.is_empty()
            && self.polling.is_settled()
            && lock(&self.dispatcher.state).debouncer.due().is_none();
        let now = Instant::now();
        let over = self
            .flushing
            .waiting
            .extract_if(.., |(limit, _)| is_idle || *limit <= now);
        for (_, done) in over {
            done();
        }
    }
}
