//! What is ours, what is the app's, and who may ask for it.

use crate::{Backend, Client, proxy, request};

const OK: &str = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn only_what_is_below_our_own_prefix_is_ours() {
    let backend = Backend::answering(OK);
    let server = proxy(&backend, &[]);
    for path in [
        "/server-sent-events",
        "/@tidings",
        "/@tidingsx/events",
        "/x/@tidings/events",
        "/favicon.ico",
        "/.env",
    ] {
        let (head, _) = Client::get(server.port, path, &[]);
        assert_eq!(head.status(), 200, "{path}");
    }
    let n_passed = backend.requests().len();
    for path in ["/@tidings/", "/@tidings/other", "/@tidings/../x"] {
        let (head, _) = Client::get(server.port, path, &[]);
        assert_eq!(head.status(), 404, "{path}");
    }
    let (head, body) = Client::get(server.port, "/@tidings/client.js", &[]);
    assert_eq!(
        head.get("content-type"),
        Some("text/javascript; charset=utf-8")
    );
    assert!(body.text().contains("EventSource"));
    assert_eq!(backend.requests().len(), n_passed);
}

#[test]
fn a_name_that_is_not_ours_is_refused_for_every_path() {
    let backend = Backend::answering(OK);
    let server = proxy(&backend, &[]);
    for path in ["/", "/@tidings/events", "/api"] {
        let (head, _) = Client::get(server.port, path, &["Host: evil.example"]);
        assert_eq!(head.status(), 403, "{path}");
    }
    assert_eq!(backend.connections(), 0);
}

#[test]
fn other_sites_cannot_ask_for_what_is_ours_and_it_has_no_cors_headers() {
    let backend = Backend::answering(OK);
    let server = proxy(&backend, &[]);
    for headers in [
        ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"],
        ["Origin: https://evil.example", "X-Any: 1"],
        ["Origin: null", "X-Any: 1"],
    ] {
        for path in ["/@tidings/events", "/@tidings/seen", "/@tidings/other"] {
            let (head, _) = Client::get(server.port, path, &headers);
            assert_eq!(head.status(), 403, "{path} {headers:?}");
            assert_eq!(head.get("access-control-allow-origin"), None, "{path}");
        }
    }
}

#[test]
fn a_fetch_of_another_site_reaches_the_apps_own_api() {
    let backend = Backend::answering(OK);
    let server = proxy(&backend, &[]);
    let headers = [
        "Origin: https://other.example",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Mode: cors",
    ];
    let preflight = "Access-Control-Request-Method: PUT";
    for method in ["GET", "OPTIONS", "DELETE"] {
        let mut headers = headers.to_vec();
        headers.push(preflight);
        let (head, _) = Client::connect(server.port).answer(method, "/api", &headers);
        assert_eq!(head.status(), 200, "{method}");
        assert_eq!(head.get("access-control-allow-origin"), Some("*"));
    }
    assert_eq!(
        backend.request(1).get("access-control-request-method"),
        Some("PUT")
    );
}

#[test]
fn no_request_chooses_where_it_goes() {
    let backend = Backend::answering(OK);
    let other = Backend::answering(OK);
    let server = proxy(&backend, &[]);
    let (ours, theirs) = (server.port, other.port());
    for (target, host) in [
        (
            format!("http://localhost:{theirs}/"),
            format!("localhost:{theirs}"),
        ),
        (
            format!("http://127.0.0.1:{theirs}/"),
            format!("localhost:{ours}"),
        ),
        (
            format!("http://localhost:{ours}/"),
            format!("localhost:{theirs}"),
        ),
        (
            format!("http://192.0.2.1:{ours}/"),
            format!("192.0.2.1:{ours}"),
        ),
        (
            format!("https://localhost:{ours}/"),
            format!("localhost:{ours}"),
        ),
        ("http://example.com/".to_owned(), "example.com".to_owned()),
        (
            format!("ftp://localhost:{ours}/"),
            format!("localhost:{ours}"),
        ),
    ] {
        let mut client = Client::connect(ours);
        client
            .wire
            .send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let status = client.wire.head().status();
        assert!(status == 400 || status == 403, "{target} {host}: {status}");
    }
    let mut client = Client::connect(ours);
    let authority = format!("localhost:{theirs}");
    client.wire.send(format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"
    ));
    assert_eq!(client.wire.head().status(), 400);
    assert_eq!(other.connections() + backend.connections(), 0);
    // Our own address in that form is one.
    let mut client = Client::connect(ours);
    let target = format!("http://localhost:{ours}/x?y");
    client.wire.send(request(ours, "GET", &target, &[]));
    assert_eq!(client.wire.head().status(), 200);
    assert_eq!(backend.request(0).first(), "GET /x?y HTTP/1.1");
}
