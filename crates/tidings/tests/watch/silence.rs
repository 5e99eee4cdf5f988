//! Silence: what is not a change is not said, and what somebody may have seen is.

use super::*;

#[test]
fn reading_is_not_reported() {
    on_time(|| {
        let mut site = Site::with(&["index.html", "a/b.css"]);
        for _ in 0..20 {
            fs::read(site.path("index.html")).unwrap();
            fs::read_dir(site.path("a")).unwrap().count();
            File::open(site.path("a/b.css")).unwrap();
        }
        site.expect_silence();
    });
}

#[test]
fn touch_and_chmod_are_not_reported() {
    on_time(|| {
        use std::os::unix::fs::PermissionsExt;
        let mut site = Site::with(&["index.html"]);
        site.save("index.html", "known");
        site.expect(&[("index.html", Modified)]);
        site.settle();
        let file = OpenOptions::new()
            .write(true)
            .open(site.path("index.html"))
            .unwrap();
        file.set_modified(SystemTime::now()).unwrap();
        drop(file);
        fs::set_permissions(site.path("index.html"), fs::Permissions::from_mode(0o600)).unwrap();
        site.expect_silence();
    });
}

#[test]
fn a_save_without_a_change_is_not_reported() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        site.save("index.html", "second");
        site.expect(&[("index.html", Modified)]);
        for _ in 0..3 {
            // A write within 20 ms of the last may hide from the file's times: then it is said.
            site.settle();
            site.save("index.html", "second");
        }
        site.settle();
        site.save("new", "second");
        site.rename("new", "index.html");
        site.expect_silence();
        site.save("index.html", "third");
        site.expect(&[("index.html", Modified)]);
    });
}

#[test]
fn the_first_save_without_a_change_is_not_reported_either() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        // The contents are hashed after the first walk; a change that goes through the same thread
        // (a removal waits there) comes after it.
        site.expect_silence();
        site.expect_silence();
        site.save("index.html", "first");
        site.expect_silence();
    });
}

#[test]
fn a_reader_of_a_version_in_between_hears_of_the_return_to_the_first() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        site.save("index.html", "A");
        site.expect(&[("index.html", Modified)]);
        site.settle();
        let path = site.path("index.html");
        // The reader sees B while it is being written, and the writer returns to A.
        let mut file = File::create(&path).unwrap();
        file.write_all(b"B").unwrap();
        site.watcher()
            .observed(&path, &fs::metadata(&path).unwrap());
        file.set_len(0).unwrap();
        drop(file);
        fs::write(&path, "A").unwrap();
        site.expect(&[("index.html", Modified)]);
    });
}

#[test]
fn a_reader_of_the_announced_version_does_not_break_the_silence() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        site.save("index.html", "A");
        site.expect(&[("index.html", Modified)]);
        let path = site.path("index.html");
        for _ in 0..3 {
            site.watcher()
                .observed(&path, &fs::metadata(&path).unwrap());
            site.settle();
            site.save("index.html", "A");
            site.expect_silence();
        }
    });
}

#[test]
fn a_reader_who_missed_the_file_hears_that_it_is_back() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        site.save("index.html", "A");
        site.expect(&[("index.html", Modified)]);
        site.settle();
        let path = site.path("index.html");
        fs::remove_file(&path).unwrap();
        site.watcher().missed(&path);
        fs::write(&path, "A").unwrap();
        site.expect(&[("index.html", Modified)]);
    });
}

#[test]
fn the_callback_may_say_what_was_observed() {
    on_time(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.html");
        fs::write(&path, "first").unwrap();
        let (send, notices) = channel();
        let shared: Arc<Mutex<Option<Watcher>>> = Arc::default();
        let (inner, read) = (Arc::clone(&shared), path.clone());
        let options = Options::new([dir.path()]);
        let watcher = Watcher::start(options, move |notice| {
            if let Some(watcher) = &*inner.lock().unwrap() {
                watcher.observed(&read, &fs::metadata(&read).unwrap());
                watcher.missed(&read);
            }
            let _ = send.send(notice);
        })
        .unwrap();
        *shared.lock().unwrap() = Some(watcher);
        assert!(matches!(
            notices.recv_timeout(PATIENCE).unwrap(),
            Notice::Ready { .. }
        ));
        fs::write(&path, "second").unwrap();
        notices.recv_timeout(PATIENCE).unwrap();
        // Dropping it is allowed too, here from outside.
        let watcher = shared.lock().unwrap().take();
        drop(watcher);
    });
}

#[test]
fn after_the_drop_nothing_is_reported() {
    on_time(|| {
        let mut site = Site::with(&["index.html"]);
        site.watcher = None;
        site.save("index.html", "second");
        // The callback, and the sender in it, are gone.
        assert!(site.notices.recv_timeout(PATIENCE).is_err());
    });
}

#[test]
fn a_callback_may_drop_its_own_watcher() {
    on_time(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.html");
        fs::write(&path, "first").unwrap();
        let (send, notices) = channel();
        let shared: Arc<Mutex<Option<Watcher>>> = Arc::default();
        let inner = Arc::clone(&shared);
        let options = Options::new([dir.path()]);
        let watcher = Watcher::start(options, move |notice| {
            if matches!(notice, Notice::Changed(_)) {
                let watcher = inner.lock().unwrap().take();
                drop(watcher);
            }
            let _ = send.send(notice);
        })
        .unwrap();
        *shared.lock().unwrap() = Some(watcher);
        assert!(matches!(
            notices.recv_timeout(PATIENCE).unwrap(),
            Notice::Ready { .. }
        ));
        fs::write(&path, "second").unwrap();
        assert!(matches!(
            notices.recv_timeout(PATIENCE).unwrap(),
            Notice::Changed(_)
        ));
        drop(shared);
    });
}

// Bursts and trees.
