//! One page in many tabs: from the save until all of them have the text.

use std::fs;
use std::time::{Duration, Instant};

use tidings_bench::Times;
use tidings_bench::chromium::{Browser, Page};

use crate::peers::{Running, Server};
use crate::site::{self, Kind, SEES_TEXT};

const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn run(n_rounds: usize) {
    println!("### Many tabs: from a save until all have the text in their documents\n");
    println!(
        "| tabs | floor ms | p95 | of one tab | tidings ms | p95 | of one tab | of the floor |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|");
    let servers = [Server::FloorShared, Server::Tidings("auto")];
    let mut of_one = [f64::NAN; 2];
    for n_tabs in [1, 8, 20] {
        eprintln!("{n_tabs} tabs");
        let mut lanes = servers.map(|server| Lane::start(server, n_tabs));
        // The first edit fetches the patcher.
        for lane in &mut lanes {
            lane.save(0);
        }
        let mut times = [Times::default(), Times::default()];
        for n in 1..=n_rounds {
            for (lane, times) in lanes.iter_mut().zip(&mut times) {
                times.add(lane.save(n));
                std::thread::sleep(Duration::from_millis(300));
            }
        }
        let medians = times.each_ref().map(|times| times.quantile_ms(0.5));
        let p95s = times.each_ref().map(|times| times.quantile_ms(0.95));
        if n_tabs == 1 {
            of_one = medians;
        }
        let columns = [0, 1].map(|i| {
            let (median, p95) = (medians[i], p95s[i]);
            format!("{median:.1} | {p95:.1} | {:.2}x", median / of_one[i])
        });
        let of_floor = medians[1] / medians[0];
        println!("| {n_tabs} | {} | {of_floor:.2}x |", columns.join(" | "));
    }
    println!();
}

/// A server with a browser of its own.
struct Lane {
    server: Server,
    tabs: Vec<Page>,
    _browser: Browser,
    _running: Running,
    dir: tempfile::TempDir,
}

impl Lane {
    fn start(server: Server, n_tabs: usize) -> Lane {
        let mut browser = Browser::start();
        let dir = site::folder();
        site::write(dir.path(), Kind::Plain, server.snippet(), 20);
        let running = server.start(dir.path(), None);
        let tabs = (0..n_tabs).map(|_| {
            let mut tab = browser.open(&running.url(), SEES_TEXT);
            tab.until_seen("[first]", TIMEOUT).unwrap();
            tab
        });
        let tabs = tabs.collect();
        // The workers have chosen which one has the stream.
        std::thread::sleep(Duration::from_millis(500));
        Lane {
            server,
            tabs,
            _browser: browser,
            _running: running,
            dir,
        }
    }

    /// The time until the last tab has it.
    fn save(&mut self, n: usize) -> Duration {
        let text = format!("number {n}");
        self.tabs.iter_mut().for_each(Page::forget);
        let begun = Instant::now();
        let content = site::page(Kind::Plain, self.server.snippet(), &text, 20);
        fs::write(self.dir.path().join("index.html"), content).unwrap();
        let seen = self.tabs.iter_mut().map(|tab| {
            let seen = tab.until_seen(&format!("[{text}]"), TIMEOUT);
            seen.expect("a tab shows the save")
        });
        seen.max().unwrap() - begun
    }
}
