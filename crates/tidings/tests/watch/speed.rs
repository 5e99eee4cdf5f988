//! No waiting. What things cost is measured in `crates/tidings-bench`.

use super::*;

/// A removal is held back, because editors remove and re-create. A complete save is not: on any machine,
/// however loaded, it is reported in less than half the time of a removal made in its turn.
#[test]
fn a_complete_save_does_not_wait() {
    on_time(|| {
        let site = Site::with(&["index.html"]);
        let reported_at = |expected: ChangeKind| {
            loop {
                let (at, notice, _) = site.notices.recv_timeout(PATIENCE).unwrap();
                let Notice::Changed(set) = notice else {
                    panic!("{notice:?}")
                };
                if set.changes.iter().any(|change| change.kind == expected) {
                    return at;
                }
            }
        };
        let median = |mut times: Vec<Duration>| {
            times.sort_unstable();
            times[times.len() / 2]
        };
        let (mut saves, mut removals) = (Vec::new(), Vec::new());
        for round in 0..40 {
            let mut file = File::create(site.path("index.html")).unwrap();
            file.write_all(format!("round {round}").as_bytes()).unwrap();
            let closed = Instant::now();
            drop(file);
            saves.push(reported_at(Modified).saturating_duration_since(closed));
            site.write("gone.txt", "to be removed");
            reported_at(Created);
            let removed = Instant::now();
            fs::remove_file(site.path("gone.txt")).unwrap();
            removals.push(reported_at(Removed).saturating_duration_since(removed));
        }
        let (save, removal) = (median(saves), median(removals));
        assert!(save * 2 < removal, "a save {save:?}, a removal {removal:?}");
    });
}
