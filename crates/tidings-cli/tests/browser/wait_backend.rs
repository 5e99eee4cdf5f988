//! `tidings wait` where a backend makes the pages: what is wrong with it is the answer, and not that the time is over.

use serde_json::Value;

use crate::proxied::{Plain, START, with_command};
use crate::support::program::{Folder, Server, tidings, until};
use crate::wait::{opened, wait_at};
use crate::{Browser, Page};

fn site(start: &str) -> Folder {
    Folder::new(&[
        ("build.sh", "true"),
        ("start.sh", start),
        ("site/index.html", "<p>one"),
    ])
}

fn url(server: &Server) -> String {
    format!("http://localhost:{}/", server.port)
}

/// Waits, and is told this.
#[track_caller]
fn has_problem(url: &str, said: &[&str]) {
    let ended = wait_at(url, &["--timeout", "30"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for said in said {
        assert!(ended.out.contains(said), "{said}: {ended:?}");
    }
    assert!(!ended.out.contains("did not answer"), "{ended:?}");
}

/// Waits, and then the page shows this.
#[track_caller]
fn is_mended(url: &str, page: &mut Page, text: &str) {
    let ended = wait_at(url, &["--timeout", "30"]);
    let expected = "1 page shows the newest change\n";
    assert_eq!((ended.code, &*ended.out), (Some(0), expected), "{ended:?}");
    assert_eq!(page.eval("document.body.innerText.trim()"), text);
}

#[test]
fn a_build_that_fails_is_told_with_its_first_lines_and_its_place_until_it_is_mended() {
    let folder = site(START);
    let server = with_command(&folder);
    let url = url(&server);
    let mut browser = Browser::start();
    let mut page = opened(&mut browser, &url);
    is_mended(&url, &mut page, "one");
    let broken = "echo 'error: no such thing'; echo ' --> site/index.html:1:2'; seq 90; exit 7";
    folder.save("build.sh", broken);
    let first = [
        "The build exited with code 7 (site/index.html:1:2)\n",
        "\n  error: no such thing\n",
        "\n  18\n  (72 more lines)\n",
    ];
    has_problem(&url, &first);
    // Asked again, and for programs.
    let ended = wait_at(&url, &["--json"]);
    let said: Value = serde_json::from_str(&ended.out).unwrap();
    let problem = &said["problem"];
    assert_eq!(problem["kind"], "build_failed");
    assert_eq!(problem["place"], "site/index.html:1:2");
    assert!(problem["text"].as_str().unwrap().contains("\n90"));
    folder.save("site/index.html", "<p>two");
    folder.save("build.sh", "true");
    is_mended(&url, &mut page, "two");
}

#[test]
fn a_start_that_fails_is_told_though_the_page_in_its_place_waits_for_it() {
    let folder = site("{ seq 100; echo 'cannot find the settings'; } >&2; exit 3");
    let server = with_command(&folder);
    let url = url(&server);
    let mut browser = Browser::start();
    let mut page = opened(&mut browser, &url);
    page.until("document.querySelector('pre') !== null");
    let last = [
        "The backend exited with code 3 before it was ready\n",
        "\n  (80 more lines)\n  82\n",
        "\n  100\n  cannot find the settings\n",
    ];
    has_problem(&url, &last);
    folder.save("start.sh", "echo 'another reason' >&2; exit 4");
    has_problem(&url, &["exited with code 4", "\n  another reason\n"]);
    folder.save("start.sh", START);
    is_mended(&url, &mut page, "one");
}

/// On one port the backend from before is ended first, so the page has nothing to load.
#[test]
fn a_page_that_is_to_reload_and_cannot_because_of_the_problem_is_not_waited_for() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let folder = site(START);
    folder.save("template.txt", "");
    folder.settle();
    let server = Server::run(
        tidings()
            .current_dir(folder.root())
            .args(["proxy", "--json", "--port", "0", "--restart", "start.sh"])
            .args(["--watch", "template.txt"])
            .arg(format!("http://127.0.0.1:{port}"))
            .args(["--", "sh", "start.sh", &port]),
    );
    let url = url(&server);
    let mut browser = Browser::start();
    let mut page = opened(&mut browser, &url);
    is_mended(&url, &mut page, "one");
    page.mark();
    folder.save("start.sh", "echo 'no such table' >&2; exit 3");
    has_problem(&url, &["no such table"]);
    folder.save("template.txt", "saved");
    has_problem(&url, &["no such table"]);
    assert!(page.is_same());
    folder.save("site/index.html", "<p>two");
    folder.save("start.sh", START);
    is_mended(&url, &mut page, "two");
}

#[test]
fn a_page_that_waits_for_a_backend_of_somebody_else_is_named_and_waited_for() {
    let folder = Folder::new(&[("template.txt", "")]);
    folder.settle();
    // It has a script, so it is not patched: nobody asks for its content.
    let backend = Plain::start(0, "one<script></script>");
    let port = backend.port;
    let server = Server::run(
        tidings()
            .args(["proxy", &format!("http://127.0.0.1:{port}")])
            .args(["--json", "--port", "0"])
            .args(["--watch".as_ref(), folder.root()]),
    );
    let url = url(&server);
    let mut browser = Browser::start();
    let mut page = opened(&mut browser, &url);
    is_mended(&url, &mut page, "one");
    drop(backend);
    folder.save("template.txt", "saved");
    // Its reload has found out that nothing is there, and nobody else has.
    let expected =
        "page 1 (/) did not answer after 1 s: it is to reload, and waits for the backend\n";
    let in_vain = || {
        let ended = wait_at(&url, &["--timeout", "1"]);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        (ended.out == expected).then_some(())
    };
    until(in_vain).expect("it says what it waits for");
    let _backend = Plain::start(port, "two");
    is_mended(&url, &mut page, "two");
}
