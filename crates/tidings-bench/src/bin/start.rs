//! From the start of the process to the first byte of the first page, against the floor: the smallest
//! possible server that reads a file and responds.
//!
//! The two take turns, start by start, each on a free port. The clock starts before the process is spawned
//! and stops at the first byte of the response; the client tries to connect every 50 µs.
//!
//! `cargo run --release -p tidings-bench --bin start [--runs 40]`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "what fails here leaves nothing to measure"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tidings_bench::{Process, Times, option, tidings};

/// The time between two attempts to connect.
const PAUSE: Duration = Duration::from_micros(50);

/// A start that takes longer aborts the run.
const TIMEOUT: Duration = Duration::from_secs(5);

const PAGE: &str = "<!doctype html><title>Small</title><link rel=stylesheet href=site.css>\
                    <script src=site.js defer></script><p>Hello</p>";

const NAVIGATION: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\
                          Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n";

const STREAM: &str =
    "GET /server-sent-events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("floor") {
        let port = arguments.next().unwrap().parse().unwrap();
        return floor(port, Path::new(&arguments.next().unwrap()));
    }
    let n_runs = option("runs", 40);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.html"), PAGE).unwrap();
    fs::write(dir.path().join("site.css"), "p { color: teal }").unwrap();
    fs::write(dir.path().join("site.js"), "console.log('hello')").unwrap();

    let (mut floor, mut ours) = (Times::default(), Times::default());
    // The first start of each does not count: it reads the program from the disk.
    for run in 0..=n_runs {
        let times = [
            start(&mut floor_command(dir.path())),
            start(&mut tidings_command(dir.path())),
        ];
        if run > 0 {
            floor.add(times[0]);
            ours.add(times[1]);
        }
    }
    println!(
        "{n_runs} starts of each, in turns; milliseconds from the start to the first byte of a page\n"
    );
    println!(
        "{:<12} {:>8} {:>8} {:>8} {:>8}",
        "", "least", "median", "p95", "most"
    );
    let row = |name: &str, figure: &dyn Fn(f64) -> f64| {
        let figures = [0.0, 0.5, 0.95, 1.0].map(|share| format!("{:>8.2}", figure(share)));
        println!("{name:<12} {}", figures.join(" "));
    };
    row("floor", &|share| floor.quantile_ms(share));
    row("tidings", &|share| ours.quantile_ms(share));
    row("difference", &|share| {
        ours.quantile_ms(share) - floor.quantile_ms(share)
    });

    let bytes = fs::metadata(tidings()).unwrap().len();
    println!("\nbinary       {:>8.2} MB", bytes as f64 / 1e6);
    println!(
        "idle memory  {:>8.2} MB after one page, with one stream open",
        idle_bytes(dir.path()) as f64 / 1e6
    );
}

fn floor_command(dir: &Path) -> (Command, u16) {
    let port = free_port();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["floor", &port.to_string()]).arg(dir);
    (command, port)
}

fn tidings_command(dir: &Path) -> (Command, u16) {
    let port = free_port();
    let mut command = Command::new(tidings());
    command
        .arg("serve")
        .arg(dir)
        .args(["--port", &port.to_string()]);
    (command, port)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn start((command, port): &mut (Command, u16)) -> Duration {
    command.stdout(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut socket = connect(*port, begun);
    socket.write_all(NAVIGATION.as_bytes()).unwrap();
    let mut first = [0; 64];
    let n = socket.read(&mut first).unwrap();
    let took = begun.elapsed();
    assert!(
        first[..n].starts_with(b"HTTP/1.1 200"),
        "{:?}",
        String::from_utf8_lossy(&first[..n])
    );
    child.kill().unwrap();
    child.wait().unwrap();
    took
}

fn connect(port: u16, begun: Instant) -> TcpStream {
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(socket) => return socket,
            Err(error) => assert!(begun.elapsed() < TIMEOUT, "{error}"),
        }
        std::thread::sleep(PAUSE);
    }
}

fn idle_bytes(dir: &Path) -> u64 {
    let (mut command, port) = tidings_command(dir);
    let process = Process::start(&mut command);
    let mut kept = Vec::new();
    for request in [NAVIGATION, STREAM] {
        let mut socket = connect(port, Instant::now());
        socket.write_all(request.as_bytes()).unwrap();
        assert!(socket.read(&mut [0; 4096]).unwrap() > 0);
        kept.push(socket);
    }
    std::thread::sleep(Duration::from_millis(500));
    process.memory_bytes()
}

/// Reads the file and sends it, one connection after the other.
fn floor(port: u16, dir: &Path) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    loop {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = socket.read(&mut [0; 4096]).unwrap();
        let page = fs::read(dir.join("index.html")).unwrap();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n",
            page.len()
        );
        let answer = [head.as_bytes(), &page].concat();
        socket.write_all(&answer).unwrap();
    }
}
