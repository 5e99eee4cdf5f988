//! In place: style sheets and images, with the page's state kept.

use crate::site::{COUNT_LOADS, page, page_with};
use crate::{Browser, Page, Site};

/// Records every colour that the element shows, frame by frame.
const RECORD: &str = "window.shown = []; (function look() { \
    const c = getComputedStyle(document.querySelector('h1')).color; \
    if (shown.at(-1) !== c) shown.push(c); requestAnimationFrame(look) })()";

fn colour(tab: &mut Page, colour: &str) {
    tab.until(&format!(
        "getComputedStyle(document.querySelector('h1')).color === {colour:?}"
    ));
}

const RED: &str = "rgb(255, 0, 0)";
const BLUE: &str = "rgb(0, 0, 255)";
const GREEN: &str = "rgb(0, 128, 0)";

#[test]
fn a_style_sheet_is_swapped_without_a_flash_and_the_state_stays() {
    let site = Site::serve(&[
        (
            "index.html",
            &page_with("<link rel=stylesheet href=css/a.css>", "<h1>x</h1><input>"),
        ),
        ("css/a.css", "h1 { color: red }"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    colour(&mut tab, RED);
    tab.mark();
    tab.eval("document.querySelector('input').value = 'typed'");
    tab.eval(RECORD);
    site.save("css/a.css", "h1 { color: blue }");
    colour(&mut tab, BLUE);
    site.save_by_rename("css/a.css", "h1 { color: green }");
    colour(&mut tab, GREEN);
    tab.until("document.querySelectorAll('link').length === 1");
    tab.until(&format!("shown.at(-1) === '{GREEN}'"));
    assert!(tab.is_same());
    assert_eq!(tab.eval("document.querySelector('input').value"), "typed");
    assert_eq!(
        tab.eval("shown.join('; ')"),
        format!("{RED}; {BLUE}; {GREEN}"),
        "no frame without a style"
    );
}

#[test]
fn an_imported_sheet_is_swapped_with_the_one_that_imports_it() {
    let site = Site::serve(&[
        (
            "index.html",
            &page_with("<link rel=stylesheet href=css/a.css>", "<h1>x</h1>"),
        ),
        ("css/a.css", "@import 'deep/b.css';"),
        ("css/deep/b.css", "@import url(c.css);"),
        ("css/deep/c.css", "h1 { color: red }"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    colour(&mut tab, RED);
    tab.mark();
    tab.eval(RECORD);
    for (css, shown) in [("blue", BLUE), ("green", GREEN), ("red", RED)] {
        site.save("css/deep/c.css", format!("h1 {{ color: {css} }}"));
        colour(&mut tab, shown);
        tab.until(&format!("shown.at(-1) === '{shown}'"));
    }
    assert!(tab.is_same());
    assert_eq!(
        tab.eval("shown.join('; ')"),
        format!("{RED}; {BLUE}; {GREEN}; {RED}")
    );
}

#[test]
fn a_sheet_imported_by_a_style_element_is_swapped() {
    let site = Site::serve(&[
        (
            "index.html",
            &page_with("<style>@import '/b.css';</style>", "<h1>x</h1>"),
        ),
        ("b.css", "h1 { color: red }"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    colour(&mut tab, RED);
    tab.mark();
    site.save("b.css", "h1 { color: blue }");
    colour(&mut tab, BLUE);
    assert!(tab.is_same());
}

#[test]
fn the_last_of_many_quick_saves_wins() {
    let site = Site::serve(&[
        (
            "index.html",
            &page_with("<link rel=stylesheet href=a.css>", "<h1>x</h1>"),
        ),
        ("a.css", "h1 { color: red }"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.mark();
    for n in 0..50 {
        site.save("a.css", format!("h1 {{ color: rgb({n}, 0, 0) }}"));
        std::thread::sleep(std::time::Duration::from_millis(n % 7));
    }
    colour(&mut tab, "rgb(49, 0, 0)");
    tab.until("document.querySelectorAll('link').length === 1");
    colour(&mut tab, "rgb(49, 0, 0)");
    assert!(tab.is_same());
}

fn svg(width: u32) -> String {
    format!("<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='10'/>")
}

#[test]
fn images_are_swapped_wherever_they_stand() {
    let body = "<img id=a src=i/a.svg><picture><source srcset='i/a.svg 1x'><img id=b></picture>\
        <div id=c style='background: url(i/a.svg)'></div><div id=d class=bg></div>";
    let site = Site::serve(&[
        (
            "index.html",
            &page_with("<link rel=stylesheet href=css/a.css>", body),
        ),
        ("css/a.css", ".bg { background-image: url('../i/a.svg') }"),
        ("i/a.svg", &svg(10)),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until("a.naturalWidth === 10 && b.naturalWidth === 10");
    let backgrounds = "[c, d].map(e => getComputedStyle(e).backgroundImage).join()";
    let before = tab.eval(backgrounds);
    tab.mark();
    site.save("i/a.svg", svg(20));
    tab.until("a.naturalWidth === 20 && b.naturalWidth === 20");
    tab.until(&format!("{backgrounds} !== {before}"));
    tab.until(&format!("{backgrounds}.split('tidings=').length === 3"));
    assert!(tab.is_same());
    site.save("i/a.svg", svg(30));
    tab.until("a.naturalWidth === 30 && b.naturalWidth === 30");
    assert!(tab.is_same());
}

#[test]
fn style_and_page_saved_together_are_one_reload() {
    let index = |text: &str| {
        page_with(
            &format!("{COUNT_LOADS}<link rel=stylesheet href=a.css>"),
            &format!("<h1>{text}</h1>"),
        )
    };
    let site = Site::serve(&[
        ("index.html", &index("one")),
        ("a.css", "h1 { color: red }"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    site.save("a.css", "h1 { color: blue }");
    site.save("index.html", index("two"));
    tab.until_text("two");
    colour(&mut tab, BLUE);
    // A later save shows that all before it has been heard.
    tab.mark();
    site.save("a.css", "h1 { color: green }");
    colour(&mut tab, GREEN);
    assert!(tab.is_same());
    assert_eq!(tab.eval("Number(sessionStorage.loads)"), 2);
}

#[test]
fn a_removed_sheet_is_gone_and_back_again() {
    let site = Site::serve(&[
        (
            "index.html",
            &page_with("<link rel=stylesheet href=a.css>", "<h1>x</h1>"),
        ),
        ("a.css", "h1 { color: red }"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    colour(&mut tab, RED);
    site.remove("a.css");
    colour(&mut tab, "rgb(0, 0, 0)");
    site.save("a.css", "h1 { color: blue }");
    colour(&mut tab, BLUE);
}

#[test]
fn a_page_without_the_sheet_is_left_alone() {
    let site = Site::serve(&[
        ("index.html", &page("x")),
        ("a.css", "h1 {}"),
        ("end.html", &page("1")),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    let mut end = browser.open(&site.url("/end.html"));
    tab.mark();
    site.save("a.css", "h1 { color: red }");
    site.save("end.html", page("2"));
    end.until_text("2");
    assert!(tab.is_same());
}
