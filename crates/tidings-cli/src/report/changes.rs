//! What is said about changes: for people one line per change, for programs each event.
//!
//! Pages report what they have done (`POST /@tidings/seen`): several pages share a connection, so the
//! number of connections would be the wrong count. The line is printed once no more reports arrive.

mod lines;
mod tracked;

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tidings::EventId;
use tidings::reload::Published;
use tokio::sync::Notify;

use super::console::Console;
use super::open_pages::{Heard, OpenPages, PageName, Unanswered, Would};
use super::page_report::{Action, PageReport};

use lines::{Applied, Line, Pushed, Saved};
use tracked::Tracked;

/// How many changes may wait for reports. A burst has few; beyond this, the oldest is printed at once.
const MAX_TRACKED: usize = 64;

/// How many lines may wait until `run` prints them. Beyond this, the oldest are left out.
const MAX_LINES: usize = 4096;

/// How many reports may be ahead of the news that their change was published: on a busy machine a page can be faster.
const MAX_EARLY: usize = 64;

/// By how much.
const EARLY: Duration = Duration::from_secs(1);

/// Why pages reloaded is said once for each reason, of which there are few.
const MAX_REASONS: usize = 64;

/// Collects the pages' reports and prints the lines.
pub(crate) struct ChangeReporter {
    console: Arc<Console>,
    // Held briefly, and never while printing.
    state: Mutex<State>,
    /// Wakes `run` when something is to be printed.
    added: Notify,
    /// Wakes whoever waits for pages.
    heard: Notify,
}

#[derive(Default)]
struct State {
    changes: VecDeque<Tracked>,
    /// Reports about changes that are not known yet, with their pages.
    early: VecDeque<HeardReport>,
    lines: VecDeque<Line>,
    pages: OpenPages,
    reasons: HashSet<String>,
}

/// A report, what it has told of its page, and when.
struct HeardReport {
    report: PageReport,
    heard: Option<Heard>,
    at: Instant,
}

impl HeardReport {
    /// The event that the page shows because it was reloaded for it.
    fn reloaded_for(&self) -> Option<&str> {
        self.heard.as_ref()?.reloaded_for.as_deref()
    }

    /// The id of the change that it is about.
    fn change_id(&self) -> &str {
        self.reloaded_for().unwrap_or(&self.report.id)
    }
}

/// What has become of a roll call.
#[derive(Debug)]
pub(crate) struct Roll {
    pub(crate) n_pages: usize,
    pub(crate) unanswered: Vec<(PageName, Unanswered)>,
    pub(crate) errors: Vec<(PageName, Vec<String>)>,
}

impl ChangeReporter {
    pub(crate) fn new(console: Arc<Console>) -> ChangeReporter {
        ChangeReporter {
            console,
            state: Mutex::default(),
            added: Notify::new(),
            heard: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to collect reports about a change that was published to this many streams.
    pub(crate) fn published(&self, published: Published, streams: u64) {
        self.published_at(published, streams, Instant::now());
    }

    fn published_at(&self, published: Published, streams: u64, now: Instant) {
        let change = Tracked::new(published, streams, now);
        let published_id = change.id.clone();
        let mut state = self.state();
        if self.console.is_json() {
            state.add(Line::Saved(Saved {
                id: change.id.clone(),
                timestamp: change.line.timestamp,
                changes: change.line.changes.clone(),
            }));
            state.add(Line::Pushed(Pushed {
                id: change.id.clone(),
                streams,
                ms: change.age_ms(),
            }));
        }
        state.changes.push_back(change);
        if state.changes.len() > MAX_TRACKED {
            state.end_first();
        }
        for early in std::mem::take(&mut state.early) {
            if early.change_id() == published_id {
                state.apply(early, self.console.is_json());
            } else if now.saturating_duration_since(early.at) < EARLY {
                // About a change that another thread has published meanwhile. Older ones are about changes
                // whose lines are printed already.
                state.early.push_back(early);
            }
        }
        drop(state);
        self.added.notify_one();
    }

    /// Takes a page's report. One about a change whose line is printed already still counts for whoever
    /// waits for the page.
    pub(crate) fn page_reported(&self, report: &PageReport) {
        let now = Instant::now();
        let mut state = self.state();
        let heard = state.pages.heard(report);
        let is_page = !report.page.is_empty();
        if is_page && heard.is_none() {
            drop(state);
            self.heard.notify_waiters();
            return;
        }
        let heard = HeardReport {
            report: report.clone(),
            heard,
            at: now,
        };
        state.apply(heard, self.console.is_json());
        drop(state);
        self.added.notify_one();
        self.heard.notify_waiters();
    }

    /// Prints each line at its time, in order. Never returns; sleeps while there is none.
    pub(crate) async fn run(self: Arc<ChangeReporter>) {
        loop {
            // In order: one that waits for pages that reload holds up those after it.
            let next = self.state().changes.front().map(Tracked::deadline);
            match next {
                None => self.added.notified().await,
                Some(deadline) => {
                    let sleep = tokio::time::sleep_until(deadline.into());
                    tokio::select! {
                        () = sleep => {}
                        () = self.added.notified() => {}
                    }
                }
            }
            self.print_due(Instant::now());
        }
    }

    fn print_due(&self, now: Instant) {
        let mut state = self.state();
        while state
            .changes
            .front()
            .is_some_and(|change| change.deadline() <= now)
        {
            state.end_first();
        }
        let lines = std::mem::take(&mut state.lines);
        drop(state);
        for line in lines {
            line.print(&self.console);
        }
    }

    /// Whether a page with one of these paths is open: those of addresses, percent-encoded.
    pub(crate) fn has_page_at(&self, paths: &[String]) -> bool {
        self.state().pages.is_at(paths)
    }

    /// How many pages are open.
    pub(crate) fn n_pages(&self) -> usize {
        self.state().pages.len()
    }

    /// Before a roll is called.
    pub(crate) fn calls_roll(&self) {
        self.state().pages.called(Instant::now());
    }

    /// Waits until every open page has answered a roll call, or until the deadline.
    pub(crate) async fn answered(&self, call: &EventId, deadline: Instant) {
        self.answered_but(call, deadline, |_| false).await;
    }

    /// The same, but not for pages that wait for the backend.
    pub(crate) async fn answered_or_held(&self, call: &EventId, deadline: Instant) {
        self.answered_but(call, deadline, |why| why == Unanswered::Held)
            .await;
    }

    async fn answered_but(
        &self,
        call: &EventId,
        deadline: Instant,
        may_be_missing: impl Fn(Unanswered) -> bool,
    ) {
        let is_over = |pages: &OpenPages| {
            let mut missing = pages.unanswered(call).into_iter();
            missing.all(|(_, why)| may_be_missing(why))
        };
        loop {
            let look = deadline.min(Instant::now() + CLOSED_INTERVAL);
            if self.heard_until(look, is_over).await || look == deadline {
                return;
            }
            self.state().pages.forget_closed(Instant::now());
        }
    }

    /// What has become of a roll call. Pages that are gone for good are told of once.
    pub(crate) fn roll(&self, call: &EventId) -> Roll {
        let mut state = self.state();
        let roll = Roll {
            n_pages: state.pages.len(),
            unanswered: state.pages.unanswered(call),
            errors: state.pages.errors(),
        };
        state.pages.forget_lost(call, Instant::now());
        roll
    }

    /// What each page would do about the change that an event asks about, as far as they say so before the
    /// deadline.
    pub(crate) async fn asked(
        &self,
        id: &EventId,
        deadline: Instant,
    ) -> Vec<(PageName, Option<Would>)> {
        let has_answered = |(_, answer): &(PageName, Option<Would>)| answer.is_some();
        let is_over = |pages: &OpenPages| pages.answers(id).iter().all(has_answered);
        self.heard_until(deadline, is_over).await;
        self.state().pages.answers(id)
    }

    /// Waits until a page is known, or until the deadline.
    pub(crate) async fn knows_a_page(&self, deadline: Instant) {
        self.heard_until(deadline, |pages| pages.len() > 0).await;
    }

    /// Waits until this is so, or until the deadline. Returns whether it is.
    async fn heard_until(&self, deadline: Instant, is_so: impl Fn(&OpenPages) -> bool) -> bool {
        loop {
            let heard = self.heard.notified();
            tokio::pin!(heard);
            // From here on none is missed.
            heard.as_mut().enable();
            if is_so(&self.state().pages) {
                return true;
            }
            if tokio::time::timeout_at(deadline.into(), heard)
                .await
                .is_err()
            {
                return false;
            }
        }
    }
}

impl State {
    /// Counts a report for the line of its change. One whose change is not known is kept: it may be early.
    fn apply(&mut self, heard: HeardReport, is_json: bool) {
        let report = &heard.report;
        let is_reload_over = heard.reloaded_for().is_some();
        let action = match is_reload_over {
            true => Action::Reload,
            false => report.action,
        };
        // It reloads, and the page that comes next says when it is there.
        let begins = heard.heard.is_some() && action == Action::Reload && !is_reload_over;
        let counts = is_reload_over || heard.heard.is_none() || report.action.shows();
        if !begins && (!counts || action == Action::None) {
            return;
        }
        let id = heard.change_id();
        let Some(change) = self.changes.iter_mut().find(|change| change.id == id) else {
            self.early.push_back(heard);
            if self.early.len() > MAX_EARLY {
                self.early.pop_front();
            }
            return;
        };
        if begins {
            change.reloads(&report.why, heard.at);
            return;
        }
        let (ms, painted_ms) = change.applied(action, report, is_reload_over, heard.at);
        if let (Some(Heard { page, .. }), true) = (&heard.heard, is_json) {
            let line = Line::Applied(Applied {
                id: id.to_owned(),
                page: page.clone(),
                did: action.name(),
                why: Some(report.why.clone()).filter(|why| !why.is_empty()),
                ms,
                painted_ms,
            });
            self.add(line);
        }
    }

    fn add(&mut self, line: Line) {
        if self.lines.len() >= MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Ends the collection of reports about the oldest change.
    fn end_first(&mut self) {
        let Some(change) = self.changes.pop_front() else {
            return;
        };
        let mut line = change.end();
        if let Some(reason) = &line.reason {
            let is_new = self.reasons.len() < MAX_REASONS && self.reasons.insert(reason.clone());
            if !is_new {
                line.reason = None;
            }
        }
        self.add(Line::Change(line));
    }
}

/// How long to wait for another page's report after one has arrived. Pages report within milliseconds.
const NEXT_REPORT_TIMEOUT: Duration = Duration::from_millis(250);

/// How long to wait for the first report where a stream is open; longer, because the machine may be busy.
const FIRST_REPORT_TIMEOUT: Duration = Duration::from_secs(1);

/// How often it is looked whether pages that do not answer have left without a word.
const CLOSED_INTERVAL: Duration = Duration::from_millis(250);

/// How long to wait for a page that reloads.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use tidings::Hub;
    use tidings::engine::{Memory, Retention};
    use tidings::reload::Reloader;
    use tidings::watch::{Change, ChangeKind, ChangeSet};

    use super::*;

    /// A change, published.
    fn publish(reloader: &Reloader, newest_ms: u64) -> Published {
        let change = Change::new("/site/a.css", ChangeKind::Modified);
        let set = ChangeSet::new(newest_ms, vec![change]);
        reloader.changed(&set).unwrap().unwrap()
    }

    fn style(id: &EventId) -> PageReport {
        serde_json::from_str(&format!(
            r#"{{"id":"{id}","page":"p","n":1,"at":"/","did":"style"}}"#
        ))
        .unwrap()
    }

    #[test]
    fn a_report_that_is_ahead_of_its_change_counts_and_a_late_one_does_not() {
        let hub = Hub::new(Memory::new(Retention::new()));
        let reloader = Reloader::new(hub, "/site");
        reloader.ready(1000, None, &[]).unwrap();
        let (first, second) = (publish(&reloader, 2000), publish(&reloader, 3000));
        let reporter = ChangeReporter::new(Arc::new(Console::new(true, false)));
        let pages = || {
            let state = reporter.state();
            state
                .changes
                .iter()
                .map(|change| change.line.pages)
                .collect::<Vec<_>>()
        };
        let now = Instant::now();
        reporter.page_reported(&style(&second.id));
        reporter.published_at(second, 1, now);
        assert_eq!(pages(), [1]);
        reporter.state().end_first();
        // About a change that is not followed any more.
        reporter.page_reported(&style(&first.id));
        let third = publish(&reloader, 4000);
        reporter.published_at(third, 1, now + 2 * EARLY);
        assert_eq!(pages(), [0]);
        assert!(reporter.state().early.is_empty());
    }

    #[test]
    fn a_report_that_is_ahead_of_two_changes_of_two_threads_counts() {
        let hub = Hub::new(Memory::new(Retention::new()));
        let reloader = Reloader::new(hub, "/site");
        reloader.ready(1000, None, &[]).unwrap();
        let (first, second) = (publish(&reloader, 2000), publish(&reloader, 3000));
        let reporter = ChangeReporter::new(Arc::new(Console::new(true, false)));
        let now = Instant::now();
        reporter.page_reported(&style(&second.id));
        reporter.published_at(first, 1, now);
        reporter.published_at(second, 1, now);
        let state = reporter.state();
        let pages = state.changes.iter().map(|change| change.line.pages);
        assert_eq!(pages.collect::<Vec<_>>(), [0, 1]);
    }
}
