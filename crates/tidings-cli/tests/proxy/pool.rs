//! Connections that are kept open, and what happens when the backend closes one.

use crate::{Backend, Body, Client, proxy};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A backend that answers the first request on its first connection. From then on, it reads each request and
/// closes the connection without an answer, as often as this says.
fn closing(times: usize) -> Backend {
    let left = std::sync::atomic::AtomicUsize::new(times);
    Backend::start(move |mut conn| {
        let is_first = conn.index == 0;
        if is_first {
            let head = conn.request();
            conn.body(&head);
            conn.send(OK);
        }
        loop {
            let head = conn.request();
            if head.0.is_empty() {
                return;
            }
            conn.body(&head);
            use std::sync::atomic::Ordering::SeqCst;
            if left
                .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
                .is_ok()
            {
                return;
            }
            conn.send(OK);
        }
    })
}

fn requests_of(backend: &Backend, method: &str) -> usize {
    let requests = backend.requests();
    let first = requests
        .iter()
        .filter(|head| head.first().starts_with(method));
    first.count()
}

#[test]
fn a_connection_is_used_again() {
    let backend = closing(0);
    let server = proxy(&backend, &[]);
    for _ in 0..5 {
        let (head, body) = Client::get(server.port, "/", &[]);
        assert_eq!((head.status(), body.text()), (200, "ok".to_owned()));
    }
    assert_eq!(backend.connections(), 1);
}

#[test]
fn a_request_that_may_be_is_sent_once_more_when_the_backend_has_just_closed_the_connection() {
    for method in ["GET", "HEAD", "OPTIONS", "DELETE"] {
        let backend = closing(1);
        let server = proxy(&backend, &[]);
        Client::get(server.port, "/first", &[]);
        let (head, _) = Client::connect(server.port).answer(method, "/again", &[]);
        assert_eq!(head.status(), 200, "{method}");
        let again = format!("{method} /again HTTP/1.1");
        let requests = backend.requests();
        let n_sent = requests.iter().filter(|head| head.first() == again).count();
        assert_eq!(n_sent, 2, "{method}");
        assert_eq!(backend.connections(), 2, "{method}");
    }
}

#[test]
fn a_request_with_an_effect_is_never_sent_twice() {
    for method in ["POST", "PATCH"] {
        let backend = closing(1);
        let server = proxy(&backend, &[]);
        Client::get(server.port, "/", &[]);
        let length = ["Content-Length: 0"];
        let (head, _) = Client::connect(server.port).answer(method, "/", &length);
        assert_eq!(head.status(), 502, "{method}");
        assert_eq!(requests_of(&backend, method), 1, "{method}");
    }
}

#[test]
fn a_body_that_was_sent_is_not_sent_again() {
    let backend = closing(1);
    let server = proxy(&backend, &[]);
    Client::get(server.port, "/", &[]);
    let mut client = Client::connect(server.port);
    client.ask("PUT", "/", &["Content-Length: 4"]);
    client.wire.send("body");
    assert_eq!(client.wire.head().status(), 502);
    assert_eq!(requests_of(&backend, "PUT"), 1);
}

#[test]
fn a_request_is_not_sent_again_when_the_backend_closes_a_new_connection() {
    let backend = Backend::start(|mut conn| drop(conn.request()));
    let server = proxy(&backend, &[]);
    let (head, _) = Client::get(server.port, "/", &[]);
    assert_eq!(head.status(), 502);
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn it_is_sent_once_more_and_not_oftener() {
    let backend = closing(5);
    let server = proxy(&backend, &[]);
    Client::get(server.port, "/", &[]);
    let (head, _) = Client::get(server.port, "/", &[]);
    assert_eq!(head.status(), 502);
    assert_eq!(requests_of(&backend, "GET"), 3);
}

#[test]
fn a_connection_that_the_backend_says_it_closes_is_not_used_again() {
    let backend = Backend::start(|mut conn| {
        let head = conn.request();
        conn.body(&head);
        conn.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
        conn.rest();
    });
    let server = proxy(&backend, &[]);
    for _ in 0..5 {
        let (head, _) = Client::connect(server.port).answer("POST", "/", &["Content-Length: 0"]);
        assert_eq!(head.status(), 200);
    }
    assert_eq!(backend.connections(), 5);
}

#[test]
fn a_connection_whose_answer_nobody_has_read_is_not_used_again() {
    let backend = Backend::start(|mut conn| {
        loop {
            let head = conn.request();
            match head.first().split(' ').nth(1) {
                Some("/large") => {
                    conn.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
                    let piece = vec![b'x'; 65536];
                    while conn.send(&piece) {}
                    return;
                }
                Some(_) => drop(conn.send(OK)),
                None => return,
            }
        }
    });
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    client.ask("GET", "/large", &[]);
    assert_eq!(client.wire.head().status(), 200);
    client.wire.bytes(1000);
    drop(client);
    let (head, body) = Client::get(server.port, "/", &[]);
    assert_eq!(head.status(), 200);
    assert_eq!(body, Body::Complete(b"ok".to_vec()));
}
