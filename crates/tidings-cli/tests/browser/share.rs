//! Many pages of one browser, and frames: one stream for all of them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::site::{COUNT_LOADS, page, page_with};
use crate::wait::wait_at;
use crate::{Browser, Site};

#[test]
fn eight_tabs_all_load_and_all_show_a_save() {
    let site = Site::serve(&[("index.html", &page("one"))]);
    let mut browser = Browser::start();
    let mut tabs: Vec<_> = (0..8).map(|_| browser.open(&site.url("/"))).collect();
    for (n, text) in ["two", "three", "four"].into_iter().enumerate() {
        site.save("index.html", page(text));
        for tab in &mut tabs {
            tab.until_text(text);
        }
        // The page with the stream is closed: another one takes over.
        if n == 1 {
            let mut first = tabs.remove(0);
            first.call("Page.close", json!({}));
        }
    }
}

#[test]
fn a_tab_opened_later_misses_nothing() {
    let site = Site::serve(&[("a.html", &page("a")), ("b.html", &page("b"))]);
    let mut browser = Browser::start();
    let mut a = browser.open(&site.url("/a.html"));
    for n in 0..5 {
        let mut b = browser.open(&site.url("/b.html"));
        let (text_a, text_b) = (format!("a{n}"), format!("b{n}"));
        site.save("b.html", page(&text_b));
        site.save("a.html", page(&text_a));
        a.until_text(&text_a);
        b.until_text(&text_b);
        b.call("Page.close", json!({}));
    }
}

#[test]
fn a_page_and_its_frames_share_one_stream() {
    let site = Site::serve(&[
        ("index.html", &page("<iframe src=inner.html></iframe>")),
        ("inner.html", &page("one")),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    let one_waits =
        "navigator.locks.query().then(l => l.held.length === 1 && l.pending.length === 1)";
    tab.until(one_waits);
}

#[test]
fn a_frame_reloads_alone() {
    let site = Site::serve(&[
        ("index.html", &page("<iframe src=inner></iframe>")),
        ("inner.html", &page("one")),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    let shows = |text: &str| format!("frames[0].document.body.innerText.trim() === '{text}'");
    tab.until(&shows("one"));
    tab.mark();
    site.save("inner.html", page("two"));
    tab.until(&shows("two"));
    assert!(tab.is_same());
}

#[test]
fn a_saved_sandboxed_frame_reloads_its_page() {
    let site = Site::serve(&[
        (
            "index.html",
            &page("<iframe sandbox='' src=inner.html></iframe>"),
        ),
        ("inner.html", &page("one")),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.mark();
    site.save("inner.html", page("two"));
    tab.until("window.__mark === undefined && document.readyState === 'complete'");
}

#[test]
fn pages_share_one_stream_and_each_reports_what_it_did() {
    let site = Site::serve(&[("index.html", &styled()), ("a.css", "")]);
    let mut browser = Browser::start();
    let mut tabs: Vec<_> = (0..3).map(|_| browser.open(&site.url("/"))).collect();
    until_one_stream(&site, 3);
    // Also after the one that has it is gone.
    tabs.remove(0).call("Page.close", json!({}));
    until_one_stream(&site, 2);
}

#[test]
fn without_locks_pages_share_one_stream_too() {
    // Plain http in the network is no secure context, so there are no locks.
    let mut site = Site::new(&[("index.html", &styled()), ("a.css", "")]);
    site.start(&["--allow-host", "phone.test"]);
    let mut browser = Browser::start_with(&["--host-resolver-rules=MAP phone.test 127.0.0.1"]);
    let url = site.url("/").replace("localhost", "phone.test");
    let mut tabs: Vec<_> = (0..4).map(|_| browser.open(&url)).collect();
    assert_eq!(
        tabs[0].eval("isSecureContext || 'locks' in navigator"),
        false
    );
    until_one_stream(&site, 4);
    tabs.remove(0).call("Page.close", json!({}));
    until_one_stream(&site, 3);
    site.stop();
    site.save("index.html", styled().replace("<h1>x", "<h1>y"));
    site.start(&[]);
    tabs.iter_mut().for_each(|tab| tab.until_text("y"));
    until_one_stream(&site, 3);
    tabs.remove(0).send("Page.crash", json!({}));
    until_one_stream(&site, 2);
    site.save("index.html", page("two"));
    tabs.iter_mut().for_each(|tab| tab.until_text("two"));
}

#[test]
fn a_private_window_has_a_stream_of_its_own() {
    let site = Site::serve(&[("index.html", &page("one"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    let mut private = browser.open_private(&site.url("/"));
    site.save("index.html", page("two"));
    tab.until_text("two");
    private.until_text("two");
}

/// Whether a tab shows the browser's own error page.
const NO_SERVER: &str = "location.protocol === 'chrome-error:'";

/// A page with what makes it wait for connections: a sheet, a picture and three scripts.
fn busy_page(text: &str) -> String {
    let scripts = "<script src=1.js></script><script src=2.js></script><script src=3.js></script>";
    page_with(
        &format!("{COUNT_LOADS}<link rel=stylesheet href=a.css>{scripts}"),
        &format!("<img src=a.svg>{text}"),
    )
}

fn busy_site() -> Site {
    Site::serve(&[
        ("index.html", &busy_page("0")),
        ("a.css", "body { color: green }"),
        (
            "a.svg",
            "<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>",
        ),
        ("1.js", "window.one = 1"),
        ("2.js", "window.two = 2"),
        ("3.js", "window.three = 3"),
    ])
}

/// What a page shows that has loaded wholly.
fn whole(text: &str) -> String {
    format!(
        "document.readyState === 'complete' && document.body.innerText.trim() === '{text}' && three === 3 \
         && getComputedStyle(document.body).color === 'rgb(0, 128, 0)' && document.images[0].complete"
    )
}

#[test]
fn eight_tabs_that_reload_together_all_show_every_save() {
    let site = busy_site();
    let mut browser = Browser::start();
    let mut tabs: Vec<_> = (0..8).map(|_| browser.open(&site.url("/"))).collect();
    for n in 1..=5 {
        site.save("index.html", busy_page(&n.to_string()));
        for tab in &mut tabs {
            tab.until(&whole(&n.to_string()));
        }
    }
    browser.open(&site.url("/")).until(&whole("5"));
}

/// Saves come faster than tabs load, and the server is started again in between. All tabs end on the
/// last of them, and nothing is left to do: the next save loads each tab once. How long that takes is measured by
/// `crates/tidings-bench`.
///
/// A few seconds long; `TIDINGS_TABS_SECONDS=60` is the whole thing.
#[test]
fn twenty_tabs_end_on_the_last_of_many_saves_and_load_once_for_the_next() {
    let seconds = std::env::var("TIDINGS_TABS_SECONDS").map_or(5.0, |s| s.parse().unwrap());
    let mut site = busy_site();
    let mut browser = Browser::start();
    let mut tabs: Vec<_> = (0..20).map(|_| browser.open(&site.url("/"))).collect();
    let show = |tabs: &mut Vec<crate::Page>, text: &str| {
        for tab in tabs {
            tab.until(&format!("{NO_SERVER} || {}", whole(text)));
            // It was just asking for its page when the server was killed. Nothing of ours is there.
            if tab.eval(NO_SERVER) == true {
                tab.call("Page.reload", json!({}));
                tab.until(&whole(text));
            }
        }
    };
    let begun = Instant::now();
    let pauses = [0.1, 0.4, 1.3, 0.2, 0.1, 0.7, 3.0, 0.1, 0.9];
    let mut n = 0;
    while begun.elapsed().as_secs_f64() < seconds {
        for pause in pauses {
            n += 1;
            site.save("index.html", busy_page(&n.to_string()));
            // People and editors save when they like: this is no waiting for anything.
            std::thread::sleep(Duration::from_secs_f64(pause));
            if n % 4 == 0 {
                site.stop();
                n += 1;
                site.save("index.html", busy_page(&n.to_string()));
                site.start(&[]);
            }
            if begun.elapsed().as_secs_f64() >= seconds {
                break;
            }
        }
    }
    show(&mut tabs, &n.to_string());
    let loads = |tabs: &mut Vec<crate::Page>| -> Vec<_> {
        let loads = tabs.iter_mut();
        loads
            .map(|tab| tab.eval("Number(sessionStorage.loads)").as_u64())
            .collect()
    };
    // A tab may show the last save and not know it yet, because its page was made just then.
    let all_is_done = || {
        let ended = wait_at(&site.url("/"), &["--timeout", "30"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    };
    all_is_done();
    let before = loads(&mut tabs);
    n += 1;
    site.save("index.html", busy_page(&n.to_string()));
    browser.open(&site.url("/")).until(&whole(&n.to_string()));
    show(&mut tabs, &n.to_string());
    let once_more: Vec<_> = before
        .iter()
        .map(|loads| loads.map(|loads| loads + 1))
        .collect();
    all_is_done();
    assert_eq!(loads(&mut tabs), once_more);
    // At each save the browser held one stream, or the next one while the server still had the last.
    let most = until_one_stream(&site, 0);
    assert!(most <= 2, "{most} streams at once");
}

pub fn styled() -> String {
    page_with("<link rel=stylesheet href=a.css>", "<h1>x</h1>")
}

/// Saves a sheet until a line says that so many pages have shown it (0: whatever), and that there is
/// one stream. A stream that ends is counted until the server has seen its end, and a page that takes
/// long to answer on a busy machine is not counted, so that more than one save may be needed. Returns
/// the most streams in a line before that.
#[track_caller]
fn until_one_stream(site: &Site, pages: u64) -> u64 {
    until_streams(site, 1, pages)
}

/// The same for several browsers.
#[track_caller]
pub fn until_streams(site: &Site, streams: u64, pages: u64) -> u64 {
    static SAVES: AtomicU32 = AtomicU32::new(0);
    let mut last = Value::Null;
    let mut most = 0;
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        let n = SAVES.fetch_add(1, Ordering::Relaxed);
        site.save("a.css", format!("body {{ color: green; width: {n}px }}"));
        last = loop {
            let line = site.line("change");
            if line["changes"][0]["path"] == "/a.css" {
                break line;
            }
            most = most.max(line["streams"].as_u64().unwrap());
        };
        if last["streams"] == streams && (last["pages"] == pages || pages == 0) {
            return most;
        }
    }
    panic!("still {last}");
}
