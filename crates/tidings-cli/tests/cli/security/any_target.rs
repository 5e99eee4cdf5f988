//! Whatever is asked for, no file outside of the folder is opened, and no private one.
//!
//! That is watched from outside: the kernel tells of every opening (`IN_OPEN`) and every read (`IN_ACCESS`) of the
//! files that are not to be had.

use std::fs;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};

use super::*;

/// Parts of targets: names that are there, and what has helped against some server to leave the folder.
const PARTS: [&str; 63] = [
    "",
    ".",
    "..",
    "...",
    "....",
    "..;",
    "%2e",
    "%2E%2e",
    ".%2e",
    "..%2f",
    "..%2F",
    "%2e%2e%2f",
    "%2f",
    "..%5c",
    "..\\",
    "\\",
    "%5c",
    "%00",
    "..%00",
    "%c0%ae%c0%ae",
    "%c0%af",
    "%e0%80%af",
    "%252e%252e",
    "%252e%252e%252f",
    "%uff0e%uff0e",
    "a.txt",
    "a",
    "index.html",
    "deep",
    "b.txt",
    "deep%20er",
    "outside",
    "secret.txt",
    "public-secret",
    "public",
    ".env",
    "%2eenv",
    ".env.",
    ".env%20",
    ".git",
    "config",
    "keys",
    "key",
    "env.txt",
    "server.pem",
    "id_rsa",
    "link",
    "link.txt",
    "up",
    "root",
    "magic",
    "etc",
    "passwd",
    "proc",
    "self",
    "@fs",
    "@tidings",
    "version",
    "server-sent-events%2f..",
    "~",
    "C:",
    "::$DATA",
    "%FF",
];

/// What may come before and after the path.
const BEFORE: [&str; 6] = ["/", "/", "/", "//", "http://localhost/", "/\\"];
const AFTER: [&str; 10] = [
    "",
    "",
    "",
    "/",
    "?raw",
    "?raw??",
    "#",
    "#/../.env",
    "?/../../outside/secret.txt",
    "%00",
];

fn target() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        10 => proptest::sample::select(&PARTS[..]).prop_map(str::to_owned),
        5 => proptest::sample::select(&["a.txt", "deep", "b.txt"][..]).prop_map(str::to_owned),
        1 => "(%[0-9a-fA-F]{2}|[a-z.]){1,6}",
        1 => "[!-~]{0,5}",
    ];
    let parts = proptest::collection::vec(part, 1..6);
    let (before, after) = (
        proptest::sample::select(&BEFORE[..]),
        proptest::sample::select(&AFTER[..]),
    );
    (before, parts, after)
        .prop_map(|(before, parts, after)| format!("{before}{}{after}", parts.join("/")))
}

/// Tells what becomes of the files in these directories.
struct Watch(OwnedFd);

impl Watch {
    fn new(directories: &[&Path], flags: WatchFlags) -> Watch {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        for directory in directories {
            inotify::add_watch(&inotify, *directory, flags).unwrap();
        }
        Watch(inotify)
    }

    /// The names of files for which there was an event.
    fn names(&self) -> Vec<String> {
        let mut buffer = vec![MaybeUninit::uninit(); 64 * 1024];
        let mut reader = Reader::new(&self.0, &mut buffer);
        let mut names = Vec::new();
        loop {
            match reader.next() {
                Ok(event) => names.extend(
                    event
                        .file_name()
                        .map(|name| name.to_string_lossy().into_owned()),
                ),
                Err(error) => {
                    assert_eq!(std::io::Error::from(error).kind(), ErrorKind::WouldBlock);
                    return names;
                }
            }
        }
    }
}

fn check(links: &[(&str, &str)], flags: WatchFlags) {
    let project = Folder::new(&[
        ("public/index.html", "fine"),
        ("public/a.txt", "fine"),
        ("public/deep/b.txt", "fine"),
        ("public/deep er/b.txt", "fine"),
        ("public/.env", "SECRET"),
        ("public/.git/config", "SECRET"),
        ("public/keys/server.pem", "SECRET"),
        ("public/keys/id_rsa", "SECRET"),
        ("public-secret/a.txt", "SECRET"),
        ("public-secret/index.html", "SECRET"),
        ("outside/secret.txt", "SECRET"),
        ("secret.txt", "SECRET"),
    ]);
    for (target, link) in links {
        symlink(target, project.path("public").join(link)).unwrap();
    }
    project.settle();
    let mut command = super::super::tidings();
    let server = Server::run(command.arg(project.path("public")).args(["--port", "0"]));
    // The watcher has read what it reads.
    server.out.next();
    let of = |paths: &[&str]| -> Vec<_> { paths.iter().map(|path| project.path(path)).collect() };
    let private = of(&["public/.git", "public/keys", "public-secret", "outside"]);
    let private: Vec<&Path> = private.iter().map(|path| path.as_path()).collect();
    let watch = Watch::new(&private, flags);
    // Beside the root, and private in it: of the directory itself, only these.
    let above = Watch::new(&[project.root()], flags);
    let within = Watch::new(&[&project.path("public")], flags);
    // It does tell.
    fs::read(project.path("outside/secret.txt")).unwrap();
    assert!(watch.names().contains(&"secret.txt".to_owned()));

    let mut runner = TestRunner::new(Config {
        cases: 3_000,
        failure_persistence: None,
        ..Config::default()
    });
    let accepted = std::cell::Cell::new(0_u32);
    let run = runner.run(&(target(), any::<bool>()), |(target, navigation)| {
        if target.contains([' ', '\r', '\n']) {
            return Ok(());
        }
        let mode = if navigation {
            "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
        } else {
            ""
        };
        let head =
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{mode}Connection: close\r\n\r\n");
        let answer = send(server.port, head.as_bytes());
        prop_assert!(!answer.text().contains("SECRET"), "{target}");
        prop_assert!(
            matches!(answer.status, 200 | 204 | 307 | 400 | 403 | 404 | 405),
            "{target}: {:?}",
            answer.head
        );
        accepted.set(accepted.get() + u32::from(answer.status == 200));
        let touched = watch.names();
        prop_assert!(touched.is_empty(), "{target}: {touched:?}");
        let touched = above.names();
        prop_assert!(
            !touched.contains(&"secret.txt".to_owned()),
            "{target}: {touched:?}"
        );
        let touched = within.names();
        prop_assert!(
            !touched.contains(&".env".to_owned()),
            "{target}: {touched:?}"
        );
        Ok(())
    });
    run.unwrap();
    let accepted = accepted.get();
    assert!(
        accepted > 20,
        "{accepted} targets got a file: the test shows nothing"
    );
}

#[test]
fn no_target_opens_a_file_outside_of_the_folder_or_a_private_one() {
    check(&[], WatchFlags::OPEN);
}

/// Where a link leads out, its target may be looked at, as an open file, before it is refused; it is not read.
#[test]
fn no_target_reads_a_file_that_a_link_leads_out_to() {
    let links = [
        ("../outside", "link"),
        ("../outside/secret.txt", "link.txt"),
        ("..", "up"),
        ("/", "root"),
        ("/proc/self/root", "magic"),
        (".env", "env.txt"),
        (".git", "hidden"),
        ("keys/id_rsa", "key"),
    ];
    check(&links, WatchFlags::ACCESS);
}
