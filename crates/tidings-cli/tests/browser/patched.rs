//! A saved page is patched in place wherever that is what a reload would show, and reloads everywhere else. What the
//! patcher itself does is tested elsewhere; this is about when it is asked, with what, and how often.

use serde_json::json;

use crate::site::{COUNT_LOADS, page, page_with};
use crate::wait::wait_at;
use crate::{Browser, Page, Site};

/// A page without scripts.
fn plain(text: &str) -> String {
    page(&format!("<input id=i><p>{text}</p>"))
}

pub fn shows(text: &str) -> String {
    format!("document.querySelector('p')?.textContent.trim() === '{text}'")
}

/// Types into a page that has been loaded.
#[track_caller]
pub fn typed(tab: &mut Page) {
    tab.until("document.readyState === 'complete'");
    tab.call("Network.enable", json!({}));
    tab.mark();
    tab.eval("i.value = 'typed'");
}

/// That the page was not loaded again since, and what was typed is there.
#[track_caller]
pub fn assert_kept(tab: &mut Page) {
    if !tab.is_same() {
        let sent = tab.events("Network.requestWillBeSent");
        let reports = sent.iter().map(|sent| &sent["request"]["postData"]);
        let reports: Vec<_> = reports.filter(|body| !body.is_null()).collect();
        panic!("it was reloaded: {reports:?}");
    }
    assert_eq!(tab.eval("i.value"), "typed");
}

/// Collects what the page tells the server of what it did.
fn watch_reports(tab: &mut Page) {
    tab.eval(
        "window.reports = []; const send = navigator.sendBeacon; \
         navigator.sendBeacon = (url, body) => (reports.push(JSON.parse(body)), send.call(navigator, url, body))",
    );
}

#[test]
fn a_page_without_scripts_is_patched_in_place() {
    let site = Site::serve(&[("index.html", &plain("0")), ("docs/a.html", &plain("a"))]);
    let mut browser = Browser::start();
    let mut tabs = [
        browser.open(&site.url("/")),
        browser.open(&site.url("/?q=1#part")),
        browser.open(&site.url("/index.html")),
    ];
    tabs.iter_mut().for_each(typed);
    for n in 1..=4 {
        match n % 2 {
            0 => site.save("index.html", plain(&n.to_string())),
            _ => site.save_by_rename("index.html", plain(&n.to_string())),
        }
        for tab in &mut tabs {
            tab.until(&shows(&n.to_string()));
            assert_kept(tab);
        }
    }
    let mut other = browser.open(&site.url("/docs/a"));
    typed(&mut other);
    site.save("docs/a.html", plain("b"));
    other.until(&shows("b"));
    assert_kept(&mut other);
    tabs.iter_mut().for_each(assert_kept);
}

#[test]
fn a_page_with_scripts_reloads_and_says_why() {
    let html = |text: &str| page_with(COUNT_LOADS, &format!("<input id=i><p>{text}</p>"));
    let site = Site::serve(&[("index.html", &html("0"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.call("Network.enable", json!({}));
    site.save("index.html", html("1"));
    tab.until(&shows("1"));
    let sent = std::iter::repeat_with(|| tab.event("Network.requestWillBeSent"));
    let requests = sent.map(|sent| sent["request"].clone());
    let reports = requests.filter(|it| it["url"].as_str().unwrap().ends_with("/@tidings/seen"));
    let mut reports = reports.map(|report| {
        let body = report["postData"].as_str().unwrap();
        serde_json::from_str::<serde_json::Value>(body).unwrap()
    });
    // That the page is open is told as well.
    let report = reports.find(|report| report["did"] == "reload").unwrap();
    let why = "it has scripts; --reload patch tries in place";
    assert_eq!(report["why"], why);
    drop(reports);
    // Neither was the patcher loaded for it, nor was the page asked for twice.
    let loaded =
        "performance.getEntriesByType('resource').some(({name}) => name.includes('patch.js'))";
    assert_eq!(tab.eval(loaded), false);
    assert_eq!(tab.eval("Number(sessionStorage.loads)"), 2);
}

#[test]
fn a_page_says_for_itself_whether_it_is_patched() {
    let script = "<script>window.n = 1</script>";
    let pure = "<script data-tidings=pure>window.n = 1</script>";
    let mut browser = Browser::start();
    for (flag, html, scripts, is_patched) in [
        ("auto", "", "", true),
        ("auto", "", script, false),
        ("auto", "", pure, true),
        ("auto", "data-tidings=reload", "", false),
        ("auto", "data-tidings=patch", script, true),
        ("patch", "", script, true),
        ("patch", "data-tidings=reload", script, false),
        ("full", "", "", false),
        ("full", "data-tidings=patch", "", false),
    ] {
        let name = format!("--reload {flag}, <html {html}>, {scripts}");
        let page = |text: &str| {
            format!(
                "<!doctype html><html {html}><title>t</title>{scripts}<body><input id=i><p>{text}</p></html>"
            )
        };
        let mut site = Site::new(&[("index.html", &page("0"))]);
        site.start(&["--reload", flag]);
        let mut tab = browser.open(&site.url("/"));
        typed(&mut tab);
        site.save("index.html", page("1"));
        tab.until(&format!("/* {name} */ {}", shows("1")));
        assert_eq!(tab.is_same(), is_patched, "{name}");
    }
}

#[test]
fn many_saves_at_once_end_on_the_last_one_without_a_reload() {
    let site = Site::serve(&[("index.html", &plain("0"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    typed(&mut tab);
    for round in 1..=5 {
        for n in 1..=10 {
            site.save("index.html", plain(&format!("{round}.{n}")));
        }
        tab.until(&shows(&format!("{round}.10")));
        assert_kept(&mut tab);
    }
    // Ten patches equal one load.
    let patched = tab.eval("document.body.innerHTML");
    assert_eq!(
        browser.open(&site.url("/")).eval("document.body.innerHTML"),
        patched
    );
}

#[test]
fn one_save_is_one_answer() {
    let site = Site::serve(&[("index.html", &plain("0")), ("other.html", &plain("0"))]);
    let mut browser = Browser::start();
    let mut other = browser.open(&site.url("/other.html"));
    // In front: those in the background leave it to their worker.
    let mut tab = browser.open(&site.url("/"));
    typed(&mut tab);
    watch_reports(&mut tab);
    for n in 1..=3 {
        site.save("index.html", plain(&n.to_string()));
        tab.until(&shows(&n.to_string()));
    }
    site.save("other.html", plain("1"));
    other.until(&shows("1"));
    assert_kept(&mut tab);
    assert_eq!(
        tab.eval("reports.map(({did}) => did).join()"),
        "patch,patch,patch"
    );
    assert_eq!(tab.eval("new Set(reports.map(({id}) => id)).size"), 3);
}

#[test]
fn a_small_page_is_patched_without_a_request() {
    let html = |text: &str, n_bytes: usize| {
        page_with(
            "",
            &format!("<input id=i><p>{text}</p><!--{}-->", "-".repeat(n_bytes)),
        )
    };
    let site = Site::serve(&[
        ("index.html", &html("0", 0)),
        ("docs/a.html", &html("0", 0)),
    ]);
    let mut browser = Browser::start();
    for (address, file) in [
        ("/", "index.html"),
        ("/index.html?x", "index.html"),
        ("/docs/a.html", "docs/a.html"),
    ] {
        let mut tab = browser.open(&site.url(address));
        typed(&mut tab);
        // Whoever waits for an answer, waits for ever.
        let pattern = json!({"patterns": [{"urlPattern": site.url(address).replace('?', "\\?")}]});
        tab.call("Fetch.enable", pattern);
        for n in 1..=3 {
            site.save(file, html(&format!("{address} {n}"), 0));
            tab.until(&shows(&format!("{address} {n}")));
            assert_kept(&mut tab);
        }
        // What is too large for the event is requested.
        site.save(file, html("large", 70_000));
        let asked = tab.event("Fetch.requestPaused");
        tab.call(
            "Fetch.continueRequest",
            json!({"requestId": asked["requestId"]}),
        );
        tab.until(&shows("large"));
        assert_kept(&mut tab);
    }
}

#[test]
fn a_patch_that_comes_late_never_undoes_a_later_one() {
    // Not the file's own address, which would be patched without a request.
    let site = Site::serve(&[("page.html", &plain("0"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/page"));
    typed(&mut tab);
    tab.eval("window.seen = []; new MutationObserver(() => seen.push(document.querySelector('p')?.textContent)) \
              .observe(document, {subtree: true, childList: true, characterData: true})");
    // The first answer is held back until the page has been saved again.
    let pattern =
        json!({"patterns": [{"urlPattern": site.url("/page"), "requestStage": "Response"}]});
    tab.call("Fetch.enable", pattern);
    site.save("page.html", plain("1"));
    let held = tab.event("Fetch.requestPaused");
    site.save("page.html", plain("2"));
    tab.call(
        "Fetch.continueRequest",
        json!({"requestId": held["requestId"]}),
    );
    tab.call("Fetch.disable", json!({}));
    tab.until(&shows("2"));
    assert_kept(&mut tab);
    assert_eq!(
        tab.eval("JSON.stringify([...seen].sort()) === JSON.stringify(seen)"),
        true
    );
}

#[test]
fn a_page_with_its_style_sheet_and_images_keeps_all_of_it() {
    let html = |text: &str| {
        page_with(
            "<link rel=stylesheet href=a.css>",
            &format!("<input id=i><p>{text}</p><img src=a.svg>"),
        )
    };
    let svg = |n: u32| format!("<svg xmlns='http://www.w3.org/2000/svg' width='{n}' height='1'/>");
    let css = |n: u32| format!("p {{ width: {n}px }}");
    let site = Site::serve(&[
        ("index.html", &html("0")),
        ("a.css", &css(100)),
        ("a.svg", &svg(10)),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    typed(&mut tab);
    for n in 1..=3 {
        site.save("a.css", css(100 + n));
        site.save("index.html", html(&n.to_string()));
        site.save("a.svg", svg(10 + n));
        tab.until(&shows(&n.to_string()));
        tab.until(&format!(
            "getComputedStyle(document.querySelector('p')).width === '{}px'",
            100 + n
        ));
        tab.until(&format!(
            "document.querySelector('img').naturalWidth === {}",
            10 + n
        ));
        assert_kept(&mut tab);
    }
    assert_eq!(
        tab.eval("document.querySelectorAll('link[rel=stylesheet]').length"),
        1
    );
}

#[test]
fn a_listing_is_patched_when_files_come_and_go() {
    let site = Site::serve(&[("docs/one.txt", "1"), ("docs/sub/x.txt", "x")]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/docs/"));
    let shows = |name: &str| format!("document.body.innerText.includes({name:?})");
    tab.until("document.readyState === 'complete'");
    tab.mark();
    site.save("docs/two & <three>.txt", "2");
    tab.until(&shows("two & <three>.txt"));
    site.save("docs/four.txt", "4");
    tab.until(&shows("four.txt"));
    assert!(tab.is_same());
    // From here on the address is answered with another page.
    site.save("docs/index.html", page("index"));
    tab.until_text("index");
    assert!(!tab.is_same());
}

#[test]
fn a_page_whose_address_has_another_file_by_now_reloads() {
    let mut site = Site::new(&[("index.html", &plain("app"))]);
    site.start(&["--spa"]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/x"));
    typed(&mut tab);
    // Until now the page of the app has answered this address.
    site.save("x.html", plain("own"));
    site.save("index.html", plain("app, again"));
    tab.until(&shows("own"));
    assert!(!tab.is_same());
    // Patched, it would take itself for the page of the app.
    site.save("x.html", plain("own, again"));
    tab.until(&shows("own, again"));
}

#[test]
fn a_page_whose_address_a_script_changed_ends_on_what_a_reload_shows() {
    let html = |text: &str| {
        let script =
            "<script data-tidings=pure>go = to => history.pushState(null, '', to)</script>";
        page_with(script, &format!("<input id=i><p>{text}</p>"))
    };
    let mut site = Site::new(&[("index.html", &html("0")), ("other.html", &plain("other"))]);
    site.start(&["--spa"]);
    let mut browser = Browser::start();
    // A route of the same page.
    let mut tab = browser.open(&site.url("/"));
    typed(&mut tab);
    tab.eval("go('/route/7')");
    site.save("index.html", html("1"));
    tab.until(&shows("1"));
    assert_kept(&mut tab);
    // The address of another one.
    tab.eval("go('/other.html')");
    site.save("index.html", html("2"));
    tab.until(&shows("other"));
    assert!(!tab.is_same());
}

#[test]
fn a_page_that_has_not_reloaded_for_its_script_is_not_patched() {
    let html = |text: &str| {
        let script = "<script src=a.js data-tidings=pure></script>";
        page_with(script, &format!("<input id=i><p>{text}</p>"))
    };
    let site = Site::serve(&[("page.html", &html("0")), ("a.js", "window.v = 1")]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/page.html"));
    typed(&mut tab);
    // A build that wipes what it makes, and writes the page last.
    site.remove("page.html");
    site.save("a.js", "window.v = 2");
    // The page has seen that its address is not answered, and stays.
    wait_at(&site.url("/"), &["--timeout", "30"]);
    assert_eq!(tab.eval("window.v"), 1);
    site.save("page.html", html("1"));
    tab.until(&shows("1"));
    tab.until("window.v === 2");
}

#[test]
fn a_change_that_was_missed_is_patched_on_return() {
    let site = Site::serve(&[("a.html", &plain("0")), ("b.html", &page("b"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/a.html"));
    typed(&mut tab);
    // In the back/forward cache.
    tab.go(&site.url("/b.html"));
    site.save("a.html", plain("1"));
    tab.eval("history.back()");
    tab.until(&shows("1"));
    assert_kept(&mut tab);
    // Without a network.
    tab.call("Network.enable", json!({}));
    let offline = |yes: bool| json!({"offline": yes, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
    tab.call("Network.emulateNetworkConditions", offline(true));
    site.save("a.html", plain("2"));
    tab.call("Network.emulateNetworkConditions", offline(false));
    tab.until(&shows("2"));
    assert_kept(&mut tab);
}

#[test]
fn after_a_restart_of_the_server_a_page_reloads_once_and_is_patched_from_then_on() {
    let mut site = Site::serve(&[("index.html", &plain("0"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    typed(&mut tab);
    // A restart without a change changes nothing. The server does not have the source of this page any more.
    site.stop();
    site.start(&[]);
    site.save("index.html", plain("1"));
    tab.until(&shows("1"));
    tab.until("document.readyState === 'complete'");
    assert!(!tab.is_same());
    typed(&mut tab);
    site.save("index.html", plain("2"));
    tab.until(&shows("2"));
    assert_kept(&mut tab);
    site.stop();
    site.save("index.html", plain("3"));
    site.start(&[]);
    tab.until(&shows("3"));
}

#[test]
fn a_page_that_is_emptied_and_written_slowly_ends_whole() {
    let site = Site::serve(&[("index.html", &plain("0"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    typed(&mut tab);
    for n in 1..=3 {
        let text = plain(&n.to_string());
        std::fs::write(site.path("index.html"), "").unwrap();
        // The page shows that it is empty.
        tab.until("document.querySelector('p') === null");
        let (start, end) = text.split_at(text.len() / 2);
        std::fs::write(site.path("index.html"), start).unwrap();
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(site.path("index.html"))
            .unwrap();
        std::io::Write::write_all(&mut file, end.as_bytes()).unwrap();
        drop(file);
        tab.until(&shows(&n.to_string()));
    }
    let shown = tab.eval("document.body.innerHTML");
    assert_eq!(
        browser.open(&site.url("/")).eval("document.body.innerHTML"),
        shown
    );
}

#[test]
fn the_encoding_of_a_page_is_kept() {
    let html = |text: &str| {
        let text = format!(
            "<!doctype html><meta charset=windows-1252><title>t</title><input id=i><p>{text}</p>"
        );
        text.chars().map(|c| c as u8).collect::<Vec<_>>()
    };
    let site = Site::new(&[]);
    site.save("index.html", html("caf\u{e9}"));
    let mut site = site;
    site.start(&[]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until(&shows("caf\\u00e9"));
    typed(&mut tab);
    site.save("index.html", html("d\u{e9}j\u{e0}"));
    tab.until(&shows("d\\u00e9j\\u00e0"));
    assert_kept(&mut tab);
}

#[test]
fn a_page_in_a_frame_is_patched_there() {
    let site = Site::serve(&[
        (
            "index.html",
            &page("<input id=i><iframe src=inner.html></iframe>"),
        ),
        ("inner.html", &plain("0")),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    typed(&mut tab);
    let inner =
        |test: &str| format!("(({test}))(document.querySelector('iframe').contentDocument)");
    tab.eval(&inner("d => d.querySelector('input').value = 'typed'"));
    for n in 1..=2 {
        site.save("inner.html", plain(&n.to_string()));
        tab.until(&inner(&format!(
            "d => d.querySelector('p')?.textContent === '{n}'"
        )));
        assert_eq!(
            tab.eval(&inner("d => d.querySelector('input').value")),
            "typed"
        );
        assert_kept(&mut tab);
    }
}

#[test]
fn a_page_with_a_policy_is_patched_and_one_whose_policy_changes_reloads() {
    let rule = |policy: &str| {
        format!(
            "[[headers]]\npath = \"/**\"\nset = {{ \"Content-Security-Policy\" = \"{policy}\" }}\n"
        )
    };
    let folder = Site::new(&[("index.html", &plain("0"))]);
    let config = Site::new(&[("tidings.toml", &rule("default-src 'self'"))]);
    let mut site = folder;
    let path = config.path("tidings.toml");
    site.start(&["--config", path.to_str().unwrap()]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    typed(&mut tab);
    tab.call("Log.enable", json!({}));
    for n in 1..=2 {
        site.save("index.html", plain(&n.to_string()));
        tab.until(&shows(&n.to_string()));
        assert_kept(&mut tab);
    }
    let logged = tab.events("Log.entryAdded");
    let of_policy = |entry: &&serde_json::Value| entry["entry"]["source"] == "security";
    assert_eq!(logged.iter().find(of_policy), None);
    config.save("tidings.toml", rule("default-src 'self'; img-src 'none'"));
    drop(site.line("reconfigured"));
    site.save("index.html", plain("3"));
    tab.until(&shows("3"));
    assert!(!tab.is_same());
}

#[test]
fn a_page_whose_source_is_not_kept_any_more_reloads_and_is_patched_again() {
    let site = Site::serve(&[("index.html", &plain("0")), ("b.html", &page("b"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    typed(&mut tab);
    // In the back/forward cache it hears of nothing.
    tab.go(&site.url("/b.html"));
    // Other pages of this address have other sources, until there are too many.
    for n in 1..=30 {
        site.save("index.html", plain(&n.to_string()));
        let navigation = format!(
            "GET / HTTP/1.1\r\nHost: localhost:{}\r\nSec-Fetch-Dest: document\r\nConnection: close\r\n\r\n",
            site.port()
        );
        let mut socket = std::net::TcpStream::connect(("127.0.0.1", site.port())).unwrap();
        std::io::Write::write_all(&mut socket, navigation.as_bytes()).unwrap();
        std::io::copy(&mut socket, &mut std::io::sink()).unwrap();
    }
    tab.eval("history.back()");
    tab.until(&shows("30"));
    assert!(!tab.is_same());
    typed(&mut tab);
    site.save("index.html", plain("31"));
    tab.until(&shows("31"));
    assert_kept(&mut tab);
}
