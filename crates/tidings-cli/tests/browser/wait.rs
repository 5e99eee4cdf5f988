//! `tidings wait`: when it returns, the pages show what was saved before it was called.

use serde_json::{Value, json};

use crate::site::page_with;
use crate::support::program::{Finished, finished, tidings, until};
use crate::{Browser, Page, Site};

const COLOUR: &str = "getComputedStyle(document.querySelector('h1')).color";

/// Runs `tidings wait` for the server at this address.
#[track_caller]
pub fn wait_at(url: &str, flags: &[&str]) -> Finished {
    let ended = finished(tidings().args(["wait", "--url", url]).args(flags));
    assert_eq!(ended.err, "", "{ended:?}");
    ended
}

/// Opens a page, and waits until it has said so to the server at this address.
#[track_caller]
pub fn opened(browser: &mut Browser, url: &str) -> Page {
    let page = browser.open(url);
    let is_known = || {
        let ended = wait_at(url, &["--json", "--timeout", "1"]);
        let said: Value = serde_json::from_str(&ended.out).unwrap();
        (said["pages"] == 1).then_some(())
    };
    until(is_known).expect("it says that it is there");
    page
}

impl Site {
    #[track_caller]
    fn wait(&self, flags: &[&str]) -> Finished {
        wait_at(&self.url("/"), flags)
    }

    /// Waits, and every page is as it should be.
    #[track_caller]
    fn wait_for_all(&self) {
        let ended = self.wait(&["--timeout", "30"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

fn site() -> Site {
    Site::serve(&[
        (
            "index.html",
            &page_with("<link rel=stylesheet href=a.css>", "<h1>one</h1>"),
        ),
        ("a.css", "h1 { color: rgb(0, 0, 0) }"),
        (
            "script.html",
            &page_with(
                "<link rel=stylesheet href=a.css><script src=a.js></script>",
                "<h1>script</h1>",
            ),
        ),
        ("a.js", "window.version = 0"),
    ])
}

#[test]
fn when_it_returns_every_page_shows_what_was_saved_right_before() {
    let site = site();
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    let mut other = browser.open(&site.url("/script.html"));
    for n in 1..6 {
        site.save("a.css", format!("h1 {{ color: rgb({n}, 0, 0) }}"));
        site.wait_for_all();
        for tab in [&mut tab, &mut other] {
            assert_eq!(tab.eval(COLOUR), format!("rgb({n}, 0, 0)"), "swapped");
        }
        site.save_by_rename("a.js", format!("window.version = {n}"));
        site.wait_for_all();
        assert_eq!(other.eval("window.version"), n, "reloaded");
        let head = "<link rel=stylesheet href=a.css>";
        site.save("index.html", page_with(head, &format!("<h1>{n}</h1>")));
        site.wait_for_all();
        let text = tab.eval("document.querySelector('h1').textContent");
        assert_eq!(text, n.to_string());
    }
    let ended = site.wait(&["--json"]);
    let said: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(said, json!({"event": "waited", "pages": 2}));
}

#[test]
fn a_page_with_errors_is_told_of_until_they_are_mended() {
    let site = site();
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/script.html"));
    site.wait_for_all();
    site.save("a.js", "window.version = 1\nnot.defined()");
    let ended = site.wait(&[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("(/script.html): "), "{ended:?}");
    assert!(ended.out.contains("not is not defined"), "{ended:?}");
    assert!(ended.out.contains("/a.js:2:1"), "with its place: {ended:?}");
    // Asked again, it says so again; also after a change that is not the page's.
    assert_eq!(site.wait(&[]).code, Some(1));
    site.save("index.html", page_with("", "<h1>other</h1>"));
    assert_eq!(site.wait(&[]).code, Some(1));
    // The page goes on as it is, with another style.
    site.save("a.css", "h1 { color: rgb(1, 1, 1) }");
    site.wait_for_all();
    site.save("a.js", "window.version = 2");
    site.wait_for_all();
    site.save(
        "a.js",
        "window.version = 3; Promise.reject(new Error('later'))",
    );
    let ended = site.wait(&[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("later"), "{ended:?}");
    assert_eq!(tab.eval("window.version"), 3);
}

#[test]
fn a_page_that_has_left_is_not_waited_for() {
    let site = site();
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    let mut other = browser.open(&site.url("/script.html"));
    site.wait_for_all();
    tab.call("Page.navigate", json!({"url": "about:blank"}));
    other.call("Page.close", json!({}));
    site.save("a.css", "h1 { color: red }");
    let none = until(|| {
        site.wait(&["--timeout", "30"])
            .out
            .contains("no page")
            .then_some(())
    });
    none.expect("no page is open");
}

/// Waits a second in vain, and tells what was said.
#[track_caller]
fn in_vain(site: &Site) -> String {
    site.save("a.css", "h1 { color: red }");
    let ended = site.wait(&["--timeout", "1"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    ended.out
}

/// A page that is as it should be, so that the other one is all that is waited for.
fn with_a_good_page(site: &Site, browser: &mut Browser) -> (Page, Page) {
    let good = browser.open(&site.url("/"));
    let other = browser.open(&site.url("/script.html"));
    site.wait_for_all();
    (good, other)
}

#[test]
fn a_page_that_crashed_is_named_and_then_not_waited_for_any_more() {
    let site = site();
    let mut browser = Browser::start();
    let (_good, mut other) = with_a_good_page(&site, &mut browser);
    other.send("Page.crash", json!({}));
    let said = in_vain(&site);
    assert!(
        said.contains("page 2 (/script.html) did not answer"),
        "{said}"
    );
    assert!(said.contains("crashed"), "{said}");
    assert!(!said.contains("page 1"), "{said}");
    let forgotten = until(|| (site.wait(&["--timeout", "1"]).code == Some(0)).then_some(()));
    forgotten.expect("it is not waited for for ever");
}

#[test]
fn a_busy_page_is_named_as_long_as_it_is_busy() {
    let site = site();
    let mut browser = Browser::start();
    let (_good, mut other) = with_a_good_page(&site, &mut browser);
    other.call("Debugger.enable", json!({}));
    other.send("Debugger.pause", json!({}));
    other.send("Runtime.evaluate", json!({"expression": "1"}));
    other.event("Debugger.paused");
    for _ in 0..3 {
        // Its worker has to find the time to say so.
        let busy = until(|| Some(in_vain(&site)).filter(|said| said.contains("busy")));
        let said = busy.expect("its worker answers");
        assert!(
            said.contains("page 2 (/script.html) did not answer"),
            "{said}"
        );
    }
    other.call("Debugger.disable", json!({}));
    site.wait_for_all();
}

#[test]
fn a_frozen_page_is_named_and_waited_for_again_once_it_goes_on() {
    let site = site();
    let mut browser = Browser::start();
    let (_good, mut other) = with_a_good_page(&site, &mut browser);
    other.call("Page.setWebLifecycleState", json!({"state": "frozen"}));
    let frozen = until(|| in_vain(&site).contains("frozen").then_some(()));
    frozen.expect("it has said that it is frozen");
    other.call("Page.setWebLifecycleState", json!({"state": "active"}));
    site.wait_for_all();
    assert_eq!(other.eval(COLOUR), "rgb(255, 0, 0)");
}

#[test]
fn programs_are_told_of_each_step_of_a_save() {
    let site = site();
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/script.html"));
    site.wait_for_all();
    site.save("a.css", "h1 { color: red }");
    let saved = site.line("saved");
    assert_eq!(saved["changes"][0]["path"], "/a.css");
    let pushed = site.line("pushed");
    assert_eq!(
        (&pushed["id"], &pushed["streams"]),
        (&saved["id"], &json!(1))
    );
    let applied = site.line("applied");
    assert_eq!(applied["id"], saved["id"]);
    assert_eq!(
        (&applied["page"], &applied["path"]),
        (&json!(1), &json!("/script.html"))
    );
    assert_eq!(applied["did"], "style");
    assert!(
        applied["painted_ms"].as_u64() >= applied["ms"].as_u64(),
        "{applied}"
    );
    let change = site.line("change");
    assert_eq!(
        (&change["pages"], &change["painted_ms"]),
        (&json!(1), &applied["painted_ms"])
    );
    // The page that comes after a reload is the same page, to whoever reads this.
    site.save("a.js", "window.version = 1");
    let saved = site.line("saved");
    let applied = site.line("applied");
    assert_eq!(
        (&applied["id"], &applied["page"]),
        (&saved["id"], &json!(1))
    );
    assert_eq!(applied["did"], "reload");
    assert!(applied["painted_ms"].is_u64(), "{applied}");
    assert_eq!(tab.eval("window.version"), 1);
    assert_eq!(site.line("change")["reloaded"], 1);
}

#[test]
fn why_tells_what_each_page_would_do_and_no_page_does_it() {
    let site = site();
    let mut browser = Browser::start();
    let (mut page, mut other) = with_a_good_page(&site, &mut browser);
    page.mark();
    other.mark();
    let why = |path: &str| {
        let mut command = tidings();
        command
            .args(["why", "--url", &site.url("/")])
            .arg(site.path(path));
        let ended = finished(&mut command);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.out
    };
    let sheet = why("a.css");
    assert!(
        sheet.contains("page 1 (/) would swap it in place"),
        "{sheet}"
    );
    assert!(
        sheet.contains("page 2 (/script.html) would swap it in place"),
        "{sheet}"
    );
    let script = why("a.js");
    assert!(
        script.contains("page 2 (/script.html) would reload"),
        "{script}"
    );
    assert!(
        script.ends_with("1 open page does not use it\n"),
        "{script}"
    );
    let document = why("index.html");
    assert!(document.contains("page 1 (/) would patch"), "{document}");
    site.wait_for_all();
    assert!(page.is_same() && other.is_same());
}
