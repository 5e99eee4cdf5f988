//! Requests that two parsers may read differently: none of them reaches a handler completely.

use std::sync::{Arc, Mutex};

use http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Server, plain};

/// Requests that reached the handler completely, as text.
type Complete = Arc<Mutex<Vec<String>>>;

async fn server() -> (Server, Complete) {
    let complete = Complete::default();
    let requests = Arc::clone(&complete);
    let server = Server::start(move |request: Request<Incoming>| {
        let requests = Arc::clone(&requests);
        async move {
            let (parts, body) = request.into_parts();
            // As a proxy does, which has nobody to pass the body's error to.
            let Ok(body) = body.collect().await else {
                return plain("incomplete");
            };
            let body = body.to_bytes();
            let text = format!(
                "{} {} {}",
                parts.method,
                parts.uri,
                String::from_utf8_lossy(&body)
            );
            requests.lock().unwrap().push(text);
            plain("complete")
        }
    })
    .await;
    (server, complete)
}

/// Sends the head and the body in one segment, in two and byte by byte, each after a good request.
async fn is_refused(head: &str, body: &str) {
    let (server, complete) = server().await;
    let good = "GET /good HTTP/1.1\r\nHost: x\r\n\r\n";
    let bad = format!("{head}{body}");
    let split = good.len() + head.len();
    let all = format!("{good}{bad}");
    for pieces in [
        vec![all.as_bytes()],
        vec![&all.as_bytes()[..split], &all.as_bytes()[split..]],
        all.as_bytes().chunks(1).collect(),
    ] {
        let mut socket = server.connect().await;
        socket.set_nodelay(true).unwrap();
        for piece in pieces {
            if socket.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let mut answer = Vec::new();
        // A server that closes with bytes unread resets the connection.
        let _ = socket.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        let answers: Vec<_> = answer
            .match_indices("HTTP/1.1 ")
            .map(|(at, _)| &answer[at + 9..at + 12])
            .collect();
        assert_eq!(answers, ["200", "400"], "{bad:?}");
    }
    let complete = complete.lock().unwrap();
    assert_eq!(*complete, ["GET /good "; 3], "{bad:?}");
}

/// Header lines of a POST with this body.
async fn are_refused(cases: &[(&str, &str)]) {
    for (lines, body) in cases {
        is_refused(&format!("POST / HTTP/1.1\r\nHost: x\r\n{lines}\r\n"), body).await;
    }
}

#[tokio::test]
async fn both_lengths_are_refused() {
    are_refused(&[
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "0\r\n\r\n",
        ),
        (
            "Transfer-Encoding: chunked\r\nContent_Length: 5\r\n",
            "0\r\n\r\n",
        ),
        (
            "Content-Length: 5\r\nTransfer_Encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_second_or_an_odd_length_is_refused() {
    are_refused(&[
        ("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
        ("Content-Length: 5\r\nContent_Length: 5\r\n", "hello"),
        ("Content_Length: 5\r\n", "hello"),
    ])
    .await;
    for length in [
        "",
        "+5",
        "-5",
        "5, 5",
        "5,5",
        "5 5",
        "0x5",
        "5.0",
        "5;",
        "\"5\"",
        "five",
        "5\u{a0}",
        "\u{665}",
        "18446744073709551616",
        "99999999999999999999999",
    ] {
        let lines = format!("Content-Length: {length}\r\n");
        are_refused(&[(&lines, "hello")]).await;
    }
}

#[tokio::test]
async fn a_coding_other_than_chunked_once_is_refused() {
    for coding in [
        "",
        "identity",
        "xchunked",
        "chunkedx",
        "chunked, identity",
        "identity, chunked",
        "gzip, chunked",
        "chunked, chunked",
        "chunked,",
        ",chunked",
        "chunked;q=1",
        "\"chunked\"",
        "chun ked",
        "\u{b}chunked",
        "chunked\u{a0}",
    ] {
        let lines = format!("Transfer-Encoding: {coding}\r\n");
        are_refused(&[(&lines, "5\r\nhello\r\n0\r\n\r\n")]).await;
    }
    are_refused(&[
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "0\r\n\r\n",
        ),
        (
            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        ("Transfer_Encoding: chunked\r\n", "0\r\n\r\n"),
        ("TRANSFER-encoding\t: chunked\r\n", "0\r\n\r\n"),
    ])
    .await;
    let head = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    is_refused(head, "0\r\n\r\n").await;
}

#[tokio::test]
async fn an_odd_chunk_is_refused() {
    for body in [
        // Sizes.
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5\t\r\nhello\r\n0\r\n\r\n",
        "5 ;a\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        ";a\r\nhello\r\n0\r\n\r\n",
        "5_0\r\nhello\r\n0\r\n\r\n",
        "5h\r\nhello\r\n0\r\n\r\n",
        "5,5\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "0 \r\n\r\n",
        // Ends of lines.
        "5\nhello\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5;a\0\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n\r\n",
        "5\r\nhelloo\r\n0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "0\n\r\n",
        "0\r\n\n",
        "0\r\r\n\r\n",
        // Trailers.
        "0\r\nA: b\n\r\n",
        "0\r\nA: b\rc\r\n\r\n",
        "0\r\nA: b\r\n c\r\n\r\n",
        "0\r\nA : b\r\n\r\n",
        "0\r\nGET / HTTP/1.1\r\n\r\n",
        "0\r\nContent-Length: 5\r\n\r\n",
        "0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "0\r\nHost: y\r\n\r\n",
    ] {
        are_refused(&[("Transfer-Encoding: chunked\r\n", body)]).await;
    }
}

#[tokio::test]
async fn an_odd_line_of_a_head_is_refused() {
    for head in [
        // Bare LF, bare CR, NUL.
        "GET / HTTP/1.1\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\n",
        "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\nContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\rTransfer-Encoding: chunked\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\r\n",
        "GET /\r HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        // Continued lines, and names that are none.
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tc\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n \r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length\t: 5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
    ] {
        is_refused(head, "").await;
    }
}

#[tokio::test]
async fn what_all_parsers_read_alike_passes() {
    let (server, complete) = server().await;
    let good = [
        ("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /1 "),
        ("\r\n\r\nGET /2 HTTP/1.1\r\nhost:x\r\nA:\r\n\r\n", "GET /2 "),
        (
            "POST /3 HTTP/1.1\r\nHost: x\r\ncontent-length: \t5 \t\r\n\r\nhello",
            "POST /3 hello",
        ),
        (
            "POST /4 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            "POST /4 ",
        ),
        (
            "POST /5 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:Chunked\r\n\r\n5\r\nhello\r\n0006;a=\"b c\"\r\n world\r\n0\r\n\r\n",
            "POST /5 hello world",
        ),
        (
            "POST /6 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\nA\r\n\r\n\r\n\r\n\r\n\r\n\r\n00\r\nA: b\r\n\r\n",
            "POST /6 \r\n\r\n\r\n\r\n\r\n",
        ),
        (
            "GET /7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            "GET /7 ",
        ),
    ];
    let all: String = good.iter().map(|(sent, _)| *sent).collect();
    let answer = server.talk(&all).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), good.len());
    let expected = good.map(|(_, got)| got);
    assert_eq!(*complete.lock().unwrap(), expected);
}
