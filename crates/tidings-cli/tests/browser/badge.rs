//! The badge: what it says, and pausing.

use serde_json::json;

use crate::site::{COUNT_LOADS, Site, page, page_with};
use crate::{Browser, Page};

const BADGE: &str = "document.querySelector('tidings-badge')?.shadowRoot";

/// Waits until an element of the badge has this text.
#[track_caller]
fn until_says(page: &mut Page, element: &str, text: &str) {
    let text = serde_json::to_string(text).unwrap();
    page.until(&format!(
        "{BADGE}?.querySelector('{element}').textContent.includes({text}) === true"
    ));
}

fn click(page: &mut Page, element: &str) {
    page.eval(&format!("{BADGE}.querySelector('{element}').click()"));
}

fn question_mark(page: &mut Page) {
    for kind in ["keyDown", "keyUp"] {
        page.call(
            "Input.dispatchKeyEvent",
            json!({"type": kind, "key": "?", "code": "Slash", "text": "?", "modifiers": 8}),
        );
    }
}

#[test]
fn the_question_mark_shows_it_outside_of_fields_and_hides_it_again() {
    let site = Site::serve(&[(
        "index.html",
        &page(
            "<input id=i><textarea id=t></textarea><div id=c contenteditable></div><x-field id=x tabindex=0></x-field>
            <button id=b>b</button><script>x.attachShadow({mode: 'closed'})</script>",
        ),
    )]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    for field in ["i", "t", "c", "x"] {
        tab.eval(&format!("{field}.focus()"));
        question_mark(&mut tab);
    }
    assert_eq!(
        tab.eval("[i.value, t.value, c.textContent].join()"),
        "?,?,?"
    );
    tab.eval("addEventListener('keydown', e => e.preventDefault(), { once: true }); b.focus()");
    question_mark(&mut tab); // the page has taken it
    assert_eq!(tab.eval(&format!("{BADGE} === undefined")), true);
    question_mark(&mut tab);
    until_says(&mut tab, ".state", "Connected");
    until_says(&mut tab, ".what", "Nothing has changed yet.");
    assert_eq!(
        tab.eval("document.activeElement === b"),
        true,
        "it takes no focus"
    );
    assert_eq!(
        tab.eval(&format!("{BADGE}.querySelector('.pill').ariaExpanded")),
        "true"
    );
    // It stays over a reload, until it is hidden.
    tab.call("Page.reload", json!({}));
    until_says(&mut tab, ".state", "Connected");
    question_mark(&mut tab);
    tab.until("document.querySelector('tidings-badge') === null");
    tab.call("Page.reload", json!({}));
    tab.until("document.readyState === 'complete'");
    assert_eq!(
        tab.eval("document.querySelector('tidings-badge') === null"),
        true
    );
}

#[test]
fn it_tells_the_last_change_and_what_was_done_and_whether_the_server_is_there() {
    let mut site = Site::new(&[
        ("a.css", "p { color: red }"),
        ("a.js", "window.version = 1"),
        (
            "index.html",
            &page_with(
                "<link rel=stylesheet href=a.css><script src=a.js></script>",
                "<p>one",
            ),
        ),
    ]);
    site.start(&["--badge"]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    until_says(&mut tab, ".state", "Connected");
    site.save("a.css", "p { color: blue }");
    until_says(&mut tab, ".what", "Last change: a.css, ");
    until_says(&mut tab, ".why", "The style was swapped in place");
    site.save("a.js", "window.version = 2");
    tab.until("window.version === 2");
    until_says(&mut tab, ".what", "Last change: a.js, ");
    until_says(&mut tab, ".why", "The page was reloaded");
    site.save("unused.css", "");
    until_says(&mut tab, ".what", "Last change: unused.css, ");
    until_says(&mut tab, ".why", "Not used by this page");
    site.stop();
    until_says(&mut tab, ".state", "Not connected");
    site.start(&[]);
    until_says(&mut tab, ".state", "Connected");
}

#[test]
fn pausing_holds_all_pages_also_new_ones_and_all_is_shown_when_it_ends() {
    let html = |text: &str| page(&format!("{COUNT_LOADS}<input id=i><p id=p>{text}"));
    let mut site = Site::new(&[
        ("a.css", "p { color: red }"),
        (
            "index.html",
            &page_with("<link rel=stylesheet href=a.css>", "<p id=p>one"),
        ),
        ("other.html", &html("one")),
        ("patched.html", &page("<input id=i><p id=p>one")),
    ]);
    site.start(&["--badge"]);
    let mut browser = Browser::start();
    let mut styled = browser.open(&site.url("/"));
    let mut other = browser.open(&site.url("/other.html"));
    let mut patched = browser.open(&site.url("/patched.html"));
    for tab in [&mut other, &mut patched] {
        tab.eval("i.value = 'typed'");
    }
    until_says(&mut styled, ".state", "Connected");
    click(&mut styled, ".pill");
    click(&mut styled, ".pause");
    for tab in [&mut styled, &mut other] {
        until_says(tab, ".state", "Paused: 0 changes are held");
    }
    site.save("a.css", "p { color: rgb(0, 0, 255) }");
    site.save("other.html", html("two"));
    for tab in [&mut styled, &mut other] {
        until_says(tab, ".state", "Paused: 2 changes are held");
    }
    let mut late = browser.open(&site.url("/other.html"));
    until_says(&mut late, ".state", "Paused: 2 changes are held");
    assert_eq!(late.eval("p.textContent.trim()"), "two");
    assert_eq!(styled.eval("getComputedStyle(p).color"), "rgb(255, 0, 0)");
    assert_eq!(other.eval("p.textContent.trim() + i.value"), "onetyped");
    site.save("patched.html", page("<input id=i><p id=p>two"));
    let mut opened = browser.open(&site.url("/patched.html"));
    until_says(&mut opened, ".state", "Paused: 3 changes are held");
    styled.mark();
    opened.mark();
    // Any page ends it.
    click(&mut late, ".pill");
    assert_eq!(
        late.eval(&format!("{BADGE}.querySelector('.pause').textContent")),
        "Go on"
    );
    click(&mut late, ".pause");
    styled.until("getComputedStyle(p).color === 'rgb(0, 0, 255)'");
    assert!(styled.is_same());
    other.until("p.textContent.trim() === 'two'");
    patched.until("p.textContent.trim() === 'two'");
    assert_eq!(patched.eval("i.value"), "typed", "it was patched");
    for tab in [&mut styled, &mut other, &mut late] {
        until_says(tab, ".state", "Connected");
    }
    // One that was opened during the pause is patched as well.
    site.save("patched.html", page("<input id=i><p id=p>three"));
    opened.until("p.textContent.trim() === 'three'");
    assert!(opened.is_same());
}

#[test]
fn it_stays_whatever_the_page_does_and_its_clicks_are_its_own() {
    let mut site = Site::new(&[(
        "index.html",
        &page(
            "<style>* { display: none !important }</style><script>
            clicks = []; addEventListener('click', e => clicks.push(e.target.localName))</script>",
        ),
    )]);
    site.start(&["--badge"]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    until_says(&mut tab, ".state", "Connected");
    tab.eval("document.querySelector('tidings-badge').remove()");
    tab.eval("document.body.replaceWith(document.createElement('body'))");
    until_says(&mut tab, ".state", "Connected");
    click(&mut tab, ".pill");
    until_says(&mut tab, ".what", "Nothing has changed yet.");
    assert_eq!(tab.eval("clicks.join()"), "");
    assert_eq!(
        tab.eval(&format!(
            "{BADGE}.querySelector('.panel').checkVisibility()"
        )),
        true
    );
    tab.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    assert_eq!(
        tab.eval("getComputedStyle(document.querySelector('tidings-badge')).display"),
        "none"
    );
}
