//! The errors of pages, in the terminal.

use serde_json::{Value, json};

use crate::Browser;
use crate::backend::Backend;
use crate::site::{Site, page, page_with};

/// The next error that the server prints whose text holds this.
#[track_caller]
fn error(site: &Site, text: &str) -> Value {
    loop {
        let line = site.line("page_error");
        if line["text"].as_str().unwrap().contains(text) {
            return line;
        }
    }
}

/// Its kind, text and place.
fn told(error: &Value) -> String {
    let part = |name: &str| match &error[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let place = [part("file"), part("line"), part("column")].join(":");
    format!("{}|{}|{place}", part("kind"), part("text"))
}

const THROWS: &str = "// one\nfunction f() {\n  throw new TypeError('thrown')\n}\nf()\n";

#[test]
fn errors_of_every_kind_come_with_file_and_line() {
    let site = Site::serve(&[
        ("throws.js", THROWS),
        ("wrong.js", "\n )"),
        (
            "says.js",
            "\nfunction say() {\n  console.error('%s is %o, %d%%', 'it', { a: [1, 'b'] }, 5, new RangeError('inner'))\n}\nsay()\nconsole.warn('careful')",
        ),
        ("rejects.js", "\nPromise.reject(new Error('rejected'))"),
        ("index.html", ""),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    let mut check = |html: &str, text: &str, expected: &str| {
        site.save("index.html", page(html));
        tab.go(&site.url("/"));
        let error = error(&site, text);
        assert_eq!(told(&error), expected);
        assert_eq!(error["path"], "/index.html");
        error
    };
    let thrown = check(
        "<script src=throws.js></script>",
        "thrown",
        "error|TypeError: thrown|/throws.js:3:3",
    );
    let frames = thrown["frames"].as_array().unwrap();
    assert!(
        frames[0].as_str().unwrap().starts_with("at f (http://"),
        "{frames:?}"
    );
    assert_eq!(frames.len(), 2);
    check(
        "<script src=wrong.js></script>",
        "Unexpected",
        "error|SyntaxError: Unexpected token ')'|/wrong.js:2:2",
    );
    check(
        "<script src=says.js></script>",
        "is",
        "console_error|it is {a: [1, \"b\"]}, 5% RangeError: inner|/says.js:3:11",
    );
    check(
        "<script src=says.js></script>",
        "careful",
        "console_warn|careful|/says.js:6:9",
    );
    check(
        "<script src=rejects.js></script>",
        "rejected",
        "rejection|Error: rejected|/rejects.js:2:16",
    );
    check(
        "<script>Promise.reject()</script>",
        "undefined",
        "rejection|undefined|::",
    );
    check(
        "<img src=/gone.png>",
        "gone.png",
        "load|<img> did not load: /gone.png (404)|::",
    );
    check(
        "<script type=module src='/gone.js?x'></script>",
        "gone.js",
        "load|<script> did not load: /gone.js (404)|::",
    );
    check(
        "<script>fetch('/gone.json')</script>",
        "gone.json",
        "load|fetch got an error: /gone.json (404)|::",
    );
    check(
        "<style>body { background: url(/gone.svg) }</style>",
        "gone.svg",
        "load|css got an error: /gone.svg (404)|::",
    );
    // The place of a script in the page is that in the file.
    let inline = check(
        "\n\n<script>\n  nothing()</script>",
        "nothing",
        "error|ReferenceError: nothing is not defined|/index.html:9:3",
    );
    assert_eq!(inline["times"], 1);
}

#[test]
fn what_the_page_does_about_its_errors_goes_on_as_without_us() {
    let site = Site::serve(&[(
        "index.html",
        &page(
            "<script>
            seen = []
            addEventListener('error', e => seen.push(e.message))
            onerror = message => { seen.push(message); return message.includes('handled') }
            const native = console.error
            console.error = function (...said) { seen.push(said.join()); return native.apply(this, said) }
            result = console.error('said', 1)
            dispatchEvent(new ErrorEvent('error', { message: 'handled by the page', cancelable: true }))
            const evil = { get x() { seen.push('a getter was called') }, toJSON() { seen.push('toJSON') }, toString() { throw 1 } }
            console.warn(evil, new Proxy({}, { get() { throw 2 }, ownKeys() { throw 3 } }))
            console.warn(Object.create(null), Symbol('s'), 1n, document.body, null, [evil])
            throw new Error('last')</script>",
        ),
    )]);
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    tab.call("Runtime.enable", json!({}));
    tab.go(&site.url("/"));
    assert_eq!(
        tab.eval("seen.join('|')"),
        "said,1|handled by the page|handled by the page|Uncaught Error: last|Uncaught Error: last"
    );
    assert_eq!(tab.eval("typeof result"), "undefined");
    let error = site.line("page_error");
    assert_eq!(error["text"], "said 1");
    let warned = site.line("page_error")["text"].clone();
    assert_eq!(
        warned,
        "{x: undefined, toJSON: function toJSON, toString: function toString} (cannot be shown)"
    );
    let warned = site.line("page_error");
    assert!(
        warned["text"]
            .as_str()
            .unwrap()
            .contains("Symbol(s) 1 <body> null [{"),
        "{warned}"
    );
    // What the page has handled is not told.
    assert_eq!(site.line("page_error")["text"], "Error: last");
    // Developer tools get the call with the page's place in it, and are told to pass over ours.
    let called = tab.events("Runtime.consoleAPICalled");
    let frames = called[0]["stackTrace"]["callFrames"].as_array().unwrap();
    let urls: Vec<_> = frames
        .iter()
        .map(|frame| frame["url"].as_str().unwrap())
        .collect();
    assert!(urls.iter().any(|url| *url == site.url("/")), "{urls:?}");
    tab.eval("fetch(document.querySelector('script').src).then(async answer => { map = await (await fetch(new URL(answer.headers.get('sourcemap'), answer.url))).json() })");
    assert_eq!(tab.eval("map.sources[map.ignoreList[0]]"), "client.js");
}

#[test]
fn without_the_flag_the_console_is_the_browsers_own() {
    let backend = Backend::start(&[("/", "<p>hello")]);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    assert_eq!(
        page.eval("console.error.toString().includes('[native code]') && console.warn.toString().includes('[native code]')"),
        true
    );
}

#[test]
fn a_page_that_fails_all_the_time_is_counted_and_does_not_hide_the_next_error() {
    let site = Site::serve(&[
        ("index.html", &page("<p>one")),
        (
            "other.html",
            &page("<script>console.error('of another page')</script>"),
        ),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.eval("for (let n = 0; n < 5000; n++) console.error(`number ${n}`); for (let n = 0; n < 5; n++) setTimeout(() => { throw new Error('the same') })");
    assert_eq!(site.line("page_error")["text"], "number 0");
    tab.go(&site.url("/other.html"));
    let mut lines = 0;
    let other = loop {
        let line = site.line("page_error");
        if line["text"] == "of another page" {
            break line;
        }
        lines += 1;
    };
    assert!(lines < 40, "{lines} lines");
    assert!(other["leftOut"].as_u64().unwrap() > 4000, "{other}");
}

#[test]
fn the_same_error_again_is_counted() {
    let site = Site::serve(&[(
        "index.html",
        &page("<script>for (let n = 0; n < 7; n++) console.error('again')</script>"),
    )]);
    let mut browser = Browser::start();
    let _tab = browser.open(&site.url("/"));
    assert_eq!(site.line("page_error")["times"], 7);
}

#[test]
fn a_policy_of_the_page_does_not_keep_its_errors_and_is_told_as_well() {
    let policy = "<meta http-equiv=content-security-policy content=\"default-src 'none'; script-src 'unsafe-inline'\">";
    let site = Site::serve(&[(
        "index.html",
        &page_with(
            policy,
            "<script>console.error('said')</script><img src=/x.png>",
        ),
    )]);
    let mut browser = Browser::start();
    let _tab = browser.open(&site.url("/"));
    let first = error(&site, "");
    assert_eq!(told(&first), "console_error|said|/index.html:6:23");
    let text = format!("img-src of its policy forbids {}", site.url("/x.png"));
    assert_eq!(error(&site, "img-src")["text"], text);
}

#[test]
fn what_a_script_of_another_origin_hides_is_said() {
    let other = Site::serve(&[("throws.js", THROWS)]);
    let script = format!("<script src={}></script>", other.url("/throws.js"));
    let site = Site::serve(&[("index.html", &page(&script))]);
    let mut browser = Browser::start();
    let _tab = browser.open(&site.url("/"));
    let text = error(&site, "Script error")["text"].clone();
    assert!(text.as_str().unwrap().contains("crossorigin"), "{text}");
}
