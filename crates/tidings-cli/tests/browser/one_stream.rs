//! Whatever happens to pages and server, a browser has one stream: counted on the server. With more, the six
//! connections that a browser has for one HTTP/1.1 origin would be in use, and no further tab would load.

use serde_json::json;

use crate::share::{styled, until_streams};
use crate::site::page;
use crate::{Browser, Page, Site};

fn site() -> Site {
    Site::serve(&[("index.html", &styled()), ("a.css", "")])
}

/// That all tabs have what is saved now, and a new one, too.
fn all_show_a_save(site: &Site, browser: &mut Browser, tabs: &mut [Page], text: &str) {
    site.save(
        "index.html",
        styled().replace("<h1>x", &format!("<h1>{text}")),
    );
    tabs.iter_mut().for_each(|tab| tab.until_text(text));
    let mut new = browser.open(&site.url("/"));
    new.until_text(text);
    new.call("Page.close", json!({}));
}

#[test]
fn twenty_tabs_in_three_windows_have_one_stream_after_ten_restarts() {
    let mut site = site();
    let mut browser = Browser::start();
    let mut tabs: Vec<_> = (0..20)
        .map(|n| match n % 7 {
            6 => browser.open_window(&site.url("/")),
            _ => browser.open(&site.url("/")),
        })
        .collect();
    for n in 0..10 {
        site.stop();
        // Every other time the pages have nothing to do but to find the server.
        if n % 2 == 0 {
            let text = format!("{n}");
            site.save(
                "index.html",
                styled().replace("<h1>x", &format!("<h1>{text}")),
            );
            site.start(&[]);
            tabs.iter_mut().for_each(|tab| tab.until_text(&text));
        } else {
            site.start(&[]);
            browser.open(&site.url("/")).call("Page.close", json!({}));
        }
    }
    until_streams(&site, 1, 20);
    all_show_a_save(&site, &mut browser, &mut tabs, "all");
}

#[test]
fn when_the_page_with_the_stream_is_frozen_another_one_has_it() {
    let site = site();
    let mut browser = Browser::start();
    let mut first = browser.open(&site.url("/"));
    until_streams(&site, 1, 1);
    let mut tabs: Vec<_> = (0..3).map(|_| browser.open(&site.url("/"))).collect();
    let frozen = |yes| json!({"state": if yes { "frozen" } else { "active" }});
    first.call("Page.setWebLifecycleState", frozen(true));
    until_streams(&site, 1, 3);
    all_show_a_save(&site, &mut browser, &mut tabs, "without it");
    first.call("Page.setWebLifecycleState", frozen(false));
    first.until_text("without it");
    until_streams(&site, 1, 4);
}

#[test]
fn when_the_page_with_the_stream_crashes_another_one_has_it() {
    let mut site = site();
    let mut browser = Browser::start();
    let mut first = browser.open(&site.url("/"));
    until_streams(&site, 1, 1);
    let mut tabs: Vec<_> = (0..3).map(|_| browser.open(&site.url("/"))).collect();
    first.send("Page.crash", json!({}));
    all_show_a_save(&site, &mut browser, &mut tabs, "without it");
    site.stop();
    site.start(&[]);
    all_show_a_save(&site, &mut browser, &mut tabs, "after a restart");
    until_streams(&site, 1, 3);
}

#[test]
fn each_private_window_has_one_stream_and_keeps_none() {
    let mut site = site();
    let mut browser = Browser::start();
    let mut tabs: Vec<_> = (0..3).map(|_| browser.open(&site.url("/"))).collect();
    let mut private: Vec<_> = (0..2)
        .map(|_| browser.open_private(&site.url("/")))
        .collect();
    until_streams(&site, 3, 5);
    for _ in 0..3 {
        site.stop();
        site.start(&[]);
    }
    all_show_a_save(&site, &mut browser, &mut tabs, "after restarts");
    all_show_a_save(&site, &mut browser, &mut private, "after restarts, too");
    until_streams(&site, 3, 5);
    private.remove(0).call("Page.close", json!({}));
    until_streams(&site, 2, 4);
    tabs.extend(private);
    all_show_a_save(&site, &mut browser, &mut tabs, "all");
}

#[test]
fn pages_with_seven_frames_have_one_stream_after_ten_restarts() {
    let frames = "<iframe src=inner.html></iframe>".repeat(7);
    let mut site = Site::serve(&[
        ("index.html", &page(&frames)),
        ("inner.html", &styled()),
        ("a.css", ""),
    ]);
    let mut browser = Browser::start();
    let mut tabs = [browser.open(&site.url("/")), browser.open(&site.url("/"))];
    for n in 0..10 {
        site.stop();
        // Each frame finds another version when the server is back, and reloads.
        site.save("inner.html", format!("{}<!--{n}-->", styled()));
        site.start(&[]);
    }
    for tab in &mut tabs {
        let text = "new XMLSerializer().serializeToString(f.document)";
        tab.until(&format!(
            "Array.from(frames).every(f => {text}.includes('<!--9-->'))"
        ));
    }
    until_streams(&site, 1, 14);
    site.save("inner.html", styled().replace("<h1>x", "<h1>y"));
    for tab in &mut tabs {
        tab.until("Array.from(frames).every(f => f.document.body?.innerText.trim() === 'y')");
    }
    until_streams(&site, 1, 14);
    browser.open(&site.url("/inner.html")).until_text("y");
}
