//! Generators of static sites. A save builds the site; if that fails, the pages show why. What was built is
//! served by the file server of Python, which is restarted without anybody noticing.

use toml::{Table, Value};

use super::plan::Plan;
use super::project::{Project, has_word};
use super::python::python;

pub(super) fn detect(project: &Project) -> Option<Plan> {
    hugo(project)
        .or_else(|| mkdocs(project))
        .or_else(|| mdbook(project))
        .or_else(|| sphinx(project))
        .or_else(|| jekyll(project))
}

/// A site that this command builds into this folder.
fn site(found: String, build: impl Into<String>, output: &str) -> Plan {
    let server = [
        python(),
        "-m",
        "http.server",
        "{port}",
        "--bind",
        "127.0.0.1",
        "--directory",
        output,
    ];
    Plan::proxy(found, &server)
        .build(build)
        .ignore(&[&format!("/{output}/")])
}

fn hugo(project: &Project) -> Option<Plan> {
    let file = project.first(&["hugo.toml", "hugo.yaml", "hugo.json"]);
    let is_hugo = project.has("config.toml") && project.has("content") && project.has("archetypes");
    let file = file.or_else(|| is_hugo.then(|| "config.toml".to_owned()))?;
    // Links must not lead to the site's own host.
    let plan = site(
        format!("Hugo ({file})"),
        "hugo --quiet --baseURL /",
        "public",
    );
    Some(plan.ignore(&["/resources/_gen/"]))
}

fn mkdocs(project: &Project) -> Option<Plan> {
    let file = project.first(&["mkdocs.yml", "mkdocs.yaml"])?;
    let text = project.text(&file)?;
    let output = yaml_value(&text, "site_dir").unwrap_or("site");
    let docs = yaml_value(&text, "docs_dir").unwrap_or("docs");
    let plan = site(format!("MkDocs ({file})"), "mkdocs build --quiet", output);
    Some(plan.restart(vec![docs.to_owned(), file]))
}

/// The value of a key at the top of a YAML file, if it is a plain word.
fn yaml_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let value = value.trim().trim_matches(['"', '\'']);
    let is_plain = |c: char| matches!(c, '-' | '_' | '.' | '/') || c.is_alphanumeric();
    (!value.is_empty() && value.chars().all(is_plain)).then_some(value)
}

fn mdbook(project: &Project) -> Option<Plan> {
    let book: Table = project.text("book.toml")?.parse().ok()?;
    let value = |section: &str, key: &str| {
        let value = book.get(section).and_then(|section| section.get(key));
        value.and_then(Value::as_str).map(str::to_owned)
    };
    let output = value("build", "build-dir").unwrap_or_else(|| "book".to_owned());
    let source = value("book", "src").unwrap_or_else(|| "src".to_owned());
    let plan = site("mdBook (book.toml)".to_owned(), "mdbook build", &output);
    Some(plan.restart(vec![source, "book.toml".to_owned()]))
}

fn sphinx(project: &Project) -> Option<Plan> {
    let file = project.first(&[
        "conf.py",
        "docs/conf.py",
        "docs/source/conf.py",
        "doc/conf.py",
    ])?;
    let text = project.text(&file)?;
    if !text.contains("extensions") && !text.contains("project") {
        return None;
    }
    let (source, output) = match file.strip_suffix("/conf.py") {
        None => (".", "_build/html".to_owned()),
        Some("docs/source") => ("docs/source", "docs/build/html".to_owned()),
        Some(folder) => (folder, format!("{folder}/_build/html")),
    };
    let build = format!("sphinx-build -q {source} {output}");
    let plan = site(format!("Sphinx ({file})"), build, &output);
    Some(match source {
        "." => plan,
        source => plan.restart(vec![source.to_owned()]),
    })
}

fn jekyll(project: &Project) -> Option<Plan> {
    if !project.has("_config.yml") {
        return None;
    }
    let gems = project.text("Gemfile").unwrap_or_default();
    let is_bundled = has_word(&gems, "jekyll") || has_word(&gems, "github-pages");
    let build = match is_bundled {
        true => "bundle exec jekyll build --quiet",
        false => "jekyll build --quiet",
    };
    Some(site("Jekyll (_config.yml)".to_owned(), build, "_site"))
}
