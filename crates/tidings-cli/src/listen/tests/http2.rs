//! The driver of HTTP/2, with a client of hyper's at the other end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tidings::http::Endpoint;
use tidings::{Event, Hub};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::{Body, local_peer, plain};
use crate::listen::{Answer, Tunnel, http2};

struct Connection {
    client: SendRequest<Empty<Bytes>>,
    shutdown: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Connection {
    async fn open<F>(handle: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static) -> Connection
    where
        F: Future<Output = Answer<Body>> + Send + 'static,
    {
        let (client, server) = tokio::io::duplex(1 << 20);
        let (shutdown, is_shutdown) = watch::channel(false);
        let handle = Arc::new(move |request, _| handle(request));
        let serving = tokio::spawn(http2::serve(server, local_peer(), handle, is_shutdown));
        let connected = handshake(TokioExecutor::new(), TokioIo::new(client)).await;
        let (client, connection) = connected.unwrap();
        tokio::spawn(connection);
        Connection {
            client,
            shutdown,
            serving,
        }
    }

    async fn ask(&mut self, method: Method, target: &str) -> Response<Incoming> {
        let request = Request::builder().method(method).uri(target);
        let request = request.body(Empty::new()).unwrap();
        self.client.send_request(request).await.unwrap()
    }

    async fn get(&mut self) -> Response<Incoming> {
        self.ask(Method::GET, "https://localhost/").await
    }
}

/// A body that tells when it is dropped, and fails if it is polled again after its one piece.
struct Told(Option<Bytes>, Option<io::ErrorKind>, mpsc::Sender<()>);

impl http_body::Body for Told {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match (self.0.take(), self.1) {
            (Some(piece), _) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            (None, Some(error)) => Poll::Ready(Some(Err(error.into()))),
            (None, None) => Poll::Pending,
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.2.try_send(());
    }
}

#[tokio::test]
async fn a_stream_brings_each_event_at_once_and_ends_with_the_hub() {
    let hub = Hub::memory();
    let endpoint = Endpoint::new(hub.clone(), "topic");
    let mut connection = Connection::open(move |request| {
        let response = endpoint.respond(&request.into_parts().0);
        async { Answer::Stream(response) }
    })
    .await;
    let mut body = connection.get().await.into_body();
    let mut seen = String::new();
    for text in ["one", "two"] {
        hub.publish("topic", Event::data(text)).await.unwrap();
        while !seen.contains(text) {
            let frame = body.frame().await.unwrap().unwrap();
            seen += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
        }
    }
    hub.close(Duration::ZERO).await;
    while let Some(frame) = body.frame().await {
        frame.unwrap();
    }
}

#[tokio::test]
async fn what_would_be_an_upgrade_is_a_bad_gateway() {
    let mut connection = Connection::open(|_| async {
        let mut response = Response::new(super::body(""));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        Answer::Upgrade(response, Tunnel::new(|_| async {}))
    })
    .await;
    assert_eq!(connection.get().await.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn a_body_that_breaks_off_never_looks_complete() {
    let mut connection = Connection::open(|_| async {
        let (dropped, _) = mpsc::channel(1);
        let broken = Some(io::ErrorKind::BrokenPipe);
        let body = Told(Some("part".into()), broken, dropped);
        Answer::Response(Response::new(body.boxed()))
    })
    .await;
    // The reset may come before the head is sent.
    let request = Request::get("https://localhost/").body(Empty::new());
    if let Ok(response) = connection.client.send_request(request.unwrap()).await {
        assert!(response.into_body().collect().await.is_err());
    }
}

#[tokio::test]
async fn a_client_that_cancels_a_response_ends_its_body_and_nothing_else() {
    let (dropped, mut is_dropped) = mpsc::channel(1);
    let mut connection = Connection::open(move |_| {
        let body = Told(Some("part".into()), None, dropped.clone());
        async { Answer::Response(Response::new(body.boxed())) }
    })
    .await;
    let mut body = connection.get().await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    is_dropped.recv().await.unwrap();
    assert_eq!(connection.get().await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_a_minute_and_one_with_a_stream_is_not() {
    let began = tokio::time::Instant::now();
    let mut idle = Connection::open(|_| async { plain("x") }).await;
    let body = idle.get().await.into_body();
    body.collect().await.unwrap();
    idle.serving.await.unwrap();
    assert!((60..62).contains(&began.elapsed().as_secs()));

    let (dropped, _is_dropped) = mpsc::channel(1);
    let mut streaming = Connection::open(move |_| {
        let body = Told(Some("x".into()), None, dropped.clone());
        async { Answer::Response(Response::new(body.boxed())) }
    })
    .await;
    let response = streaming.get().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!streaming.serving.is_finished());
    drop(response);
    streaming.serving.await.unwrap();
}

#[tokio::test]
async fn at_a_shutdown_the_response_that_is_under_way_is_sent() {
    let (answer, answered) = tokio::sync::oneshot::channel::<()>();
    let answered = std::sync::Mutex::new(Some(answered));
    let (asked, mut is_asked) = mpsc::channel(1);
    let mut connection = Connection::open(move |_| {
        let answered = answered.lock().unwrap().take().unwrap();
        asked.try_send(()).unwrap();
        async {
            answered.await.unwrap();
            plain("whole")
        }
    })
    .await;
    let shutdown = connection.shutdown.clone();
    let end = async {
        is_asked.recv().await.unwrap();
        shutdown.send(true).unwrap();
        answer.send(()).unwrap();
    };
    let (response, ()) = tokio::join!(connection.get(), end);
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "whole");
    connection.serving.await.unwrap();
}
