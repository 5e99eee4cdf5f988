//! From the save of a source file to the first answer of the new backend behind `tidings proxy`, against the floor:
//! the time from the start of that backend, by hand, to its first answer.
//!
//! The two take turns, round by round. The difference is what `tidings` adds: to notice the save, to start the
//! command with its guardian, to find that it answers, and to send the requests there. The backend reads the
//! source file at its start, and answers every request with it.
//!
//! `cargo run --release -p tidings-bench --bin restart [--rounds 40]`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "what fails here leaves nothing to measure"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tidings_bench::{Process, Times, option, tidings};

/// The time between two requests.
const PAUSE: Duration = Duration::from_micros(50);

/// A start that takes longer aborts the run.
const TIMEOUT: Duration = Duration::from_secs(10);

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("backend") {
        let port = arguments.next().unwrap().parse().unwrap();
        return backend(port, Path::new(&arguments.next().unwrap()));
    }
    let n_rounds = option("rounds", 40);
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source.txt");
    fs::write(&source, "0").unwrap();
    let own = std::env::current_exe().unwrap();
    let proxy = Process::start(
        Command::new(tidings())
            .args(["proxy", "--port", "0", "--no-config", "--"])
            .arg(&own)
            .args(["backend", "{port}"])
            .arg(&source)
            .current_dir(dir.path())
            .stderr(Stdio::null()),
    );
    let url = proxy.first_line.trim_end_matches('/');
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    until_answered(port, "0", Instant::now());

    let (mut floor, mut ours, mut added) = (Times::default(), Times::default(), Times::default());
    // The first round does not count: it reads the programs from the disk.
    for round in 0..=n_rounds {
        let by_hand = by_hand(&own, &source, &round.to_string());
        let version = format!("{round} saved");
        let began = Instant::now();
        fs::write(&source, &version).unwrap();
        let restarted = until_answered(port, &version, began);
        if round > 0 {
            floor.add(by_hand);
            ours.add(restarted);
            added.add(restarted.saturating_sub(by_hand));
        }
        // What is saved next is no part of this round.
        fs::write(&source, (round + 1).to_string()).unwrap();
        until_answered(port, &(round + 1).to_string(), Instant::now());
    }
    println!("{n_rounds} rounds, milliseconds\n");
    println!("{:<34}{:>9}{:>9}", "", "median", "p95");
    for (name, times) in [
        ("start by hand to first answer", &floor),
        ("save to first answer, tidings", &ours),
        ("difference", &added),
    ] {
        let (median, p95) = (times.quantile_ms(0.5), times.quantile_ms(0.95));
        println!("{name:<34}{median:>9.2}{p95:>9.2}");
    }
}

/// The time of a start without tidings.
fn by_hand(own: &Path, source: &Path, version: &str) -> Duration {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    // A copy, so that nothing is saved where tidings watches.
    let copy = tempfile::NamedTempFile::new().unwrap();
    fs::copy(source, copy.path()).unwrap();
    fs::write(copy.path(), version).unwrap();
    let began = Instant::now();
    let mut child = Command::new(own)
        .args(["backend", &port.to_string()])
        .arg(copy.path())
        .spawn()
        .unwrap();
    let time = until_answered(port, version, began);
    child.kill().unwrap();
    child.wait().unwrap();
    time
}

/// Asks until this is the answer.
fn until_answered(port: u16, expected: &str, began: Instant) -> Duration {
    loop {
        if answer(port).is_some_and(|answer| answer.ends_with(&format!("\r\n\r\n{expected}"))) {
            return began.elapsed();
        }
        assert!(began.elapsed() < TIMEOUT, "no answer {expected:?}");
        std::thread::sleep(PAUSE);
    }
}

fn answer(port: u16) -> Option<String> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    socket.write_all(REQUEST.as_bytes()).ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Answers each request with what the file held at the start.
fn backend(port: u16, source: &Path) {
    let content = fs::read_to_string(source).unwrap();
    let response = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{content}",
        content.len()
    );
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    for socket in listener.incoming() {
        let Ok(mut socket) = socket else { continue };
        let mut request = [0; 2048];
        // Who only looks whether this listens sends nothing.
        if matches!(socket.read(&mut request), Ok(1..)) {
            let _ = socket.write_all(response.as_bytes());
        }
    }
}
