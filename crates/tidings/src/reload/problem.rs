//! [`Problem`]: why the pages cannot be what their source says: a build that failed, a backend that is
//! not there. Open pages show it over what they have; where there is no page, [`problem_page`] is one.
//!
//! What must stay true: the text is bounded, and comes from any program. So it is taken apart here,
//! once, into runs of plain text with a style (`problem/runs.rs`); pages only ever insert text.

mod excerpt;
mod files;
mod page;
mod runs;

use std::fmt::Write;

use serde::Serialize;

use runs::Run;

pub use excerpt::Excerpt;
pub use files::Place;
pub use page::problem_page;

/// The header of every answer that stands in for the backend's, such as a [`problem_page`]. Its value is
/// the kind of the problem. A page asks before it reloads, and as long as the answer has this header it stays
/// as it is.
pub const PROBLEM_HEADER: &str = "tidings-problem";

/// The longest title, in characters.
const TITLE_CHARS: usize = 200;

/// What is wrong, in a way that a program can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// The command that builds the backend failed. The backend from before goes on, if there is one.
    BuildFailed,
    /// The backend ended by itself.
    BackendExited,
    /// The backend runs, and did not become ready within the time that it had.
    BackendNotReady,
    /// Nothing answers at the backend's address.
    BackendUnreachable,
}

impl ProblemKind {
    /// Its name in the stream and in [`PROBLEM_HEADER`].
    pub fn as_str(self) -> &'static str {
        match self {
            ProblemKind::BuildFailed => "build_failed",
            ProblemKind::BackendExited => "backend_exited",
            ProblemKind::BackendNotReady => "backend_not_ready",
            ProblemKind::BackendUnreachable => "backend_unreachable",
        }
    }
}

/// A problem that pages show until it is mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    kind: ProblemKind,
    title: String,
    text: Vec<Run>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excerpt: Option<Excerpt>,
}

impl Problem {
    /// The most that is kept of a text, with what describes its styles. The end is kept.
    pub const MAX_TEXT_BYTES: usize = 64 * 1024;

    /// A problem with a title of one line, and what the programs concerned have written. That may hold
    /// anything: colours and styles are kept (ECMA-48 SGR), lines are written over as in a terminal, other
    /// control sequences are removed.
    ///
    /// ```
    /// use tidings::reload::{Problem, ProblemKind};
    ///
    /// let output = b"\x1b[1;31merror\x1b[0m: expected `;`\n --> src/main.rs:2:14\n";
    /// let problem = Problem::new(ProblemKind::BuildFailed, "The build failed", output);
    /// assert!(problem.plain_text().starts_with("error: expected"));
    /// ```
    pub fn new(kind: ProblemKind, title: &str, text: impl AsRef<[u8]>) -> Problem {
        let title = title.chars().map(|c| if c.is_control() { ' ' } else { c });
        Problem {
            kind,
            title: title.take(TITLE_CHARS).collect(),
            text: runs::parse(text.as_ref(), Problem::MAX_TEXT_BYTES),
            excerpt: None,
        }
    }

    /// Also shows these lines of a file, unless the text has them already.
    #[must_use]
    pub fn with_excerpt(self, excerpt: Excerpt) -> Problem {
        let excerpt = (!excerpt.is_in(&self.plain_text())).then_some(excerpt);
        Problem { excerpt, ..self }
    }

    /// The places in files that the text names, those first that it is most likely about: what a compiler finds
    /// first, and where a program has ended.
    ///
    /// ```
    /// # use tidings::reload::{Problem, ProblemKind};
    /// let output = "Traceback (most recent call last):\n  File \"/srv/a.py\", line 3, in <module>\n  File \"/srv/b.py\", line 7, in f\n";
    /// let problem = Problem::new(ProblemKind::BackendExited, "It ended", output);
    /// assert_eq!(problem.places()[0].file, "/srv/b.py");
    /// ```
    pub fn places(&self) -> Vec<Place> {
        let text = self.plain_text();
        let lines: Vec<Vec<Place>> = text
            .lines()
            .map(|line| files::named(line).collect())
            .collect();
        if self.kind == ProblemKind::BuildFailed {
            return lines.into_iter().flatten().collect();
        }
        // A program may have printed anything before it ended. Traces name the innermost call first, but for
        // Python's.
        if text.contains("(most recent call last)") {
            return lines.into_iter().rev().flatten().collect();
        }
        let mut groups: Vec<Vec<Place>> = Vec::new();
        let mut since = usize::MAX;
        for places in lines {
            if places.is_empty() {
                since = since.saturating_add(1);
                continue;
            }
            match groups.last_mut() {
                Some(group) if since <= 2 => group.extend(places),
                _ => groups.push(places),
            }
            since = 0;
        }
        groups.into_iter().rev().flatten().collect()
    }

    /// The place in a file that it is most likely about: that of its excerpt, or else the first of
    /// [`places`](Self::places).
    pub fn place(&self) -> Option<Place> {
        let excerpt = self.excerpt.as_ref().map(Excerpt::place);
        excerpt.or_else(|| self.places().into_iter().next())
    }

    /// What kind of problem it is.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// Its title, of one line.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Its text, without styles.
    pub fn plain_text(&self) -> String {
        self.text.iter().map(Run::text).collect()
    }
}

/// A problem as pages know it. Another one has another id, also in another run of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PublishedProblem {
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) problem: Problem,
}

/// Escapes a text for an attribute value in double quotes and for the content of an element, in ASCII, so
/// that the page's encoding does not matter.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("&quot;"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            ' '..='~' | '\n' | '\t' => escaped.push(c),
            // Writing to a `String` cannot fail.
            _ => _ = write!(escaped, "&#x{:x};", c as u32),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
