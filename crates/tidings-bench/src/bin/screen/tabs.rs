//! One page in many tabs: from the save until all of them have the text.

use std::fs;
use std::time::{Duration, Instant};

use tidings_bench::Times;
use tidings_bench::chromium::{Browser, Page};

use crate::peers::Server;
use crate::site::{self, Kind, SEES_TEXT};

const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn run(n_rounds: usize) {
    println!("### Many tabs: from a save until all have the text in their documents\n");
    println!("| tabs | median ms | p95 ms | of one tab |");
    println!("|--:|--:|--:|--:|");
    let mut of_one = f64::NAN;
    for n_tabs in [1, 8, 20] {
        eprintln!("{n_tabs} tabs");
        let mut browser = Browser::start();
        let dir = site::folder();
        site::write(dir.path(), Kind::Plain, "", 20);
        let running = Server::Tidings("auto").start(dir.path(), None);
        let open = |browser: &mut Browser| {
            let mut tab = browser.open(&running.url(), SEES_TEXT);
            tab.until_seen("[first]", TIMEOUT).unwrap();
            tab
        };
        let mut tabs: Vec<Page> = (0..n_tabs).map(|_| open(&mut browser)).collect();
        let mut times = Times::default();
        for n in 0..=n_rounds {
            let text = format!("number {n}");
            tabs.iter_mut().for_each(Page::forget);
            let begun = Instant::now();
            let content = site::page(Kind::Plain, "", &text, 20);
            fs::write(dir.path().join("index.html"), content).unwrap();
            let seen = tabs
                .iter_mut()
                .map(|tab| tab.until_seen(&format!("[{text}]"), TIMEOUT));
            let last = seen.map(|at| at.expect("a tab shows the save")).max();
            // The first edit fetches the patcher.
            if n > 0 {
                times.add(last.unwrap() - begun);
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        let median = times.quantile_ms(0.5);
        if n_tabs == 1 {
            of_one = median;
        }
        println!(
            "| {n_tabs} | {median:.1} | {:.1} | {:.2}x |",
            times.quantile_ms(0.95),
            median / of_one
        );
    }
    println!();
}
