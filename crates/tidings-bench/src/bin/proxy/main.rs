//! The cost of `tidings proxy`: how much later a page arrives than from the backend itself, and how much
//! slower a large download is than through a bare TCP relay.
//!
//! All servers take turns in one run, over one kept connection each, with one request under way. The backend is
//! a thread of the benchmark per connection, which writes a response that is ready. The relay copies bytes
//! between two sockets and knows nothing of HTTP. Where they are installed, nginx (`proxy_pass`) and Go's
//! `httputil.ReverseProxy` are measured as well.
//!
//! `cargo run --release -p tidings-bench --bin proxy [--rounds 21] [--requests 300] [--downloads 3] [--mib 1024]`
//!
//! `--other PATH` measures another build of the program.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "what fails here leaves nothing to measure"
)]

mod backend;
mod client;
mod peers;
mod relay;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use client::Client;
use tidings_bench::{Process, Times, median, option, text_option, tidings};

/// What is measured: a server that passes requests to the backend, or the backend itself.
struct Server {
    name: &'static str,
    port: u16,
    process: Option<Process>,
}

/// A kind of request.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    headers: &'static str,
    /// Whether tidings adds its script to the response.
    is_injected: bool,
}

const KINDS: [Kind; 2] = [
    Kind {
        name: "fetch",
        headers: "Accept: */*\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n",
        is_injected: false,
    },
    Kind {
        name: "navigation",
        headers: "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
                  Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n",
        is_injected: true,
    },
];

fn main() {
    if let Some(port) = text_option("relay-to") {
        relay::run(port.parse().unwrap());
        return;
    }
    let backend = backend::start();
    let dir = tempfile::tempdir().unwrap();
    let mut servers = vec![
        Server {
            name: "direct",
            port: backend,
            process: None,
        },
        Server::start(
            "relay",
            Command::new(std::env::current_exe().unwrap())
                .args(["--relay-to", &backend.to_string()]),
        ),
        Server::start("tidings", &mut program(&tidings(), backend)),
    ];
    if let Some(other) = text_option("other") {
        servers.push(Server::start(
            "other",
            &mut program(Path::new(&other), backend),
        ));
    }
    servers.extend(peers::nginx(dir.path(), backend));
    servers.extend(peers::go(dir.path(), backend));
    for kind in KINDS {
        latency(&servers, kind);
    }
    downloads(&servers);
}

impl Server {
    /// Starts a server whose first line ends with its port and perhaps a slash.
    fn start(name: &'static str, command: &mut Command) -> Server {
        let process = Process::start(command);
        let line = process.first_line.trim_end_matches('/');
        let port = line.rsplit(':').next().unwrap().parse().unwrap();
        Server {
            name,
            port,
            process: Some(process),
        }
    }

    fn cpu_us(&self) -> f64 {
        let cpu = self.process.as_ref().map(Process::cpu);
        cpu.map_or(f64::NAN, |cpu| cpu.as_secs_f64() * 1e6)
    }

    fn peak_mb(&self) -> f64 {
        let peak = self.process.as_ref().map(Process::peak_memory_bytes);
        peak.map_or(f64::NAN, |bytes| bytes as f64 / 1e6)
    }
}

fn program(tidings: &Path, backend: u16) -> Command {
    let mut command = Command::new(tidings);
    let url = format!("http://127.0.0.1:{backend}");
    command.args(["proxy", &url, "--port", "0", "--quiet"]);
    command
}

fn latency(servers: &[Server], kind: Kind) {
    let (n_rounds, n_requests) = (option("rounds", 21), option("requests", 300));
    let mut clients: Vec<_> = servers
        .iter()
        .map(|server| Client::connect(server.port))
        .collect();
    let request = client::request("/page", kind.headers);
    let mut times: Vec<Times> = servers.iter().map(|_| Times::default()).collect();
    // The median of each round.
    let mut medians = vec![Vec::new(); servers.len()];
    let mut cpu = vec![0.0; servers.len()];
    for round in 0..=n_rounds {
        for at in 0..servers.len() {
            let at = (at + round) % servers.len();
            let before = servers[at].cpu_us();
            let mut own = Times::default();
            for _ in 0..n_requests {
                let asked = Instant::now();
                let body = clients[at].ask(&request);
                let took = asked.elapsed();
                let is_injected = body > backend::PAGE_BYTES as u64;
                let may_inject = ["tidings", "other"].contains(&servers[at].name);
                assert_eq!(
                    is_injected,
                    kind.is_injected && may_inject,
                    "{}",
                    servers[at].name
                );
                // The first round is for warming up.
                if round > 0 {
                    times[at].add(took);
                    own.add(took);
                }
            }
            if round > 0 {
                cpu[at] += servers[at].cpu_us() - before;
                medians[at].push(own.quantile_ms(0.5));
            }
        }
    }
    println!(
        "{} of a page of {} bytes, {n_rounds} rounds of {n_requests} requests in turns",
        kind.name,
        backend::PAGE_BYTES,
    );
    println!(
        "{:<10} {:>9} {:>9} {:>17} {:>9} {:>9}",
        "", "median ms", "p95 ms", "added median ms", "µs CPU", "peak MB"
    );
    for at in 0..servers.len() {
        let added = medians[at]
            .iter()
            .zip(&medians[0])
            .map(|(own, direct)| own - direct);
        println!(
            "{:<10} {:>9.3} {:>9.3} {:>17.3} {:>9.1} {:>9.1}",
            servers[at].name,
            times[at].quantile_ms(0.5),
            times[at].quantile_ms(0.95),
            median(added),
            cpu[at] / (n_rounds * n_requests) as f64,
            servers[at].peak_mb(),
        );
    }
    println!();
}

fn downloads(servers: &[Server]) {
    let (n_rounds, n_mib) = (option("downloads", 3), option("mib", 1024));
    let request = client::request(&format!("/download/{n_mib}"), "");
    let bytes = (n_mib as u64) << 20;
    let mut rates = vec![Vec::new(); servers.len()];
    let mut cpu = vec![Vec::new(); servers.len()];
    for round in 0..n_rounds {
        for at in 0..servers.len() {
            let at = (at + round) % servers.len();
            let mut client = Client::connect(servers[at].port);
            let before = servers[at].cpu_us();
            let began = Instant::now();
            assert_eq!(client.ask(&request), bytes, "{}", servers[at].name);
            rates[at].push(bytes as f64 / 1e6 / began.elapsed().as_secs_f64());
            cpu[at].push((servers[at].cpu_us() - before) / 1e6 / (bytes as f64 / 1e9));
        }
    }
    println!("download of {n_mib} MiB, {n_rounds} in turns");
    println!(
        "{:<10} {:>9} {:>9} {:>9} {:>9}",
        "", "MB/s", "of relay", "s CPU/GB", "peak MB"
    );
    for at in 0..servers.len() {
        let ratios = rates[at]
            .iter()
            .zip(&rates[1])
            .map(|(own, relay)| own / relay);
        println!(
            "{:<10} {:>9.0} {:>9.2} {:>9.2} {:>9.1}",
            servers[at].name,
            median(rates[at].iter().copied()),
            median(ratios),
            median(cpu[at].iter().copied()),
            servers[at].peak_mb(),
        );
    }
}
