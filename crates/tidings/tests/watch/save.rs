//! Saves: one of any kind is one change of exactly that path.

use super::*;
use crate::random::pause;

#[test]
fn a_save_in_place_is_one_change() {
    on_time(|| {
        let mut site = Site::with(&["index.html", "a/b/c.css"]);
        site.save("index.html", "second");
        site.expect(&[("index.html", Modified)]);
        site.save("a/b/c.css", "second");
        site.expect(&[("a/b/c.css", Modified)]);
        site.expect_silence();
    });
}

#[test]
fn a_rename_over_is_one_change() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        for temporary in [
            "index.html.tmp",
            "sedX1y2Z3",
            ".index.html.swp",
            "other.new",
        ] {
            site.save(temporary, temporary);
            site.rename(temporary, "index.html");
            site.expect(&[("index.html", Modified)]);
        }
        site.expect_silence();
    });
}

#[test]
fn a_save_by_vim_is_one_change() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        for round in 0..5 {
            site.save("4913", "");
            site.remove("4913");
            site.save(".index.html.swp", "swap");
            site.rename("index.html", "index.html~");
            site.save("index.html", &format!("round {round}"));
            site.remove("index.html~");
            site.remove(".index.html.swp");
            site.expect(&[("index.html", Modified)]);
        }
        site.expect_silence();
    });
}

#[test]
fn a_save_by_jetbrains_is_one_change() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        for round in 0..5 {
            site.save("index.html___jb_tmp___", &format!("round {round}"));
            site.rename("index.html", "index.html___jb_old___");
            site.rename("index.html___jb_tmp___", "index.html");
            site.remove("index.html___jb_old___");
            site.expect(&[("index.html", Modified)]);
        }
        site.expect_silence();
    });
}

#[test]
fn a_save_that_deletes_and_creates_is_one_change() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        site.remove("index.html");
        site.save("index.html", "second");
        site.expect(&[("index.html", Modified)]);
        site.expect_silence();
    });
}

#[test]
fn a_slow_save_is_reported_when_it_is_closed() {
    on_time(|| {
        let mut site = Site::with(&["index.html", "other"]);
        let mut file = File::create(site.path("index.html")).unwrap();
        for part in ["a", "b", "c"] {
            file.write_all(part.as_bytes()).unwrap();
            site.save("other", part);
            site.expect(&[("other", Modified)]);
        }
        drop(file);
        site.expect(&[("index.html", Modified)]);
        site.expect_silence();
    });
}

#[test]
fn a_write_that_nobody_closes_is_reported_after_a_quiet_time() {
    on_time(|| {
        let mut site = Site::with(&["log.txt"]);
        let mut file = OpenOptions::new()
            .append(true)
            .open(site.path("log.txt"))
            .unwrap();
        file.write_all(b"line").unwrap();
        site.expect(&[("log.txt", Modified)]);
        file.write_all(b"line").unwrap();
        site.expect(&[("log.txt", Modified)]);
        drop(file);
        site.expect_silence();
    });
}

#[test]
fn an_emptied_file_is_reported_with_its_text_not_without() {
    on_time(|| {
        let mut site = Site::with(&["style.css", "other"]);
        let path = site.path("style.css");
        *site.probe.lock().unwrap() = Some(path.clone());
        for round in 0..3 {
            let mut file = File::create(&path).unwrap();
            // Longer than a file that is left alone is waited for.
            pause(300);
            site.save("other", &format!("{round}"));
            site.expect(&[("other", Modified)]);
            let text = format!("text {round}");
            file.write_all(text.as_bytes()).unwrap();
            match round {
                0 => drop(file),
                // Nor does anybody wait for its close.
                _ => std::mem::forget(file),
            }
            let (notice, held) = site.next_probed();
            assert!(matches!(notice, Notice::Changed(_)), "{notice:?}");
            assert_eq!(held, Some(text));
        }
    });
}

#[test]
fn a_file_that_is_emptied_and_left_so_is_reported() {
    on_time(|| {
        let mut site = Site::with(&["a", "b"]);
        site.save("a", "");
        site.expect(&[("a", Modified)]);
        let open = File::create(site.path("b")).unwrap();
        site.expect(&[("b", Modified)]);
        drop(open);
        site.expect_silence();
    });
}

/// The pause between two looks of the watcher at what says nothing is a second.
#[test]
fn a_write_that_nobody_closes_is_reported_before_the_next_look() {
    on_time(|| {
        let mut site = Site::with(&["log.txt"]);
        let mut file = OpenOptions::new()
            .append(true)
            .open(site.path("log.txt"))
            .unwrap();
        // A removal is held back for some milliseconds, an open file for some tens of them, and the watch
        // thread looks around by itself once a second.
        let (mut writes, mut removals) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..10 {
            let began = Instant::now();
            file.write_all(b"line").unwrap();
            site.expect(&[("log.txt", Modified)]);
            writes += began.elapsed();
            site.write("gone.txt", "to be removed");
            site.expect(&[("gone.txt", Created)]);
            let began = Instant::now();
            site.remove("gone.txt");
            site.expect(&[("gone.txt", Removed)]);
            removals += began.elapsed();
        }
        assert!(writes < removals * 25, "{writes:?}, removals {removals:?}");
    });
}

#[test]
fn what_looks_like_an_editors_leftover_and_is_none_is_reported() {
    on_time(|| {
        let mut site = Site::with(&[
            "5282/a",
            "5036/a",
            "notes.tmp/a",
            "x~/a",
            "5159",
            "index.swp",
        ]);
        let names = [
            "5282/a",
            "5036/a",
            "notes.tmp/a",
            "x~/a",
            "5159",
            "index.swp",
        ];
        for name in names {
            site.save(name, "second");
            site.expect(&[(name, Modified)]);
        }
        // Vim's own, on a slow disk.
        site.save("4913", "");
        site.expect_silence();
    });
}

#[test]
fn created_and_removed_files_are_reported_to_be() {
    on_time(|| {
        let mut site = Site::with(&["a"]);
        site.save("b", "b");
        site.expect(&[("b", Created)]);
        site.remove("a");
        site.expect(&[("a", Removed)]);
        site.rename("b", "c");
        site.expect(&[("b", Removed), ("c", Created)]);
        site.expect_silence();
    });
}

#[test]
fn a_file_that_comes_and_goes_is_not_reported() {
    on_time(|| {
        let mut site = Site::with(&["a"]);
        site.save("passing", "x");
        site.remove("passing");
        site.expect_silence();
    });
}

#[test]
fn hard_links_and_symbolic_links_appear() {
    on_time(|| {
        let mut site = Site::with(&["a"]);
        fs::hard_link(site.path("a"), site.path("hard")).unwrap();
        site.expect(&[("hard", Created)]);
        std::os::unix::fs::symlink("a", site.path("soft")).unwrap();
        site.expect(&[("soft", Created)]);
        site.expect_silence();
    });
}

// Silence.
