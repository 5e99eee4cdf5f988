//! No complete request that two parsers may read differently reaches the backend.

use std::io::Read;

use crate::support::program::PATIENCE;
use crate::{Backend, Body, Client, proxy};

/// Sends this, and returns the statuses of the answers until the connection ends.
fn statuses(port: u16, bytes: &str) -> Vec<String> {
    let mut client = Client::connect(port);
    client.wire.send(bytes);
    let mut answers = String::new();
    client.wire.reader.read_to_string(&mut answers).unwrap();
    let starts = answers.match_indices("HTTP/1.1 ");
    starts
        .map(|(at, found)| answers[at + found.len()..][..3].to_owned())
        .collect()
}

#[test]
fn an_odd_head_is_refused_before_the_backend_hears_of_it() {
    let backend = Backend::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let server = proxy(&backend, &[]);
    let good = "GET /good HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let odd = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "Content-Length: +5\r\n\r\nhello",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n",
        "X: y\n\r\n",
        "X: y\r\n z\r\n\r\n",
        "X : y\r\n\r\n",
    ];
    for rest in odd {
        let bytes = format!("{good}POST /odd HTTP/1.1\r\nHost: localhost\r\n{rest}");
        assert_eq!(statuses(server.port, &bytes), ["200", "400"], "{rest:?}");
    }
    let heard = backend.requests();
    assert_eq!(heard.len(), odd.len());
    assert!(
        heard
            .iter()
            .all(|head| head.first() == "GET /good HTTP/1.1")
    );
}

#[test]
fn an_odd_chunk_breaks_the_request_off_at_the_backend() {
    let (told, heard) = std::sync::mpsc::channel();
    let backend = Backend::start(move |mut conn| {
        let head = conn.request();
        // The head may have been cut off, too.
        let body = match head.first() {
            "" => Body::Broken(Vec::new()),
            _ => conn.body(&head),
        };
        told.send(body).unwrap();
    });
    let server = proxy(&backend, &[]);
    for rest in [
        "3 \r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "0\r\nContent-Length: 5\r\n\r\n",
    ] {
        let bytes = format!(
            "POST /odd HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n{rest}"
        );
        assert_eq!(statuses(server.port, &bytes), ["400"], "{rest:?}");
        let body = heard.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(body, Body::Broken(_)), "{rest:?}: {body:?}");
    }
}
