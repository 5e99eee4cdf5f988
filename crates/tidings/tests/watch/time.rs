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
fn deletions_renames_and_copies_with_old_dates_give_a_later_time() {
    on_time(|| {
        let mut site = Site::with(&["index.html", "a/b", "a/c", "d/e"]);
        let old = SystemTime::now() - Duration::from_secs(1_000_000);
        let changes: [&dyn Fn(&Site); 4] = [
            &|site| site.remove("a/b"),
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
fn a_change_says_the_time_that_a_restart_would_find() {
    on_time(|| {
        let mut site = Site::with(&["index.html", "a/b"]);
        site.save("a/b", "second");
        site.expect(&[("a/b", Modified)]);
        site.remove("index.html");
        site.expect(&[("index.html", Removed)]);
        let before = site.newest_ms;
        site.start(|_| {});
        assert_eq!(site.newest_ms, before);
    });
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

// Limits and losses.
