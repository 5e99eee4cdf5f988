//! When builds are run: one at a time, and one that begins after the last save.

use super::app::{App, names};
use super::support::program::until;

/// Notes when it begins and ends, and takes as long as there is no `.go`.
const SLOW: &str = "echo begin >>.builds; while [ ! -e .go ]; do sleep 0.01; done; cp version .built; echo end >>.builds";

fn builds(app: &App) -> Vec<String> {
    let text = std::fs::read_to_string(app.folder.path(".builds")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn saves_during_a_build_are_followed_by_one_more() {
    let mut app = App::new();
    app.folder.save(".go", "");
    app.run(&["--build", SLOW]);
    app.event("switched");
    std::fs::remove_file(app.folder.path(".go")).unwrap();
    app.save_version("2");
    app.event("building");
    for version in ["3", "4", "5"] {
        app.save_version(version);
        app.folder.save("other", version);
    }
    // The watcher has told of them when it has told of something that shows.
    until(|| (builds(&app).len() == 3).then_some(())).unwrap();
    app.folder.save("last", "");
    std::thread::sleep(std::time::Duration::from_millis(300));
    app.folder.save(".go", "");
    let events = app.events_until("switched");
    assert_eq!(
        names(&events),
        [
            "built", "building", "built", "starting", "healthy", "switched"
        ]
    );
    assert_eq!(app.get("/").text(), "version 5");
    assert_eq!(builds(&app), ["begin", "end"].repeat(3));
}

#[test]
fn a_save_during_a_start_is_followed_by_a_build_and_another_start() {
    let app = App::start(&["--build", "cp version .built"]);
    app.event("switched");
    app.save_version("late");
    app.event("starting");
    app.save_version("3");
    let events = app.events_until("switched");
    assert!(names(&events).contains(&"building"));
    assert_eq!(app.get("/").text(), "version 3");
    let built = std::fs::read_to_string(app.folder.path(".built")).unwrap();
    assert_eq!(built, "3");
}

#[test]
fn after_any_number_of_quick_saves_the_last_one_is_built() {
    let app = App::start(&["--build", "cp version .built; sleep 0.1"]);
    app.event("switched");
    let mut random = 7_u64;
    for version in 2..40 {
        app.save_version(&version.to_string());
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        std::thread::sleep(std::time::Duration::from_millis(random >> 56));
    }
    until(|| (app.get("/").text() == "version 39").then_some(())).expect("the last one");
    let built = std::fs::read_to_string(app.folder.path(".built")).unwrap();
    assert_eq!(built, "39");
}

#[test]
fn a_build_that_writes_what_is_watched_runs_three_times_and_that_is_said() {
    let app = App::start(&["--build", "date +%s%N >generated.txt; echo x >>.builds"]);
    assert_eq!(app.event("build_loop")["path"], "generated.txt");
    app.event("switched");
    assert_eq!(builds(&app).len(), 3);
    // The next save begins from the start.
    app.save_version("2");
    app.event("build_loop");
    app.event("switched");
    assert_eq!(app.get("/").text(), "version 2");
    // The save itself may count as one of them, if it came within the same few milliseconds.
    let more = builds(&app).len() - 3;
    assert!(more == 2 || more == 3, "{more}");
}

#[test]
fn what_a_build_writes_that_is_ignored_or_not_new_starts_no_other() {
    let mut app = App::new();
    app.folder.save(".gitignore", "out/\n");
    std::fs::create_dir(app.folder.path(".git")).unwrap();
    app.folder.save("same.txt", "always\n");
    let build = "mkdir -p out; date +%s%N >out/app.js; echo always >same.txt; echo x >>ignored.tmp; echo x >>.builds";
    app.run(&["--build", build, "--ignore", "*.tmp"]);
    app.event("switched");
    app.switch_to("2");
    app.switch_to("3");
    assert_eq!(builds(&app).len(), 3);
}

#[test]
fn a_build_is_ended_with_tidings() {
    let mut app = App::new();
    app.run(&["--build", "sleep 600 & sleep 601"]);
    app.event("building");
    app.marked.until_running(&["sleep 600", "sleep 601"]);
    app.server().signal("TERM");
    assert_eq!(app.server().end(), Some(0));
    super::marked::until_gone(&app.marked);
}
