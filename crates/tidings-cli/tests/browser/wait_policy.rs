//! `tidings wait` and pages whose policy forbids them to connect: they cannot say themselves that they leave.

use serde_json::json;

use crate::backend::Backend;
use crate::proxied::{START, with_command};
use crate::support::program::{Folder, until};
use crate::wait::{opened, wait_at};
use crate::{Browser, Site};

const POLICY: &str = "default-src 'self'; connect-src 'none'";

fn with_policy(text: &str) -> String {
    format!("<meta http-equiv=content-security-policy content=\"{POLICY}\"><p>{text}")
}

/// What pages say is looked at, and not what `wait` makes of it: that forgets a silent page in the end.
#[test]
fn others_say_for_a_page_that_it_has_left() {
    let backend = Backend::start(&[
        ("/a", &with_policy("a")),
        ("/b", &with_policy("b")),
        ("/c", "<p>c"),
    ]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&backend.url("/a"));
    let other = browser.open(&backend.url("/b"));
    until(|| (backend.said("none").len() == 2).then_some(())).expect("both are there");
    let left = |expected: &[&str]| {
        let has_left = || {
            let mut left = backend.said("leave");
            left.dedup();
            (left == expected).then_some(())
        };
        until(has_left).unwrap_or_else(|| panic!("{expected:?}: {:?}", backend.said("leave")));
    };
    assert_eq!(backend.said("leave"), [""; 0]);
    // A page that is open says it.
    tab.call("Page.navigate", json!({"url": "about:blank"}));
    left(&["/a"]);
    // It is back, and says so itself; the page that is left now is `/b`.
    tab.eval("setTimeout(() => history.back()); 0");
    until(|| (backend.said("open").len() == 3).then_some(())).expect("it is there again");
    let mut other = other;
    other.call("Page.close", json!({}));
    left(&["/a", "/b"]);
    // Nobody else is there: the page that comes next in the tab says it.
    tab.go(&backend.url("/c"));
    left(&["/a", "/b", "/a"]);
}

#[track_caller]
fn shown(url: &str, expected: &str) {
    let ended = wait_at(url, &["--timeout", "30"]);
    assert_eq!((ended.code, &*ended.out), (Some(0), expected), "{ended:?}");
}

#[test]
fn a_page_that_cannot_say_that_it_leaves_is_not_waited_for_for_ever() {
    let site = Site::serve(&[("index.html", &with_policy("one"))]);
    let url = site.url("/");
    let mut browser = Browser::start();
    let mut tab = opened(&mut browser, &url);
    shown(&url, "1 page shows the newest change\n");
    // Nobody is there who says it.
    tab.call("Page.close", json!({}));
    shown(&url, "no page is open\n");
}

/// A silent page of this kind is waited for until the time is over: so it has said it.
#[test]
fn a_page_with_a_policy_in_its_head_says_itself_that_it_leaves() {
    let folder = Folder::new(&[
        ("build.sh", "true"),
        ("start.sh", START),
        ("site/index.html", "<p>one"),
    ]);
    folder.save(
        "tidings.toml",
        format!(
            "[[headers]]\npath = \"/**\"\nset = {{ Content-Security-Policy = \"{POLICY}\" }}\n"
        ),
    );
    let server = with_command(&folder);
    let url = format!("http://localhost:{}/", server.port);
    let mut browser = Browser::start();
    let mut tab = opened(&mut browser, &url);
    shown(&url, "1 page shows the newest change\n");
    assert_eq!(
        tab.eval("fetch('/x').then(() => 1, () => 2)"),
        2,
        "it has a policy"
    );
    tab.call("Page.close", json!({}));
    shown(&url, "no page is open\n");
}
