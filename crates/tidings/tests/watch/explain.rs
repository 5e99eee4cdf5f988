//! Why a change is reported, or is not: the same answer as the watcher's own, and the rule.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use tidings::watch::{Because, Explanation, Options, Scope, explain};

use crate::{NEVER_REPORTED, PATIENCE, Site};

fn options(site: &Site) -> Options {
    let mut options = Options::new([site.root()]);
    options.ignore = vec!["*.log".to_owned(), "!.env".to_owned()];
    options
}

/// The step that decided: the first that ignores, or else the last.
fn decided(explanation: &Explanation) -> (PathBuf, Because) {
    let ignored = explanation.steps.iter().find(|step| step.ignored);
    let step = ignored.or(explanation.steps.last()).unwrap();
    (step.path.clone(), step.because.clone())
}

fn site() -> Site {
    let site = Site::new(
        &[
            "index.html",
            "build/out.css",
            "a/build/x.css",
            "node_modules/x/y.js",
            ".env",
            "notes.log",
            "page.html~",
            "a/keep.map",
        ],
        |options| {
            options.ignore = vec!["*.log".to_owned(), "!.env".to_owned()];
        },
    );
    fs::create_dir(site.path(".git")).unwrap();
    site.save(".gitignore", "# comment\n/build/\n*.map\n\n*.map \n");
    site.save("a/.gitignore", "!keep.map\n");
    site
}

#[test]
fn the_rule_that_decided_is_named_with_its_file_and_line() {
    let site = site();
    let gitignore = |name: &str, line, pattern: &str| Because::Gitignore {
        file: site.path(name),
        line,
        pattern: pattern.to_owned(),
    };
    let option = |glob: &str| Because::Option {
        glob: glob.to_owned(),
    };
    let default = |name: &str| match decided(&explain(&options(&site), &site.path(name)).unwrap()) {
        (_, Because::Default(what)) => what,
        other => panic!("{name}: {other:?}"),
    };
    for (name, at, reported, because) in [
        ("index.html", "index.html", true, Because::NoRule),
        ("not-there.html", "not-there.html", true, Because::NoRule),
        (
            "build/out.css",
            "build",
            false,
            gitignore(".gitignore", 2, "/build/"),
        ),
        ("a/build/x.css", "a/build/x.css", true, Because::NoRule),
        // Of two lines that say the same, the last one.
        ("x.map", "x.map", false, gitignore(".gitignore", 5, "*.map")),
        (
            "a/keep.map",
            "a/keep.map",
            true,
            gitignore("a/.gitignore", 1, "!keep.map"),
        ),
        ("notes.log", "notes.log", false, option("*.log")),
        (".env", ".env", true, option("!.env")),
    ] {
        let explanation = explain(&options(&site), &site.path(name)).unwrap();
        assert_eq!(explanation.root, Some(site.root()));
        assert_eq!(explanation.reported, reported, "{name}");
        assert_eq!(decided(&explanation), (site.path(at), because), "{name}");
    }
    assert_eq!(default(".git/HEAD"), "a hidden name");
    assert!(default("node_modules/x/y.js").contains("dependencies"));
    assert!(default("page.html~").contains("backup"));
    assert!(default("x.tmp").contains("temporary"));
}

#[test]
fn a_running_watcher_says_the_same_as_one_that_is_not_started() {
    let mut site = site();
    site.start(|options| {
        options.ignore = vec!["*.log".to_owned(), "!.env".to_owned()];
    });
    for name in [
        "index.html",
        "build/out.css",
        "a/build/x.css",
        "node_modules/x/y.js",
        ".env",
        "notes.log",
        "page.html~",
        "a/keep.map",
        "x.map",
        ".git/HEAD",
        "../beside",
        "",
    ] {
        let path = site.path(name);
        let said = site.watcher().explain(&path).unwrap();
        assert_eq!(said, explain(&options(&site), &path).unwrap(), "{name}");
        if !name.is_empty() {
            assert_eq!(said.reported, !site.watcher().ignores(&said.path), "{name}");
        }
    }
}

/// Where the path lies on a server that does not answer, say: here it is the rule that does not.
#[test]
fn changes_are_reported_while_somebody_waits_for_an_explanation() {
    let (send, asked) = channel();
    let (answer, answered) = channel::<()>();
    let answered = Mutex::new(answered);
    let mut site = Site::new(&["index.html", "far"], |options| {
        options.scope = Scope::Where(Arc::new(move |_| {
            if thread::current().name() == Some("asking") {
                let _ = send.send(());
                let _ = answered.lock().unwrap().recv();
            }
            true
        }));
    });
    let watcher = site.watcher.take().unwrap();
    let far = site.path("far");
    thread::scope(|scope| {
        let asking = thread::Builder::new().name("asking".to_owned());
        let explaining = asking.spawn_scoped(scope, || watcher.explain(&far).unwrap());
        let explaining = explaining.unwrap();
        asked.recv_timeout(PATIENCE).unwrap();
        site.save("index.html", "second");
        let said = site.notices.recv_timeout(PATIENCE);
        drop(answer);
        assert!(said.is_ok(), "{NEVER_REPORTED}");
        assert!(explaining.join().unwrap().reported);
    });
}

#[test]
fn what_lies_in_no_root_is_said_to() {
    let site = Site::with(&["index.html"]);
    let explanation = explain(&options(&site), &site.beside("other.html")).unwrap();
    assert_eq!((explanation.root, explanation.reported), (None, false));
    assert!(explanation.steps.is_empty());
}

#[test]
fn a_link_that_leads_out_of_the_root_or_nowhere_is_said_to() {
    let site = Site::with(&["index.html"]);
    fs::write(site.beside("outside.css"), "x").unwrap();
    let because = |name: &str, to: &Path| {
        symlink(to, site.path(name)).unwrap();
        let explanation = explain(&options(&site), &site.path(name)).unwrap();
        assert!(!explanation.reported, "{name}");
        decided(&explanation).1
    };
    let real = fs::canonicalize(site.beside("outside.css")).unwrap();
    let outside = Because::OutOfScope { real };
    assert_eq!(because("out.css", &site.beside("outside.css")), outside);
    assert_eq!(
        because("gone.css", &site.path("nowhere")),
        Because::Dangling
    );
}
