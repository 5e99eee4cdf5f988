//! While the backend does not answer: what is shown instead, and how pages learn that it is back.
//!
//! A backend that somebody else runs does not say when it is there again. So it is asked, as long as there is
//! a page that waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use tidings::reload::{
    PROBLEM_HEADER, PageKind, Problem, ProblemKind, Reloader, is_navigation, problem_page,
};

use super::super::answers::plain;
use super::super::passing::Passing;
use crate::files;
use crate::report::Console;
use crate::upstream::{Error, ErrorKind, Target, Upstream};

/// How often the backend is asked at first, and later.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// How long it is asked without an open page: a page that was just served may still open its stream.
const WITHOUT_PAGES: Duration = Duration::from_secs(10);

pub(super) struct Outage {
    upstream: Arc<Upstream>,
    reloader: Arc<Reloader>,
    console: Arc<Console>,
    /// The backend did not answer the last time.
    is_down: AtomicBool,
    /// A task asks whether it is back.
    is_asking: AtomicBool,
}

impl Outage {
    pub(super) fn new(
        upstream: Arc<Upstream>,
        reloader: Arc<Reloader>,
        console: Arc<Console>,
    ) -> Outage {
        Outage {
            upstream,
            reloader,
            console,
            is_down: AtomicBool::new(false),
            is_asking: AtomicBool::new(false),
        }
    }

    /// Tells a page whether it may reload. The backend is asked only after it has not answered.
    pub(super) async fn ready(&self) -> Response<files::Body> {
        if !self.is_down.load(Ordering::Relaxed) || self.upstream.is_listening().await {
            return plain(StatusCode::NO_CONTENT, "");
        }
        let mut response = plain(StatusCode::BAD_GATEWAY, "the backend does not answer\n");
        set_problem(&mut response, ProblemKind::BackendUnreachable);
        response
    }

    /// The backend has answered a request.
    pub(super) fn is_over(&self) {
        if self.is_down.load(Ordering::Relaxed) && self.is_down.swap(false, Ordering::AcqRel) {
            // An error means that the hub is closed: the process is about to exit.
            let _ = self.reloader.restarted();
        }
    }

    pub(super) fn has_failed(self: &Arc<Outage>, error: &Error) {
        if error.kind != ErrorKind::Unreachable {
            return;
        }
        if !self.is_down.swap(true, Ordering::AcqRel) {
            let target = self.upstream.target();
            let problem = problem(target, error);
            self.console.warn(problem.title(), Some(&hint(target)));
            let _ = self.reloader.set_problem(Some(problem));
        }
        if !self.is_asking.swap(true, Ordering::AcqRel) {
            tokio::spawn(Arc::clone(self).ask());
        }
    }

    /// Asks until the backend is back or nobody waits for it.
    async fn ask(self: Arc<Outage>) {
        let mut pause = FIRST_PAUSE;
        let mut nobody_since = Instant::now();
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LAST_PAUSE);
            if self.reloader.hub().stats().open > 0 {
                nobody_since = Instant::now();
            }
            let is_over = !self.is_down.load(Ordering::Acquire);
            if is_over || nobody_since.elapsed() > WITHOUT_PAGES {
                break;
            }
            if self.upstream.is_listening().await {
                self.is_over();
                break;
            }
        }
        self.is_asking.store(false, Ordering::Release);
    }
}

fn title(target: &Target, kind: ErrorKind) -> String {
    match kind {
        ErrorKind::Unreachable => format!("No answer from {target}"),
        ErrorKind::Certificate => format!("The certificate of {target} is not trusted"),
        ErrorKind::Closed => format!("{target} closed the connection without an answer"),
        ErrorKind::NotHttp => format!("The answer of {target} is not valid HTTP"),
        ErrorKind::Request => format!("The request could not be sent to {target}"),
    }
}

fn hint(target: &Target) -> String {
    match target.is_local() {
        true => "start the backend, or give another URL".to_owned(),
        false => "check the URL and the network".to_owned(),
    }
}

fn problem(target: &Target, error: &Error) -> Problem {
    let hint = match error.kind {
        ErrorKind::Unreachable => hint(target),
        ErrorKind::Certificate => "--insecure does not check it".to_owned(),
        ErrorKind::Closed => "its own output may say why".to_owned(),
        ErrorKind::NotHttp => "check the scheme and the port of the URL".to_owned(),
        ErrorKind::Request => String::new(),
    };
    let text = format!("{}\n\n{hint}\n", error.reason());
    Problem::new(
        ProblemKind::BackendUnreachable,
        &title(target, error.kind),
        text,
    )
}

/// Marks a response as one that is not the backend's.
fn set_problem(response: &mut Response<files::Body>, kind: ProblemKind) {
    response.headers_mut().insert(
        HeaderName::from_static(PROBLEM_HEADER),
        HeaderValue::from_static(kind.as_str()),
    );
}

/// The form in which who asks can read what has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Page,
    Json,
    Text,
}

impl Wanted {
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Wanted {
        // A page that answers a form cannot be asked for again by itself.
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        if is_read && is_navigation(method, headers) {
            return Wanted::Page;
        }
        let mut accepted = headers.get_all(ACCEPT).iter();
        let is_json = |value: &HeaderValue| {
            value
                .to_str()
                .is_ok_and(|value| value.contains("/json") || value.contains("+json"))
        };
        match accepted.any(is_json) {
            true => Wanted::Json,
            false => Wanted::Text,
        }
    }

    /// The answer in place of the backend's: 502 (RFC 9110 15.6.3).
    pub(super) fn page(
        self,
        target: &Target,
        error: &Error,
        passing: &Passing,
    ) -> Response<files::Body> {
        let problem = problem(target, error);
        let (content_type, text) = match self {
            Wanted::Page => {
                let state = passing.reloader.page_state();
                let script = passing.script(&state, PageKind::Waiting).to_string();
                ("text/html; charset=utf-8", problem_page(&problem, &script))
            }
            Wanted::Json => {
                let fields = serde_json::json!({
                    "error": problem.title(),
                    "reason": error.reason(),
                });
                ("application/json", format!("{fields}\n"))
            }
            Wanted::Text => (
                "text/plain; charset=utf-8",
                format!("{}: {}\n", problem.title(), error.reason()),
            ),
        };
        let mut response = plain(StatusCode::BAD_GATEWAY, text);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        set_problem(&mut response, problem.kind());
        response
    }
}
