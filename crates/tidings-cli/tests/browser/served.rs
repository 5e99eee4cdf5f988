//! Files of a backend's project, whose addresses only the backend knows: what is swapped in place, and what
//! reloads the page.

use crate::backend::Backend;
use crate::support::program::until;
use crate::{Browser, Page};

const RED: &str = "h1 { color: rgb(255, 0, 0) }";
const BLUE: &str = "h1 { color: rgb(0, 0, 255) }";
const IS_RED: &str = "getComputedStyle(h).color === 'rgb(255, 0, 0)'";
const IS_BLUE: &str = "getComputedStyle(h).color === 'rgb(0, 0, 255)'";

/// A page that uses a sheet as `/static/app/site.css`, and which file is saved. Returns whether the page
/// stayed when it showed that.
#[track_caller]
fn stays(tab: &mut Page, backend: &Backend, html: &str, saved: &[&str]) -> bool {
    backend.answer("/", &format!("{html}<h1 id=h>x</h1>"));
    backend.answer("/static/app/site.css", RED);
    tab.go(&backend.url("/"));
    tab.until(IS_RED);
    tab.mark();
    backend.answer("/static/app/site.css", BLUE);
    backend.changed_all(saved);
    tab.until(IS_BLUE);
    tab.is_same()
}

#[test]
fn a_sheet_is_swapped_where_its_address_is_the_end_of_the_files_path() {
    let backend = Backend::start(&[
        ("/static/b/site.css", "p {}"),
        ("/site.css", "p {}"),
        ("/imports.css", "@import '/static/app/site.css';"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    let link = "<link rel=stylesheet href='/static/app/site.css?v=3'>";
    let mut stays = |html, saved: &[&str]| stays(&mut tab, &backend, html, saved);

    assert!(stays(link, &["shop/static/app/site.css"]));
    assert!(stays(link, &["static/app/site.css"]));
    assert!(
        stays(link, &["/elsewhere/static/app/site.css"]),
        "outside of the root"
    );
    assert!(stays(
        "<link rel=stylesheet href=/imports.css>",
        &["shop/static/app/site.css"]
    ));

    assert!(
        !stays(link, &["shop/assets/site.css"]),
        "the end only in part"
    );
    assert!(
        !stays(link, &["shop/mystatic/app/site.css"]),
        "no whole segment"
    );
    assert!(!stays(link, &["site.css"]), "less than the address");
    assert!(
        !stays(link, &["shop/static/app/site.scss"]),
        "a source of it"
    );
    assert!(!stays(
        link,
        &["shop/static/app/site.css", "shop/templates/index.html"]
    ));
    let two = format!("{link}<link rel=stylesheet href=/static/b/site.css>");
    assert!(
        !stays(&two, &["shop/static/app/site.css"]),
        "two of this name"
    );
    // Before the heading, so that it has it when the page shows.
    let ends = format!("{link}<link rel=stylesheet href=/site.css>");
    assert!(
        !stays(&ends, &["shop/static/app/site.css"]),
        "the end for both"
    );
    let fetched = format!(
        "{link}<script>const r = new XMLHttpRequest()
        r.open('GET', '/static/app/site.css', false); r.send()</script>"
    );
    assert!(
        !stays(&fetched, &["shop/static/app/site.css"]),
        "a script has it as well"
    );
}

#[test]
fn an_image_is_swapped_likewise() {
    let svg = |width: u32| {
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='9'><rect width='9' height='9'/></svg>"
        )
    };
    let backend = Backend::start(&[
        ("/", "<img id=i src='/media/logo.svg?size=big'><input id=t>"),
        ("/media/logo.svg", &svg(10)),
    ]);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    page.until("i.naturalWidth === 10");
    page.eval("t.value = 'typed'");
    backend.answer("/media/logo.svg", &svg(20));
    backend.changed("data/media/logo.svg");
    page.until("i.naturalWidth === 20 && i.src.includes('size=big')");
    assert_eq!(page.eval("t.value"), "typed");
}

#[test]
fn a_file_that_the_backend_does_not_answer_with_any_more_reloads_the_page() {
    let backend = Backend::start(&[
        ("/", "<link rel=stylesheet href=/a.css><h1 id=h>x</h1>"),
        ("/a.css", RED),
    ]);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    page.until(IS_RED);
    page.mark();
    backend.forget("/a.css");
    backend.answer("/", "<h1 id=h>without</h1>");
    backend.changed("a.css");
    page.until_text("without");
    assert!(!page.is_same());
}

#[test]
fn a_worker_may_use_the_file_so_the_page_reloads() {
    let backend = Backend::start(&[("/w.js", "postMessage(1)")]);
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    let html = "<link rel=stylesheet href=/static/app/site.css><script>
        new Worker('/w.js').onmessage = () => { window.started = true }</script>";
    backend.answer("/", &format!("{html}<h1 id=h>x</h1>"));
    backend.answer("/static/app/site.css", RED);
    tab.go(&backend.url("/"));
    tab.until(&format!("window.started && {IS_RED}"));
    tab.mark();
    backend.answer("/static/app/site.css", BLUE);
    backend.changed("static/app/site.css");
    tab.until(IS_BLUE);
    assert!(!tab.is_same());
}

#[test]
fn what_the_browser_may_keep_for_long_is_new_after_a_reload() {
    let backend = Backend::start(&[("/", "<script src=/static/a.js></script><h1>x</h1>")]);
    let cached = [("cache-control", "max-age=3600")];
    backend.answer_with("/static/a.js", "window.version = 1", &cached);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    page.until("window.version === 1");
    backend.answer_with("/static/a.js", "window.version = 2", &cached);
    backend.changed("app/static/a.js");
    page.until("window.version === 2");
}

#[test]
fn a_swap_is_told_once_and_as_what_it_was() {
    let backend = Backend::start(&[]);
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    let link = "<link rel=stylesheet href=/static/app/site.css>";
    let done = || {
        let reports = backend.reports().into_iter();
        let done: Vec<_> = reports
            .filter(|did| matches!(&**did, "style" | "reload"))
            .collect();
        done
    };
    assert!(stays(&mut tab, &backend, link, &["static/app/site.css"]));
    // It is told when it has been painted.
    until(|| (!done().is_empty()).then_some(()));
    assert!(!stays(&mut tab, &backend, link, &["templates/index.html"]));
    tab.until("document.readyState === 'complete'");
    assert_eq!(done(), ["style", "reload"]);
}
