//! Times: the newest in the tree, the same after a restart.

use super::*;

#[test]
fn a_restart_on_an_unchanged_tree_gives_the_same_time() {
    on_time(|| {
        let mut site = Site::with(&["index.html", "a/b", "node_modules/x"]);
        let before = site.newest_ms;
        assert!(before > 0);
        fs::read(site.path("a/b")).unwrap();
        site.save("node_modules/x", "second");
        assert!(site.start(|_| {}).is_empty());
        assert_eq!(site.newest_ms, before);
    });
}

#[test]
fn renames_and_copies_with_old_dates_give_a_later_time() {
    on_time(|| {
        let mut site = Site::with(&["index.html", "a/b", "a/c", "d/e"]);
        let old = SystemTime::now() - Duration::from_secs(1_000_000);
        let changes: [&dyn Fn(&Site); 3] = [
            &|site| site.rename("d/e", "d/f"),
            &|site| {
                site.save("copy", "x");
                let file = OpenOptions::new()
                    .write(true)
                    .open(site.path("copy"))
                    .unwrap();
                file.set_modified(old).unwrap();
            },
            &|site| {
                let file = OpenOptions::new()
                    .write(true)
                    .open(site.path("index.html"))
                    .unwrap();
                file.set_modified(SystemTime::now() + Duration::from_secs(1_000_000))
                    .unwrap();
            },
        ];
        for change in changes {
            let before = site.newest_ms;
            site.watcher = None;
            site.settle();
            change(&site);
            site.settle();
            site.start(|_| {});
            assert!(site.newest_ms > before);
            assert!(site.newest_ms <= now_ms());
        }
    });
}

#[test]
fn what_is_not_watched_changes_neither_the_time_nor_the_digest() {
    on_time(|| {
        let mut site = Site::with(&["index.html", "a/b"]);
        let before = (site.newest_ms, site.tree);
        assert!(before.1.is_some());
        site.watcher = None;
        site.save(".index.html.swp", "x");
        site.remove(".index.html.swp");
        site.save("a/b~", "x");
        site.settle();
        site.start(|_| {});
        assert_eq!((site.newest_ms, site.tree), before);
    });
}

#[test]
fn what_was_removed_or_renamed_meanwhile_gives_another_digest() {
    on_time(|| {
        let mut site = Site::with(&["index.html", "a/b", "a/c", "d/e"]);
        let changes: [&dyn Fn(&Site); 3] = [
            &|site| site.remove("a/b"),
            &|site| site.rename("d", "f"),
            &|site| fs::create_dir(site.path("g")).unwrap(),
        ];
        for change in changes {
            let before = site.tree;
            site.watcher = None;
            change(&site);
            site.settle();
            site.start(|_| {});
            assert_ne!(site.tree, before);
        }
    });
}

#[test]
fn a_folder_that_was_moved_has_the_same_digest() {
    on_time(|| {
        let mut site = Site::with(&["index.html", "a/b"]);
        let before = (site.newest_ms, site.tree);
        let moved = site.beside("moved");
        fs::rename(site.root(), &moved).unwrap();
        site.start(|options| options.roots = vec![moved]);
        assert_eq!((site.newest_ms, site.tree), before);
    });
}

#[test]
fn a_change_says_the_time_and_digest_that_a_restart_would_find() {
    on_time(|| {
        let mut site = Site::with(&["index.html", "a/b", "d/e/f"]);
        site.save("a/b", "second");
        site.expect(&[("a/b", Modified)]);
        site.remove("index.html");
        site.expect(&[("index.html", Removed)]);
        let check = |site: &mut Site| {
            let before = (site.newest_ms, site.tree);
            site.settle();
            assert_eq!(site.start(|_| {}), []);
            assert_eq!((site.newest_ms, site.tree), before);
        };
        check(&mut site);
        // The newest is gone: what is the newest now is older.
        site.save("new", "x");
        site.expect(&[("new", Created)]);
        site.remove("new");
        site.expect(&[("new", Removed)]);
        check(&mut site);
        fs::rename(site.path("d"), site.beside("d")).unwrap();
        site.expect(&[("d", Removed)]);
        check(&mut site);
        fs::rename(site.beside("d"), site.path("a/d")).unwrap();
        site.expect(&[("a/d/e/f", Created)]);
        check(&mut site);
        site.write(".gitignore", "a/\n");
        site.expect_silence();
        check(&mut site);
    });
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

// Limits and losses.
