//! Lines that wait to be written, so that those who have something to say do not wait.
//!
//! Writing may block for as long as nobody reads: a terminal that was stopped with Ctrl-S, a program that has read the
//! address and no more. A thread of its own writes, and only that thread is blocked. Memory is bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

/// How many bytes may wait. Beyond this, the oldest lines are left out.
const MAX_BYTES: usize = 4 << 20;

/// See the module.
pub(super) struct Queue {
    shared: Arc<Shared>,
    /// The thread starts with the first line, and ends with the process.
    started: Once,
}

type Write = dyn Fn(&[u8]) + Send + Sync;

struct Shared {
    write: Box<Write>,
    // Held to add or to take a line, and never while one is written.
    waiting: Mutex<Waiting>,
    /// Wakes the thread.
    added: Condvar,
    /// Wakes whoever waits until all is written.
    written: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    n_bytes: usize,
    is_writing: bool,
}

impl Queue {
    pub(super) fn new(write: impl Fn(&[u8]) + Send + Sync + 'static) -> Queue {
        Queue {
            shared: Arc::new(Shared {
                write: Box::new(write),
                waiting: Mutex::default(),
                added: Condvar::new(),
                written: Condvar::new(),
            }),
            started: Once::new(),
        }
    }

    /// Writes this soon, after what was added before it.
    pub(super) fn add(&self, line: Vec<u8>) {
        self.started.call_once(|| {
            let shared = Arc::clone(&self.shared);
            // Without a thread, nothing is printed.
            let _ = std::thread::Builder::new()
                .name("tidings-console".to_owned())
                .spawn(move || shared.write_all());
        });
        let mut waiting = self.shared.waiting();
        waiting.n_bytes += line.len();
        waiting.lines.push_back(line);
        while waiting.n_bytes > MAX_BYTES {
            let Some(oldest) = waiting.lines.pop_front() else {
                break;
            };
            waiting.n_bytes -= oldest.len();
        }
        drop(waiting);
        self.shared.added.notify_one();
    }

    /// Waits until everything so far is written, but not longer than this.
    pub(super) fn flush(&self, timeout: Duration) {
        let is_waiting = |waiting: &mut Waiting| waiting.is_writing || !waiting.lines.is_empty();
        let waiting = self.shared.waiting();
        let written = &self.shared.written;
        drop(written.wait_timeout_while(waiting, timeout, is_waiting));
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self) {
        let mut waiting = self.waiting();
        loop {
            let Some(line) = waiting.lines.pop_front() else {
                waiting.is_writing = false;
                self.written.notify_all();
                waiting = self
                    .added
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            waiting.n_bytes -= line.len();
            waiting.is_writing = true;
            drop(waiting);
            (self.write)(&line);
            waiting = self.waiting();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    /// A queue that writes to a reader, who has to take each line.
    fn unread() -> (Queue, Receiver<Vec<u8>>) {
        let (written, read): (SyncSender<Vec<u8>>, _) = sync_channel(0);
        let queue = Queue::new(move |line| {
            let _ = written.send(line.to_vec());
        });
        (queue, read)
    }

    #[test]
    fn lines_are_written_in_order_and_a_flush_waits_for_the_last() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&lines);
        let queue = Queue::new(move |line| all.lock().unwrap().push(line.to_vec()));
        for line in ["a", "b", "c"] {
            queue.add(line.into());
        }
        queue.flush(Duration::from_secs(60));
        assert_eq!(*lines.lock().unwrap(), [b"a", b"b", b"c"]);
    }

    #[test]
    fn while_nobody_reads_nobody_waits_and_the_oldest_lines_are_left_out() {
        let (queue, read) = unread();
        let line = |n: u8| vec![n; MAX_BYTES / 4];
        for n in 0..10 {
            queue.add(line(n));
        }
        queue.flush(Duration::ZERO);
        // One may have been taken before the rest came.
        let taken = read.recv().unwrap();
        for n in 6.max(taken[0] + 1)..10 {
            assert!(read.recv().unwrap() == line(n), "{n}");
        }
        queue.flush(Duration::from_secs(60));
        assert_eq!(queue.shared.waiting().n_bytes, 0);
    }
}
