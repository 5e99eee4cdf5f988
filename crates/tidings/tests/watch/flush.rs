//! A flush is over when all that was saved before it has been reported.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidings::watch::{Options, Scope};

use crate::{Notice, PATIENCE, Site};

/// Longer than a file is waited for that is written without a pause.
const LONG: Duration = Duration::from_secs(2);

impl Site {
    /// Flushes, and tells the paths that were reported by the end of it.
    #[track_caller]
    pub(crate) fn reported_by_a_flush(&self) -> BTreeSet<String> {
        self.reported_until(&self.flushed())
    }

    /// Asks for a flush. What it gives has an item when that is over.
    fn flushed(&self) -> Receiver<()> {
        let (send, flushed) = channel();
        self.watcher().flush(move || {
            let _ = send.send(());
        });
        flushed
    }

    #[track_caller]
    fn reported_until(&self, flushed: &Receiver<()>) -> BTreeSet<String> {
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

/// Nothing is looked at but for flushes.
pub(crate) fn only_for_flushes(options: &mut Options) {
    options.poll = Some(Duration::from_secs(3_600));
}

/// Calls this with each path below the root that is looked at.
pub(crate) fn looking(options: &mut Options, look: impl Fn(&Path) + Send + Sync + 'static) {
    options.scope = Scope::Where(Arc::new(move |candidate| {
        look(candidate.path);
        true
    }));
}

#[test]
fn a_new_file_with_nothing_in_it_is_reported_by_the_end_of_a_flush() {
    let site = Site::new(&["a.css", "sub/b.css"], only_for_flushes);
    site.write("sub/new.txt", "");
    let reported = site.reported_by_a_flush();
    assert_eq!(reported, BTreeSet::from(["sub/new.txt".to_owned()]));
}

/// As of a large tree of a network.
#[test]
fn a_flush_does_not_end_before_a_look_that_takes_long() {
    let is_slow = Arc::new(AtomicBool::new(false));
    let slow = Arc::clone(&is_slow);
    let files: Vec<_> = (0..20).map(|n| format!("z{n}/a.css")).collect();
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let site = Site::new(&files, |options| {
        only_for_flushes(options);
        looking(options, move |path| {
            if slow.load(Ordering::Relaxed) && path == Path::new("z10/a.css") {
                std::thread::sleep(LONG);
            }
        });
    });
    is_slow.store(true, Ordering::Relaxed);
    let expected: BTreeSet<_> = ["new/deep/er/c.css", "z0/a.css", "z9/a.css"].into();
    for path in &expected {
        site.write(path, "second");
    }
    let reported = site.reported_by_a_flush();
    let reported: BTreeSet<_> = reported.iter().map(String::as_str).collect();
    assert_eq!(reported, expected);
}

#[test]
fn a_flush_that_is_asked_for_during_a_look_gets_one_of_its_own() {
    // What is done when the look comes to the second of the directories.
    type Act = Box<dyn FnOnce() + Send>;
    let act: Arc<Mutex<Option<Act>>> = Arc::default();
    let acting = Arc::clone(&act);
    let site = Site::new(&["a/a.css", "b/b.css", "z/z.css"], |options| {
        only_for_flushes(options);
        looking(options, move |path| {
            if path.starts_with("b/b.css")
                && let Some(act) = acting.lock().unwrap().take()
            {
                act();
            }
        });
    });
    let (send, looked) = channel();
    let (go_on, may_go_on) = channel();
    *act.lock().unwrap() = Some(Box::new(move || {
        send.send(()).unwrap();
        let _ = may_go_on.recv();
        // So long that jobs come before the third directory.
        std::thread::sleep(Duration::from_millis(100));
    }));
    let flushed = site.flushed();
    looked.recv_timeout(PATIENCE).unwrap();
    site.save("a/a.css", "second");
    let waiting = site.flushed();
    go_on.send(()).unwrap();
    flushed.recv_timeout(PATIENCE).unwrap();
    let reported = site.reported_until(&waiting);
    assert_eq!(reported, BTreeSet::from(["a/a.css".to_owned()]));
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
