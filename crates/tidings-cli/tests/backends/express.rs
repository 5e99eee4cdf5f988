//! Express, by the command of `docs/node.md`, and in front of one that runs already.

use serde_json::json;

use crate::http::ask;
use crate::support::program::{Folder, Server};
use crate::tools::Tool;
use crate::wire::{content, header};
use crate::{App, Backend, Browser, guide};

fn express() -> Option<App> {
    App::new("express", Tool::Node)
}

#[test]
fn express_shows_what_is_saved() {
    let Some(mut app) = express() else { return };
    app.run(&guide::command("node", Some("Express")));
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    tab.until("document.querySelector('h1').textContent === 'one'");
    app.edit("public/index.html", "one", "two");
    tab.until("document.querySelector('h1')?.textContent === 'two'");
    tab.until("document.readyState === 'complete'");
    tab.mark();
    app.save("public/site.css", "h1 { color: rgb(2, 2, 2) }");
    tab.until("getComputedStyle(document.querySelector('h1')).color === 'rgb(2, 2, 2)'");
    assert!(tab.is_same(), "a style sheet is replaced in place");
}

#[test]
fn the_error_page_of_express_is_replaced_when_the_code_is_mended() {
    let Some(mut app) = express() else { return };
    app.run(&guide::command("node", Some("Express")));
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/broken"));
    tab.until("document.body.innerText.includes('Error: out of order')");
    app.edit(
        "server.js",
        "app.get('/broken', () => {\n  throw new Error('out of order')\n",
        "app.get('/broken', (request, response) => {\n  response.send('<h1>mended</h1>')\n",
    );
    tab.until("document.querySelector('h1')?.textContent === 'mended'");
    tab.go(&app.url("/later.html"));
    tab.until("document.body.innerText.includes('Cannot GET /later.html')");
    app.save("public/later.html", "<h1>there</h1>");
    tab.until("document.querySelector('h1')?.textContent === 'there'");
}

/// A page of another origin uses the API with its cookies, as the application allows.
#[test]
fn an_api_for_other_origins_works_with_cookies_and_preflights() {
    let Some(mut app) = express() else { return };
    app.run(&guide::command("node", Some("Express")));
    let elsewhere = Folder::new(&[("index.html", "<!doctype html><title>elsewhere</title>")]);
    let elsewhere = Server::start(&elsewhere, &[]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&format!("http://localhost:{}/", elsewhere.port));
    let api = app.url("/api");
    let visit = format!(
        "fetch('{api}/visits', {{ credentials: 'include' }}).then((answer) => answer.json())"
    );
    assert_eq!(tab.eval(&visit), json!({"visits": 1}));
    assert_eq!(tab.eval(&visit), json!({"visits": 2}));
    let put = format!(
        "fetch('{api}/items/bread', {{ method: 'PUT', credentials: 'include', \
           headers: {{ 'Content-Type': 'application/json' }}, body: '{{\"price\": 3}}' }}) \
           .then(async (answer) => [answer.status, await answer.json()])"
    );
    let stored = json!([201, {"name": "bread", "price": 3}]);
    assert_eq!(tab.eval(&put), stored);
}

/// Byte for byte, with the encoding, length and validators that the backend gave them.
#[test]
fn what_gets_no_script_passes_as_the_backend_sent_it() {
    let Some(mut app) = express() else { return };
    let backend = Backend::start(|port| {
        let mut node = app.program("node");
        node.arg("server.js").env("PORT", port.to_string());
        node
    });
    app.front("", &format!("http://localhost:{}", backend.port));
    let requests: [(&str, &[&str]); 5] = [
        ("/long.txt", &["Accept-Encoding: gzip"]),
        ("/long.txt", &["Accept-Encoding: br"]),
        ("/long.txt", &["Range: bytes=100-199"]),
        ("/site.css", &[]),
        ("/api/broken", &["Accept: application/json"]),
    ];
    for (target, headers) in requests {
        let direct = ask(backend.port, "GET", target, headers);
        let through = ask(app.port(), "GET", target, headers);
        assert_eq!(through.status, direct.status, "{target} {headers:?}");
        assert_eq!(content(&through), content(&direct), "{target} {headers:?}");
        for name in [
            "content-encoding",
            "content-length",
            "content-range",
            "content-type",
            "etag",
            "last-modified",
        ] {
            assert_eq!(
                header(&through, name),
                header(&direct, name),
                "{target} {headers:?} {name}"
            );
        }
    }
    // Unchanged, so not sent again.
    let answer = ask(backend.port, "GET", "/site.css", &[]);
    let known = format!("If-None-Match: {}", header(&answer, "etag").unwrap());
    assert_eq!(ask(app.port(), "GET", "/site.css", &[&known]).status, 304);
}
