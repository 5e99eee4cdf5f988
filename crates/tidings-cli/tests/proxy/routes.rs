//! `tidings serve DIR --proxy PREFIX=URL`: parts of a served folder that a backend answers.

use crate::support::program::{Folder, Server};
use crate::{Backend, Client};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[track_caller]
fn serve(folder: &Folder, routes: &[String]) -> Server {
    let flags = routes.iter().flat_map(|route| ["--proxy", route]);
    Server::start(folder, &flags.collect::<Vec<_>>())
}

fn site() -> Folder {
    Folder::new(&[
        ("index.html", "<title>page</title>"),
        ("apis.html", "<title>apis</title>"),
        ("x.js", "1"),
    ])
}

#[test]
fn a_prefix_goes_to_its_backend_and_the_rest_are_files() {
    let (one, two) = (Backend::answering(OK), Backend::answering(OK));
    let folder = site();
    let server = serve(
        &folder,
        &[
            format!("/api={}", one.url()),
            format!("/api/v2={}/base", two.url()),
        ],
    );
    let text = |path| Client::get(server.port, path, &[]).1.text();
    assert_eq!(text("/"), "<title>page</title>");
    assert_eq!(text("/apis"), "<title>apis</title>");
    assert_eq!(text("/x.js"), "1");
    for (path, backend, expected) in [
        ("/api/users?x=1", &one, "/api/users?x=1"),
        ("/api", &one, "/api"),
        ("/api/v2/x", &two, "/base/x"),
        ("/api/v2?y", &two, "/base?y"),
    ] {
        let n = backend.requests().len();
        assert_eq!(text(path), "ok");
        let sent = backend.request(n);
        assert_eq!(sent.first(), format!("GET {expected} HTTP/1.1"));
    }
}

#[test]
fn a_path_that_could_be_either_is_refused() {
    let backend = Backend::answering(OK);
    let folder = site();
    let server = serve(&folder, &[format!("/api={}", backend.url())]);
    for path in [
        "/api/../index.html",
        "/api/%2e%2e/index.html",
        "/api/..%2findex.html",
        "/x/../api/users",
        "/api%2fusers",
        "//api/users",
    ] {
        let (head, _) = Client::get(server.port, path, &[]);
        assert_eq!(head.status(), 400, "{path}");
    }
    assert_eq!(backend.connections(), 0);
    Client::get(server.port, "/api/a/../b", &[]);
    assert_eq!(backend.request(0).first(), "GET /api/a/../b HTTP/1.1");
}

#[test]
fn another_site_reaches_the_api_and_not_the_files() {
    let backend = Backend::answering(OK);
    let folder = site();
    let server = serve(&folder, &[format!("/api={}", backend.url())]);
    let headers = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"];
    assert_eq!(Client::get(server.port, "/api", &headers).0.status(), 200);
    assert_eq!(Client::get(server.port, "/x.js", &headers).0.status(), 403);
    // The names that are answered to are the same for both.
    let host = ["Host: evil.example"];
    assert_eq!(Client::get(server.port, "/api", &host).0.status(), 403);
}

#[test]
fn every_method_and_an_upgrade_reach_the_backend() {
    let backend = Backend::start(|mut conn| {
        let head = conn.request();
        match head.get("upgrade") {
            Some(_) => {
                conn.send(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
                );
                let byte = conn.bytes(1);
                conn.send(byte);
            }
            None => drop(conn.send(OK)),
        }
    });
    let folder = site();
    let server = serve(&folder, &[format!("/ws={}", backend.url())]);
    let (head, _) = Client::connect(server.port).answer("POST", "/ws", &["Content-Length: 0"]);
    assert_eq!(head.status(), 200);
    let mut client = Client::connect(server.port);
    client.ask("GET", "/ws/x", &["Connection: Upgrade", "Upgrade: x"]);
    assert_eq!(client.wire.head().status(), 101);
    client.wire.send("!");
    assert_eq!(client.wire.bytes(1), b"!");
}

#[test]
fn a_page_of_the_backend_gets_the_script_of_the_site() {
    let backend = Backend::answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 8\r\n\r\n<p>hello",
    );
    let folder = site();
    let server = serve(&folder, &[format!("/app={}", backend.url())]);
    let navigation = ["Sec-Fetch-Dest: document"];
    let (_, body) = Client::get(server.port, "/app", &navigation);
    let page = body.text();
    assert!(
        page.contains("data-stream=\"/server-sent-events\""),
        "{page}"
    );
    assert!(page.ends_with("<p>hello"), "{page}");
    let (_, body) = Client::get(server.port, "/app", &[]);
    assert_eq!(body.text(), "<p>hello");
}

#[test]
fn a_backend_that_is_down_does_not_take_the_files_with_it() {
    let folder = site();
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let server = serve(&folder, &[format!("/api=http://localhost:{port}")]);
    let (head, body) = Client::get(server.port, "/api", &["Accept: application/json"]);
    assert_eq!(head.status(), 502);
    assert!(body.text().contains("nothing listens there"));
    assert_eq!(Client::get(server.port, "/x.js", &[]).0.status(), 200);
}
