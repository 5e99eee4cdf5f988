//! Ordinary requests and event streams.

use http::Request;
use hyper::body::Incoming;
use tidings::http::Endpoint;
use tidings::{Event, Hub, Topic};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Server, plain, read_until};
use crate::listen::Answer;

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
