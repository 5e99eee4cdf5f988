//! What to do when something changes, ends, answers or is late: pure, time is an argument.
//!
//! ```text
//! change -> build -> start -> healthy: all new requests go to it -> the old one drains -> and is ended
//!    (idle -> building -> starting -> healthy -> draining -> gone; failed builds and starts change nothing)
//! ```
//!
//! What must stay true (`lifecycle/model.rs` checks it for random histories):
//! - At most one build runs, and at most one instance is starting.
//! - Every change is followed by a build, or where there is none by a start, that begins after it; unless
//!   builds keep changing what they watch (`rounds.rs`).
//! - Requests go to one instance: the newest that has been healthy, while it runs. It is ended only after
//!   they go to another one; in case of a fixed port, after they have been told to wait.
//! - On a fixed port, an instance is started when nothing is left of those before it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::rounds::{self, Change, Rounds, Verdict};

/// The number of an instance of the command: 1 for the first.
pub(crate) type Generation = u64;

/// How often a start is tried again if its port was taken by another program.
const PORT_TRIES: u32 = 5;

/// The first pause before a command that crashes is started again; each further one is twice as long.
const FIRST_BACKOFF: Duration = Duration::from_millis(250);

/// A command that has run for this long before it crashed is started again at once.
const STABLE: Duration = Duration::from_secs(10);

/// The longest pause before a command that crashes is started again.
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The first start.
    Begin,
    /// These paths changed.
    Changed(Change),
    /// The build has ended; nothing of it is left.
    BuildEnded { success: bool },
    /// The instance that was starting answers.
    Healthy(Generation),
    /// The command of an instance has ended, or could not be run.
    Exited {
        generation: Generation,
        /// Because another program has the port.
        port_taken: bool,
    },
    /// The last ordinary request that a draining instance had is done.
    Drained(Generation),
    /// Nothing is left of an instance.
    Gone(Generation),
    /// Time has passed.
    Tick,
    /// End everything.
    Stop,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Run the build command, because of these changes.
    Build(Vec<PathBuf>),
    /// End the build that is running.
    EndBuild,
    /// Run the command as this instance, because of these changes.
    Start(Generation, Vec<PathBuf>),
    /// The start of this instance has taken too long.
    TimedOut(Generation),
    /// Send all new requests to this instance.
    Serve(Generation),
    /// Let new requests wait: an instance is on its way.
    Wait,
    /// Refuse requests, and say why: nothing is on its way.
    Refuse,
    /// Say when an instance has no ordinary requests left; it gets no new ones.
    Drain(Generation),
    /// Send the stop signal to all that belongs to an instance, and KILL after the stop timeout.
    End(Generation),
    /// Say that builds keep changing this path.
    Loop(PathBuf),
    /// Say that the command will be started again after this time.
    Retry(Duration),
}

/// What never changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// There is a build command.
    pub(super) build: bool,
    /// All instances listen on the same port.
    pub(super) fixed: bool,
    pub(super) start_timeout: Duration,
    pub(super) stop_timeout: Duration,
}

/// The work that is under way: at most one thing at a time.
#[derive(Debug)]
enum Work {
    /// The first start was not asked for yet.
    New,
    Idle,
    Building,
    /// An instance is to be started as soon as the ones before it are gone.
    Vacating,
    Starting {
        generation: Generation,
        deadline: Instant,
    },
    /// The command crashed, and is started again at this time.
    BackingOff(Instant),
    /// Builds or starts keep changing what they watch: the next one is put off.
    Holding(Instant),
    Stopped,
}

/// An instance that gets all new requests.
#[derive(Debug)]
struct Current {
    generation: Generation,
    since: Instant,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Lifecycle {
    rules: Rules,
    work: Work,
    current: Option<Current>,
    /// Without new requests; each is ended at this time at the latest.
    draining: Vec<(Generation, Instant)>,
    /// Told to end, or ended by themselves, but something may be left of them.
    ending: Vec<Generation>,
    last: Generation,
    /// The changes that the next build or start is for.
    reason: Vec<PathBuf>,
    /// Changes since the build that is running began.
    since_build: Vec<PathBuf>,
    rounds: Rounds,
    /// Crashes in a row, and failed starts after them.
    crashes: u32,
    /// The instance that had the requests crashed while a build was running.
    revive: bool,
    port_tries: u32,
}

impl Lifecycle {
    pub(super) fn new(rules: Rules) -> Lifecycle {
        Lifecycle {
            rules,
            work: Work::New,
            current: None,
            draining: Vec::new(),
            ending: Vec::new(),
            last: 0,
            reason: Vec::new(),
            since_build: Vec::new(),
            rounds: Rounds::default(),
            crashes: 0,
            revive: false,
            port_tries: 0,
        }
    }

    /// When [`Input::Tick`] is due, at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        let work = match self.work {
            Work::Starting { deadline, .. } => Some(deadline),
            Work::BackingOff(until) => Some(until),
            Work::Holding(since) => Some(since + rounds::HOLD),
            Work::New | Work::Idle | Work::Building | Work::Vacating | Work::Stopped => None,
        };
        let draining = self.draining.iter().map(|(_, deadline)| *deadline);
        draining.chain(work).min()
    }

    /// Whether everything was told to end, and nothing is left.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.work, Work::Stopped) && self.ending.is_empty()
    }

    /// Whether no build or start is under way or about to begin. A command that crashes again and again has
    /// said so, and counts as settled.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.work, Work::Idle | Work::BackingOff(_) | Work::Stopped)
    }

    pub(super) fn handle(&mut self, input: Input, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        let actions_ref = &mut actions;
        if matches!(self.work, Work::Stopped) {
            match input {
                Input::Gone(generation) => self.forget(generation),
                _ => return actions,
            }
            return actions;
        }
        match input {
            Input::Begin => self.begin(now, actions_ref),
            Input::Changed(change) => self.changed(&change, now, actions_ref),
            Input::BuildEnded { success } => self.build_ended(success, now, actions_ref),
            Input::Healthy(generation) => self.healthy(generation, now, actions_ref),
            Input::Exited {
                generation,
                port_taken,
            } => self.exited(generation, port_taken, now, actions_ref),
            Input::Drained(generation) => self.end_drained(|(g, _)| *g == generation, actions_ref),
            Input::Gone(generation) => {
                self.forget(generation);
                if matches!(self.work, Work::Vacating) {
                    self.launch(now, actions_ref);
                }
            }
            Input::Tick => self.tick(now, actions_ref),
            Input::Stop => self.stop(actions_ref),
        }
        actions
    }

    /// Begins a round: a build and a start, or a start alone.
    fn begin(&mut self, now: Instant, actions: &mut Vec<Action>) {
        (self.crashes, self.port_tries) = (0, 0);
        if self.current.is_none() {
            actions.push(Action::Wait);
        }
        match self.rules.build {
            true => {
                self.work = Work::Building;
                actions.push(Action::Build(std::mem::take(&mut self.reason)));
            }
            false => self.launch(now, actions),
        }
    }

    /// Starts the next instance; on a fixed port, once nothing is left of those before it.
    fn launch(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.revive = false;
        let replaced = self.current.take_if(|_| self.rules.fixed);
        if self.current.is_none() {
            actions.push(Action::Wait);
        }
        if let Some(replaced) = replaced {
            self.drain(replaced.generation, now, actions);
        }
        if self.rules.fixed && !(self.draining.is_empty() && self.ending.is_empty()) {
            self.work = Work::Vacating;
            return;
        }
        self.last += 1;
        self.work = Work::Starting {
            generation: self.last,
            deadline: now + self.rules.start_timeout,
        };
        let reason = std::mem::take(&mut self.reason);
        actions.push(Action::Start(self.last, reason));
    }

    fn drain(&mut self, generation: Generation, now: Instant, actions: &mut Vec<Action>) {
        self.draining
            .push((generation, now + self.rules.stop_timeout));
        actions.push(Action::Drain(generation));
    }

    fn changed(&mut self, change: &Change, now: Instant, actions: &mut Vec<Action>) {
        let verdict = match self.work {
            // One more build follows: which, is decided when this one has ended.
            Work::Building => return add(&mut self.since_build, &change.paths),
            Work::Starting { generation, .. } => {
                let verdict = self.rounds.during(&change.paths);
                // It may have read the files before the change. No request has gone to it yet.
                if !matches!(verdict, Verdict::Stop(_)) {
                    self.end(generation, actions);
                }
                verdict
            }
            Work::Holding(since) => match self.rounds.while_held(change, since, now) {
                Verdict::Hold => return add(&mut self.reason, &change.paths),
                verdict => verdict,
            },
            Work::Idle => self.rounds.outside(change, now),
            // The first start comes after it anyway.
            Work::New => return,
            // The next start is after this change anyway.
            Work::Vacating if !self.rules.build => return add(&mut self.reason, &change.paths),
            Work::Vacating | Work::BackingOff(_) => Verdict::Again,
            Work::Stopped => return,
        };
        self.follow(verdict, &change.paths, now, actions);
    }

    fn follow(
        &mut self,
        verdict: Verdict,
        paths: &[PathBuf],
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        match verdict {
            Verdict::Again => {
                add(&mut self.reason, paths);
                self.begin(now, actions);
            }
            Verdict::Hold => {
                add(&mut self.reason, paths);
                self.work = Work::Holding(now);
            }
            Verdict::Stop(path) => actions.push(Action::Loop(path)),
        }
    }

    fn build_ended(&mut self, success: bool, now: Instant, actions: &mut Vec<Action>) {
        if !matches!(self.work, Work::Building) {
            return;
        }
        self.work = Work::Idle;
        let paths = std::mem::take(&mut self.since_build);
        if !paths.is_empty() {
            let verdict = self.rounds.during(&paths);
            let another = !matches!(verdict, Verdict::Stop(_));
            self.follow(verdict, &paths, now, actions);
            if another {
                return;
            }
        }
        // After a failed build, what was there before it is better than nothing.
        if success || (self.revive && self.current.is_none()) {
            return self.launch(now, actions);
        }
        self.rounds.ended(now);
        if self.current.is_none() {
            actions.push(Action::Refuse);
        }
    }

    fn healthy(&mut self, generation: Generation, now: Instant, actions: &mut Vec<Action>) {
        if !self.is_starting(generation) {
            return;
        }
        self.work = Work::Idle;
        self.rounds.ended(now);
        let since = now;
        let old = self.current.replace(Current { generation, since });
        actions.push(Action::Serve(generation));
        if let Some(old) = old {
            self.drain(old.generation, now, actions);
        }
    }

    fn exited(
        &mut self,
        generation: Generation,
        port_taken: bool,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        self.draining.retain(|(drained, _)| *drained != generation);
        add(&mut self.ending, &[generation]);
        if self.is_starting(generation) {
            self.port_tries += u32::from(port_taken);
            return match port_taken && self.port_tries < PORT_TRIES {
                true => self.launch(now, actions),
                false => self.start_failed(now, actions),
            };
        }
        let crashed = |current: &mut Current| current.generation == generation;
        let Some(current) = self.current.take_if(crashed) else {
            return;
        };
        if now >= current.since + STABLE {
            self.crashes = 0;
        }
        match self.work {
            Work::Idle => self.retry(Action::Wait, now, actions),
            // What is under way replaces it.
            _ => {
                self.revive = true;
                actions.push(Action::Wait);
            }
        }
    }

    /// The instance that was starting has ended or is too late.
    fn start_failed(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.work = Work::Idle;
        self.rounds.ended(now);
        match (&self.current, self.crashes) {
            (Some(_), _) => {}
            // It was healthy once: the cause may be a passing one.
            (None, 1..) => self.retry(Action::Refuse, now, actions),
            (None, 0) => actions.push(Action::Refuse),
        }
    }

    /// Starts a command again that has crashed: at once for the first time, then after longer and longer
    /// pauses. During those, requests wait after a crash, and are refused after a start that failed.
    fn retry(&mut self, meanwhile: Action, now: Instant, actions: &mut Vec<Action>) {
        self.crashes += 1;
        if self.crashes == 1 {
            return self.launch(now, actions);
        }
        let factor = 1 << (self.crashes - 2).min(10);
        let pause = (FIRST_BACKOFF * factor).min(MAX_BACKOFF);
        self.work = Work::BackingOff(now + pause);
        actions.extend([meanwhile, Action::Retry(pause)]);
    }

    fn tick(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.end_drained(|(_, deadline)| *deadline <= now, actions);
        match self.work {
            Work::Starting {
                generation,
                deadline,
            } if deadline <= now => {
                actions.push(Action::TimedOut(generation));
                self.end(generation, actions);
                self.start_failed(now, actions);
            }
            Work::BackingOff(until) if until <= now => self.launch(now, actions),
            Work::Holding(since) if since + rounds::HOLD <= now => self.begin(now, actions),
            _ => {}
        }
    }

    /// Ends the draining instances for which this is so.
    fn end_drained(
        &mut self,
        which: impl Fn(&(Generation, Instant)) -> bool,
        actions: &mut Vec<Action>,
    ) {
        let ended: Vec<_> = self.draining.extract_if(.., |one| which(one)).collect();
        for (generation, _) in ended {
            self.end(generation, actions);
        }
    }

    fn end(&mut self, generation: Generation, actions: &mut Vec<Action>) {
        add(&mut self.ending, &[generation]);
        actions.push(Action::End(generation));
    }

    fn stop(&mut self, actions: &mut Vec<Action>) {
        actions.push(Action::Refuse);
        match std::mem::replace(&mut self.work, Work::Stopped) {
            Work::Building => actions.push(Action::EndBuild),
            Work::Starting { generation, .. } => self.end(generation, actions),
            _ => {}
        }
        if let Some(current) = self.current.take() {
            self.end(current.generation, actions);
        }
        self.end_drained(|_| true, actions);
    }

    fn forget(&mut self, generation: Generation) {
        self.ending.retain(|ending| *ending != generation);
    }

    fn is_starting(&self, generation: Generation) -> bool {
        matches!(self.work, Work::Starting { generation: starting, .. } if starting == generation)
    }
}

/// Adds what is not there yet.
fn add<T: Clone + PartialEq>(list: &mut Vec<T>, more: &[T]) {
    for item in more {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
