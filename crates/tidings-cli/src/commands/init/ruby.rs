//! Rails, and other Rack applications.

use super::plan::Plan;
use super::project::{Project, has_word};

pub(super) fn detect(project: &Project) -> Option<Plan> {
    let gems = project.text("Gemfile")?;
    if has_word(&gems, "rails") {
        // Rails reads what is below `app` anew for each request. It refuses to start while the pid file of
        // another server is there, and the old one runs until the new one answers.
        let command = [
            "bin/rails",
            "server",
            "--port",
            "{port}",
            "--pid",
            "tmp/pids/{port}.pid",
        ];
        let plan = Plan::proxy("Rails (Gemfile)", &command)
            .watch(project.existing(&["app", "public"]))
            .restart(project.existing(&["config", "lib", "Gemfile.lock"]));
        return Some(plan);
    }
    if !project.has("config.ru") {
        return None;
    }
    let command = [
        "bundle",
        "exec",
        "rackup",
        "--port",
        "{port}",
        "--host",
        "127.0.0.1",
    ];
    let plan = Plan::proxy("Rack (config.ru)", &command).watch(project.existing(&["public"]));
    Some(plan)
}
