//! The driver of one connection: lets hyper serve it until it ends, becomes an event stream, or becomes a
//! tunnel.
//!
//! What must stay true
//! - Bytes that were read and do not belong to a request are not lost: a tunnel gets them, and after a
//!   stream's end they are the next request.
//! - What hyper parses, and so what a handler gets, has passed the check of its framing (`framing`).
//! - A stream is written without hyper only where the transport is a plain socket, and only in HTTP/1.1,
//!   whose chunked framing `stream` writes. Everything else goes through hyper as an ordinary body.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tidings::http::SseBody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use super::head_timeout::HeadTimeout;
use super::http_io::{Answered, Handover, HttpIo, Next, Placeholder};
use super::response_body::{ResponseBody, Sending};
use super::tunnel::{ClientIo, Tunnel};
use super::{Answer, Io, Peer, stream};

/// How long the end of a connection may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What became of a connection that hyper has served.
enum Outcome<T> {
    /// It has ended. The client may still be sending, if a request was not read to its end.
    Done { io: T, is_read: bool },
    /// The head of a stream is sent, and the rest is to be written. The bytes were read after its request.
    Stream {
        io: T,
        read: Bytes,
        body: SseBody,
        is_persistent: bool,
    },
    /// The head of an upgrade's response is sent. The bytes were read after its request.
    Upgrade(T, Bytes, Tunnel),
}

/// Serves a connection to its end. When `shutdown` changes, that is after the response that is under way.
pub(super) async fn serve<T, H, F, B>(
    io: T,
    peer: Peer,
    handle: Arc<H>,
    mut shutdown: watch::Receiver<bool>,
) where
    T: Io,
    H: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Answer<B>> + Send + 'static,
    B: Body<Data = Bytes, Error = io::Error> + Send + Unpin + 'static,
{
    let (mut io, mut unread) = (io, Bytes::new());
    loop {
        // Boxed, so that a stream or a tunnel, which may be open for hours, does not keep hyper's memory.
        let served = Box::pin(requests(io, unread, peer, &handle, &mut shutdown));
        match served.await {
            // A plain socket is closed when it is dropped.
            Outcome::Done { io, is_read: true } if io.plain().is_some() => return,
            Outcome::Done { io, is_read } => {
                tokio::select! {
                    () = close(io, is_read) => {}
                    _ = shutdown.wait_for(|shutdown| *shutdown) => {}
                }
                return;
            }
            Outcome::Stream {
                io: socket,
                read,
                body,
                is_persistent,
            } => match stream::serve(socket, read, body).await {
                Some(rest) if is_persistent && !*shutdown.borrow() => (io, unread) = rest,
                _ => return,
            },
            Outcome::Upgrade(io, read, tunnel) => {
                tokio::select! {
                    () = tunnel.run(ClientIo::new(io, read)) => {}
                    // A tunnel may be open for ever.
                    _ = shutdown.wait_for(|shutdown| *shutdown) => {}
                }
                return;
            }
        }
    }
}

/// Lets hyper serve requests until the connection ends, or is something else.
async fn requests<T, H, F, B>(
    io: T,
    unread: Bytes,
    peer: Peer,
    handle: &Arc<H>,
    shutdown: &mut watch::Receiver<bool>,
) -> Outcome<T>
where
    T: Io,
    H: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Answer<B>> + Send + 'static,
    B: Body<Data = Bytes, Error = io::Error> + Send + Unpin + 'static,
{
    let handover = Arc::new(Handover::default());
    let is_plain = io.plain().is_some();
    let service = service_fn(|request: Request<Incoming>| {
        let (handle, handover) = (Arc::clone(handle), Arc::clone(&handover));
        let underway = handover.begin();
        Box::pin(async move {
            let is_http_11 = request.version() == Version::HTTP_11;
            let may_upgrade = is_http_11 && asks_for_upgrade(&request);
            let is_last = has_connection_option(request.headers(), "close");
            let answer = handle(request, peer).await;
            let response = match handover.answer() {
                Answered::Refused => refused(StatusCode::BAD_REQUEST),
                Answered::Fine => match answer {
                    Answer::Response(response) => response.map(ResponseBody::Ordinary),
                    Answer::Stream(response)
                        if is_plain && is_http_11 && !response.body().is_end_stream() =>
                    {
                        let is_persistent =
                            !is_last && !has_connection_option(response.headers(), "close");
                        response.map(|body| {
                            handover.put(Next::Stream {
                                body,
                                is_persistent,
                            });
                            ResponseBody::Direct(Placeholder(handover))
                        })
                    }
                    Answer::Stream(response) => response.map(ResponseBody::Stream),
                    Answer::Upgrade(response, tunnel)
                        if may_upgrade && response.status() == StatusCode::SWITCHING_PROTOCOLS =>
                    {
                        handover.put(Next::Tunnel(tunnel));
                        response.map(|_| ResponseBody::Empty)
                    }
                    Answer::Upgrade(..) => refused(StatusCode::BAD_GATEWAY),
                },
            };
            Ok::<_, Infallible>(response.map(|body| Sending {
                body,
                _underway: underway,
            }))
        })
    });
    let io = HttpIo::new(io, unread, Arc::clone(&handover));
    // Without a timer there is no limit of hyper's own for a head.
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(io), service);
    let mut timeout = HeadTimeout::new();
    let mut shutdown = pin!(shutdown.wait_for(|shutdown| *shutdown));
    let mut is_shutting_down = false;
    let is_fine = poll_fn(|cx| {
        if !is_shutting_down && shutdown.as_mut().poll(cx).is_ready() {
            is_shutting_down = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        match connection.poll_without_shutdown(cx) {
            Poll::Pending if handover.stream_begins() => Poll::Ready(true),
            Poll::Pending => timeout.poll(cx, handover.awaits()).map(|()| false),
            // An error means that the client has left or did not send HTTP; neither is reported.
            Poll::Ready(ended) => Poll::Ready(ended.is_ok()),
        }
    })
    .await;
    let parts = connection.into_parts();
    let io = parts.io.into_inner();
    let is_read = is_fine && io.is_read();
    let (io, unread) = io.into_parts();
    let read = rest_of(parts.read_buf, unread.freeze());
    match handover.take() {
        Some(Next::Stream {
            body,
            is_persistent,
        }) if is_fine => Outcome::Stream {
            io,
            read,
            body,
            is_persistent,
        },
        Some(Next::Tunnel(tunnel)) if is_fine => Outcome::Upgrade(io, read, tunnel),
        _ => Outcome::Done { io, is_read },
    }
}

/// Closes a connection in stages (RFC 9112 9.6): if a socket is closed while the client still sends, the
/// system resets the connection, and the client may lose the response, such as a 400.
async fn close(mut io: impl Io, is_read: bool) {
    let closing = async {
        io.shutdown().await?;
        let mut discarded = [0; 1024];
        while !is_read && io.read(&mut discarded).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
}

/// What hyper has read and not used, and then what it has not read.
fn rest_of(read: Bytes, unread: Bytes) -> Bytes {
    match (read.is_empty(), unread.is_empty()) {
        (true, _) => unread,
        (_, true) => read,
        _ => Bytes::from([read, unread].concat()),
    }
}

/// A response without a body, after which the connection is closed.
pub(super) fn refused<B>(status: StatusCode) -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::Empty);
    *response.status_mut() = status;
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

/// RFC 9110 7.8: `Upgrade` counts only with the connection option of the same name.
fn asks_for_upgrade<B>(request: &Request<B>) -> bool {
    request.method() != Method::CONNECT
        && request.headers().contains_key(UPGRADE)
        && has_connection_option(request.headers(), "upgrade")
}

fn has_connection_option(headers: &HeaderMap, option: &str) -> bool {
    let values = headers.get_all(CONNECTION).iter();
    let mut options = values.filter_map(|value| value.to_str().ok()?.split(',').into());
    options.any(|mut options| options.any(|found| found.trim().eq_ignore_ascii_case(option)))
}
