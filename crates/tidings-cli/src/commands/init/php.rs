//! PHP. It reads its files anew for each request, so that a save needs no restart.

use super::plan::Plan;
use super::project::Project;

pub(super) fn laravel(project: &Project) -> Option<Plan> {
    if !project.has("artisan") {
        return None;
    }
    let command = [
        "php",
        "artisan",
        "serve",
        "--host=127.0.0.1",
        "--port={port}",
        "--no-reload",
    ];
    let plan = Plan::proxy("Laravel (artisan)", &command)
        .watch(project.existing(&["app", "resources", "routes", "public"]))
        .restart(project.existing(&["config", ".env", "composer.lock"]));
    Some(plan)
}

pub(super) fn detect(project: &Project) -> Option<Plan> {
    let index = project.first(&["public/index.php", "web/index.php", "index.php"])?;
    // OPcache looks only every two seconds whether a file has changed: a page that is reloaded at once would
    // be the old one.
    let address = ["php", "-d", "opcache.enable=0", "-S", "127.0.0.1:{port}"];
    let command = match index.split_once('/') {
        Some((folder, _)) => [&address[..], &["-t", folder]].concat(),
        None => address.to_vec(),
    };
    let plan = Plan::proxy(format!("PHP ({index})"), &command)
        .watch(vec![".".to_owned()])
        .restart(project.existing(&["composer.lock"]));
    Some(plan)
}
