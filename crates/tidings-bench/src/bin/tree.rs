//! The cost of starting to watch a large tree of 20,000 directories with 200,000 files, against a plain walk of the
//! same tree, which reads each directory and asks for the times and the size of each entry, as `find -newer` does.
//! The two take turns. The same for the program: when its first page is there.
//!
//! `cargo run --release -p tidings-bench --bin tree [--directories 20000] [--runs 5]`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "what fails here leaves nothing to measure"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use tidings::watch::{Notice, Options, Watcher};
use tidings_bench::{Process, Times, option, tidings};

const NAVIGATION: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\
                          Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nConnection: close\r\n\r\n";

fn main() {
    let n_directories = option("directories", 20_000);
    let n_runs = option("runs", 5);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.html"), "<!doctype html><p>Hello").unwrap();
    for n in 0..n_directories {
        let at = dir.path().join(format!("d{}/e{}/f{n}", n % 20, n % 200));
        fs::create_dir_all(&at).unwrap();
        for file in 0..10 {
            fs::write(at.join(file.to_string()), "x").unwrap();
        }
    }
    let (mut walked, mut watched) = (Times::default(), Times::default());
    let mut ratios = Vec::new();
    let (mut entries, mut directories, mut grown) = (0, 0, 0);
    for _ in 0..n_runs {
        let begun = Instant::now();
        entries = walk(dir.path());
        let floor = begun.elapsed();
        let before = resident_kib();
        let (ours, found) = watch(dir.path(), Options::new([dir.path()]));
        grown = grown.max(resident_kib().saturating_sub(before));
        directories = found;
        walked.add(floor);
        watched.add(ours);
        ratios.push(ours.as_secs_f64() / floor.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "{entries} entries walked in {:.0} ms; {directories} directories watched after {:.0} ms, {:.1}x ({:.1}x to \
         {:.1}x); {:.1} MB more",
        walked.quantile_ms(0.5),
        watched.quantile_ms(0.5),
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1],
        grown as f64 / 1024.0
    );
    let mut options = Options::new([dir.path()]);
    options.poll = Some(Duration::from_secs(3600));
    let (polled, _) = watch(dir.path(), options);
    println!(
        "all of it known for polling after {:.0} ms",
        polled.as_secs_f64() * 1e3
    );

    let mut first = Times::default();
    let mut memory = 0;
    for _ in 0..n_runs {
        let (time, bytes) = first_page(dir.path());
        first.add(time);
        memory = memory.max(bytes);
    }
    println!(
        "tidings serve: the first page after {:.1} ms; {:.1} MB when everything is watched",
        first.quantile_ms(0.5),
        memory as f64 / 1e6
    );
}

/// Reads each directory, and asks for the times and the size of each entry.
fn walk(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).unwrap().flatten();
    entries
        .map(|entry| {
            let meta = entry.metadata().unwrap();
            std::hint::black_box((meta.modified().unwrap(), meta.len()));
            match meta.is_dir() {
                true => 1 + walk(&entry.path()),
                false => 1,
            }
        })
        .sum()
}

/// The time until everything is watched, and how many directories that are.
fn watch(dir: &Path, options: Options) -> (Duration, usize) {
    let (send, notices) = channel();
    let begun = Instant::now();
    let watcher = Watcher::start(options, move |notice| {
        let _ = send.send(notice);
    });
    let notice = notices.recv().unwrap();
    let ready = begun.elapsed();
    let Notice::Ready { directories, .. } = notice else {
        panic!("{}: {notice:?}", dir.display());
    };
    drop(watcher.unwrap());
    (ready, directories)
}

/// The time from the start of the program to its first page, and its memory once it has walked the tree.
fn first_page(dir: &Path) -> (Duration, u64) {
    let begun = Instant::now();
    let process = Process::start(Command::new(tidings()).arg(dir).args(["--port", "0"]));
    let line = &process.first_line;
    let port = line.rsplit_once("http://localhost:").unwrap().1;
    let port: u16 = port.split('/').next().unwrap().parse().unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.write_all(NAVIGATION.as_bytes()).unwrap();
    let mut page = String::new();
    socket.read_to_string(&mut page).unwrap();
    assert!(page.contains("Hello"), "{page}");
    let time = begun.elapsed();
    // Idle from then on.
    let mut before = process.cpu();
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let now = process.cpu();
        if now - before < Duration::from_millis(50) {
            return (time, process.memory_bytes());
        }
        before = now;
    }
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}
