//! Servers in Rust.

use toml::{Table, Value};

use super::plan::Plan;
use super::project::{Port, Project};

/// Crates that answer requests.
const SERVERS: [&str; 9] = [
    "axum",
    "actix-web",
    "rocket",
    "poem",
    "salvo",
    "warp",
    "ntex",
    "tide",
    "hyper",
];

pub(super) fn detect(project: &Project) -> Option<Plan> {
    let manifest: Table = project.text("Cargo.toml")?.parse().ok()?;
    let dependencies = manifest.get("dependencies")?.as_table()?;
    let server = SERVERS
        .iter()
        .find(|server| dependencies.contains_key(**server))?;
    let package = manifest.get("package")?.as_table()?;
    let bins = manifest.get("bin").and_then(Value::as_array);
    let first_bin = bins.and_then(|bins| bins.first()?.get("name"));
    // A library that is made for servers is not one.
    if !project.has("src/main.rs") && first_bin.is_none() && !project.has("src/bin") {
        return None;
    }
    let name = package
        .get("default-run")
        .or(first_bin)
        .or(package.get("name"))
        .and_then(Value::as_str)?;
    let source = project.text("src/main.rs").unwrap_or_default();
    let plan = Plan::proxy(
        format!("{server} (Cargo.toml)"),
        &[&format!("target/debug/{name}")],
    )
    .build("cargo build")
    .watch(project.existing(&["templates", "static", "assets", "public"]))
    // `cargo new` writes it to .gitignore, which may be missing.
    .ignore(&["/target/"])
    .port(Port::in_source(&source, &["bind(", "from((", "run(("]));
    Some(plan)
}
