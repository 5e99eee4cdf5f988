//! `tidings why`: whether a change of a file counts, which rule says so, and what open pages would do.
//!
//! A running server is asked, because its flags count. Without one, the watcher's rules are asked here, with the
//! settings that `tidings` alone would have.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tidings::watch::{self, Options};

use super::explained::{Effect, Explained, relative};
use super::{ask, programs};
use crate::instances::exact_path;
use crate::report::{Console, HintedError, Message, Styles, printable};
use crate::upstream::Target;

/// How long the pages have to say what they would do.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A change of it does not count.
const DOES_NOT_COUNT: u8 = 1;
/// It cannot be told whether it counts.
const UNKNOWN: u8 = 2;

#[derive(Serialize)]
struct Question<'a> {
    #[serde(serialize_with = "exact_path::serialize")]
    path: &'a Path,
}

#[derive(Serialize)]
struct Outcome {
    #[serde(flatten)]
    explained: Explained,
    /// The server that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(skip)]
    here: PathBuf,
}

/// Tells it, and returns the exit code for that. `alone`: what `tidings` alone would watch here; `None` if that is
/// nothing.
pub(crate) fn run(
    path: &Path,
    url: Option<&Target>,
    alone: impl FnOnce() -> anyhow::Result<Option<Options>>,
    console: &Arc<Console>,
) -> ExitCode {
    let outcome = match explain(path, url, alone) {
        Ok(outcome) => outcome,
        Err(error) => {
            console.error(&error);
            return UNKNOWN.into();
        }
    };
    console.banner("why", &outcome);
    match outcome.explained.counts {
        true => ExitCode::SUCCESS,
        false => DOES_NOT_COUNT.into(),
    }
}

fn explain(
    path: &Path,
    url: Option<&Target>,
    alone: impl FnOnce() -> anyhow::Result<Option<Options>>,
) -> anyhow::Result<Outcome> {
    let here = std::env::current_dir().unwrap_or_default();
    let path = std::path::absolute(path)?;
    let (explained, server) = match (ask::server_for(url)?, url) {
        (Some(instance), _) => {
            let question = Question { path: &path };
            let answer = ask::ask(&instance, programs::WHY, &question, TIMEOUT)?;
            (answer, Some(instance.url))
        }
        (None, Some(url)) => {
            return Err(HintedError {
                message: format!("no server of yours runs at {url}"),
                hint: "without --url the rules of this folder are told".to_owned(),
            }
            .into());
        }
        (None, None) => {
            let options = alone()?.unwrap_or_else(|| Options::new([""; 0]));
            (Explained::new(watch::explain(&options, &path)?), None)
        }
    };
    Ok(Outcome {
        explained,
        server,
        here,
    })
}

impl Message for Outcome {
    fn text(&self, styles: Styles) -> String {
        let Outcome {
            explained,
            server,
            here,
        } = self;
        let verdict = match explained.counts {
            true => "a change of it counts",
            false => "a change of it does not count",
        };
        let name = relative(&explained.path, here);
        let mut lines = vec![format!("{}: {verdict}", styles.bold(&name))];
        lines.extend(explained.rules(here));
        if !explained.counts {
            return lines.join("\n");
        }
        match (server, explained.effect) {
            (None, _) => lines.push("no server runs for this folder".to_owned()),
            (Some(_), Some(Effect::Restart)) => {
                lines.push("it restarts the backend, and then every page reloads".to_owned());
            }
            (Some(_), Some(Effect::Nothing)) => lines.push(
                "it restarts nothing: files that programs write are left out unless --restart names them"
                    .to_owned(),
            ),
            (Some(_), _) => lines.extend(self.pages()),
        }
        lines.join("\n")
    }
}

impl Outcome {
    fn pages(&self) -> Vec<String> {
        let pages = &self.explained.pages;
        let uses_it = |action: &Option<String>| action.as_deref() != Some("none");
        let mut lines = Vec::new();
        for answer in pages.iter().filter(|answer| uses_it(&answer.action)) {
            let action = match answer.action.as_deref() {
                None => "did not answer",
                Some("style" | "image" | "media") => "would swap it in place",
                Some("patch") => "would patch the page in place",
                Some("reload") => "would reload",
                Some(_) => "would show it",
            };
            let why = match answer.why.as_str() {
                "" => String::new(),
                why => format!(" ({})", printable(why)),
            };
            let path = printable(&answer.page.path);
            lines.push(format!(
                "page {} ({path}) {action}{why}",
                answer.page.number
            ));
        }
        match (pages.len() - lines.len(), pages.len()) {
            (_, 0) => lines.push("no page is open".to_owned()),
            (0, _) => {}
            (1, 1) => lines.push("the open page does not use it".to_owned()),
            (1, _) => lines.push("1 open page does not use it".to_owned()),
            (others, _) => lines.push(format!("{others} open pages do not use it")),
        }
        lines
    }
}
