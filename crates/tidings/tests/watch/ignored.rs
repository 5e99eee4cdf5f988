//! What is not watched.

use super::*;

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
