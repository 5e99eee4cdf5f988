//! Reports events in order, on a thread of its own.
//!
//! Printing may block for as long as nobody reads: a terminal that was stopped with Ctrl-S, a full pipe.
//! Then the lines of the command wait, and with them the command; everything else goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::event::Event;

/// How many lines of output may wait to be printed. Beyond that, the command waits.
const MAX_LINES: usize = 64;

/// How long the last events may take at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

enum Item {
    Event(Event),
    /// Printed, it makes room for another line.
    Line(
        Event,
        #[expect(dead_code, reason = "dropped")] OwnedSemaphorePermit,
    ),
    Flush(oneshot::Sender<()>),
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    // Lines are bounded by the permits. Other events are few: one for each thing that happens.
    items: UnboundedSender<Item>,
    room: Arc<Semaphore>,
}

impl Reporter {
    pub(super) fn start(report: impl Fn(Event) + Send + 'static) -> Reporter {
        let (items, queue) = unbounded_channel();
        // It ends with the last sender. Without a thread, nothing is printed.
        let _ = std::thread::Builder::new()
            .name("tidings-report".to_owned())
            .spawn(move || print(queue, report));
        Reporter {
            items,
            room: Arc::new(Semaphore::new(MAX_LINES)),
        }
    }

    pub(super) fn event(&self, event: Event) {
        let _ = self.items.send(Item::Event(event));
    }

    /// Reports a line of output, when there is room.
    pub(super) async fn line(&self, event: Event) {
        // Never closed.
        if let Ok(permit) = Arc::clone(&self.room).acquire_owned().await {
            let _ = self.items.send(Item::Line(event, permit));
        }
    }

    /// Waits until everything so far is reported, but not for long.
    pub(super) async fn flush(&self) {
        let (done, is_done) = oneshot::channel();
        if self.items.send(Item::Flush(done)).is_ok() {
            let _ = tokio::time::timeout(FLUSH_TIMEOUT, is_done).await;
        }
    }
}

fn print(mut queue: UnboundedReceiver<Item>, report: impl Fn(Event)) {
    while let Some(item) = queue.blocking_recv() {
        match item {
            Item::Event(event) | Item::Line(event, _) => report(event),
            Item::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}
