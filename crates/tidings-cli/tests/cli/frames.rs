//! Sandboxed frames: what tells ours from those of strangers (the rule is in `guard/frames.rs`).

use super::http::{Answer, post};
use super::{Folder, Server, ask};

const FRAMED: [&str; 3] = [
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Dest: iframe",
];

/// What a sandboxed document says with each request.
const OPAQUE: &str = "Sec-Fetch-Site: cross-site";

fn folder() -> Folder {
    Folder::new(&[
        ("index.html", "<title>t</title>"),
        ("a.js", "export {}"),
        (".env", "secret"),
    ])
}

/// The `Host` line with the name that the page was told, if it was.
fn told(answer: &Answer) -> Option<String> {
    let text = answer.text();
    let (_, rest) = text.split_once("/@tidings/client.js?")?;
    let (address, _) = rest.split_once('"')?;
    let (_, label) = address.split_once('#')?;
    Some(format!("Host: {label}.localhost"))
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let found = answer.head.iter().filter_map(|line| line.split_once(": "));
    let mut found = found.filter(|(found, _)| *found == name);
    let value = found.next().map(|(_, value)| value);
    assert_eq!(found.next(), None, "{name} twice");
    value
}

#[test]
fn a_page_that_our_own_page_frames_is_told_a_name_and_nobody_else_is() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    let name = told(&ask(server.port, "GET", "/", &FRAMED));
    assert!(name.is_some());
    let site = |site: &'static str| [site, FRAMED[1], FRAMED[2]];
    for headers in [
        &[FRAMED[0], FRAMED[1], "Sec-Fetch-Dest: document"][..],
        &site("Sec-Fetch-Site: cross-site"),
        &site("Sec-Fetch-Site: same-site"),
        &site("Sec-Fetch-Site: none"),
        &["Accept: text/html"],
    ] {
        let answer = ask(server.port, "GET", "/", headers);
        assert!(answer.text().contains("client.js"), "{headers:?}");
        assert_eq!(told(&answer), None, "{headers:?}");
    }
    let other = Server::start(&folder, &[]);
    assert_ne!(told(&ask(other.port, "GET", "/", &FRAMED)), name);
}

#[test]
fn under_that_name_there_are_files_for_who_has_no_origin() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    let name = told(&ask(server.port, "GET", "/", &FRAMED)).unwrap();
    let name = name.as_str();
    let get = |path: &str, headers: &[&str]| ask(server.port, "GET", path, headers);

    let read = get("/a.js", &[name, OPAQUE, "Origin: null"]);
    assert_eq!((read.status, read.text().as_str()), (200, "export {}"));
    assert_eq!(header(&read, "access-control-allow-origin"), Some("null"));
    assert_eq!(
        header(&read, "cross-origin-resource-policy"),
        Some("cross-origin")
    );
    assert_eq!(header(&read, "referrer-policy"), Some("same-origin"));
    let used = get("/a.js", &[name, OPAQUE]);
    assert_eq!(used.status, 200);
    assert_eq!(header(&used, "access-control-allow-origin"), None);
    assert_eq!(get("/.env", &[name, OPAQUE]).status, 404);

    // Should it ever become known: who has an origin is a stranger all the same.
    for origin in ["http://evil.example", "http://localhost"] {
        let answer = get("/a.js", &[name, OPAQUE, &format!("Origin: {origin}")]);
        assert_eq!(answer.status, 403, "{origin}");
    }
    let own = name.replace("Host: ", "Origin: http://");
    let tab = get("/a.js", &[name, "Sec-Fetch-Site: same-origin", &own]);
    assert_eq!(tab.status, 200);
    assert_eq!(header(&tab, "access-control-allow-origin"), None);
    // A stranger's sandboxed frame has none, and does not know the name.
    let guess = "Host: frame-00000000000000000000000000000000.localhost";
    for host in [guess, "Host: localhost"] {
        for origin in [&["Origin: null"][..], &[]] {
            let answer = get("/a.js", &[&[host, OPAQUE], origin].concat());
            assert_eq!(answer.status, 403, "{host} {origin:?}");
            assert_eq!(header(&answer, "access-control-allow-origin"), None);
        }
    }
}

#[test]
fn under_that_name_there_is_nothing_that_acts() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    let name = told(&ask(server.port, "GET", "/", &FRAMED)).unwrap();
    for path in ["/server-sent-events", "/@tidings/seen", "/@tidings/else"] {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            for headers in [
                &[&*name][..],
                &[&name, OPAQUE],
                &[&name, OPAQUE, "Origin: null"],
                &[&name, "Sec-Fetch-Site: same-origin"],
            ] {
                let status = ask(server.port, method, path, headers).status;
                assert!(
                    status == 403 || status == 404,
                    "{method} {path} {headers:?}: {status}"
                );
            }
        }
    }
    assert_eq!(post(server.port, "/@tidings/seen", "junk").status, 400);
    // The script that opens a document under the name holds nothing, and may be had.
    let script = [OPAQUE, "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script"];
    let answer = ask(server.port, "GET", "/@tidings/client.js", &script);
    assert_eq!(answer.status, 200);
    assert!(!answer.text().contains("EventSource"), "{}", answer.text());
    assert_eq!(header(&answer, "cache-control"), Some("no-store"));
}

#[test]
fn what_was_refused_to_a_page_without_an_origin_is_said_once() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    server.out.next().unwrap();
    let refuse = |path: &str, headers: &[&str]| {
        let answer = ask(server.port, "GET", path, &[&[OPAQUE], headers].concat());
        assert_eq!(answer.status, 403);
    };
    // These say where they come from: strangers, who are refused without a word.
    refuse("/evil.js", &["Referer: http://evil.example/"]);
    refuse("/evil.js", &["Origin: http://evil.example"]);
    refuse("/a.js", &["Origin: null"]);
    refuse("/b.js", &[]);
    assert_eq!(
        server.out.next().unwrap(),
        "a.js was denied to a page with an opaque origin: \
         a sandboxed frame without scripts or without an address (srcdoc), or one of another site"
    );
    let document = "Sec-Fetch-Dest: document";
    assert_eq!(ask(server.port, "GET", "/a.js", &[document]).status, 200);
    let next = server.out.next().unwrap();
    assert!(next.starts_with("a.js does not reload"), "{next}");
}
