//! `--slow`.

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
