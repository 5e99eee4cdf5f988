//! Who is not answered, and what strangers learn.

use super::http::{post, send_and_end};
use super::{Folder, Server, Stream, ask, get};

/// One path of each kind.
const PATHS: [&str; 6] = [
    "/",
    "/a.txt",
    "/nothing",
    "/server-sent-events",
    "/@tidings/client.js",
    "/@tidings/seen",
];

fn folder() -> Folder {
    Folder::new(&[("index.html", "<title>t</title>"), ("a.txt", "secret")])
}

#[test]
fn a_name_that_anyone_could_own_is_refused_everywhere_with_the_way_out() {
    for flags in [&[][..], &["--host", "0.0.0.0"]] {
        let folder = folder();
        let server = Server::start(&folder, flags);
        for path in PATHS {
            for host in ["evil.example", "evil.example:80", "localhost.evil.example"] {
                let answer = ask(server.port, "GET", path, &[&format!("Host: {host}")]);
                let name = host.trim_end_matches(":80");
                assert_eq!(answer.status, 403, "{path} {host}");
                let text = answer.text();
                assert!(text.contains(&format!("--allow-host {name}")), "{text}");
                assert!(!text.contains("secret"));
            }
        }
        for host in [
            "192.168.1.7",
            "192.168.1.7:8080",
            "[fd00::7]:1",
            "localhost",
        ] {
            let answer = ask(server.port, "GET", "/a.txt", &[&format!("Host: {host}")]);
            assert_eq!((answer.status, answer.text().as_str()), (200, "secret"));
        }
    }
}

#[test]
fn a_name_that_was_allowed_is_answered_and_its_neighbours_are_not() {
    let flags = [
        "--allow-host",
        "dev.example",
        "--allow-host",
        ".wild.example",
    ];
    let folder = folder();
    let server = Server::start(&folder, &flags);
    for (host, status) in [
        ("dev.example", 200),
        ("DEV.example:4000", 200),
        ("a.wild.example", 200),
        ("x.dev.example", 403),
        ("notwild.example", 403),
    ] {
        let answer = ask(server.port, "GET", "/a.txt", &[&format!("Host: {host}")]);
        assert_eq!(answer.status, status, "{host}");
    }
}

#[test]
fn other_sites_get_neither_the_stream_nor_the_script_nor_a_word_in() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    let port = server.port;
    let foreign = [
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: http://localhost:1",
    ];
    for path in [
        "/server-sent-events",
        "/@tidings/client.js",
        "/@tidings/seen",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            for header in foreign {
                let answer = ask(port, method, path, &[header]);
                assert_eq!(answer.status, 403, "{method} {path} {header}");
            }
        }
    }
    let own = format!("Origin: http://localhost:{port}");
    Stream::open(port, &["Sec-Fetch-Site: same-origin", &own]).event();
}

#[test]
fn nothing_is_ever_shared_across_origins() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    let preflight = [
        "Origin: http://evil.example",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Private-Network: true",
    ];
    // `HEAD` of a stream ends; its `GET` has the same head.
    for method in ["HEAD", "OPTIONS", "POST", "PUT"] {
        for headers in [&[][..], &preflight] {
            for path in PATHS {
                let answer = ask(server.port, method, path, headers);
                assert_ne!(answer.status, 0, "{method} {path}");
                let head = answer.head.join("\n").to_ascii_lowercase();
                assert!(!head.contains("access-control-"), "{method} {path}: {head}");
            }
        }
    }
}

#[test]
fn a_word_that_is_not_understood_is_refused_and_forgotten() {
    let folder = folder();
    let mut server = Server::start(&folder, &[]);
    let port = server.port;
    let huge = format!(r#"{{"id":"{}","did":"style"}}"#, "x".repeat(40_000));
    for (body, status) in [
        ("", 400),
        ("junk", 400),
        ("\u{0}\u{fffd}", 400),
        ("[]", 400),
        (r#"{"id":1,"did":"style"}"#, 400),
        (r#"{"did":1}"#, 400),
        // A later script may do more.
        (r#"{"id":"1.1","did":"explode"}"#, 204),
        (&"[".repeat(1000), 400),
        (&huge, 413),
        // Nothing that waits for its line: too late, or made up.
        (r#"{"id":"1.1","did":"style"}"#, 204),
    ] {
        assert_eq!(
            post(port, "/@tidings/seen", body).status,
            status,
            "{body:?}"
        );
    }
    // The same without a length: it is counted while it comes.
    let mut request = String::from(
        "POST /@tidings/seen HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    for _ in 0..1000 {
        request += "40\r\n";
        request += &"x".repeat(0x40);
        request += "\r\n";
    }
    assert!(matches!(
        send_and_end(port, request.as_bytes()).status,
        413 | 0
    ));
    let refused = get(port, "/@tidings/seen");
    assert_eq!(refused.status, 405);
    assert!(refused.head.iter().any(|line| line == "allow: POST"));
    assert!(server.is_alive());
    server.signal("TERM");
    server.end();
    assert_eq!(server.err.next(), None, "it has complained");
}
