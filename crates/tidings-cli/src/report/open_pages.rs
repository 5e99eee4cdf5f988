//! Which pages are open, and the newest event that each of them shows: pure.
//!
//! Pages share streams, so that nobody but a page itself can say that it is there. It says so when it is opened,
//! when it leaves, and by every other report. One that crashed says nothing any more: it is found out by a roll
//! call, and forgotten once somebody has been told of it.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tidings::EventId;

use super::page_report::{Action, PageReport};

/// More pages than this are not remembered: the one that was not heard of for the longest time is forgotten for a new
/// one. It has most likely ended without a word.
const MAX_PAGES: usize = 1000;

/// How many pages that have left or were replaced are remembered, because of reports that come late.
const MAX_LEFT: usize = 256;

/// How long a page that is open does not answer at most, if not even its worker does.
const SILENCE: Duration = Duration::from_secs(5);

/// How long a reload takes at most. After that the user has gone elsewhere.
const RELOAD: Duration = Duration::from_secs(15);

/// The pages, by the names that they have chosen.
#[derive(Debug, Default)]
pub(super) struct OpenPages {
    pages: BTreeMap<String, OpenPage>,
    /// The names of pages that have left or were replaced, and their last reports.
    left: VecDeque<(String, u64)>,
    numbered: u32,
    /// How many reports there were.
    n_heard: u64,
}

/// What a page would do, and why.
pub(crate) type Would = (String, String);

#[derive(Debug)]
struct OpenPage {
    number: u32,
    path: String,
    state: State,
    /// Of its newest report.
    n: u64,
    /// When it was heard of last: how many reports there had been.
    heard: u64,
    /// The newest event that it shows.
    shows: Option<EventId>,
    /// The event that it was reloaded for, until it shows that.
    reloaded_for: Option<String>,
    errors: Vec<String>,
    /// What it would do, and why, about the change that this event asks about.
    would: Option<(String, Would)>,
    /// Whether it may have left without a word.
    is_mute: bool,
    /// When a roll was called that neither the page nor its worker has answered since.
    called: Option<Instant>,
    /// Whether its worker has answered the newest roll call.
    is_busy: bool,
}

#[derive(Debug)]
enum State {
    Open,
    /// The browser has frozen it.
    Frozen,
    /// It is to reload, and the backend is not there.
    Held,
    /// It reloads for this event. The page that comes next takes its place.
    Reloading {
        id: String,
    },
}

/// A page, as it is told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PageName {
    /// Pages are numbered in the order in which they were opened; a page that is reloaded keeps its number.
    #[serde(rename = "page")]
    pub(crate) number: u32,
    pub(crate) path: String,
}

/// What a report has told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) page: PageName,
    /// The event that the page shows now because it was reloaded.
    pub(super) reloaded_for: Option<String>,
}

/// Why a page has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unanswered {
    /// Its worker answers, but not the page: it is busy, still loading, or stopped at a breakpoint.
    Busy,
    /// It reloads.
    Reloading,
    /// It is to reload, and waits for the backend.
    Held,
    /// The browser has frozen it, in the background.
    Frozen,
    /// Nothing is heard of it.
    Silent,
}

impl OpenPages {
    /// Takes a report. Returns nothing if it is not of a page, or overtaken by a later one.
    pub(super) fn heard(&mut self, report: &PageReport) -> Option<Heard> {
        if report.page.is_empty() {
            return None;
        }
        let name = &report.page;
        self.n_heard += 1;
        if let Some(page) = self.pages.get_mut(name) {
            page.heard = self.n_heard;
        }
        if report.action == Action::Here {
            // Without a number of its own: it comes from the worker.
            let page = self.pages.get_mut(name)?;
            page.is_busy = true;
            page.called = None;
            return None;
        }
        let has_left = |(left, n): &(String, u64)| left == name && *n >= report.n;
        if self.left.iter().any(has_left) {
            return None;
        }
        if report.action == Action::Leave {
            self.leave(name, report.n);
            return None;
        }
        if !self.pages.contains_key(name) {
            self.enter(report);
        }
        let page = self.pages.get_mut(name)?;
        if page.n > report.n {
            return None;
        }
        page.n = report.n;
        page.path.clone_from(&report.at);
        page.called = None;
        page.is_busy = false;
        page.is_mute = report.mute;
        page.state = match report.action {
            Action::Freeze => State::Frozen,
            Action::Held => State::Held,
            Action::Reload => State::Reloading {
                id: report.id.clone(),
            },
            _ => State::Open,
        };
        if report.action == Action::Would {
            let would = (report.would.clone(), report.why.clone());
            page.would = Some((report.id.clone(), would));
        }
        let mut reloaded_for = None;
        if report.action.shows() {
            page.errors.clone_from(&report.errors);
            reloaded_for = page.reloaded_for.take();
            if let Ok(id) = EventId::new(&report.id)
                && page.shows.as_ref().is_none_or(|shows| is_later(&id, shows))
            {
                page.shows = Some(id);
            }
        }
        Some(Heard {
            page: page.named(),
            reloaded_for,
        })
    }

    /// Whether a page with one of these paths is open.
    pub(super) fn is_at(&self, paths: &[String]) -> bool {
        self.pages.values().any(|page| paths.contains(&page.path))
    }

    fn leave(&mut self, name: &str, n: u64) {
        match self.pages.get(name) {
            // An older report, or one of the page that is about to be replaced.
            Some(page) if page.n > n || matches!(page.state, State::Reloading { .. }) => {}
            _ => {
                self.pages.remove(name);
                self.remember_left(name.to_owned(), n);
            }
        }
    }

    fn remember_left(&mut self, name: String, n: u64) {
        self.left.push_back((name, n));
        if self.left.len() > MAX_LEFT {
            self.left.pop_front();
        }
    }

    /// A page that was not known.
    fn enter(&mut self, report: &PageReport) {
        let before = self.before(report);
        let replaced = before.and_then(|name| {
            let page = self.pages.remove(&name)?;
            self.remember_left(name, u64::MAX);
            Some(page)
        });
        if self.pages.len() >= MAX_PAGES {
            let silent = self.pages.iter().min_by_key(|(_, page)| page.heard);
            if let Some(silent) = silent.map(|(name, _)| name.clone()) {
                self.pages.remove(&silent);
            }
        }
        let number = replaced.as_ref().map_or_else(
            || {
                self.numbered += 1;
                self.numbered
            },
            |page| page.number,
        );
        let page = OpenPage {
            number,
            path: report.at.clone(),
            state: State::Open,
            n: report.n,
            heard: self.n_heard,
            shows: None,
            reloaded_for: match replaced.map(|page| (page.state, page.reloaded_for)) {
                Some((State::Reloading { id }, _)) => Some(id),
                Some((_, reloaded_for)) => reloaded_for,
                None => None,
            },
            errors: Vec::new(),
            would: None,
            is_mute: report.mute,
            called: None,
            is_busy: false,
        };
        self.pages.insert(report.page.clone(), page);
    }

    /// The page that this one takes the place of. It does not know its name where it may not store anything.
    fn before(&self, report: &PageReport) -> Option<String> {
        if self.pages.contains_key(&report.was) {
            return Some(report.was.clone());
        }
        let reloading = |page: &OpenPage| {
            matches!(page.state, State::Reloading { .. }) && page.path == report.at
        };
        let mut pages = self.pages.iter();
        let found = pages.find(|(_, page)| reloading(page));
        found.map(|(name, _)| name.clone())
    }

    /// The pages that have not answered a roll call yet.
    pub(super) fn unanswered(&self, call: &EventId) -> Vec<(PageName, Unanswered)> {
        let missing = self.pages.values().filter(|page| !page.has_answered(call));
        let mut missing: Vec<_> = missing
            .map(|page| {
                let why = match page.state {
                    State::Reloading { .. } => Unanswered::Reloading,
                    State::Frozen => Unanswered::Frozen,
                    State::Held => Unanswered::Held,
                    State::Open if page.is_busy => Unanswered::Busy,
                    State::Open => Unanswered::Silent,
                };
                (page.named(), why)
            })
            .collect();
        missing.sort_by_key(|(page, _)| page.number);
        missing
    }

    /// Begins a roll call: who is busy has to say so again.
    pub(super) fn called(&mut self, now: Instant) {
        for page in self.pages.values_mut() {
            page.is_busy = false;
            page.called.get_or_insert(now);
        }
    }

    /// Forgets the pages of which nothing is heard and that cannot say that they leave: they have left.
    pub(super) fn forget_closed(&mut self, now: Instant) {
        self.pages.retain(|_, page| {
            let is_silent = |called| now.saturating_duration_since(called) >= SILENCE;
            let is_open = matches!(page.state, State::Open);
            !(page.is_mute && is_open && page.called.is_some_and(is_silent))
        });
    }

    /// Forgets the pages that cannot be there any more. They were told of as unanswered; if one is heard of
    /// again, it is known again.
    pub(super) fn forget_lost(&mut self, call: &EventId, now: Instant) {
        self.pages.retain(|_, page| {
            let limit = match page.state {
                State::Reloading { .. } => RELOAD,
                State::Open | State::Frozen | State::Held => SILENCE,
            };
            let silence = page
                .called
                .map(|called| now.saturating_duration_since(called));
            page.has_answered(call) || silence.is_none_or(|silence| silence < limit)
        });
    }

    /// What each page would do about the change that an event asks about; nothing where it has not answered.
    pub(super) fn answers(&self, asked: &EventId) -> Vec<(PageName, Option<Would>)> {
        let answers = self.pages.values().map(|page| {
            let answer = page.would.as_ref();
            let answer = answer.filter(|(id, _)| id == asked.as_str());
            (page.named(), answer.map(|(_, would)| would.clone()))
        });
        let mut answers: Vec<_> = answers.collect();
        answers.sort_by_key(|(page, _)| page.number);
        answers
    }

    pub(super) fn len(&self) -> usize {
        self.pages.len()
    }

    /// The errors of all pages.
    pub(super) fn errors(&self) -> Vec<(PageName, Vec<String>)> {
        let pages = self.pages.values().filter(|page| !page.errors.is_empty());
        let mut errors: Vec<_> = pages
            .map(|page| (page.named(), page.errors.clone()))
            .collect();
        errors.sort_by_key(|(page, _)| page.number);
        errors
    }
}

impl OpenPage {
    fn named(&self) -> PageName {
        PageName {
            number: self.number,
            path: self.path.clone(),
        }
    }

    fn has_answered(&self, call: &EventId) -> bool {
        let shows = self.shows.as_ref();
        matches!(self.state, State::Open)
            && shows.is_some_and(|shows| shows == call || is_later(shows, call))
    }
}

/// Whether an event is later than another one. One of another run of the server is never later.
fn is_later(one: &EventId, other: &EventId) -> bool {
    match (one.minted(), other.minted()) {
        (Some((epoch, seq)), Some((other_epoch, other_seq))) => {
            epoch == other_epoch && seq > other_seq
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
