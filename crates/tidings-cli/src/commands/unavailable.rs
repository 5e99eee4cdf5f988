//! What is answered in place of a backend that gives no response, in a form that who asks can read.

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use tidings::reload::{
    PROBLEM_HEADER, PageKind, Problem, ProblemKind, is_navigation, problem_page,
};

use super::answers::plain;
use super::passing::Passing;
use crate::files;
use crate::upstream::{Error, ErrorKind, Target};

fn title(target: &Target, kind: ErrorKind) -> String {
    match kind {
        ErrorKind::Unreachable => format!("No answer from {target}"),
        ErrorKind::Certificate => format!("The certificate of {target} is not trusted"),
        ErrorKind::Tls => format!("No TLS connection to {target}"),
        ErrorKind::Closed => format!("{target} closed the connection without an answer"),
        ErrorKind::NotHttp => format!("The answer of {target} is not valid HTTP"),
        ErrorKind::Request => format!("The request could not be sent to {target}"),
    }
}

pub(super) fn hint(target: &Target) -> String {
    match target.is_local() {
        true => "start the backend, or give another URL".to_owned(),
        false => "check the URL and the network".to_owned(),
    }
}

/// What pages show.
pub(super) fn problem(target: &Target, error: &Error) -> Problem {
    let hint = match error.kind {
        ErrorKind::Unreachable => hint(target),
        ErrorKind::Certificate => "--insecure does not check it".to_owned(),
        ErrorKind::Closed => "its own output may say why".to_owned(),
        ErrorKind::NotHttp | ErrorKind::Tls => {
            "check the scheme and the port of the URL".to_owned()
        }
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
pub(super) fn set_problem(response: &mut Response<files::Body>, kind: ProblemKind) {
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
    pub(super) fn answer(
        self,
        target: &Target,
        error: &Error,
        passing: &Passing,
    ) -> Response<files::Body> {
        let problem = problem(target, error);
        self.of_problem(StatusCode::BAD_GATEWAY, &problem, &error.reason(), passing)
    }

    /// The answer with this status, while there is this problem.
    pub(super) fn of_problem(
        self,
        status: StatusCode,
        problem: &Problem,
        reason: &str,
        passing: &Passing,
    ) -> Response<files::Body> {
        let (content_type, text) = match self {
            Wanted::Page => {
                let state = passing.reloader.page_state();
                let script = passing.script(&state, PageKind::Waiting).to_string();
                ("text/html; charset=utf-8", problem_page(problem, &script))
            }
            Wanted::Json => {
                let fields = serde_json::json!({
                    "error": problem.title(),
                    "reason": reason,
                });
                ("application/json", format!("{fields}\n"))
            }
            Wanted::Text => (
                "text/plain; charset=utf-8",
                format!("{}: {reason}\n", problem.title()),
            ),
        };
        let mut response = plain(status, text);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        set_problem(&mut response, problem.kind());
        response
    }
}
