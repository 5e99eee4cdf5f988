//! The cost of a request: CPU time of the server for a 10 KB page, with injection, and for a 100 KB script,
//! requested repeatedly on 32 kept connections.
//!
//! The program and its floor take turns in one run. The floor is `floor.c`, built here with `cc`: one
//! thread, seven system calls per request, and the file is opened and read each time. The servers are not
//! pinned to a core. The load is one thread; it keeps one request under way on each connection, and aborts
//! the run at the first incomplete response.
//!
//! `cargo run --release -p tidings-bench --bin page [--rounds 7] [--ms 1500] [--connections 32]`
//!
//! `--other PATH` measures a third server: another build of the program. `--only app.js` omits the page.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "what fails here leaves nothing to measure"
)]

mod requests;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use requests::Requests;
use tidings_bench::{Process, median, option, text_option, tidings};

const PAGE_BYTES: usize = 10 * 1024;
const SCRIPT_BYTES: usize = 100 * 1024;

/// What is requested, with a browser's headers.
const TARGETS: [Target; 2] = [
    Target {
        path: "index.html",
        bytes: PAGE_BYTES,
        headers: "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
                  Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n",
    },
    Target {
        path: "app.js",
        bytes: SCRIPT_BYTES,
        headers: "Accept: */*\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: script\r\n",
    },
];

struct Target {
    path: &'static str,
    bytes: usize,
    headers: &'static str,
}

/// The result of one server in one round.
#[derive(Clone, Copy, Debug)]
struct Turn {
    cpu_us: f64,
    user_share: f64,
    per_second: f64,
}

struct Server {
    name: &'static str,
    process: Process,
}

fn main() {
    let n_rounds = option("rounds", 7);
    let n_connections = option("connections", 32);
    let least = Duration::from_millis(option("ms", 1500) as u64);
    let dir = tempfile::tempdir().unwrap();
    // Each server has its own folder, so that opening a file does not wake another server's watcher.
    let site = |name: &str| {
        let site = dir.path().join(name);
        write_site(&site);
        site
    };
    let mut floor = Command::new(build_floor(dir.path()));
    let mut servers = vec![
        Server::start("floor", floor.arg(site("floor-site"))),
        Server::start("tidings", &mut program(&tidings(), &site("site"))),
    ];
    if let Some(other) = text_option("other") {
        let mut other = program(Path::new(&other), &site("other-site"));
        servers.push(Server::start("other", &mut other));
    }
    // Wait until the files are older than a tick of the file system's clock: younger ones are not cached.
    std::thread::sleep(Duration::from_millis(100));
    println!(
        "{n_connections} connections, {n_rounds} rounds of at least {} ms in turns; medians\n",
        least.as_millis()
    );
    let only = text_option("only");
    let is_wanted = |target: &Target| only.as_ref().is_none_or(|only| *only == target.path);
    for target in TARGETS.into_iter().filter(is_wanted) {
        let mut turns = vec![Vec::new(); servers.len()];
        for round in 0..n_rounds {
            for at in 0..servers.len() {
                let at = (at + round) % servers.len();
                turns[at].push(servers[at].turn(&target, n_connections, least));
            }
        }
        print(&target, &servers, &turns);
    }
}

impl Server {
    fn start(name: &'static str, command: &mut Command) -> Server {
        Server {
            name,
            process: Process::start(command),
        }
    }

    fn turn(&self, target: &Target, n_connections: usize, least: Duration) -> Turn {
        let url = &self.process.first_line;
        let port = url.trim_end_matches('/').rsplit(':').next().unwrap();
        let mut requests = Requests::connect(
            port.parse().unwrap(),
            &request(target),
            target.bytes,
            n_connections,
        );
        requests.run(Instant::now() + least / 5);
        let (cpu, ticks) = (self.process.cpu(), self.process.ticks());
        let begun = Instant::now();
        let n_answers = requests.run(begun + least) as f64;
        let took = begun.elapsed().as_secs_f64();
        Turn {
            cpu_us: (self.process.cpu() - cpu).as_secs_f64() * 1e6 / n_answers,
            user_share: self.process.ticks().user_share_since(ticks),
            per_second: n_answers / took,
        }
    }
}

fn print(target: &Target, servers: &[Server], turns: &[Vec<Turn>]) {
    println!(
        "{:<10} {:>8} {:>9} {:>15} {:>8} {:>11}",
        format!("/{}", target.path),
        "µs CPU",
        "of floor",
        "(least, most)",
        "user µs",
        "answers/s"
    );
    for (server, own) in servers.iter().zip(turns) {
        let of = |figure: fn(&Turn) -> f64| median(own.iter().map(figure));
        let ratios: Vec<f64> = own
            .iter()
            .zip(&turns[0])
            .map(|(own, floor)| own.cpu_us / floor.cpu_us)
            .collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        println!(
            "{:<10} {:>8.1} {:>8.2}x {:>15} {:>8.1} {:>11.0}",
            server.name,
            of(|turn| turn.cpu_us),
            median(ratios.into_iter()),
            format!("({least:.2}, {most:.2})"),
            of(|turn| turn.cpu_us * turn.user_share),
            of(|turn| turn.per_second),
        );
    }
    println!();
}

/// A browser's request.
fn request(target: &Target) -> String {
    format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
         Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en\r\n{}\r\n",
        target.path, target.headers
    )
}

fn program(tidings: &Path, site: &Path) -> Command {
    let mut command = Command::new(tidings);
    command
        .arg("serve")
        .arg(site)
        .args(["--port", "0", "--quiet"]);
    command
}

fn build_floor(dir: &Path) -> PathBuf {
    let floor = dir.join("floor");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/page/floor.c");
    let built = Command::new("cc")
        .args(["-O2", "-o"])
        .args([&floor, &source])
        .status();
    assert!(
        built.is_ok_and(|status| status.success()),
        "the floor needs a C compiler: cc"
    );
    floor
}

fn write_site(site: &Path) {
    fs::create_dir(site).unwrap();
    let filled = |start: &str, line: &str, bytes: usize| {
        let mut text = start.to_owned();
        while text.len() < bytes {
            text.push_str(line);
        }
        text.truncate(bytes);
        text
    };
    let page = "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n<title>A page</title>\n\
                <link rel=stylesheet href=site.css>\n<script src=app.js defer></script>\n</head>\n<body>\n";
    let page = filled(
        page,
        "<p>Somebody wrote a line of text here.</p>\n",
        PAGE_BYTES,
    );
    let script = filled(
        "",
        "export const line = () => 'a line of a script';\n",
        SCRIPT_BYTES,
    );
    fs::write(site.join("index.html"), page).unwrap();
    fs::write(site.join("app.js"), script).unwrap();
}
