//! What local programs ask a running server: `POST /@tidings/wait` and `POST /@tidings/why`.
//!
//! ```text
//! wait: flush the watcher -> the backend is settled -> call the roll -> every page has answered -> answer
//! why:  the rules of the watcher -> ask the pages what they would do -> answer
//! ```
//!
//! What must stay true: both take the token. `wait` answers only after everything that was saved before the
//! request has been published.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tidings::reload::Reloader;
use tidings::watch::{self, Watcher};
use tokio::time::timeout_at;

use super::answers::{method_not_allowed, plain};
use super::explained::{Answer, Effect, Explained};
use super::server;
use super::token::Token;
use crate::files;
use crate::instances::exact_path;
use crate::report::{ChangeReporter, PageName, Unanswered};

/// The server's own prefix, and their names below it.
pub(super) const PREFIX: &str = "/@tidings/";
pub(super) const WAIT: &str = "wait";
pub(super) const WHY: &str = "why";

/// The longest timeout, which is the longest of `--timeout`: sums with points in time must not overflow.
const MAX_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long pages have to say what they would do.
const ASK: Duration = Duration::from_millis(1500);

/// The largest question, in bytes.
const LIMIT: usize = 16 * 1024;

/// Pages that were open before a restart of the server are back within this time. Before that, nobody knows
/// how many there are.
const RETURN: Duration = Duration::from_millis(1500);

/// Somebody has a stream and no page is known yet: how long one takes to say that it is there.
const FIRST_PAGE: Duration = Duration::from_millis(500);

/// How often it is looked whether a pause has ended.
const RESUME_INTERVAL: Duration = Duration::from_millis(50);

/// Resolves when no build or start of a backend is under way.
pub(super) type Settled = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Answers them.
pub(super) struct Programs {
    pub(super) token: Token,
    pub(super) reloader: Arc<Reloader>,
    pub(super) reporter: Arc<ChangeReporter>,
    pub(super) watcher: Arc<OnceLock<Watcher>>,
    pub(super) settled: Settled,
    /// What a change of a path does that counts.
    pub(super) effect: Box<dyn Fn(&Path) -> Effect + Send + Sync>,
    pub(super) started: Instant,
}

#[derive(Debug, Deserialize)]
struct WaitQuestion {
    timeout_ms: u64,
}

#[derive(Debug, Deserialize)]
struct WhyQuestion {
    #[serde(deserialize_with = "exact_path::deserialize")]
    path: PathBuf,
}

/// What has become of a `wait`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Waited {
    /// How many pages are open.
    pub(super) pages: usize,
    /// Who did not answer in time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) unanswered: Vec<Silent>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) errors: Vec<Failed>,
    /// What is wrong with the backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<Problem>,
    /// What else was not done in time: the server itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) late: Option<Late>,
}

/// A page that did not answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Silent {
    #[serde(flatten)]
    pub(super) page: PageName,
    pub(super) why: Unanswered,
}

/// A page with errors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failed {
    #[serde(flatten)]
    pub(super) page: PageName,
    pub(super) errors: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Problem {
    /// `build_failed` and the like.
    pub(super) kind: String,
    pub(super) title: String,
    /// The file and line that it is most likely about, as it names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<String>,
    pub(super) text: String,
}

/// What the server was still doing.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Late {
    /// Looking at the files.
    Files,
    /// Building or starting the backend.
    Backend,
    /// Holding changes, because it is paused.
    Paused,
}

impl Programs {
    /// Answers a question, if this path is one. It has passed the guard.
    pub(super) async fn respond(&self, parts: &Parts, body: Incoming) -> Response<files::Body> {
        let path = parts.uri.path();
        let Some(name @ (WAIT | WHY)) = path.strip_prefix(PREFIX) else {
            return plain(StatusCode::NOT_FOUND, "not found\n");
        };
        if parts.method != Method::POST {
            return method_not_allowed("POST", "only POST\n");
        }
        if !self.token.is_in(&parts.headers) {
            let why = "the token is missing, or of another run of tidings\n";
            return plain(StatusCode::FORBIDDEN, why);
        }
        let Ok(body) = Limited::new(body, LIMIT).collect().await else {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "too large\n");
        };
        let body = body.to_bytes();
        let bad_request = |_| plain(StatusCode::BAD_REQUEST, "not a question\n");
        match name {
            WAIT => match serde_json::from_slice(&body) {
                Ok(WaitQuestion { timeout_ms }) => {
                    let timeout = Duration::from_millis(timeout_ms).min(MAX_WAIT);
                    json(&self.wait(timeout).await)
                }
                Err(error) => bad_request(error),
            },
            _ => match serde_json::from_slice(&body) {
                Ok(WhyQuestion { path }) => match self.why(&path).await {
                    Some(explained) => json(&explained),
                    None => plain(StatusCode::BAD_REQUEST, "not an absolute path\n"),
                },
                Err(error) => bad_request(error),
            },
        }
    }

    async fn why(&self, path: &Path) -> Option<Explained> {
        if !path.is_absolute() {
            return None;
        }
        let (watcher, asked) = (Arc::clone(&self.watcher), path.to_owned());
        // It looks at files of any file system.
        let explanation = tokio::task::spawn_blocking(move || match watcher.get() {
            Some(watcher) => watcher.explain(&asked),
            None => watch::explain(&watch::Options::new([""; 0]), &asked),
        });
        let mut explained = Explained::new(explanation.await.ok()?.ok()?);
        if !explained.counts {
            return Some(explained);
        }
        let effect = (self.effect)(&explained.path);
        explained.effect = Some(effect);
        if effect == Effect::Pages
            && let Ok(id) = self.reloader.ask_pages(&explained.path)
        {
            let deadline = Instant::now() + ASK;
            let answers = self.reporter.asked(&id, deadline).await;
            let answers = answers.into_iter().map(|(page, answer)| {
                let (action, why) = answer.unzip();
                let why = why.unwrap_or_default();
                Answer { page, action, why }
            });
            explained.pages = answers.collect();
        }
        Some(explained)
    }

    async fn wait(&self, timeout: Duration) -> Waited {
        let deadline = Instant::now() + timeout;
        let limit = deadline.into();
        if timeout_at(limit, self.flushed()).await.is_err() {
            return self.late(Late::Files);
        }
        if timeout_at(limit, (self.settled)()).await.is_err() {
            return self.late(Late::Backend);
        }
        if timeout_at(limit, self.resumed()).await.is_err() {
            return self.late(Late::Paused);
        }
        let returned = (self.started + RETURN).min(deadline);
        tokio::time::sleep_until(returned.into()).await;
        let (reloader, reporter) = (&self.reloader, &self.reporter);
        reporter.calls_roll();
        // An error means that the hub is closed: the process is about to exit.
        let Ok(call) = reloader.call_roll() else {
            return self.late(Late::Files);
        };
        if reloader.hub().stats().open > 0 {
            let limit = deadline.min(Instant::now() + FIRST_PAGE);
            reporter.knows_a_page(limit).await;
        }
        reporter.answered_or_held(&call, deadline).await;
        let mut problem = self.problem();
        if problem.is_none() {
            // A backend that somebody else runs may be back any moment.
            reporter.answered(&call, deadline).await;
            problem = self.problem();
        }
        let roll = reporter.roll(&call);
        // Pages that wait for a backend wait until its problem is mended.
        let silent = roll.unanswered.into_iter();
        let silent = silent.filter(|(_, why)| *why != Unanswered::Held || problem.is_none());
        let errors = roll.errors.into_iter();
        Waited {
            pages: roll.n_pages,
            unanswered: silent.map(|(page, why)| Silent { page, why }).collect(),
            errors: errors
                .map(|(page, errors)| Failed { page, errors })
                .collect(),
            problem,
            late: None,
        }
    }

    /// Waits until everything has been published that was saved by now.
    async fn flushed(&self) {
        if let Some(watcher) = self.watcher.get() {
            server::flushed(watcher).await;
        }
    }

    /// Waits until no change is held by a pause.
    async fn resumed(&self) {
        while self.reloader.paused().is_some_and(|held| held > 0) {
            tokio::time::sleep(RESUME_INTERVAL).await;
        }
    }

    fn late(&self, what: Late) -> Waited {
        Waited {
            pages: self.reporter.n_pages(),
            problem: self.problem(),
            late: Some(what),
            ..Waited::default()
        }
    }

    fn problem(&self) -> Option<Problem> {
        let state = self.reloader.page_state();
        state.problem().map(|problem| Problem {
            kind: problem.kind().as_str().to_owned(),
            title: problem.title().to_owned(),
            place: problem.place().map(|place| place.to_string()),
            text: problem.plain_text(),
        })
    }
}

fn json(answer: &impl Serialize) -> Response<files::Body> {
    match serde_json::to_string(answer) {
        Ok(text) => {
            let mut response = plain(StatusCode::OK, text);
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "no answer\n"),
    }
}
