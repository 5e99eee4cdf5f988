//! Starlette (and with it FastAPI) on uvicorn, by the command of `docs/flask.md`: WebSockets, event
//! streams, pages in parts, a strict policy.

use serde_json::{Value, json};

use crate::http::{ask, get, send};
use crate::support::program::until;
use crate::tools::Tool;
use crate::{App, Browser, guide};

fn starlette() -> Option<App> {
    let mut app = App::new("starlette", Tool::Python)?;
    let numbers: String = (0..100_000).map(|n| format!("{n:09}\n")).collect();
    app.save("numbers.txt", numbers);
    app.run(&guide::command("flask", Some("FastAPI and Starlette")));
    Some(app)
}

#[test]
fn a_websocket_talks_with_the_backend_and_comes_back_after_a_restart() {
    let Some(app) = starlette() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/fragment"));
    // As client libraries do: a socket that is closed is opened again.
    tab.eval(
        "window.heard = []; \
         window.opened = 0; \
         const open = () => { \
           window.socket = new WebSocket(`ws://${location.host}/echo`, ['whisper', 'shout']); \
           socket.onopen = () => { opened++; socket.send(`hello ${opened}`) }; \
           socket.onmessage = ({ data }) => heard.push(`${socket.protocol}: ${data}`); \
           socket.onclose = () => setTimeout(open, 50) \
         }; \
         open()",
    );
    tab.until("heard.join() === 'shout: HELLO 1'");
    // Whole, however long.
    tab.eval("socket.send('x'.repeat(1_000_000))");
    tab.until("heard.at(-1) === 'shout: ' + 'X'.repeat(1_000_000)");
    app.edit("main.py", "message.upper()", "message.title()");
    app.line("switched");
    // The page is loaded anew; so a socket by hand shows that the new backend answers.
    tab.until("document.readyState === 'complete'");
    let answer = "new Promise((done) => { \
           const socket = new WebSocket(`ws://${location.host}/echo`); \
           socket.onopen = () => socket.send('hello'); \
           socket.onmessage = ({ data }) => done(data) \
         })";
    tab.until(&format!("{answer}.then((data) => data === 'Hello')"));
}

#[test]
fn the_applications_own_event_stream_is_its_own_and_ends_with_its_page() {
    let Some(app) = starlette() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    tab.eval(
        "new EventSource('/server-sent-events').onmessage = ({ data }) => (window.heard = data)",
    );
    tab.until("window.heard === 'one'");
    assert_eq!(get(app.port(), "/streams").text(), "1");
    // Not by leaving it: the browser keeps a page with a silent stream for a while, to go back to.
    tab.call("Page.close", json!({}));
    let ended = until(|| (get(app.port(), "/streams").text() == "0").then_some(()));
    ended.expect("a silent stream is closed when its page has left");
}

#[test]
fn a_page_with_a_nonce_reloads_and_its_policy_is_kept() {
    let Some(app) = starlette() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    tab.listen_for_complaints();
    tab.go(&app.url("/"));
    tab.until("window.ran === true");
    app.edit("templates/home.html", "<h1>one", "<h1>two");
    tab.until("document.querySelector('h1')?.textContent === 'two'");
    assert_eq!(tab.complaints(), Vec::<String>::new());
    // What the policy forbids is still forbidden.
    tab.eval("document.body.append(Object.assign(document.createElement('script'), { text: 'window.evil = true' }))");
    assert_eq!(tab.eval("window.evil"), Value::Null);
}

#[test]
fn a_page_that_starlette_sends_in_parts_appears_in_parts() {
    let Some(app) = starlette() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    tab.call("Page.navigate", json!({"url": app.url("/slow")}));
    tab.until("document.querySelector('#first') !== null");
    assert_eq!(tab.eval("document.querySelector('#rest')"), Value::Null);
    tab.eval("fetch('/slow/go')");
    tab.until("document.querySelector('#rest') !== null");
}

#[test]
fn what_a_script_fetches_is_not_changed() {
    let Some(app) = starlette() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    assert_eq!(
        tab.eval("fetch('/fragment').then((answer) => answer.text())"),
        "<p id=fragment>fragment</p>"
    );
}

#[test]
fn parts_of_files_and_large_uploads_pass() {
    let Some(app) = starlette() else { return };
    let part = ask(app.port(), "GET", "/numbers.txt", &["Range: bytes=10-19"]);
    assert_eq!((part.status, part.text().as_str()), (206, "000000001\n"));
    let size = 64 << 20;
    let head = format!(
        "PUT /upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
    );
    let mut request = head.into_bytes();
    request.resize(request.len() + size, b'x');
    assert_eq!(send(app.port(), &request).text(), size.to_string());
}
