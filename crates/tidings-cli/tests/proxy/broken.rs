//! Backends that break off, lie or talk nonsense. A broken body never looks complete.

use crate::{Backend, Body, Client, Conn, proxy, request};

/// The answer to a GET by a backend that does this.
#[track_caller]
fn answer_of(serve: impl Fn(Conn) + Send + Sync + 'static) -> (crate::Head, Body) {
    let backend = Backend::start(serve);
    let server = proxy(&backend, &[]);
    Client::get(server.port, "/", &[])
}

#[track_caller]
fn check_broken(response: &'static str) {
    let (head, body) = answer_of(move |mut conn| {
        conn.request();
        conn.send(response);
    });
    assert_eq!(head.status(), 200, "{response:?}");
    assert!(matches!(body, Body::Broken(_)), "{response:?}: {body:?}");
}

#[test]
fn a_body_that_is_shorter_than_announced_is_broken_for_the_client_too() {
    check_broken("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    check_broken("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    check_broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    check_broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab");
    check_broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

#[test]
fn chunks_that_are_none_break_the_body() {
    check_broken(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\nx\r\n0\r\n\r\n",
    );
    check_broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n");
    check_broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n");
    check_broken(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n",
    );
}

#[test]
fn a_reset_in_the_middle_breaks_the_body() {
    for head in [
        "Content-Length: 100",
        "Transfer-Encoding: chunked",
        "X-Until: the end",
    ] {
        let (tell, told) = std::sync::mpsc::channel();
        let told = std::sync::Mutex::new(told);
        let backend = Backend::start(move |mut conn| {
            conn.request();
            conn.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n3\r\nabc\r\n"));
            // When the client has got that.
            told.lock().unwrap().recv().unwrap();
            conn.reset();
        });
        let server = proxy(&backend, &[]);
        let mut client = Client::connect(server.port);
        client.ask("GET", "/", &[]);
        let answer = client.wire.head();
        assert_eq!(answer.status(), 200);
        tell.send(()).unwrap();
        let body = client.wire.body(&answer);
        assert!(matches!(body, Body::Broken(_)), "{head}: {body:?}");
    }
}

#[test]
fn what_follows_the_announced_length_is_no_part_of_any_answer() {
    let backend = Backend::start(|mut conn| {
        conn.request();
        conn.send(
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc\
             HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        );
        conn.rest();
    });
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    for _ in 0..3 {
        let (head, body) = client.answer("GET", "/", &[]);
        assert_eq!((head.status(), body.text()), (200, "abc".to_owned()));
    }
}

#[test]
fn nonsense_in_place_of_an_answer_is_a_bad_gateway() {
    for response in [
        "",
        "HTTP/1.1 200 O",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
        "\x16\x03\x01\x02",
        "\r\n\r\n\r\n",
    ] {
        let (head, body) = answer_of(move |mut conn| {
            conn.request();
            conn.send(response);
        });
        assert_eq!(head.status(), 502, "{response:?}: {head:?}");
        assert_eq!(head.get("tidings-problem"), Some("backend_unreachable"));
        body.complete();
    }
}

#[test]
fn a_head_without_end_is_a_bad_gateway() {
    let (head, _) = answer_of(|mut conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\n");
        while conn.send("X-More: and more and more and more and more\r\n".repeat(100)) {}
    });
    assert_eq!(head.status(), 502);
}

#[test]
fn an_upload_that_breaks_off_never_looks_complete_to_the_backend() {
    for (header, sent) in [
        ("Content-Length: 10", "abc"),
        ("Transfer-Encoding: chunked", "3\r\nabc\r\n"),
    ] {
        let (told, heard) = std::sync::mpsc::channel();
        let told = std::sync::Mutex::new(told);
        let backend = Backend::start(move |mut conn| {
            let head = conn.request();
            let body = conn.body(&head);
            told.lock().unwrap().send(body).unwrap();
        });
        let server = proxy(&backend, &[]);
        let mut client = Client::connect(server.port);
        client
            .wire
            .send(request(server.port, "PUT", "/", &[header]) + sent);
        backend.request(0);
        drop(client);
        assert_eq!(
            heard.recv().unwrap(),
            Body::Broken(b"abc".to_vec()),
            "{header}"
        );
    }
}
