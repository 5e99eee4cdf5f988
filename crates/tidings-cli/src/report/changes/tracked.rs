//! One change, while pages report what they do about it.

use std::time::{Duration, Instant, SystemTime};

use tidings::reload::Published;

use super::super::page_report::{Action, PageReport};
use super::lines::ChangeLine;
use super::{FIRST_REPORT_TIMEOUT, NEXT_REPORT_TIMEOUT, RELOAD_TIMEOUT};

pub(super) struct Tracked {
    pub(super) id: String,
    pub(super) line: ChangeLine,
    saved_at: SystemTime,
    deadline: Instant,
    /// Pages that reload, and are not there again yet.
    n_reloading: usize,
}

impl Tracked {
    pub(super) fn new(published: Published, streams: u64, now: Instant) -> Tracked {
        let timeout = match streams {
            0 => Duration::ZERO,
            _ => FIRST_REPORT_TIMEOUT,
        };
        let id = published.id.to_string();
        Tracked {
            saved_at: saved_at(published.timestamp),
            deadline: now + timeout,
            n_reloading: 0,
            line: ChangeLine::new(id.clone(), published.timestamp, published.changes, streams),
            id,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Milliseconds since the save.
    pub(super) fn age_ms(&self) -> u64 {
        let age = self.saved_at.elapsed();
        age.map_or(0, |age| age.as_millis() as u64)
    }

    /// A page reloads because of it.
    pub(super) fn reloads(&mut self, why: &str, now: Instant) {
        self.n_reloading += 1;
        self.deadline = now + RELOAD_TIMEOUT;
        self.reason(why);
    }

    /// A page shows it. Returns the milliseconds from the save until it was done, and until it was on the
    /// screen.
    pub(super) fn applied(
        &mut self,
        action: Action,
        report: &PageReport,
        is_reload_over: bool,
        now: Instant,
    ) -> (u64, Option<u64>) {
        self.n_reloading -= usize::from(is_reload_over).min(self.n_reloading);
        let timeout = match self.n_reloading {
            0 => NEXT_REPORT_TIMEOUT,
            _ => RELOAD_TIMEOUT,
        };
        self.deadline = now + timeout;
        let age = self.age_ms();
        let ms = age.saturating_sub(report.took);
        let painted_ms = report.painted.then_some(age);
        let line = &mut self.line;
        line.pages += 1;
        match action {
            Action::Reload => line.reloaded += 1,
            Action::Patch => line.patched += 1,
            _ => {}
        }
        line.ms = line.ms.max(Some(ms));
        line.painted_ms = line.painted_ms.max(painted_ms);
        self.reason(&report.why);
        (ms, painted_ms)
    }

    fn reason(&mut self, why: &str) {
        if !why.is_empty() && self.line.reason.is_none() {
            self.line.reason = Some(why.to_owned());
        }
    }

    /// The line. Pages that still reload are counted as such.
    pub(super) fn end(mut self) -> ChangeLine {
        if self.n_reloading > 0 {
            self.line.ms = self.line.ms.max(Some(self.age_ms()));
        }
        let line = &mut self.line;
        line.pages += self.n_reloading;
        line.reloaded += self.n_reloading;
        line.swapped = line.pages - line.reloaded;
        self.line
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
