//! Random histories: a world that builds, starts, crashes and is late as it likes, and what must hold at
//! each step and at the end.

use proptest::prelude::*;

use super::*;

const RULES: Rules = Rules {
    build: true,
    fixed: false,
    start_timeout: Duration::from_secs(30),
    stop_timeout: Duration::from_secs(5),
};

/// What the world does next. What makes no sense at that moment is skipped.
#[derive(Clone, Debug)]
enum Step {
    Save(u8),
    BuildEnds {
        success: bool,
    },
    Healthy,
    /// The n-th instance that runs exits.
    Exit {
        nth: usize,
        port_taken: bool,
    },
    RequestsDone,
    Gone(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8).prop_map(Step::Save),
        4 => any::<bool>().prop_map(|success| Step::BuildEnds { success }),
        4 => Just(Step::Healthy),
        2 => (0..4_usize, prop::bool::weighted(0.2))
            .prop_map(|(nth, port_taken)| Step::Exit { nth, port_taken }),
        2 => Just(Step::RequestsDone),
        3 => (0..4_usize).prop_map(Step::Gone),
        3 => prop_oneof![1..400_u64, 1000..20_000_u64, Just(31_000)].prop_map(Step::Pass),
    ]
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum State {
    Starting,
    Healthy,
    Exited,
}

#[derive(Debug)]
struct Process {
    generation: Generation,
    state: State,
    told_to_end: bool,
    draining_since: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
enum Served {
    To(Generation),
    Wait,
    Refuse,
}

struct World {
    lifecycle: Lifecycle,
    rules: Rules,
    now: Instant,
    building: bool,
    processes: Vec<Process>,
    served: Served,
    /// The number of saves so far, of those before the last build or start began, and of those in what is
    /// served or was tried last.
    saves: u32,
    begun: u32,
    loops: u32,
    stopped: bool,
}

impl World {
    fn new(rules: Rules) -> World {
        World {
            lifecycle: Lifecycle::new(rules),
            rules,
            now: Instant::now(),
            building: false,
            processes: Vec::new(),
            served: Served::Wait,
            saves: 0,
            begun: 0,
            loops: 0,
            stopped: false,
        }
    }

    fn process(&mut self, generation: Generation) -> &mut Process {
        let found = self
            .processes
            .iter_mut()
            .find(|process| process.generation == generation);
        found.expect("an action names an instance that is there")
    }

    fn input(&mut self, input: Input) {
        for action in self.lifecycle.handle(input, self.now) {
            self.act(&action);
        }
        self.check();
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Build(_) => {
                assert!(self.rules.build && !self.building, "never two builds");
                assert!(!self.stopped);
                self.building = true;
                self.begun = self.saves;
            }
            Action::EndBuild => assert!(self.building && self.stopped),
            Action::Start(generation, _) => {
                assert!(!self.stopped && !self.building);
                let starts = |p: &&Process| p.state == State::Starting && !p.told_to_end;
                assert_eq!(
                    self.processes.iter().find(starts).map(|p| p.generation),
                    None
                );
                if self.rules.fixed {
                    assert!(self.processes.is_empty(), "{:?}", self.processes);
                }
                if !self.rules.build {
                    self.begun = self.saves;
                }
                self.processes.push(Process {
                    generation: *generation,
                    state: State::Starting,
                    told_to_end: false,
                    draining_since: None,
                });
            }
            Action::TimedOut(generation) => {
                assert_eq!(self.process(*generation).state, State::Starting);
            }
            Action::Serve(generation) => {
                let process = self.process(*generation);
                assert_eq!(process.state, State::Healthy);
                assert!(!process.told_to_end && process.draining_since.is_none());
                if let Served::To(before) = self.served {
                    assert!(before < *generation, "never back to an old one");
                }
                self.served = Served::To(*generation);
            }
            Action::Wait => self.served = Served::Wait,
            Action::Refuse => self.served = Served::Refuse,
            Action::Drain(generation) => {
                assert_ne!(self.served, Served::To(*generation));
                let now = self.now;
                self.process(*generation).draining_since = Some(now);
            }
            Action::End(generation) => {
                assert_ne!(self.served, Served::To(*generation));
                let process = self.process(*generation);
                assert!(!process.told_to_end, "told once");
                process.told_to_end = true;
            }
            Action::Loop(_) => {
                self.loops += 1;
                // What is lost by it is said. The next save is not.
                self.begun = self.saves;
            }
            Action::Retry(pause) => assert!(*pause <= MAX_BACKOFF),
        }
    }

    fn check(&self) {
        if let Served::To(generation) = self.served {
            let process = self.processes.iter().find(|p| p.generation == generation);
            let state = process.map(|process| process.state);
            assert_eq!(state, Some(State::Healthy), "requests go to what runs");
        }
        for process in &self.processes {
            let overdue = process
                .draining_since
                .is_some_and(|since| self.now > since + self.rules.stop_timeout);
            let ended = process.told_to_end || process.state == State::Exited;
            assert!(!overdue || ended, "{process:?} drains for ever");
        }
        if self.served == Served::Wait && !self.stopped {
            let starting = self.processes.iter().any(|p| p.state == State::Starting);
            let vacating = !self.processes.is_empty() && self.rules.fixed;
            let timed = self.lifecycle.due().is_some();
            let hope = self.building || starting || vacating || timed;
            assert!(hope, "requests wait for nothing");
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Save(path) => {
                self.saves += 1;
                self.input(Input::Changed(Change {
                    paths: vec![format!("{path}").into()],
                    written: Some(self.now),
                }));
            }
            Step::BuildEnds { success } if self.building => {
                self.building = false;
                let success = *success;
                self.input(Input::BuildEnded { success });
            }
            Step::Healthy => {
                let starting = self.processes.iter_mut();
                let starting = starting.filter(|p| p.state == State::Starting && !p.told_to_end);
                let found = starting.last().map(|process| {
                    process.state = State::Healthy;
                    process.generation
                });
                if let Some(generation) = found {
                    self.input(Input::Healthy(generation));
                }
            }
            Step::Exit { nth, port_taken } => {
                let running = self.processes.iter_mut();
                let mut running = running.filter(|p| p.state != State::Exited);
                let found = running.nth(*nth).map(|process| {
                    let port_taken = *port_taken && process.state == State::Starting;
                    process.state = State::Exited;
                    (process.generation, port_taken)
                });
                if let Some((generation, port_taken)) = found {
                    let is_served = self.served == Served::To(generation);
                    let input = Input::Exited {
                        generation,
                        port_taken,
                    };
                    self.input(input);
                    if is_served {
                        assert_ne!(self.served, Served::To(generation));
                    }
                }
            }
            Step::RequestsDone => {
                let draining = self.processes.iter();
                let mut draining = draining.filter(|p| p.draining_since.is_some());
                if let Some(process) = draining.next() {
                    let generation = process.generation;
                    self.process(generation).draining_since = None;
                    self.input(Input::Drained(generation));
                }
            }
            Step::Gone(nth) => {
                let exited = self.processes.iter();
                let mut exited = exited.filter(|p| p.state == State::Exited);
                if let Some(process) = exited.nth(*nth) {
                    let generation = process.generation;
                    self.processes.retain(|p| p.generation != generation);
                    self.input(Input::Gone(generation));
                }
            }
            Step::Pass(ms) => {
                let end = self.now + Duration::from_millis(*ms);
                while let Some(due) = self.lifecycle.due().filter(|due| *due <= end) {
                    self.now = due.max(self.now);
                    self.input(Input::Tick);
                }
                self.now = end;
                self.check();
            }
            Step::BuildEnds { .. } => {}
        }
    }

    /// Everything that was begun goes well, nothing new happens.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.step(&Step::BuildEnds { success: true });
            self.step(&Step::Healthy);
            self.step(&Step::RequestsDone);
            if let Some(nth) = self.running_that_were_told() {
                self.step(&Step::Exit {
                    nth,
                    port_taken: false,
                });
            }
            self.step(&Step::Gone(0));
            self.step(&Step::Healthy);
            if let Some(due) = self.lifecycle.due() {
                let ms = due.saturating_duration_since(self.now).as_millis() as u64;
                self.step(&Step::Pass(ms + 1));
            }
        }
    }

    fn running_that_were_told(&self) -> Option<usize> {
        let mut running = self.processes.iter().filter(|p| p.state != State::Exited);
        running.position(|process| process.told_to_end)
    }
}

fn check(rules: Rules, steps: &[Step]) {
    let mut world = World::new(rules);
    world.input(Input::Begin);
    for step in steps {
        world.step(step);
    }
    world.settle();
    assert_eq!(
        world.begun, world.saves,
        "a save that nothing was begun for"
    );
    assert!(!world.building);
    // A last save always gets there.
    world.now += Duration::from_secs(60);
    world.step(&Step::Save(0));
    world.settle();
    assert_eq!(world.begun, world.saves);
    assert!(matches!(world.served, Served::To(_)), "{:?}", world.served);
    let left: Vec<_> = world.processes.iter().map(|p| p.generation).collect();
    assert_eq!(world.served, Served::To(left[0]));
    assert_eq!(left.len(), 1, "nothing of the old ones is left");
    world.stopped = true;
    world.input(Input::Stop);
    assert!(world.processes.iter().all(|process| process.told_to_end));
    world.settle();
    assert!(world.lifecycle.is_over());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn whatever_happens(steps in prop::collection::vec(step(), 0..60), build: bool, fixed: bool) {
        check(Rules { build, fixed, ..RULES }, &steps);
    }
}
