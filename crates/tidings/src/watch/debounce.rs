//! When to report a change: at once for one complete save, together for a burst.
//!
//! A fixed trailing wait (what most peers do) makes every save late; no wait at all makes a
//! checkout of two hundred files two hundred notices. So: the first complete saves go out at
//! once, and only what comes too fast after them is gathered, until it is quiet or the cap is
//! reached.
//!
//! What must stay true:
//! - pure: no IO, no clock; the time is an argument and never goes back;
//! - a path whose last signal was a completion (or a removal) is released at or after that signal, at
//!   most [`GATHER_CAP`] later, and never twice in one set;
//! - nothing is released without a signal;
//! - a removal is never released at once: an editor's safe write removes and re-creates, and
//!   whoever looks at the path when it is released sees how it ended.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Quiet time that ends a gathering.
pub(super) const GATHER_QUIET: Duration = Duration::from_millis(10);
/// A gathering never lasts longer than this.
pub(super) const GATHER_CAP: Duration = Duration::from_millis(100);
/// A file that is written and never closed is released at the latest this often.
pub(super) const WRITE_CAP: Duration = Duration::from_secs(1);

/// An empty file that is still open is about to be written: it is waited for this long.
pub(super) const EMPTY_CAP: Duration = Duration::from_secs(2);

/// At most this many saves go out at once within [`BURST_WINDOW`]; more are a burst.
const BURST: usize = 8;
const BURST_WINDOW: Duration = Duration::from_millis(50);

/// More paths than this are not held: the set then says that anything may have changed.
const HELD_LIMIT: usize = 65_536;

/// What was seen of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// It is being written (or was created) and not closed yet.
    Written {
        /// There is nothing in it (any more, or yet).
        empty: bool,
    },
    /// The writer is done.
    Complete {
        /// Nobody knew this path before. It is gathered: it may be a temporary that is renamed
        /// over its target in a moment, and nobody can be looking at it yet.
        fresh: bool,
    },
    /// It was removed or moved away.
    Removed,
}

/// What is ready to be reported.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// Each path once, sorted.
    pub(super) paths: Vec<PathBuf>,
    /// More was touched than could be held.
    pub(super) lost: bool,
}

/// Where a held path is.
#[derive(Clone, Copy, Debug)]
enum Held {
    /// Done: waits for the gathering to end.
    Settled,
    /// Written since, last written at. `since` begins anew with the first bytes in an empty file.
    Writing {
        since: Instant,
        last: Instant,
        empty: bool,
    },
}

/// The gathering that is under way.
#[derive(Clone, Copy, Debug)]
struct Gathering {
    since: Instant,
    last: Instant,
    /// Completions are in it because they came too fast: later ones join it.
    burst: bool,
}

/// The state machine.
#[derive(Debug)]
pub(super) struct Debouncer {
    write_quiet: Duration,
    held: HashMap<PathBuf, Held>,
    gathering: Option<Gathering>,
    /// What went out at once within the last [`BURST_WINDOW`]; never more than [`BURST`].
    recent: VecDeque<(Instant, PathBuf)>,
    lost: bool,
}

impl Debouncer {
    /// `write_quiet`: how long a file nobody closed must be left alone to count as done.
    pub(super) fn new(write_quiet: Duration) -> Debouncer {
        Debouncer {
            write_quiet,
            held: HashMap::new(),
            gathering: None,
            recent: VecDeque::with_capacity(BURST),
            lost: false,
        }
    }

    /// Whether something is held for this path.
    pub(super) fn holds(&self, path: &Path) -> bool {
        self.held.contains_key(path)
    }

    /// The paths that are held, of the entries of one directory.
    pub(super) fn held_in(&self, directory: &Path) -> impl Iterator<Item = &PathBuf> {
        let held = self.held.keys();
        held.filter(move |path| path.parent() == Some(directory))
    }

    /// Takes a signal. Returns the path if it is to be reported at once.
    pub(super) fn signal(
        &mut self,
        path: PathBuf,
        signal: Signal,
        now: Instant,
    ) -> Option<PathBuf> {
        match signal {
            Signal::Written { empty } => {
                let since = match self.held.get(&path) {
                    Some(Held::Writing { empty: true, .. }) if !empty => now,
                    Some(Held::Writing { since, .. }) => *since,
                    // It is still to be released.
                    Some(Held::Settled) => self.gathering.map_or(now, |gathering| gathering.since),
                    None => now,
                };
                let last = now;
                self.hold(path, Held::Writing { since, last, empty });
                None
            }
            Signal::Removed => {
                self.gather(path, now, false);
                None
            }
            Signal::Complete { fresh: true } => {
                self.gather(path, now, false);
                None
            }
            Signal::Complete { fresh: false } => self.complete(path, now),
        }
    }

    fn complete(&mut self, path: PathBuf, now: Instant) -> Option<PathBuf> {
        while let Some((at, _)) = self.recent.front()
            && now.duration_since(*at) >= BURST_WINDOW
        {
            self.recent.pop_front();
        }
        let bursting = self.gathering.is_some_and(|gathering| gathering.burst);
        let again = self
            .recent
            .iter()
            .any(|(at, recent)| now.duration_since(*at) < GATHER_QUIET && *recent == path);
        if bursting || again || self.recent.len() >= BURST {
            self.gather(path, now, !again);
            return None;
        }
        // Whatever was held of it (a removal that is now undone, a write that is now closed) is
        // part of this save.
        self.held.remove(&path);
        self.recent.push_back((now, path.clone()));
        Some(path)
    }

    fn gather(&mut self, path: PathBuf, now: Instant, burst: bool) {
        let gathering = self.gathering.get_or_insert(Gathering {
            since: now,
            last: now,
            burst,
        });
        gathering.last = now;
        gathering.burst |= burst;
        self.hold(path, Held::Settled);
    }

    fn hold(&mut self, path: PathBuf, held: Held) {
        if self.held.len() >= HELD_LIMIT && !self.held.contains_key(&path) {
            self.lost = true;
        } else {
            self.held.insert(path, held);
        }
    }

    /// Whether anything is held since then. It is released some day, so this does not stay true.
    pub(super) fn holds_since(&self, time: Instant) -> bool {
        let gathered = self.gathering.map(|gathering| gathering.since);
        let written = self.held.values().filter_map(|held| match held {
            Held::Settled => None,
            Held::Writing { since, .. } => Some(*since),
        });
        written.chain(gathered).any(|since| since <= time)
    }

    /// When [`take_due`](Self::take_due) has something to give.
    pub(super) fn due(&self) -> Option<Instant> {
        let gathered = self.gathering.map(Gathering::due);
        let held = self.held.values();
        let written = held.filter_map(|held| held.written_due(self.write_quiet));
        written.chain(gathered).min()
    }

    /// Takes out everything whose time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Due {
        let ended = self
            .gathering
            .is_some_and(|gathering| gathering.due() <= now);
        if ended {
            self.gathering = None;
        }
        let write_quiet = self.write_quiet;
        let mut paths: Vec<PathBuf> = self
            .held
            .extract_if(|_, held| match held.written_due(write_quiet) {
                None => ended,
                Some(due) => due <= now,
            })
            .map(|(path, _)| path)
            .collect();
        paths.sort_unstable();
        let lost = (ended || self.held.is_empty()) && std::mem::take(&mut self.lost);
        Due { paths, lost }
    }
}

impl Held {
    /// When a file that nobody closes counts as done; none where the writer is done.
    fn written_due(&self, write_quiet: Duration) -> Option<Instant> {
        match *self {
            Held::Settled => None,
            Held::Writing {
                since, empty: true, ..
            } => Some(since + EMPTY_CAP),
            Held::Writing { since, last, .. } => Some((last + write_quiet).min(since + WRITE_CAP)),
        }
    }
}

impl Gathering {
    fn due(self) -> Instant {
        (self.last + GATHER_QUIET).min(self.since + GATHER_CAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WRITE_QUIET: Duration = Duration::from_millis(100);
    const WRITTEN: Signal = Signal::Written { empty: false };
    const EMPTIED: Signal = Signal::Written { empty: true };
    const SAVED: Signal = Signal::Complete { fresh: false };

    /// A debouncer with a clock that the test turns.
    struct Bench {
        debouncer: Debouncer,
        start: Instant,
    }

    impl Bench {
        fn new() -> Bench {
            Bench {
                debouncer: Debouncer::new(WRITE_QUIET),
                start: Instant::now(),
            }
        }

        fn at(&mut self, ms: u64, path: &str, signal: Signal) -> bool {
            let now = self.start + Duration::from_millis(ms);
            self.debouncer.signal(path.into(), signal, now).is_some()
        }

        fn due_at(&mut self, ms: u64) -> Vec<String> {
            let now = self.start + Duration::from_millis(ms);
            let due = self.debouncer.take_due(now);
            due.paths
                .iter()
                .map(|path| path.display().to_string())
                .collect()
        }
    }

    #[test]
    fn the_first_complete_save_goes_out_at_once() {
        let mut bench = Bench::new();
        assert!(bench.at(0, "a", SAVED));
        assert_eq!(bench.debouncer.due(), None);
    }

    #[test]
    fn the_same_path_again_is_gathered() {
        let mut bench = Bench::new();
        assert!(bench.at(0, "a", SAVED));
        assert!(!bench.at(3, "a", SAVED));
        assert!(bench.at(4, "b", SAVED));
        assert!(bench.due_at(12).is_empty());
        assert_eq!(bench.due_at(13), ["a"]);
    }

    #[test]
    fn the_ninth_save_in_fifty_ms_starts_a_burst() {
        let mut bench = Bench::new();
        for (ms, path) in (0..8).zip(["a", "b", "c", "d", "e", "f", "g", "h"]) {
            assert!(bench.at(ms, path, SAVED));
        }
        assert!(!bench.at(8, "i", SAVED));
        assert!(!bench.at(9, "j", SAVED));
        assert_eq!(bench.due_at(19), ["i", "j"]);
        assert!(bench.at(60, "k", SAVED));
    }

    #[test]
    fn a_burst_without_a_pause_ends_at_the_cap() {
        let mut bench = Bench::new();
        for ms in 0..8 {
            bench.at(ms, &format!("a{ms}"), SAVED);
        }
        for ms in 8..108 {
            bench.at(ms, &format!("a{ms}"), SAVED);
            assert!(bench.due_at(ms).is_empty());
        }
        assert_eq!(bench.due_at(108).len(), 100);
    }

    #[test]
    fn a_removal_waits_and_a_save_undoes_it() {
        let mut bench = Bench::new();
        bench.at(0, "a", Signal::Removed);
        assert!(bench.at(2, "a", SAVED));
        assert!(bench.due_at(50).is_empty());
        bench.at(60, "a", Signal::Removed);
        assert_eq!(bench.due_at(70), ["a"]);
    }

    #[test]
    fn a_file_nobody_closes_is_done_after_its_quiet_time() {
        let mut bench = Bench::new();
        bench.at(0, "a", WRITTEN);
        bench.at(90, "a", WRITTEN);
        assert!(bench.due_at(189).is_empty());
        assert_eq!(bench.due_at(190), ["a"]);
    }

    #[test]
    fn a_close_ends_the_wait_for_quiet() {
        let mut bench = Bench::new();
        bench.at(0, "a", WRITTEN);
        assert!(bench.at(5, "a", SAVED));
        assert_eq!(bench.debouncer.due(), None);
    }

    #[test]
    fn a_file_written_for_ever_is_spoken_of_once_a_second() {
        let mut bench = Bench::new();
        for ms in (0..1000).step_by(50) {
            bench.at(ms, "a", WRITTEN);
            assert!(bench.due_at(ms).is_empty());
        }
        assert_eq!(bench.due_at(1000), ["a"]);
    }

    #[test]
    fn an_emptied_file_waits_for_its_text() {
        let mut bench = Bench::new();
        bench.at(0, "a", EMPTIED);
        assert!(bench.due_at(1900).is_empty());
        bench.at(1900, "a", WRITTEN);
        assert!(bench.due_at(1979).is_empty());
        assert_eq!(bench.due_at(2000), ["a"]);
        bench.at(3000, "a", EMPTIED);
        assert!(bench.at(3500, "a", SAVED), "it was closed");
    }

    #[test]
    fn an_emptied_file_waits_no_longer_than_the_cap() {
        let mut bench = Bench::new();
        bench.at(0, "a", EMPTIED);
        bench.at(1500, "a", EMPTIED);
        assert_eq!(bench.due_at(2000), ["a"]);
    }

    #[test]
    fn a_file_written_again_while_gathered_waits_for_its_close() {
        let mut bench = Bench::new();
        bench.at(0, "a", Signal::Complete { fresh: true });
        bench.at(5, "a", WRITTEN);
        assert!(bench.due_at(20).is_empty());
        assert!(bench.at(21, "a", SAVED));
    }

    #[test]
    fn more_than_can_be_held_is_said_to_be_lost() {
        let mut bench = Bench::new();
        for n in 0..=HELD_LIMIT {
            bench.at(0, &n.to_string(), Signal::Removed);
        }
        let due = bench.debouncer.take_due(bench.start + GATHER_CAP);
        assert_eq!(due.paths.len(), HELD_LIMIT);
        assert!(due.lost);
    }

    fn signals() -> impl Strategy<Value = Vec<(u64, u8, Signal)>> {
        let signal = prop_oneof![
            Just(WRITTEN),
            Just(EMPTIED),
            Just(SAVED),
            Just(Signal::Complete { fresh: true }),
            Just(Signal::Removed),
        ];
        proptest::collection::vec((0u64..40, 0u8..12, signal), 1..120)
    }

    proptest! {
        /// The invariants of the module, for any signals at any times: `take_due` is called exactly
        /// when `due` says, as the watch thread does.
        #[test]
        fn every_completed_path_is_released_after_its_last_sign_within_the_cap(signals in signals()) {
            let start = Instant::now();
            let mut now = start;
            let mut debouncer = Debouncer::new(WRITE_QUIET);
            // Path -> (time of its last signal, how long it may be held).
            let mut owed: HashMap<PathBuf, (Instant, Duration)> = HashMap::new();
            let mut touched: HashMap<PathBuf, Instant> = HashMap::new();

            let release = |due: Due, at: Instant,
                               owed: &mut HashMap<PathBuf, (Instant, Duration)>,
                               touched: &HashMap<PathBuf, Instant>| {
                let mut unique = due.paths.clone();
                unique.dedup();
                prop_assert_eq!(unique.len(), due.paths.len());
                for path in due.paths {
                    prop_assert!(touched.contains_key(&path));
                    let (since, cap) = owed.remove(&path).expect("released, though owed nothing");
                    prop_assert!(at >= since && at - since <= cap, "{:?}", at - since);
                }
                Ok(())
            };

            for (wait_ms, name, signal) in signals {
                let next = now + Duration::from_millis(wait_ms);
                while let Some(due) = debouncer.due().filter(|due| *due <= next) {
                    let due_now = due.max(now);
                    let set = debouncer.take_due(due_now);
                    prop_assert!(!set.paths.is_empty() || debouncer.due() != Some(due));
                    release(set, due_now, &mut owed, &touched)?;
                }
                now = next;
                let path = PathBuf::from(name.to_string());
                touched.insert(path.clone(), now);
                let cap = match signal {
                    Signal::Written { empty: true } => EMPTY_CAP,
                    Signal::Written { empty: false } => WRITE_QUIET,
                    _ => GATHER_CAP,
                };
                owed.insert(path.clone(), (now, cap));
                if let Some(at_once) = debouncer.signal(path.clone(), signal, now) {
                    prop_assert_eq!(&at_once, &path);
                    prop_assert_eq!(signal, SAVED);
                    owed.remove(&path);
                }
            }
            while let Some(due) = debouncer.due() {
                let set = debouncer.take_due(due.max(now));
                release(set, due.max(now), &mut owed, &touched)?;
            }
            prop_assert!(owed.is_empty(), "never released: {:?}", owed);
        }
    }
}
