//! A flush is over when all that was saved before it has been reported.

use std::collections::BTreeSet;
use std::fs;
use std::sync::mpsc::channel;

use crate::{Notice, PATIENCE, Site};

impl Site {
    /// Flushes, and tells the paths that were reported by the end of it.
    #[track_caller]
    pub(crate) fn reported_by_a_flush(&self) -> BTreeSet<String> {
        let (send, flushed) = channel();
        self.watcher().flush(move || {
            let _ = send.send(());
        });
        flushed.recv_timeout(PATIENCE).expect("the flush ends");
        let mut reported = BTreeSet::new();
        while let Ok((_, notice, _)) = self.notices.try_recv() {
            if let Notice::Changed(set) = notice {
                reported.extend(self.named(&set).into_iter().map(|(name, _)| name));
            }
        }
        reported
    }
}

#[track_caller]
fn check(site: &Site, change: impl Fn(usize), expected: impl Fn(usize) -> String) {
    for n in 0..20 {
        change(n);
        let expected = expected(n);
        let reported = site.reported_by_a_flush();
        assert!(
            reported.contains(&expected),
            "{n}: {expected}: {reported:?}"
        );
    }
}

#[test]
fn a_save_of_any_kind_before_a_flush_is_reported_by_its_end() {
    let site = Site::with(&["a.css", "sub/b.css"]);
    // Reported at once.
    check(
        &site,
        |n| site.save("a.css", &format!("{n}")),
        |_| "a.css".to_owned(),
    );
    // As `sed -i` does. Removals and new names are held for a while.
    check(
        &site,
        |n| {
            site.save("sub/new.tmp", &format!("{n}"));
            site.rename("sub/new.tmp", "sub/b.css");
        },
        |_| "sub/b.css".to_owned(),
    );
    check(
        &site,
        |n| site.save(&format!("new{n}.css"), "x"),
        |n| format!("new{n}.css"),
    );
    check(
        &site,
        |n| site.remove(&format!("new{n}.css")),
        |n| format!("new{n}.css"),
    );
    // Found by a walk.
    check(
        &site,
        |n| site.write(&format!("dir{n}/deep/er/c.css"), "x"),
        |n| format!("dir{n}/deep/er/c.css"),
    );
}

#[test]
fn a_burst_before_a_flush_is_reported_whole() {
    let site = Site::with(&["a.css"]);
    let names: BTreeSet<_> = (0..300).map(|n| format!("d{}/f{n}", n % 7)).collect();
    for name in &names {
        site.write(name, "x");
    }
    let reported = site.reported_by_a_flush();
    let missing: Vec<_> = names.difference(&reported).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_flush_looks_at_what_is_polled() {
    let site = Site::new(&["a.css", "sub/b.css"], |options| {
        options.directory_limit = Some(0);
    });
    check(
        &site,
        |n| site.save("sub/b.css", &"x".repeat(n + 1)),
        |_| "sub/b.css".to_owned(),
    );
}

#[test]
fn a_flush_ends_although_a_file_is_written_without_a_pause() {
    use std::io::Write;
    let site = Site::with(&["a.log"]);
    let mut log = fs::File::options()
        .append(true)
        .open(site.path("a.log"))
        .unwrap();
    log.write_all(b"x").unwrap();
    let (stop, stopped) = channel::<()>();
    let writer = std::thread::spawn(move || {
        while stopped.try_recv().is_err() {
            log.write_all(b"x").unwrap();
            std::thread::yield_now();
        }
    });
    let reported = site.reported_by_a_flush();
    stop.send(()).unwrap();
    writer.join().unwrap();
    assert!(reported.contains("a.log"), "{reported:?}");
}

#[test]
fn whoever_waits_for_a_flush_learns_that_the_watcher_has_ended() {
    let mut site = Site::with(&["a.css"]);
    let (send, flushed) = channel::<()>();
    let watcher = site.watcher.take().unwrap();
    watcher.flush(move || {
        let _ = send.send(());
    });
    drop(watcher);
    // Done or given up, but not left hanging.
    let ended = flushed.recv_timeout(PATIENCE);
    assert_ne!(ended, Err(std::sync::mpsc::RecvTimeoutError::Timeout));
}
