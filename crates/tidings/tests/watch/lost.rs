//! What the system loses, and what happens while the first walk is under way.

use super::*;

#[test]
fn what_the_system_lost_is_reported_to_be_lost() {
    on_time(|| {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::write(dir.path().join(name), "first").unwrap();
        }
        let (send, notices) = channel();
        let (resume, blocked) = channel::<()>();
        let options = Options::new([dir.path()]);
        let mut block = false;
        let _watcher = Watcher::start(options, move |notice| {
            let changed = matches!(notice, Notice::Changed(_));
            let _ = send.send(notice);
            if changed && !std::mem::replace(&mut block, true) {
                let _ = blocked.recv();
            }
        })
        .unwrap();
        assert!(matches!(
            notices.recv_timeout(PATIENCE).unwrap(),
            Notice::Ready { .. }
        ));
        fs::write(dir.path().join("a"), "second").unwrap();
        assert!(matches!(
            notices.recv_timeout(PATIENCE).unwrap(),
            Notice::Changed(_)
        ));
        // The callback blocks; the queue runs over.
        let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        let limit: usize = limit.trim().parse().unwrap();
        for n in 0..limit {
            fs::write(dir.path().join(["a", "b"][n % 2]), "x").unwrap();
        }
        // This one is among the lost: a new directory, found by the walk that follows.
        fs::create_dir(dir.path().join("late")).unwrap();
        fs::write(dir.path().join("late/x"), "x").unwrap();
        resume.send(()).unwrap();
        loop {
            match notices.recv_timeout(PATIENCE).unwrap() {
                Notice::Changed(set) if set.rescan => break,
                Notice::Changed(_) => {}
                other => panic!("{other:?}"),
            }
        }
        fs::write(dir.path().join("late/x"), "y").unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Notice::Changed(set) = notices.recv_timeout(left).unwrap()
                && set
                    .changes
                    .iter()
                    .any(|change| change.path.ends_with("late/x"))
            {
                break;
            }
        }
    });
}

#[test]
fn what_changes_during_the_first_walk_is_reported() {
    on_time(|| {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..300 {
            let at = dir.path().join(format!("d{}/e{n}", n % 10));
            fs::create_dir_all(&at).unwrap();
            fs::write(at.join("x"), "first").unwrap();
        }
        for round in 0..10 {
            let (send, notices) = channel();
            let options = Options::new([dir.path()]);
            let _watcher = Watcher::start(options, move |notice| {
                let _ = send.send(notice);
            })
            .unwrap();
            let late = dir.path().join(format!("d{round}/e{}/x", 290 + round));
            fs::write(&late, format!("round {round}")).unwrap();
            let deadline = Instant::now() + PATIENCE;
            let mut said = false;
            while !said {
                let left = deadline.saturating_duration_since(Instant::now());
                let changes = match notices.recv_timeout(left).unwrap() {
                    Notice::Ready { changes, .. } => changes,
                    Notice::Changed(set) => set.changes,
                    other => panic!("{other:?}"),
                };
                said = changes.iter().any(|change| change.path == late);
            }
        }
    });
}

// Speed.
