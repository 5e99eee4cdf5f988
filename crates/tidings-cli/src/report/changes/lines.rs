//! The lines about a change.

use serde::Serialize;
use tidings::reload::PublishedChange;

use super::super::console::{Console, Message, Styles, printable};
use super::super::open_pages::PageName;

pub(super) enum Line {
    Saved(Saved),
    Pushed(Pushed),
    Applied(Applied),
    Change(ChangeLine),
}

/// The watcher has seen a save.
#[derive(Debug, Serialize)]
pub(super) struct Saved {
    pub(super) id: String,
    pub(super) timestamp: u64,
    pub(super) changes: Vec<PublishedChange>,
}

/// It was sent to the pages.
#[derive(Debug, Serialize)]
pub(super) struct Pushed {
    pub(super) id: String,
    pub(super) streams: u64,
    /// Since the save.
    pub(super) ms: u64,
}

/// A page shows it.
#[derive(Debug, Serialize)]
pub(super) struct Applied {
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) page: PageName,
    pub(super) did: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    /// Since the save.
    pub(super) ms: u64,
    /// Since the save, where it is on the screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) painted_ms: Option<u64>,
}

/// All that is to be said of a change.
#[derive(Debug, Serialize)]
pub(super) struct ChangeLine {
    pub(super) id: String,
    pub(super) timestamp: u64,
    pub(super) changes: Vec<PublishedChange>,
    /// Pages that show the change.
    pub(super) pages: usize,
    /// How many of them did not have to reload.
    pub(super) swapped: usize,
    pub(super) patched: usize,
    pub(super) reloaded: usize,
    /// Streams that were open; with none, no page can report.
    pub(super) streams: u64,
    /// Time from the save until the last page had done it.
    pub(super) ms: Option<u64>,
    /// Time from the save until it was on the last screen; none where no page is visible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) painted_ms: Option<u64>,
    /// Why a page did not do less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

impl Line {
    pub(super) fn print(&self, console: &Console) {
        match self {
            Line::Saved(saved) => console.detail("saved", saved),
            Line::Pushed(pushed) => console.detail("pushed", pushed),
            Line::Applied(applied) => console.detail("applied", applied),
            Line::Change(change) => console.event("change", change),
        }
    }
}

/// Only programs are told of these.
macro_rules! for_programs {
    ($($line:ty),*) => {
        $(impl Message for $line {
            fn text(&self, _: Styles) -> String {
                String::new()
            }
        })*
    };
}

for_programs!(Saved, Pushed, Applied);

impl ChangeLine {
    pub(super) fn new(
        id: String,
        timestamp: u64,
        changes: Vec<PublishedChange>,
        streams: u64,
    ) -> ChangeLine {
        ChangeLine {
            id,
            timestamp,
            changes,
            pages: 0,
            swapped: 0,
            patched: 0,
            reloaded: 0,
            streams,
            ms: None,
            painted_ms: None,
            reason: None,
        }
    }

    fn files(&self) -> String {
        let name = |path: &str| match path {
            "/" => "the folder".to_owned(),
            path => printable(path.trim_start_matches('/')).into_owned(),
        };
        match self.changes.as_slice() {
            [] => "everything".to_owned(),
            [one] => name(&one.path),
            [one, other] => format!("{}, {}", name(&one.path), name(&other.path)),
            [one, rest @ ..] => format!("{} and {} more", name(&one.path), rest.len()),
        }
    }

    /// How many pages, and what they did: `2 pages`, `1 page reloaded (why)`, `3 pages (1 patched, 1 reloaded)`.
    fn pages(&self) -> String {
        let pages = match self.pages {
            1 => "1 page".to_owned(),
            pages => format!("{pages} pages"),
        };
        let mut done = Vec::new();
        for (count, what) in [(self.patched, "patched"), (self.reloaded, "reloaded")] {
            if count == self.pages {
                done = vec![what.to_owned()];
            } else if count > 0 {
                done.push(format!("{count} {what}"));
            }
        }
        let all_alike = self.patched == self.pages || self.reloaded == self.pages;
        let reason = self.reason.as_deref().map(printable);
        match (all_alike, reason) {
            (true, None) => format!("{pages} {}", done.concat()),
            (true, Some(reason)) => format!("{pages} {} ({reason})", done.concat()),
            (false, None) if done.is_empty() => pages,
            (false, None) => format!("{pages} ({})", done.join(", ")),
            (false, Some(reason)) if done.is_empty() => format!("{pages} ({reason})"),
            (false, Some(reason)) => format!("{pages} ({}: {reason})", done.join(", ")),
        }
    }
}

impl Message for ChangeLine {
    fn text(&self, styles: Styles) -> String {
        let pages = match (self.pages, self.streams) {
            (0, 0) => "no page is open".to_owned(),
            (0, _) => "no open page uses it".to_owned(),
            _ => match (self.painted_ms, self.ms) {
                (Some(painted), _) => format!("{}, saved -> painted {painted} ms", self.pages()),
                (None, ms) => format!("{}, {} ms", self.pages(), ms.unwrap_or(0)),
            },
        };
        format!(
            "{} {}",
            styles.bold(&self.files()),
            styles.dim(&format!("-> {pages}"))
        )
    }
}
