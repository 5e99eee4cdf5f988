//! The hub's clock: one thread that sends keep-alives and ends streams whose time has come.
//!
//! One sweep for all streams, instead of a timer for each. A plain thread, so that the hub works
//! under any async runtime and none. It starts with the first stream that wants keep-alives or the
//! first paced ending, sleeps in between, and ends with the hub.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use super::Core;

/// What the clock's thread and the hub share. The thread holds only this and a weak reference.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    state: Mutex<State>,
    condvar: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: bool,
    /// Something earlier than the thread knows of may be due.
    wake_requested: bool,
    stopped: bool,
}

impl Clock {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread unless it runs, and makes it check again what is due. Returns whether it
    /// runs.
    pub(super) fn wake(self: &Arc<Clock>, core: &Arc<Core>) -> bool {
        let mut state = self.state();
        state.wake_requested = true;
        self.condvar.notify_one();
        if state.running {
            return true;
        }
        state.running = true;
        let clock = Arc::clone(self);
        let hub = Arc::downgrade(core);
        let started = thread::Builder::new()
            .name("tidings-clock".to_owned())
            .spawn(move || clock.run(&hub));
        // Without a thread there are no keep-alives; streams work all the same.
        state.running = started.is_ok();
        state.running
    }

    /// Starts the thread unless it runs.
    pub(super) fn start(self: &Arc<Clock>, core: &Arc<Core>) {
        let running = self.state().running;
        if !running {
            self.wake(core);
        }
    }

    /// Ends the thread; called when the hub is dropped.
    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.condvar.notify_one();
    }

    fn run(&self, hub: &Weak<Core>) {
        let _running = Running(self);
        loop {
            let Some(core) = hub.upgrade() else { return };
            let next = core.run_due(Instant::now());
            // If this was the last reference, dropping it here runs `stop` in this very thread.
            drop(core);
            let mut state = self.state();
            if state.stopped {
                return;
            }
            if !std::mem::take(&mut state.wake_requested) {
                let mut woken = match next {
                    Some(next) => {
                        let sleep = next.saturating_duration_since(Instant::now());
                        let woken = self.condvar.wait_timeout(state, sleep);
                        woken.unwrap_or_else(PoisonError::into_inner).0
                    }
                    // Nothing is ever due, until somebody wakes it.
                    None => self
                        .condvar
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner),
                };
                woken.wake_requested = false;
            }
        }
    }
}

/// Says that the thread runs, until it does not: also when a waker, which is foreign code, panics in
/// it. The next call of `wake` then starts another one.
struct Running<'a>(&'a Clock);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.state().running = false;
    }
}
