//! The text of a small style sheet comes with the news that it was saved: the sheet has it in the next frame,
//! without a request, and is what a load would make it.

use crate::case::{Case, How, check};
use crate::site::page_with;
use crate::{Browser, Page, Site};

const RED: &str = "h1 { color: red }";
const BLUE: &str = "h1 { color: blue }";

/// How often the page has requested a sheet.
const REQUESTS: &str =
    "performance.getEntriesByType('resource').filter(({name}) => name.includes('.css')).length";

#[test]
fn no_request_is_made_for_a_small_sheet() {
    let site = Site::serve(&[
        (
            "index.html",
            &page_with(
                "<link rel=stylesheet href=a.css><style>@import 'b.css';</style>",
                "<h1>x</h1><div id=d></div><script>
                d.attachShadow({mode: 'open'}).innerHTML = '<link rel=stylesheet href=a.css><h1>x</h1>'
                </script>",
            ),
        ),
        ("a.css", RED),
        ("b.css", "h1 { width: 10px }"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until("getComputedStyle(d.shadowRoot.querySelector('h1')).color === 'rgb(255, 0, 0)'");
    tab.mark();
    let before = tab.eval(REQUESTS);
    site.save("a.css", BLUE);
    tab.until("getComputedStyle(d.shadowRoot.querySelector('h1')).color === 'rgb(0, 0, 255)'");
    colour(&mut tab, "rgb(0, 0, 255)");
    site.save("b.css", "h1 { width: 20px }");
    tab.until("getComputedStyle(document.querySelector('h1')).width === '20px'");
    assert_eq!(tab.eval(REQUESTS), before);
    assert_eq!(
        tab.eval("document.querySelector('link').getAttribute('href')"),
        "a.css",
        "the element is as it was"
    );
    assert!(tab.is_same());
    // What is too large for the event is requested.
    let large = format!("h1 {{ color: green }}/*{}*/", "-".repeat(70_000));
    site.save("a.css", large);
    colour(&mut tab, "rgb(0, 128, 0)");
    tab.until(&format!("{REQUESTS} > {before}"));
    assert!(tab.is_same());
}

/// Everything that the elements of the page look like.
const LOOK: &str = "JSON.stringify([...document.body.querySelectorAll('*')].map(e => {
    const style = getComputedStyle(e)
    return [...style].map(name => name + ': ' + style.getPropertyValue(name).replace(/[?&]tidings=[^\")]*/g, ''))
}))";

/// Versions of one sheet, each made from the one before by an edit, or by a mistake.
const VERSIONS: &[&str] = &[
    "h1 { color: red } h2 { color: lime }",
    "h1 { color: blue } h2 { color: lime }",
    // What the browser serialises lacks the variable.
    ":root { --x: 3px; --y: 9px } h1 { padding: var(--x); padding-left: 0 }",
    ":root { --x: 3px; --y: 9px } h1 { padding: var(--y); padding-left: 0 }",
    ":root { --x: 3px; --y: 9px } h1 { padding: var(--y); padding-left: 0 } h2 { margin: 7px }",
    // Rules that this browser does not know, and what looks like a part of another rule.
    "h1::-moz-unknown { color: red } h1 { color: red } @unknown x { y } h2 { content: '}' } h2 { color: red }",
    "h1 { color: blue } /* } h1 { color: red } */ h2 { background: url( a}b ); color: lime }",
    "h1 { content: \"a\\\"}b\"; color: red } h\\32 { color: green } h2 { color: green }",
    "@charset 'utf-8'; <!-- h1 { color: teal } --> h2 { color: red }",
    "h1 { color: red; & + h2 { color: blue } @media all { margin: 3px } padding: 1px }",
    "@media (min-width: 1px) { h1 { color: green } } @supports (display: grid) { h2 { color: teal } }",
    "@layer low, high; @layer high { h1 { color: red } } @layer low { h1 { color: blue } }",
    "@layer high, low; @layer high { h1 { color: red } } @layer low { h1 { color: blue } }",
    "@namespace svg url(http://www.w3.org/2000/svg); svg|h1 { color: red } h2 { color: red }",
    "@namespace html url(http://www.w3.org/1999/xhtml); html|h1 { color: red } h2 { color: blue }",
    "@keyframes k { from { opacity: 0.5 } to { opacity: 0.5 } } h1 { animation: k 1s infinite }",
    "@property --p { syntax: '<color>'; inherits: true; initial-value: red } h1 { color: var(--p) }",
    "@property --p { syntax: '<color>'; inherits: true; initial-value: blue } h1 { color: var(--p) }",
    "foo; h1 { color: red } h2 { color: lime }",
    "h1 { color: lime }} h2 { color: red } h1 { margin: 4px }",
    "h2 { color: lime } h1 { color: red; margin: 2px",
    "h2 { color: lime } h1 { color: red; margin: 2px /* not closed",
    "h1:is(h1, [title='a;b']) { color: red } h2 { width: calc(1px * (2 + 3)) }",
    "\u{feff}h1::before { content: 'gr\u{fc}n' } h2 { font-family: \"\u{65e5}\u{672c}\" }",
    "h1 {\r\n  color: teal;\r\n}\r\nh2::after {\r\n  content: 'a\\\r\nb';\r\n}\r\n",
    "@import 'sub.css'; h1 { color: red }",
    "@import 'sub.css'; h1 { color: green }",
    "@import url(sub.css) screen; h1 { color: green }",
    "@import url( 'sub.css' ) screen; h1 { color: blue }",
    "@layer one; @import \"sub.css\" layer(two); h1 { color: blue }",
    "@layer one; @import \"sub.css\" layer(two); @layer two { h1 { color: red } }",
    "h1 { color: red } @import 'sub.css'; h2 { color: red }",
    "",
    "h1 { color: red } h2 { color: lime }",
];

#[test]
fn after_each_of_many_edits_the_page_looks_as_if_it_had_been_loaded() {
    let body = "<h1 title='a;b'>x</h1><h2>y</h2>";
    let link = |href| page_with(&format!("<link rel=stylesheet href={href}>"), body);
    let site = Site::serve(&[
        ("index.html", &link("a.css")),
        ("fresh.html", &link("a.css?fresh")),
        ("a.css", ""),
        ("sub.css", "h2 { letter-spacing: 2px; color: purple }"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    let mut fresh = browser.blank();
    tab.mark();
    tab.eval("document.querySelector('h1').tabIndex = 3");
    for (n, text) in VERSIONS.iter().enumerate() {
        site.save("a.css", text);
        // Another address each time: `go` must not take the version before for it.
        fresh.go(&site.url(&format!("/fresh.html?{n}")));
        fresh.eval("document.querySelector('h1').tabIndex = 3");
        let expected = fresh.eval(LOOK);
        tab.until(&format!("/* {n} */ {LOOK} === {expected}"));
    }
    assert!(tab.is_same(), "all of it in place");
    tab.until("document.querySelectorAll('link').length === 1");
}

#[test]
fn an_edit_of_another_rule_does_not_take_the_font_away() {
    let sheet = |colour: &str, more: &str| {
        format!(
            "@font-face {{ font-family: f; src: url(f.ttf) }} :root {{ --x: 1px }}
             span {{ font: 20px f; padding: var(--x); padding-left: 0; color: {colour} }} {more}"
        )
    };
    let site = Site::serve(&[(
        "index.html",
        &page_with(
            "<link rel=stylesheet href=a.css>",
            "<h1><span id=s>x</span></h1>",
        ),
    )]);
    site.save("f.ttf", include_bytes!("fonts/wide.ttf"));
    site.save("a.css", sheet("red", ""));
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until("s.offsetWidth === 41");
    tab.eval(
        "window.shown = []; (function look() {
            const now = getComputedStyle(s).color + ' ' + s.offsetWidth
            if (shown.at(-1) !== now) shown.push(now)
            requestAnimationFrame(look) })()",
    );
    for (colour, more) in [
        ("rgb(0, 0, 255)", ""),
        ("rgb(0, 128, 0)", "p { margin: 0 }"),
    ] {
        site.save("a.css", sheet(colour, more));
        tab.until(&format!("shown.at(-1) === '{colour} 41'"));
    }
    assert_eq!(
        tab.eval("shown.join('; ')"),
        "rgb(255, 0, 0) 41; rgb(0, 0, 255) 41; rgb(0, 128, 0) 41"
    );
}

#[test]
fn users_that_cannot_be_found_are_remembered_when_they_are_made() {
    let case = |name, how, html, ready, shown| Case {
        name,
        files: &[("a.css", RED), ("import.css", "@import 'a.css';")],
        html,
        ready,
        save: ("a.css", BLUE),
        shown,
        how,
    };
    check(&[
        case(
            "a closed shadow root beside a link",
            How::InPlace,
            "<link rel=stylesheet href=a.css><h1 id=h>x</h1><div id=d></div><script>
             const root = d.attachShadow({mode: 'closed'})
             root.innerHTML = '<link rel=stylesheet href=a.css><h1>x</h1>'
             const inner = root.querySelector('h1')</script>",
            "colour(h) === 'rgb(255, 0, 0)' && colour(inner) === 'rgb(255, 0, 0)'",
            "colour(h) === 'rgb(0, 0, 255)' && colour(inner) === 'rgb(0, 0, 255)'",
        ),
        case(
            "an import that a script has put a rule into",
            How::Reload,
            "<link rel=stylesheet href=import.css><h1 id=h>x</h1><script>
             onload = () => document.styleSheets[0].cssRules[0].styleSheet.addRule('h1', 'width: 5px')</script>",
            "colour(h) === 'rgb(255, 0, 0)' && getComputedStyle(h).width === '5px'",
            "colour(h) === 'rgb(0, 0, 255)' && getComputedStyle(h).width === '5px'",
        ),
        case(
            "a shadow root that is made afterwards",
            How::InPlace,
            "<link rel=stylesheet href=a.css><h1 id=h>x</h1><div id=d></div><script>
             const later = () => {
                if (!d.shadowRoot) {
                    d.attachShadow({mode: 'open'}).innerHTML = '<link rel=stylesheet href=a.css><h1>x</h1>'
                }
                return colour(d.shadowRoot.querySelector('h1')) }</script>",
            "colour(h) === 'rgb(255, 0, 0)'",
            "colour(h) === 'rgb(0, 0, 255)' && later() === 'rgb(0, 0, 255)'",
        ),
        case(
            "a frame that a script has filled",
            How::InPlace,
            "<iframe id=f srcdoc='<link rel=stylesheet href=a.css><h1>x</h1>'></iframe><script>
             const inner = () => colour(f.contentDocument.querySelector('h1'))</script>",
            "inner() === 'rgb(255, 0, 0)'",
            "inner() === 'rgb(0, 0, 255)'",
        ),
        case(
            "asked for under another query in a frame, and beside it",
            How::InPlace,
            "<link rel=stylesheet href='a.css?v=2'><h1 id=h>x</h1>
             <iframe id=f srcdoc='<style>@import \"import.css\";</style><h1>x</h1>'></iframe><script>
             const inner = () => colour(f.contentDocument.querySelector('h1'))</script>",
            "inner() === 'rgb(255, 0, 0)' && colour(h) === 'rgb(255, 0, 0)'",
            "inner() === 'rgb(0, 0, 255)' && colour(h) === 'rgb(0, 0, 255)'",
        ),
    ]);
}

#[test]
fn an_import_that_is_being_loaded_at_the_save_is_not_forgotten() {
    let site = Site::serve(&[
        (
            "index.html",
            &page_with("<link rel=stylesheet href=a.css>", "<h1>x</h1>"),
        ),
        ("a.css", "@import 'b.css';"),
        ("b.css", RED),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    let patterns =
        serde_json::json!({"patterns": [{"urlPattern": "*b.css", "requestStage": "Response"}]});
    tab.call("Fetch.enable", patterns);
    tab.send("Page.navigate", serde_json::json!({"url": site.url("/")}));
    // The server has read the file, and the page does not have it yet.
    let request = tab.event("Fetch.requestPaused")["requestId"].clone();
    site.save("b.css", BLUE);
    let line = site.line("change");
    assert_eq!(line["changes"][0]["path"], "/b.css", "{line}");
    tab.call("Fetch.disable", serde_json::json!({}));
    let _ = request;
    colour(&mut tab, "rgb(0, 0, 255)");
}

fn colour(tab: &mut Page, colour: &str) {
    tab.until(&format!(
        "getComputedStyle(document.querySelector('h1')).color === '{colour}'"
    ));
}
