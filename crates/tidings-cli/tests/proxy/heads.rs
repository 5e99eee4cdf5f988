//! What becomes of the heads of requests and responses.

use crate::{Backend, Client, Head, proxy};

fn names(head: &Head) -> Vec<String> {
    let lines = head.0.iter().skip(1);
    let mut names: Vec<_> = lines
        .map(|line| line.split(':').next().unwrap().to_ascii_lowercase())
        .collect();
    names.sort();
    names
}

const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_request_arrives_as_it_was_sent_but_for_what_was_meant_for_one_connection() {
    let backend = Backend::answering(EMPTY);
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    client.ask(
        "REPORT",
        "/a%2Fb/%C3%A4//../x?q=%20&r=a+b%zz",
        &[
            "Connection: x-mine, keep-alive",
            "X-Mine: 1",
            "Keep-Alive: timeout=5",
            "TE: gzip",
            "Proxy-Connection: keep-alive",
            "Upgrade: websocket",
            "X-Two: a",
            "X-Two: b",
            "Cookie: a=1; b=2",
            "Origin: https://other.example",
            "Sec-Fetch-Site: cross-site",
        ],
    );
    let head = backend.request(0);
    assert_eq!(
        head.first(),
        "REPORT /a%2Fb/%C3%A4//../x?q=%20&r=a+b%zz HTTP/1.1"
    );
    assert_eq!(
        names(&head),
        [
            "cookie",
            "forwarded",
            "host",
            "origin",
            "sec-fetch-site",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-two",
            "x-two",
        ]
    );
    let host = format!("localhost:{}", server.port);
    assert_eq!(head.get("host"), Some(&*host));
    assert_eq!(head.all("x-two"), ["a", "b"]);
    assert_eq!(head.get("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(head.get("x-forwarded-host"), Some(&*host));
    assert_eq!(head.get("x-forwarded-proto"), Some("http"));
    let forwarded = format!("for=127.0.0.1;host=\"{host}\";proto=http");
    assert_eq!(head.get("forwarded"), Some(&*forwarded));
}

#[test]
fn the_backends_own_name_is_sent_where_that_is_wanted() {
    let backend = Backend::answering(EMPTY);
    let server = proxy(&backend, &["--change-host"]);
    Client::get(server.port, "/", &[]);
    let head = backend.request(0);
    assert_eq!(head.get("host"), Some(&*backend.address.to_string()));
    let host = format!("localhost:{}", server.port);
    assert_eq!(head.get("x-forwarded-host"), Some(&*host));
}

#[test]
fn a_tunnel_in_front_is_believed() {
    let backend = Backend::answering(EMPTY);
    let server = proxy(&backend, &["--allow-host", "demo.example.com"]);
    Client::get(
        server.port,
        "/",
        &[
            "Host: demo.example.com",
            "X-Forwarded-For: 203.0.113.9",
            "X-Forwarded-Proto: https",
        ],
    );
    let head = backend.request(0);
    assert_eq!(head.get("host"), Some("demo.example.com"));
    assert_eq!(head.get("x-forwarded-for"), Some("203.0.113.9, 127.0.0.1"));
    assert_eq!(head.get("x-forwarded-proto"), Some("https"));
    assert_eq!(head.get("x-forwarded-host"), Some("demo.example.com"));
}

#[test]
fn a_response_passes_as_it_was_sent_but_for_what_was_meant_for_one_connection() {
    let backend = Backend::answering(
        "HTTP/1.1 299 Very Fine\r\n\
         Connection: x-mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\n\
         Set-Cookie: a=1; Domain=127.0.0.1; Secure\r\nSet-Cookie: __Host-b=2; Secure; Path=/\r\n\
         Location: http://LOCALHOST_PORT/login\r\n\
         ETag: W/\"x\"\r\nServer: odd\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
         Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x00z",
    );
    let server = proxy(&backend, &[]);
    let (head, body) = Client::get(server.port, "/", &["Accept-Encoding: gzip"]);
    assert_eq!(head.first(), "HTTP/1.1 299 Very Fine");
    assert_eq!(
        names(&head),
        [
            "content-encoding",
            "content-length",
            "date",
            "etag",
            "location",
            "server",
            "set-cookie",
            "set-cookie"
        ]
    );
    assert_eq!(
        head.all("set-cookie"),
        ["a=1; Secure", "__Host-b=2; Secure; Path=/"]
    );
    assert_eq!(head.get("date"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
    assert_eq!(body.complete(), b"\x1f\x00z");
}

#[test]
fn a_redirect_to_the_backend_stays_in_front_of_it() {
    let backend = Backend::start(|mut conn| {
        let port = conn.socket().local_addr().unwrap().port();
        conn.request();
        conn.send(format!(
            "HTTP/1.1 302 Found\r\nLocation: http://localhost:{port}/login?next=/\r\n\
             Refresh: 0; url=http://127.0.0.1:{port}/x\r\n\
             Content-Location: /y\r\nContent-Length: 0\r\n\r\n"
        ));
    });
    let server = proxy(&backend, &[]);
    let (head, _) = Client::get(server.port, "/", &[]);
    let origin = format!("http://localhost:{}", server.port);
    assert_eq!(
        head.get("location"),
        Some(&*format!("{origin}/login?next=/"))
    );
    assert_eq!(head.get("refresh"), Some(&*format!("0; url={origin}/x")));
    assert_eq!(head.get("content-location"), Some("/y"));
}

#[test]
fn responses_without_a_body_keep_their_head() {
    let backend = Backend::start(|mut conn| {
        loop {
            let head = conn.request();
            let response = match head.first().split(' ').nth(1) {
                Some("/head") => "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"x\"\r\n\r\n",
                Some("/204") => "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
                Some("/304") => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
                Some("*") => "HTTP/1.1 200 OK\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n",
                _ => return,
            };
            conn.send(response);
        }
    });
    let server = proxy(&backend, &[]);
    // On one connection: what follows shows that nobody waits for a body.
    let mut client = Client::connect(server.port);
    let (head, _) = client.answer("HEAD", "/head", &[]);
    assert_eq!(head.status(), 200);
    assert_eq!(head.get("content-length"), Some("1234"));
    client.ask("GET", "/204", &[]);
    let head = client.wire.head();
    assert_eq!((head.status(), head.get("x-a")), (204, Some("1")));
    client.ask("GET", "/304", &["If-None-Match: \"x\""]);
    let head = client.wire.head();
    assert_eq!((head.status(), head.get("etag")), (304, Some("\"x\"")));
    let (head, _) = client.answer("OPTIONS", "*", &[]);
    assert_eq!((head.status(), head.get("allow")), (200, Some("GET")));
    assert_eq!(backend.request(3).first(), "OPTIONS * HTTP/1.1");
}

#[test]
fn early_hints_and_other_interim_responses_do_not_take_the_place_of_the_final_one() {
    let backend = Backend::answering(
        "HTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\n\r\n\
         HTTP/1.1 102 Processing\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let server = proxy(&backend, &[]);
    let (head, body) = Client::get(server.port, "/", &[]);
    assert_eq!((head.status(), body.text()), (200, "ok".to_owned()));
}

#[test]
fn odd_heads_that_browsers_accept_are_accepted() {
    for head in [
        "HTTP/1.1 200\r\nContent-Length: 2",
        "HTTP/1.1 200 OK\r\nX-Folded: a\r\n  b\r\nContent-Length: 2",
        "HTTP/1.1 200 OK\r\nX-Space : a\r\nContent-Length: 2",
        "HTTP/1.0 200 OK\r\nContent-Length: 2",
        "HTTP/1.0 200 OK",
        "HTTP/1.1 200 Gr\u{fc}n\r\nContent-Length: 2",
    ] {
        let backend = Backend::answering(format!("{head}\r\n\r\nok"));
        let server = proxy(&backend, &[]);
        let (found, body) = Client::get(server.port, "/", &[]);
        assert_eq!(found.status(), 200, "{head:?}: {found:?}");
        assert_eq!(body.text().trim(), "ok", "{head:?}");
    }
    let long = format!(
        "HTTP/1.1 200 OK\r\nX-Long: {}\r\nContent-Length: 2\r\n\r\nok",
        "x".repeat(200_000)
    );
    let backend = Backend::answering(long);
    let server = proxy(&backend, &[]);
    let (head, _) = Client::get(server.port, "/", &[]);
    assert_eq!(head.get("x-long").map(str::len), Some(200_000));
}

#[test]
fn the_length_of_a_chunked_response_does_not_count() {
    let backend = Backend::answering(
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    let server = proxy(&backend, &[]);
    let (head, body) = Client::get(server.port, "/", &[]);
    assert_eq!(head.get("content-length"), None);
    assert_eq!(body.text(), "abc");
}

#[test]
fn a_request_of_http_1_0_gets_an_answer_that_ends_with_the_connection() {
    let backend = Backend::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    let server = proxy(&backend, &[]);
    let mut client = Client::connect(server.port);
    client.wire.send("GET / HTTP/1.0\r\n\r\n");
    let head = client.wire.head();
    assert_eq!(head.get("transfer-encoding"), None);
    assert_eq!(client.wire.rest(), b"abc");
    assert_eq!(backend.request(0).first(), "GET / HTTP/1.1");
}
