//! One line per change: which files, how many pages show it, and how long that took.
//!
//! Pages report what they have done (`POST /@tidings/seen`): several pages share a connection, so the
//! number of connections would be the wrong count. The line is printed once no more reports arrive.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use tidings::reload::{Published, PublishedChange};
use tokio::sync::Notify;

use super::console::{Console, Message, Styles, printable};

/// How long to wait for another page's report after one has arrived. Pages report within milliseconds.
const NEXT_REPORT_TIMEOUT: Duration = Duration::from_millis(250);

/// How long to wait for the first report where a stream is open; longer, because the machine may be busy.
const FIRST_REPORT_TIMEOUT: Duration = Duration::from_secs(1);

/// How many changes may wait for reports. A burst has few; beyond this, the oldest is printed at once.
const MAX_PENDING: usize = 64;

/// What a page reports about a change.
#[derive(Debug, Deserialize)]
pub(crate) struct PageReport {
    /// The id of the change's event.
    id: String,
    #[serde(rename = "did")]
    action: Action,
}

/// How a page has shown a change.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Action {
    Style,
    Image,
    Patch,
    Reload,
}

/// Collects the pages' reports and prints the lines.
pub(crate) struct ChangeReporter {
    console: Arc<Console>,
    // Held briefly, and never while printing.
    pending: Mutex<Vec<Pending>>,
    /// Wakes `run` when something becomes pending.
    added: Notify,
}

/// A change whose line has not been printed yet.
struct Pending {
    id: String,
    deadline: Instant,
    line: ChangeLine,
}

#[derive(Clone, Debug, Serialize)]
struct ChangeLine {
    timestamp: u64,
    changes: Vec<PublishedChange>,
    /// Pages that show the change.
    pages: usize,
    /// How many of them did not have to reload.
    swapped: usize,
    /// Streams that were open; with none, no page can report.
    streams: u64,
    /// Time from the save to the last report.
    ms: Option<u64>,
    #[serde(skip)]
    saved_at: SystemTime,
}

impl ChangeReporter {
    pub(crate) fn new(console: Arc<Console>) -> ChangeReporter {
        ChangeReporter {
            console,
            pending: Mutex::default(),
            added: Notify::new(),
        }
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, Vec<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to collect reports about a change that was published to this many streams.
    pub(crate) fn published(&self, published: Published, streams: u64) {
        let timeout = match streams {
            0 => Duration::ZERO,
            _ => FIRST_REPORT_TIMEOUT,
        };
        let change = Pending {
            id: published.id.to_string(),
            deadline: Instant::now() + timeout,
            line: ChangeLine {
                saved_at: saved_at(published.timestamp),
                timestamp: published.timestamp,
                changes: published.changes,
                pages: 0,
                swapped: 0,
                streams,
                ms: None,
            },
        };
        let mut pending = self.pending();
        pending.push(change);
        self.added.notify_one();
        if pending.len() > MAX_PENDING {
            let oldest = pending.remove(0);
            drop(pending);
            self.print(&oldest.line);
        }
    }

    /// Counts a page's report. One about a change whose line is printed already is ignored.
    pub(crate) fn page_reported(&self, report: &PageReport) {
        let mut pending = self.pending();
        if let Some(change) = pending.iter_mut().find(|change| change.id == report.id) {
            change.deadline = Instant::now() + NEXT_REPORT_TIMEOUT;
            let line = &mut change.line;
            line.pages += 1;
            line.swapped += usize::from(report.action != Action::Reload);
            line.ms = line.saved_at.elapsed().ok().map(|ms| ms.as_millis() as u64);
        }
    }

    /// Prints each line at its deadline, in order. Never returns; sleeps while nothing is pending.
    pub(crate) async fn run(self: Arc<ChangeReporter>) {
        loop {
            let next = self.pending().first().map(|first| first.deadline);
            match next {
                None => self.added.notified().await,
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            }
            self.print_due(Instant::now());
        }
    }

    fn print_due(&self, now: Instant) {
        let mut pending = self.pending();
        let is_due = |change: &&Pending| change.deadline <= now;
        let n_due = pending.iter().take_while(is_due).count();
        let due: Vec<_> = pending.drain(..n_due).collect();
        drop(pending);
        due.iter().for_each(|change| self.print(&change.line));
    }

    fn print(&self, line: &ChangeLine) {
        self.console.event("change", line);
    }
}

/// The time of the save: the file's own, unless that is implausible (`touch -d`, an unpacked archive).
fn saved_at(timestamp_ms: u64) -> SystemTime {
    let now = SystemTime::now();
    let timestamp = SystemTime::UNIX_EPOCH + Duration::from_millis(timestamp_ms);
    match now.duration_since(timestamp) {
        Ok(age) if age < Duration::from_secs(10) => timestamp,
        _ => now,
    }
}

impl Message for ChangeLine {
    fn text(&self, styles: Styles) -> String {
        let name = |path: &str| match path {
            "/" => "the folder".to_owned(),
            path => printable(path.trim_start_matches('/')).into_owned(),
        };
        let files = match self.changes.as_slice() {
            [] => "everything".to_owned(),
            [one] => name(&one.path),
            [one, other] => format!("{}, {}", name(&one.path), name(&other.path)),
            [one, rest @ ..] => format!("{} and {} more", name(&one.path), rest.len()),
        };
        let pages = match (self.pages, self.streams, self.ms) {
            (0, 0, _) => "no page is open".to_owned(),
            (0, _, _) => "no open page uses it".to_owned(),
            (1, _, Some(ms)) => format!("1 page, {ms} ms"),
            (pages, _, ms) => format!("{pages} pages, {} ms", ms.unwrap_or(0)),
        };
        format!(
            "{} {}",
            styles.bold(&files),
            styles.dim(&format!("-> {pages}"))
        )
    }
}
