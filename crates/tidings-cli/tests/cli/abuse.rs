//! What no browser would send, and more of it than one would.

use std::io::Write;

use super::http::{connect, send, send_and_end};
use super::{Folder, Server, Stream, get};
use crate::support::program::until;

#[test]
fn nothing_that_is_sent_ends_the_server() {
    let folder = Folder::new(&[("a.txt", "secret")]);
    let mut server = Server::start(&folder, &[]);
    let huge_header = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "x".repeat(4 << 20)
    );
    let many_headers = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        "X: y\r\n".repeat(5000)
    );
    let long_target = format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "a/".repeat(20_000)
    );
    let garbage: Vec<u8> = (0..100_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let requests: [(&[u8], &[u16]); 21] = [
        (&garbage, &[0, 400]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", &[0, 400]),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0, 400, 505]),
        (b"\r\n\r\n\r\n", &[0, 400]),
        (huge_header.as_bytes(), &[0, 431]),
        (many_headers.as_bytes(), &[0, 431]),
        (long_target.as_bytes(), &[0, 404, 414]),
        (b"GET http://localhost/a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n", &[200]),
        (b"GET http://evil.example/a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n", &[403]),
        (b"GET http://localhost/a.txt HTTP/1.1\r\nHost: evil.example\r\n\r\n", &[403]),
        (b"GET ftp://localhost/a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        (b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\n\r\n", &[400]),
        (b"GET /a.txt HTTP/1.1\r\n\r\n", &[400]),
        (b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", &[400]),
        (b"GET /a.txt HTTP/1.1\r\nHost: \xff\r\n\r\n", &[400]),
        (b"GET .. HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        (b"GET /../../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", &[404]),
        (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", &[404]),
        (b"GET /a%00.txt HTTP/1.1\r\nHost: localhost\r\n\r\n", &[404]),
        (b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400, 404]),
        (b"POST /a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", &[0, 400, 405]),
    ];
    for (request, expected) in requests {
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        let answer = match request.ends_with(b"\r\n\r\n") && !request.starts_with(b"\r\n") {
            true => send(server.port, request),
            false => send_and_end(server.port, request),
        };
        assert!(expected.contains(&answer.status), "{shown:?}: {answer:?}");
        assert!(!answer.text().contains("root:"), "{shown:?}");
        assert!(server.is_alive(), "{shown:?}");
    }
    assert_eq!(get(server.port, "/a.txt").text(), "secret");
    server.signal("TERM");
    assert_eq!(server.end(), Some(0));
    assert_eq!(server.err.next(), None, "it has complained");
}

#[test]
fn who_comes_and_goes_leaves_nothing_behind() {
    let folder = Folder::new(&[("a.txt", "a")]);
    let server = Server::start(&folder, &[]);
    let open = || {
        let fds = std::fs::read_dir(format!("/proc/{}/fd", server.pid()));
        fds.map(Iterator::count)
    };
    // The first stream is there when the first walk is done; the first file makes it keep the folder open.
    Stream::open(server.port, &[]).event();
    get(server.port, "/a.txt");
    let Ok(before) = open() else {
        return eprintln!("skipped: this system has no /proc");
    };
    for n in 0..1000 {
        let mut socket = connect(server.port);
        match n % 4 {
            0 => {}
            1 => socket.write_all(b"GET /a.t").unwrap(),
            2 => socket
                .write_all(b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .unwrap(),
            _ => drop(Stream::open(server.port, &[])),
        }
    }
    let after = until(|| open().ok().filter(|after| *after <= before));
    assert!(after.is_some(), "{before} before, {:?} after", open());
    assert_eq!(get(server.port, "/a.txt").text(), "a");
}
