//! What the server may not read.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{Folder, Server, ask};

const NAVIGATION: [&str; 2] = ["Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate"];

fn permit(folder: &Folder, path: &str, mode: u32) {
    fs::set_permissions(folder.path(path), Permissions::from_mode(mode)).unwrap();
}

/// Waits for the warning that this path cannot be read, with this hint; the watcher may have a word
/// about it as well.
#[track_caller]
fn until_warned(server: &Server, path: &str, hint: &str) {
    let expected = [
        format!("warning: cannot read {path}: permission denied"),
        format!("hint: make it readable ({hint})"),
    ];
    let mut before = server.err.next().expect("a warning");
    loop {
        let line = server.err.next().expect("a warning");
        if [&before, &line] == [&expected[0], &expected[1]] {
            return;
        }
        before = line;
    }
}

#[test]
fn a_page_that_may_not_be_read_says_so_and_comes_back_when_it_may() {
    let folder = Folder::new(&[("page.html", "<p>hi"), ("it's.html", "<p>hi")]);
    permit(&folder, "page.html", 0);
    permit(&folder, "it's.html", 0);
    let Some(server) = Server::unprivileged(&folder, &[]) else {
        return eprintln!("SKIPPED: the binary cannot be run as another user");
    };
    for _ in 0..2 {
        let answer = ask(server.port, "GET", "/page", &NAVIGATION);
        assert_eq!(answer.status, 403);
        let text = answer.text();
        assert!(text.contains("data-missing"), "it has the script: {text}");
        assert!(text.contains("<code>/page</code>"), "{text}");
        assert!(text.contains("permission denied"), "{text}");
    }
    let answer = ask(server.port, "GET", "/page.html", &[]);
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (403, "cannot read /page.html: permission denied\n")
    );
    ask(server.port, "GET", "/it's.html", &NAVIGATION);
    let page = folder.path("page.html").display().to_string();
    until_warned(&server, &page, &format!("chmod a+r {page}"));
    // Each is said once: the next line is about the next file.
    let line = server.err.next().unwrap();
    assert!(line.contains("it's.html"), "{line}");
    let hint = server.err.next().unwrap();
    assert!(hint.ends_with(r"/it'\''s.html')"), "{hint}");

    permit(&folder, "page.html", 0o644);
    let answer = ask(server.port, "GET", "/page", &NAVIGATION);
    assert_eq!(answer.status, 200);
}

#[test]
fn a_folder_that_may_not_be_entered_is_the_one_that_is_named() {
    let folder = Folder::new(&[("locked/deep/index.html", "<p>hi")]);
    let Some(server) = Server::unprivileged(&folder, &[]) else {
        return eprintln!("SKIPPED: the binary cannot be run as another user");
    };
    permit(&folder, "locked", 0);
    let answer = ask(server.port, "GET", "/locked/deep/", &NAVIGATION);
    permit(&folder, "locked", 0o755);
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("data-missing"), "{answer:?}");
    let locked = folder.path("locked").display().to_string();
    until_warned(&server, &locked, &format!("chmod a+rx {locked}"));
    let answer = ask(server.port, "GET", "/locked/deep/", &NAVIGATION);
    assert_eq!(answer.status, 200);
}

#[test]
fn whether_a_file_outside_may_be_read_is_not_told() {
    let folder = Folder::new(&[("index.html", "<p>hi")]);
    let outside = Folder::new(&[("locked/x.html", "x"), ("x.html", "x")]);
    symlink(outside.path("locked"), folder.path("locked")).unwrap();
    symlink(outside.path("x.html"), folder.path("x.html")).unwrap();
    let Some(server) = Server::unprivileged(&folder, &[]) else {
        return eprintln!("SKIPPED: the binary cannot be run as another user");
    };
    permit(&outside, "locked", 0);
    permit(&outside, "x.html", 0);
    for target in ["/locked/x", "/locked/x.html", "/locked/none", "/x.html"] {
        for headers in [&NAVIGATION[..], &[]] {
            let answer = ask(server.port, "GET", target, headers);
            assert_eq!(answer.status, 404, "{target}");
        }
    }
    permit(&outside, "locked", 0o755);
}
