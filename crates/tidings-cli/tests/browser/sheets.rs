//! A style sheet is saved: every use of it in the page is shown anew, and the sheet stays what it was.

use serde_json::json;

use crate::case::{Case, How, check};
use crate::site::page_with;
use crate::{Browser, Page, Site};

const RED: &str = "h1 { color: red }";
const BLUE: &str = "h1 { color: blue }";

/// A page that uses `a.css`, with a heading in it that becomes blue.
const fn case(
    name: &'static str,
    how: How,
    html: &'static str,
    ready: &'static str,
    shown: &'static str,
) -> Case {
    Case {
        name,
        files: &[
            ("a.css", RED),
            ("import.css", "@import 'a.css';"),
            ("order.css", "h1 { color: lime }"),
        ],
        html,
        ready,
        save: ("a.css", BLUE),
        shown,
        how,
    }
}

const IS_RED: &str = "colour(h) === 'rgb(255, 0, 0)'";
const IS_BLUE: &str = "colour(h) === 'rgb(0, 0, 255)'";
/// The sheet has changed, or will be new when it is loaded, and does not show.
const HAS_CHANGED_AND_BLACK: &str = "(l.sheet?.cssRules[0].cssText.includes('blue') \
    || l.href.includes('tidings=')) \
    && document.querySelectorAll('link').length === 1 && colour(h) === 'rgb(0, 0, 0)'";

#[test]
fn all_uses_of_a_sheet_are_shown_in_place() {
    use How::InPlace;
    check(&[
        case(
            "two links",
            InPlace,
            "<link rel=stylesheet href=a.css><link rel=stylesheet href='a.css?v=2'><h1 id=h>x</h1>",
            IS_RED,
            IS_BLUE,
        ),
        case(
            "in a shadow root and beside it",
            InPlace,
            "<link rel=stylesheet href=a.css><h1 id=h>x</h1><div id=d></div><script>
             d.attachShadow({mode: 'open'}).innerHTML = '<link rel=stylesheet href=a.css><h1>x</h1>'
             const inner = d.shadowRoot.querySelector('h1')</script>",
            "colour(h) === 'rgb(255, 0, 0)' && colour(inner) === 'rgb(255, 0, 0)'",
            "colour(h) === 'rgb(0, 0, 255)' && colour(inner) === 'rgb(0, 0, 255)'",
        ),
        case(
            "imported in a shadow root",
            InPlace,
            "<div id=d></div><script>
             d.attachShadow({mode: 'open'}).innerHTML = '<style>@import \"import.css\";</style><h1>x</h1>'
             const h = d.shadowRoot.querySelector('h1')</script>",
            IS_RED,
            IS_BLUE,
        ),
        case(
            "preloaded, then used",
            InPlace,
            "<link rel=preload as=style href=a.css onload='this.onload = null; this.rel = \"stylesheet\"'>\
             <h1 id=h>x</h1>",
            IS_RED,
            IS_BLUE,
        ),
        case(
            "under a policy with a nonce",
            InPlace,
            "<meta http-equiv=Content-Security-Policy content=\"style-src 'nonce-abc'\">\
             <link rel=stylesheet nonce=abc href=a.css><h1 id=h>x</h1>",
            IS_RED,
            IS_BLUE,
        ),
        case(
            "imported, under a policy that forbids to connect",
            InPlace,
            "<meta http-equiv=Content-Security-Policy content=\"connect-src 'none'\">\
             <link rel=stylesheet href=import.css><h1 id=h>x</h1>",
            IS_RED,
            IS_BLUE,
        ),
        case(
            "imported by a style element that a script has put rules into",
            InPlace,
            "<style>@import 'a.css';</style><h1 id=h>x</h1><script>
             document.styleSheets[0].insertRule('h1 { width: 5px }', 1)</script>",
            IS_RED,
            "colour(h) === 'rgb(0, 0, 255)' && getComputedStyle(h).width === '5px'",
        ),
        case(
            "asked for with CORS",
            InPlace,
            "<link rel=stylesheet crossorigin href=a.css><h1 id=h>x</h1>",
            IS_RED,
            IS_BLUE,
        ),
    ]);
}

#[test]
fn where_a_swap_would_not_reach_all_users_the_page_reloads() {
    use How::Reload;
    check(&[
        case(
            "a CSS module script beside a link",
            Reload,
            "<link rel=stylesheet href=a.css><h1 id=h>x</h1><script type=module>
             import sheet from './a.css' with {type: 'css'}
             document.adoptedStyleSheets.push(sheet)
             window.loaded = true</script>",
            "window.loaded && colour(h) === 'rgb(255, 0, 0)'",
            "window.loaded && colour(h) === 'rgb(0, 0, 255)'",
        ),
        case(
            "text that a script has fetched, beside a link",
            Reload,
            "<link rel=stylesheet href=a.css><h1 id=h>x</h1><script type=module>
             const made = new CSSStyleSheet()
             made.replaceSync(await (await fetch('a.css')).text())
             document.adoptedStyleSheets.push(made)
             window.loaded = true</script>",
            "window.loaded && colour(h) === 'rgb(255, 0, 0)'",
            "window.loaded && colour(h) === 'rgb(0, 0, 255)'",
        ),
        case(
            "a sheet that a script has put rules into",
            Reload,
            "<link rel=stylesheet href=a.css><h1 id=h>x</h1><script>
             onload = () => document.styleSheets[0].insertRule('h1 { width: 5px }', 1)</script>",
            "colour(h) === 'rgb(255, 0, 0)' && getComputedStyle(h).width === '5px'",
            "colour(h) === 'rgb(0, 0, 255)' && getComputedStyle(h).width === '5px'",
        ),
        case(
            "with a hash that does not fit any more",
            Reload,
            "<link rel=stylesheet href=a.css \
             integrity='sha256-tTSm1OckW5h6W6ygQhQ4J51f9En6kC/x9O18pXFX6KM='><h1 id=h>x</h1>",
            IS_RED,
            "document.readyState === 'complete' && colour(h) === 'rgb(0, 0, 0)'",
        ),
        Case {
            files: &[
                ("a.css", "rect { fill: red }"),
                (
                    "x.svg",
                    "<?xml-stylesheet href='a.css'?><svg xmlns='http://www.w3.org/2000/svg'><rect/></svg>",
                ),
            ],
            save: ("a.css", "rect { fill: blue }"),
            ..case(
                "an SVG image in an object",
                Reload,
                "<object id=o data=x.svg></object><script>const fill = () => {
                    const rect = o.contentDocument?.querySelector('rect')
                    return rect && o.contentWindow.getComputedStyle(rect).fill }</script>",
                "fill() === 'rgb(255, 0, 0)'",
                "fill() === 'rgb(0, 0, 255)'",
            )
        },
    ]);
}

#[test]
fn a_sheet_stays_what_it_was() {
    use How::InPlace;
    check(&[
        case(
            "disabled by its attribute",
            InPlace,
            "<link id=l rel=stylesheet href=a.css disabled><h1 id=h>x</h1>",
            "document.readyState === 'complete'",
            HAS_CHANGED_AND_BLACK,
        ),
        case(
            "disabled by a script",
            InPlace,
            "<link id=l rel=stylesheet href=a.css><h1 id=h>x</h1><script>l.disabled = true</script>",
            "document.readyState === 'complete' && colour(h) === 'rgb(0, 0, 0)'",
            HAS_CHANGED_AND_BLACK,
        ),
        case(
            "disabled as a sheet",
            InPlace,
            "<link id=l rel=stylesheet href=a.css><h1 id=h>x</h1><script>
             onload = () => l.sheet.disabled = true</script>",
            "l.sheet?.disabled === true && colour(h) === 'rgb(0, 0, 0)'",
            HAS_CHANGED_AND_BLACK,
        ),
        case(
            "for print",
            InPlace,
            "<link id=l rel=stylesheet href=a.css media=print><h1 id=h>x</h1>",
            "l.sheet?.cssRules.length === 1",
            "l.sheet?.cssRules[0].cssText.includes('blue') && l.media === 'print' && colour(h) === 'rgb(0, 0, 0)' \
             && document.querySelectorAll('link').length === 1",
        ),
        case(
            "for another medium, by a script",
            InPlace,
            "<link id=l rel=stylesheet href=a.css><h1 id=h>x</h1><script>
             onload = () => l.sheet.media.mediaText = 'print'</script>",
            "l.sheet?.media.mediaText === 'print' && colour(h) === 'rgb(0, 0, 0)'",
            "l.sheet?.cssRules[0].cssText.includes('blue') && l.sheet.media.mediaText === 'print' \
             && document.querySelectorAll('link').length === 1 && colour(h) === 'rgb(0, 0, 0)'",
        ),
        case(
            "an alternate one that was not chosen",
            InPlace,
            "<link rel=stylesheet title=main href=order.css>\
             <link id=l rel='alternate stylesheet' title=other href=a.css><h1 id=h>x</h1>",
            "colour(h) === 'rgb(0, 255, 0)' && l.sheet !== null",
            "l.sheet?.cssRules[0].cssText.includes('blue') \
             && colour(h) === 'rgb(0, 255, 0)'",
        ),
        case(
            "an alternate one that was chosen",
            InPlace,
            "<link id=m rel=stylesheet title=main href=order.css>\
             <link id=l rel='alternate stylesheet' title=other href=a.css><h1 id=h>x</h1><script>
             onload = () => { m.disabled = true; l.disabled = true; l.disabled = false }</script>",
            IS_RED,
            IS_BLUE,
        ),
        case(
            "before another one",
            InPlace,
            "<link id=l rel=stylesheet href=a.css><link rel=stylesheet href=order.css><h1 id=h>x</h1>",
            "colour(h) === 'rgb(0, 255, 0)'",
            "document.querySelectorAll('link').length === 2 \
             && l.sheet?.cssRules[0].cssText.includes('blue') && colour(h) === 'rgb(0, 255, 0)'",
        ),
        Case {
            files: &[
                ("a.css", "@layer low { h1 { color: red } }"),
                ("order.css", "@layer high { h1 { color: lime } }"),
            ],
            save: ("a.css", "@layer low { h1 { color: blue } }"),
            ..case(
                "in a layer below",
                InPlace,
                "<link id=l rel=stylesheet href=a.css><link rel=stylesheet href=order.css><h1 id=h>x</h1>",
                "colour(h) === 'rgb(0, 255, 0)'",
                "document.querySelectorAll('link').length === 2 \
                 && l.sheet?.cssRules[0].cssText.includes('blue') && colour(h) === 'rgb(0, 255, 0)'",
            )
        },
        case(
            "an element that a script keeps",
            InPlace,
            "<link id=l rel=stylesheet href=a.css><h1 id=h>x</h1><script>const kept = l</script>",
            IS_RED,
            "colour(h) === 'rgb(0, 0, 255)' && document.querySelectorAll('link').length === 1 \
             && kept.isConnected && kept.sheet?.cssRules[0].cssText.includes('blue') && l === kept",
        ),
    ]);
}

#[test]
fn a_disabled_sheet_does_not_hold_up_the_next_one() {
    let site = Site::serve(&[
        (
            "index.html",
            &page_with(
                "<link rel=stylesheet href=a.css disabled><link rel=stylesheet href=b.css>",
                "<h1>x</h1>",
            ),
        ),
        ("a.css", RED),
        ("b.css", RED),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    // Without a way to give up, to wait for what never comes would be to wait for ever.
    tab.call(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({"source": "const set = setTimeout; window.setTimeout = (f, ms) => ms >= 3000 ? 0 : set(f, ms)"}),
    );
    tab.go(&site.url("/"));
    tab.mark();
    site.save("a.css", BLUE);
    tab.until("document.querySelector('link').href.includes('tidings=')");
    site.save("b.css", BLUE);
    heading(&mut tab, "rgb(0, 0, 255)");
    assert!(tab.is_same());
}

#[test]
fn no_frame_shows_half_a_sheet() {
    check_each_frame("");
}

#[test]
fn no_frame_shows_half_a_large_sheet_which_is_requested() {
    check_each_frame(&large());
}

/// What makes a sheet too large for the event.
fn large() -> String {
    format!("/*{}*/", "-".repeat(70_000))
}

/// Saves sheets of several kinds, and looks at each frame. `end` is at the end of each.
fn check_each_frame(end: &str) {
    let site = Site::serve(&[
        (
            "index.html",
            &page_with(
                "<link rel=stylesheet href=a.css><style>@import 'c.css';</style>
                 <link rel=stylesheet title=main href=none.css>
                 <link id=chosen rel='alternate stylesheet' title=other href=d.css>",
                "<h1>x</h1>",
            ),
        ),
        ("none.css", ""),
        ("d.css", "@import 'e.css'; h1 { text-indent: 1px }"),
        ("e.css", "h1 { letter-spacing: 1px }"),
        ("a.css", "@import 'b.css'; h1 { color: rgb(1, 0, 0) }"),
        (
            "b.css",
            "h1 { background: rgb(1, 0, 0); outline-color: rgb(9, 9, 9) }",
        ),
        ("c.css", "h1 { border-color: rgb(1, 0, 0) }"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    heading(&mut tab, "rgb(1, 0, 0)");
    tab.eval("chosen.disabled = true; chosen.disabled = false");
    tab.until("getComputedStyle(document.querySelector('h1')).textIndent === '1px'");
    tab.mark();
    tab.eval(
        "window.shown = []; (function look() {
            const style = getComputedStyle(document.querySelector('h1'))
            const now = [style.color, style.backgroundColor, style.borderTopColor,
                style.textIndent, style.letterSpacing].join(' ')
            if (shown.at(-1) !== now) shown.push(now)
            requestAnimationFrame(look) })()",
    );
    for n in 2..5 {
        site.save(
            "a.css",
            format!("@import 'b.css'; h1 {{ color: rgb({n}, 0, 0) }}{end}"),
        );
        heading(&mut tab, &format!("rgb({n}, 0, 0)"));
        site.save(
            "c.css",
            format!("h1 {{ border-color: rgb({n}, 0, 0) }}{end}"),
        );
        tab.until(&format!(
            "shown.at(-1).includes('rgb({n}, 0, 0) {}px')",
            n - 1
        ));
        site.save(
            "d.css",
            format!("@import 'e.css'; h1 {{ text-indent: {n}px }}{end}"),
        );
        tab.until(&format!("shown.at(-1).endsWith('{n}px 1px')"));
    }
    tab.until("document.querySelectorAll('link, style').length === 4");
    let mut expected = vec![one(1, 1, 1)];
    for n in 2..5 {
        expected.extend([one(n, n - 1, n - 1), one(n, n, n - 1), one(n, n, n)]);
    }
    assert_eq!(tab.eval("shown.join('; ')"), expected.join("; "));
    assert!(tab.is_same());
}

#[test]
fn an_import_that_is_read_while_it_is_written_does_not_flash() {
    let site = Site::serve(&[
        (
            "index.html",
            &page_with("<link rel=stylesheet href=a.css>", "<h1>x</h1>"),
        ),
        ("a.css", "@import 'b.css';"),
        ("b.css", RED),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    heading(&mut tab, "rgb(255, 0, 0)");
    tab.mark();
    tab.eval(
        "window.shown = []; (function look() {
            const colour = getComputedStyle(document.querySelector('h1')).color
            if (shown.at(-1) !== colour) shown.push(colour)
            requestAnimationFrame(look) })()",
    );
    tab.call(
        "Fetch.enable",
        json!({"patterns": [{"urlPattern": "*b.css*"}]}),
    );
    site.save("b.css", format!("{BLUE}{}", large()));
    // The cache is refreshed, then the copy asks, then the element, which finds nothing in it.
    for empty in [false, false, true, false] {
        let request = tab.event("Fetch.requestPaused")["requestId"].clone();
        match empty {
            false => tab.call("Fetch.continueRequest", json!({"requestId": request})),
            true => tab.call(
                "Fetch.fulfillRequest",
                json!({"requestId": request, "responseCode": 200, "responseHeaders": [
                    {"name": "content-type", "value": "text/css"},
                    {"name": "cache-control", "value": "no-cache"},
                ]}),
            ),
        };
    }
    tab.call("Fetch.disable", json!({}));
    heading(&mut tab, "rgb(0, 0, 255)");
    tab.until("document.querySelectorAll('link').length === 1");
    tab.until("shown.at(-1) === 'rgb(0, 0, 255)'");
    assert_eq!(
        tab.eval("shown.join('; ')"),
        "rgb(255, 0, 0); rgb(0, 0, 255)"
    );
    assert!(tab.is_same());
}

/// What is shown after this many saves of each.
fn one(a: u32, c: u32, d: u32) -> String {
    format!("rgb({a}, 0, 0) rgb(1, 0, 0) rgb({c}, 0, 0) {d}px 1px")
}

fn heading(tab: &mut Page, colour: &str) {
    tab.until(&format!(
        "getComputedStyle(document.querySelector('h1')).color === '{colour}'"
    ));
}
