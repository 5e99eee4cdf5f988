//! How a command asks a running server.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::addresses::is_own_address;
use super::programs::PREFIX;
use super::server;
use super::token;
use crate::guard::Guard;
use crate::instances::{self, Choice, Instance};
use crate::report::HintedError;
use crate::upstream::{self, Client, Outgoing, Target, Upstream};

/// The largest answer, in bytes.
const LIMIT: usize = 4 * 1024 * 1024;

/// How much longer than it was told to a server may take.
const MARGIN: Duration = Duration::from_secs(5);

/// The server that is meant: at this address, or else the one of the working directory. `None` if there is none.
pub(super) fn server_for(url: Option<&Target>) -> anyhow::Result<Option<Instance>> {
    let running = instances::running();
    let choice = match url {
        Some(url) => instances::at_address(running, url.port().unwrap_or_default(), |instance| {
            is_reached_at(instance, url)
        }),
        // It fails where the working directory was removed: nothing serves that.
        None => match std::env::current_dir() {
            Ok(here) => instances::of_folder(running, &resolved(&here)),
            Err(_) => Choice::None,
        },
    };
    match choice {
        Choice::One(instance) => Ok(Some(*instance)),
        Choice::None => Ok(None),
        Choice::Several(several) => {
            let urls: Vec<_> = several.iter().map(|one| &*one.url).collect();
            Err(HintedError {
                message: format!("several servers are meant: {}", urls.join(", ")),
                hint: "say which one with --url".to_owned(),
            }
            .into())
        }
    }
}

/// Whether the host of an address is this machine, or a name that the server answers requests for.
fn is_reached_at(instance: &Instance, url: &Target) -> bool {
    let Some(host) = url.host() else {
        return false;
    };
    url.is_local()
        || match host.parse() {
            Ok(address) => is_own_address(address),
            Err(_) => Guard::new(&instance.names).allows(&host),
        }
}

/// The path with links resolved, as far as it is there.
pub(super) fn resolved(path: &Path) -> std::path::PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// That a server is there, and has not answered in time.
#[derive(Debug)]
pub(super) struct TooLate;

impl fmt::Display for TooLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server does not answer in time")
    }
}

/// Asks a question of a server, which takes this long at most. [`TooLate`] is the context of that error.
pub(super) fn ask<A: DeserializeOwned>(
    instance: &Instance,
    name: &str,
    question: &impl Serialize,
    timeout: Duration,
) -> anyhow::Result<A> {
    let unanswered = |why: String| HintedError {
        message: format!("the server at {} does not answer: {why}", instance.url),
        hint: "has it just ended? `tidings` starts another one".to_owned(),
    };
    let target: Target = instance.url.parse().map_err(unanswered)?;
    let options = upstream::Options {
        change_host: true,
        // It is on this machine, and its certificate may be one that nobody trusts.
        insecure: true,
        ..upstream::Options::default()
    };
    let upstream = Upstream::new(target, &options);
    let body = Full::new(Bytes::from(serde_json::to_vec(question)?));
    let mut request = Request::post(format!("{PREFIX}{name}"))
        .header(CONTENT_TYPE, "application/json")
        .header(token::HEADER, &instance.token);
    if let Some(cookie) = &instance.cookie {
        request = request.header(COOKIE, cookie);
    }
    let request = request.body(body)?;
    let this_machine = Client {
        peer: std::net::Ipv4Addr::LOCALHOST.into(),
        scheme: "http",
    };
    let outgoing = Outgoing::new(request, &this_machine);
    let asked = async {
        let response = upstream
            .send(outgoing)
            .await
            .map_err(|error| unanswered(error.to_string()))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LIMIT).collect().await;
        let body = body.map_err(|error| unanswered(error.to_string()))?;
        match status {
            StatusCode::OK => Ok(serde_json::from_slice(&body.to_bytes())?),
            status => Err(HintedError {
                message: format!("the server at {} answers with {status}", instance.url),
                hint: "is it of another version? restart it".to_owned(),
            }
            .into()),
        }
    };
    server::runtime()?.block_on(async {
        match tokio::time::timeout(timeout + MARGIN, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(anyhow::Error::new(HintedError {
                message: format!(
                    "the server at {} did not answer after {} s",
                    instance.url,
                    (timeout + MARGIN).as_secs_f64()
                ),
                hint: "it is busy, or was stopped (Ctrl-Z)".to_owned(),
            })
            .context(TooLate)),
        }
    })
}
