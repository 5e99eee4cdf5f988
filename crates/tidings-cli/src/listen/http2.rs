//! A connection that speaks HTTP/2, which clients choose in the TLS handshake.
//!
//! Hyper serves all of it: event streams are ordinary bodies. There are no upgrades in HTTP/2 (RFC 9113 8.6), and no
//! extended CONNECT (RFC 8441) is offered, so browsers open a connection with HTTP/1.1 for a WebSocket.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::watch;

use super::driver::refused;
use super::head_timeout::HeadTimeout;
use super::http_io::Handover;
use super::response_body::{ResponseBody, Sending};
use super::{Answer, Io, Peer};

/// How many requests of one connection are answered at the same time. Each open page may have a stream.
const MAX_STREAMS: u32 = 250;

/// How much of a response is kept for a client that does not read it.
const SEND_BUFFER: usize = 64 * 1024;

/// How long the end of an idle connection may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves a connection to its end. When `shutdown` changes, that is after the responses that are under way.
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
    // For the number of requests: there is no handing over.
    let requests = Arc::new(Handover::default());
    let service = service_fn(|request: Request<Incoming>| {
        let underway = requests.begin();
        let answer = handle(request, peer);
        async move {
            let response = match answer.await {
                Answer::Response(response) => response.map(ResponseBody::Ordinary),
                Answer::Stream(response) => response.map(ResponseBody::Stream),
                // The backend agrees to what nobody has asked for.
                Answer::Upgrade(..) => refused(StatusCode::BAD_GATEWAY),
            };
            Ok::<_, Infallible>(response.map(|body| Sending {
                body,
                _underway: underway,
            }))
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buf_size(SEND_BUFFER)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    let mut timeout = HeadTimeout::new();
    let mut is_shutting_down = false;
    let is_idle = {
        let mut shutdown = pin!(shutdown.wait_for(|shutdown| *shutdown));
        poll_fn(|cx| {
            if !is_shutting_down && shutdown.as_mut().poll(cx).is_ready() {
                is_shutting_down = true;
                connection.as_mut().graceful_shutdown();
            }
            match connection.as_mut().poll(cx) {
                Poll::Pending => timeout.poll(cx, requests.awaits()).map(|()| true),
                // An error means that the client has left or did not send HTTP; neither is reported.
                Poll::Ready(_) => Poll::Ready(false),
            }
        })
        .await
    };
    if is_idle {
        // RFC 9113 9.1: the client is told, so it does not send a request that nobody answers.
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, connection).await;
    }
}
