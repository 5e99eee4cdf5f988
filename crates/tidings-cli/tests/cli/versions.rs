//! What pages of `serve` were made from, and what they would be made from now.

use super::http::Answer;
use super::{Folder, Server, ask, get};

const NAVIGATION: [&str; 2] = ["Sec-Fetch-Dest: document", "Sec-Fetch-Site: none"];
const PATCH: [&str; 3] = [
    "Sec-Fetch-Dest: empty",
    "Sec-Fetch-Site: same-origin",
    "Tidings-Patch: document",
];
const PAGE: &str = "<!doctype html><title>t</title><p>one";

fn page(server: &Server, path: &str) -> Answer {
    ask(server.port, "GET", path, &NAVIGATION)
}

fn patch(server: &Server, path: &str) -> Answer {
    ask(server.port, "GET", path, &PATCH)
}

/// The source of a page, as its script gets it.
fn source(server: &Server, page: &Answer) -> Answer {
    let text = page.text();
    let (_, rest) = text.split_once("data-version=\"").unwrap();
    let (id, _) = rest.split_once('"').unwrap();
    get(server.port, &format!("/@tidings/version?id={id}"))
}

#[test]
fn files_and_listings_are_kept_as_they_were_sent() {
    let folder = Folder::new(&[
        ("index.html", PAGE),
        ("docs/a.txt", "a"),
        (
            "own/policy.html",
            "<meta http-equiv=Content-Security-Policy content=\"img-src 'none'\"><p>x",
        ),
        (
            "large.html",
            &format!("<!doctype html><p>{}", "x ".repeat(400_000)),
        ),
    ]);
    let server = Server::start(&folder, &["--compress", "never"]);
    for path in ["/", "/docs/", "/own/policy", "/large"] {
        let page = page(&server, path);
        assert!(page.text().contains("/@tidings/client.js"), "{path}");
        let source = source(&server, &page);
        assert!(source.status == 200 && source.body == page.body, "{path}");
        let patch = patch(&server, path);
        assert!(patch.header("tidings-head").is_some(), "{path}");
        assert_eq!(patch.header("tidings-head"), source.header("tidings-head"));
        assert!(patch.text().contains("/@tidings/client.js"), "{path}");
    }
}

#[test]
fn a_page_that_was_compressed_is_kept_as_it_was_before() {
    let text = format!("<!doctype html><p>{}", "x ".repeat(4000));
    let folder = Folder::new(&[("index.html", &text)]);
    let server = Server::start(&folder, &["--compress", "always"]);
    let headers = [&NAVIGATION[..], &["Accept-Encoding: gzip"]].concat();
    let compressed = ask(server.port, "GET", "/", &headers);
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    // Its id is in the compressed text; a plain page of the same address has the same bytes but for that.
    let plain = page(&server, "/");
    let source = source(&server, &plain);
    assert_eq!(source.body, plain.body);
    assert_eq!(source.header("content-encoding"), None);
}

#[test]
fn what_is_no_page_of_its_own_is_not_kept() {
    let folder = Folder::new(&[("index.html", PAGE), ("404.html", "<p>not here")]);
    let server = Server::start(&folder, &[]);
    assert_eq!(source(&server, &patch(&server, "/")).status, 404);
    for path in ["/none", "/404.html"] {
        assert_eq!(
            patch(&server, path).header("tidings-head").is_some(),
            path == "/404.html"
        );
    }
    let head = ask(server.port, "HEAD", "/", &["Accept: text/html"]);
    assert_eq!((head.status, head.header("tidings-head")), (200, None));
    let missing = page(&server, "/none");
    assert_eq!(missing.status, 404);
    assert!(!missing.text().contains("data-version"));
}

#[test]
fn a_rule_for_headers_is_a_part_of_the_head() {
    let rule = |value: &str| {
        format!("[[headers]]\npath = \"/**\"\nset = {{ Referrer-Policy = \"{value}\" }}\n")
    };
    let folder = Folder::new(&[("index.html", PAGE), ("tidings.toml", &rule("origin"))]);
    folder.settle();
    let mut command = super::tidings();
    let command = command.current_dir(folder.root()).args(["--port", "0"]);
    let server = Server::run(command);
    let page = page(&server, "/");
    assert_eq!(page.header("referrer-policy"), Some("origin"));
    let before = source(&server, &page);
    let same = patch(&server, "/");
    assert_eq!(same.header("tidings-head"), before.header("tidings-head"));
    folder.save("tidings.toml", rule("no-referrer"));
    super::support::program::until(|| {
        let now = patch(&server, "/");
        let is_set = now.header("referrer-policy") == Some("no-referrer");
        is_set.then(|| assert_ne!(now.header("tidings-head"), before.header("tidings-head")))
    })
    .expect("the rule is applied");
}

#[test]
fn pages_that_are_never_patched_are_not_kept() {
    let folder = Folder::new(&[("index.html", PAGE)]);
    let server = Server::start(&folder, &["--reload", "full"]);
    let page = page(&server, "/");
    assert!(page.text().contains("data-reload=\"full\""));
    assert!(!page.text().contains("data-version"));
    assert_eq!(patch(&server, "/").header("tidings-head"), None);
}

#[test]
fn other_sites_get_neither_the_old_source_nor_the_new() {
    let folder = Folder::new(&[("index.html", PAGE)]);
    let server = Server::start(&folder, &[]);
    let page = page(&server, "/").text();
    let (_, rest) = page.split_once("data-version=\"").unwrap();
    let path = format!("/@tidings/version?id={}", &rest[..32]);
    let foreign = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: empty"];
    assert_eq!(ask(server.port, "GET", &path, &foreign).status, 403);
    let foreign = [&foreign[..], &["Tidings-Patch: document"]].concat();
    assert_eq!(ask(server.port, "GET", "/", &foreign).status, 403);
    let origin = ["Origin: http://evil.test"];
    assert_eq!(ask(server.port, "GET", &path, &origin).status, 403);
    assert_eq!(ask(server.port, "POST", &path, &[]).status, 405);
}
