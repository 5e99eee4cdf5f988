//! `tidings wait`: returns when every open page shows what was saved before.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tidings::reload::ProblemKind;

use super::ask;
use super::programs::{self, Late, Problem, Waited};
use crate::report::{Console, HintedError, Message, PageName, Styles, Unanswered, printable};
use crate::upstream::Target;

/// A page has errors, or the backend has.
const HAS_ERRORS: u8 = 1;
/// There is no server that answers.
const NO_SERVER: u8 = 2;
/// The time is over.
const TIME_IS_OVER: u8 = 3;

/// How many lines of a problem are printed. With `--json` all of them are.
const PROBLEM_LINES: usize = 20;

#[derive(Serialize)]
struct Question {
    timeout_ms: u64,
}

#[derive(Serialize)]
struct Outcome {
    #[serde(flatten)]
    waited: Waited,
    #[serde(skip)]
    timeout: Duration,
}

/// Waits, says what has become of it, and returns the exit code for that.
pub(crate) fn run(url: Option<&Target>, timeout: Duration, console: &Arc<Console>) -> ExitCode {
    let waited = match wait(url, timeout) {
        Ok(waited) => waited,
        Err(error) => {
            console.error(&error);
            return match error.is::<ask::TooLate>() {
                true => TIME_IS_OVER.into(),
                false => NO_SERVER.into(),
            };
        }
    };
    let code = match &waited {
        waited if waited.late.is_some() || !waited.unanswered.is_empty() => TIME_IS_OVER,
        waited if waited.problem.is_some() || !waited.errors.is_empty() => HAS_ERRORS,
        _ => 0,
    };
    console.banner("waited", &Outcome { waited, timeout });
    code.into()
}

fn wait(url: Option<&Target>, timeout: Duration) -> anyhow::Result<Waited> {
    let Some(instance) = ask::server_for(url)? else {
        let message = match url {
            Some(url) => format!("no server of yours runs at {url}"),
            None => "no server runs for this folder".to_owned(),
        };
        return Err(HintedError {
            message,
            hint: "start one with `tidings`, or say which one with --url".to_owned(),
        }
        .into());
    };
    let question = Question {
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
    };
    ask::ask(&instance, programs::WAIT, &question, timeout)
}

impl Message for Outcome {
    fn text(&self, _: Styles) -> String {
        let Outcome { waited, timeout } = self;
        let mut lines = Vec::new();
        if let Some(problem) = &waited.problem {
            lines.extend(told(problem));
        }
        for failed in &waited.errors {
            let errors = failed.errors.iter();
            lines.extend(
                errors.map(|error| format!("{}: {}", named(&failed.page), indented(error))),
            );
        }
        let time = format!("after {} s", timeout.as_secs_f64());
        match waited.late {
            Some(Late::Files) => lines.push(format!("{time} the files are still being looked at")),
            Some(Late::Backend) => {
                lines.push(format!(
                    "{time} the backend is still being built or started"
                ));
            }
            Some(Late::Paused) => lines.push(format!("{time} changes are still held by a pause")),
            None => {}
        }
        for silent in &waited.unanswered {
            let why = match silent.why {
                Unanswered::Busy => "it is busy, still loading, or stopped at a breakpoint",
                Unanswered::Reloading => "it reloads, and is not back yet",
                Unanswered::Held => "it is to reload, and waits for the backend",
                Unanswered::Frozen => "the browser has frozen it in the background",
                Unanswered::Silent => {
                    "nothing is heard of it: it may have crashed, or been closed without a word"
                }
            };
            lines.push(format!(
                "{} did not answer {time}: {why}",
                named(&silent.page)
            ));
        }
        if lines.is_empty() {
            lines.push(match waited.pages {
                0 => "no page is open".to_owned(),
                1 => "1 page shows the newest change".to_owned(),
                pages => format!("{pages} pages show the newest change"),
            });
        }
        lines.join("\n")
    }
}

/// The title, with the place, and the lines that say most: a compiler's first, and the last that a program wrote
/// before it ended.
fn told(problem: &Problem) -> Vec<String> {
    let title = printable(&problem.title);
    let title = match &problem.place {
        Some(place) => format!("{title} ({})", printable(place)),
        None => title.into_owned(),
    };
    let text: Vec<_> = problem.text.trim_end().lines().collect();
    let more = text.len().saturating_sub(PROBLEM_LINES);
    let (is_start, shown) = match problem.kind == ProblemKind::BuildFailed.as_str() {
        true => (true, &text[..text.len() - more]),
        false => (false, &text[more..]),
    };
    let shown = shown.iter().map(|line| format!("  {}", printable(line)));
    let left_out = (more > 0).then(|| format!("  ({more} more lines)"));
    let (before, after) = match is_start {
        true => (None, left_out),
        false => (left_out, None),
    };
    let lines = [title].into_iter().chain(before);
    lines.chain(shown).chain(after).collect()
}

fn named(page: &PageName) -> String {
    format!("page {} ({})", page.number, printable(&page.path))
}

/// Lines after the first one stand below it.
fn indented(error: &str) -> String {
    let lines: Vec<_> = error.lines().map(printable).collect();
    lines.join("\n    ")
}
