//! Vite's development server, by the command of `docs/node.md`: it replaces modules by itself, over a
//! WebSocket of its own, and we stay out of its way.

use crate::tools::Tool;
use crate::{App, Browser, guide};

#[test]
fn vite_replaces_modules_through_the_proxy_and_reloads_a_page_once() {
    let Some(mut app) = App::new("vite", Tool::Node) else {
        return;
    };
    app.run(&guide::command("node", Some("Vite")));
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    tab.call("Network.enable", serde_json::json!({}));
    tab.go(&app.url("/"));
    tab.until("document.querySelector('#message').textContent === 'one'");
    // Vite's client asks the dev server itself where the way through does not work.
    let socket = tab.event("Network.webSocketCreated");
    let url = socket["url"].as_str().unwrap();
    assert!(
        url.starts_with(&format!("ws://localhost:{}/", app.port())),
        "{url}"
    );
    tab.event("Network.webSocketFrameReceived");
    tab.eval("document.querySelector('#typed').value = 'typed'");

    app.save("message.js", "export const message = 'two'");
    tab.until("document.querySelector('#message').textContent === 'two'");
    app.save("style.css", "h1 { color: rgb(2, 2, 2) }");
    tab.until("getComputedStyle(document.querySelector('h1')).color === 'rgb(2, 2, 2)'");
    assert_eq!(tab.eval("document.querySelector('#typed').value"), "typed");

    for n in 2..=4 {
        app.edit(
            "index.html",
            "</body>",
            &format!("<p class=added>{n}</p></body>"),
        );
        tab.until(&format!(
            "document.querySelectorAll('.added').length === {}",
            n - 1
        ));
        tab.until("document.readyState === 'complete'");
        // Vite tells a page only of what is saved once its socket is open; then it says so.
        let socket = tab.event("Network.webSocketCreated")["requestId"].clone();
        while tab.event("Network.webSocketFrameReceived")["requestId"] != socket {}
    }
    assert_eq!(tab.eval("Number(sessionStorage.loads)"), 4);
}
