//! The script in the pages of a backend, and nothing in whatever else it sends.

use std::io::Write;
use std::sync::mpsc;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::program::Server;
use crate::{Backend, Body, Client, Head, proxy};

const NAVIGATION: &str = "Sec-Fetch-Dest: document";
const PAGE: &str = "<!doctype html><title>t</title><p>hello";

fn html(body: &[u8], headers: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nETag: \"v1\"\r\n\
         {headers}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn brotli(text: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    brotli::CompressorWriter::new(&mut encoded, 4096, 5, 22)
        .write_all(text)
        .unwrap();
    encoded
}

fn zstd(text: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(zstd_safe::compress_bound(text.len()));
    zstd_safe::compress(&mut encoded, text, 3).unwrap();
    encoded
}

#[track_caller]
fn navigate(server: &Server) -> (Head, Body) {
    Client::get(server.port, "/", &[NAVIGATION, "Accept-Encoding: gzip, br"])
}

/// That this page has the script, and is the same otherwise.
#[track_caller]
fn check_injected(head: &Head, body: Body) {
    assert_eq!(head.get("content-encoding"), None);
    assert_eq!(head.get("etag"), None);
    let page = body.text();
    let (before, rest) = page
        .split_once("<script src=\"/@tidings/client.js")
        .unwrap();
    let (script, after) = rest.split_once("</script>").unwrap();
    assert_eq!(format!("{before}{after}"), PAGE);
    assert!(
        script.contains("data-stream=\"/@tidings/events\""),
        "{script}"
    );
    assert!(script.contains("data-cursor="), "{script}");
}

#[test]
fn a_page_gets_the_script_however_it_is_compressed() {
    for (coding, body) in [
        ("", PAGE.as_bytes().to_vec()),
        ("gzip", gzip(PAGE.as_bytes())),
        ("br", brotli(PAGE.as_bytes())),
        ("zstd", zstd(PAGE.as_bytes())),
        ("gzip, br", brotli(&gzip(PAGE.as_bytes()))),
        ("identity", PAGE.as_bytes().to_vec()),
    ] {
        let header = match coding {
            "" => String::new(),
            coding => format!("Content-Encoding: {coding}\r\n"),
        };
        let backend = Backend::answering(html(&body, &header));
        let server = proxy(&backend, &[]);
        let (head, body) = navigate(&server);
        check_injected(&head, body);
    }
}

#[test]
fn whatever_is_no_navigation_passes_byte_for_byte() {
    let encoded = gzip(PAGE.as_bytes());
    let backend = Backend::answering(html(&encoded, "Content-Encoding: gzip\r\n"));
    let server = proxy(&backend, &[]);
    for headers in [
        vec!["Accept: */*"],
        vec!["Sec-Fetch-Dest: empty", "Accept: text/html"],
        vec!["HX-Request: true", "Accept: text/html"],
        vec!["Turbo-Frame: x", "Accept: text/html"],
        vec!["Datastar-Request: true", "Accept: text/html"],
    ] {
        let (head, body) = Client::get(server.port, "/", &headers);
        assert_eq!(head.get("content-encoding"), Some("gzip"), "{headers:?}");
        assert_eq!(head.get("etag"), Some("\"v1\""));
        assert_eq!(
            head.get("content-length"),
            Some(&*encoded.len().to_string())
        );
        assert_eq!(body.complete(), encoded, "{headers:?}");
    }
}

#[test]
fn a_navigation_asks_for_the_whole_page_as_it_is_now() {
    let backend = Backend::answering(html(PAGE.as_bytes(), ""));
    let server = proxy(&backend, &[]);
    let conditions = [
        NAVIGATION,
        "Range: bytes=0-9",
        "If-None-Match: \"v1\"",
        "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT",
        "If-Range: \"v1\"",
        "Accept-Encoding: gzip, br, zstd",
    ];
    Client::get(server.port, "/", &conditions);
    let sent = backend.request(0);
    for name in ["range", "if-none-match", "if-modified-since", "if-range"] {
        assert_eq!(sent.get(name), None, "{name}");
    }
    assert_eq!(sent.get("accept-encoding"), Some("identity"));
    // Of others, nothing is changed.
    let mut fetch = conditions;
    fetch[0] = "Sec-Fetch-Dest: empty";
    Client::get(server.port, "/", &fetch);
    let sent = backend.request(1);
    assert_eq!(sent.get("range"), Some("bytes=0-9"));
    assert_eq!(sent.get("if-none-match"), Some("\"v1\""));
    assert_eq!(sent.get("accept-encoding"), Some("gzip, br, zstd"));
}

#[test]
fn a_page_appears_as_it_is_sent() {
    for compressed in [false, true] {
        let (next, awaited) = mpsc::channel::<()>();
        let awaited = std::sync::Mutex::new(awaited);
        let backend = Backend::start(move |mut conn| {
            conn.request();
            let coding = match compressed {
                true => "Content-Encoding: gzip\r\n",
                false => "",
            };
            conn.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{coding}Transfer-Encoding: chunked\r\n\r\n"
            ));
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            let mut n_sent = 0;
            for piece in ["<title>t</title><p>one", "<p>two", "<p>three"] {
                encoder.write_all(piece.as_bytes()).unwrap();
                encoder.flush().unwrap();
                let bytes = match compressed {
                    true => encoder.get_ref()[n_sent..].to_vec(),
                    false => piece.as_bytes().to_vec(),
                };
                n_sent = encoder.get_ref().len();
                conn.send(format!("{:x}\r\n", bytes.len()));
                conn.send(bytes);
                conn.send("\r\n");
                // The next piece is sent when this one has arrived.
                awaited.lock().unwrap().recv().unwrap();
            }
            let end = encoder.finish().unwrap().split_off(n_sent);
            if compressed {
                conn.send(format!("{:x}\r\n", end.len()));
                conn.send(end);
                conn.send("\r\n");
            }
            conn.send("0\r\n\r\n");
        });
        let server = proxy(&backend, &[]);
        let mut client = Client::connect(server.port);
        client.ask("GET", "/", &[NAVIGATION]);
        client.wire.head();
        let mut page = String::new();
        for piece in ["one", "two", "three"] {
            while !page.ends_with(piece) {
                let chunk = client.wire.chunk().unwrap();
                assert_ne!(chunk, b"", "{page}");
                page.push_str(&String::from_utf8(chunk).unwrap());
            }
            next.send(()).unwrap();
        }
        assert_eq!(
            client.wire.chunk().unwrap(),
            b"",
            "compressed: {compressed}"
        );
        assert!(page.contains("/@tidings/client.js"), "{page}");
    }
}

#[test]
fn a_compressed_page_that_is_damaged_or_cut_off_is_broken() {
    let page = PAGE.repeat(100);
    let whole = gzip(page.as_bytes());
    let cut = whole[..whole.len() - 9].to_vec();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..].fill(0xff);
    for body in [cut, damaged] {
        let backend = Backend::answering(html(&body, "Content-Encoding: gzip\r\n"));
        let server = proxy(&backend, &[]);
        let (head, body) = navigate(&server);
        assert_eq!(head.status(), 200);
        assert!(matches!(body, Body::Broken(_)), "{body:?}");
    }
}

#[test]
fn a_page_that_breaks_off_is_broken_with_the_script_too() {
    let backend = Backend::answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\n<p>half",
    );
    let server = proxy(&backend, &[]);
    let (_, body) = navigate(&server);
    assert!(matches!(body, Body::Broken(_)), "{body:?}");
}

#[test]
fn an_unknown_coding_is_left_alone_and_said() {
    let backend = Backend::answering(html(b"????", "Content-Encoding: rot13\r\n"));
    let server = proxy(&backend, &["--json"]);
    let (head, body) = navigate(&server);
    assert_eq!(head.get("content-encoding"), Some("rot13"));
    assert_eq!(head.get("etag"), Some("\"v1\""));
    assert_eq!(body.complete(), b"????");
    let line: serde_json::Value = serde_json::from_str(&server.out.next().unwrap()).unwrap();
    assert_eq!(line["event"], "not-injected");
    assert_eq!(line["path"], "/");
}

#[test]
fn error_pages_heal_and_json_stays_json() {
    let error = |content_type: &str, body: &str| {
        Backend::answering(format!(
            "HTTP/1.1 500 Internal Server Error\r\n{content_type}X-Id: 7\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let script = "/@tidings/client.js";
    for (content_type, body, expected) in [
        ("Content-Type: text/html\r\n", "Oops", true),
        ("Content-Type: text/plain\r\n", "Traceback <b>", true),
        ("", "", true),
        ("Content-Type: application/json\r\n", "{\"a\":\"<\"}", false),
    ] {
        let backend = error(content_type, body);
        let server = proxy(&backend, &[]);
        let (head, found) = navigate(&server);
        assert_eq!((head.status(), head.get("x-id")), (500, Some("7")));
        let found = found.text();
        assert_eq!(found.contains(script), expected, "{content_type}: {found}");
        if !expected {
            assert_eq!(found, body);
        }
    }
}

#[test]
fn head_says_what_get_would() {
    let backend = Backend::start(|mut conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: 40\r\nETag: \"x\"\r\n\r\n");
    });
    let server = proxy(&backend, &[]);
    let (head, _) = Client::connect(server.port).answer("HEAD", "/", &["Accept: text/html"]);
    assert_eq!(head.status(), 200);
    for name in ["content-length", "content-encoding", "etag"] {
        assert_eq!(head.get(name), None, "{name}");
    }
}
