//! One line per change: which files, how many pages showed it, and how long that took.
//!
//! Pages say themselves what they have done (`POST /@tidings/seen`), so the number is the truth and
//! not the number of connections. The line is printed when nothing more is heard for a moment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use tidings::reload::Published;
use tokio::sync::Notify;

use super::console::{Line, Paint, Say, printable};

/// How long after a page's word the next one is waited for. Pages answer within milliseconds.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long the first one is waited for, where somebody listens: a busy machine may take its time.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);

/// Changes that wait for their line. A burst has few; more than this are printed without waiting.
const WAITING: usize = 64;

/// A page's word about a change.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    id: String,
    did: Did,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Did {
    Style,
    Image,
    Reload,
}

pub(crate) struct Report {
    say: Arc<Say>,
    // Held for moments; printing happens after it has been left.
    waiting: Mutex<Vec<Waiting>>,
    /// Something waits.
    news: Notify,
}

struct Waiting {
    id: String,
    due: Instant,
    line: Changed,
}

/// The line.
#[derive(Clone, Debug, Serialize)]
struct Changed {
    timestamp: u64,
    changes: Vec<tidings::reload::PublishedChange>,
    /// Pages that showed it.
    pages: usize,
    /// Of these, those that needed no reload.
    swapped: usize,
    /// Streams that were open: 0 means that nobody looks.
    streams: u64,
    /// From the save to the last of the pages saying so.
    ms: Option<u64>,
    #[serde(skip)]
    saved_at: SystemTime,
}

impl Report {
    pub(crate) fn new(say: Arc<Say>) -> Report {
        Report {
            say,
            waiting: Mutex::default(),
            news: Notify::new(),
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A change has been published to this many streams.
    pub(crate) fn published(&self, published: Published, streams: u64) {
        let patience = if streams > 0 {
            FIRST_PATIENCE
        } else {
            Duration::ZERO
        };
        let waiting = Waiting {
            id: published.id.to_string(),
            due: Instant::now() + patience,
            line: Changed {
                saved_at: saved_at(published.timestamp),
                timestamp: published.timestamp,
                changes: published.changes,
                pages: 0,
                swapped: 0,
                streams,
                ms: None,
            },
        };
        let mut all = self.waiting();
        all.push(waiting);
        self.news.notify_one();
        if all.len() > WAITING {
            let oldest = all.remove(0);
            drop(all);
            self.print(&oldest.line);
        }
    }

    /// A page says what it has done.
    pub(crate) fn seen(&self, seen: &Seen) {
        let mut all = self.waiting();
        if let Some(waiting) = all.iter_mut().find(|waiting| waiting.id == seen.id) {
            waiting.due = Instant::now() + PATIENCE;
            let line = &mut waiting.line;
            line.pages += 1;
            line.swapped += usize::from(seen.did != Did::Reload);
            line.ms = line.saved_at.elapsed().ok().map(|ms| ms.as_millis() as u64);
        }
    }

    /// Prints each line when it has waited long enough, in order, for ever. Sleeps while there is none.
    pub(crate) async fn run(self: Arc<Report>) {
        loop {
            let next = self.waiting().first().map(|first| first.due);
            match next {
                None => self.news.notified().await,
                Some(due) => tokio::time::sleep_until(due.into()).await,
            }
            self.print_due(Instant::now());
        }
    }

    fn print_due(&self, now: Instant) {
        let mut all = self.waiting();
        let n_due = all.iter().take_while(|waiting| waiting.due <= now).count();
        let due: Vec<_> = all.drain(..n_due).collect();
        drop(all);
        due.iter().for_each(|waiting| self.print(&waiting.line));
    }

    fn print(&self, line: &Changed) {
        self.say.happens("change", line);
    }
}

/// When it was saved. The timestamp is the file's own, unless that lies: then it was just now.
fn saved_at(timestamp_ms: u64) -> SystemTime {
    let now = SystemTime::now();
    let told = SystemTime::UNIX_EPOCH + Duration::from_millis(timestamp_ms);
    match now.duration_since(told) {
        Ok(ago) if ago < Duration::from_secs(10) => told,
        _ => now,
    }
}

impl Line for Changed {
    fn plain(&self, paint: Paint) -> String {
        let name = |path: &str| match path {
            "/" => "the folder".to_owned(),
            path => printable(path.trim_start_matches('/')).into_owned(),
        };
        let what = match self.changes.as_slice() {
            [] => "everything".to_owned(),
            [one] => name(&one.path),
            [one, other] => format!("{}, {}", name(&one.path), name(&other.path)),
            [one, rest @ ..] => format!("{} and {} more", name(&one.path), rest.len()),
        };
        let whom = match (self.pages, self.streams, self.ms) {
            (0, 0, _) => "no page is open".to_owned(),
            (0, _, _) => "no open page uses it".to_owned(),
            (1, _, Some(ms)) => format!("1 page, {ms} ms"),
            (pages, _, ms) => format!("{pages} pages, {} ms", ms.unwrap_or(0)),
        };
        format!("{} {}", paint.bold(&what), paint.dim(&format!("-> {whom}")))
    }
}
