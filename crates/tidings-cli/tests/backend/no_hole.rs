//! Some hundred requests a second go on through restarts, and nobody notices.

use super::app::App;
use super::load::Load;

/// Fails for the version `broken`.
const BUILD: &str = "! grep -q broken version";

#[test]
fn no_request_fails_and_none_is_answered_by_the_old_one_after_the_new_one() {
    let app = App::start(&["--build", BUILD]);
    app.event("switched");
    let load = Load::start(app.port());
    for version in 2..=11 {
        match version {
            4 => {
                app.save_version("broken");
                app.event("build_failed");
            }
            7 => {
                app.save_version("crash");
                while app.event("exited")["was_healthy"] != false {}
            }
            _ => {}
        }
        app.save_version(&version.to_string());
        app.event("switched");
        // It has had some of the requests before the next one comes.
        let served = super::support::program::until(|| (load.newest() == version).then_some(()));
        assert!(served.is_some(), "nobody got version {version}");
    }
    let answers = load.stop();
    assert!(answers > 100, "{answers} answers are not much of a load");
}
