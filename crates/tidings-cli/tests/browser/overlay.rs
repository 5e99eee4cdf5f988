//! Problems of a backend, shown over the pages that there are, or in their place.

use serde_json::json;

use crate::backend::{Backend, problem};
use crate::{Browser, Page};

/// Whether the overlay shows a text, in the word of the page's scripts.
pub fn shows(text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    format!(
        "document.querySelector('tidings-overlay')?.shadowRoot.querySelector('pre').innerText.includes({text}) === true"
    )
}

pub const NOT_SHOWN: &str = "document.querySelector('tidings-overlay') === null";

pub fn press(page: &mut Page, key: &str) {
    let code = match key {
        "Escape" => 27,
        "Tab" => 9,
        _ => 13,
    };
    for kind in ["keyDown", "keyUp"] {
        let text = if key == "Enter" { "\r" } else { "" };
        page.call(
            "Input.dispatchKeyEvent",
            json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}),
        );
    }
}

fn type_text(page: &mut Page, text: &str) {
    page.call("Input.insertText", json!({"text": text}));
}

#[test]
fn a_failed_build_shows_over_the_page_whose_state_is_kept_until_it_is_mended() {
    let backend = Backend::start(&[("/", "<textarea id=t>one two</textarea>")]);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    page.mark();
    page.eval("t.focus(); t.value = 'typed text'; t.setSelectionRange(3, 5)");
    backend.fail("\x1b[1;31merror\x1b[0m: <b>no</b> such thing\n --> src/main.rs:1:2");
    page.until(&shows("error: <b>no</b> such thing"));
    let overlay = "document.querySelector('tidings-overlay').shadowRoot";
    page.until(&format!("document.activeElement.localName === 'tidings-overlay' && {overlay}.activeElement.matches('[role=alertdialog][aria-modal=true]')"));
    assert_eq!(
        page.eval(&format!("{overlay}.querySelector('.bold.fg').textContent")),
        "error"
    );
    assert_eq!(
        page.eval(&format!("{overlay}.querySelector('.file').textContent")),
        "src/main.rs:1:2"
    );
    backend.mend();
    page.until(NOT_SHOWN);
    assert!(page.is_same());
    assert_eq!(
        page.eval("[document.activeElement.id, t.value, t.selectionStart, t.selectionEnd].join()"),
        "t,typed text,3,5"
    );
}

#[test]
fn escape_and_the_button_dismiss_it_until_another_problem_comes() {
    let backend = Backend::start(&[(
        "/",
        "<input id=i><script>keys = []; for (const type of ['keydown', 'keyup']) addEventListener(type, e => keys.push(e.key), true)</script>",
    )]);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    page.mark();
    page.eval("i.focus()");
    type_text(&mut page, "abc");
    backend.fail("first");
    page.until(&shows("first"));
    press(&mut page, "Escape");
    page.until(NOT_SHOWN);
    // Its keys are not the page's.
    assert_eq!(page.eval("keys.join()"), "");
    press(&mut page, "Escape");
    assert_eq!(page.eval("keys.join()"), "Escape,Escape");
    type_text(&mut page, "d");
    assert_eq!(page.eval("i.value"), "abcd");
    // The same one again is no other one.
    backend.fail("first");
    backend.fail("second");
    page.until(&shows("second"));
    press(&mut page, "Tab");
    press(&mut page, "Enter");
    page.until(NOT_SHOWN);
    assert_eq!(
        page.eval("[document.activeElement.id, keys.length].join()"),
        "i,2"
    );
    // Neither does a reload bring it back, nor a new run of the server.
    page.call("Page.reload", json!({}));
    page.until("document.readyState === 'complete' && !window.__mark");
    backend.fail("third");
    page.until(&shows("third"));
}

#[test]
fn a_page_that_is_served_while_there_is_a_problem_shows_it_and_clears_it() {
    let backend = Backend::start(&[("/", "<p>hello")]);
    backend.fail("broken");
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    page.until(&shows("broken"));
    page.mark();
    assert_eq!(
        page.eval("document.querySelector('script').dataset.problem ?? null"),
        json!(null)
    );
    backend.mend();
    page.until(NOT_SHOWN);
    assert!(page.is_same());
}

#[test]
fn a_new_run_of_the_server_clears_it_or_shows_another_one() {
    let backend = Backend::start(&[("/", "<p>hello")]);
    let mut browser = Browser::start();
    let mut pages = [
        browser.open(&backend.url("/")),
        browser.open(&backend.url("/")),
    ];
    pages.iter_mut().for_each(Page::mark);
    backend.fail("broken");
    pages
        .iter_mut()
        .for_each(|page| page.until(&shows("broken")));
    backend.restart_server();
    pages.iter_mut().for_each(|page| page.until(NOT_SHOWN));
    backend.fail("broken again");
    pages
        .iter_mut()
        .for_each(|page| page.until(&shows("broken again")));
    // A page of before the restart that asks the others gets it from them.
    let mut late = browser.open(&backend.url("/"));
    late.until(&shows("broken again"));
    assert!(pages.iter_mut().all(Page::is_same));
}

#[test]
fn a_page_from_the_back_forward_cache_learns_what_was_mended_meanwhile() {
    let backend = Backend::start(&[("/", "<p>hello"), ("/other", "<p>other")]);
    backend.fail("broken");
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    page.until(&shows("broken"));
    page.mark();
    page.go(&backend.url("/other"));
    backend.mend();
    page.eval("history.back()");
    page.until("location.pathname === '/' && document.readyState === 'complete'");
    page.until(NOT_SHOWN);
    assert!(page.is_same(), "it was in the cache");
    page.go(&backend.url("/other"));
    backend.fail("once more");
    page.eval("history.back()");
    page.until(&shows("once more"));
}

#[test]
fn a_restart_reloads_every_page_once() {
    let backend = Backend::start(&[("/", "<p>one")]);
    let mut browser = Browser::start();
    let mut pages = [
        browser.open(&backend.url("/")),
        browser.open(&backend.url("/")),
    ];
    backend.fail("broken");
    pages
        .iter_mut()
        .for_each(|page| page.until(&shows("broken")));
    backend.answer("/", "<p>two");
    backend.reloader().restarted().unwrap();
    for page in &mut pages {
        page.until_text("two");
        page.until(NOT_SHOWN);
        page.mark();
    }
    // Nothing else reloads them.
    backend.fail("x");
    pages.iter_mut().for_each(|page| page.until(&shows("x")));
    assert!(pages.iter_mut().all(Page::is_same));
}

#[test]
fn the_page_that_stands_for_one_of_the_backend_heals_itself() {
    let backend = Backend::start(&[("/", "<p>hello")]);
    backend.set_away(true);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    page.until("document.querySelector('h1').textContent === 'Nothing answers'");
    page.mark();
    let loads = backend.n_requests("GET /");
    // It looks once, and would only get the same again.
    while backend.n_requests("HEAD /") < 1 {
        page.until("true");
    }
    // Another problem shows, and is not laid over it.
    backend.fail("\x1b[31mbroken");
    page.until("document.querySelector('pre .fg')?.textContent.trim() === 'broken'");
    assert_eq!(page.eval(NOT_SHOWN), true);
    assert_eq!(backend.n_requests("GET /"), loads + 1);
    // What is published may be the end of it, or not.
    backend.mend();
    while backend.n_requests("HEAD /") < 3 {
        page.until("true");
    }
    assert_eq!(backend.n_requests("GET /"), loads + 1);
    backend.set_away(false);
    backend.reloader().restarted().unwrap();
    page.until_text("hello");
    assert_eq!(backend.n_requests("GET /"), loads + 2);
}

#[test]
fn a_page_keeps_its_state_while_the_backend_is_away() {
    let backend = Backend::start(&[("/", "<input id=i>")]);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    page.mark();
    page.eval("i.value = 'typed'");
    backend.set_away(true);
    // It would reload for that.
    backend.changed("template.html");
    backend.fail("exited");
    page.until(&shows("exited"));
    while backend.n_requests("HEAD /@tidings/ready") < 3 {
        page.until("true");
    }
    assert!(page.is_same());
    assert_eq!(backend.n_requests("HEAD /"), 0);
    backend.answer("/", "<p>there");
    backend.set_away(false);
    page.until_text("there");
}

#[test]
fn whatever_the_page_does_the_overlay_stays_in_one_piece() {
    let policy = "default-src 'none'; script-src 'self' 'unsafe-inline'; connect-src 'self'; worker-src 'self'; style-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
    let backend = Backend::start(&[]);
    backend.answer_with(
        "/",
        "<style>* { display: none !important; color: red !important }</style><script>
            Object.prototype.evil = 'x'
            errors = []
            addEventListener('securitypolicyviolation', e => errors.push(e.violatedDirective))
            addEventListener('error', e => errors.push(e.message))
        </script><p id=p>hello",
        &[("content-security-policy", policy)],
    );
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    page.until("errors.join() !== ''"); // the page's own style
    page.eval("errors = []");
    backend.fail("\x1b[38;2;1;2;3;48;5;200mred\x1b[0m <img src=x onerror=errors.push(1)>");
    page.until(&shows("red <img"));
    let pre = "document.querySelector('tidings-overlay').shadowRoot.querySelector('pre')";
    // Its style applies, and the page's does not.
    assert_eq!(
        page.eval(&format!("getComputedStyle({pre}).whiteSpaceCollapse")),
        "preserve"
    );
    page.eval("document.body.replaceWith(document.createElement('body'))");
    page.eval("document.querySelector('tidings-overlay').remove()");
    page.until(&shows("red <img"));
    page.until(&format!("{pre}.checkVisibility() && document.elementFromPoint(innerWidth / 2, innerHeight / 2).localName === 'tidings-overlay'"));
    assert_eq!(page.eval("errors.join()"), "");
    backend.mend();
    page.until(NOT_SHOWN);
}

#[test]
fn dialogs_of_the_page_stay_open_below_it_and_are_used_again() {
    let backend = Backend::start(&[(
        "/",
        "<dialog id=d><input id=i></dialog><div id=menu popover>menu</div><button id=b>b</button>",
    )]);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    let overlay = "document.querySelector('tidings-overlay')";
    let on_top = format!(
        "document.activeElement === {overlay} && document.elementFromPoint(innerWidth / 2, innerHeight / 2) === {overlay}"
    );

    page.eval("b.focus(); menu.showPopover()");
    backend.fail("one");
    page.until(&on_top);
    press(&mut page, "Escape");
    page.until(NOT_SHOWN);
    assert_eq!(
        page.eval("menu.matches(':popover-open') && document.activeElement === b"),
        true
    );

    page.eval("menu.hidePopover(); d.showModal(); i.focus(); i.value = 'typed'");
    backend.fail("two");
    page.until(&on_top);
    page.until(&shows("two"));
    press(&mut page, "Escape");
    page.until(NOT_SHOWN);
    assert_eq!(
        page.eval("d.open && document.activeElement === i && i.value"),
        "typed"
    );
    // Its own again.
    press(&mut page, "Escape");
    page.until("!d.open");

    // One that is opened later is above it, and is closed first.
    backend.fail("three");
    page.until(&on_top);
    page.eval("d.showModal()");
    press(&mut page, "Escape");
    page.until("!d.open");
    page.until(&shows("three"));
    press(&mut page, "Escape");
    page.until(NOT_SHOWN);
}

#[test]
fn only_the_page_around_shows_it_not_its_frames() {
    let backend = Backend::start(&[
        ("/", "<iframe src=/inner></iframe>"),
        ("/inner", "<p>inner"),
    ]);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    backend.fail("broken");
    page.until(&shows("broken"));
    backend.changed("nothing.css");
    page.until("frames[0].document.querySelector('tidings-overlay') === null");
}

#[test]
fn it_is_not_printed() {
    let backend = Backend::start(&[("/", "<p>hello")]);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    backend
        .reloader()
        .set_problem(Some(problem("broken")))
        .unwrap();
    page.until(&shows("broken"));
    page.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    assert_eq!(
        page.eval("getComputedStyle(document.querySelector('tidings-overlay')).display"),
        "none"
    );
}

#[test]
fn the_focus_goes_back_to_where_it_was_with_the_caret() {
    let backend = Backend::start(&[
        (
            "/",
            "<p contenteditable id=c>one two three</p><div id=d></div><iframe id=f src=/inner></iframe><script>
             d.attachShadow({mode: 'open'}).innerHTML = '<input value=inside>'</script>",
        ),
        ("/inner", "<input id=i value=framed>"),
    ]);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    for (n, (focus, restored)) in [
        (
            "c.focus(); getSelection().setBaseAndExtent(c.firstChild, 7, c.firstChild, 4)",
            "document.activeElement === c && getSelection().anchorOffset === 7 && getSelection().focusOffset === 4",
        ),
        (
            "i = d.shadowRoot.querySelector('input'); i.focus(); i.setSelectionRange(2, 2)",
            "d.shadowRoot.activeElement === i && i.selectionStart === 2",
        ),
        (
            "i = frames[0].document.getElementById('i'); i.focus(); i.setSelectionRange(3, 3)",
            "document.activeElement === f && frames[0].document.activeElement.id === 'i' && i.selectionStart === 3",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        page.eval(focus);
        page.until(restored);
        backend.fail(&format!("problem {n}"));
        page.until(&shows(&format!("problem {n}")));
        page.until("document.activeElement.localName === 'tidings-overlay'");
        backend.mend();
        page.until(NOT_SHOWN);
        assert_eq!(page.eval(restored), true, "{focus}");
    }
    // A page that has moved the focus meanwhile keeps it there.
    backend.fail("moved");
    page.until(&shows("moved"));
    page.eval("i = d.shadowRoot.querySelector('input'); i.focus()");
    backend.mend();
    page.until(NOT_SHOWN);
    assert_eq!(page.eval("d.shadowRoot.activeElement === i"), true);
}

#[test]
fn a_page_whose_connections_all_wait_for_the_backend_shows_why() {
    let backend = Backend::start(&[("/", "<p>hello")]);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    while backend.reloader().hub().stats().open == 0 {
        page.until("true");
    }
    page.eval("void Array.from({length: 8}, (_, n) => fetch('/slow/' + n))");
    while (0..8)
        .map(|n| backend.n_requests(&format!("GET /slow/{n}")))
        .sum::<usize>()
        < 5
    {
        page.until("true");
    }
    backend.fail("broken");
    page.until(&shows("broken"));
    assert_eq!(page.eval("document.querySelector('tidings-overlay').shadowRoot.querySelector('.panel').checkVisibility()"), true);
}
