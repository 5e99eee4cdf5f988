//! `--slow`.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::curl::{Download, Stream, curl};
use crate::{Folder, Home};

#[test]
fn a_file_takes_its_time_and_changes_do_not() {
    let folder = Folder::new(&[("big.bin", &"x".repeat(1 << 20)), ("a.css", "")]);
    // The file takes more than a minute.
    let server = Home::new().serve(&folder, &["--slow", "100,20"]);
    let url = format!("http://localhost:{}", server.port);
    let mut download = Download::begin(&format!("{url}/big.bin"));
    let stream = Stream::open(&format!("{url}/server-sent-events"), &[]);
    stream.until("timestamp");
    folder.save("a.css", "b {}");
    stream.until("/a.css");
    let script = curl(&format!("{url}/@tidings/client.js"), &[]);
    assert_eq!(script.status, 200);
    assert!(download.is_under_way(), "the link is busy all the time");
}

#[test]
fn an_upload_to_a_backend_takes_its_time_and_arrives_complete() {
    let backend = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let route = format!("/up=http://{}", backend.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut socket = backend.accept().unwrap().0;
        let mut request = Vec::new();
        while !request.ends_with(b"xEND") {
            let mut piece = [0; 4096];
            match socket.read(&mut piece).unwrap() {
                0 => return,
                n => request.extend_from_slice(&piece[..n]),
            }
        }
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngot!");
    });
    let folder = Folder::new(&[]);
    let server = Home::new().serve(&folder, &["--slow", "400", "--proxy", &route]);
    let url = format!("http://localhost:{}/up", server.port);
    let body = "x".repeat(20_000) + "END";
    let began = Instant::now();
    let got = curl(&url, &["--data-binary", &body, "--header", "Expect:"]);
    assert_eq!(got.body, "got!");
    // 20 000 bytes at 50 000 bytes a second.
    assert!(began.elapsed() >= Duration::from_millis(400));
}

#[test]
fn a_response_takes_at_least_as_long_as_the_link_needs() {
    let folder = Folder::new(&[("a.txt", &"x".repeat(20_000))]);
    let server = Home::new().serve(&folder, &["--slow", "400,100"]);
    let url = format!("http://localhost:{}/a.txt", server.port);
    let began = Instant::now();
    let got = curl(&url, &["--http1.1"]);
    // 20 000 bytes at 50 000 bytes a second, and a round trip.
    assert!(began.elapsed() >= Duration::from_millis(500));
    assert_eq!(
        (got.body.len(), got.header("content-length")),
        (20_000, Some("20000"))
    );
}
