//! Fast and right at once: many saves, slow saves, and the page ends on what is on disk.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::site::{page, page_with};
use crate::{Browser, Site};

const ROUNDS: u32 = 4;

#[test]
fn two_hundred_files_with_the_page_first_and_its_script_last() {
    let index = |n: u32| page_with("<script src=last.js></script>", &n.to_string());
    let site = Site::serve(&[("index.html", &index(0)), ("last.js", "window.v = 0")]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    for n in 1..=ROUNDS {
        let begun = Instant::now();
        site.save("index.html", index(n));
        for file in 0..198 {
            site.save(&format!("out/{file}.html"), n.to_string());
            // Spread over 100 ms.
            let due = begun + Duration::from_micros(500 * file);
            sleep(due.saturating_duration_since(Instant::now()));
        }
        site.save("last.js", format!("window.v = {n}"));
        tab.until(&format!(
            "document.body.innerText.trim() === '{n}' && window.v === {n}"
        ));
    }
}

#[test]
fn two_saves_a_moment_apart() {
    let site = Site::serve(&[("index.html", &page("0"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    for round in 0..3 * ROUNDS {
        let pause = [130, 130, 60, 200, 20, 5][round as usize % 6];
        site.save("index.html", page(&format!("{round} first")));
        sleep(Duration::from_millis(pause));
        site.save("index.html", page(&format!("{round} second")));
        tab.until_text(&format!("{round} second"));
    }
}

fn five_megabytes(n: u32) -> String {
    page(&format!("<!--{}--><p>{n}</p>", "x".repeat(5 << 20)))
}

#[test]
fn a_large_page_written_slowly_through_one_handle() {
    let site = Site::serve(&[("index.html", &page("0"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    for n in 1..=ROUNDS {
        let text = five_megabytes(n);
        let mut file = fs::File::create(site.path("index.html")).unwrap();
        for piece in text.as_bytes().chunks(text.len() / 20 + 1) {
            file.write_all(piece).unwrap();
            sleep(Duration::from_millis(10));
        }
        drop(file);
        tab.until_text(&n.to_string());
    }
}

#[test]
fn a_large_page_written_slowly_piece_by_piece() {
    let site = Site::serve(&[("index.html", &page("0"))]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    for n in 1..=ROUNDS {
        let text = five_megabytes(n);
        fs::write(site.path("index.html"), "").unwrap();
        for piece in text.as_bytes().chunks(text.len() / 20 + 1) {
            let mut file = OpenOptions::new()
                .append(true)
                .open(site.path("index.html"))
                .unwrap();
            file.write_all(piece).unwrap();
            drop(file);
            sleep(Duration::from_millis(10));
        }
        tab.until_text(&n.to_string());
    }
}

/// The whole chain as a property: random saves of every kind, and at the end the page is the disk.
#[test]
fn after_random_saves_the_page_equals_the_disk() {
    let index = |n: u32| {
        page_with(
            "<link rel=stylesheet href=a.css><script src=a.js></script>",
            &format!("<h1>{n}</h1>"),
        )
    };
    let css = |n: u32| format!("h1 {{ width: {n}px }}");
    let js = |n: u32| format!("window.v = {n}");
    let site = Site::serve(&[
        ("index.html", &index(0)),
        ("a.css", &css(0)),
        ("a.js", &js(0)),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&site.url("/"));
    let seed = std::process::id();
    let mut state = seed;
    // A linear congruential generator: the seed is told when the test fails.
    let mut random = move |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    let mut last = [0; 3];
    for round in 1..=8 {
        for _ in 0..random(25) + 1 {
            let which = random(3) as usize;
            let n = random(1000);
            let (path, text) = match which {
                0 => ("index.html", index(n)),
                1 => ("a.css", css(n)),
                _ => ("a.js", js(n)),
            };
            match random(5) {
                0 => site.save_by_rename(path, &text),
                1 => {
                    site.remove(path);
                    sleep(Duration::from_millis(u64::from(random(15))));
                    site.save(path, &text);
                }
                2 => {
                    let (head, tail) = text.split_at(text.len() / 2);
                    site.save(path, head);
                    sleep(Duration::from_millis(u64::from(random(30))));
                    let mut file = OpenOptions::new()
                        .append(true)
                        .open(site.path(path))
                        .unwrap();
                    file.write_all(tail.as_bytes()).unwrap();
                }
                _ => site.save(path, &text),
            }
            last[which] = n;
            sleep(Duration::from_millis(u64::from(random(60))));
        }
        let [html, css, js] = last;
        println!("seed {seed}, round {round}: {last:?}");
        tab.until(&format!(
            "document.querySelector('h1').textContent === '{html}' && window.v === {js} \
             && getComputedStyle(document.querySelector('h1')).width === '{css}px'"
        ));
    }
}
