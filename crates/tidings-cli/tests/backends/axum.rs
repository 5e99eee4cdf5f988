//! An axum application that cargo builds anew while people use it, by the command of `docs/axum.md`.

use crate::load::Load;
use crate::support::program::until;
use crate::tools::{Tool, directory};
use crate::{App, Browser, guide};

/// With the versions of our own lock file, whose sources are there.
fn greeter() -> Option<App> {
    let mut app = App::new("axum", Tool::Cargo)?;
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
    std::fs::copy(lock, app.path("Cargo.lock")).unwrap();
    // What it depends on is built once for all runs; `target` is where the page expects it.
    let target = directory().join("axum/target");
    std::os::unix::fs::symlink(&target, app.path("target")).unwrap();
    app.once("cargo build --quiet --offline");
    let section = Some("Without a change of the program");
    app.run(&guide::command("axum", section));
    Some(app)
}

#[test]
fn an_axum_app_is_rebuilt_by_cargo_under_load_and_no_request_fails() {
    let Some(app) = greeter() else { return };
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    tab.until("document.querySelector('h1').textContent === 'version 1'");
    let load = Load::start(app.port());
    for n in 2..=3 {
        let before = format!("version {}", n - 1);
        app.edit("src/main.rs", &before, &format!("version {n}"));
        tab.until(&format!(
            "document.querySelector('h1')?.textContent === 'version {n}'"
        ));
    }
    app.edit("templates/home.html", "fresh", "ripe");
    tab.until("document.querySelector('p')?.textContent === 'ripe'");
    // A mistake: the program from before goes on, and the page stays.
    tab.mark();
    app.edit("src/main.rs", "const GREETING: &str", "const GREETING: u32");
    app.line("build_failed");
    assert!(tab.is_same());
    app.edit("src/main.rs", "const GREETING: u32", "const GREETING: &str");
    app.edit("src/main.rs", "version 3", "version 4");
    tab.until("document.querySelector('h1')?.textContent === 'version 4'");
    let newest = until(|| (load.newest() == 4).then_some(()));
    newest.expect("everybody is answered by the newest");
    assert!(load.stop() > 100);
}
