//! What is behind the proxy: a backend that somebody else runs, or a command.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Response, StatusCode};
use tidings::reload::ProblemKind;

use super::super::answers::plain;
use super::super::body::{self, Body};
use super::super::passing::{Failed, Passage, Passing};
use super::super::unavailable::{Wanted, set_problem};
use super::outage::Outage;
use super::supervised::{Supervised, Unanswered};
use crate::files;
use crate::listen::Answer;
use crate::upstream::{ErrorKind, Upstream};

pub(super) enum Backing {
    Running {
        upstream: Arc<Upstream>,
        outage: Arc<Outage>,
        /// How long requests wait while nothing listens there.
        start_timeout: Duration,
    },
    Command(Supervised),
}

/// How long the request for a page waits for a backend that somebody else starts. Then there is a page that
/// says what is missing, and heals itself.
const PAGE_TIMEOUT: Duration = Duration::from_secs(1);

/// Passes a request on; if nothing listens there, as soon as something does, within this time.
async fn pass_when_there(
    upstream: &Upstream,
    outage: &Arc<Outage>,
    passing: &Passing,
    mut passage: Passage,
    limit: Duration,
) -> Result<Answer<Body>, Failed> {
    let began = Instant::now();
    loop {
        let failed = match passing.send(upstream, passage).await {
            Ok(answer) => {
                outage.is_over();
                return Ok(answer);
            }
            Err(failed) => failed,
        };
        outage.has_failed(&failed.error);
        let left = limit.saturating_sub(began.elapsed());
        if failed.error.kind != ErrorKind::Unreachable || !outage.over_within(left).await {
            return Err(failed);
        }
        passage = failed.again()?;
    }
}

impl Backing {
    /// Passes a request on, and answers in place of a backend that does not.
    pub(super) async fn pass(
        &self,
        passing: &Passing,
        passage: Passage,
        wanted: Wanted,
    ) -> Answer<Body> {
        match self {
            Backing::Running {
                upstream,
                outage,
                start_timeout,
            } => {
                let limit = match wanted {
                    Wanted::Page => PAGE_TIMEOUT.min(*start_timeout),
                    Wanted::Json | Wanted::Text => *start_timeout,
                };
                match pass_when_there(upstream, outage, passing, passage, limit).await {
                    Ok(answer) => answer,
                    Err(failed) => {
                        body::own(wanted.answer(upstream.target(), &failed.error, passing))
                    }
                }
            }
            Backing::Command(command) => match command.pass(passing, passage).await {
                Ok(answer) => answer,
                Err(Unanswered::Failed(target, failed)) => {
                    body::own(wanted.answer(&target, &failed.error, passing))
                }
                Err(Unanswered::Unavailable(failure)) => {
                    let problem = command.problem(&failure);
                    // RFC 9110 15.6.4: for a while.
                    let status = StatusCode::SERVICE_UNAVAILABLE;
                    body::own(wanted.of_problem(status, &problem, &failure.text, passing))
                }
            },
        }
    }

    /// Tells a page whether it may reload.
    pub(super) async fn ready(&self) -> Response<files::Body> {
        match self {
            Backing::Running { outage, .. } => outage.ready().await,
            Backing::Command(command) if command.is_healthy() => plain(StatusCode::NO_CONTENT, ""),
            Backing::Command(_) => {
                let mut response = plain(StatusCode::BAD_GATEWAY, "the backend is not ready\n");
                set_problem(&mut response, ProblemKind::BackendNotReady);
                response
            }
        }
    }

    /// The command, if there is one.
    pub(super) fn command(&self) -> Option<&Supervised> {
        match self {
            Backing::Running { .. } => None,
            Backing::Command(command) => Some(command),
        }
    }
}
