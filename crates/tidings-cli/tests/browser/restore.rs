//! After a reload of ours, the page has what the user was doing back, where the browser does not see to it
//! itself; and never in a place where it does not belong.

use serde_json::json;

use crate::site::{page, page_with};
use crate::{Browser, Page, Site};

/// Reloads for each change of the page.
fn serve(files: &[(&str, &str)]) -> Site {
    let mut site = Site::new(files);
    site.start(&["--reload", "full"]);
    site
}

/// A page with one of each kind, and this heading.
fn every_kind(heading: &str) -> String {
    page(&format!(
        "<h1>{heading}</h1>
        <form id=order><p><input name=who></p><p><textarea>as it was</textarea></p>
        <select name=size><option>S<option>M<option>L</select>
        <select name=extras multiple><option selected>a<option>b<option>c</select>
        <input type=checkbox name=gift><input type=checkbox name=news checked>
        <input type=radio name=pay value=card checked><input type=radio name=pay value=cash>
        <input type=range name=much></form>
        <details><summary>one</summary>text</details><details open><summary>two</summary>text</details>
        <div id=box style='height: 90px; overflow: auto'><div style='height: 900px; width: 3000px'></div></div>
        <textarea rows=2 name=long>{}</textarea>
        <div class=late style='height: 3000px'></div>",
        "line\n".repeat(50)
    ))
}

const DO_EVERY_KIND: &str = "
    const $ = (selector) => document.querySelector(selector)
    $('[name=who]').value = 'somebody'
    $('#order textarea').value = 'as it is now'
    $('[name=size]').value = 'L'
    for (const option of $('[name=extras]').options) option.selected = option.value !== 'a'
    $('[name=gift]').checked = true
    $('[name=news]').checked = false
    $('[value=cash]').checked = true
    $('[name=much]').value = 77
    for (const details of document.querySelectorAll('details')) details.open = !details.open
    $('#box').scrollTo(200, 300)
    $('[name=long]').scrollTo(0, 100)
    $('#order textarea').focus()
    $('#order textarea').setSelectionRange(3, 5, 'backward')
    scrollTo(0, 700)";

const TELL_EVERY_KIND: &str = "(() => {
    const $ = (selector) => document.querySelector(selector)
    const texts = Array.from(document.querySelectorAll('input, textarea, select'), (field) =>
        field.type === 'checkbox' || field.type === 'radio' ? field.checked : field.value)
    const extras = Array.from($('[name=extras]').selectedOptions, (option) => option.value)
    const open = Array.from(document.querySelectorAll('details'), (details) => details.open)
    const caret = $('#order textarea')
    const focus = document.activeElement === caret && [caret.selectionStart, caret.selectionEnd, caret.selectionDirection]
    const scroll = [$('#box').scrollLeft, $('#box').scrollTop, $('[name=long]').scrollTop, scrollY]
    return JSON.stringify({texts, extras, open, focus, scroll})
})()";

#[test]
fn all_that_the_user_was_doing_is_back_after_a_reload() {
    let site = serve(&[("index.html", &every_kind("one"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    let untouched = tab.eval(TELL_EVERY_KIND);
    tab.eval(DO_EVERY_KIND);
    let done = tab.eval(TELL_EVERY_KIND);
    assert_ne!(done, untouched);
    // Again and again: what was put back is kept, too.
    for heading in ["two", "three"] {
        site.save("index.html", every_kind(heading));
        tab.until(&format!(
            "document.querySelector('h1')?.textContent === '{heading}'"
        ));
        tab.until(&format!(
            "{TELL_EVERY_KIND} === {done:?}",
            done = done.as_str().unwrap()
        ));
    }
}

#[test]
fn with_no_restore_nothing_but_what_the_browser_does_is_put_back() {
    let mut site = Site::new(&[("index.html", &every_kind("one"))]);
    site.start(&["--reload", "full", "--no-restore"]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.eval("document.querySelector('details').open = true");
    tab.eval("document.querySelector('#box').scrollTo(0, 300)");
    site.save("index.html", every_kind("two"));
    until_reloaded(&mut tab, "two");
    assert_eq!(tab.eval("document.querySelector('details').open"), false);
    assert_eq!(tab.eval("document.querySelector('#box').scrollTop"), 0);
}

/// Until the page has this heading, has loaded wholly, and has put back what it puts back.
fn until_reloaded(tab: &mut Page, heading: &str) {
    tab.until(&format!(
        "document.readyState === 'complete' && document.querySelector('h1')?.textContent === '{heading}' \
         && !Object.keys(sessionStorage).some((key) => /^tidings .* state$/.test(key))"
    ));
}

#[test]
fn a_secret_is_neither_stored_nor_put_back() {
    let secrets = "<input type=password class=secret><input autocomplete=cc-number class=secret>\
        <input autocomplete='section-a current-password' class=secret><input autocomplete=one-time-code class=secret>\
        <input autocomplete=off class=secret><input name=cvc class=secret><input id=api_key class=secret>\
        <form autocomplete=off><input class=secret></form><input autocomplete=username class=secret>\
        <input type=password id=shown class=secret><input name=pw class=secret><input name=user_pass class=secret>\
        <input name=plain><input name=passenger>";
    let index = |heading: &str| {
        // What is stored when the page goes.
        let spy = "<script>addEventListener('pagehide', () => localStorage.stored = JSON.stringify({...sessionStorage}))</script>";
        page_with(spy, &format!("<h1>{heading}</h1>{secrets}"))
    };
    let site = serve(&[("index.html", &index("one"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.eval("for (const field of document.querySelectorAll('input')) field.value = /plain|passenger/.test(field.name) ? 'open' : 'hush'");
    tab.eval("document.querySelector('.secret').focus()");
    // "Show password", and a field that a script has made since.
    tab.eval("document.querySelector('#shown').type = 'text'");
    tab.eval(
        "const late = document.createElement('input'); late.type = 'password'; document.body.append(late);
         late.focus(); late.value = 'hush'; late.type = 'text'",
    );
    site.save("index.html", index("two"));
    until_reloaded(&mut tab, "two");
    tab.until("document.querySelector('[name=plain]').value === 'open'");
    tab.until("document.querySelector('[name=passenger]').value === 'open'");
    let stored = tab.eval("localStorage.stored");
    let stored = stored.as_str().unwrap();
    assert!(stored.contains("open"), "{stored}");
    assert!(!stored.contains("hush"), "{stored}");
    assert_eq!(tab.eval("document.querySelector('.secret').value"), "");
}

#[test]
fn what_may_be_another_element_gets_nothing() {
    let before =
        "<input><input name=a><div><details>1</details></div><div><details id=d>2</details></div>";
    // One more without a name; a name that is another kind now; one more box around.
    let after = "<input><input><input name=a type=email><div></div><div><details>1</details></div><div><details id=d>2</details></div>";
    let index = |heading: &str, body: &str| page(&format!("<h1>{heading}</h1>{body}"));
    let site = serve(&[("index.html", &index("one", before))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.eval("for (const field of document.querySelectorAll('input')) field.value = 'typed'");
    tab.eval("for (const details of document.querySelectorAll('details')) details.open = true");
    site.save("index.html", index("two", after));
    until_reloaded(&mut tab, "two");
    tab.until("document.querySelector('#d').open");
    let values = "Array.from(document.querySelectorAll('input'), (field) => field.value).join()";
    assert_eq!(tab.eval(values), ",,");
    assert_eq!(tab.eval("document.querySelector('details').open"), false);
}

#[test]
fn what_the_page_does_itself_is_left_alone() {
    let index = |heading: &str, script: &str| {
        page(&format!(
            "<h1>{heading}</h1><input name=a><input name=b value=1><input name=c><script>{script}</script>"
        ))
    };
    let site = serve(&[("index.html", &index("one", ""))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.eval("for (const name of 'abc') document.querySelector(`[name=${name}]`).value = 'typed'");
    tab.eval("document.querySelector('[name=a]').focus()");
    let script = "document.querySelector('[name=b]').value = 'by the page'; document.querySelector('[name=c]').focus(); \
        addEventListener('input', () => window.told = true); addEventListener('change', () => window.told = true)";
    site.save("index.html", index("two", script));
    until_reloaded(&mut tab, "two");
    tab.until("document.querySelector('[name=c]').value === 'typed'");
    assert_eq!(
        tab.eval("document.querySelector('[name=b]').value"),
        "by the page"
    );
    assert_eq!(tab.eval("document.activeElement.name"), "c");
    assert_eq!(tab.eval("window.told === undefined"), true);
}

#[test]
fn a_box_that_is_filled_by_a_script_later_is_scrolled_when_it_is() {
    let index = |heading: &str| {
        let fill = "<script>addEventListener('load', () => setTimeout(() => {
            document.querySelector('#list').innerHTML = '<p>line</p>'.repeat(200) }, 50))</script>";
        page(&format!(
            "<h1>{heading}</h1><div id=list style='height: 100px; overflow: auto'></div>{fill}"
        ))
    };
    let site = serve(&[("index.html", &index("one"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until("document.querySelector('#list').scrollHeight > 1000");
    tab.eval("document.querySelector('#list').scrollTo(0, 444)");
    site.save("index.html", index("two"));
    until_reloaded(&mut tab, "two");
    tab.until("document.querySelector('#list').scrollTop === 444");
}

#[test]
fn shadow_roots_and_frames_have_their_own_back() {
    let element = "<script>customElements.define('a-box', class extends HTMLElement {
        connectedCallback() { this.attachShadow({mode: 'open'}).innerHTML = '<p><input></p>' } })</script>";
    let index = |heading: &str| {
        page_with(
            element,
            &format!(
                "<h1>{heading}</h1><a-box></a-box><iframe src=in.html></iframe><iframe src=in.html></iframe>"
            ),
        )
    };
    let site = serve(&[
        ("index.html", &index("one")),
        (
            "in.html",
            &page("<details><summary>s</summary>text</details><input name=a>"),
        ),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.eval(
        "document.querySelector('a-box').shadowRoot.querySelector('input').value = 'in the shadow'",
    );
    tab.eval("frames[1].document.querySelector('details').open = true");
    site.save("index.html", index("two"));
    until_reloaded(&mut tab, "two");
    tab.until("document.querySelector('a-box').shadowRoot.querySelector('input').value === 'in the shadow'");
    // A frame that reloads alone: only that one of two with the same address.
    tab.eval("frames[0].document.querySelector('input').value = 'first'");
    tab.eval("frames[1].document.querySelector('input').value = 'second'");
    tab.eval("frames[0].old = frames[1].old = true");
    site.save(
        "in.html",
        page("<details><summary>s</summary>new</details><input name=a>"),
    );
    tab.until(
        "[0, 1].every((n) => !frames[n].old && frames[n].document.readyState === 'complete') \
         && frames[0].document.querySelector('input').value === 'first' \
         && frames[1].document.querySelector('input').value === 'second'",
    );
}

#[test]
fn a_frame_in_a_page_of_another_origin_has_its_own_back() {
    let inner = |text: &str| {
        let script = "<script>onmessage = () => (i.value = 'typed')
            setInterval(() => parent.postMessage(`${h.textContent} ${i.value}`, '*'), 20)</script>";
        page(&format!("<h1 id=h>{text}</h1><input id=i>{script}"))
    };
    let site = serve(&[("in.html", &inner("one"))]);
    let frame = format!(
        "<iframe src='{}'></iframe><script>onmessage = ({{ data }}) => (window.said = data)</script>",
        site.url("/in.html")
    );
    let outer = Site::serve(&[("index.html", &page(&frame))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&outer.url("/"));
    tab.until("window.said === 'one '");
    tab.eval("frames[0].postMessage('type', '*')");
    tab.until("window.said === 'one typed'");
    site.save("in.html", inner("two"));
    tab.until("window.said === 'two typed'");
}

#[test]
fn a_reload_by_the_user_puts_nothing_back() {
    let site = serve(&[("index.html", &every_kind("one"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.eval("document.querySelector('details').open = true");
    tab.mark();
    tab.call("Page.reload", json!({}));
    tab.until("window.__mark === undefined && document.readyState === 'complete'");
    // Ours keeps what is there: if anything had been put back, it would show.
    site.save("index.html", every_kind("two"));
    until_reloaded(&mut tab, "two");
    assert_eq!(tab.eval("document.querySelector('details').open"), false);
}
