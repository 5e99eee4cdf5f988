//! Ordinary requests and event streams.

use std::sync::Arc;

use http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tidings::http::Endpoint;
use tidings::{Event, Hub, Topic};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use super::{Server, plain, read_until};
use crate::listen::{Answer, driver};

#[tokio::test]
async fn a_request_pipelined_after_that_of_a_stream_is_answered_after_its_end() {
    let topic = Topic::new("t");
    let hub = Hub::memory();
    let endpoint = Endpoint::new(hub.clone(), &topic);
    let server = Server::start(move |request: Request<Incoming>| {
        let (parts, _) = request.into_parts();
        let answer = match parts.uri.path() {
            "/stream" => Answer::Stream(endpoint.respond(&parts)),
            path => plain(path.to_owned()),
        };
        async { answer }
    })
    .await;
    // In the same segment, and later.
    let mut socket = server.connect().await;
    let stream = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";
    let first = "GET /first HTTP/1.1\r\nHost: x\r\n\r\n";
    socket
        .write_all((stream.to_owned() + first).as_bytes())
        .await
        .unwrap();
    read_until(&mut socket, "retry: ").await;
    let last = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    socket.write_all(last.as_bytes()).await.unwrap();
    let event = Event::data("the event");
    hub.publish(&topic, event).await.unwrap();
    read_until(&mut socket, "the event").await;
    hub.finish(&topic);
    let mut rest = String::new();
    socket.read_to_string(&mut rest).await.unwrap();
    let ends: Vec<_> = ["\r\n0\r\n\r\nHTTP/1.1 200 OK", "/first", "/last"]
        .iter()
        .map(|part| rest.find(part))
        .collect();
    assert!(ends.is_sorted() && ends[0].is_some(), "{ends:?} in {rest}");
}

#[tokio::test]
async fn any_number_of_pipelined_requests_is_answered_in_order() {
    let server = Server::start(|request: Request<Incoming>| async move {
        tokio::task::yield_now().await;
        plain(format!("[{}]", request.uri().path()))
    })
    .await;
    let n = 2000;
    let mut all: String = (1..n)
        .map(|n| format!("GET /{n} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .collect();
    all += &format!("GET /{n} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let (mut read, mut write) = server.connect().await.into_split();
    let writing =
        tokio::spawn(async move { write.write_all(all.as_bytes()).await.map(|()| write) });
    let mut answer = String::new();
    read.read_to_string(&mut answer).await.unwrap();
    writing.await.unwrap().unwrap();
    let bodies: Vec<i32> = answer
        .split(['[', ']'])
        .filter_map(|part| part.strip_prefix('/')?.parse().ok())
        .collect();
    assert_eq!(bodies, (1..=n).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_body_is_asked_for_when_the_handler_wants_it() {
    let server = Server::start(|request: Request<Incoming>| async move {
        let body = request.into_body().collect().await.unwrap();
        plain(body.to_bytes())
    })
    .await;
    let mut socket = server.connect().await;
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let continues = read_until(&mut socket, "\r\n\r\n").await;
    assert_eq!(continues, "HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(b"hello").await.unwrap();
    let answer = read_until(&mut socket, "hello").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_told_so() {
    let server = Server::start(|_: Request<Incoming>| async { plain("") }).await;
    for (line, status) in [
        (
            format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(1 << 20)),
            "431",
        ),
        (
            format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(200)),
            "431",
        ),
        (format!("GET /{} HTTP/1.1", "x".repeat(100_000)), "414"),
    ] {
        let answer = server.talk(line + "\r\n\r\n").await;
        assert_eq!(answer.get(9..12), Some(status));
    }
}

/// A system resets a connection that is closed while data comes, and the client may lose the response.
#[tokio::test(start_paused = true)]
async fn a_client_that_goes_on_sending_after_a_refusal_can_read_it() {
    let (mut client, server) = tokio::io::duplex(4096);
    let (_shutdown, is_shutdown) = watch::channel(false);
    let handle = Arc::new(|_, _| async { plain("") });
    let peer = super::local_peer();
    let serving = tokio::spawn(driver::serve(server, peer, handle, is_shutdown));
    client.write_all(b"GET / HTTP/1.1\n").await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    client.write_all(&[b'x'; 1 << 20]).await.unwrap();
    // But not for ever.
    serving.await.unwrap();
    client.write_all(b"x").await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_head_that_never_ends_and_an_idle_connection_are_closed_after_a_minute() {
    for sent in [
        "",
        "GET / HTTP/1.1\r\nHost",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let (mut client, server) = tokio::io::duplex(4096);
        let (_shutdown, is_shutdown) = watch::channel(false);
        let handle = Arc::new(|_, _| async { plain("") });
        let peer = super::local_peer();
        let began = tokio::time::Instant::now();
        let serving = tokio::spawn(driver::serve(server, peer, handle, is_shutdown));
        client.write_all(sent.as_bytes()).await.unwrap();
        client.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 60, "{sent:?}");
        drop(client);
        serving.await.unwrap();
    }
}
