//! The library's layer in front of a program that makes its pages itself.

use tidings::reload::Reload;

use crate::Browser;
use crate::app::{Answer, App, answer, page_of};
use crate::site::{page, page_with};
use crate::support::program::Folder;

/// `/` is a template, `/static/...` a file, `/fragment` what a script fetches.
fn program(folder: &Folder, path: &str) -> Answer {
    match path {
        "/" => page_of(folder, "templates/index.html"),
        "/fragment" => answer(200, "text/html", "<p>a fragment</p>"),
        "/panics" => match folder.path("fixed").exists() {
            true => page_of(folder, "templates/index.html"),
            false => panic!("the handler's <own> words"),
        },
        "/empty" => match folder.path("fixed").exists() {
            true => page_of(folder, "templates/index.html"),
            false => http::Response::builder()
                .status(500)
                .body(Default::default())
                .unwrap(),
        },
        path if path.ends_with(".css") => {
            let text = std::fs::read(folder.path(path)).unwrap();
            answer(200, "text/css", text)
        }
        _ => match std::fs::read(folder.path(&format!("templates{path}.html"))) {
            Ok(text) => answer(200, "text/html", text),
            Err(_) => answer(404, "text/html", "there is no such page"),
        },
    }
}

#[test]
fn a_saved_template_is_shown() {
    let app = App::start(&[("templates/index.html", &page("one"))], program);
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    let mut other = browser.open(&app.url("/"));
    for text in ["two", "three"] {
        app.save("templates/index.html", page(text));
        tab.until_text(text);
        other.until_text(text);
    }
}

#[test]
fn a_saved_sheet_is_swapped_in_place_and_is_what_the_app_answers_with() {
    let with_sheet = page_with(
        "<link rel=stylesheet href=/static/site.css>",
        "<h1>one</h1>",
    );
    let app = App::start(
        &[
            ("templates/index.html", &with_sheet),
            ("static/site.css", "h1 { color: brand }"),
        ],
        |folder, path| {
            let mut answer = program(folder, path);
            if path.ends_with(".css") {
                let text = std::fs::read_to_string(folder.path(path)).unwrap();
                *answer.body_mut() = text.replace("brand", "rgb(1, 2, 3)").into();
            }
            answer
        },
    );
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    tab.until("getComputedStyle(document.querySelector('h1')).color === 'rgb(1, 2, 3)'");
    tab.mark();
    app.save("static/site.css", "h1 { background: brand }");
    tab.until("getComputedStyle(document.querySelector('h1')).backgroundColor === 'rgb(1, 2, 3)'");
    tab.until("getComputedStyle(document.querySelector('h1')).color === 'rgb(0, 0, 0)'");
    assert!(tab.is_same());
}

#[test]
fn a_fragment_that_a_script_fetches_is_left_alone() {
    let app = App::start(&[("templates/index.html", &page("one"))], program);
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    let fetched = tab.eval("fetch('/fragment').then(r => r.text())");
    assert_eq!(fetched, "<p>a fragment</p>");
    let fetched =
        tab.eval("fetch('/fragment', {headers: {accept: 'text/html'}}).then(r => r.text())");
    assert_eq!(fetched, "<p>a fragment</p>");
}

#[test]
fn an_error_page_heals_when_what_it_lacked_is_saved() {
    let app = App::start(&[("templates/other.html", &page("other"))], program);
    let mut browser = Browser::start();
    let mut missing = browser.open(&app.url("/late"));
    missing.until_text("there is no such page");
    let mut text = browser.open(&app.url("/"));
    text.until("document.body.innerText.includes('templates/index.html: No such file')");
    let mut panicked = browser.open(&app.url("/panics"));
    panicked.until(r#"document.body.innerText.includes("the handler's <own> words")"#);
    let mut empty = browser.open(&app.url("/empty"));
    empty.until("document.title === '500 Internal Server Error'");
    app.save("templates/late.html", page("late"));
    missing.until_text("late");
    app.save("templates/index.html", page("one"));
    text.until_text("one");
    app.save("fixed", "");
    panicked.until_text("one");
    empty.until_text("one");
    // They are pages like any other from then on.
    app.save("templates/index.html", page("two"));
    for tab in [&mut text, &mut panicked, &mut empty] {
        tab.until_text("two");
    }
}

#[test]
fn a_program_may_tell_the_pages_to_reload() {
    let app = App::start(&[("templates/index.html", &page("one"))], program);
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    tab.mark();
    app.reload.reload_pages();
    tab.until("window.__mark === undefined && document.readyState === 'complete'");
}

#[test]
fn an_app_that_is_cross_origin_isolated_reloads() {
    let isolated = |folder: &Folder, path: &str| {
        let mut response = program(folder, path);
        for (name, value) in [
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
        ] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        response
    };
    let app = App::start(&[("templates/index.html", &page("one"))], isolated);
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    tab.until("crossOriginIsolated");
    // The stream is held by the page's worker, which holds the lock, not by the page.
    tab.until("navigator.locks.query().then(({held}) => held.length === 1)");
    app.save("templates/index.html", page("two"));
    tab.until_text("two");
}

#[test]
fn it_does_nothing_where_it_is_off() {
    let app = App::start_with(
        Reload::when(false),
        &[("templates/index.html", &page("one"))],
        program,
    );
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    assert_eq!(tab.eval("document.scripts.length"), 0);
    assert_eq!(
        tab.eval("fetch('/@tidings/client.js').then(r => r.status)"),
        404
    );
}
