//! One word of a page of 1 MB: patched in place, reloaded, and how long the browser takes to parse it once.

use std::fs;
use std::time::{Duration, Instant};

use tidings_bench::Times;
use tidings_bench::chromium::{Browser, Page};

use crate::peers::Server;
use crate::site::{self, Kind, SEES_FRAMES};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Sections that make about 1 MB.
const N_BEFORE: usize = 7600;

const PARSES: &str = "(async () => {
    const text = await (await fetch(location.href)).text()
    const times = []
    for (let n = 0; n < 9; n += 1) {
        const begun = performance.now()
        new DOMParser().parseFromString(text, 'text/html')
        times.push(performance.now() - begun)
    }
    return times.sort((a, b) => a - b)[4]
})()";

pub(crate) fn run(n_rounds: usize) {
    let mut browser = Browser::start();
    println!("### One word of a page of 1 MB without scripts\n");
    println!("| | median ms | p95 ms |");
    println!("|---|--:|--:|");
    let mut parse_ms = f64::NAN;
    let mut medians = Vec::new();
    for mode in ["auto", "full"] {
        eprintln!("a page of 1 MB: {mode}");
        let server = Server::Tidings(mode);
        let dir = site::folder();
        site::write(dir.path(), Kind::Plain, "", N_BEFORE);
        let running = server.start(dir.path(), None);
        let mut page = browser.open(&running.url(), SEES_FRAMES);
        page.until_seen("[first]", TIMEOUT).unwrap();
        let mut times = Times::default();
        for n in 0..=n_rounds {
            let text = format!("number {n}");
            let content = site::page(Kind::Plain, "", &text, N_BEFORE);
            let time = show(&mut page, &text, || {
                fs::write(dir.path().join("index.html"), content).unwrap();
            });
            // The first edit fetches the patcher.
            if n > 0 {
                times.add(time);
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        if mode == "auto" {
            parse_ms = page.eval(PARSES).as_f64().unwrap_or(f64::NAN);
        }
        let median = times.quantile_ms(0.5);
        println!(
            "| {} | {median:.1} | {:.1} |",
            server.name(),
            times.quantile_ms(0.95)
        );
        medians.push(median);
    }
    println!("| one parse (`DOMParser`) | {parse_ms:.1} | |");
    println!(
        "\nThe patch takes {:.2}x one parse, and {:.2}x a reload.\n",
        medians[0] / parse_ms,
        medians[0] / medians[1]
    );
}

/// The time from the save to the frame.
fn show(page: &mut Page, text: &str, save: impl FnOnce()) -> Duration {
    page.forget();
    let begun = Instant::now();
    save();
    match page.until_seen(&format!("[{text}]"), TIMEOUT) {
        Some(at) => at - begun,
        None => panic!("{text} is not shown"),
    }
}
