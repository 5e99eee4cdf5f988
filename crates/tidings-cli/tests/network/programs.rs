//! `tidings wait` and `tidings why`, run beside a server that others reach or that speaks TLS.

use std::path::Path;

use crate::chromium::Browser;
use crate::home::other_device;
use crate::support::program::{Finished, finished, until};
use crate::{Folder, Home, Server};

const PAGE: &str = "<!doctype html><link rel=stylesheet href=a.css><h1>one</h1>";
const COLOUR: &str = "getComputedStyle(document.querySelector('h1')).color";

fn site() -> Folder {
    Folder::new(&[("index.html", PAGE), ("a.css", "h1 { color: blue }")])
}

/// Runs a command of the program in this folder.
fn run_in(home: &Home, dir: &Path, arguments: &[&str]) -> Finished {
    finished(home.tidings().current_dir(dir).args(arguments))
}

/// Both find the server of the folder, and the one at each of these addresses, and it takes their token.
#[track_caller]
fn check(home: &Home, folder: &Folder, urls: &[String], n_pages: usize) {
    let elsewhere = Folder::new(&[]);
    let sheet = folder.path("a.css");
    let sheet = sheet.to_str().unwrap();
    let mut asked = vec![(folder.root(), vec![])];
    asked.extend(
        urls.iter()
            .map(|url| (elsewhere.root(), vec!["--url", url])),
    );
    for (dir, flags) in asked {
        let waited = run_in(home, dir, &[&["wait", "--json"], &flags[..]].concat());
        let expected = format!("{{\"event\":\"waited\",\"pages\":{n_pages}}}\n");
        assert_eq!(
            (waited.code, waited.out, &*waited.err),
            (Some(0), expected, ""),
            "{flags:?}"
        );
        let why = run_in(home, dir, &[&["why", sheet], &flags[..]].concat());
        assert_eq!((why.code, &*why.err), (Some(0), ""), "{flags:?}");
        let end = match n_pages {
            0 => "no page is open\n",
            _ => "page 1 (/) would swap it in place\n",
        };
        assert!(why.out.ends_with(end), "{flags:?}: {why:?}");
    }
}

fn localhost(server: &Server) -> Vec<String> {
    let port = server.port;
    vec![
        format!("https://localhost:{port}/"),
        format!("https://127.0.0.1:{port}"),
    ]
}

#[test]
fn a_server_with_the_authority_of_this_user_is_asked_whether_anybody_trusts_it_or_not() {
    let (home, folder) = (Home::new(), site());
    let server = home.serve(&folder, &["--https"]);
    check(&home, &folder, &localhost(&server), 0);
    // The certificate does not matter, because the file of the server says who may be asked.
    let http = format!("http://localhost:{}/", server.port);
    check(&home, &folder, &[http], 0);
}

#[test]
fn a_server_with_a_certificate_of_ones_own_is_asked() {
    let (home, folder, files) = (Home::new(), site(), Folder::new(&[]));
    let made = rcgen::generate_simple_self_signed(["app.test".to_owned()]).unwrap();
    files.save("cert.pem", made.cert.pem());
    files.save("key.pem", made.signing_key.serialize_pem());
    let (cert, key) = (files.path("cert.pem"), files.path("key.pem"));
    let flags = [
        "--cert",
        cert.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
        "--allow-host",
        "app.test",
    ];
    let server = home.serve(&folder, &flags);
    let mut urls = localhost(&server);
    urls.push(format!("https://app.test:{}/", server.port));
    check(&home, &folder, &urls, 0);
}

#[test]
fn a_server_for_the_network_is_asked_without_the_token_of_its_devices() {
    let Some(device) = other_device() else { return };
    let (home, folder) = (Home::new(), site());
    for flags in [
        &["--lan"][..],
        &["--lan", "--https"],
        // It listens at that address only, so that is where it is asked.
        &["--lan", "--host", &device.to_string()],
    ] {
        let server = home.serve(&folder, flags);
        let port = server.port;
        let scheme = if flags.contains(&"--https") {
            "https"
        } else {
            "http"
        };
        check(&home, &folder, &[format!("{scheme}://{device}:{port}/")], 0);
    }
}

#[test]
fn a_page_that_was_loaded_over_https_is_waited_for_and_asked() {
    let (home, folder) = (Home::new(), site());
    let server = home.serve(&folder, &["--https"]);
    // As somebody who has told the browser to go on.
    let mut browser = Browser::start_with(&["--ignore-certificate-errors"]);
    let mut tab = browser.open(&format!("https://localhost:{}/", server.port));
    let is_known = || {
        let waited = run_in(&home, folder.root(), &["wait", "--json"]);
        waited.out.contains("\"pages\":1}").then_some(())
    };
    until(is_known).expect("it says that it is there");
    check(&home, &folder, &localhost(&server), 1);
    tab.eval("window.mark = true");
    folder.save("a.css", "h1 { color: red }");
    check(&home, &folder, &localhost(&server), 1);
    assert_eq!(tab.eval(COLOUR), "rgb(255, 0, 0)");
    assert_eq!(tab.eval("window.mark"), true, "in place");
}
