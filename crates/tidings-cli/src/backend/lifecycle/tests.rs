//! Histories, step by step.

use super::*;

const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(5);

struct World {
    lifecycle: Lifecycle,
    now: Instant,
}

impl World {
    fn new(build: bool, fixed: bool) -> World {
        let lifecycle = Lifecycle::new(Rules {
            build,
            fixed,
            start_timeout: START,
            stop_timeout: STOP,
        });
        World {
            lifecycle,
            now: Instant::now(),
        }
    }

    /// One that answers, with instance 1.
    fn healthy(build: bool, fixed: bool) -> World {
        let mut world = World::new(build, fixed);
        world.input(Input::Begin);
        if build {
            world.input(Input::BuildEnded { success: true });
        }
        world.input(Input::Healthy(1));
        world.pass(Duration::from_secs(60));
        world
    }

    fn input(&mut self, input: Input) -> Vec<Action> {
        self.lifecycle.handle(input, self.now)
    }

    fn pass(&mut self, time: Duration) -> Vec<Action> {
        self.now += time;
        self.input(Input::Tick)
    }

    #[track_caller]
    fn check(&mut self, input: Input, expected: &[Action]) {
        assert_eq!(self.input(input), expected);
    }
}

fn saved(path: &str) -> Input {
    // By a clock that is ahead: not by a build that has ended.
    Input::Changed(Change {
        paths: paths(path),
        written: Some(Instant::now() + Duration::from_secs(3600)),
    })
}

fn paths(path: &str) -> Vec<PathBuf> {
    vec![path.into()]
}

fn exited(generation: Generation) -> Input {
    let port_taken = false;
    Input::Exited {
        generation,
        port_taken,
    }
}

const BUILT: Input = Input::BuildEnded { success: true };
const BUILD_FAILED: Input = Input::BuildEnded { success: false };

#[test]
fn a_change_before_the_first_start_needs_no_other_one() {
    let mut world = World::new(false, false);
    world.check(saved("a"), &[]);
    let started = world.input(Input::Begin);
    assert_eq!(started.last(), Some(&Action::Start(1, vec![])));
    world.check(Input::Healthy(1), &[Action::Serve(1)]);
    assert_eq!(world.lifecycle.due(), None);
}

#[test]
fn a_save_builds_starts_switches_drains_and_ends() {
    let mut world = World::healthy(true, false);
    world.check(saved("a"), &[Action::Build(paths("a"))]);
    world.check(BUILT, &[Action::Start(2, vec![])]);
    world.check(Input::Healthy(2), &[Action::Serve(2), Action::Drain(1)]);
    world.check(Input::Drained(1), &[Action::End(1)]);
    world.check(exited(1), &[]);
    world.check(Input::Gone(1), &[]);
    assert_eq!(world.lifecycle.due(), None);
}

#[test]
fn an_old_instance_with_endless_requests_is_ended_after_the_stop_timeout() {
    let mut world = World::healthy(false, false);
    world.check(saved("a"), &[Action::Start(2, paths("a"))]);
    world.input(Input::Healthy(2));
    assert_eq!(world.lifecycle.due(), Some(world.now + STOP));
    assert_eq!(world.pass(STOP), [Action::End(1)]);
}

#[test]
fn a_failed_build_or_start_leaves_the_old_instance_as_it_is() {
    let mut world = World::healthy(true, false);
    world.input(saved("a"));
    world.check(BUILD_FAILED, &[]);
    world.input(saved("a"));
    world.input(BUILT);
    world.check(exited(2), &[]);
    world.check(saved("a"), &[Action::Build(paths("a"))]);
    world.check(BUILT, &[Action::Start(3, vec![])]);
    let actions = world.pass(START);
    assert_eq!(actions, [Action::TimedOut(3), Action::End(3)]);
}

#[test]
fn a_first_build_or_start_that_fails_refuses_requests_until_the_next_save() {
    let mut world = World::new(true, false);
    world.check(Input::Begin, &[Action::Wait, Action::Build(vec![])]);
    world.check(BUILD_FAILED, &[Action::Refuse]);
    world.check(saved("a"), &[Action::Wait, Action::Build(paths("a"))]);
    world.check(BUILT, &[Action::Wait, Action::Start(1, vec![])]);
    world.check(exited(1), &[Action::Refuse]);
    assert_eq!(world.lifecycle.due(), None, "it is not started by itself");
    world.check(saved("a"), &[Action::Wait, Action::Build(paths("a"))]);
}

#[test]
fn saves_during_a_build_are_followed_by_one_more() {
    let mut world = World::healthy(true, false);
    world.input(saved("a"));
    world.check(saved("b"), &[]);
    world.check(saved("a"), &[]);
    world.check(saved("b"), &[]);
    let both = vec!["b".into(), "a".into()];
    world.check(BUILT, &[Action::Build(both)]);
    world.check(BUILT, &[Action::Start(2, vec![])]);
}

#[test]
fn a_save_during_a_start_replaces_it_at_once() {
    let mut world = World::healthy(true, false);
    world.input(saved("a"));
    world.input(BUILT);
    world.check(saved("a"), &[Action::End(2), Action::Build(paths("a"))]);
    world.check(Input::Healthy(2), &[]);
    world.check(BUILT, &[Action::Start(3, vec![])]);
    world.check(Input::Healthy(3), &[Action::Serve(3), Action::Drain(1)]);
}

#[test]
fn a_build_that_keeps_writing_is_run_three_times() {
    let mut world = World::healthy(true, false);
    world.input(saved("a"));
    world.input(saved("out"));
    world.check(BUILT, &[Action::Build(paths("out"))]);
    world.input(saved("out"));
    world.check(BUILT, &[]);
    let again = world.pass(rounds::HOLD);
    assert_eq!(again, [Action::Build(paths("out"))]);
    world.input(saved("out"));
    world.check(
        BUILT,
        &[Action::Loop("out".into()), Action::Start(2, vec![])],
    );
    world.input(Input::Healthy(2));
    world.pass(Duration::from_secs(1));
    world.check(saved("a"), &[Action::Build(paths("a"))]);
}

#[test]
fn a_command_that_writes_what_it_watches_when_it_starts_gets_to_run() {
    let mut world = World::healthy(false, false);
    world.input(saved("a"));
    world.check(
        saved("db"),
        &[Action::End(2), Action::Start(3, paths("db"))],
    );
    world.check(saved("db"), &[Action::End(3)]);
    let again = world.pass(rounds::HOLD);
    assert_eq!(again, [Action::Start(4, paths("db"))]);
    world.check(saved("db"), &[Action::Loop("db".into())]);
    world.check(Input::Healthy(4), &[Action::Serve(4), Action::Drain(1)]);
}

#[test]
fn a_crash_is_followed_by_a_start_at_once_and_then_by_pauses() {
    let mut world = World::healthy(true, false);
    world.check(exited(1), &[Action::Wait, Action::Start(2, vec![])]);
    world.input(Input::Healthy(2));
    let mut pauses = Vec::new();
    for generation in 2..10 {
        let actions = world.input(exited(generation));
        let [ref meanwhile, Action::Retry(pause)] = actions[..] else {
            panic!("{actions:?}");
        };
        // It was healthy, or not even that.
        let expected = match generation % 2 {
            0 if generation > 2 => Action::Refuse,
            _ => Action::Wait,
        };
        assert_eq!(*meanwhile, expected, "{generation}");
        pauses.push(pause.as_millis());
        let actions = world.pass(pause);
        let start = Action::Start(generation + 1, vec![]);
        assert_eq!(actions, [Action::Wait, start]);
        if generation % 2 == 0 {
            world.input(Input::Healthy(generation + 1));
        }
    }
    assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    // A save does not wait.
    let actions = world.input(exited(10));
    assert!(matches!(actions[..], [_, Action::Retry(_)]));
    world.check(saved("a"), &[Action::Wait, Action::Build(paths("a"))]);
    world.input(BUILT);
    world.input(Input::Healthy(11));
    world.check(exited(11), &[Action::Wait, Action::Start(12, vec![])]);
}

#[test]
fn an_instance_that_ran_for_long_is_started_again_at_once() {
    let mut world = World::healthy(false, false);
    for generation in 1..20 {
        let start = Action::Start(generation + 1, vec![]);
        world.check(exited(generation), &[Action::Wait, start]);
        world.input(Input::Healthy(generation + 1));
        world.pass(STABLE);
    }
}

#[test]
fn a_crash_during_a_build_is_answered_by_what_comes_of_the_build() {
    for (build, expected) in [(BUILT, 2), (BUILD_FAILED, 2)] {
        let mut world = World::healthy(true, false);
        world.input(saved("a"));
        world.check(exited(1), &[Action::Wait]);
        let start = Action::Start(expected, vec![]);
        world.check(build, &[Action::Wait, start]);
    }
    // During a start: that is the next one.
    let mut world = World::healthy(true, false);
    world.input(saved("a"));
    world.input(BUILT);
    world.check(exited(1), &[Action::Wait]);
    world.check(Input::Healthy(2), &[Action::Serve(2)]);
}

#[test]
fn a_port_that_was_taken_meanwhile_is_tried_again_but_not_for_ever() {
    let mut world = World::new(false, false);
    world.input(Input::Begin);
    let taken = |generation| Input::Exited {
        generation,
        port_taken: true,
    };
    for generation in 1..Generation::from(PORT_TRIES) {
        let start = Action::Start(generation + 1, vec![]);
        world.check(taken(generation), &[Action::Wait, start]);
    }
    world.check(taken(PORT_TRIES.into()), &[Action::Refuse]);
}

#[test]
fn on_a_fixed_port_the_old_instance_is_gone_before_the_new_one_is_started() {
    let mut world = World::healthy(true, true);
    world.check(saved("a"), &[Action::Build(paths("a"))]);
    world.check(BUILT, &[Action::Wait, Action::Drain(1)]);
    world.check(Input::Drained(1), &[Action::End(1)]);
    world.check(exited(1), &[]);
    world.check(Input::Gone(1), &[Action::Wait, Action::Start(2, vec![])]);
    world.check(Input::Healthy(2), &[Action::Serve(2)]);
    // The same after a crash.
    world.check(exited(2), &[Action::Wait]);
    world.check(Input::Gone(2), &[Action::Wait, Action::Start(3, vec![])]);
    // And for a save during a start.
    world.check(
        saved("a"),
        &[Action::End(3), Action::Wait, Action::Build(paths("a"))],
    );
    world.check(BUILT, &[Action::Wait]);
    world.check(Input::Gone(3), &[Action::Wait, Action::Start(4, vec![])]);
}

#[test]
fn a_failed_build_does_not_end_the_instance_on_a_fixed_port() {
    let mut world = World::healthy(true, true);
    world.input(saved("a"));
    world.check(BUILD_FAILED, &[]);
}

#[test]
fn stop_ends_everything_and_starts_nothing_more() {
    let mut world = World::healthy(true, false);
    world.input(saved("a"));
    world.input(BUILT);
    world.input(Input::Healthy(2));
    world.input(saved("a"));
    world.check(
        Input::Stop,
        &[
            Action::Refuse,
            Action::EndBuild,
            Action::End(2),
            Action::End(1),
        ],
    );
    world.check(BUILT, &[]);
    world.check(saved("a"), &[]);
    world.check(exited(2), &[]);
    world.check(Input::Gone(1), &[]);
    assert!(!world.lifecycle.is_over());
    world.check(Input::Gone(2), &[]);
    assert!(world.lifecycle.is_over());
}
