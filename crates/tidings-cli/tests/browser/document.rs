//! The script is in, and the document is otherwise the one on disk.

use crate::site::{page, page_with};
use crate::{Browser, Site};

/// Documents of every odd shape. None changes itself, so what the parser makes of it can be compared.
const ODD: &[&str] = &[
    "<!doctype html><html><head><title>x</title></head><body><p>x</p></body></html>",
    "<!DOCTYPE html>\n<HTML LANG=en>\n<HEAD>\n<TITLE>x</TITLE>\n</HEAD>\n<BODY CLASS='a'>\nx\n</BODY>\n</HTML>\n",
    "<!doctype html>\n<title>no head tag</title>\n<p>x",
    "<!doctype html>\n<p>no head, no body",
    "no tags at all",
    "\n\n   leading space\n",
    "<p>quirks: no doctype",
    "<!-- before --><!doctype html><!-- after --><html><!-- in html --><head><!-- in head --></head><body></body></html>",
    "<!doctype html><!-- <head></head></body> --><title>comment with tags</title>",
    "<!doctype html><html><head><script>var s = '</bo' + 'dy><head>'</script></head><body>x</body></html>",
    "<!doctype html><html><body><script>'<head>'</script>x</body></html>",
    "<!doctype html><html><head></head><frameset cols='50%,50%'><frame><frame></frameset></html>",
    "<html><frameset cols='50%,50%'><frame><frame></frameset></html>",
    "<!doctype html>\u{a0}text that only looks blank",
    "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01 Transitional//EN\" \"http://www.w3.org/TR/html4/loose.dtd\"><html><head></head><body>limited quirks</body></html>",
    "<!DOCTYPE html PUBLIC \"-//W3C//DTD HTML 3.2//EN\"><html><body>quirks</body></html>",
    "<!doctype html><html><head><meta charset=utf-8><title>é 雪</title></head><body>é 雪</body></html>",
    "\u{feff}<!doctype html><title>byte order mark</title>",
    "<!doctype html><svg><title>x</title></svg>",
    "<!doctype html><table><tr><td>x",
    "<!doctype html><html><head><noscript><link></noscript></head><body>x",
    "<!doctype html></head><p>stray end tag",
    "<?xml version='1.0'?><!DOCTYPE html><html xmlns='http://www.w3.org/1999/xhtml'><head><title>x</title></head><body></body></html>",
    "<!doctype html><body>half a page <b",
    "<!doctype html><base href='/elsewhere/'><p>x",
];

/// What is different in the page from this document, apart from the script.
fn difference(text: &str) -> String {
    let raw = serde_json::to_string(text.trim_start_matches('\u{feff}')).unwrap();
    format!(
        "(() => {{
            const scripts = document.querySelectorAll('script[data-cursor]')
            if (scripts.length !== 1) return `${{scripts.length}} scripts`
            const [{{parentNode, nextSibling}}] = scripts
            scripts[0].remove()
            const disk = new DOMParser().parseFromString({raw}, 'text/html')
            const nodes = d => [...d.childNodes].map(c => c.outerHTML ?? c.nodeType + c.nodeValue).join('|')
            const shown = nodes(document)
            // It has run already, and does not run again.
            parentNode.insertBefore(scripts[0], nextSibling)
            if (document.compatMode !== disk.compatMode) return 'mode ' + document.compatMode
            return shown === nodes(disk) ? '' : shown + '\\n--- disk:\\n' + nodes(disk)
        }})()"
    )
}

#[test]
fn the_dom_is_the_one_on_disk_apart_from_the_script() {
    let site = Site::serve(&[("index.html", "")]);
    for (n, odd) in ODD.iter().enumerate() {
        site.save(&format!("odd/{n}.html"), odd);
    }
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    for (n, odd) in ODD.iter().enumerate() {
        tab.go(&site.url(&format!("/odd/{n}.html")));
        let difference = tab.eval(&difference(odd));
        assert_eq!(difference, "", "document {n}: {odd}");
    }
}

/// In place where it can be, and else by a reload: what counts is what is shown.
#[test]
fn every_odd_document_is_shown_when_it_is_saved() {
    let site = Site::serve(&[("index.html", "")]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    for (n, odd) in ODD.iter().enumerate() {
        site.save("index.html", odd);
        tab.until(&format!(
            "/* {n} */ document.readyState === 'complete' && {} === ''",
            difference(odd)
        ));
        let text = page(&n.to_string());
        site.save("index.html", &text);
        tab.until(&format!(
            "/* after {n} */ document.readyState === 'complete' && {} === ''",
            difference(&text)
        ));
    }
}

#[test]
fn other_encodings_are_shown_as_before() {
    let site = Site::serve(&[("index.html", "")]);
    site.save(
        "latin.html",
        b"<!doctype html><meta charset=windows-1252><p id=p>caf\xe9 \x80</p>",
    );
    site.save(
        "sjis.html",
        b"<!doctype html><meta charset=shift_jis><p id=p>\x93\xfa\x96\x7b</p>",
    );
    let mut late = b"<!doctype html><!--".to_vec();
    late.resize(960, b'x');
    late.extend_from_slice(b"--><meta charset=windows-1252><p id=p>caf\xe9</p>");
    site.save("late.html", late);
    let mut browser = Browser::start();
    let mut tab = browser.blank();
    for (path, text) in [
        ("/latin.html", "café €"),
        ("/sjis.html", "日本"),
        ("/late.html", "café"),
    ] {
        tab.go(&site.url(path));
        assert_eq!(tab.eval("p.textContent"), text, "{path}");
        assert_eq!(
            tab.eval("document.querySelectorAll('script[data-cursor]').length"),
            1
        );
    }
}

#[test]
fn what_a_script_fetches_is_the_file() {
    let text = "<p>a fragment</p>";
    let site = Site::serve(&[("index.html", &page("x")), ("part.html", text)]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    assert_eq!(tab.eval("fetch('/part.html').then(r => r.text())"), text);
    assert_eq!(
        tab.eval(
            "new Promise(done => { const x = new XMLHttpRequest(); x.open('GET', '/part'); \
             x.onload = () => done(x.responseText); x.send() })"
        ),
        text
    );
}

#[test]
fn a_policy_in_the_page_does_not_stop_it() {
    let strict = |policy: &str, text: &str| {
        page_with(
            &format!("<meta http-equiv=Content-Security-Policy content=\"{policy}\">"),
            text,
        )
    };
    let mut browser = Browser::start();
    for policy in [
        "default-src 'self'",
        "default-src 'none'",
        "default-src 'none'; script-src 'self'",
    ] {
        let site = Site::serve(&[("index.html", &strict(policy, "one"))]);
        let mut tab = browser.open(&site.url("/"));
        site.save("index.html", strict(policy, "two"));
        tab.until_text("two");
        site.save("index.html", strict(policy, "three"));
        tab.until_text("three");
    }
}

#[test]
fn a_policy_that_forbids_connecting_still_lets_a_page_come_back() {
    let strict = |text: &str| {
        page_with(
            "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; script-src 'self'\">",
            text,
        )
    };
    let mut site = Site::serve(&[("index.html", &strict("one"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    site.stop();
    site.start(&[]);
    site.save("index.html", strict("two"));
    tab.until_text("two");
}

#[test]
fn the_script_leaves_nothing_in_the_page() {
    let site = Site::serve(&[("index.html", &page("x")), ("plain.txt", "x")]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/plain.txt"));
    let before = tab.eval("Object.keys(window).sort().join()");
    tab.go(&site.url("/"));
    assert_eq!(tab.eval("Object.keys(window).sort().join()"), before);
    assert_eq!(tab.eval("document.querySelectorAll('script').length"), 1);
}
