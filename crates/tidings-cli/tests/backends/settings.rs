//! The two forms of each page: `tidings.toml` says the same as the command, and it works.

use serde_json::Value;

use crate::http::get;
use crate::tools::Tool;
use crate::{App, guide};

const ALL: [(&str, Option<&str>); 17] = [
    ("axum", Some("Without a change of the program")),
    ("django", None),
    ("flask", Some("FastAPI and Starlette")),
    ("flask", Some("Flask")),
    ("go", None),
    ("node", Some("Express")),
    ("node", Some("Next.js")),
    ("node", Some("Vite")),
    ("php", Some("Laravel")),
    ("php", Some("nginx or Apache with PHP-FPM")),
    ("php", Some("The built-in server")),
    ("rails", None),
    ("static-generators", Some("Eleventy")),
    ("static-generators", Some("Hugo")),
    ("static-generators", Some("MkDocs")),
    ("static-generators", Some("Sphinx")),
    ("static-generators", Some("mdBook")),
];

/// What a command or a file means: each setting with its values.
type Settings = Vec<(String, Vec<String>)>;

fn of_command(line: &str) -> Settings {
    let mut words = Vec::new();
    // The pages quote with double quotes only.
    for (n, part) in line.split('"').enumerate() {
        match n % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    let mut settings = vec![("run".to_owned(), vec![words[1].clone()])];
    let mut words = words.into_iter().skip(2);
    while let Some(flag) = words.next() {
        if flag == "--" {
            settings.push(("command".to_owned(), words.by_ref().collect()));
            continue;
        }
        let (name, value) = match flag.strip_prefix("--") {
            Some(name) => (name.to_owned(), words.next().expect("a value")),
            None => ("url".to_owned(), flag),
        };
        match settings.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => settings.push((name, vec![value])),
        }
    }
    settings.sort();
    settings
}

fn of_toml(text: &str) -> Settings {
    let lines = text.lines().filter_map(|line| line.split_once(" = "));
    let mut settings: Settings = lines
        .map(|(name, value)| {
            // These values look the same in JSON.
            let value: Value =
                serde_json::from_str(value).unwrap_or_else(|e| panic!("{value}: {e}"));
            let values = match value {
                Value::Array(values) => values,
                value => vec![value],
            };
            let values = values
                .iter()
                .map(|value| value.as_str().unwrap().to_owned());
            (name.to_owned(), values.collect())
        })
        .collect();
    settings.sort();
    settings
}

#[test]
fn the_command_and_the_file_of_each_page_say_the_same() {
    for (page, heading) in ALL {
        assert_eq!(
            of_toml(&guide::toml(page, heading)),
            of_command(&guide::command(page, heading)),
            "{page} {heading:?}"
        );
    }
}

/// `tidings` and nothing else, in a folder with the file of the page.
#[track_caller]
fn check(app: &str, tool: Tool, page: &str, heading: Option<&str>) {
    let Some(mut app) = App::new(app, tool) else {
        return;
    };
    app.save("tidings.toml", guide::toml(page, heading));
    app.run("tidings");
    let answer = get(app.port(), "/");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn the_file_for_django_works() {
    check("django", Tool::Python, "django", None);
}

#[test]
fn the_file_for_flask_works() {
    check("flask", Tool::Python, "flask", Some("Flask"));
}

#[test]
fn the_file_for_starlette_works() {
    let heading = Some("FastAPI and Starlette");
    check("starlette", Tool::Python, "flask", heading);
}

#[test]
fn the_file_for_express_works() {
    check("express", Tool::Node, "node", Some("Express"));
}

#[test]
fn the_file_for_vite_works() {
    check("vite", Tool::Node, "node", Some("Vite"));
}

#[test]
fn the_file_for_php_works() {
    let heading = Some("The built-in server");
    check("php", Tool::Program("php"), "php", heading);
}

#[test]
fn the_file_for_sphinx_works() {
    let heading = Some("Sphinx");
    check("sphinx", Tool::Python, "static-generators", heading);
}

#[test]
fn the_file_for_mkdocs_works() {
    let heading = Some("MkDocs");
    check("mkdocs", Tool::Python, "static-generators", heading);
}
