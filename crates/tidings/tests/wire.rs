//! The bytes on the wire: real sockets, hyper as the server, nobody's client.
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]

mod support;

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use support::{Client, LONG, Listener, wait_until};
use tidings::engine::{Memory, Retention, Stored};
use tidings::http::Endpoint;
use tidings::{AsOf, Cursor, Delivery, Event, EventId, Hub, Interest, Selector};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

const HOUR: Duration = Duration::from_secs(3600);

/// No sign of life disturbs the bytes.
fn quiet_hub() -> Hub {
    Hub::with_keep_alive(Memory::new(Retention::default()), HOUR)
}

struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

/// hyper, with a graceful shutdown of its connections.
async fn serve(endpoint: Endpoint) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        let mut stopped = stopping.clone();
        loop {
            let socket = tokio::select! {
                accepted = listener.accept() => accepted.unwrap().0,
                _ = stopped.changed() => break,
            };
            let service = TowerToHyperService::new(endpoint.clone());
            let mut stopped = stopping.clone();
            connections.spawn(async move {
                let io = TokioIo::new(socket);
                let mut connection =
                    std::pin::pin!(http1::Builder::new().serve_connection(io, service));
                tokio::select! {
                    _ = connection.as_mut() => return,
                    _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
                }
                let _ = connection.await;
            });
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    });
    Server {
        address,
        stop,
        serving,
    }
}

async fn serve_topic(hub: &Hub) -> Server {
    serve(Endpoint::new(hub.clone(), "t")).await
}

/// Takes the greeting off, and leaves the client at its first event, as the newest of so many streams.
async fn past_the_greeting(client: &mut Client, hub: &Hub, n_open: u64) {
    client.head().await;
    check_greeting(&client.chunk().await.unwrap(), 1000);
    wait_until("it is open", || hub.stats().open == n_open).await;
}

#[track_caller]
fn check_greeting(greeting: &[u8], least_ms: u64) {
    let greeting = text(greeting);
    let retry = greeting.strip_prefix(": tidings\nretry: ");
    let retry = retry.and_then(|retry| retry.strip_suffix('\n'));
    let retry: u64 = retry
        .unwrap_or_else(|| panic!("{greeting:?}"))
        .parse()
        .unwrap();
    assert!((least_ms..=2 * least_ms).contains(&retry), "retry {retry}");
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

const STREAM_HEAD: [&str; 7] = [
    "HTTP/1.1 200 OK",
    "content-type: text/event-stream",
    "cache-control: no-store, no-transform",
    "x-accel-buffering: no",
    "x-content-type-options: nosniff",
    "connection: keep-alive",
    "transfer-encoding: chunked",
];

#[tokio::test]
async fn the_head_and_the_greeting_come_before_any_event() {
    let hub = quiet_hub();
    let server = serve(Endpoint::new(hub.clone(), "t").retry(Duration::from_millis(300))).await;
    let mut client = Client::get(server.address).await;
    assert_eq!(client.head().await, STREAM_HEAD);
    check_greeting(&client.chunk().await.unwrap(), 300);
}

/// The greeting must not wait for the status: a page's `open` fires with the first bytes.
#[tokio::test]
async fn the_greeting_does_not_wait_for_a_status() {
    let hub = quiet_hub();
    hub.make_status("t", std::future::pending);
    let server = serve_topic(&hub).await;
    let mut client = Client::get(server.address).await;
    assert_eq!(client.head().await, STREAM_HEAD);
    check_greeting(&client.chunk().await.unwrap(), 1000);
    drop(client);
}

#[tokio::test]
async fn the_reconnection_time_differs_between_clients_and_is_never_nothing() {
    let hub = quiet_hub();
    let server = serve(Endpoint::new(hub.clone(), "t").retry(Duration::ZERO)).await;
    let mut greetings = std::collections::HashSet::new();
    for _ in 0..20 {
        let mut client = Client::get(server.address).await;
        client.head().await;
        let greeting = client.chunk().await.unwrap();
        check_greeting(&greeting, 50);
        greetings.insert(greeting);
    }
    assert!(greetings.len() > 1);
}

/// JavaScript's timers take 31 bits of milliseconds; a longer one fires at once.
#[tokio::test]
async fn the_reconnection_time_is_never_longer_than_a_timer_can_be() {
    let hub = quiet_hub();
    let server = serve(Endpoint::new(hub.clone(), "t").retry(Duration::MAX)).await;
    let mut client = Client::get(server.address).await;
    client.head().await;
    let greeting = client.chunk().await.unwrap();
    assert_eq!(text(&greeting), ": tidings\nretry: 2147483647\n");
    wait_until("it is open", || hub.stats().open == 1).await;
    let forever = Event::data("x").with_retry(Duration::MAX);
    let id = hub.publish("t", forever).await.unwrap();
    let chunk = client.chunk().await.unwrap();
    let expected = format!("retry: 2147483647\ndata: x\nid: {id}\n\n");
    assert_eq!(text(&chunk), expected);
}

/// HTTP/1.0 knows neither chunks nor kept connections: the stream ends with the connection.
#[tokio::test]
async fn http_1_0_gets_the_bare_stream() {
    let hub = quiet_hub();
    let server = serve_topic(&hub).await;
    let mut client = Client::send(server.address, "GET /sse HTTP/1.0").await;
    let head = client.head().await;
    assert_eq!(head[0], "HTTP/1.0 200 OK");
    assert_eq!(head[1..], STREAM_HEAD[1..5]);
    wait_until("it is open", || hub.stats().open == 1).await;
    let id = hub.publish("t", Event::data("x")).await.unwrap();
    hub.close(Duration::ZERO).await;
    let body = client.rest_until_closed().await;
    let (greeting, rest) =
        body.split_at(body.windows(5).position(|five| five == b"data:").unwrap());
    check_greeting(greeting, 1000);
    assert_eq!(text(rest), format!("data: x\nid: {id}\n\n"));
}

#[tokio::test]
async fn each_event_is_one_chunk_of_exactly_its_bytes() {
    let hub = quiet_hub();
    let server = serve_topic(&hub).await;
    let mut client = Client::get(server.address).await;
    past_the_greeting(&mut client, &hub, 1).await;
    let mut check = async |event: Event, expected: &str| {
        let id = hub.publish("t", event).await.unwrap();
        let chunk = client.chunk().await.unwrap();
        assert_eq!(text(&chunk), expected.replace("ID", id.as_str()));
    };
    let named = |text: &str| Event::data(text).named("tick".parse().unwrap());
    check(Event::data("plain"), "data: plain\nid: ID\n\n").await;
    check(named("x"), "event: tick\ndata: x\nid: ID\n\n").await;
    check(Event::data("a\nb"), "data: a\ndata: b\nid: ID\n\n").await;
    check(
        Event::data("a\r\nb\rc"),
        "data: a\ndata: b\ndata: c\nid: ID\n\n",
    )
    .await;
    check(Event::data(""), "data: \nid: ID\n\n").await;
    check(Event::data("\u{feff}x"), "data: \u{feff}x\nid: ID\n\n").await;
    check(Event::data("  x"), "data:   x\nid: ID\n\n").await;
    let evil = Event::data("x\n\nevent: evil");
    check(evil, "data: x\ndata: \ndata: event: evil\nid: ID\n\n").await;
    let own = Event::data("x").with_id(EventId::new("é雪").unwrap());
    check(own, "data: x\nid: é雪\n\n").await;
    let retry = Event::data("x").with_retry(Duration::from_millis(1500));
    check(retry, "retry: 1500\ndata: x\nid: ID\n\n").await;
}

#[tokio::test]
async fn a_newcomer_gets_the_status_and_a_returner_what_came_since() {
    let hub = quiet_hub();
    let server = serve_topic(&hub).await;
    let status = Event::data("one");
    let one = hub
        .publish_with_status("t", Event::data("1"), status)
        .await
        .unwrap();
    let two = hub.publish("t", Event::data("2")).await.unwrap();
    let mut newcomer = Client::get(server.address).await;
    newcomer.head().await;
    check_greeting(&newcomer.chunk().await.unwrap(), 1000);
    let status = newcomer.chunk().await.unwrap();
    assert_eq!(text(&status), format!("data: one\nid: {one}\n\n"));
    let live = newcomer.chunk().await.unwrap();
    assert_eq!(text(&live), format!("data: 2\nid: {two}\n\n"));

    let check = async |path_and_header: String| {
        let request = path_and_header.replace('|', " HTTP/1.1\nHost: localhost");
        let mut returner = Client::send(server.address, &format!("GET {request}")).await;
        returner.head().await;
        check_greeting(&returner.chunk().await.unwrap(), 1000);
        let missed = returner.chunk().await.unwrap();
        assert_eq!(
            text(&missed),
            format!("data: 2\nid: {two}\n\n"),
            "{request}"
        );
    };
    check(format!("/sse|\nLast-Event-ID: {one}")).await;
    check(format!("/sse|\nlast-event-id: {one}")).await;
    check(format!("/sse?last_event_id={one}|")).await;
    check(format!("/sse?a=b&lastEventId={one}&c|")).await;
    // The address of an EventSource keeps its first id; the header is newer.
    check(format!("/sse?last_event_id={two}|\nLast-Event-ID: {one}")).await;
}

#[tokio::test]
async fn a_lost_id_is_a_gap_event() {
    let hub = quiet_hub();
    let server = serve_topic(&hub).await;
    hub.set_status("t", Event::data("all")).await.unwrap();
    let request = "GET /sse HTTP/1.1\nHost: localhost\nLast-Event-ID: 00000000beef.3";
    let mut listener = Listener::new(Client::send(server.address, request).await).await;
    let gap = listener.next().await.unwrap();
    assert_eq!(gap.name, "gap");
    let json: serde_json::Value = serde_json::from_str(&gap.data).unwrap();
    assert_eq!(json["reason"], "other-log");
    assert_eq!(json["asked"], "00000000beef.3");
    assert_eq!(
        gap.last_event_id, "",
        "nothing to resume from before the status"
    );
    let status = listener.next().await.unwrap();
    assert_eq!(status.data, "all");
    assert_eq!(status.last_event_id, hub.cursor().as_str());
}

#[tokio::test]
async fn head_gets_the_head_and_no_stream() {
    let hub = quiet_hub();
    let server = serve_topic(&hub).await;
    let request = "HEAD /sse HTTP/1.1\nHost: localhost\nConnection: close";
    let mut client = Client::send(server.address, request).await;
    let head = client.head().await;
    assert_eq!(head[0], STREAM_HEAD[0]);
    for header in &STREAM_HEAD[1..5] {
        assert!(head.iter().any(|line| line == header), "{header}: {head:?}");
    }
    assert_eq!(client.rest_until_closed().await, b"");
    assert_eq!(hub.stats().opened, 0);
}

#[tokio::test]
async fn other_methods_are_refused_with_what_is_allowed() {
    let hub = quiet_hub();
    let server = serve_topic(&hub).await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let request = format!("{method} /sse HTTP/1.1\nHost: localhost\nConnection: close");
        let mut client = Client::send(server.address, &request).await;
        let head = client.head().await;
        assert_eq!(head[0], "HTTP/1.1 405 Method Not Allowed");
        assert!(
            head.iter().any(|line| line == "allow: GET, HEAD"),
            "{head:?}"
        );
        assert_eq!(client.rest_until_closed().await, b"");
    }
}

#[tokio::test]
async fn finished_topics_are_204_so_that_a_browser_stops_for_good() {
    let hub = quiet_hub();
    let server = serve_topic(&hub).await;
    let mut open = Client::get(server.address).await;
    past_the_greeting(&mut open, &hub, 1).await;
    let id = hub.publish("t", Event::data("bye")).await.unwrap();
    hub.finish("t");
    let rest = open.chunks_to_the_end().await;
    assert_eq!(text(&rest), format!("data: bye\nid: {id}\n\n"));
    let request = "GET /sse HTTP/1.1\nHost: localhost\nConnection: close";
    let mut client = Client::send(server.address, request).await;
    assert_eq!(client.head().await[0], "HTTP/1.1 204 No Content");
    assert_eq!(client.rest_until_closed().await, b"");
}

/// Any status but 200 would make a browser give up for good; so 200, when to come back, and the end.
async fn check_turned_away(hub: &Hub) {
    let server = serve_topic(hub).await;
    let mut client = Client::get(server.address).await;
    assert_eq!(client.head().await, STREAM_HEAD);
    check_greeting(&client.chunks_to_the_end().await, 1000);
    assert_eq!(hub.stats().open, 0);
}

#[tokio::test]
async fn a_closed_hub_sends_clients_away_politely() {
    let hub = quiet_hub();
    hub.close(Duration::ZERO).await;
    check_turned_away(&hub).await;
}

#[tokio::test]
async fn a_status_that_cannot_be_made_sends_clients_away_politely() {
    let hub = quiet_hub();
    hub.make_status("t", || async {
        Err::<AsOf, _>("the database is down".into())
    });
    check_turned_away(&hub).await;
}

#[tokio::test]
async fn what_may_not_be_had_is_the_status_that_says_so() {
    let hub = quiet_hub();
    let server = serve(Endpoint::selecting(hub.clone(), |request| {
        match request.uri.path().strip_prefix("/topic/") {
            Some(topic) => Ok(topic.into()),
            None => Err(http::StatusCode::FORBIDDEN),
        }
    }))
    .await;
    let request = "GET /sse HTTP/1.1\nHost: localhost";
    let mut client = Client::send(server.address, request).await;
    assert_eq!(client.head().await[0], "HTTP/1.1 403 Forbidden");
    let request = "GET /topic/a HTTP/1.1\nHost: localhost";
    let mut client = Client::send(server.address, request).await;
    assert_eq!(client.head().await, STREAM_HEAD);
    wait_until("it is open", || hub.stats().open == 1).await;
    assert_eq!(hub.streams()[0].interest, Interest::from("a"));
}

#[tokio::test]
async fn streams_carry_their_label() {
    let hub = quiet_hub();
    let endpoint = Endpoint::new(hub.clone(), "t").label(|request| request.uri.path().to_owned());
    let server = serve(endpoint).await;
    let _client = Client::get(server.address).await;
    wait_until("it is open", || hub.stats().open == 1).await;
    assert_eq!(hub.streams()[0].label.as_deref(), Some("/sse"));
}

#[tokio::test]
async fn a_client_that_closes_is_gone_without_any_publish() {
    let hub = quiet_hub();
    let server = serve_topic(&hub).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = Client::get(server.address).await;
        client.head().await;
        clients.push(client);
    }
    wait_until("all are open", || hub.stats().open == 20).await;
    drop(clients);
    wait_until("all are gone", || hub.stats().open == 0).await;
    assert_eq!(hub.stats().closed, 20);
}

/// A client that vanished without a word (power, cable) cannot be told from a silent one, except by
/// writing: each sign of life is a segment to be acknowledged, and when none is, the kernel's
/// retransmission timeout (`net.ipv4.tcp_retries2`, or `TCP_USER_TIMEOUT` where the server sets it)
/// ends the connection. So what is to be shown here is that they are written.
#[tokio::test]
async fn a_silent_client_is_written_to() {
    let memory = Memory::new(Retention::default());
    let hub = Hub::with_keep_alive(memory, Duration::from_millis(20));
    let server = serve_topic(&hub).await;
    let mut client = Client::get(server.address).await;
    past_the_greeting(&mut client, &hub, 1).await;
    let id = format!("id: {}\n\n", hub.cursor());
    assert_eq!(text(&client.chunk().await.unwrap()), id);
    for _ in 0..3 {
        assert_eq!(client.chunk().await.as_deref(), Some(&b": \n"[..]));
    }
}

#[tokio::test]
async fn a_shutdown_with_a_hundred_streams_ends() {
    let hub = quiet_hub();
    let server = serve_topic(&hub).await;
    let mut clients = Vec::new();
    for n_open in 1..=100 {
        let mut client = Client::get(server.address).await;
        past_the_greeting(&mut client, &hub, n_open).await;
        clients.push(client);
    }
    let last = hub.publish("t", Event::data("bye")).await.unwrap();
    server.stop.send(true).unwrap();
    let closing = hub.close(Duration::from_millis(50));
    tokio::time::timeout(LONG, closing).await.unwrap();
    tokio::time::timeout(LONG, server.serving)
        .await
        .unwrap()
        .unwrap();
    for mut client in clients {
        let rest = client.chunks_to_the_end().await;
        assert_eq!(text(&rest), format!("data: bye\nid: {last}\n\n"));
        assert_eq!(client.rest_until_closed().await, b"");
    }
    assert_eq!(hub.stats().open, 0);
}

/// 20 MB for one who has stopped reading: the log keeps what it keeps, and nobody else notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_reading_costs_the_log_nothing_and_the_others_nothing() {
    const EVENTS: usize = 2000;
    let hub = quiet_hub();
    let server = serve_topic(&hub).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let request = "GET /sse HTTP/1.1\nHost: localhost";
    let slow = Client::send_from(socket, server.address, request).await;
    let mut slow = Listener::new(slow).await;
    let mut quick = Listener::new(Client::get(server.address).await).await;
    wait_until("both are open", || hub.stats().open == 2).await;
    // Knows every event without keeping it alive.
    let mut witness = hub.subscribe("t", Cursor::Latest).await.unwrap();
    let mut events: Vec<Weak<Stored>> = Vec::new();
    let large = |n: usize| format!("{n} {}", "x".repeat(10_000));
    let number = |text: &str| text.split(' ').next().unwrap().parse::<usize>().unwrap();
    for n in 0..EVENTS {
        let status = Event::data(format!("status {n}"));
        let event = Event::data(large(n));
        hub.publish_with_status("t", event, status).await.unwrap();
        let Some(Delivery::Event(stored)) = witness.next().await else {
            panic!("the witness reads all");
        };
        events.push(Arc::downgrade(&stored));
        drop(stored);
        assert_eq!(number(&quick.next().await.unwrap().data), n);
    }
    drop(witness);
    let alive = events.iter().filter_map(Weak::upgrade);
    let kept: usize = alive.map(|stored| stored.frame.bytes().len()).sum();
    let limit = Retention::default().bytes;
    assert!(kept <= limit, "{kept} bytes are kept of at most {limit}");
    assert_eq!(hub.stats().gaps, 0);

    // It reads on: what was under way, the gap, the status, and then what is live.
    let mut expected = 0;
    let gap = loop {
        let message = slow.next().await.unwrap();
        if message.name == "gap" {
            break message;
        }
        assert_eq!(number(&message.data), expected);
        expected += 1;
    };
    assert!(expected < EVENTS, "it was stopped by its full socket");
    let json: serde_json::Value = serde_json::from_str(&gap.data).unwrap();
    assert_eq!(json["reason"], "behind");
    let status = slow.next().await.unwrap();
    assert_eq!(status.data, format!("status {}", EVENTS - 1));
    hub.publish("t", Event::data("live")).await.unwrap();
    assert_eq!(slow.next().await.unwrap().data, "live");
    assert_eq!(quick.next().await.unwrap().data, "live");
}

#[tokio::test]
async fn several_topics_on_one_stream_come_in_the_logs_order() {
    let hub = quiet_hub();
    let both = ["a", "b"].map(|topic| Selector::Exact(topic.into()));
    let server = serve(Endpoint::new(hub.clone(), Interest::any_of(both))).await;
    let mut listener = Listener::new(Client::get(server.address).await).await;
    wait_until("it is open", || hub.stats().open == 1).await;
    for n in 0..100 {
        let topic = ["a", "b", "c"][n % 3];
        hub.publish(topic, Event::data(n.to_string()))
            .await
            .unwrap();
    }
    for n in (0..100).filter(|n| n % 3 != 2) {
        assert_eq!(listener.next().await.unwrap().data, n.to_string());
    }
}
