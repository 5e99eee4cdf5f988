//! What is not watched.

use super::*;
use crate::flush::{looking, only_for_flushes};
#[cfg(target_os = "linux")]
use crate::root::is_watched;

#[test]
fn ignored_paths_are_not_reported_and_are_not_watched() {
    on_time(|| {
        let mut site = Site::new(
            &[
                "index.html",
                ".git/index",
                "node_modules/x/y.js",
                "drafts/a",
                "out/b",
                "keep/.c",
            ],
            |options| options.ignore = vec!["/drafts/".to_owned(), "!.c".to_owned()],
        );
        site.write(".gitignore", "out/\n");
        site.start(|options| options.ignore = vec!["/drafts/".to_owned(), "!.c".to_owned()]);
        for name in [".git/index", "node_modules/x/y.js", "drafts/a", "out/b"] {
            assert!(site.watcher().ignores(&site.path(name)), "{name}");
            site.save(name, "second");
        }
        site.write(".git/refs/heads/main", "x");
        site.write("node_modules/z/new.js", "x");
        site.expect_silence();
        assert!(!site.watcher().ignores(&site.path("keep/.c")));
        site.save("keep/.c", "second");
        site.expect(&[("keep/.c", Modified)]);
    });
}

#[test]
fn a_changed_gitignore_counts_from_then_on() {
    on_time(|| {
        let mut site = Site::with(&["a.gen", "out/x", "index.html"]);
        site.write(".gitignore", "*.gen\n");
        // The watch thread reads the rules; a removal, which it alone reports, comes after that.
        site.expect_silence();
        site.save("a.gen", "second");
        site.expect_silence();
        site.write(".gitignore", "out/\n");
        site.expect_silence();
        site.save("out/x", "second");
        site.expect_silence();
        site.save("a.gen", "third");
        site.expect(&[("a.gen", Modified)]);
        site.remove(".gitignore");
        site.expect_silence();
        site.save("out/x", "third");
        site.expect(&[("out/x", Modified)]);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_ignored_from_now_on_is_neither_watched_nor_polled() {
    let site = Site::with(&["index.html", "out/deep/x"]);
    assert!(is_watched(&site.path("out/deep")));
    site.write(".gitignore", "out/\n");
    site.reported_by_a_flush();
    assert!(!is_watched(&site.path("out/deep")));
    assert!(!is_watched(&site.path("out")));

    let looked_at: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let looked = Arc::clone(&looked_at);
    let site = Site::new(&["index.html", "out/deep/x"], move |options| {
        only_for_flushes(options);
        looking(options, move |path| {
            looked.lock().unwrap().push(path.to_owned());
        });
    });
    site.write(".gitignore", "out/\n");
    site.reported_by_a_flush();
    looked_at.lock().unwrap().clear();
    site.reported_by_a_flush();
    let looked_at = looked_at.lock().unwrap();
    assert_eq!(*looked_at, [Path::new("index.html")]);
}

/// The name by which it was found first is ignored, and the link to it is not.
#[test]
fn what_a_link_leads_to_is_watched_although_it_is_ignored_from_now_on() {
    let mut site = Site::with(&["a/index.html", "z/out/x.css"]);
    std::os::unix::fs::symlink("../z/out", site.path("a/link")).unwrap();
    site.settle();
    site.start(|_| {});
    site.write("z/.gitignore", "out/\n");
    site.reported_by_a_flush();
    site.save("z/out/x.css", "second");
    site.expect(&[("a/link/x.css", Modified)]);
}

#[test]
fn a_root_in_an_ignored_directory_is_watched() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        fs::create_dir(site.beside(".git")).unwrap();
        fs::write(site.beside(".gitignore"), "site/\n*.map\n").unwrap();
        site.start(|_| {});
        site.save("x.map", "x");
        site.save("index.html", "second");
        site.expect(&[("index.html", Modified)]);
        site.expect_silence();
    });
}

// Roots.
