//! Upgrades and what passes through the tunnels after them.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Body, Server, body, plain, read_until};
use crate::listen::tunnel::join;
use crate::listen::{Answer, Tunnel};

const UPGRADE_REQUEST: &str =
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n";

fn switching() -> Response<Body> {
    let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    let response = response
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "echo");
    response.body(body("")).unwrap()
}

/// Passes upgrades on to a server of the test.
async fn proxy(upstream: SocketAddr) -> Server {
    Server::start(move |_: Request<Incoming>| async move {
        let socket = TokioIo::new(TcpStream::connect(upstream).await.unwrap());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(socket).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        let request = Request::get("/")
            .header(CONNECTION, "upgrade")
            .header(UPGRADE, "echo")
            .body(Empty::<Bytes>::new())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        Answer::Upgrade(switching(), Tunnel::after(hyper::upgrade::on(response)))
    })
    .await
}

/// A tunnel through a server: the client's end and the upstream's, both after the upgrade.
async fn tunnel() -> (Server, TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let server = proxy(listener.local_addr().unwrap()).await;
    let mut client = server.connect().await;
    client.write_all(UPGRADE_REQUEST.as_bytes()).await.unwrap();
    let (mut upstream, _) = listener.accept().await.unwrap();
    read_until(&mut upstream, "\r\n\r\n").await;
    let head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    upstream.write_all(head).await.unwrap();
    read_until(&mut client, "\r\n\r\n").await;
    (server, client, upstream)
}

#[tokio::test]
async fn bytes_in_the_same_segment_as_the_head_reach_the_other_side() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let server = proxy(listener.local_addr().unwrap()).await;
    let mut client = server.connect().await;
    // This would not do as a request.
    let early = "\0\n early\r from the client.";
    let head_and_early = UPGRADE_REQUEST.to_owned() + early;
    client.write_all(head_and_early.as_bytes()).await.unwrap();
    let (mut upstream, _) = listener.accept().await.unwrap();
    read_until(&mut upstream, "\r\n\r\n").await;
    let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nearly from upstream.";
    upstream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_until(&mut upstream, ".").await, early);
    let got = read_until(&mut client, "upstream.").await;
    let (head, early) = got.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{head}"
    );
    // RFC 9110 8.6: none in a 1xx response.
    assert!(!head.contains("content-length"), "{head}");
    assert_eq!(early, "early from upstream.");
    for word in ["one.", "two."] {
        client.write_all(word.as_bytes()).await.unwrap();
        assert_eq!(read_until(&mut upstream, ".").await, word);
        upstream.write_all(word.as_bytes()).await.unwrap();
        assert_eq!(read_until(&mut client, ".").await, word);
    }
}

#[tokio::test]
async fn a_side_that_closes_has_what_it_sent_delivered_and_the_other_side_closed() {
    for is_client in [true, false] {
        let (_server, client, upstream) = tunnel().await;
        let (mut closing, mut other) = match is_client {
            true => (client, upstream),
            false => (upstream, client),
        };
        let large = vec![b'x'; 4 << 20];
        let sent = large.len();
        let sending = tokio::spawn(async move {
            closing.write_all(&large).await.unwrap();
            closing.shutdown().await.unwrap();
            // The answer to the end is delivered as well.
            let mut farewell = String::new();
            closing.read_to_string(&mut farewell).await.unwrap();
            farewell
        });
        let mut got = Vec::new();
        other.read_to_end(&mut got).await.unwrap();
        assert_eq!(got.len(), sent);
        other.write_all(b"farewell").await.unwrap();
        drop(other);
        assert_eq!(sending.await.unwrap(), "farewell");
    }
}

#[tokio::test]
async fn a_side_that_is_cut_off_closes_the_other() {
    for is_client in [true, false] {
        let (_server, client, upstream) = tunnel().await;
        let (cut, mut other) = match is_client {
            true => (client, upstream),
            false => (upstream, client),
        };
        socket2::SockRef::from(&cut)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(cut);
        let mut got = Vec::new();
        // The end, or an error.
        let _ = other.read_to_end(&mut got).await;
        assert_eq!(got, b"");
    }
}

#[tokio::test]
async fn a_shutdown_ends_an_idle_tunnel_at_once() {
    let (server, mut client, mut upstream) = tunnel().await;
    server.shutdown.send(true).unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(upstream.read(&mut [0]).await.unwrap(), 0);
    server.shutdown.closed().await;
}

#[tokio::test]
async fn a_request_after_one_whose_upgrade_is_declined_is_checked_and_answered() {
    let server = Server::start(|request: Request<Incoming>| async move {
        // As long as another server takes to decline.
        tokio::task::yield_now().await;
        plain(request.uri().path().to_owned())
    })
    .await;
    let next = "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = server.talk(UPGRADE_REQUEST.to_owned() + next).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
    assert!(answer.ends_with("/next"), "{answer}");
    let odd = "GET /next HTTP/1.1\r\nHost: x\n\r\n";
    let answer = server.talk(UPGRADE_REQUEST.to_owned() + odd).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
    assert!(answer.contains("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn an_upgrade_that_the_client_did_not_ask_for_is_502() {
    let server = Server::start(|_: Request<Incoming>| async {
        Answer::Upgrade(switching(), Tunnel::new(|_| async { panic!("it ran") }))
    })
    .await;
    for head in [
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUpgrade: echo\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
        "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\nConnection: close, upgrade\r\nUpgrade: echo\r\n\r\n",
    ] {
        let answer = server.talk(head).await;
        assert!(
            answer.get(9..12) == Some("502"),
            "{head:?} is answered {answer:?}"
        );
    }
}

#[tokio::test]
async fn an_idle_tunnel_stays_open() {
    let (_server, mut client, mut upstream) = tunnel().await;
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(7 * 24 * 60 * 60)).await;
    client.write_all(b"still.").await.unwrap();
    assert_eq!(read_until(&mut upstream, ".").await, "still.");
    upstream.write_all(b"here.").await.unwrap();
    assert_eq!(read_until(&mut client, ".").await, "here.");
}

#[tokio::test]
async fn a_side_that_does_not_close_after_the_other_has_is_closed() {
    let (_server, mut client, mut upstream) = tunnel().await;
    tokio::time::pause();
    client.shutdown().await.unwrap();
    assert_eq!(upstream.read(&mut [0]).await.unwrap(), 0);
    // Time passes, because nothing else happens.
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_read_from_one_side_than_the_other_takes() {
    let (mut client, near_client) = tokio::io::duplex(64);
    let (near_upstream, mut upstream) = tokio::io::duplex(64);
    tokio::spawn(join(near_client, near_upstream));
    let bytes = vec![b'x'; 1 << 20];
    let mut sent = 0;
    let sending = async {
        while sent < bytes.len() {
            sent += client.write(&bytes[sent..]).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(1000), sending)
        .await
        .unwrap_err();
    assert!(sent < 20_000, "{sent} bytes were taken");
    let rest = tokio::spawn(async move {
        client.write_all(&bytes[sent..]).await.unwrap();
    });
    let mut got = Vec::new();
    upstream.read_to_end(&mut got).await.unwrap();
    rest.await.unwrap();
    assert_eq!(got.len(), 1 << 20);
}
