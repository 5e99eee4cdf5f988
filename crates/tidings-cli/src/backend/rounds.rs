//! Builds that change what they watch: pure, time is an argument.
//!
//! A change while a build or a start is under way is followed by one more, because it may be a person's
//! save. If the build itself writes watched files, this would never end. A watcher cannot tell who wrote
//! a file, so this is how the two are told apart:
//! - A path that also changes while nothing runs is edited by somebody: it is *trusted*, and its changes
//!   are always built.
//! - Two rounds in a row in which only other paths changed are suspicious. Then the next one is put off for
//!   a moment: whatever changes in it was not written by a build, and ends the suspicion.
//! - If a third one changes such paths again, it stops, until the next change from outside.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a suspicious round is put off.
pub(super) const HOLD: Duration = Duration::from_millis(500);

/// How long after a round its last write may still be reported: the watcher collects bursts and
/// removals for up to 100 ms.
const LATE: Duration = Duration::from_millis(150);

/// Rounds in a row with changes of untrusted paths only, after which it stops.
const MAX_UNTRUSTED: u32 = 3;

/// Rounds in a row in which the same trusted path changed, after which it stops: builds that rewrite a
/// file that somebody also edits.
const MAX_TRUSTED: u32 = 10;

/// How many trusted paths are remembered. Beyond that, new ones count as untrusted.
const MAX_PATHS: usize = 10_000;

/// Paths that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) paths: Vec<PathBuf>,
    /// When the newest of them was written, by its own time; none if all were removed.
    pub(super) written: Option<Instant>,
}

impl Change {
    /// Whether a round that ended at this time may have written it, and the watcher was late.
    fn is_of(&self, ended: Instant, now: Instant) -> bool {
        // File systems round times down.
        now < ended + LATE && self.written.is_none_or(|written| written <= ended)
    }
}

/// What to do about changes during a round.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Another round.
    Again,
    /// Another round after [`HOLD`], or as soon as something changes.
    Hold,
    /// No more rounds: this path is what keeps changing.
    Stop(PathBuf),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    trusted: HashSet<PathBuf>,
    /// Rounds in a row with changes of untrusted paths only.
    n_untrusted: u32,
    /// Rounds in a row with changes of any kind.
    n_rounds: u32,
    /// The paths that changed in every one of them.
    common: Vec<PathBuf>,
    ended: Option<Instant>,
}

impl Rounds {
    /// A round has ended, and no other follows for now.
    pub(super) fn ended(&mut self, now: Instant) {
        self.ended = Some(now);
    }

    /// These paths changed while nothing ran.
    pub(super) fn outside(&mut self, change: &Change, now: Instant) -> Verdict {
        let untrusted = |path: &PathBuf| !self.trusted.contains(path);
        let late = self.ended.is_some_and(|ended| change.is_of(ended, now));
        if late && change.paths.iter().all(untrusted) {
            return self.during(&change.paths);
        }
        self.trust(&change.paths);
        Verdict::Again
    }

    /// These paths changed while a round that is suspicious was put off since `since`.
    pub(super) fn while_held(&mut self, change: &Change, since: Instant, now: Instant) -> Verdict {
        if change.is_of(since, now) {
            return Verdict::Hold;
        }
        self.trust(&change.paths);
        Verdict::Again
    }

    fn trust(&mut self, paths: &[PathBuf]) {
        let room = MAX_PATHS.saturating_sub(self.trusted.len());
        self.trusted.extend(paths.iter().take(room).cloned());
        (self.n_untrusted, self.n_rounds) = (0, 0);
        self.common.clear();
    }

    /// These paths changed during the round that ends now.
    pub(super) fn during(&mut self, paths: &[PathBuf]) -> Verdict {
        let trusted = paths.iter().any(|path| self.trusted.contains(path));
        self.n_rounds += 1;
        self.n_untrusted = if trusted { 0 } else { self.n_untrusted + 1 };
        match self.n_rounds {
            1 => self.common = paths.to_vec(),
            _ => self.common.retain(|path| paths.contains(path)),
        }
        // Names that differ each time, as of bundles with a hash in them, are as suspicious.
        let suspect = self.common.first().or(paths.first()).cloned();
        let suspect = suspect.unwrap_or_default();
        match (self.n_untrusted, self.n_rounds) {
            (MAX_UNTRUSTED.., _) => self.stop(suspect),
            (_, MAX_TRUSTED..) if !self.common.is_empty() => self.stop(suspect),
            (2, _) | (_, 4..) => Verdict::Hold,
            _ => Verdict::Again,
        }
    }

    fn stop(&mut self, path: PathBuf) -> Verdict {
        (self.n_untrusted, self.n_rounds) = (0, 0);
        self.common.clear();
        Verdict::Stop(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    fn change(name: &str, written: Instant) -> Change {
        Change {
            paths: paths(&[name]),
            written: Some(written),
        }
    }

    fn saved(rounds: &mut Rounds, name: &str) {
        let now = Instant::now();
        assert_eq!(rounds.outside(&change(name, now), now), Verdict::Again);
    }

    #[test]
    fn builds_that_keep_writing_stop_after_three() {
        for names in [["out", "out", "out"], ["out.1", "out.2", "out.3"]] {
            let mut rounds = Rounds::default();
            saved(&mut rounds, "main.rs");
            assert_eq!(rounds.during(&paths(&names[..1])), Verdict::Again);
            assert_eq!(rounds.during(&paths(&names[1..2])), Verdict::Hold);
            let stop = Verdict::Stop(names[2].into());
            assert_eq!(rounds.during(&paths(&names[2..])), stop);
            // The next save starts from the beginning.
            saved(&mut rounds, "main.rs");
            assert_eq!(rounds.during(&paths(&names[..1])), Verdict::Again);
        }
    }

    #[test]
    fn a_file_that_somebody_saves_during_each_build_is_built_each_time() {
        let mut rounds = Rounds::default();
        saved(&mut rounds, "main.rs");
        for _ in 0..9 {
            let verdict = rounds.during(&paths(&["main.rs", "out"]));
            assert!(!matches!(verdict, Verdict::Stop(_)), "{verdict:?}");
        }
        // Unless nothing else ever happens in between.
        let verdict = rounds.during(&paths(&["main.rs"]));
        assert_eq!(verdict, Verdict::Stop("main.rs".into()));
    }

    #[test]
    fn a_save_while_a_suspicious_round_is_put_off_ends_the_suspicion() {
        let since = Instant::now();
        let mut rounds = Rounds::default();
        rounds.during(&paths(&["a"]));
        assert_eq!(rounds.during(&paths(&["a"])), Verdict::Hold);
        // The build's own last write, reported late.
        let now = since + LATE / 2;
        let late = rounds.while_held(&change("a", since), since, now);
        assert_eq!(late, Verdict::Hold);
        let saved = rounds.while_held(&change("a", now), since, now);
        assert_eq!(saved, Verdict::Again);
        for _ in 0..2 {
            let verdict = rounds.during(&paths(&["a"]));
            assert_eq!(verdict, Verdict::Again, "it is trusted now");
        }
    }

    #[test]
    fn the_last_write_of_a_build_that_is_reported_after_it_counts_as_its_own() {
        let mut rounds = Rounds::default();
        let ended = Instant::now();
        let now = ended + LATE / 2;
        for expected in [Verdict::Again, Verdict::Hold, Verdict::Stop("out".into())] {
            rounds.ended(ended);
            assert_eq!(rounds.outside(&change("out", ended), now), expected);
        }
        // A person who is that quick, over and over.
        for _ in 0..5 {
            rounds.ended(ended);
            assert_eq!(rounds.outside(&change("new", now), now), Verdict::Again);
        }
        // What is removed has no time.
        let removed = Change {
            paths: paths(&["gone"]),
            written: None,
        };
        for (now, expected) in [
            (now, Verdict::Again),
            (now, Verdict::Hold),
            (ended + LATE, Verdict::Again),
        ] {
            assert_eq!(rounds.outside(&removed, now), expected);
        }
    }
}
