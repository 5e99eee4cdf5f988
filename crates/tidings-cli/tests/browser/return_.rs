//! A page that was away, or whose server was, shows on return what has changed, and reloads only if
//! something has.

use serde_json::{Value, json};

use crate::site::{COUNT_LOADS, page, page_with};
use crate::{Browser, Page, Site};

#[test]
fn a_change_while_the_server_is_down_is_caught() {
    let mut site = Site::serve(&[("index.html", &page("one"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until_text("one");
    site.stop();
    site.save("index.html", page("two"));
    site.start(&[]);
    tab.until_text("two");
}

#[test]
fn a_save_just_before_the_server_stops_leaves_the_page_until_the_server_is_back() {
    let mut site = Site::serve(&[("index.html", &page("one"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.mark();
    tab.watch_workers();
    tab.until("navigator.locks.query().then(l => l.held.length === 1)");
    // The page receives the save only when the server is away.
    tab.call("Debugger.enable", json!({}));
    tab.eval("setTimeout(() => { debugger })");
    tab.event("Debugger.paused");
    site.save("index.html", page("two"));
    // Its worker may only be about to open the stream.
    let mut n = 0;
    while site.line("change")["streams"] != 1 {
        n += 1;
        site.save("index.html", page(&format!("two<!--{n}-->")));
    }
    site.stop();
    tab.call("Debugger.resume", json!({}));
    // It asks more than once.
    for _ in 0..2 {
        let asked = until_event(&mut tab, "Network.requestWillBeSent", is_head);
        until_event(&mut tab, "Network.loadingFailed", |failed| {
            failed["requestId"] == asked["requestId"]
        });
    }
    assert!(tab.is_same());
    tab.until_text("one");
    site.start(&[]);
    tab.until_text("two");
}

#[test]
fn a_page_whose_file_is_gone_stays_when_what_it_uses_is_saved() {
    let index = |text: &str| page_with("<script src=a.js></script>", text);
    let site = Site::serve(&[("page.html", &index("one")), ("a.js", "window.v = 1")]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/page.html"));
    tab.mark();
    tab.watch_workers();
    site.remove("page.html");
    site.save("a.js", "window.v = 2");
    until_event(&mut tab, "Network.responseReceived", |received| {
        received["response"]["status"] == 404
    });
    site.save("a.js", "window.v = 3");
    until_event(&mut tab, "Network.responseReceived", |received| {
        received["response"]["status"] == 404
    });
    assert!(tab.is_same());
    site.save("page.html", index("two"));
    tab.until_text("two");
    tab.until("window.v === 3");
}

fn is_head(asked: &Value) -> bool {
    asked["request"]["method"] == "HEAD"
}

fn until_event(tab: &mut Page, method: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let event = tab.event(method);
        if wanted(&event) {
            return event;
        }
    }
}

#[test]
fn a_restart_without_a_change_reloads_nothing() {
    let index = page_with("<link rel=stylesheet href=a.css>", "<h1>x</h1>");
    let mut site = Site::new(&[("index.html", &index), ("a.css", "h1 { color: red }")]);
    for n in 0..4 {
        site.save(&format!("unused{n}.txt"), "x");
    }
    site.start(&[]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    // Also after saves that came so fast that their timestamps had to be moved on.
    for n in 0..4 {
        site.save(&format!("unused{n}.txt"), "y");
    }
    site.save("a.css", "h1 { color: green }");
    tab.until("getComputedStyle(document.querySelector('h1')).color === 'rgb(0, 128, 0)'");
    tab.mark();
    tab.watch_workers();
    for _ in 0..3 {
        site.stop();
        tab.forget_events();
        site.start(&[]);
        // Until the page is connected and has received the status, in its worker.
        while tab.event("Network.eventSourceMessageReceived")["eventName"] != "message" {}
    }
    // It receives changes again, in the same document: it is connected and has not been reloaded.
    site.save("a.css", "h1 { color: blue }");
    tab.until("getComputedStyle(document.querySelector('h1')).color === 'rgb(0, 0, 255)'");
    assert!(tab.is_same());
}

#[test]
fn a_change_that_was_missed_in_the_back_forward_cache_is_caught() {
    let with_flag =
        "<script>addEventListener('pageshow', e => window.persisted = e.persisted)</script>";
    let a = |text: &str| page_with(with_flag, text);
    let site = Site::serve(&[("a.html", &a("one")), ("b.html", &a("b"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/a.html"));
    tab.until_text("one");

    // Without a change the page comes out of the cache as it was.
    tab.mark();
    tab.go(&site.url("/b.html"));
    tab.eval("history.back()");
    tab.until("location.pathname === '/a.html' && window.persisted === true");
    assert!(tab.is_same());

    tab.go(&site.url("/b.html"));
    site.save("a.html", a("two"));
    tab.eval("history.back()");
    tab.until_text("two");

    // And the stream is open again.
    site.save("a.html", a("three"));
    tab.until_text("three");
}

#[test]
fn a_change_without_a_network_is_caught() {
    let site = Site::serve(&[("index.html", &page("one"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.call("Network.enable", json!({}));
    let offline = |yes: bool| json!({"offline": yes, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
    tab.call("Network.emulateNetworkConditions", offline(true));
    site.save("index.html", page("two"));
    tab.call("Network.emulateNetworkConditions", offline(false));
    tab.until_text("two");
}

#[test]
fn a_change_between_page_and_stream_is_caught() {
    let site = Site::serve(&[("index.html", &page("one"))]);
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    // The page is there, its script is held back: there is no stream yet.
    tab.call(
        "Fetch.enable",
        json!({"patterns": [{"urlPattern": "*client.js*"}]}),
    );
    tab.call("Page.navigate", json!({"url": site.url("/")}));
    let held = tab.event("Fetch.requestPaused");
    site.save("index.html", page("two"));
    tab.call("Fetch.disable", json!({}));
    let _ = held;
    tab.until_text("two");
}

#[test]
fn a_wiped_and_rebuilt_site_ends_on_what_was_built() {
    let index = |text: &str| {
        page_with(
            "<link rel=stylesheet href=css/a.css><script src=a.js></script>",
            text,
        )
    };
    let mut browser = Browser::start();
    for rebuilt in [
        "at once",
        "when the removal was published",
        "when the page has checked",
    ] {
        let site = Site::serve(&[
            ("index.html", &index("one")),
            ("css/a.css", "body { color: red }"),
            ("a.js", "window.v = 1"),
        ]);
        let mut tab = browser.open(&site.url("/"));
        tab.until_text("one");
        tab.watch_workers();
        for entry in std::fs::read_dir(site.root()).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => std::fs::remove_dir_all(path).unwrap(),
                false => std::fs::remove_file(path).unwrap(),
            }
        }
        match rebuilt {
            "at once" => {}
            "when the removal was published" => drop(site.line("change")),
            _ => drop(until_event(&mut tab, "Network.requestWillBeSent", is_head)),
        }
        site.save("index.html", index("two"));
        if rebuilt != "at once" {
            // The page is back before what it uses is.
            tab.until_text("two");
        }
        site.save("css/a.css", "body { color: blue }");
        site.save("a.js", "window.v = 2");
        tab.until(
            "document.body.innerText.trim() === 'two' && window.v === 2 \
             && getComputedStyle(document.body).color === 'rgb(0, 0, 255)'",
        );
    }
}

#[test]
fn the_root_itself_may_be_deleted_and_made_again() {
    let site = Site::serve(&[("index.html", &page("one"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until_text("one");
    std::fs::remove_dir_all(site.root()).unwrap();
    site.save("index.html", page("two"));
    tab.until_text("two");
    site.save("index.html", page("three"));
    tab.until_text("three");
}

#[test]
fn a_cache_that_answers_with_an_old_copy_does_not_loop() {
    // A service worker that keeps answering with the page as it first was.
    let worker = "let first; onfetch = e => { if (e.request.mode === 'navigate' && new URL(e.request.url).pathname === '/') \
        e.respondWith((async () => (first ??= await fetch(e.request)).clone())()) }; \
        oninstall = () => skipWaiting(); onactivate = e => e.waitUntil(clients.claim())";
    let index = |text: &str| {
        page_with(
            &format!("{COUNT_LOADS}<script>navigator.serviceWorker.register('/sw.js')</script>"),
            text,
        )
    };
    let site = Site::serve(&[
        ("index.html", &index("one")),
        ("sw.js", worker),
        ("end.html", &page("1")),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until("navigator.serviceWorker.controller !== null");
    tab.call("Page.reload", json!({}));
    tab.until("Number(sessionStorage.loads) === 2 && document.readyState === 'complete'");
    site.save("index.html", index("two"));
    tab.until("Number(sessionStorage.loads) >= 3 && document.readyState === 'complete'");
    // Three rounds of somebody else's reload: enough for a loop to show.
    let mut end = browser.open(&site.url("/end.html"));
    for n in 2..5 {
        site.save("end.html", page(&n.to_string()));
        end.until_text(&n.to_string());
    }
    assert_eq!(tab.eval("Number(sessionStorage.loads)"), 3);
}
