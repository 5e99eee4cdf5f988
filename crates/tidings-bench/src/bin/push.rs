//! The time from a save to the first byte at a client. The floor is the smallest possible program that
//! forwards an inotify event over loopback TCP.
//!
//! The two take turns, save by save, each with a folder of its own. The clock starts when the save
//! begins, so both include the save itself.
//!
//! `cargo run --release -p tidings-bench --bin push [--saves 300] [--pause 37] [--only in-place]`
//!
//! `--pause` is the time between two saves, in milliseconds. With `--saves 10000 --pause 12` it is about whether any
//! is missed.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "what fails here leaves nothing to measure"
)]

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use inotify::{Inotify, WatchMask};
use tidings_bench::{Process, Times, option, text_option, tidings};

/// A save counts as missed if nothing arrives for this long.
const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug)]
enum Save {
    InPlace,
    Truncate,
    Rename,
}

struct Client {
    socket: TcpStream,
    dir: PathBuf,
    times: Times,
    missed: usize,
    _process: Process,
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("floor") {
        return floor(Path::new(&std::env::args().nth(2).unwrap()));
    }
    let n_saves = option("saves", 300);
    let pause = Duration::from_millis(option("pause", 37) as u64);
    let only = text_option("only");
    println!(
        "{n_saves} saves of each kind and program, in turns; milliseconds from save to first byte\n"
    );
    println!(
        "{:<10} {:<8} {:>8} {:>8} {:>8} {:>7}",
        "save", "", "median", "p95", "max", "missed"
    );
    let kinds = [
        ("in-place", Save::InPlace),
        ("truncate", Save::Truncate),
        ("rename", Save::Rename),
    ];
    for (name, save) in kinds {
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let own = std::env::current_exe().unwrap();
        let mut floor = Command::new(own);
        floor.arg("floor").arg(dirs[0].path());
        let mut ours = Command::new(tidings());
        ours.arg("serve").arg(dirs[1].path()).args(["--port", "0"]);
        for dir in &dirs {
            for n in 0..20 {
                fs::write(dir.path().join(format!("other{n}.html")), "<p>x").unwrap();
            }
            fs::write(dir.path().join("page.html"), text(0)).unwrap();
        }
        let mut clients = [
            Client::new(Process::start(&mut floor), dirs[0].path(), b"go\n"),
            Client::new(
                Process::start(&mut ours),
                dirs[1].path(),
                b"GET /server-sent-events HTTP/1.1\r\nHost: localhost\r\n\r\n",
            ),
        ];
        // By then the first walk is done as well.
        std::thread::sleep(Duration::from_millis(500));
        for n in 1..=n_saves {
            for client in &mut clients {
                client.round(save, n);
                // Not back to back, like saves by a person, and not in step with other timers.
                std::thread::sleep(pause);
            }
        }
        let [floor, ours] = &clients;
        for (name, client) in [("floor", floor), ("tidings", ours)] {
            let ms = |share| client.times.quantile_ms(share);
            println!(
                "{:<10} {name:<8} {:>8.3} {:>8.3} {:>8.3} {:>7}",
                format!("{save:?}"),
                ms(0.5),
                ms(0.95),
                ms(1.0),
                client.missed
            );
        }
        let ratio = |share| ours.times.quantile_ms(share) / floor.times.quantile_ms(share);
        println!(
            "{:<10} {:<8} {:>7.2}x {:>7.2}x\n",
            "",
            "ratio",
            ratio(0.5),
            ratio(0.95)
        );
    }
}

fn text(n: usize) -> String {
    format!("<!doctype html><p>{n:08}</p>{}", "x".repeat(2000))
}

impl Client {
    fn new(process: Process, dir: &Path, request: &[u8]) -> Client {
        let port: String = process
            .first_line
            .trim_end_matches('/')
            .rsplit(':')
            .next()
            .unwrap()
            .to_owned();
        let mut socket = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.write_all(request).unwrap();
        Client {
            socket,
            dir: dir.to_owned(),
            times: Times::default(),
            missed: 0,
            _process: process,
        }
    }

    fn round(&mut self, save: Save, n: usize) {
        self.drain();
        let path = self.dir.join("page.html");
        let text = text(n);
        let begun = Instant::now();
        match save {
            Save::InPlace => {
                let mut file = OpenOptions::new().write(true).open(&path).unwrap();
                file.write_all(text.as_bytes()).unwrap();
            }
            Save::Truncate => fs::write(&path, &text).unwrap(),
            Save::Rename => {
                let beside = self.dir.join(".page.html.tmp");
                fs::write(&beside, &text).unwrap();
                fs::rename(&beside, &path).unwrap();
            }
        }
        self.socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        match self.socket.read(&mut [0; 4096]) {
            Ok(n) if n > 0 => self.times.add(begun.elapsed()),
            Ok(_) => panic!("the connection was closed"),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                self.missed += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Discards what has arrived already.
    fn drain(&mut self) {
        self.socket.set_nonblocking(true).unwrap();
        while matches!(self.socket.read(&mut [0; 4096]), Ok(n) if n > 0) {}
        self.socket.set_nonblocking(false).unwrap();
    }
}

/// One thread that waits for inotify and writes to its only client.
fn floor(dir: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!(
        "http://127.0.0.1:{}/",
        listener.local_addr().unwrap().port()
    );
    let (mut client, _) = listener.accept().unwrap();
    client.set_nodelay(true).unwrap();
    let mut inotify = Inotify::init().unwrap();
    let mask = WatchMask::CLOSE_WRITE | WatchMask::MOVED_TO;
    inotify.watches().add(dir, mask).unwrap();
    let mut buffer = [0; 4096];
    loop {
        let events = inotify.read_events_blocking(&mut buffer).unwrap();
        for event in events {
            // Events of the temporary file before the rename are ignored.
            if event
                .name
                .is_some_and(|name| !name.to_string_lossy().starts_with('.'))
            {
                client
                    .write_all(b"data: {\"timestamp\":1763800000000}\n\n")
                    .unwrap();
            }
        }
    }
}
