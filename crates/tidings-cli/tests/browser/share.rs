//! Many pages of one browser, and frames.

use serde_json::json;

use crate::site::{page, page_with};
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
        // Whoever holds the stream leaves: another takes over.
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
fn a_page_does_not_depend_on_one_that_sleeps() {
    let mut site = Site::serve(&[("a.html", &page("a")), ("b.html", &page("one"))]);
    let mut browser = Browser::start();
    let mut a = browser.open(&site.url("/a.html"));
    let locks = "navigator.locks.query().then(l => [l.held.length, l.pending.length].join())";
    a.until(&format!("{locks}.then(l => l === '1,0')"));
    let mut b = browser.open(&site.url("/b.html"));
    b.until(&format!("{locks}.then(l => l === '1,1')"));
    // The page that has the stream is put to sleep: its timers do not run any more.
    a.eval("window.setTimeout = () => 0");
    site.stop();
    site.save("b.html", page("two"));
    site.start(&[]);
    b.until_text("two");
    site.save("b.html", page("three"));
    b.until_text("three");
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
fn a_sandboxed_frame_is_shown_by_its_page() {
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
fn pages_share_one_stream_and_each_tells_what_it_did() {
    let index = page_with("<link rel=stylesheet href=a.css>", "<h1>x</h1>");
    let site = Site::serve(&[("index.html", &index), ("a.css", "")]);
    let mut browser = Browser::start();
    let mut tabs: Vec<_> = (0..3).map(|_| browser.open(&site.url("/"))).collect();
    let locks = "navigator.locks.query().then(l => [l.held.length, l.pending.length].join())";
    tabs[0].until(&format!("{locks}.then(l => l === '1,2')"));
    // The streams that the pages opened at first are closed when they have found each other.
    for n in 0.. {
        site.save("a.css", format!("h1 {{ width: {n}px }}"));
        let line = site.line("change");
        assert_eq!(line["pages"], line["swapped"], "{line}");
        // A page that takes long to answer on a busy machine is not counted.
        if line["pages"] == 3 && line["streams"] == 1 {
            break;
        }
        assert!(n < 20, "still {line}");
    }
}
