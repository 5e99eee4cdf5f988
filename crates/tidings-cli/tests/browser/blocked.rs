//! A page that is stopped delays no other page, neither an open one nor a new one.
//!
//! The first page of a browser has the stream, so it is the one that is stopped.

use serde_json::json;

use crate::site::page;
use crate::{Browser, Page, Site};

/// Stops the first of three tabs, and looks whether the others show what is saved, and what is saved
/// while the server was away, and whether a fourth tab loads and does.
#[track_caller]
fn check(stop: impl FnOnce(&mut Page)) {
    let mut site = Site::serve(&[("a.html", &page("a")), ("index.html", &page("0"))]);
    let mut browser = Browser::start();
    let mut first = browser.open(&site.url("/a.html"));
    first.until("navigator.locks.query().then(l => l.held.length === 1)");
    let mut tabs: Vec<_> = (0..2).map(|_| browser.open(&site.url("/"))).collect();
    stop(&mut first);
    site.save("index.html", page("1"));
    tabs.iter_mut().for_each(|tab| tab.until_text("1"));
    tabs.push(browser.open(&site.url("/")));
    site.save("index.html", page("2"));
    tabs.iter_mut().for_each(|tab| tab.until_text("2"));
    site.stop();
    site.save("index.html", page("3"));
    site.start(&[]);
    tabs.iter_mut().for_each(|tab| tab.until_text("3"));
    site.save("index.html", page("4"));
    tabs.iter_mut().for_each(|tab| tab.until_text("4"));
}

#[test]
fn a_page_at_a_breakpoint() {
    check(|page| {
        page.call("Debugger.enable", json!({}));
        let expression = json!({"expression": "setTimeout(() => { debugger })"});
        page.call("Runtime.evaluate", expression);
        page.event("Debugger.paused");
    });
}

#[test]
fn a_page_with_an_alert() {
    check(|page| {
        let expression = json!({"expression": "setTimeout(() => alert('hello'))"});
        page.call("Runtime.evaluate", expression);
        page.event("Page.javascriptDialogOpening");
    });
}

#[test]
fn a_page_in_an_endless_loop() {
    check(|page| page.send("Runtime.evaluate", json!({"expression": "for (;;);"})));
}

#[test]
fn a_page_that_is_frozen() {
    check(|page| {
        page.call("Page.setWebLifecycleState", json!({"state": "frozen"}));
    });
}

#[test]
fn a_page_that_has_crashed() {
    check(|page| {
        page.call("Inspector.enable", json!({}));
        page.send("Page.crash", json!({}));
        page.event("Inspector.targetCrashed");
    });
}

#[test]
fn a_page_that_was_frozen_catches_up() {
    let site = Site::serve(&[("a.html", &page("1")), ("b.html", &page("b"))]);
    let mut browser = Browser::start();
    let mut frozen = browser.open(&site.url("/a.html"));
    let mut other = browser.open(&site.url("/b.html"));
    frozen.call("Page.setWebLifecycleState", json!({"state": "frozen"}));
    site.save("a.html", page("2"));
    site.save("b.html", page("c"));
    other.until_text("c");
    frozen.call("Page.setWebLifecycleState", json!({"state": "active"}));
    frozen.until_text("2");
}
