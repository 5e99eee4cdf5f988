//! Static site generators, by the commands of `docs/static-generators.md`.

use crate::tools::Tool;
use crate::{App, Browser, guide};

/// A save is built and shown; a page that cannot be built says why, and goes on when it can.
#[track_caller]
fn check(app: &str, tool: Tool, heading: &str, page: &str, breaks: Option<(&str, &str)>) {
    let Some(mut app) = App::new(app, tool) else {
        return;
    };
    app.run(&guide::command("static-generators", Some(heading)));
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    tab.until("document.body.innerText.includes('Some text.')");
    app.edit(page, "Some text.", "Other text.");
    tab.until("document.body.innerText.includes('Other text.')");
    let Some((file, text)) = breaks else { return };
    let good = std::fs::read(app.path(file)).unwrap();
    app.save(file, text);
    app.line("build_failed");
    app.save(file, good);
    app.edit(page, "Other text.", "New text.");
    tab.until("document.body.innerText.includes('New text.')");
}

#[test]
fn sphinx_builds_what_is_saved_and_the_page_shows_it() {
    let breaks = Some(("conf.py", "project = ("));
    check("sphinx", Tool::Python, "Sphinx", "index.rst", breaks);
}

#[test]
fn mkdocs_builds_what_is_saved_and_the_page_shows_it() {
    let breaks = Some(("mkdocs.yml", "site_name: ["));
    check("mkdocs", Tool::Python, "MkDocs", "docs/index.md", breaks);
}
