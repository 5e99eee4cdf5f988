//! Servers in Go.

use super::plan::Plan;
use super::project::{Port, Project};

/// What a program imports that answers requests.
const SERVERS: [&str; 6] = [
    "\"net/http\"",
    "github.com/gin-gonic/gin",
    "github.com/labstack/echo",
    "github.com/gofiber/fiber",
    "github.com/go-chi/chi",
    "github.com/gorilla/mux",
];

/// Hidden, so that it is not watched.
const BINARY: &str = ".tidings/app";

pub(super) fn detect(project: &Project) -> Option<Plan> {
    if !project.has("go.mod") {
        return None;
    }
    let commands = project.folders("cmd");
    let commands = commands.iter().map(|name| format!("cmd/{name}"));
    for folder in [".".to_owned()].into_iter().chain(commands) {
        let files = project.files(&folder);
        let files = files.iter().filter(|file| file.ends_with(".go"));
        let texts = files.filter_map(|file| project.text(&format!("{folder}/{file}")));
        let source = texts.collect::<Vec<_>>().join("\n");
        let is_program = source.contains("package main");
        if !is_program || !SERVERS.iter().any(|server| source.contains(server)) {
            continue;
        }
        let package = match folder.as_str() {
            "." => ".".to_owned(),
            folder => format!("./{folder}"),
        };
        let plan = Plan::proxy("Go (go.mod)", &[BINARY])
            .build(format!("go build -o {BINARY} {package}"))
            .watch(project.existing(&["static", "public", "assets"]))
            .port(Port::in_source(
                &source,
                &["ListenAndServe(", "Run(", "Start(", "Listen("],
            ));
        return Some(plan);
    }
    None
}
