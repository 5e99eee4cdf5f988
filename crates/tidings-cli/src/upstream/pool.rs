//! Connections to one backend: kept open between requests, and closed the moment nobody wants their answer.
//!
//! ```text
//! HTTP/1.1: idle -> one request -> its answer's last byte -> idle
//!                              \-> the answer is dropped before -> closed
//! HTTP/2:   one connection for all requests
//! ```
//!
//! A backend may close an idle connection at any time, also while the next request is on its way. So a request
//! that must not be sent twice gets a new one; in HTTP/2 the backend says which requests it has not seen.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::task::AbortHandle;

use super::connect::{self, Versions};
use super::outgoing::{OutgoingBody, Sent};
use super::target::{Scheme, Target};
use super::tls::Tls;

/// An idle connection is closed after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a request waits for a connection that another one makes.
const SHARING_TIMEOUT: Duration = Duration::from_secs(1);

/// How many idle connections are kept.
const MAX_IDLE: usize = 64;

/// How often a request lets other tasks run while a connection is about to become idle.
const PATIENCE: usize = 2;

/// The windows of an HTTP/2 connection and of each stream on it: as much as one reader may leave unread.
const H2_STREAM_WINDOW: u32 = 1 << 20;
const H2_CONNECTION_WINDOW: u32 = 4 << 20;

/// The limit of a response's head. Servers send less than 64 KiB, and browsers accept 256 KiB.
const MAX_HEAD: usize = 512 * 1024;
const MAX_HEADERS: usize = 256;

/// Which connection a request may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Any that is open.
    Any,
    /// One that is not idle: a new one, or one with HTTP/2.
    NotIdle,
    /// A new one with HTTP/1.1.
    NewHttp1,
    /// A new one.
    New,
}

pub(super) struct Pool {
    target: Target,
    tls: Tls,
    // Held to push or pop one connection.
    idle: Mutex<Idle>,
    /// How many connections are about to become idle.
    returning: AtomicUsize,
    /// Held while a connection is made that all requests may share: HTTP/2, or not known yet.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Idle {
    h1: Vec<IdleConnection>,
    h2: Option<http2::SendRequest<OutgoingBody>>,
    /// The backend speaks HTTP/1.1 only.
    is_h1: bool,
}

struct IdleConnection {
    connection: Connection,
    since: Instant,
}

/// An HTTP/1.1 connection. Dropping it closes it.
struct Connection {
    sender: http1::SendRequest<OutgoingBody>,
    task: CloseOnDrop,
}

/// Ends the task that owns the socket, and so closes it. hyper does so by itself when nobody waits for the
/// response any more, but not while it waits for the rest of a request's body, which may never come: one that
/// is held back ([`Sent::is_held_back`]), or of a client that has stopped sending.
struct CloseOnDrop(Option<AbortHandle>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// A connection for one request.
pub(super) struct Lease {
    pool: Arc<Pool>,
    protocol: Protocol,
    /// Whether it has carried a request before.
    pub(super) reused: bool,
}

enum Protocol {
    H1(Connection),
    H2(http2::SendRequest<OutgoingBody>),
}

impl Pool {
    pub(super) fn new(target: Target, insecure: bool) -> Pool {
        let idle = Idle {
            is_h1: target.scheme == Scheme::Http,
            ..Idle::default()
        };
        Pool {
            target,
            tls: Tls::new(insecure),
            idle: Mutex::new(idle),
            returning: AtomicUsize::new(0),
            connecting: tokio::sync::Mutex::default(),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn lease(self: &Arc<Pool>, freshness: Freshness) -> io::Result<Lease> {
        for _ in 0..=PATIENCE {
            if let Some(lease) = self.pooled(freshness) {
                return Ok(lease);
            }
            if freshness != Freshness::Any || self.returning.load(Ordering::Relaxed) == 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
        if freshness == Freshness::NewHttp1 || self.idle().is_h1 {
            return self.connect(Versions::Http1).await;
        }
        // Not for long: a host that does not answer must not make everyone wait one after the other.
        let _connecting = tokio::time::timeout(SHARING_TIMEOUT, self.connecting.lock()).await;
        match self.pooled(freshness) {
            Some(lease) => Ok(lease),
            None => self.connect(Versions::Any).await,
        }
    }

    fn pooled(self: &Arc<Pool>, freshness: Freshness) -> Option<Lease> {
        let may_be_idle = match freshness {
            Freshness::Any => true,
            Freshness::NotIdle => false,
            Freshness::NewHttp1 | Freshness::New => return None,
        };
        let mut idle = self.idle();
        let protocol = match &idle.h2 {
            Some(sender) if !sender.is_closed() => Protocol::H2(sender.clone()),
            _ if may_be_idle => Protocol::H1(idle.take()?),
            _ => return None,
        };
        Some(Lease {
            pool: Arc::clone(self),
            protocol,
            reused: true,
        })
    }

    async fn connect(self: &Arc<Pool>, versions: Versions) -> io::Result<Lease> {
        // In place of an idle one: a backend with a single thread waits there for the next request, and would
        // not answer on any other.
        let replaced = self.idle().h1.pop();
        drop(replaced);
        let connected = connect::connect(&self.target, &self.tls, versions).await?;
        let io = TokioIo::new(connected.io);
        let protocol = if connected.is_h2 {
            let handshake = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .initial_stream_window_size(H2_STREAM_WINDOW)
                .initial_connection_window_size(H2_CONNECTION_WINDOW)
                .max_header_list_size(MAX_HEAD as u32)
                .handshake(io);
            let (sender, connection) = handshake.await.map_err(io::Error::other)?;
            // It ends with its last sender.
            tokio::spawn(connection);
            self.idle().h2 = Some(sender.clone());
            Protocol::H2(sender)
        } else {
            let handshake = http1::Builder::new()
                .allow_obsolete_multiline_headers_in_responses(true)
                .allow_spaces_after_header_name_in_responses(true)
                .max_headers(MAX_HEADERS)
                .max_header_size(MAX_HEAD)
                .handshake(io);
            let (sender, connection) = handshake.await.map_err(io::Error::other)?;
            let task = tokio::spawn(connection.with_upgrades());
            self.idle().is_h1 |= versions == Versions::Any;
            let task = CloseOnDrop(Some(task.abort_handle()));
            Protocol::H1(Connection { sender, task })
        };
        Ok(Lease {
            pool: Arc::clone(self),
            protocol,
            reused: false,
        })
    }

    /// Takes a connection back as soon as it can take the next request.
    fn put(self: Arc<Pool>, mut connection: Connection) {
        // Mostly it can: its task has already seen the end of the response.
        if connection.sender.is_ready() {
            self.idle().put(connection);
            return;
        }
        self.returning.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            let is_ready = connection.sender.ready().await.is_ok();
            if is_ready {
                self.idle().put(connection);
            }
            self.returning.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

impl Idle {
    /// The one that was used last, so that the others are closed by age.
    fn take(&mut self) -> Option<Connection> {
        while let Some(last) = self.h1.last() {
            if last.since.elapsed() > IDLE_TIMEOUT {
                return None;
            }
            let connection = self.h1.pop()?.connection;
            if connection.sender.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    fn put(&mut self, connection: Connection) {
        let now = Instant::now();
        // The oldest are first.
        let fresh = self
            .h1
            .partition_point(|idle| now.duration_since(idle.since) > IDLE_TIMEOUT);
        let surplus = (self.h1.len() + 1).saturating_sub(MAX_IDLE);
        self.h1.drain(..fresh.max(surplus).min(self.h1.len()));
        self.h1.push(IdleConnection {
            connection,
            since: now,
        });
    }
}

impl Lease {
    /// Whether HTTP/2 is spoken on this connection.
    pub(super) fn is_h2(&self) -> bool {
        matches!(self.protocol, Protocol::H2(_))
    }

    /// Sends a request. If this future or the body of the response is dropped, the request is cancelled at
    /// once. The error has the request if nothing of it was sent.
    pub(super) async fn send(
        self,
        request: Request<OutgoingBody>,
    ) -> Result<Response<UpstreamBody>, TrySendError<Request<OutgoingBody>>> {
        let sent = request.body().sent();
        match self.protocol {
            Protocol::H2(mut sender) => {
                let response = sender.try_send_request(request).await?;
                Ok(response.map(|body| UpstreamBody { body, owner: None }))
            }
            Protocol::H1(mut connection) => {
                let response = connection.sender.try_send_request(request).await?;
                Ok(response_of(response, connection, self.pool, &sent))
            }
        }
    }
}

fn response_of(
    response: Response<Incoming>,
    mut connection: Connection,
    pool: Arc<Pool>,
    sent: &Sent,
) -> Response<UpstreamBody> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // The task ends when the socket is handed over; then the tunnel closes it.
        connection.task.0 = None;
        return response.map(|body| UpstreamBody { body, owner: None });
    }
    // The backend does not want the body: the connection cannot be used any more.
    let keep = !sent.is_held_back();
    response.map(|body| {
        let mut body = UpstreamBody {
            owner: Some(Owner {
                connection,
                pool: keep.then_some(pool),
            }),
            body,
        };
        if body.body.is_end_stream() {
            body.ended();
        }
        body
    })
}

/// The body of a response. Dropping it before its end closes the connection.
pub(crate) struct UpstreamBody {
    body: Incoming,
    owner: Option<Owner>,
}

struct Owner {
    connection: Connection,
    pool: Option<Arc<Pool>>,
}

impl UpstreamBody {
    fn ended(&mut self) {
        if let Some(Owner {
            connection,
            pool: Some(pool),
        }) = self.owner.take()
        {
            pool.put(connection);
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(None) => self.ended(),
            // A response of known length ends with its last byte.
            Poll::Ready(Some(Ok(_))) if self.body.is_end_stream() => self.ended(),
            Poll::Ready(Some(Err(_))) => self.owner = None,
            _ => {}
        }
        polled.map(|frame| frame.map(|frame| frame.map_err(io::Error::other)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
