//! A change that was made while the server was away: from its first answer to the frame that shows it.

use std::fs;
use std::time::{Duration, Instant};

use tidings_bench::Times;
use tidings_bench::chromium::Browser;

use crate::peers::Server;
use crate::site::{self, Kind, SEES_FRAMES};

const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn run(n_rounds: usize) {
    eprintln!("a change while the server is away");
    let mut browser = Browser::start();
    let dir = site::folder();
    site::write(dir.path(), Kind::Plain, "", 20);
    let server = Server::Tidings("auto");
    let mut running = server.start(dir.path(), None);
    let mut page = browser.open(&running.url(), SEES_FRAMES);
    page.until_seen("[first]", TIMEOUT).unwrap();
    let mut times = Times::default();
    for n in 0..n_rounds {
        let port = running.port();
        drop(running);
        page.forget();
        let text = format!("number {n}");
        let content = site::page(Kind::Plain, "", &text, 20);
        fs::write(dir.path().join("index.html"), content).unwrap();
        // Not in step with what the page tries meanwhile.
        std::thread::sleep(Duration::from_millis(700 + n as u64 * 237 % 1900));
        running = server.start(dir.path(), Some(port));
        let answered = Instant::now();
        let seen = page.until_seen(&format!("[{text}]"), TIMEOUT);
        let seen = seen.expect("the page shows the change");
        times.add(seen.saturating_duration_since(answered));
        std::thread::sleep(Duration::from_millis(500));
    }
    println!("### A change that was made while the server was away\n");
    println!("| | median ms | p95 ms | longest ms |");
    println!("|---|--:|--:|--:|");
    println!(
        "| from its first answer to the frame, page visible | {:.0} | {:.0} | {:.0} |\n",
        times.quantile_ms(0.5),
        times.quantile_ms(0.95),
        times.quantile_ms(1.0)
    );
}
