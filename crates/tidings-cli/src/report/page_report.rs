//! What pages report: `POST /@tidings/seen`.

use serde::Deserialize;

/// The longest path of a page that is kept, in bytes.
const MAX_PATH: usize = 512;

/// The longest name of a page. Pages choose their names themselves.
const MAX_NAME: usize = 64;

/// The longest id of an event.
const MAX_ID: usize = 128;

/// At most this many errors of a page are kept, each of at most this many bytes.
const MAX_ERRORS: usize = 20;
const MAX_ERROR: usize = 2048;

/// One report.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PageReport {
    /// The id of the event that it is about; empty if it is about none.
    #[serde(default)]
    pub(super) id: String,
    /// Which page it is from; empty for somebody that is not our script.
    #[serde(default)]
    pub(super) page: String,
    /// How many reports of this page there were before: one may overtake another.
    #[serde(default)]
    pub(super) n: u64,
    /// The page's path, percent-encoded.
    #[serde(default)]
    pub(super) at: String,
    #[serde(rename = "did")]
    pub(super) action: Action,
    /// What it would do, where that was asked.
    #[serde(default)]
    pub(super) would: String,
    /// Why it did that and not less.
    #[serde(default)]
    pub(super) why: String,
    /// Whether what it did is on the screen.
    #[serde(default)]
    pub(super) painted: bool,
    /// Milliseconds from when it was done to this report.
    #[serde(default)]
    pub(super) took: u64,
    /// The page that it takes the place of, because that was reloaded.
    #[serde(default)]
    pub(super) was: String,
    /// Whether it may not be able to say that it leaves, because of a policy in its document.
    #[serde(default)]
    pub(super) mute: bool,
    /// Its errors since the last change.
    #[serde(default)]
    pub(super) errors: Vec<String>,
}

/// What a page has done, or what has become of it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    /// It has been opened, or connects again.
    Open,
    Leave,
    /// The browser has frozen it.
    Freeze,
    /// It is there, but perhaps busy: its worker says so.
    Here,
    Style,
    Image,
    Media,
    Patch,
    Reload,
    /// It is to reload, and waits for a backend that is not there.
    Held,
    /// It shows everything up to the event, without having done anything about that.
    None,
    /// It says what it would do about a change.
    Would,
    #[serde(other)]
    Other,
}

impl Action {
    /// Whether the page shows the event.
    pub(super) fn shows(self) -> bool {
        !matches!(
            self,
            Action::Open
                | Action::Leave
                | Action::Freeze
                | Action::Here
                | Action::Reload
                | Action::Held
                | Action::Would
        )
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Action::Open => "open",
            Action::Leave => "leave",
            Action::Freeze => "freeze",
            Action::Here => "here",
            Action::Style => "style",
            Action::Image => "image",
            Action::Media => "media",
            Action::Patch => "patch",
            Action::Reload => "reload",
            Action::Held => "held",
            Action::None => "none",
            Action::Would => "would",
            Action::Other => "other",
        }
    }
}

impl PageReport {
    /// The report, if it can be one of a page.
    pub(crate) fn parse(json: &[u8]) -> Option<PageReport> {
        let mut report: PageReport = serde_json::from_slice(json).ok()?;
        let names = [&report.page, &report.was];
        if names.iter().any(|name| name.len() > MAX_NAME) || report.id.len() > MAX_ID {
            return None;
        }
        truncate(&mut report.at, MAX_PATH);
        truncate(&mut report.why, MAX_PATH);
        truncate(&mut report.would, MAX_NAME);
        report.errors.truncate(MAX_ERRORS);
        for error in &mut report.errors {
            truncate(error, MAX_ERROR);
        }
        Some(report)
    }
}

fn truncate(text: &mut String, limit: usize) {
    let end = (0..=limit.min(text.len())).rev();
    let end = end.into_iter().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
}
