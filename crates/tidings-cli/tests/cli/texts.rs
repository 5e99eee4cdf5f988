//! The text of a style sheet or page in the news of its change: it is what a request for it would get, or there is
//! none.

use serde_json::Value;

use super::http::post;
use super::{Folder, Server, Stream, ask};

/// The text that comes with a save of this file.
#[track_caller]
fn text_of(folder: &Folder, stream: &mut Stream, path: &str, content: &[u8]) -> Option<String> {
    folder.save(path, content);
    let change = change_of(stream, &format!("/{path}"));
    change["text"].as_str().map(str::to_owned)
}

/// The next change of the file with this URL path.
#[track_caller]
fn change_of(stream: &mut Stream, url_path: &str) -> Value {
    loop {
        let block = stream.block().unwrap();
        let data = block.lines().find_map(|line| line.strip_prefix("data: "));
        let data: Value = serde_json::from_str(data.unwrap()).unwrap();
        let mut changes = data["changes"].as_array().into_iter().flatten();
        if let Some(change) = changes.find(|change| change["path"] == url_path) {
            return change.clone();
        }
    }
}

/// A server on this folder, and its stream.
fn serve(folder: &Folder, flags: &[&str]) -> (Server, Stream) {
    let server = Server::start(folder, flags);
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    (server, stream)
}

#[test]
fn it_is_decoded_as_the_browser_would() {
    let folder = Folder::new(&[("a.css", "")]);
    let (_server, mut stream) = serve(&folder, &[]);
    let mut check = |content: &[u8], expected: Option<&str>| {
        let text = text_of(&folder, &mut stream, "a.css", content);
        assert_eq!(text.as_deref(), expected, "{content:?}");
    };
    check(b"a { color: red }", Some("a { color: red }"));
    check(
        "a::before { content: '\u{fc}' }".as_bytes(),
        Some("a::before { content: '\u{fc}' }"),
    );
    check(b"\xef\xbb\xbfa { }", Some("a { }"));
    // The encoding is the page's, or declared.
    check(b"a::before { content: '\xfc' }", None);
    check(b"@charset \"latin1\"; a { }", None);
    check(&[b'a'; 65_537], None);
    check(b"b { }", Some("b { }"));
}

#[test]
fn there_is_none_where_a_request_would_get_something_else() {
    let folder = Folder::new(&[
        ("site/a.css", ""),
        ("site/api/a.css", ""),
        ("site/old/a.css", ""),
        ("site/plain/a.css", ""),
        ("site/docs/a.css", ""),
        ("site/script.js", ""),
        ("docs/b.css", ""),
        (
            "tidings.toml",
            "[serve]\nmounts = { '/docs' = 'docs' }\n[[headers]]\npath = '/plain/**'\nset = { content-type = 'text/plain' }\n\
             [[redirects]]\nfrom = '/old/*'\nto = '/a.css'\n",
        ),
    ]);
    let server = Server::run(
        super::support::program::tidings()
            .current_dir(folder.root())
            .args(["serve", "site", "--json", "--port", "0"])
            .args(["--proxy", "/api=http://localhost:9"]),
    );
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    let site = |name: &str| format!("site/{name}");
    let mut check = |file: &str, url: &str, expected: Option<&str>| {
        folder.save(file, "a { }");
        let change = change_of(&mut stream, url);
        assert_eq!(change["text"].as_str(), expected, "{file}");
    };
    check(&site("a.css"), "/a.css", Some("a { }"));
    check(&site("api/a.css"), "/api/a.css", None);
    check(&site("old/a.css"), "/old/a.css", None);
    check(&site("plain/a.css"), "/plain/a.css", None);
    check(&site("docs/a.css"), "/docs/a.css", None);
    check(&site("script.js"), "/script.js", None);
    check("docs/b.css", "/docs/b.css", Some("a { }"));
}

#[cfg(unix)]
#[test]
fn nothing_leaves_the_folder_in_it() {
    let folder = Folder::new(&[("site/a.css", ""), ("secret/out.css", "secret { }")]);
    std::os::unix::fs::symlink(folder.path("secret/out.css"), folder.path("site/link.css"))
        .unwrap();
    let server = Server::run(
        super::support::program::tidings()
            .arg("serve")
            .arg(folder.path("site"))
            .args(["--json", "--port", "0"]),
    );
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    folder.save("secret/out.css", "secret { color: red }");
    std::fs::remove_file(folder.path("site/a.css")).unwrap();
    std::os::unix::fs::symlink(folder.path("secret/out.css"), folder.path("site/a.css")).unwrap();
    folder.save("site/.hidden.css", "secret { }");
    folder.save("site/last.css", "last { }");
    loop {
        let block = stream.block().unwrap();
        assert!(!block.contains("secret"), "{block}");
        if block.contains("last { }") {
            break;
        }
    }
}

/// A page says that it is open at this path.
fn open(server: &Server, path: &str) {
    let report = format!(r#"{{"page":"{path}","n":1,"at":"{path}","did":"open"}}"#);
    assert_eq!(post(server.port, "/@tidings/seen", &report).status, 204);
}

/// The source of a page without what differs each time that it is sent.
fn without_state(source: &str) -> String {
    let mut source = source.to_owned();
    for name in ["version", "cursor", "timestamp", "newest", "tree"] {
        let Some((before, rest)) = source.split_once(&format!(" data-{name}=\"")) else {
            continue;
        };
        let (_, after) = rest.split_once('"').unwrap();
        source = format!("{before}{after}");
    }
    source
}

#[test]
fn an_open_page_gets_what_it_would_get_if_it_asked_for_its_source() {
    let html = |text: &str| format!("<!doctype html><title>t</title><p>{text}\u{fc}</p>");
    let policy = "<meta http-equiv=Content-Security-Policy content=\"img-src 'none'\"><p>x";
    let folder = Folder::new(&[("index.html", ""), ("docs/a.html", ""), ("policy.htm", "")]);
    let (server, mut stream) = serve(&folder, &[]);
    let patch = [
        "Sec-Fetch-Dest: empty",
        "Sec-Fetch-Site: same-origin",
        "Tidings-Patch: document",
    ];
    for (file, path, content) in [
        ("index.html", "/", &*html("1")),
        ("index.html", "/index.html", &html("2")),
        ("docs/a.html", "/docs/a.html", &html("3")),
        ("policy.htm", "/policy.htm", policy),
    ] {
        open(&server, path);
        folder.save(file, content);
        let change = change_of(&mut stream, &format!("/{file}"));
        let asked = ask(server.port, "GET", path, &patch);
        assert!(asked.text().contains("/@tidings/client.js"), "{path}");
        assert_eq!(
            change["text"].as_str().map(without_state),
            Some(without_state(&asked.text())),
            "{path}"
        );
        assert_eq!(
            change["head"].as_str(),
            asked.header("tidings-head"),
            "{path}"
        );
    }
    let leave = r#"{"page":"/docs/a.html","n":2,"at":"/docs/a.html","did":"leave"}"#;
    assert_eq!(post(server.port, "/@tidings/seen", leave).status, 204);
    let text = text_of(&folder, &mut stream, "docs/a.html", html("4").as_bytes());
    assert_eq!(text, None, "nobody shows it");
    for (content, why) in [
        (b"<p>\xfc".to_vec(), "its encoding is the browser's guess"),
        (html(&"-".repeat(65_536)).into_bytes(), "it is large"),
    ] {
        assert_eq!(
            text_of(&folder, &mut stream, "index.html", &content),
            None,
            "{why}"
        );
    }
}

#[test]
fn an_open_page_gets_none_where_its_addresses_would_be_answered_differently() {
    let page = "<!doctype html><p>x";
    let files = [
        "headers/index.html",
        "moved/index.html",
        "api/index.html",
        "plain/index.html",
    ];
    let rules = "[[headers]]\npath = '/headers/'\nset = { referrer-policy = 'origin' }\n\
                 [[headers]]\npath = '/plain/**'\nset = { x-other = 'other' }\n\
                 [[redirects]]\nfrom = '/moved/'\nto = '/plain/'\n";
    let sources = files.map(|file| (file, page));
    let folder = Folder::new(&[&sources[..], &[("tidings.toml", rules)]].concat());
    let server = Server::run(
        super::support::program::tidings()
            .current_dir(folder.root())
            .args(["serve", "--json", "--port", "0"])
            .args(["--proxy", "/api=http://localhost:9"]),
    );
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    for file in files {
        let path = file.strip_suffix("index.html").unwrap();
        open(&server, &format!("/{path}"));
        folder.save(file, format!("{page}{path}"));
        let change = change_of(&mut stream, &format!("/{file}"));
        assert_eq!(change["text"].is_string(), path == "plain/", "{file}");
    }
}
