//! A backend that is not there, and comes.

use std::net::{Ipv4Addr, TcpListener};

use crate::support::program::{Folder, Server, finished, tidings, until};
use crate::{Backend, Client, proxy, proxy_to};

const NAVIGATION: &str = "Sec-Fetch-Dest: document";

/// A port that nothing listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Nothing is there, and no request waits for it.
fn down() -> (u16, Server) {
    let port = free_port();
    let flags = ["--start-timeout", "0"];
    (port, proxy_to(&format!("http://localhost:{port}"), &flags))
}

#[test]
fn who_asks_gets_what_they_can_read() {
    let (port, server) = down();
    let (head, body) = Client::get(server.port, "/", &[NAVIGATION]);
    assert_eq!(head.status(), 502);
    assert_eq!(head.get("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(head.get("cache-control"), Some("no-store"));
    assert_eq!(head.get("tidings-problem"), Some("backend_unreachable"));
    let page = body.text();
    assert!(
        page.contains(&format!("No answer from http://localhost:{port}")),
        "{page}"
    );
    assert!(page.contains("data-waiting"), "{page}");
    let (head, body) = Client::get(server.port, "/", &["Accept: application/json"]);
    assert_eq!(
        (head.status(), head.get("content-type")),
        (502, Some("application/json"))
    );
    let answer: serde_json::Value = serde_json::from_str(&body.text()).unwrap();
    assert_eq!(answer["reason"], "nothing listens there");
    let (head, body) = Client::get(server.port, "/", &["Accept: */*"]);
    assert_eq!(head.get("content-type"), Some("text/plain; charset=utf-8"));
    assert!(body.text().contains("nothing listens there"));
    let form = [NAVIGATION, "Content-Length: 0"];
    let (head, _) = Client::connect(server.port).answer("POST", "/", &form);
    assert_eq!(head.get("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn pages_are_told_once_when_it_is_back() {
    let (port, server) = down();
    let mut pages = Client::connect(server.port);
    pages.ask("GET", "/@tidings/events", &[]);
    assert_eq!(pages.wire.head().status(), 200);
    Client::get(server.port, "/", &[NAVIGATION]);
    let mut heard = String::new();
    let hear = |heard: &mut String, pages: &mut Client, text: &str| {
        while !heard.contains(text) {
            let chunk = pages.wire.chunk().expect("the stream goes on");
            heard.push_str(&String::from_utf8(chunk).unwrap());
        }
    };
    hear(&mut heard, &mut pages, "\"backend_unreachable\"");
    assert!(!heard.contains("restarted"), "{heard}");
    // Nobody asks for a page from here on: the server finds out by itself.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let backend = Backend::on(listener, |mut conn| {
        while !conn.request().0.is_empty() {
            conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    hear(&mut heard, &mut pages, "\"restarted\":true");
    let (head, _) = Client::get(server.port, "/", &[]);
    assert_eq!(head.status(), 200);
    assert_eq!(
        backend.requests().len(),
        1,
        "it was only asked whether it listens"
    );
    // A later event shows that there was no second one.
    drop(backend);
    assert_eq!(heard.matches("\"restarted\":true").count(), 1);
}

#[test]
fn a_backend_that_is_back_answers_the_next_request() {
    let (port, server) = down();
    assert_eq!(Client::get(server.port, "/", &[]).0.status(), 502);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let backend = Backend::on(listener, |mut conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    assert_eq!(Client::get(server.port, "/", &[]).0.status(), 200);
    drop(backend);
}

#[test]
fn requests_wait_for_the_backend_but_a_page_says_soon_what_is_missing() {
    let port = free_port();
    let server = proxy_to(&format!("http://localhost:{port}"), &[]);
    let mut form = Client::connect(server.port);
    form.ask("POST", "/", &["Content-Length: 3"]);
    form.wire.send(b"a=1");
    let (head, _) = Client::get(server.port, "/", &[NAVIGATION]);
    assert_eq!(head.status(), 502);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let backend = Backend::on(listener, |mut conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    assert_eq!(form.wire.head().status(), 200);
    let posts = backend.requests();
    assert_eq!(
        posts
            .iter()
            .filter(|request| request.first().starts_with("POST"))
            .count(),
        1,
        "{posts:?}"
    );
}

#[test]
fn the_outage_is_said_once_on_the_terminal() {
    let (port, server) = down();
    for _ in 0..3 {
        Client::get(server.port, "/", &[]);
    }
    let line = server.err.next().unwrap();
    assert_eq!(
        line,
        format!("warning: No answer from http://localhost:{port}")
    );
    assert!(server.err.next().unwrap().starts_with("hint: "));
    server.signal("TERM");
    assert_eq!(server.err.next(), None);
}

#[test]
fn nobody_listens_on_the_port_of_their_own_backend() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let ended = finished(tidings().args(["proxy", &url, "--port", &port.to_string()]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("it is the backend's"), "{}", ended.err);
}

#[test]
fn the_banner_says_what_is_behind_it() {
    let backend = Backend::start(|_| {});
    let server = proxy(&backend, &[]);
    let line = server.out.next().unwrap();
    assert!(
        line.starts_with(&format!("proxying {}", backend.url())),
        "{line}"
    );
    let json = proxy(&backend, &["--json"]);
    let line: serde_json::Value = serde_json::from_str(&json.first).unwrap();
    assert_eq!(line["event"], "listening");
    assert_eq!(line["backend"], backend.url());
    let mut quiet = proxy(&backend, &["--quiet"]);
    quiet.signal("TERM");
    quiet.end();
    assert_eq!(quiet.out.next(), None);
}

#[test]
fn a_change_of_what_is_watched_reaches_the_pages() {
    let folder = Folder::new(&[("page.html", "one")]);
    let backend = Backend::start(|_| {});
    let server = proxy(&backend, &["--watch", folder.root().to_str().unwrap()]);
    let mut pages = Client::connect(server.port);
    pages.ask("GET", "/@tidings/events", &[]);
    assert_eq!(pages.wire.head().status(), 200);
    let mut heard = String::new();
    // The status comes when the first walk is done.
    while !heard.contains("\"timestamp\"") {
        heard.push_str(&String::from_utf8(pages.wire.chunk().unwrap()).unwrap());
    }
    folder.save("page.html", "two");
    while !heard.contains("page.html") {
        heard.push_str(&String::from_utf8(pages.wire.chunk().unwrap()).unwrap());
    }
    let line = until(|| server.out.next().filter(|line| line.contains("page.html")));
    assert!(line.is_some());
}
