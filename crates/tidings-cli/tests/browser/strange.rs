//! Pages that declare the names that the script uses, that have a `<base>` elsewhere, or whose policies
//! forbid what the script does.

use serde_json::json;

use crate::site::{page, page_with};
use crate::{Browser, Site};

/// What the script takes from the window, and what its swaps go through.
const NAMES: &str = "URL Image fetch EventSource Worker BroadcastChannel Promise setTimeout clearTimeout \
    Set Map WeakMap WeakSet Number Object Math Date JSON self navigator performance console sessionStorage \
    addEventListener postMessage AbortController PerformanceObserver MutationObserver \
    decodeURIComponent encodeURIComponent requestAnimationFrame queueMicrotask getComputedStyle \
    Document DOMParser Element ShadowRoot CSSStyleSheet";

#[test]
fn a_page_may_declare_any_name() {
    let taken: Vec<_> = NAMES
        .split_whitespace()
        .map(|name| format!("{name} = 'mine'"))
        .collect();
    let index = |text: &str| {
        let script = format!("<script>const {}</script>", taken.join(", "));
        page_with(
            &format!("{script}<link rel=stylesheet href=a.css>"),
            &format!("<img src=a.svg>{text}"),
        )
    };
    check(index);
}

#[test]
fn a_page_may_replace_what_the_window_holds() {
    let broken: Vec<_> = NAMES
        .split_whitespace()
        .filter(|name| *name != "self") // a worker's only: it is not used in the page later
        .map(|name| format!("window.{name} = () => {{ throw 1 }}"))
        .collect();
    let index = |text: &str| {
        let parts = "JSON.parse = JSON.stringify = () => { throw 1 }; String.prototype.toJSON = Array.prototype.toJSON = () => 1";
        let script = format!("<script>{parts}; {}</script>", broken.join("; "));
        page_with(
            &format!("{script}<link rel=stylesheet href=a.css>"),
            &format!("<img src=a.svg>{text}"),
        )
    };
    check(index);
}

/// A sheet, a picture and the page itself are saved, each is shown, and the page reports what it did.
#[track_caller]
fn check(index: impl Fn(&str) -> String) {
    let site = Site::serve(&[
        ("index.html", &index("one")),
        ("a.css", "body { color: red }"),
        ("a.svg", &svg(10)),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.mark();
    site.save("a.css", "body { color: green }");
    tab.until("document.body.computedStyleMap().get('color').toString() === 'rgb(0, 128, 0)'");
    // Saved while the stream was only about to open, perhaps.
    let _ = site.line("change");
    site.save("a.css", "body { color: blue }");
    tab.until("document.body.computedStyleMap().get('color').toString() === 'rgb(0, 0, 255)'");
    let line = site.line("change");
    assert_eq!(line["swapped"], 1, "{line}");
    site.save("a.svg", svg(20));
    tab.until("document.images[0].naturalWidth === 20");
    let line = site.line("change");
    assert_eq!(line["swapped"], 1, "{line}");
    assert!(tab.is_same());
    site.save("index.html", index("two"));
    tab.until_text("two");
    site.save("index.html", index("three"));
    tab.until_text("three");
}

#[test]
fn with_a_base_of_another_host_there_are_no_requests_to_that_host() {
    let site = Site::serve(&[("a.css", "body { color: red }"), ("a.svg", &svg(10))]);
    let here = site.url("");
    let index = |text: &str| {
        page_with(
            &format!("<base href='http://other.test/'><link rel=stylesheet href='{here}/a.css'>"),
            &format!("<img src='{here}/a.svg'>{text}"),
        )
    };
    site.save("index.html", index("one"));
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.call("Network.enable", json!({}));
    site.save("a.css", "body { color: green }");
    tab.until("getComputedStyle(document.body).color === 'rgb(0, 128, 0)'");
    site.save("a.svg", svg(20));
    tab.until("document.images[0].naturalWidth === 20");
    // It opens the stream again.
    tab.call("Page.setWebLifecycleState", json!({"state": "frozen"}));
    tab.call("Page.setWebLifecycleState", json!({"state": "active"}));
    site.remove("index.html");
    site.save("index.html", index("two"));
    tab.until_text("two");
    let events = tab.events("Network.requestWillBeSent");
    let urls: Vec<_> = events
        .iter()
        .map(|event| event["request"]["url"].as_str().unwrap())
        .collect();
    assert!(urls.len() > 3, "{urls:?}");
    assert!(urls.iter().all(|url| url.starts_with(&here)), "{urls:?}");
}

#[test]
fn a_base_of_another_host_after_a_sheet_changes_nothing_for_the_sheet() {
    let site = Site::serve(&[
        (
            "sub/index.html",
            &page_with(
                "<link rel=stylesheet href=../a.css><base href='http://other.test/'>",
                "x",
            ),
        ),
        ("a.css", "body { color: red }"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/sub/"));
    tab.until("document.styleSheets[0].ownerNode.href === 'http://other.test/a.css'");
    tab.call("Network.enable", json!({}));
    tab.mark();
    for (color, rgb) in [("green", "rgb(0, 128, 0)"), ("blue", "rgb(0, 0, 255)")] {
        site.save("a.css", format!("body {{ color: {color} }}"));
        tab.until(&format!(
            "getComputedStyle(document.body).color === '{rgb}'"
        ));
    }
    assert!(tab.is_same());
    for event in tab.events("Network.requestWillBeSent") {
        let url = event["request"]["url"].as_str().unwrap();
        assert!(url.starts_with(&site.url("")), "{url}");
    }
}

fn svg(width: u32) -> String {
    format!("<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='9'/>")
}

#[test]
fn the_script_writes_nothing_to_the_console() {
    let policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'self'; script-src 'self'\">";
    for head in ["", policy] {
        let index =
            |text: &str| page_with(&format!("{head}<link rel=stylesheet href=a.css>"), text);
        let site = Site::serve(&[
            ("index.html", &index("one")),
            ("a.css", "body { color: red }"),
        ]);
        let mut browser = Browser::start();
        let mut tab = browser.blank();
        tab.call("Log.enable", json!({}));
        tab.call("Runtime.enable", json!({}));
        tab.go(&site.url("/"));
        site.save("a.css", "body { color: green }");
        tab.until("getComputedStyle(document.body).color === 'rgb(0, 128, 0)'");
        site.save("index.html", index("two"));
        tab.until_text("two");
        site.remove("index.html");
        site.save("index.html", index("three"));
        tab.until_text("three");
        // A browser asks for an icon by itself.
        let said: Vec<_> = tab
            .events("Log.entryAdded")
            .into_iter()
            .filter(|e| !e.to_string().contains("favicon"))
            .collect();
        assert!(said.is_empty(), "{head}: {said:?}");
        assert!(tab.events("Runtime.consoleAPICalled").is_empty());
        assert!(tab.events("Runtime.exceptionThrown").is_empty());
    }
}

#[test]
fn a_policy_header_that_forbids_workers_does_not_stop_reloads() {
    let mut site = Site::serve(&[("index.html", &page("one"))]);
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    // The response gets a policy header on its way, as from a server that sends one.
    tab.call(
        "Fetch.enable",
        json!({"patterns": [{"resourceType": "Document", "requestStage": "Response"}]}),
    );
    let with_policy = |tab: &mut crate::Page| {
        let held = tab.event("Fetch.requestPaused");
        let mut headers = held["responseHeaders"].clone();
        headers
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "Content-Security-Policy", "value": "worker-src 'none'"}));
        tab.call(
            "Fetch.continueResponse",
            json!({"requestId": held["requestId"], "responseCode": 200, "responseHeaders": headers}),
        );
    };
    tab.send("Page.navigate", json!({"url": site.url("/")}));
    with_policy(&mut tab);
    tab.until_text("one");
    for text in ["two", "three"] {
        site.stop();
        site.start(&[]);
        site.save("index.html", page(text));
        with_policy(&mut tab);
        tab.until_text(text);
    }
}
