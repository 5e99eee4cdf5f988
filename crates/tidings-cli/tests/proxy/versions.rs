//! What pages of a backend were made from, and what they would be made from now.

use crate::support::program::Server;
use crate::{Backend, Body, Client, Head, proxy};

const NAVIGATION: &str = "Sec-Fetch-Dest: document";
const PATCH: [&str; 5] = [
    "Sec-Fetch-Dest: empty",
    "Sec-Fetch-Mode: cors",
    "Sec-Fetch-Site: same-origin",
    "Cookie: session=1",
    "Tidings-Patch: document",
];

/// What a page that was sent as this was made from.
fn source(server: &Server, page: &Body) -> (Head, Body) {
    let text = match page {
        Body::Complete(bytes) | Body::Broken(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    let (_, rest) = text.split_once("data-version=\"").unwrap();
    let (id, _) = rest.split_once('"').unwrap();
    Client::get(server.port, &format!("/@tidings/version?id={id}"), &[])
}

#[test]
fn a_page_is_kept_as_it_was_sent_and_asked_for_again_as_a_navigation() {
    let backend = Backend::answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n\
         f\r\n<!doctype html>\r\n8\r\n<p>hello\r\n0\r\n\r\n",
    );
    let server = proxy(&backend, &[]);
    let (_, page) = Client::get(server.port, "/a?b=c", &[NAVIGATION]);
    let (old, bytes) = source(&server, &page);
    assert_eq!(old.status(), 200);
    assert_eq!(bytes.complete(), page.complete());
    let (new, body) = Client::get(server.port, "/a?b=c", &PATCH);
    assert!(new.get("tidings-head").is_some());
    assert_eq!(new.get("tidings-head"), old.get("tidings-head"));
    assert!(body.text().contains("/@tidings/client.js"));
    let sent = backend.request(1);
    assert_eq!(sent.get("sec-fetch-dest"), Some("document"));
    assert_eq!(sent.get("sec-fetch-mode"), Some("navigate"));
    assert_eq!(sent.get("cookie"), Some("session=1"));
    assert_eq!(sent.get("tidings-patch"), None);
    assert!(
        sent.get("accept")
            .is_some_and(|accept| accept.starts_with("text/html,"))
    );
}

#[test]
fn a_page_that_breaks_off_is_not_kept() {
    let backend = Backend::answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\n<p>half of it</p>",
    );
    let server = proxy(&backend, &[]);
    let (_, page) = Client::get(server.port, "/", &[NAVIGATION]);
    assert!(matches!(page, Body::Broken(_)), "{page:?}");
    assert_eq!(source(&server, &page).0.status(), 404);
}

#[test]
fn an_error_of_the_backend_is_no_page_to_patch() {
    let backend = Backend::answering(
        "HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\nContent-Length: 8\r\n\r\n<p>oops!",
    );
    let server = proxy(&backend, &[]);
    let (head, page) = Client::get(server.port, "/", &PATCH);
    // The page compares the status first.
    assert_eq!(head.status(), 500);
    assert_eq!(source(&server, &page).0.status(), 404);
}
