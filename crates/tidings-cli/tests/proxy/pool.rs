//! Connections that are kept open, and what happens when the backend closes one.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::support::program::{Server, until};
use crate::{Backend, Body, Client, proxy};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A backend whose connections each answer this many requests. After that, it reads one more and closes the
/// connection without an answer. `index` is that of the connection.
fn closing_after(n_answers: impl Fn(usize) -> usize + Send + Sync + 'static) -> Backend {
    Backend::start(move |mut conn| {
        for _ in 0..n_answers(conn.index) {
            let head = conn.request();
            conn.body(&head);
            conn.send(OK);
        }
        let head = conn.request();
        conn.body(&head);
    })
}

/// How often a request with this first word and path was sent.
fn times_sent(backend: &Backend, method: &str, path: &str) -> usize {
    let first = format!("{method} {path} HTTP/1.1");
    let requests = backend.requests();
    requests.iter().filter(|head| head.first() == first).count()
}

/// Sends requests until one has met a connection that was closed for it: the first one that was sent more than
/// once. Returns its path and the status of its answer.
#[track_caller]
fn first_that_was_repeated(backend: &Backend, server: &Server, method: &str) -> (String, u16) {
    let mut n = 0;
    let found = until(|| {
        Client::get(server.port, "/warm", &[]);
        n += 1;
        let path = format!("/{n}");
        let (head, _) = Client::connect(server.port).answer(method, &path, &[]);
        let is_repeated = times_sent(backend, method, &path) > 1;
        is_repeated.then_some((path, head.status()))
    });
    found.expect("a connection is used again")
}

#[test]
fn a_connection_is_used_again() {
    let backend = closing_after(|_| usize::MAX);
    let server = proxy(&backend, &[]);
    for _ in 0..20 {
        let (head, body) = Client::get(server.port, "/", &[]);
        assert_eq!((head.status(), body.text()), (200, "ok".to_owned()));
    }
    assert!(backend.connections() < 10, "{}", backend.connections());
}

#[test]
#[cfg(target_os = "linux")]
fn a_body_that_waits_for_the_acknowledgement_of_its_head_comes_at_once() {
    let backend = Backend::start(|mut conn| {
        conn.socket().set_nodelay(false).unwrap();
        while !conn.request().0.is_empty() {
            conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
            conn.send("ok");
        }
    });
    let server = proxy(&backend, &[]);
    let time = |port: u16| {
        let mut client = Client::connect(port);
        let began = Instant::now();
        for _ in 0..25 {
            let (_, body) = client.answer("GET", "/", &[]);
            assert_eq!(body.text(), "ok");
        }
        began.elapsed()
    };
    let direct = time(backend.port());
    if direct < Duration::from_millis(500) {
        eprintln!("SKIPPED: this system does not delay acknowledgements");
        return;
    }
    let proxied = time(server.port);
    assert!(proxied * 3 < direct, "{proxied:?}, directly {direct:?}");
}

#[test]
fn a_backend_with_a_single_thread_never_waits_on_an_idle_connection() {
    let turn = Mutex::new(());
    let backend = Backend::start(move |mut conn| {
        let _turn = turn.lock().unwrap();
        loop {
            let head = conn.request();
            if head.0.is_empty() {
                return;
            }
            conn.body(&head);
            conn.send(OK);
        }
    });
    let server = proxy(&backend, &[]);
    for method in ["GET", "POST", "GET", "POST", "POST"] {
        let form = ["Content-Length: 0"];
        let (head, _) = Client::connect(server.port).answer(method, "/", &form);
        assert_eq!(head.status(), 200, "{method}");
    }
}

#[test]
fn a_request_that_may_be_is_sent_once_more_when_the_backend_has_just_closed_the_connection() {
    for method in ["GET", "HEAD", "OPTIONS", "DELETE"] {
        let backend = closing_after(|_| 1);
        let server = proxy(&backend, &[]);
        let (path, status) = first_that_was_repeated(&backend, &server, method);
        assert_eq!(status, 200, "{method}");
        assert_eq!(times_sent(&backend, method, &path), 2, "{method}");
    }
}

#[test]
fn a_request_with_an_effect_or_a_body_is_sent_once_and_does_not_meet_a_closed_connection() {
    let backend = closing_after(|_| 1);
    let server = proxy(&backend, &[]);
    for (method, body) in [("POST", ""), ("PATCH", "x"), ("PUT", "body")] {
        for n in 0..10 {
            Client::get(server.port, "/warm", &[]);
            let path = format!("/{n}");
            let length = format!("Content-Length: {}", body.len());
            let mut client = Client::connect(server.port);
            client.ask(method, &path, &[&length]);
            client.wire.send(body);
            assert_eq!(client.wire.head().status(), 200, "{method}");
            assert_eq!(times_sent(&backend, method, &path), 1, "{method}");
        }
    }
}

#[test]
fn a_request_with_an_effect_is_not_sent_again_when_it_gets_no_answer() {
    let backend = closing_after(|_| 0);
    let server = proxy(&backend, &[]);
    let (head, _) = Client::connect(server.port).answer("POST", "/", &["Content-Length: 0"]);
    assert_eq!(head.status(), 502);
    assert_eq!(times_sent(&backend, "POST", "/"), 1);
}

#[test]
fn a_request_is_not_sent_again_when_the_backend_closes_a_new_connection() {
    let backend = closing_after(|_| 0);
    let server = proxy(&backend, &[]);
    let (head, _) = Client::get(server.port, "/", &[]);
    assert_eq!(head.status(), 502);
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn it_is_sent_once_more_and_not_oftener() {
    // The first connection answers, and every other one is closed at once.
    let backend = closing_after(|index| usize::from(index == 0));
    let server = proxy(&backend, &[]);
    Client::get(server.port, "/warm", &[]);
    for n in 0..5 {
        let path = format!("/{n}");
        let (head, _) = Client::get(server.port, &path, &[]);
        assert_eq!(head.status(), 502);
        assert!(times_sent(&backend, "GET", &path) <= 2);
    }
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
