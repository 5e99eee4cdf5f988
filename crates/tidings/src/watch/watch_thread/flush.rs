//! Flushes: somebody waits until all that is saved by now has been reported.
//!
//! ```text
//! events of the system handled -> all that is polled looked at -> what was found walked, and hashed
//!     -> what may be half of a save settled -> what is gathered reported
//! ```
//!
//! Each step is over when what had come that far is done, and not after some time: a look at a large tree of a
//! network takes as long as it takes. It ends all the same, because whatever is held is held for a limited time, and
//! what comes later is not waited for.
//!
//! Who asks while a look is under way has to wait for the next one: what was saved may have been looked at before.

use super::WatchThread;
use super::poll::SLICE;
use crate::watch::lock;
use crate::watch::native::Native;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What is still to be hashed is waited for, but not longer: a save is reported whether it is or not.
const HASHING_CAP: Duration = Duration::from_secs(1);

/// What is called at the end of a flush.
pub(in crate::watch) type Done = Box<dyn FnOnce() + Send>;

/// The flushes that are under way.
#[derive(Default)]
pub(super) struct Flushing {
    /// Asked for since the look began.
    asked: Vec<Done>,
    look: Option<Look>,
    /// Those whose look is over.
    looked: Vec<(Step, Done)>,
}

/// A look at all that is polled.
struct Look {
    /// What is left of it, each with its root.
    directories: std::vec::IntoIter<(usize, PathBuf)>,
    waiting: Vec<Done>,
}

/// What a flush waits for, once everything has been looked at.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Jobs, and since then what is to be hashed.
    Walk(Instant),
    /// What was not settled at this time.
    Settle(Instant),
    /// What was gathered at this time.
    Report(Instant),
}

impl Flushing {
    pub(super) fn due(&self) -> Option<Instant> {
        self.look.is_some().then(Instant::now)
    }
}

impl WatchThread {
    pub(super) fn begin_flush(&mut self, waiting: Vec<Done>) {
        self.flushing.asked.extend(waiting);
        if self.flushing.look.is_none() {
            self.begin_look();
        }
    }

    fn begin_look(&mut self) {
        if self.flushing.asked.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.flushing.asked);
        let natives = self.root_watches.iter().map(|root| &root.native);
        natives.flatten().for_each(Native::drain);
        let now = Instant::now();
        self.next_root_check = now;
        self.next_check = now;
        if !self.polling.is_empty() {
            self.poll_used();
        }
        let directories = self.polling.directories().into_iter();
        self.flushing.look = Some(Look {
            directories,
            waiting,
        });
    }

    /// Goes on with the flushes that are under way.
    pub(super) fn run_flushes(&mut self) {
        if let Some(look) = self.flushing.look.take() {
            self.go_on_looking(look);
        }
        self.end_flushes();
    }

    fn go_on_looking(&mut self, mut look: Look) {
        let begun = Instant::now();
        for (root, directory) in look.directories.by_ref() {
            if self.dispatcher.inbox.is_stopped() {
                return;
            }
            self.poll_directory(root, &directory);
            if begun.elapsed() >= SLICE {
                break;
            }
        }
        if look.directories.len() > 0 {
            self.flushing.look = Some(look);
            return;
        }
        let step = Step::Walk(Instant::now());
        let looked = look.waiting.into_iter().map(|done| (step, done));
        self.flushing.looked.extend(looked);
        self.begin_look();
    }

    fn end_flushes(&mut self) {
        if self.flushing.looked.is_empty() {
            return;
        }
        let now = Instant::now();
        let is_walked = self.dispatcher.inbox.is_empty();
        let is_hashed = self.unhashed.files.is_empty();
        for (step, _) in &mut self.flushing.looked {
            if let Step::Walk(since) = *step
                && is_walked
                && (is_hashed || since + HASHING_CAP <= now)
            {
                *step = Step::Settle(now);
            }
            // What is settled may have to be walked.
            if let Step::Settle(since) = *step
                && is_walked
                && !self.polling.holds_since(since)
            {
                *step = Step::Report(now);
            }
        }
        let over: Vec<_> = {
            let debouncer = &lock(&self.dispatcher.state).debouncer;
            let looked = &mut self.flushing.looked;
            let is_over = |step: &mut Step| match *step {
                Step::Report(since) => !debouncer.holds_since(since),
                Step::Walk(_) | Step::Settle(_) => false,
            };
            looked.extract_if(.., |(step, _)| is_over(step)).collect()
        };
        for (_, done) in over {
            done();
        }
    }
}
