use super::*;

const SECOND_NS: i64 = 1_000_000_000;

/// A polling with a clock that the test turns.
struct Bench {
    polling: Polling,
    start: Instant,
}

/// A file changed at this time; 0 is long ago.
fn stat(changed_ms: u64, size: u64) -> FileStat {
    let changed_ns = match i64::try_from(changed_ms).unwrap() {
        0 => SECOND_NS,
        changed_ms => changed_ms * 1_000_000 + 100 * SECOND_NS,
    };
    FileStat {
        modified_ns: changed_ns,
        changed_ns,
        size,
        inode: 1,
        device: 1,
        links: 1,
    }
}

/// Files of `/d`, each with the time of its last change and its size.
fn scan(files: &[(&str, u64, u64)]) -> Scan {
    let files = files.iter().map(|(name, changed_ms, size)| Found {
        path: Path::new("/d").join(name),
        stat: stat(*changed_ms, *size),
        newest_ms: 0,
        born_ns: None,
    });
    Scan {
        files: files.collect(),
        ..Scan::default()
    }
}

impl Bench {
    fn new(pause: Option<Duration>, scan: &Scan) -> Bench {
        let start = Instant::now();
        let mut polling = Polling::new(pause, start);
        polling.add(0, Path::new("/d"), scan, times(start, 0));
        Bench { polling, start }
    }

    fn look(&mut self, ms: u64, scan: &Scan) -> Vec<(String, Difference)> {
        let times = times(self.start, ms);
        let differing = self.polling.look(Path::new("/d"), scan, times);
        differing.into_iter().map(shown).collect()
    }

    fn settle(&mut self, ms: u64, name: &str, stat: Option<FileStat>) -> Option<Difference> {
        self.settle_with(ms, name, &Ok(stat))
    }

    fn settle_with(
        &mut self,
        ms: u64,
        name: &str,
        stat: &io::Result<Option<FileStat>>,
    ) -> Option<Difference> {
        let now = times(self.start, ms).0;
        let path = Path::new("/d").join(name);
        let due = self.polling.unsettled(now);
        assert!(due.iter().any(|(_, other)| *other == path), "{due:?}");
        let differing = self.polling.settle(&path, stat, now)?;
        Some(shown(differing).1)
    }
}

fn times(start: Instant, ms: u64) -> (Instant, i64) {
    let now_ns = i64::try_from(ms).unwrap() * 1_000_000 + 100 * SECOND_NS;
    (start + Duration::from_millis(ms), now_ns)
}

fn shown((path, difference, _): Differing) -> (String, Difference) {
    let name = path.file_name().unwrap();
    (name.to_str().unwrap().to_owned(), difference)
}

fn said(name: &str, difference: Difference) -> Vec<(String, Difference)> {
    vec![(name.to_owned(), difference)]
}

#[test]
fn what_was_done_a_while_ago_is_given_out_at_once_and_once() {
    let mut bench = Bench::new(None, &scan(&[("a", 0, 1), ("b", 0, 1)]));
    let after = scan(&[("a", 5_000, 2), ("b", 0, 1), ("c", 5_000, 1)]);
    let mut given = said("a", Difference::Changed);
    given.extend(said("c", Difference::Appeared));
    assert_eq!(bench.look(5_100, &after), given);
    assert_eq!(bench.look(5_200, &after), []);
}

#[test]
fn what_is_being_written_waits_until_it_stays_as_it_is() {
    let mut bench = Bench::new(None, &scan(&[("a", 0, 1)]));
    assert_eq!(bench.look(5_010, &scan(&[("a", 5_000, 2)])), []);
    assert_eq!(bench.settle(5_090, "a", Some(stat(5_080, 3))), None);
    let done = Some(Difference::Changed);
    assert_eq!(bench.settle(5_170, "a", Some(stat(5_080, 3))), done);
    // One that never rests is given out all the same.
    assert_eq!(bench.look(6_010, &scan(&[("a", 6_000, 2)])), []);
    let rounds = 1..20_u64;
    let given = rounds.map(|n| bench.settle(6_010 + n * 80, "a", Some(stat(6_000 + n, n))));
    let at = given.take_while(Option::is_none).count();
    assert_eq!(at, 12);
}

#[test]
fn an_empty_file_waits_longer() {
    let mut bench = Bench::new(None, &scan(&[("a", 0, 1)]));
    assert_eq!(bench.look(5_010, &scan(&[("a", 5_000, 0)])), []);
    assert_eq!(bench.settle(5_900, "a", Some(stat(5_000, 0))), None);
    let done = Some(Difference::Changed);
    assert_eq!(bench.settle(7_010, "a", Some(stat(5_000, 0))), done);
}

#[test]
fn a_new_empty_file_is_given_out_although_it_is_looked_at_while_it_is_held() {
    let mut bench = Bench::new(None, &scan(&[]));
    let after = scan(&[("a", 5_000, 0)]);
    assert_eq!(bench.look(5_400, &after), []);
    // The times of its file system are over; it is held still.
    for ms in [6_400, 7_400, 7_410] {
        assert_eq!(bench.look(ms, &after), []);
    }
    let done = Some(Difference::Appeared);
    assert_eq!(bench.settle(7_420, "a", Some(stat(5_000, 0))), done);
    assert_eq!(bench.look(8_000, &after), []);
}

/// As a link to a file, which is followed where it appears.
#[test]
fn a_new_file_that_changes_while_it_is_held_is_still_a_new_one() {
    let mut bench = Bench::new(None, &scan(&[]));
    assert_eq!(bench.look(5_010, &scan(&[("a", 5_000, 1)])), []);
    assert_eq!(bench.look(5_060, &scan(&[("a", 5_050, 2)])), []);
    let done = Some(Difference::Appeared);
    assert_eq!(bench.settle(5_140, "a", Some(stat(5_050, 2))), done);
}

#[test]
fn a_removal_waits_and_a_save_undoes_it() {
    let mut bench = Bench::new(None, &scan(&[("a", 0, 1), ("b", 0, 1)]));
    assert_eq!(bench.look(5_000, &scan(&[])), []);
    assert_eq!(bench.settle(5_080, "a", None), Some(Difference::Gone));
    assert_eq!(bench.settle(5_080, "b", Some(stat(5_070, 1))), None);
    let back = Some(Difference::Changed);
    assert_eq!(bench.settle(5_160, "b", Some(stat(5_070, 1))), back);
}

#[test]
fn what_cannot_be_looked_at_for_a_while_is_not_gone() {
    let error = || io::Error::other("the server restarts");
    let mut bench = Bench::new(None, &scan(&[("a", 0, 1), ("b", 0, 1)]));
    let after = scan(&[("a", 5_000, 2), ("b", 0, 1)]);
    assert_eq!(bench.look(5_010, &after), []);
    for ms in [5_100, 9_000] {
        assert_eq!(bench.settle_with(ms, "a", &Err(error())), None);
    }
    let unknown = Scan {
        unknown: vec!["/d/a".into(), "/d/b".into(), "/d/.gitignore".into()],
        ..scan(&[])
    };
    assert_eq!(bench.look(9_010, &unknown), []);
    let done = Some(Difference::Changed);
    assert_eq!(bench.settle(9_090, "a", Some(stat(5_000, 2))), done);
    let removed = scan(&[("a", 5_000, 2)]);
    assert_eq!(bench.look(9_100, &after), said("a", Difference::Again));
    assert_eq!(bench.look(9_200, &removed), []);
    assert_eq!(bench.settle(9_280, "b", None), Some(Difference::Gone));
}

#[test]
fn what_was_given_out_as_gone_appears_when_it_is_back_whatever_it_looks_like() {
    let mut bench = Bench::new(None, &scan(&[("a", 0, 1)]));
    let after = scan(&[("a", 5_000, 2)]);
    assert_eq!(bench.look(5_010, &after), []);
    assert_eq!(bench.settle(5_090, "a", None), None);
    assert_eq!(bench.settle(5_170, "a", None), Some(Difference::Gone));
    assert_eq!(bench.look(5_200, &after), said("a", Difference::Appeared));
}

#[test]
fn a_directory_that_becomes_a_link_appears_and_so_does_a_link_that_becomes_one() {
    let own = Scan {
        directories: vec!["/d/e".into()],
        ..scan(&[])
    };
    let linked = Scan {
        linked_directories: vec!["/d/e".into()],
        ..scan(&[])
    };
    let mut bench = Bench::new(None, &own);
    assert_eq!(bench.look(1_000, &own), []);
    let appeared = said("e", Difference::Appeared);
    assert_eq!(bench.look(2_000, &linked), appeared);
    assert_eq!(bench.look(3_000, &linked), []);
    assert_eq!(bench.look(4_000, &own), appeared);
}

#[test]
fn a_time_that_is_still_to_come_does_not_hide_a_change() {
    let mut bench = Bench::new(None, &scan(&[("a", 0, 1)]));
    assert_eq!(bench.look(5_000, &scan(&[("a", 900_000, 1)])), []);
    let done = Some(Difference::Changed);
    assert_eq!(bench.settle(5_080, "a", Some(stat(900_000, 1))), done);
}

#[test]
fn two_versions_with_the_same_times_are_told_apart_by_a_second_look() {
    let mut bench = Bench::new(None, &scan(&[("a", 0, 1)]));
    let after = scan(&[("a", 5_000, 1)]);
    assert_eq!(bench.look(5_500, &after), said("a", Difference::Changed));
    assert_eq!(bench.look(6_500, &after), []);
    assert_eq!(bench.look(7_500, &after), said("a", Difference::Again));
    assert_eq!(bench.look(9_500, &after), []);
    // So it is for what was new when it was first looked at.
    let mut bench = Bench::new(None, &scan(&[("a", 1, 1)]));
    assert_eq!(bench.look(1_000, &scan(&[("a", 1, 1)])), []);
    let again = bench.look(2_000, &scan(&[("a", 1, 1)]));
    assert_eq!(again, said("a", Difference::Again));
}

#[test]
fn they_are_told_apart_by_a_server_whose_clock_is_behind() {
    let mut bench = Bench::new(None, &scan(&[("a", 0, 1), ("b", 20_000, 1)]));
    let after = scan(&[("a", 20_000, 1), ("b", 20_000, 1)]);
    // The second save may come at any moment up to the end of that second.
    assert_eq!(bench.look(25_000, &after).len(), 2);
    assert_eq!(bench.look(26_900, &after), []);
    assert_eq!(bench.look(27_000, &after), said("a", Difference::Again));
}

#[test]
fn two_versions_of_a_root_that_is_a_file_are_told_apart_as_well() {
    let mut bench = Bench::new(None, &scan(&[]));
    let path = Path::new("/f");
    let start = times(bench.start, 0);
    bench.polling.add_file(0, path, Some(stat(0, 1)), start);
    let mut look = |ms| {
        let times = times(bench.start, ms);
        let given = bench
            .polling
            .look_at_file(path, Some(stat(5_000, 1)), times);
        given.map(|(_, difference, _)| difference)
    };
    assert_eq!(look(5_500), Some(Difference::Changed));
    assert_eq!(look(7_400), None);
    assert_eq!(look(7_500), Some(Difference::Again));
    assert_eq!(look(9_500), None);
}

#[test]
fn an_inode_that_is_numbered_anew_is_no_difference() {
    let mut bench = Bench::new(None, &scan(&[("a", 0, 1)]));
    let mut after = scan(&[("a", 0, 1)]);
    after.files[0].stat.inode = 2;
    assert_eq!(bench.look(5_000, &after), []);
}

#[test]
fn what_leads_to_a_used_file_is_compared() {
    let bench = Bench::new(None, &scan(&[("a", 0, 1)]));
    let times = times(bench.start, 0);
    let moved = |path: &str, entry: Option<Entry<FileStat>>| {
        let moved = bench.polling.moved(Path::new(path), times.0, |_| entry);
        moved.map(|moved| (moved.entry.to_str().unwrap().to_owned(), moved.is_dir))
    };
    let file = |changed_ms| Some(Entry::File(stat(changed_ms, 1)));
    let said = |path: &str, is_dir| Some((path.to_owned(), is_dir));
    assert_eq!(moved("/d/a", file(0)), None);
    assert_eq!(moved("/d/a", None), said("/d/a", false));
    assert_eq!(moved("/d/a", file(1)), said("/d/a", false));
    assert_eq!(moved("/d/a/b", Some(Entry::Link)), said("/d/a", true));
    assert_eq!(moved("/d/new/deep/b", None), None);
    let new = moved("/d/new/deep/b", Some(Entry::Directory));
    assert_eq!(new, said("/d/new", true));
    assert_eq!(moved("/elsewhere/a", None), None);
}

#[test]
fn what_takes_long_is_done_seldom_and_a_round_goes_on_where_it_was() {
    let mut bench = Bench::new(None, &scan(&[]));
    let start = bench.start;
    let at = |ms| start + Duration::from_millis(ms);
    bench
        .polling
        .add(1, Path::new("/e"), &scan(&[]), times(start, 0));
    assert_eq!(bench.polling.due(), Some(at(500)));
    bench.polling.used_done(at(500), at(502));
    assert!(!bench.polling.is_used_due(at(1_001)));
    bench.polling.used_done(at(1_002), at(1_102));
    assert!(!bench.polling.is_used_due(at(3_101)));
    assert!(bench.polling.is_used_due(at(3_102)));

    assert!(bench.polling.is_rest_due(at(1_000)));
    assert_eq!(bench.polling.next_directory(), Some((0, "/d".into())));
    bench.polling.slice_done(at(1_000), false, at(1_020));
    assert!(!bench.polling.is_rest_due(at(1_419)));
    assert!(bench.polling.is_rest_due(at(1_420)));
    assert_eq!(bench.polling.next_directory(), Some((1, "/e".into())));
    assert_eq!(bench.polling.next_directory(), None);
    bench.polling.slice_done(at(1_420), true, at(1_421));
    assert_eq!(bench.polling.next_directory(), Some((0, "/d".into())));
}
