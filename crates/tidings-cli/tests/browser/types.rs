//! What the browser takes a file for: its charset, its coding, its type.

use std::process::{Command, Stdio};

use crate::site::page;
use crate::{Browser, Site};

/// \u{65e5}\u{672c}, "Japan", in Shift_JIS.
const SJIS: &[u8] = b"\x93\xfa\x96\x7b";

#[test]
fn scripts_and_sheets_are_read_in_the_encoding_of_their_page() {
    let site = Site::serve(&[("utf8.js", "window.utf8 = '日本'")]);
    let written = |before: &str, after: &str| [before.as_bytes(), SJIS, after.as_bytes()].concat();
    site.save("sjis.js", written("window.sjis = '", "'"));
    site.save("sjis.css", written("#a::before { content: '", "' }"));
    site.save(
        "own.css",
        written("@charset \"shift_jis\"; #b::before { content: '", "' }"),
    );
    let large = written(
        &format!("/*{}*/ window.large = '", "x".repeat(300_000)),
        "'",
    );
    site.save("large.js", large);
    let uses = "<link rel=stylesheet href=/sjis.css><link rel=stylesheet href=/own.css>
        <script src=/sjis.js></script><script src=/large.js></script>
        <script src=/utf8.js charset=utf-8></script><p id=a><p id=b>";
    site.save(
        "index.html",
        format!("<!doctype html><meta charset=shift_jis>{uses}"),
    );
    site.save(
        "utf8.html",
        page("<meta charset=utf-8><link rel=stylesheet href=/own.css><p id=b>"),
    );
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    for (expression, expected) in [
        ("sjis", "日本"),
        ("large", "日本"),
        ("utf8", "日本"),
        ("getComputedStyle(a, '::before').content", "\"日本\""),
        ("getComputedStyle(b, '::before').content", "\"日本\""),
    ] {
        assert_eq!(tab.eval(expression), expected, "{expression}");
    }
    tab.go(&site.url("/utf8.html"));
    assert_eq!(
        tab.eval("getComputedStyle(b, '::before').content"),
        "\"日本\""
    );
}

#[test]
fn what_is_stored_compressed_is_used_and_archives_are_left_as_they_are() {
    let site = Site::serve(&[
        ("plain.js", "window.ran = true"),
        (
            "image.svg",
            "<svg xmlns='http://www.w3.org/2000/svg' width='7' height='9'/>",
        ),
        ("data.json", "{}"),
        (
            "index.html",
            &page("<img id=image src=logo.svgz><script src=game.framework.js.gz></script>"),
        ),
    ]);
    for (plain, stored) in [
        ("plain.js", "game.framework.js.gz"),
        ("image.svg", "logo.svgz"),
        ("data.json", "data.json.gz"),
    ] {
        let gzip = Command::new("gzip")
            .args(["-c"])
            .arg(site.path(plain))
            .stdin(Stdio::null())
            .output();
        site.save(stored, gzip.unwrap().stdout);
    }
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    assert_eq!(tab.eval("ran && image.naturalWidth"), 7);
    // A script that decompresses it itself gets what it asks for.
    let itself = "fetch('data.json.gz').then((r) => new Response(
        r.body.pipeThrough(new DecompressionStream('gzip'))).text())";
    assert_eq!(tab.eval(itself), "{}");
}

#[test]
fn a_script_of_another_type_is_refused_and_the_terminal_says_why() {
    let site = Site::serve(&[
        ("index.html", &page("<script src=app.js.download></script>")),
        ("app.js.download", "window.ran = true"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    assert_eq!(tab.eval("window.ran ?? 'refused'"), "refused");
    let line = site.line("refused");
    assert_eq!(line["path"], "/app.js.download", "{line}");
}
