//! How much memory the server takes, and how much the script in the page is.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tidings_bench::chromium::Browser;
use tidings_bench::memory_of;

use crate::peers::Server;
use crate::site::{self, Kind, SEES_TEXT};

/// What a page may load; not all of them exist in each version.
const FILES: [&str; 7] = [
    "client.js",
    "update.js",
    "patch.js",
    "restore.js",
    "overlay.js",
    "badge.js",
    "console.js",
];

pub(crate) fn run() {
    eprintln!("sizes");
    let dir = site::folder();
    site::write(dir.path(), Kind::Plain, "", 20);
    let running = Server::Tidings("auto").start(dir.path(), None);
    let mut browser = Browser::start();
    let mut page = browser.open(&running.url(), SEES_TEXT);
    page.until_seen("[first]", Duration::from_secs(30)).unwrap();
    for n in 0..20 {
        let text = format!("number {n}");
        let content = site::page(Kind::Plain, "", &text, 20);
        fs::write(dir.path().join("index.html"), content).unwrap();
        page.until_seen(&format!("[{text}]"), Duration::from_secs(30))
            .unwrap();
    }
    println!("### Sizes\n");
    println!("| | |");
    println!("|---|--:|");
    println!(
        "| memory of the server with one page open, after 20 saves | {:.1} MB |",
        memory_of(running.id()) as f64 / 1e6
    );
    for name in FILES {
        if let Some(body) = get(running.port(), &format!("/@tidings/{name}")) {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
            gzip.write_all(&body).unwrap();
            let bytes = gzip.finish().unwrap().len();
            println!("| `{name}` in gzip | {bytes} bytes |");
        }
    }
    println!();
}

/// The body of an answer with 200.
fn get(port: u16, path: &str) -> Option<Vec<u8>> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    answer
        .starts_with(b"HTTP/1.1 200")
        .then(|| answer.split_off(end + 4))
}
