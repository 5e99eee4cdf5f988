//! Roots that go, come back and are replaced.

use super::*;

#[test]
fn a_root_deleted_and_made_again_is_watched_again() {
    on_time(|| {
        let mut site = Site::with(&["index.html", "a/b"]);
        for round in 0..5 {
            fs::remove_dir_all(site.root()).unwrap();
            loop {
                match site.next() {
                    Notice::Warning(WatchError::RootGone { path }) => {
                        assert_eq!(path, site.root());
                        break;
                    }
                    Notice::Changed(_) => {}
                    other => panic!("{other:?}"),
                }
            }
            site.write("index.html", &format!("{round}"));
            site.expect_rescan();
            site.save_and_see("index.html", &format!("again {round}"));
        }
    });
}

#[test]
fn a_root_replaced_by_another_is_watched() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        for round in 0..5 {
            fs::create_dir(site.beside("next")).unwrap();
            fs::write(site.beside("next/index.html"), "next").unwrap();
            fs::rename(site.root(), site.beside(&format!("old{round}"))).unwrap();
            fs::rename(site.beside("next"), site.root()).unwrap();
            loop {
                match site.next() {
                    Notice::Changed(set) if set.rescan => break,
                    Notice::Changed(_) | Notice::Warning(_) => {}
                    other => panic!("{other:?}"),
                }
            }
            drain(&mut site);
            fs::write(site.beside(&format!("old{round}/index.html")), "unheard").unwrap();
            site.expect_silence();
            site.save("index.html", "again");
            site.expect(&[("index.html", Modified)]);
        }
    });
}

/// A replacement, or a file found by a walk and heard of too, may be said twice. What is said
/// after a change made now is said of what comes after it.
#[track_caller]
pub(crate) fn drain(site: &mut Site) {
    site.save("drain", "x");
    drain_until(
        site,
        |kind| kind != Removed,
        |site| site.save("drain", "again"),
    );
    site.remove("drain");
    drain_until(
        site,
        |kind| kind == Removed,
        |site| {
            // Everything was said: bring it back, so that there is something to remove.
            site.save("drain", "back");
            site.remove("drain");
        },
    );
}

#[track_caller]
pub(crate) fn drain_until(
    site: &mut Site,
    wanted: impl Fn(ChangeKind) -> bool,
    rescanned: impl Fn(&Site),
) {
    loop {
        match site.next() {
            Notice::Changed(set) if set.rescan => rescanned(site),
            Notice::Changed(set) => {
                let named = site.named(&set);
                if named
                    .iter()
                    .any(|(name, kind)| name == "drain" && wanted(*kind))
                {
                    return;
                }
            }
            Notice::Warning(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_root_that_is_a_switched_link_is_followed() {
    on_time(|| {
        use std::os::unix::fs::symlink;
        let mut site = Site::with(&[]);
        for release in ["one", "two"] {
            fs::create_dir(site.beside(release)).unwrap();
            fs::write(site.beside(release).join("index.html"), release).unwrap();
        }
        fs::remove_dir(site.root()).unwrap();
        symlink("one", site.root()).unwrap();
        site.settle();
        site.start(|_| {});
        site.save("index.html", "first");
        site.expect(&[("index.html", Modified)]);
        for release in ["two", "one", "two"] {
            symlink(release, site.beside("switch")).unwrap();
            fs::rename(site.beside("switch"), site.root()).unwrap();
            site.expect_rescan();
            drain(&mut site);
            site.save("index.html", &format!("{release} again"));
            site.expect(&[("index.html", Modified)]);
        }
        fs::write(site.beside("one/index.html"), "unheard").unwrap();
        site.expect_silence();
    });
}

#[test]
fn a_link_above_the_root_that_is_switched_is_noticed() {
    on_time(|| {
        use std::os::unix::fs::symlink;
        let mut site = Site::with(&[]);
        for release in ["one", "two"] {
            fs::create_dir_all(site.beside(release).join("public")).unwrap();
        }
        symlink("one", site.beside("current")).unwrap();
        let root = site.beside("current/public");
        let given = root.clone();
        site.start(move |options| options.roots = vec![given]);
        symlink("two", site.beside("switch")).unwrap();
        fs::rename(site.beside("switch"), site.beside("current")).unwrap();
        site.expect_rescan();
        fs::write(root.join("x"), "x").unwrap();
        while !site
            .next_set()
            .changes
            .iter()
            .any(|change| change.path == root.join("x"))
        {}
    });
}

#[test]
fn a_single_file_can_be_a_root() {
    on_time(|| {
        let mut site = Site::with(&["some.conf", "other"]);
        let file = site.path("some.conf");
        site.start(move |options| options.roots = vec![file]);
        site.save("other", "second");
        site.save("some.conf", "second");
        site.expect(&[("some.conf", Modified)]);
        site.save("new", "third");
        site.rename("new", "some.conf");
        site.expect(&[("some.conf", Modified)]);
        site.remove("some.conf");
        site.expect(&[("some.conf", Removed)]);
        site.save("some.conf", "fourth");
        site.expect(&[("some.conf", Created)]);
    });
}

#[test]
fn a_root_that_is_not_there_is_an_error() {
    on_time(|| {
        let options = Options::new(["/nowhere/at/all"]);
        let error = Watcher::start(options, |_| {}).unwrap_err();
        assert!(
            matches!(error, WatchError::NoRoot { path, .. } if path == Path::new("/nowhere/at/all"))
        );
    });
}

#[test]
fn overlapping_roots_say_a_change_once() {
    on_time(|| {
        let mut site = Site::with(&["a/b", "index.html"]);
        let roots = vec![site.root(), site.path("a")];
        site.start(move |options| options.roots = roots);
        site.save("a/b", "second");
        site.expect(&[("a/b", Modified)]);
        site.expect_silence();
    });
}

// Links.

/// Whether this process has a watch of it.
#[cfg(target_os = "linux")]
pub(crate) fn is_watched(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    // proc_pid_fdinfo(5): each watch of an inotify instance is a line with its inode.
    let line = format!("ino:{:x} ", fs::metadata(path).unwrap().ino());
    fs::read_dir("/proc/self/fdinfo")
        .unwrap()
        .filter_map(|fd| fs::read_to_string(fd.unwrap().path()).ok())
        .any(|info| info.contains(&line))
}

/// Who serves `/tmp/site` must not be woken by every write in `/tmp`.
#[test]
#[cfg(target_os = "linux")]
fn the_directory_above_a_root_is_not_watched() {
    let site = Site::with(&["index.html"]);
    assert!(is_watched(&site.root()));
    assert!(!is_watched(site.root().parent().unwrap()));
}
