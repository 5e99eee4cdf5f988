//! Places in files that a problem names: shown with their lines, and opened in the editor.

use serde_json::json;
use tidings::reload::{Excerpt, Place, Problem, ProblemKind};

use crate::backend::{Backend, problem};
use crate::overlay::{NOT_SHOWN, press, shows};
use crate::{Browser, Page};

const OVERLAY: &str = "document.querySelector('tidings-overlay').shadowRoot";

fn click(page: &mut Page, element: &str) {
    let place = page.eval(&format!(
        "(() => {{ const {{ x, y, width, height }} = ({element}).getBoundingClientRect(); return [x + width / 2, y + height / 2] }})()"
    ));
    for kind in ["mousePressed", "mouseReleased"] {
        page.call(
            "Input.dispatchMouseEvent",
            json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1}),
        );
    }
}

#[test]
fn the_lines_of_the_file_are_shown_and_places_open_in_the_editor() {
    let backend = Backend::start(&[("/", "<p>hello")]);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    let text = "at src/app.ts(3,5)\n  File \"/srv/\u{e9}.py\", line 7, in f\nsrc/\x1b[1mlib.rs\x1b[0m:2:1\n";
    let problem = problem(text);
    let place = problem.places().remove(0);
    let content = "one\n\t<b>two</b>\nthree\nfour\n";
    let problem = problem.with_excerpt(Excerpt::of(&place, content).unwrap());
    backend.reloader().set_problem(Some(problem)).unwrap();
    page.until(&format!(
        "{OVERLAY}.querySelector('figcaption')?.textContent === 'src/app.ts:3:5'"
    ));
    assert_eq!(
        page.eval(&format!(
            "{OVERLAY}.querySelector('figure pre').textContent"
        )),
        "    1  one\n    2  \t<b>two</b>\n    3  three\n    4  four\n"
    );
    assert_eq!(
        page.eval(&format!("{OVERLAY}.querySelector('mark').textContent")),
        "    3  three\n"
    );
    page.until(&format!("{OVERLAY}.activeElement !== null"));
    // The caption and the three places; the last one is in three pieces.
    click(
        &mut page,
        &format!("{OVERLAY}.querySelector('figcaption .link')"),
    );
    page.until(&format!(
        "{OVERLAY}.querySelector('#note').textContent === 'Opened in the editor.'"
    ));
    for n in [0, 1, 2, 3] {
        let before = backend.orders().len();
        page.eval(&format!(
            "{OVERLAY}.querySelectorAll('figure + pre .link')[{n}].click()"
        ));
        while backend.orders().len() == before {
            page.until("true");
        }
    }
    let order = |file, line, column| json!({"do": "open-in-editor", "file": file, "line": line, "column": column});
    assert_eq!(
        backend.orders(),
        [
            order("src/app.ts", 3, 5),
            order("src/app.ts", 3, 5),
            order("/srv/\u{e9}.py", 7, 1),
            order("src/lib.rs", 2, 1),
            order("src/lib.rs", 2, 1),
        ]
    );
    assert!(page.eval(&format!("{OVERLAY}.querySelector('h1').isConnected")) == true);
}

#[test]
fn places_are_reached_and_opened_with_the_keyboard() {
    let backend = Backend::start(&[("/", "<input id=i>")]);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    backend.fail("a.rs:1:2\nb.rs:3:4\n");
    page.until(&shows("b.rs"));
    page.until(&format!("{OVERLAY}.activeElement !== null"));
    let focused = format!("{OVERLAY}.activeElement.textContent.trim()");
    // From the button on: around, over the output.
    for expected in ["DismissEsc", "a.rs:1:2\nb.rs:3:4", "a.rs:1:2", "b.rs:3:4"] {
        press(&mut page, "Tab");
        assert_eq!(page.eval(&focused), expected);
    }
    press(&mut page, "Enter");
    page.until(&format!(
        "{OVERLAY}.querySelector('#note').textContent === 'Opened in the editor.'"
    ));
    assert_eq!(backend.orders()[0]["file"], "b.rs");
    press(&mut page, "Escape");
    page.until(NOT_SHOWN);
}

#[test]
fn a_policy_in_the_page_does_not_keep_the_overlay_away() {
    let policy = "default-src 'none'; script-src 'none'; connect-src 'none'; style-src 'none'";
    let meta = format!("<meta http-equiv=content-security-policy content=\"{policy}\"><p>hello");
    let backend = Backend::start(&[("/", &meta)]);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    backend.fail("a.rs:1:2");
    page.until(&shows("a.rs"));
    // The order goes by the worker.
    page.eval(&format!("{OVERLAY}.querySelector('.link').click()"));
    page.until(&format!(
        "{OVERLAY}.querySelector('#note').textContent === 'Opened in the editor.'"
    ));
}

#[test]
fn the_page_in_place_of_one_of_the_backend_opens_files_as_well() {
    let backend = Backend::start(&[("/", "<p>hello")]);
    let place = Problem::new(ProblemKind::BuildFailed, "", "src/main.rs:2:3")
        .places()
        .remove(0);
    let Place { file, .. } = &place;
    assert_eq!(file, "src/main.rs");
    let excerpt = Excerpt::of(&place, "one\n<i>two</i>\n").unwrap();
    backend
        .reloader()
        .set_problem(Some(problem("no place").with_excerpt(excerpt)))
        .unwrap();
    backend.set_away(true);
    let mut browser = Browser::start();
    let mut page = browser.open(&backend.url("/"));
    page.until("document.querySelector('mark')?.textContent === '    2  <i>two</i>'");
    page.until("document.querySelector('figcaption .link') !== null");
    click(&mut page, "document.querySelector('figcaption .link')");
    page.until("document.querySelector('.foot').textContent === 'Opened in the editor.'");
    assert_eq!(
        backend.orders(),
        [json!({"do": "open-in-editor", "file": "src/main.rs", "line": 2, "column": 3})]
    );
}
