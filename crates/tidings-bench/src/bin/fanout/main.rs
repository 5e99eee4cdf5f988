//! The cost of a delivery: CPU time of the server for sending one event to many streams.
//!
//! Compared in turns in one run: two floors (a loop of plain `send` calls on blocking sockets, once
//! event by event and once with everything outstanding in one `send`), this library with hyper, and
//! axum with tokio's broadcast. Each server is this program again, one thread on core 0. The load is
//! one thread on core 1, which checks every byte. The loop is closed: W=1 publishes single events,
//! W=16 publishes sixteen back to back; then all streams are waited for.
//!
//! `cargo run --release -p tidings-bench --bin fanout [--streams 1000] [--rounds 5] [--ms 1500]`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "what fails here leaves nothing to measure"
)]

mod servers;

use std::process::Command;
use std::time::{Duration, Instant};

use servers::Server;
use tidings_bench::load::Load;
use tidings_bench::{Process, cpu_of, median, option, pinned};

const WINDOWS: [u64; 2] = [1, 16];

/// The result of one server in one round.
#[derive(Clone, Copy, Debug)]
struct Turn {
    cpu_us: f64,
    user_share: f64,
    per_second: f64,
    events_per_read: f64,
    load_share: f64,
    empty_bytes: f64,
    stream_bytes: f64,
}

fn main() {
    if let Some(server) = std::env::args()
        .nth(1)
        .and_then(|name| Server::named(&name))
    {
        return server.run();
    }
    let n_streams = option("streams", 1000);
    let n_rounds = option("rounds", 5);
    let least = Duration::from_millis(option("ms", 1500) as u64);
    pin_self();
    println!(
        "{n_streams} streams, 100-byte events, {n_rounds} rounds of at least {} ms in turns; medians\n",
        least.as_millis()
    );
    for window in WINDOWS {
        let mut turns = Server::ALL.map(|_| Vec::new());
        for round in 0..n_rounds {
            let mut order = Server::ALL;
            if round % 2 == 1 {
                order.reverse();
            }
            for server in order {
                turns[server as usize].push(turn(server, n_streams, window, least));
            }
        }
        print(window, &turns);
    }
}

fn turn(server: Server, n_streams: usize, window: u64, least: Duration) -> Turn {
    let own = std::env::current_exe().unwrap();
    let process = Process::start(pinned(0, &own).arg(server.name()));
    let mut load = Load::connect(&process.first_line);
    std::thread::sleep(Duration::from_millis(100));
    let empty = process.memory_bytes();
    for _ in 0..n_streams {
        load.open();
    }
    std::thread::sleep(Duration::from_millis(300));
    let idle = process.memory_bytes();

    let warm = Instant::now();
    while warm.elapsed() < least / 5 {
        load.round(window);
    }
    load.n_reads = 0;
    let mut n_events = 0;
    let (cpu, ticks, own_cpu) = (process.cpu(), process.ticks(), cpu_of(std::process::id()));
    let begun = Instant::now();
    while begun.elapsed() < least {
        load.round(window);
        n_events += window;
    }
    let took = begun.elapsed().as_secs_f64();
    let cpu = (process.cpu() - cpu).as_secs_f64();
    let own_cpu = (cpu_of(std::process::id()) - own_cpu).as_secs_f64();
    let deliveries = (n_events * n_streams as u64) as f64;
    Turn {
        cpu_us: cpu * 1e6 / deliveries,
        user_share: process.ticks().user_share_since(ticks),
        per_second: deliveries / took,
        events_per_read: deliveries / load.n_reads as f64,
        load_share: own_cpu / took,
        empty_bytes: empty as f64,
        stream_bytes: (idle as f64 - empty as f64) / n_streams as f64,
    }
}

fn print(window: u64, turns: &[Vec<Turn>; Server::ALL.len()]) {
    println!(
        "W={window:<3} {:<10} {:>8} {:>8} {:>15} {:>12} {:>8} {:>7} {:>9} {:>9}",
        "",
        "µs CPU",
        "of floor",
        "(least, most)",
        "deliveries/s",
        "ev/read",
        "load",
        "empty kB",
        "B/stream"
    );
    let floor = &turns[Server::Floor as usize];
    for server in Server::ALL {
        let own = &turns[server as usize];
        let of = |figure: fn(&Turn) -> f64| median(own.iter().map(figure));
        let ratios: Vec<f64> = own
            .iter()
            .zip(floor)
            .map(|(own, floor)| own.cpu_us / floor.cpu_us)
            .collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        println!(
            "      {:<10} {:>8.2} {:>7.2}x {:>15} {:>12.0} {:>8.1} {:>6.0}% {:>9.0} {:>9.0}   user {:.2} µs",
            server.name(),
            of(|turn| turn.cpu_us),
            median(ratios.into_iter()),
            format!("({least:.2}, {most:.2})"),
            of(|turn| turn.per_second),
            of(|turn| turn.events_per_read),
            of(|turn| turn.load_share) * 100.0,
            of(|turn| turn.empty_bytes) / 1e3,
            of(|turn| turn.stream_bytes),
            of(|turn| turn.cpu_us * turn.user_share),
        );
    }
    println!();
}

/// Pins the load to another core than the server.
fn pin_self() {
    let id = std::process::id().to_string();
    let status = Command::new("taskset")
        .args(["-cp", "1", &id])
        .stdout(std::process::Stdio::null())
        .status();
    if !status.is_ok_and(|status| status.success()) {
        println!("not pinned: taskset or a second processor is missing");
    }
}
