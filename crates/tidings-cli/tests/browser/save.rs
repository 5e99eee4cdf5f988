//! A save, and the page shows it.

use crate::site::{COUNT_LOADS, page, page_with};
use crate::{Browser, Site};

#[test]
fn a_saved_page_is_shown() {
    let site = Site::serve(&[("index.html", &page("one"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until_text("one");
    site.save("index.html", page("two"));
    tab.until_text("two");
    site.save_by_rename("index.html", page("three"));
    tab.until_text("three");
}

#[test]
fn one_save_is_one_reload() {
    let body = |text: &str| page_with(COUNT_LOADS, text);
    let site = Site::serve(&[("index.html", &body("0"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    for n in 1..=5 {
        match n % 2 {
            0 => site.save("index.html", body(&n.to_string())),
            _ => site.save_by_rename("index.html", body(&n.to_string())),
        }
        tab.until_text(&n.to_string());
        // The stream is open again: the next save is heard live.
        tab.until("document.readyState === 'complete'");
    }
    assert_eq!(tab.eval("Number(sessionStorage.loads)"), 6);
}

#[test]
fn a_save_without_a_change_does_nothing() {
    let site = Site::serve(&[("index.html", &page("one")), ("b.html", &page("b"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    // The first save is told whatever it holds, if the watcher had not read the file yet.
    site.save("index.html", page("two"));
    tab.until_text("two");
    tab.mark();
    let mut other = browser.open(&site.url("/b.html"));
    for text in ["c", "d"] {
        site.save_by_rename("index.html", page("two"));
        // A later change of another page shows that all before it has been heard.
        site.save("b.html", page(text));
        other.until_text(text);
    }
    assert!(tab.is_same());
}

#[test]
fn only_the_page_that_is_concerned_reacts() {
    let site = Site::serve(&[
        ("a.html", &page_with("<script src=a.js></script>", "a")),
        ("b.html", &page("b")),
        ("a.js", "window.a = 1"),
        ("unused.js", "1"),
    ]);
    let mut browser = Browser::start();
    let mut a = browser.open(&site.url("/a"));
    let mut b = browser.open(&site.url("/b.html"));
    a.mark();
    b.mark();
    site.save("unused.js", "2");
    site.save("b.html", page("b2"));
    b.until_text("b2");
    assert!(a.is_same(), "neither file is part of a");
    b.mark();
    site.save("a.js", "window.a = 2");
    a.until("window.a === 2");
    assert!(b.is_same(), "a.js is not part of b");
}

#[test]
fn scripts_modules_and_fetched_files_are_part_of_a_page() {
    let site = Site::serve(&[
        (
            "index.html",
            &page_with(
                "<script type=module>import {v} from './m/entry.js'; window.v = v; \
                 window.d = await (await fetch('data.json')).json()</script>",
                "",
            ),
        ),
        ("m/entry.js", "export {v} from './inner.js'"),
        ("m/inner.js", "export const v = 1"),
        ("data.json", "1"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until("window.v === 1 && window.d === 1");
    site.save("m/inner.js", "export const v = 2");
    tab.until("window.v === 2 && window.d === 1");
    site.save("data.json", "2");
    tab.until("window.v === 2 && window.d === 2");
}

#[test]
fn a_404_heals_when_the_file_appears() {
    let site = Site::serve(&[("index.html", &page("home"))]);
    let mut browser = Browser::start();
    let mut clean = browser.open(&site.url("/later"));
    let mut nested = browser.open(&site.url("/new/folder/"));
    let mut other = browser.open(&site.url("/other"));
    clean.mark();
    site.save("other.html", page("other"));
    other.until_text("other");
    assert!(clean.is_same(), "another page has come");
    site.save("later.html", page("here"));
    clean.until_text("here");
    site.save("new/folder/index.html", page("deep"));
    nested.until_text("deep");
}

#[test]
fn a_sites_own_404_page_is_a_page_like_any_other() {
    let own = |text: &str| {
        page_with(
            "<link rel=stylesheet href=/e.css>",
            &format!("<h1>{text}</h1>"),
        )
    };
    let site = Site::serve(&[("404.html", &own("one")), ("e.css", "h1 { color: red }")]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/later"));
    tab.until_text("one");
    tab.mark();
    site.save("e.css", "h1 { color: blue }");
    tab.until("getComputedStyle(document.querySelector('h1')).color === 'rgb(0, 0, 255)'");
    assert!(tab.is_same());
    site.save("404.html", own("two"));
    tab.until_text("two");
    site.save("later.html", page("here"));
    tab.until_text("here");
}

#[test]
fn a_listing_shows_what_comes_and_goes() {
    let site = Site::serve(&[("docs/one.txt", "1"), ("docs/sub/x.txt", "x")]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/docs/"));
    let shows = |name: &str| format!("document.body.innerText.includes({name:?})");
    tab.until(&shows("one.txt"));
    site.save("docs/two & <three>.txt", "2");
    tab.until(&shows("two & <three>.txt"));
    site.remove("docs/one.txt");
    tab.until(&format!("!{}", shows("one.txt")));
    site.save("docs/index.html", page("index"));
    tab.until_text("index");
}

#[test]
fn scroll_is_kept() {
    let body = |text: &str| page(&format!("<div style='height: 9000px'>{text}</div>"));
    let site = Site::serve(&[("index.html", &body("one"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.eval("scrollTo(0, 4321)");
    tab.until("scrollY === 4321");
    site.save("index.html", body("two"));
    tab.until_text("two");
    tab.until("scrollY === 4321");
}

#[test]
fn a_watched_path_outside_reloads_every_page() {
    let outside = Site::new(&[("template.txt", "1")]);
    let mut site = Site::new(&[("index.html", &page_with(COUNT_LOADS, "x"))]);
    site.start(&["--watch", outside.root().to_str().unwrap()]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    outside.save("template.txt", "2");
    tab.until("Number(sessionStorage.loads) === 2");
}

#[test]
fn ignored_files_are_not_heard_of() {
    let mut site = Site::new(&[
        (
            "index.html",
            &page_with(
                "<script src=gen/x.js></script><script src=y.js></script>",
                "x",
            ),
        ),
        ("gen/x.js", "window.x = 1"),
        ("y.js", "window.y = 1"),
    ]);
    site.start(&["--ignore", "gen/"]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.mark();
    site.save("gen/x.js", "window.x = 2");
    let mut other = browser.open(&site.url("/none"));
    site.save("none.html", page("there"));
    other.until_text("there");
    assert!(tab.is_same());
    site.save("y.js", "window.y = 2");
    tab.until("window.y === 2 && window.x === 2");
}

/// Each request for what is missing was told as a change, which reloaded the page, which asked again.
#[test]
fn a_page_whose_script_is_not_built_yet_does_not_reload_for_ever() {
    let body = |n: u32| {
        page_with(
            &format!("{COUNT_LOADS}<script src=app.js></script>"),
            &n.to_string(),
        )
    };
    let site = Site::new(&[("index.html", &body(0)), ("other.html", &page("0"))]);
    std::os::unix::fs::symlink("build/app.js", site.path("app.js")).unwrap();
    let mut site = site;
    site.start(&[]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    let mut other = browser.open(&site.url("/other.html"));
    for n in 1..=3 {
        // What is told to the other page was told after all that the requests of this one did.
        site.save("other.html", page(&n.to_string()));
        other.until_text(&n.to_string());
    }
    assert_eq!(tab.eval("Number(sessionStorage.loads)"), 1);
    site.save("build/app.js", "window.v = 1");
    tab.until("window.v === 1");
    assert_eq!(tab.eval("Number(sessionStorage.loads)"), 2);
}

/// A generator or editor that empties a file, thinks, and writes it then.
#[test]
fn a_style_sheet_that_is_emptied_and_written_later_never_leaves_the_page_bare() {
    let css = |n: u32| format!("h1 {{ width: {n}px }}");
    let html = page_with("<link rel=stylesheet href=a.css>", "<h1>h</h1>");
    let site = Site::serve(&[("index.html", &html), ("a.css", &css(100))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until("document.readyState === 'complete'");
    tab.eval(
        "window.seen = []; \
         const look = () => { \
           seen.push(getComputedStyle(document.querySelector('h1')).width); \
           requestAnimationFrame(look) \
         }; \
         look()",
    );
    for n in [200, 300] {
        let mut file = std::fs::File::create(site.path("a.css")).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(400));
        std::io::Write::write_all(&mut file, css(n).as_bytes()).unwrap();
        drop(file);
        tab.until(&format!("seen.at(-1) === '{n}px'"));
    }
    assert_eq!(tab.eval("[...new Set(seen)].join()"), "100px,200px,300px");
}
