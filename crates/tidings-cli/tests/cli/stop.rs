//! How it ends.

use std::time::{Duration, Instant};

use super::{Folder, Server, Stream};

#[track_caller]
fn ends_politely_on(signal: &str) {
    let folder = Folder::new(&[("index.html", "<p>hi")]);
    let mut server = Server::start(&folder, &[]);
    let mut streams: Vec<_> = (0..20).map(|_| Stream::open(server.port, &[])).collect();
    for stream in &mut streams {
        stream.event();
    }
    let asked = Instant::now();
    server.signal(signal);
    assert_eq!(server.end(), Some(0));
    // A person waits for the prompt. Mostly it takes milliseconds; a busy machine is given more.
    assert!(asked.elapsed() < Duration::from_secs(5));
    for stream in &mut streams {
        assert_eq!(stream.block(), None, "ended, and nothing more was said");
    }
}

#[test]
fn ctrl_c_ends_every_stream_and_exits_with_0() {
    ends_politely_on("INT");
}

#[test]
fn sigterm_ends_every_stream_and_exits_with_0() {
    ends_politely_on("TERM");
}

#[test]
fn a_client_that_does_not_read_does_not_hold_up_the_end() {
    let folder = Folder::new(&[("large.bin", &"x".repeat(16 << 20))]);
    let mut server = Server::start(&folder, &[]);
    let mut socket = super::http::connect(server.port);
    let request = b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n";
    std::io::Write::write_all(&mut socket, request).unwrap();
    // The answer has begun, and is larger than what the system holds for us.
    std::io::Read::read_exact(&mut socket, &mut [0; 9]).unwrap();
    let asked = Instant::now();
    server.signal("INT");
    assert_eq!(server.end(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(5));
}
