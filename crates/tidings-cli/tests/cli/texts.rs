//! The text of a style sheet in the news of its change: it is what a request for the sheet would get, or there
//! is none.

use serde_json::Value;

use super::{Folder, Server, Stream};

/// The text that comes with a save of this file.
#[track_caller]
fn text_of(folder: &Folder, stream: &mut Stream, path: &str, content: &[u8]) -> Option<String> {
    folder.save(path, content);
    loop {
        let block = stream.block().unwrap();
        let data = block.lines().find_map(|line| line.strip_prefix("data: "));
        let data: Value = serde_json::from_str(data.unwrap()).unwrap();
        let mut changes = data["changes"].as_array().into_iter().flatten();
        if let Some(change) = changes.find(|change| change["path"] == format!("/{path}")) {
            return change["text"].as_str().map(str::to_owned);
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
        loop {
            let block = stream.block().unwrap();
            let data = block.lines().find_map(|line| line.strip_prefix("data: "));
            let data: Value = serde_json::from_str(data.unwrap()).unwrap();
            let mut changes = data["changes"].as_array().into_iter().flatten();
            if let Some(change) = changes.find(|change| change["path"] == url) {
                assert_eq!(change["text"].as_str(), expected, "{file}");
                break;
            }
        }
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
