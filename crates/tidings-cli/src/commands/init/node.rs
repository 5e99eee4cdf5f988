//! Programs of Node.js: Vite, Next.js, and servers such as those of Express.

use serde_json::Value;

use super::plan::Plan;
use super::project::{Port, Project};

/// Packages that answer requests.
const SERVERS: [&str; 8] = [
    "express",
    "koa",
    "fastify",
    "@hapi/hapi",
    "hono",
    "polka",
    "@nestjs/core",
    "socket.io",
];

const LOCK_FILES: [&str; 5] = [
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "bun.lockb",
    "package-lock.json",
];

pub(super) fn detect(project: &Project) -> Option<Plan> {
    let package: Value = serde_json::from_str(&project.text("package.json")?).ok()?;
    let depends = |name: &str| {
        ["dependencies", "devDependencies"]
            .iter()
            .any(|list| package[list].get(name).is_some())
    };
    if depends("next") {
        let command = [runner(project), &["next", "dev", "--port", "3000"]].concat();
        let plan = Plan::proxy("Next.js (package.json)", &command)
            .url("http://localhost:3000")
            .restart(own_reloader(project))
            .note("Next.js allows one server per folder, so it has a fixed port");
        return Some(plan);
    }
    if let Some(server) = SERVERS.iter().find(|server| depends(server)) {
        return Some(server_plan(project, &package, server));
    }
    if depends("vite") {
        let command = [
            runner(project),
            &["vite", "--port", "{port}", "--strictPort"],
        ]
        .concat();
        let plan = Plan::proxy("Vite (package.json)", &command).restart(own_reloader(project));
        return Some(plan);
    }
    None
}

/// What runs a program of a package.
fn runner(project: &Project) -> &'static [&'static str] {
    match project.first(&LOCK_FILES).as_deref() {
        Some("pnpm-lock.yaml") => &["pnpm", "exec"],
        Some("yarn.lock") => &["yarn"],
        Some("bun.lock" | "bun.lockb") => &["bunx"],
        _ => &["npx"],
    }
}

/// What restarts a program that reloads everything else by itself.
fn own_reloader(project: &Project) -> Vec<String> {
    let lock_file = project.first(&LOCK_FILES);
    vec![lock_file.unwrap_or_else(|| "package.json".to_owned())]
}

fn server_plan(project: &Project, package: &Value, server: &str) -> Plan {
    // `node server.js` of the start script; a script with more than that is run as it is.
    let start = package["scripts"]["start"].as_str().unwrap_or_default();
    let words: Vec<_> = start.split_whitespace().collect();
    let usual = [
        "server.js",
        "app.js",
        "index.js",
        "src/server.js",
        "src/index.js",
    ];
    let main = package["main"].as_str().map(str::to_owned);
    let main = main
        .filter(|main| project.has(main))
        .or_else(|| project.first(&usual));
    let (command, file): (Vec<&str>, _) = match (words.as_slice(), &main) {
        (["node", file], _) => (vec!["node", *file], Some((*file).to_owned())),
        ([], Some(main)) => (vec!["node", main], Some(main.clone())),
        _ => (vec!["npm", "start"], main.clone()),
    };
    let source = file
        .and_then(|file| project.text(&file))
        .unwrap_or_default();
    Plan::proxy(format!("{server} (package.json)"), &command)
        .watch(project.existing(&["public", "static", "views"]))
        .port(Port::in_source(&source, &["listen("]))
}
