//! Fonts, media, icons and manifests are saved: every use in the page is shown anew, in place where that is
//! possible for all of them.

use crate::case::{Case, How, check};
use crate::site::page_with;
use crate::{Browser, Site};

const NARROW: &[u8] = include_bytes!("fonts/narrow.ttf");
const WIDE: &[u8] = include_bytes!("fonts/wide.ttf");

#[test]
fn a_font_is_shown_in_place() {
    for (head, script) in [
        (
            "<style>@font-face { font-family: f; src: url(f.ttf) }</style>",
            "",
        ),
        (
            "<link rel=preload as=font crossorigin href=f.ttf>
             <style>@media all { @font-face { font-family: f; src: local('none'), url(f.ttf) format('truetype') } }</style>",
            "",
        ),
        ("<link rel=stylesheet href=s.css>", ""),
        (
            "",
            "<script>const made = new CSSStyleSheet()
             made.replaceSync(`@font-face { font-family: f; src: url(${location.origin}/f.ttf) }`)
             document.adoptedStyleSheets.push(made)</script>",
        ),
    ] {
        let body = format!("<span id=s style='font: 20px f'>x</span><input id=typed>{script}");
        let site = Site::serve(&[
            ("index.html", &page_with(head, &body)),
            ("s.css", "@font-face { font-family: f; src: url('f.ttf') }"),
        ]);
        site.save("f.ttf", NARROW);
        let mut browser = Browser::start();
        let mut tab = browser.open(&site.url("/"));
        tab.until("s.offsetWidth === 10");
        tab.mark();
        site.save("f.ttf", WIDE);
        tab.until(&format!("/* {head} */ s.offsetWidth === 40"));
        assert!(tab.is_same(), "{head}");
    }
}

#[test]
fn a_font_that_a_script_has_added_reloads_the_page() {
    let site = Site::serve(&[(
        "index.html",
        &page_with(
            "<style>@font-face { font-family: f; src: url(f.ttf) }</style>",
            "<span id=s style='font: 20px f'>x</span><script>
             new FontFace('g', 'url(f.ttf)').load().then(face => document.fonts.add(face))</script>
             <span id=t style='font: 20px g'>x</span>",
        ),
    )]);
    site.save("f.ttf", NARROW);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    for (font, width) in [(WIDE, 40), (NARROW, 10), (WIDE, 40)] {
        tab.until("s.offsetWidth > 0 && document.fonts.size === 2");
        tab.mark();
        site.save("f.ttf", font);
        tab.until("window.__mark === undefined && document.fonts.size === 2");
        tab.until(&format!("[s, t].every(e => e.offsetWidth === {width})"));
    }
}

/// Chromium keeps the parsed font where it asks with a validator, whatever it gets.
#[test]
fn a_font_that_was_saved_while_no_page_showed_it_is_not_the_one_from_before() {
    let head = "<style>@font-face { font-family: f; src: url(f.ttf) }</style>";
    let body = "<span id=s style='font: 20px f'>x</span>";
    let site = Site::serve(&[
        ("index.html", &page_with(head, body)),
        ("without.html", &page_with("", "<p>none")),
    ]);
    site.save("f.ttf", NARROW);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until("s.offsetWidth === 10");
    for (font, width) in [(WIDE, 40), (NARROW, 10)] {
        tab.go(&site.url("/without.html"));
        site.save("f.ttf", font);
        tab.go(&site.url("/"));
        tab.until(&format!("s.offsetWidth === {width}"));
    }
}

/// Silence of this many seconds / 10, whose bytes are ASCII.
fn silence(tenths: u32) -> Vec<u8> {
    let len = tenths * 800;
    let mut bytes = Vec::from(*b"RIFF");
    bytes.extend((36 + len).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data");
    bytes.extend(len.to_le_bytes());
    bytes.resize(bytes.len() + len as usize, 0x40);
    bytes
}

#[test]
fn sound_and_film_go_on_where_they_were_with_the_new_file() {
    let site = Site::serve(&[(
        "index.html",
        &page_with(
            "",
            "<audio id=a src=a.wav></audio><video id=b><source src=none.mp4><source src=a.wav></video>
             <audio id=c preload=none src=a.wav></audio>",
        ),
    )]);
    site.save("a.wav", silence(20));
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    tab.until("a.duration === 2 && b.duration === 2");
    tab.mark();
    tab.eval("a.currentTime = 1; b.playbackRate = 0.5; 0");
    site.save("a.wav", silence(30));
    tab.until("a.duration === 3 && b.duration === 3");
    tab.until("a.currentTime === 1 && b.playbackRate === 0.5 && a.paused");
    tab.until("c.src.includes('tidings=')");
    assert!(tab.is_same());
}

#[test]
fn icons_and_manifests_get_a_new_address() {
    const SVG: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>";
    const NEW: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'/>";
    let icon = |name, html| Case {
        name,
        files: &[("a.svg", SVG), ("site.webmanifest", "{}")],
        html,
        ready: "document.readyState === 'complete'",
        save: ("a.svg", NEW),
        shown: "l.href.includes('tidings=')",
        how: How::InPlace,
    };
    check(&[
        icon(
            "an icon for a home screen",
            "<link id=l rel=apple-touch-icon href=a.svg>",
        ),
        icon("a mask icon", "<link id=l rel=mask-icon href=a.svg>"),
        icon(
            "a shortcut icon",
            "<link id=l rel='shortcut icon' href=a.svg>",
        ),
        Case {
            save: ("site.webmanifest", "{\"name\": \"x\"}"),
            ..icon(
                "a manifest",
                "<link id=l rel=manifest href=site.webmanifest>",
            )
        },
        Case {
            save: ("site.webmanifest", "{\"name\": \"x\"}"),
            shown: "window.text === '{\"name\": \"x\"}'",
            how: How::Reload,
            ..icon(
                "a manifest that a script has fetched as well",
                "<link id=l rel=manifest href=site.webmanifest><script>
                 fetch('site.webmanifest').then(r => r.text()).then(t => window.text = t)</script>",
            )
        },
    ]);
}
