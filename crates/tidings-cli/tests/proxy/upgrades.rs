//! WebSockets and any other upgrade.

use std::sync::mpsc;

use crate::support::program::PATIENCE;
use crate::{Backend, Client, proxy};

const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: my-protocol\r\n\r\n";

const UPGRADE: [&str; 2] = ["Connection: keep-alive, Upgrade", "Upgrade: my-protocol"];

/// A backend that agrees, and then sends everything back.
fn echo() -> Backend {
    Backend::start(|mut conn| {
        let head = conn.request();
        assert_eq!(head.get("upgrade"), Some("my-protocol"));
        assert_eq!(head.get("connection"), Some("upgrade"));
        conn.send(SWITCHING);
        loop {
            let byte = conn.bytes(1);
            if byte.is_empty() {
                return;
            }
            conn.send(byte);
        }
    })
}

#[test]
fn bytes_pass_both_ways_after_an_upgrade() {
    let backend = echo();
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    client.ask("GET", "/chat", &UPGRADE);
    let head = client.wire.head();
    assert_eq!(head.status(), 101);
    assert_eq!(head.get("upgrade"), Some("my-protocol"));
    for text in ["one", "two"] {
        client.wire.send(text);
        assert_eq!(client.wire.bytes(3), text.as_bytes());
    }
}

#[test]
fn bytes_in_the_same_segment_as_the_heads_are_not_lost() {
    let backend = Backend::start(|mut conn| {
        conn.request();
        conn.send(format!("{SWITCHING}hello"));
        let bytes = conn.bytes(5);
        conn.send(bytes);
    });
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    let head = crate::request(server.port, "GET", "/", &UPGRADE);
    client.wire.send(head + "early");
    assert_eq!(client.wire.head().status(), 101);
    assert_eq!(client.wire.bytes(10), b"helloearly");
}

#[test]
fn a_websocket_handshake_and_its_messages_pass() {
    let backend = Backend::start(|conn| {
        let socket = conn.socket().try_clone().unwrap();
        let mut socket = tungstenite::accept(socket).unwrap();
        while let Ok(message) = socket.read() {
            if message.is_text() || message.is_binary() {
                socket.send(message).unwrap();
            }
        }
    });
    let server = proxy(&backend, &[]);
    let url = format!("ws://localhost:{}/hmr?token=x", server.port);
    let stream = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut socket, _) = tungstenite::client(url, stream).unwrap();
    for length in [1, 126, 100_000] {
        let message = tungstenite::Message::text("x".repeat(length));
        socket.send(message.clone()).unwrap();
        assert_eq!(socket.read().unwrap(), message);
    }
    socket.close(None).unwrap();
    while socket.read().is_ok() {}
}

#[test]
fn a_refused_upgrade_is_an_ordinary_answer() {
    let backend = Backend::answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    let (head, body) = client.answer("GET", "/", &UPGRADE);
    assert_eq!((head.status(), body.text()), (403, "no".to_owned()));
}

#[test]
fn a_client_that_leaves_closes_the_tunnel() {
    let (told, heard) = mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let backend = Backend::start(move |mut conn| {
        conn.request();
        conn.send(SWITCHING);
        conn.rest();
        told.lock().unwrap().send(()).unwrap();
    });
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    client.ask("GET", "/", &UPGRADE);
    assert_eq!(client.wire.head().status(), 101);
    drop(client);
    heard.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_backend_that_closes_or_breaks_ends_its_own_tunnel_only() {
    let backend = Backend::start(|mut conn| {
        conn.request();
        conn.send(SWITCHING);
        match conn.bytes(1).as_slice() {
            b"c" => {}
            b"r" => conn.reset(),
            _ => drop(conn.send("!")),
        }
    });
    let server = proxy(&backend, &[]);
    let open = || {
        let mut client = Client::connect(server.port);
        client.ask("GET", "/", &UPGRADE);
        assert_eq!(client.wire.head().status(), 101);
        client
    };
    let mut other = open();
    for command in ["c", "r"] {
        let mut client = open();
        client.wire.send(command);
        assert_eq!(client.wire.rest(), b"");
    }
    other.wire.send("x");
    assert_eq!(other.wire.bytes(1), b"!");
}

#[test]
fn http_2_is_no_protocol_to_upgrade_to() {
    let backend = Backend::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let server = proxy(&backend, &[]);
    let headers = [
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAAQAAP__",
    ];
    let (head, _) = Client::get(server.port, "/", &headers);
    assert_eq!(head.status(), 200);
    let sent = backend.request(0);
    assert_eq!(sent.get("upgrade"), None);
    assert_eq!(sent.get("http2-settings"), None);
    assert_eq!(sent.get("connection"), None);
}

#[test]
fn an_upgrade_that_nobody_asked_for_is_a_bad_gateway() {
    let backend = Backend::answering(SWITCHING);
    let server = proxy(&backend, &[]);
    let (head, _) = Client::get(server.port, "/", &[]);
    assert_eq!(head.status(), 502);
}
