//! Bodies are streams, in both directions.

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use crate::support::program::{PATIENCE, Server};
use crate::{Backend, Client, proxy, request};

const PIECE: usize = 64 * 1024;

/// The most memory that the server has had, in bytes.
fn peak_memory(server: &Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line
        .and_then(|line| line.split_whitespace().nth(1))
        .unwrap();
    kib.parse::<usize>().unwrap() * 1024
}

#[test]
fn each_piece_passes_before_the_next_one_is_sent() {
    let backend = Backend::start(|mut conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        // Each piece is sent back when it has come.
        while let Some(piece) = conn.chunk().filter(|piece| !piece.is_empty()) {
            conn.send(format!("{:x}\r\n", piece.len()));
            conn.send(piece);
            conn.send("\r\n");
        }
        conn.trailers();
        conn.send("0\r\n\r\n");
    });
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    client.ask("POST", "/", &["Transfer-Encoding: chunked"]);
    let head = client.wire.head();
    assert_eq!(head.status(), 200);
    for piece in ["one", "two", "three"] {
        client
            .wire
            .send(format!("{:x}\r\n{piece}\r\n", piece.len()));
        assert_eq!(client.wire.chunk().unwrap(), piece.as_bytes());
    }
    client.wire.send("0\r\n\r\n");
    assert_eq!(client.wire.chunk().unwrap(), b"");
}

#[test]
fn a_large_body_takes_little_memory_in_either_direction() {
    const SIZE: usize = 192 << 20;
    let backend = Backend::start(|mut conn| {
        let head = conn.request();
        let mut left = SIZE;
        if head.first().starts_with("PUT") {
            while left > 0 {
                left -= conn.bytes(PIECE.min(left)).len();
            }
            conn.send("HTTP/1.1 204 No Content\r\n\r\n");
        } else {
            conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"));
            let piece = vec![b'x'; PIECE];
            while left > 0 && conn.send(&piece) {
                left -= PIECE;
            }
        }
    });
    let server = proxy(&backend, &[]);
    let before = peak_memory(&server);
    let mut client = Client::connect(server.port);
    client.ask("GET", "/", &[]);
    client.wire.head();
    let mut left = SIZE;
    while left > 0 {
        let count = client.wire.bytes(PIECE).len();
        assert_ne!(count, 0, "{left} bytes are missing");
        left -= count;
    }
    let mut client = Client::connect(server.port);
    client.ask("PUT", "/", &[&format!("Content-Length: {SIZE}")]);
    let piece = vec![b'x'; PIECE];
    for _ in 0..SIZE / PIECE {
        assert!(client.wire.send(&piece));
    }
    assert_eq!(client.wire.head().status(), 204);
    let taken = peak_memory(&server) - before;
    assert!(taken < SIZE / 12, "{} KiB", taken / 1024);
}

#[test]
fn nothing_is_read_from_a_backend_that_the_client_does_not_take() {
    let (told, heard) = mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let backend = Backend::start(move |mut conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        // Far longer than it takes to fill what lies between.
        let socket = conn.socket();
        socket
            .set_write_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        let mut piece = format!("{PIECE:x}\r\n").into_bytes();
        piece.resize(piece.len() + PIECE, b'x');
        piece.extend_from_slice(b"\r\n");
        let mut sent = 0;
        while sent < 256 << 20 && conn.send(&piece) {
            sent += PIECE;
        }
        told.lock().unwrap().send(sent).unwrap();
    });
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    client.ask("GET", "/", &[]);
    client.wire.head();
    let sent = heard.recv().unwrap();
    // The buffers of the sockets are some MiB each.
    assert!(sent < 64 << 20, "{} MiB", sent >> 20);
}

#[test]
fn trailers_pass_in_both_directions() {
    let backend = Backend::start(|mut conn| {
        let head = conn.request();
        assert_eq!(head.get("te"), Some("trailers"));
        assert_eq!(head.get("trailer"), Some("X-Sum"));
        conn.body(&head);
        let trailers = conn.trailers();
        conn.send(format!(
            "HTTP/1.1 200 OK\r\nTrailer: X-End\r\nTransfer-Encoding: chunked\r\n\r\n\
             1\r\nx\r\n0\r\nX-End: {}\r\n\r\n",
            trailers.join("|")
        ));
    });
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    client.ask(
        "POST",
        "/",
        &[
            "TE: trailers",
            "Connection: te",
            "Trailer: X-Sum",
            "Transfer-Encoding: chunked",
        ],
    );
    client.wire.send("1\r\nx\r\n0\r\nX-Sum: 42\r\n\r\n");
    let head = client.wire.head();
    assert_eq!(head.get("trailer"), Some("X-End"));
    client.wire.body(&head).complete();
    let trailers = client.wire.trailers();
    assert_eq!(trailers.len(), 1);
    assert!(
        trailers[0].eq_ignore_ascii_case("x-end: x-sum: 42"),
        "{trailers:?}"
    );
}

#[test]
fn a_body_with_a_get_arrives() {
    let backend = Backend::start(|mut conn| {
        let head = conn.request();
        let body = conn.body(&head).text();
        conn.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
    });
    let server = proxy(&backend, &[]);
    for (header, sent) in [
        ("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
        ("Content-Length: 3", "abc"),
    ] {
        let mut client = Client::connect(server.port);
        client
            .wire
            .send(request(server.port, "GET", "/", &[header]) + sent);
        let head = client.wire.head();
        assert_eq!(client.wire.body(&head).text(), "abc", "{header}");
    }
}

#[test]
fn a_body_that_the_backend_refuses_is_not_sent() {
    let (told, heard) = mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let backend = Backend::start(move |mut conn| {
        let head = conn.request();
        assert_eq!(head.get("expect"), Some("100-continue"));
        conn.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
        told.lock().unwrap().send(conn.rest()).unwrap();
    });
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    client.ask("POST", "/", &["Content-Length: 4", "Expect: 100-continue"]);
    let head = client.wire.head();
    assert_eq!(head.status(), 413, "{head:?}");
    assert_eq!(client.wire.body(&head).text(), "big");
    drop(client);
    assert_eq!(heard.recv().unwrap(), b"");
}

#[test]
fn an_answer_that_comes_before_the_whole_body_passes_at_once() {
    let backend = Backend::start(|mut conn| {
        conn.request();
        conn.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
        // It reads no more, and the client goes on sending.
        conn.bytes(1);
        conn.socket().peek(&mut [0]).unwrap();
        std::thread::park_timeout(PATIENCE);
    });
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    client.ask("POST", "/", &["Content-Length: 1000000000"]);
    client.wire.send(vec![b'x'; 100_000]);
    let head = client.wire.head();
    assert_eq!(head.status(), 401, "{head:?}");
    assert_eq!(client.wire.body(&head).text(), "no");
}

#[test]
fn a_body_that_the_backend_wants_is_asked_for() {
    let backend = Backend::start(|mut conn| {
        let head = conn.request();
        conn.send("HTTP/1.1 100 Continue\r\n\r\n");
        let body = conn.body(&head).text();
        conn.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
    });
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    client.ask("POST", "/", &["Content-Length: 4", "Expect: 100-continue"]);
    assert_eq!(client.wire.head().status(), 100);
    client.wire.send("body");
    let head = client.wire.head();
    assert_eq!(head.status(), 200);
    assert_eq!(client.wire.body(&head).text(), "body");
}

#[test]
fn an_event_of_the_apps_own_stream_passes_at_once_and_leaving_it_is_noticed() {
    let (told, heard) = mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let backend = Backend::start(move |mut conn| {
        conn.request();
        conn.send(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
             9\r\ndata: 1\n\n\r\n",
        );
        // Silent from here on.
        conn.rest();
        told.lock().unwrap().send(()).unwrap();
    });
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    client.ask("GET", "/server-sent-events", &["Accept: text/event-stream"]);
    let head = client.wire.head();
    assert_eq!(head.get("content-type"), Some("text/event-stream"));
    assert_eq!(client.wire.chunk().unwrap(), b"data: 1\n\n");
    drop(client);
    heard.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_client_that_leaves_before_there_is_an_answer_cancels_the_request() {
    let (told, heard) = mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let backend = Backend::start(move |mut conn| {
        conn.request();
        conn.rest();
        told.lock().unwrap().send(()).unwrap();
    });
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    client.ask("GET", "/long-poll", &[]);
    backend.request(0);
    drop(client);
    heard.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn many_silent_requests_do_not_hold_up_another_one() {
    let backend = Backend::start(|mut conn| {
        let head = conn.request();
        match head.first().starts_with("GET /silent") {
            true => drop(conn.rest()),
            false => drop(conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")),
        }
    });
    let server = proxy(&backend, &[]);
    let silent: Vec<_> = (0..100)
        .map(|_| {
            let mut client = Client::connect(server.port);
            client.ask("GET", "/silent", &[]);
            client
        })
        .collect();
    backend.request(99);
    let (head, _) = Client::get(server.port, "/", &[]);
    assert_eq!(head.status(), 200);
    drop(silent);
}
