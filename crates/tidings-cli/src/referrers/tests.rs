use http::Request;

use super::*;

const HOST: &str = "localhost:8080";

fn ask(referrers: &Referrers, path: &str, headers: &[(&str, &str)]) {
    let mut request = Request::get(path).header("host", HOST);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    referrers.record(&parts);
}

/// A request of a current browser on this machine.
fn browse(referrers: &Referrers, path: &str, destination: &str, from: Option<&str>) {
    let referrer = from.map(|from| format!("http://{HOST}{from}"));
    let mut headers = vec![
        ("sec-fetch-dest", destination),
        ("sec-fetch-site", "same-origin"),
    ];
    headers.extend(referrer.as_deref().map(|referrer| ("referer", referrer)));
    ask(referrers, path, &headers);
}

#[track_caller]
fn check(referrers: &Referrers, path: &str, expected: &[&str]) {
    assert_eq!(referrers.users_of(path, false), expected, "{path}");
}

#[test]
fn what_a_worker_imports_is_used_by_the_worker_and_by_its_page() {
    let referrers = Referrers::default();
    browse(&referrers, "/", "document", None);
    browse(&referrers, "/w.js", "worker", Some("/?query"));
    browse(&referrers, "/lib.js", "script", Some("/w.js"));
    browse(&referrers, "/deep.js", "script", Some("/lib.js"));
    browse(&referrers, "/d%20a.json", "empty", Some("/w.js"));
    check(&referrers, "/w.js", &["/"]);
    for path in ["/lib.js", "/deep.js", "/d a.json"] {
        check(&referrers, path, &["/", "/w.js"]);
    }
}

#[test]
fn requests_that_a_page_observes_are_not_recorded() {
    let referrers = Referrers::default();
    browse(&referrers, "/", "document", None);
    browse(&referrers, "/a.js", "script", Some("/"));
    browse(&referrers, "/a.json", "empty", Some("/"));
    browse(&referrers, "/a.css", "style", Some("/"));
    browse(&referrers, "/a.png", "image", Some("/a.css"));
    browse(&referrers, "/frame.html", "iframe", Some("/"));
    for path in ["/a.js", "/a.json", "/a.css", "/a.png", "/frame.html"] {
        check(&referrers, path, &[]);
    }
}

#[test]
fn a_page_in_a_frame_is_the_user_and_not_the_page_around_it() {
    let referrers = Referrers::default();
    browse(&referrers, "/", "document", None);
    browse(&referrers, "/frame.html", "iframe", Some("/"));
    browse(&referrers, "/w.js", "worker", Some("/frame.html"));
    check(&referrers, "/w.js", &["/frame.html"]);
}

#[test]
fn a_shared_worker_may_be_used_by_every_page() {
    let referrers = Referrers::default();
    browse(&referrers, "/", "document", None);
    browse(&referrers, "/s.js", "sharedworker", Some("/"));
    browse(&referrers, "/sw.js", "serviceworker", Some("/"));
    browse(&referrers, "/lib.js", "script", Some("/s.js"));
    for path in ["/s.js", "/sw.js", "/lib.js"] {
        check(&referrers, path, &["*"]);
    }
}

#[test]
fn a_request_without_a_referrer_may_be_from_any_page() {
    let referrers = Referrers::default();
    // A worker made of a blob, or a page with `Referrer-Policy: no-referrer`.
    browse(&referrers, "/lib.js", "script", None);
    check(&referrers, "/lib.js", &["*"]);
    // Only documents load these, and they see it.
    browse(&referrers, "/a.css", "style", None);
    check(&referrers, "/a.css", &[]);
    // The address of the page has been changed by a script.
    browse(&referrers, "/w.js", "worker", Some("/pushed/state"));
    check(&referrers, "/w.js", &["*"]);
}

#[test]
fn a_sandboxed_frame_is_an_opaque_origin_and_so_is_what_its_sheets_name() {
    let referrers = Referrers::default();
    let opaque = [
        ("sec-fetch-dest", "style"),
        ("sec-fetch-site", "cross-site"),
    ];
    ask(&referrers, "/o.css", &opaque);
    let from_sheet = format!("http://{HOST}/o.css");
    let image = [
        ("sec-fetch-dest", "image"),
        ("sec-fetch-site", "cross-site"),
        ("referer", from_sheet.as_str()),
    ];
    ask(&referrers, "/o.png", &image);
    let inner = [
        ("sec-fetch-dest", "iframe"),
        ("sec-fetch-site", "cross-site"),
    ];
    ask(&referrers, "/inner.html", &inner);
    check(&referrers, "/o.css", &["null"]);
    check(&referrers, "/o.png", &["null"]);
    check(&referrers, "/inner.html", &["null"]);
}

#[test]
fn a_link_from_another_site_is_not_a_user() {
    let referrers = Referrers::default();
    let link = [
        ("sec-fetch-dest", "document"),
        ("sec-fetch-site", "cross-site"),
    ];
    ask(&referrers, "/", &link);
    let other_port = [
        ("sec-fetch-dest", "script"),
        ("sec-fetch-site", "same-site"),
        ("referer", "http://localhost:3000/"),
    ];
    ask(&referrers, "/a.js", &other_port);
    let longer = [
        ("sec-fetch-dest", "script"),
        ("sec-fetch-site", "same-site"),
        ("referer", "http://localhost:80800/"),
    ];
    ask(&referrers, "/a.js", &longer);
    check(&referrers, "/", &[]);
    check(&referrers, "/a.js", &[]);
}

#[test]
fn without_fetch_metadata_referer_and_accept_decide() {
    let referrers = Referrers::default();
    let agent = ("user-agent", "Mozilla/5.0");
    let from = |path: &str| format!("http://{HOST}{path}");
    let (page, worker) = (from("/"), from("/w.js"));
    ask(&referrers, "/", &[agent, ("accept", "text/html,*/*;q=0.8")]);
    ask(
        &referrers,
        "/w.js",
        &[agent, ("accept", "*/*"), ("referer", &page)],
    );
    ask(
        &referrers,
        "/lib.js",
        &[agent, ("accept", "*/*"), ("referer", &worker)],
    );
    let css = ("accept", "text/css,*/*;q=0.1");
    ask(&referrers, "/a.css", &[agent, css, ("referer", &page)]);
    ask(&referrers, "/o.css", &[agent, css]);
    check(&referrers, "/w.js", &["/"]);
    check(&referrers, "/lib.js", &["/"]);
    check(&referrers, "/a.css", &[]);
    check(&referrers, "/o.css", &["null"]);
    // curl is no page.
    ask(
        &referrers,
        "/b.js",
        &[("accept", "*/*"), ("user-agent", "curl/8")],
    );
    check(&referrers, "/b.js", &[]);
}

#[test]
fn a_clean_url_is_the_same_file() {
    let referrers = Referrers::default();
    let inner = [
        ("sec-fetch-dest", "iframe"),
        ("sec-fetch-site", "cross-site"),
    ];
    ask(&referrers, "/inner", &inner);
    ask(&referrers, "/docs/", &inner);
    check(&referrers, "/inner.html", &["null"]);
    check(&referrers, "/docs/index.html", &["null"]);
}

#[test]
fn a_removed_folder_has_the_users_of_its_files() {
    let referrers = Referrers::default();
    browse(&referrers, "/", "document", None);
    browse(&referrers, "/w/w.js", "worker", Some("/"));
    assert_eq!(referrers.users_of("/w", true), ["/"]);
    assert!(referrers.users_of("/w", false).is_empty());
    assert!(referrers.users_of("/", true).is_empty());
}

#[test]
fn beyond_the_limit_every_page_is_a_user() {
    let referrers = Referrers::default();
    for n in 0..=MAX_REQUESTS {
        browse(&referrers, &format!("/{n}.json"), "empty", Some("/w.js"));
    }
    check(&referrers, "/unheard-of.css", &["*"]);
    let many = Referrers::default();
    for n in 0..=MAX_USERS {
        browse(&many, "/lib.js", "worker", Some("/w.js"));
        browse(&many, &format!("/{n}"), "document", None);
        browse(&many, "/w.js", "worker", Some(&format!("/{n}")));
    }
    check(&many, "/lib.js", &["*"]);
}

#[test]
fn import_cycles_terminate() {
    let referrers = Referrers::default();
    browse(&referrers, "/", "document", None);
    browse(&referrers, "/w.js", "worker", Some("/"));
    browse(&referrers, "/a.js", "worker", Some("/w.js"));
    browse(&referrers, "/b.js", "worker", Some("/a.js"));
    browse(&referrers, "/a.js", "worker", Some("/b.js"));
    check(&referrers, "/b.js", &["/", "/a.js", "/w.js"]);
}
