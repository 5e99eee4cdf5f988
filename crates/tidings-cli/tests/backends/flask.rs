//! Flask's own development server, by the command of `docs/flask.md`.

use crate::http::ask;
use crate::tools::Tool;
use crate::{App, Browser, guide};

fn flask() -> Option<App> {
    let mut app = App::new("flask", Tool::Python)?;
    app.run(&guide::command("flask", Some("Flask")));
    Some(app)
}

#[test]
fn flask_shows_what_is_saved_and_nobody_is_logged_out() {
    let Some(app) = flask() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    tab.until("document.querySelector('h1').textContent === 'Hello, stranger'");
    tab.fill(&[("name", "Ann")]);
    tab.until("document.querySelector('h1')?.textContent === 'Hello, Ann'");
    assert_eq!(tab.eval("location.href"), app.url("/"));
    app.edit("templates/home.html", "<h1>", "<h1>Now: ");
    tab.until("document.querySelector('h1')?.textContent === 'Now: Hello, Ann'");
    app.edit("app.py", "\"Hello\"", "\"Good day\"");
    tab.until("document.querySelector('h1')?.textContent === 'Now: Good day, Ann'");
}

/// The application lets browsers keep its files for an hour.
#[test]
fn files_that_the_browser_may_keep_are_seen_when_saved_and_after() {
    let Some(app) = flask() else { return };
    let colour = |n: u32| {
        format!("getComputedStyle(document.querySelector('h1')).color === 'rgb({n}, {n}, {n})'")
    };
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    tab.until(&colour(1));
    app.save("static/site.css", "h1 { color: rgb(2, 2, 2) }");
    tab.until(&colour(2));
    app.save("static/app.js", "window.version = 2");
    tab.until("window.version === 2");
    tab.until(&colour(2));
    app.edit("app.py", "\"Hello\"", "\"Good day\"");
    tab.until("document.querySelector('h1')?.textContent === 'Good day, stranger'");
    tab.until(&format!("window.version === 2 && {}", colour(2)));
    // Nor has it kept them where no page was open that could hear of the save.
    tab.go("about:blank");
    app.save("static/site.css", "h1 { color: rgb(3, 3, 3) }");
    tab.go(&app.url("/"));
    tab.until(&colour(3));
}

#[test]
fn the_page_of_flasks_debugger_is_replaced_when_the_code_is_mended() {
    let Some(app) = flask() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/broken"));
    tab.until("document.title.includes('ZeroDivisionError')");
    // Its own scripts and style sheets come, and its console answers.
    tab.until("document.querySelector('.traceback') !== null && typeof EVALEX === 'boolean'");
    app.edit("app.py", "{1 / 0}", "{1 + 1}");
    tab.until("document.querySelector('#sum')?.textContent === '2'");
}

#[test]
fn answers_that_are_no_pages_pass_as_they_are() {
    let Some(app) = flask() else { return };
    let port = app.port();
    // A person who looks at an API gets what it says.
    let navigation = [
        "Accept: text/html",
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Dest: document",
    ];
    let answer = ask(port, "GET", "/api/broken", &navigation);
    assert_eq!(answer.status, 500);
    let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(said, serde_json::json!({"error": "out of order"}));
    let part = ask(port, "GET", "/download", &["Range: bytes=10-19"]);
    assert_eq!((part.status, part.text().as_str()), (206, "000000001\n"));
    let all = ask(port, "GET", "/download", &[]);
    assert_eq!((all.status, all.body.len()), (200, 1_000_000));
    let known = ask(port, "GET", "/download", &["If-None-Match: \"numbers\""]);
    assert_eq!(known.status, 304, "{:?}", known.head);
}
