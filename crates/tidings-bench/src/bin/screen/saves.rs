//! From the save of a page or a style sheet to the frame that shows it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use tidings_bench::Times;
use tidings_bench::chromium::{Browser, Page};

use crate::peers::{PEERS, Running, Server};
use crate::site::{self, Kind, SEES_FRAMES};

/// A save counts as missed if nothing of it is seen for this long.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Saves of one server before it is the next one's turn.
const TURN: usize = 5;

/// A server with a site and a tab of its own.
struct Lane {
    server: Server,
    source: PathBuf,
    page: Page,
    times: Times,
    n_missed: usize,
    n_kept: usize,
    n_saves: usize,
    _running: Running,
    _dir: tempfile::TempDir,
}

pub(crate) fn html(peers: &[Server], kind: Kind, n_rounds: usize) {
    let mode = match kind {
        Kind::Plain => "auto",
        Kind::WithScripts => "patch",
    };
    let own = [
        Server::FloorReload,
        Server::FloorInPlace,
        Server::Tidings(mode),
        Server::Tidings("full"),
    ];
    let title = match kind {
        Kind::Plain => "HTML saved to pixels: a page without scripts of its own",
        Kind::WithScripts => "HTML saved to pixels: a page with a script",
    };
    compare(title, &own, peers, kind, n_rounds, |lane, n| {
        let text = format!("number {n}");
        let page = site::page(kind, lane.server.snippet(), &text, 20);
        lane.save("index.html", &page, &format!("[{text}]"));
    });
}

pub(crate) fn css(peers: &[Server], n_rounds: usize) {
    let own = [Server::FloorInPlace, Server::Tidings("auto")];
    let title = "CSS saved to pixels";
    compare(title, &own, peers, Kind::Plain, n_rounds, |lane, n| {
        lane.save("site.css", &site::sheet(n), &site::colour(n));
    });
}

fn compare(
    title: &str,
    own: &[Server],
    peers: &[Server],
    kind: Kind,
    n_rounds: usize,
    save: impl Fn(&mut Lane, usize),
) {
    let mut browser = Browser::start();
    let servers = own.iter().chain(peers);
    let mut lanes: Vec<Lane> = servers
        .map(|server| Lane::start(*server, kind, &mut browser))
        .collect();
    for first in (1..=n_rounds).step_by(TURN) {
        for lane in &mut lanes {
            eprintln!("{title}: {:?} from {first}", lane.server);
            lane.show();
            for n in first..(first + TURN).min(n_rounds + 1) {
                save(lane, n);
            }
        }
    }
    print(title, &lanes);
}

impl Lane {
    fn start(server: Server, kind: Kind, browser: &mut Browser) -> Lane {
        let dir = site::folder();
        let source = server.source(dir.path());
        fs::create_dir_all(&source).unwrap();
        site::write(&source, kind, server.snippet(), 20);
        let running = server.start(dir.path(), None);
        let mut page = browser.open(&running.url(), SEES_FRAMES);
        let shown = page.until_seen("[first]", Duration::from_secs(30));
        assert!(shown.is_some(), "{server:?} does not show its page");
        Lane {
            server,
            source,
            page,
            times: Times::default(),
            n_missed: 0,
            n_kept: 0,
            n_saves: 0,
            _running: running,
            _dir: dir,
        }
    }

    /// Brings its tab to the front: only there are frames.
    fn show(&mut self) {
        self.page.call("Page.bringToFront", json!({}));
        self.page.eval(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
        );
    }

    fn save(&mut self, name: &str, text: &str, expected: &str) {
        // As if somebody had just begun to fill in the form.
        self.page
            .eval("document.querySelector('#typed').value = 'typed'");
        self.page.forget();
        self.n_saves += 1;
        let path = self.source.join(name);
        let begun = Instant::now();
        fs::write(path, text).unwrap();
        match self.page.until_seen(expected, TIMEOUT) {
            Some(at) => self.times.add(at - begun),
            None => {
                self.n_missed += 1;
                self.page.reload();
                self.page.until_seen(expected, TIMEOUT);
            }
        }
        // Not in step with timers of the servers, nor within their pauses after a save.
        let pause = 200 + self.n_saves as u64 * 37 % 100;
        std::thread::sleep(Duration::from_millis(pause));
        let kept = self
            .page
            .eval("document.querySelector('#typed').value === 'typed'");
        self.n_kept += usize::from(kept == true);
    }
}

fn print(title: &str, lanes: &[Lane]) {
    let of_peers = |share| {
        let peers = lanes.iter().filter(|lane| PEERS.contains(&lane.server));
        let times = peers.map(|lane| lane.times.quantile_ms(share));
        times.fold(f64::NAN, f64::min)
    };
    let (median, p95) = (of_peers(0.5), of_peers(0.95));
    println!("### {title}\n");
    println!("| | median ms | p95 ms | of the fastest peer | typed text kept | missed |");
    println!("|---|--:|--:|--:|--:|--:|");
    for lane in lanes {
        let own = (lane.times.quantile_ms(0.5), lane.times.quantile_ms(0.95));
        println!(
            "| {} | {:.1} | {:.1} | {:.2}x, {:.2}x | {} of {} | {} |",
            lane.server.name(),
            own.0,
            own.1,
            own.0 / median,
            own.1 / p95,
            lane.n_kept,
            lane.n_saves,
            lane.n_missed
        );
    }
    println!();
}
