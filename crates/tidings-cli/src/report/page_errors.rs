//! The errors of pages: what their scripts throw, what they cannot load, what they say in the console.
//!
//! What must stay true: a page can send anything, so lines are bounded in length and in number, and nothing in
//! them moves the cursor of a terminal.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::console::{Console, Message, Styles, printable};

/// The largest message of a page, in bytes.
pub(crate) const PAGE_ERRORS_LIMIT: usize = 64 * 1024;

/// The most errors that are taken from one message.
const MAX_ERRORS: usize = 20;

/// The most lines of one error's text.
const MAX_LINES: usize = 6;

/// The most characters of one of these lines.
const MAX_LINE_CHARS: usize = 400;

/// How many errors are printed at once, and how long it takes until there may be another one.
const BURST: u32 = 40;
const INTERVAL: Duration = Duration::from_millis(250);

/// What a page sends.
#[derive(Debug, Deserialize)]
pub(crate) struct PageErrors {
    /// The random id of the page.
    page: String,
    /// Its path.
    path: String,
    errors: Vec<Sent>,
    /// How many it has left out.
    #[serde(default)]
    more: u64,
}

#[derive(Debug, Deserialize)]
struct Sent {
    kind: Kind,
    text: String,
    #[serde(default)]
    file: String,
    #[serde(default)]
    line: u32,
    #[serde(default)]
    column: u32,
    #[serde(default)]
    frames: Vec<String>,
    #[serde(default)]
    times: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// Thrown, and not caught.
    Error,
    /// A promise that was rejected, and nobody has looked.
    Rejection,
    /// Something that did not load.
    Load,
    /// Something that the page's own policy forbids.
    Policy,
    ConsoleError,
    ConsoleWarn,
}

/// Prints the errors of pages.
pub(crate) struct PageErrorReporter {
    console: Arc<Console>,
    // Held for a calculation.
    budget: Mutex<Budget>,
}

/// How many lines may be printed.
#[derive(Debug)]
struct Budget {
    left: u32,
    since: Instant,
    n_left_out: u64,
}

impl Budget {
    fn new(now: Instant) -> Budget {
        Budget {
            left: BURST,
            since: now,
            n_left_out: 0,
        }
    }

    /// Whether another line may be printed, and how many were not before it.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let passed = now.saturating_duration_since(self.since);
        let earned = u32::try_from(passed.as_millis() / INTERVAL.as_millis()).unwrap_or(BURST);
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(BURST);
            self.since = now;
        }
        if self.left == 0 {
            self.n_left_out += 1;
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.n_left_out))
    }
}

impl PageErrorReporter {
    pub(crate) fn new(console: &Arc<Console>) -> PageErrorReporter {
        PageErrorReporter {
            console: Arc::clone(console),
            budget: Mutex::new(Budget::new(Instant::now())),
        }
    }

    /// Prints what a page has sent.
    pub(crate) fn report(&self, sent: PageErrors) {
        let PageErrors {
            page,
            path,
            mut errors,
            mut more,
        } = sent;
        more = more.saturating_add(errors.len().saturating_sub(MAX_ERRORS) as u64);
        errors.truncate(MAX_ERRORS);
        for error in errors {
            let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = budget.take(Instant::now());
            drop(budget);
            if let Some(n_left_out) = taken {
                let line = PageError::new(&page, &path, error, n_left_out);
                self.console.banner("page_error", &line);
            }
        }
        if more > 0 {
            let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
            budget.n_left_out = budget.n_left_out.saturating_add(more);
        }
    }
}

/// One line.
#[derive(Debug, Serialize)]
struct PageError {
    /// The random id of the page.
    page: String,
    path: String,
    kind: Kind,
    text: String,
    /// The file that it is in: a path below the server, or an address.
    #[serde(skip_serializing_if = "String::is_empty")]
    file: String,
    #[serde(skip_serializing_if = "is_zero")]
    line: u32,
    #[serde(skip_serializing_if = "is_zero")]
    column: u32,
    /// The calls that have led to it, the innermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    frames: Vec<String>,
    times: u64,
    /// How many errors before this one were not printed.
    #[serde(rename = "leftOut", skip_serializing_if = "is_zero")]
    n_left_out: u64,
}

fn is_zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}

impl PageError {
    fn new(page: &str, path: &str, sent: Sent, n_left_out: u64) -> PageError {
        let cut = |text: &str, max| text.chars().take(max).collect();
        let lines = sent.text.lines().take(MAX_LINES);
        let lines: Vec<String> = lines.map(|line| cut(line, MAX_LINE_CHARS)).collect();
        PageError {
            page: cut(page, 40),
            path: cut(path, MAX_LINE_CHARS),
            kind: sent.kind,
            text: lines.join("\n"),
            file: cut(&sent.file, MAX_LINE_CHARS),
            line: sent.line,
            column: sent.column,
            frames: sent
                .frames
                .into_iter()
                .take(10)
                .map(|frame| cut(&frame, MAX_LINE_CHARS))
                .collect(),
            times: sent.times.max(1),
            n_left_out,
        }
    }

    fn place(&self) -> Option<String> {
        let file = printable(self.file.trim_start_matches('/'));
        match (self.file.is_empty(), self.line, self.column) {
            (true, ..) => None,
            (_, 0, _) => Some(file.into_owned()),
            (_, line, 0) => Some(format!("{file}:{line}")),
            (_, line, column) => Some(format!("{file}:{line}:{column}")),
        }
    }
}

impl Message for PageError {
    fn text(&self, styles: Styles) -> String {
        let page = match self.path.trim_start_matches('/') {
            "" => "/".to_owned(),
            path => printable(path).into_owned(),
        };
        let what = match self.kind {
            Kind::Error => "uncaught ",
            Kind::Rejection => "unhandled rejection: ",
            Kind::Load => "",
            Kind::Policy => "",
            Kind::ConsoleError => "console.error: ",
            Kind::ConsoleWarn => "console.warn: ",
        };
        let mut lines = self.text.lines().map(printable);
        let mut text = format!(
            "{} {what}{}",
            styles.bold(&format!("{page}:")),
            lines.next().unwrap_or_default()
        );
        if let Some(place) = self.place() {
            text.push_str(&styles.dim(&format!(" ({place})")));
        }
        if self.times > 1 {
            text.push_str(&styles.dim(&format!(" ({} times)", self.times)));
        }
        for line in lines {
            text.push_str("\n    ");
            text.push_str(&line);
        }
        if self.n_left_out > 0 {
            let note = format!(
                "({} more errors of pages before this were not printed)",
                self.n_left_out
            );
            text.push('\n');
            text.push_str(&styles.dim(&note));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let sent: Sent = serde_json::from_str(json).unwrap();
        let error = PageError::new("id", "/index.html", sent, 0);
        assert_eq!(error.text(Styles::for_tests(false)), expected);
    }

    #[test]
    fn a_line_says_where_what_and_how_often() {
        check(
            r#"{"kind":"error","text":"TypeError: x is not a function","file":"/js/a.js","line":3,"column":5,"times":1}"#,
            "index.html: uncaught TypeError: x is not a function (js/a.js:3:5)",
        );
        check(
            r#"{"kind":"rejection","text":"Error: no","times":12}"#,
            "index.html: unhandled rejection: Error: no (12 times)",
        );
        check(
            r#"{"kind":"load","text":"<img> did not load: /x.png (404)","file":""}"#,
            "index.html: <img> did not load: /x.png (404)",
        );
        check(
            r#"{"kind":"console_warn","text":"one\ntwo","file":"http://cdn.test/a.js","line":1}"#,
            "index.html: console.warn: one (http://cdn.test/a.js:1)\n    two",
        );
    }

    #[test]
    fn nothing_of_a_page_moves_the_cursor_or_fills_the_screen() {
        check(
            r#"{"kind":"console_error","text":"a\u001b[2J\rb\u0007","file":"/\u001b]0;x"}"#,
            "index.html: console.error: a\\u{1b}[2J\\rb\\u{7} (\\u{1b}]0;x)",
        );
        let long = serde_json::json!({"kind": "error", "text": "x\n".repeat(10_000) + &"y".repeat(10_000)});
        let error = PageError::new("", "", serde_json::from_value(long).unwrap(), 0);
        assert_eq!(
            error.text(Styles::for_tests(false)).lines().count(),
            MAX_LINES
        );
    }

    #[test]
    fn a_page_that_fails_all_the_time_does_not_hide_the_rest() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let n_printed = (0..1000).filter(|_| budget.take(start).is_some()).count();
        assert_eq!(n_printed, BURST as usize);
        assert_eq!(budget.take(start + INTERVAL / 2), None);
        let rest = 1000 - u64::from(BURST) + 1;
        assert_eq!(budget.take(start + INTERVAL), Some(rest));
        assert_eq!(budget.take(start + INTERVAL), None);
        assert_eq!(budget.take(start + INTERVAL * 1000), Some(1));
        assert_eq!(budget.take(start + INTERVAL * 1000), Some(0));
    }
}
