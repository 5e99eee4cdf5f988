//! Django, Flask, and ASGI applications such as those of FastAPI and Starlette.

use super::plan::Plan;
use super::project::{Project, has_word};

/// Where dependencies are listed.
const DEPENDENCIES: [&str; 5] = [
    "requirements.txt",
    "pyproject.toml",
    "Pipfile",
    "setup.cfg",
    "setup.py",
];

pub(super) fn django(project: &Project) -> Option<Plan> {
    if !project.has("manage.py") {
        return None;
    }
    let command = with_python(project, &["manage.py", "runserver", "{port}", "--noreload"]);
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    // Not the templates: without its own reloader, Django reads them once. They restart it.
    let plan = Plan::proxy("Django (manage.py)", &command)
        .watch(project.existing(&["static", "assets"]))
        .ignore(&["*.sqlite3*", "media/"]);
    Some(plan)
}

pub(super) fn detect(project: &Project) -> Option<Plan> {
    let texts = DEPENDENCIES.iter().filter_map(|file| project.text(file));
    let dependencies: Vec<_> = texts.collect();
    let depends = |name: &str| dependencies.iter().any(|text| has_word(text, name));
    let (found, arguments) = if depends("fastapi") || depends("starlette") {
        let found = if depends("fastapi") {
            "FastAPI"
        } else {
            "Starlette"
        };
        (
            found,
            vec!["-m".to_owned(), "uvicorn".to_owned(), asgi_app(project)],
        )
    } else if depends("flask") {
        let app = flask_app(project);
        let arguments = [
            "-m",
            "flask",
            "--app",
            &app,
            "run",
            "--debug",
            "--no-reload",
        ];
        ("Flask", arguments.map(str::to_owned).to_vec())
    } else {
        return None;
    };
    let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    arguments.extend(["--port", "{port}"]);
    let command = with_python(project, &arguments);
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    let plan = Plan::proxy(found, &command)
        .watch(project.existing(&["templates", "static", "app/templates", "app/static"]))
        .ignore(&["*.sqlite3*", "*.db"]);
    Some(plan)
}

/// A command that is run by the Python of the project.
fn with_python(project: &Project, arguments: &[&str]) -> Vec<String> {
    let python: &[&str] = if project.has("uv.lock") {
        &["uv", "run", "python"]
    } else if project.has("poetry.lock") {
        &["poetry", "run", "python"]
    } else if project.has("Pipfile.lock") {
        &["pipenv", "run", "python"]
    } else if project.has(".venv/bin/python") {
        &[".venv/bin/python"]
    } else if project.has("venv/bin/python") {
        &["venv/bin/python"]
    } else {
        &[python()]
    };
    let command = python.iter().chain(arguments);
    command.map(|&argument| argument.to_owned()).collect()
}

/// The name that is always there: not every system has `python`.
pub(super) fn python() -> &'static str {
    if cfg!(windows) { "python" } else { "python3" }
}

/// The argument of `flask --app`.
fn flask_app(project: &Project) -> String {
    let is_app = |path: &str| {
        let text = project.text(path);
        text.is_some_and(|text| text.contains("Flask(") || text.contains("def create_app"))
    };
    let modules = project.files(".");
    let modules = modules.iter().filter_map(|name| name.strip_suffix(".py"));
    let mut names: Vec<_> = ["app", "wsgi", "main"].into_iter().chain(modules).collect();
    let packages = project.folders(".");
    names.extend(packages.iter().map(String::as_str));
    let is_module = |name: &str| is_app(&format!("{name}.py"));
    let is_package = |name: &str| is_app(&format!("{name}/__init__.py"));
    let found = names
        .into_iter()
        .find(|name| is_module(name) || is_package(name));
    found.unwrap_or("app").to_owned()
}

/// The argument of `uvicorn`: `main:app`.
fn asgi_app(project: &Project) -> String {
    let mut files = project.files(".");
    for folder in project.folders(".") {
        let inner = project.files(&folder);
        files.extend(inner.into_iter().map(|name| format!("{folder}/{name}")));
    }
    // The usual name first.
    files.sort_by_key(|file| !file.ends_with("main.py"));
    for file in files {
        let Some(module) = file.strip_suffix(".py") else {
            continue;
        };
        let text = project.text(&file).unwrap_or_default();
        if let Some(variable) = text.lines().find_map(app_variable) {
            return format!("{}:{variable}", module.replace('/', "."));
        }
    }
    "main:app".to_owned()
}

/// `app` of `app = FastAPI(...)` and `app: FastAPI = FastAPI()`.
fn app_variable(line: &str) -> Option<&str> {
    let (left, right) = line.split_once('=')?;
    let right = right.trim_start();
    let is_app = ["FastAPI(", "Starlette("]
        .iter()
        .any(|app| right.starts_with(app));
    let name = left.split(':').next()?.trim_end();
    let is_name = name.chars().all(|c| c == '_' || c.is_alphanumeric());
    (is_app && is_name && !name.is_empty()).then_some(name)
}
