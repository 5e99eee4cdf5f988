//! A command as the backend: each request goes to the instance that is there, and waits while there is none.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Empty;
use tidings::reload::{Problem, ProblemKind, Reloader};

use super::super::body::Body;
use super::super::passing::{Failed, Passage, Passing};
use super::events;
use crate::backend::{Backend, Event, Failure, FailureKind, Handler, Lease, Listens, Options};
use crate::config::{Command, Proxy};
use crate::listen::Answer;
use crate::report::Console;
use crate::sources::Sources;
use crate::upstream::{self, Client, Outgoing, Target, Upstream};

pub(super) struct Supervised {
    backend: Backend<Upstream>,
    start_timeout: Duration,
    sources: Arc<Sources>,
}

/// A request that no instance has answered.
pub(super) enum Unanswered {
    /// There is none.
    Unavailable(Failure),
    /// The one that there is did not.
    Failed(Target, Failed),
}

impl Supervised {
    /// Must be called within a runtime.
    pub(super) fn new(
        config: &Proxy,
        command: &Command,
        base: PathBuf,
        sources: Arc<Sources>,
        reloader: &Arc<Reloader>,
        console: &Arc<Console>,
    ) -> Supervised {
        let options = Options {
            command: command.args.clone(),
            dir: command.dir.clone(),
            build: command.build.as_ref().map(|build| crate::backend::Build {
                command: build.command.clone(),
                dir: build.dir.clone(),
            }),
            listens: match &config.url {
                None => Listens::AtFreePort,
                Some(target) => Listens::At {
                    url: target.to_string(),
                    port: target.port(),
                },
            },
            start_timeout: command.start_timeout,
            stop_signal: command.stop_signal,
            stop_timeout: command.stop_timeout,
        };
        let handler = Arc::new(Around {
            target: config.url.clone(),
            options: upstream::Options {
                change_host: config.change_host,
                insecure: config.insecure,
                ..upstream::Options::default()
            },
            health: command.health.clone(),
            base,
            sources: Arc::clone(&sources),
            reloader: Arc::clone(reloader),
            // The command waits until its lines are read.
            console: Arc::new(console.direct()),
        });
        Supervised {
            backend: Backend::new(options, &handler),
            start_timeout: command.start_timeout,
            sources,
        }
    }

    /// What a page shows while there is no instance.
    pub(super) fn problem(&self, failure: &Failure) -> Problem {
        self.sources.with_excerpt(problem(failure))
    }

    pub(super) fn start(&self) {
        self.backend.start();
    }

    /// Whether an instance answers requests now.
    pub(super) fn is_healthy(&self) -> bool {
        self.backend.is_healthy()
    }

    /// Waits until no build or start is under way.
    pub(super) async fn settled(&self) {
        self.backend.settled().await;
    }

    pub(super) fn restart_because(&self, paths: Vec<PathBuf>) {
        self.backend.restart_because(paths);
    }

    /// Ends it, and waits for that; by KILL when somebody asks once more.
    pub(super) async fn stop(&self, asked_again: impl Future<Output = ()>) {
        let stopped = self.backend.stop();
        tokio::pin!(stopped);
        tokio::select! {
            () = &mut stopped => return,
            () = asked_again => self.backend.kill(),
        }
        stopped.await;
    }

    /// Passes a request to the instance that is there. If that has died, and the request was not sent, to
    /// the next one.
    pub(super) async fn pass(
        &self,
        passing: &Passing,
        mut passage: Passage,
    ) -> Result<Answer<Body>, Unanswered> {
        let began = Instant::now();
        let mut lease = self
            .backend
            .lease()
            .await
            .map_err(Unanswered::Unavailable)?;
        loop {
            let failed = match passing.send(lease.client(), passage).await {
                Ok(answer) => return Ok(held(answer, lease)),
                Err(failed) => failed,
            };
            if began.elapsed() >= self.start_timeout {
                return Err(Unanswered::Failed(lease.client().target().clone(), failed));
            }
            passage = match failed.again() {
                Ok(passage) => passage,
                Err(failed) => {
                    let target = lease.client().target().clone();
                    return Err(Unanswered::Failed(target, failed));
                }
            };
            let generation = lease.generation();
            // Not held while it waits: it would hold up the end of the instance.
            drop(lease);
            lease = self
                .backend
                .lease_again(generation)
                .await
                .map_err(Unanswered::Unavailable)?;
        }
    }
}

/// The answer, which counts as in flight until its body is sent.
fn held(answer: Answer<Body>, mut lease: Lease<Upstream>) -> Answer<Body> {
    match answer {
        Answer::Response(response) => {
            if is_event_stream(response.headers()) {
                lease.long_lived();
            }
            Answer::Response(response.map(|body| body.holding(lease)))
        }
        // The tunnel ends with the instance.
        answer @ (Answer::Upgrade(..) | Answer::Stream(_)) => answer,
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    const EVENT_STREAM: &[u8] = b"text/event-stream";
    let media_type = headers.get(CONTENT_TYPE);
    media_type.is_some_and(|value| {
        let value = value.as_bytes();
        value.len() >= EVENT_STREAM.len()
            && value[..EVENT_STREAM.len()].eq_ignore_ascii_case(EVENT_STREAM)
    })
}

fn problem(failure: &Failure) -> Problem {
    let kind = match failure.kind {
        FailureKind::BuildFailed => ProblemKind::BuildFailed,
        FailureKind::Exited => ProblemKind::BackendExited,
        FailureKind::NotReady | FailureKind::Stopping => ProblemKind::BackendNotReady,
    };
    Problem::new(kind, &failure.title, &failure.text)
}

/// What the command needs of the rest of the program.
struct Around {
    /// Where it always listens.
    target: Option<Target>,
    options: upstream::Options,
    health: Option<String>,
    base: PathBuf,
    sources: Arc<Sources>,
    reloader: Arc<Reloader>,
    console: Arc<Console>,
}

impl Handler for Around {
    type Client = Upstream;

    fn client(&self, port: Option<u16>) -> Upstream {
        let target = match (&self.target, port) {
            (Some(target), _) => target.clone(),
            // Without a URL each instance has a port.
            (None, port) => Target::local(port.unwrap_or_default()),
        };
        Upstream::new(target, &self.options)
    }

    async fn is_listening(&self, client: &Upstream) -> bool {
        client.is_listening().await
    }

    async fn is_ready(&self, client: &Upstream) -> bool {
        let Some(path) = &self.health else {
            return client.is_listening().await;
        };
        let request = Request::get(path)
            .header(HOST, client.target().authority())
            .body(Empty::<Bytes>::new());
        let Ok(request) = request else { return false };
        let client_of_it = Client {
            peer: std::net::Ipv4Addr::LOCALHOST.into(),
            scheme: "http",
        };
        let outgoing = Outgoing::new(request, &client_of_it);
        // Redirects are not followed: what redirects is ready.
        client
            .send(outgoing)
            .await
            .is_ok_and(|response| response.status() < StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn report(&self, event: Event) {
        events::report(&self.console, event, &self.base);
    }

    fn failed(&self, failure: &Failure) {
        // An error means that the hub is closed: the process is about to exit.
        let problem = self.sources.with_excerpt(problem(failure));
        let _ = self.reloader.set_problem(Some(problem));
    }

    fn restarted(&self) {
        let _ = self.reloader.restarted();
    }
}
