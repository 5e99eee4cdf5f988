//! What is found by looking, without any event.

use super::*;
use crate::flush::only_for_flushes;
use crate::root::{drain, is_watched};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

fn often(options: &mut Options) {
    options.poll = Some(Duration::from_millis(10));
}

/// Takes notices until this is said.
#[track_caller]
fn told(site: &mut Site, (name, kind): (&str, ChangeKind)) {
    let wanted = (name.to_owned(), kind);
    loop {
        let set = site.next_set();
        if site.named(&set).contains(&wanted) {
            return;
        }
    }
}

#[test]
fn saves_of_every_kind_are_found_by_looking() {
    let mut site = Site::new(&["index.html", "a/b/c.css"], often);
    site.save("index.html", "second");
    site.expect(&[("index.html", Modified)]);
    site.save("new", "third");
    site.rename("new", "a/b/c.css");
    site.expect(&[("a/b/c.css", Modified)]);
    site.remove("index.html");
    site.expect(&[("index.html", Removed)]);
    site.save("index.html", "fourth");
    site.expect(&[("index.html", Created)]);
    site.write("d/e/f.js", "x");
    site.expect(&[("d/e/f.js", Created)]);
    site.save("d/e/f.js", "y");
    site.expect(&[("d/e/f.js", Modified)]);
    fs::remove_dir_all(site.path("d")).unwrap();
    told(&mut site, ("d", Removed));
    drain(&mut site);
    // The same content, and a change of nothing but the times.
    site.save("a/b/c.css", "third");
    site.save("index.html", "fourth");
    site.expect_silence();
}

/// An editor removes and re-creates, or truncates and writes; a look may come in between.
#[test]
fn a_save_that_takes_its_time_is_reported_when_it_is_done() {
    on_time(|| {
        let mut site = Site::new(&["index.html", "other.html"], often);
        for round in 0..5 {
            let text = format!("round {round}");
            fs::remove_file(site.path("index.html")).unwrap();
            random::pause(30);
            site.save("index.html", &text);
            site.expect(&[("index.html", Modified)]);
            let mut file = File::create(site.path("other.html")).unwrap();
            random::pause(100);
            file.write_all(text.as_bytes()).unwrap();
            *site.probe.lock().unwrap() = Some(site.path("other.html"));
            let (notice, held) = site.next_probed();
            *site.probe.lock().unwrap() = None;
            assert!(matches!(notice, Notice::Changed(_)), "{notice:?}");
            assert_eq!(held, Some(text), "{UNEXPECTED}");
        }
    });
}

#[test]
fn a_new_file_with_nothing_in_it_is_reported() {
    let mut site = Site::new(&["index.html", "docs/a.txt"], often);
    site.write("docs/new.txt", "");
    site.expect(&[("docs/new.txt", Created)]);
    drain(&mut site);
    site.expect_silence();
}

/// How many files this process may have open, set from outside, because nothing can be started within it meanwhile.
struct FileLimit {
    shell: Child,
    set: ChildStdin,
    done: BufReader<ChildStdout>,
}

impl FileLimit {
    fn new() -> FileLimit {
        let script = "usual=$(ulimit -n); while read -r limit; do \
            prlimit --pid $1 --nofile=${limit:-$usual}: && echo set; done";
        let mut shell = Command::new("sh")
            .args(["-c", script, "sh", &std::process::id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        FileLimit {
            set: shell.stdin.take().unwrap(),
            done: BufReader::new(shell.stdout.take().unwrap()),
            shell,
        }
    }

    /// An empty one is what it was.
    fn set(&mut self, limit: &str) {
        writeln!(self.set, "{limit}").unwrap();
        let mut line = String::new();
        self.done.read_line(&mut line).unwrap();
        assert_eq!(line, "set\n", "prlimit (of util-linux) is needed");
    }
}

impl Drop for FileLimit {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Runs a test in a process of its own. False in that one.
fn is_run_alone(test: &str) -> bool {
    const ALONE: &str = "TIDINGS_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return false;
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(ALONE, "1")
        .status();
    assert!(status.unwrap().success());
    true
}

#[test]
fn a_directory_that_cannot_be_listed_when_it_appears_is_found_when_it_can() {
    if is_run_alone("poll::a_directory_that_cannot_be_listed_when_it_appears_is_found_when_it_can")
    {
        return;
    }
    // Of each directory there is an event.
    let mut site = Site::with(&["index.html"]);
    let mut limit = FileLimit::new();
    limit.set("3");
    fs::create_dir_all(site.path("new/deep")).unwrap();
    site.reported_by_a_flush();
    limit.set("");
    site.write("new/deep/a.css", "x");
    told(&mut site, ("new/deep/a.css", Created));
    site.save("new/deep/a.css", "y");
    told(&mut site, ("new/deep/a.css", Modified));
}

/// Too many open files, a server that restarts, a connection that is made anew.
#[test]
fn a_directory_that_cannot_be_listed_for_a_while_is_polled_on() {
    if is_run_alone("poll::a_directory_that_cannot_be_listed_for_a_while_is_polled_on") {
        return;
    }
    let mut site = Site::new(&["index.html", "a/b/c.css"], often);
    let mut limit = FileLimit::new();
    for round in 0..3 {
        limit.set("3");
        assert!(fs::read_dir(site.root()).is_err());
        if round == 2 {
            fs::create_dir(site.path("new")).unwrap();
        }
        // Every directory has been looked at by then.
        assert_eq!(site.reported_by_a_flush(), BTreeSet::new());
        limit.set("");
        site.save("a/b/c.css", &format!("round {round}"));
        told(&mut site, ("a/b/c.css", Modified));
        site.save("index.html", &format!("round {round}"));
        told(&mut site, ("index.html", Modified));
    }
    site.write("new/d.css", "x");
    told(&mut site, ("new/d.css", Created));
}

#[test]
fn no_event_is_asked_for_where_everything_is_polled() {
    let site = Site::new(&["index.html", "a/b"], often);
    assert!(!is_watched(&site.root()));
}

/// As Kubernetes mounts a ConfigMap, as a release is deployed, and as pnpm links packages.
#[test]
fn links_are_followed_to_what_they_are_now_by_looking() {
    let mut site = Site::with(&["..1/a.conf", "..2/a.conf", "index.html"]);
    site.save("..2/a.conf", "other");
    for release in ["one", "two"] {
        fs::create_dir_all(site.beside(release)).unwrap();
        fs::write(site.beside(release).join("page.html"), release).unwrap();
    }
    symlink("..1", site.path("..data")).unwrap();
    symlink("..data/a.conf", site.path("a.conf")).unwrap();
    symlink("../one", site.path("current")).unwrap();
    symlink("late/file", site.path("late.txt")).unwrap();
    symlink("..", site.path("up")).unwrap();
    site.settle();
    site.start(|options| {
        often(options);
        options.scope = Scope::Anywhere;
    });
    let switch = |site: &Site, link: &str, target: &str| {
        symlink(target, site.beside("switched")).unwrap();
        fs::rename(site.beside("switched"), site.path(link)).unwrap();
    };
    switch(&site, "..data", "..2");
    told(&mut site, ("a.conf", Modified));
    switch(&site, "current", "../two");
    told(&mut site, ("current/page.html", Modified));
    site.write("late/file", "now");
    told(&mut site, ("late.txt", Created));
    fs::remove_dir_all(site.beside("two")).unwrap();
    told(&mut site, ("current", Removed));
    fs::create_dir(site.beside("two")).unwrap();
    fs::write(site.beside("two/page.html"), "again").unwrap();
    told(&mut site, ("current/page.html", Created));
    drain(&mut site);
    site.expect_silence();
}

/// Nothing is looked at but for flushes, so that it happens between two looks.
fn replace_docs_by_a_link(scope: Scope) -> (Site, BTreeSet<String>) {
    let site = Site::new(&["index.html", "docs/a.css", "docs/e/b.css"], |options| {
        only_for_flushes(options);
        options.scope = scope;
    });
    fs::create_dir_all(site.beside("other/e")).unwrap();
    fs::write(site.beside("other/e/c.css"), "x").unwrap();
    fs::rename(site.path("docs"), site.beside("before")).unwrap();
    symlink("../other", site.path("docs")).unwrap();
    let reported = site.reported_by_a_flush();
    (site, reported)
}

#[test]
fn what_is_below_a_directory_that_becomes_a_link_out_of_the_root_is_not_reported() {
    let (site, reported) = replace_docs_by_a_link(Scope::Inside);
    assert!(reported.contains("docs"), "{reported:?}");
    for name in ["c.css", "new.css"] {
        fs::write(site.beside("other/e").join(name), "y").unwrap();
    }
    assert_eq!(site.reported_by_a_flush(), BTreeSet::new());
    fs::remove_file(site.path("docs")).unwrap();
    fs::rename(site.beside("before"), site.path("docs")).unwrap();
    let back = site.reported_by_a_flush();
    assert!(back.contains("docs/e/b.css"), "{back:?}");
    site.save("docs/e/b.css", "second");
    let saved = site.reported_by_a_flush();
    assert_eq!(saved, BTreeSet::from(["docs/e/b.css".to_owned()]));
}

#[test]
fn a_directory_that_becomes_a_link_is_what_the_link_leads_to() {
    let not_in_e = |candidate: &Candidate<'_>| {
        let mut at = candidate.real.ancestors();
        !at.any(|at| at.ends_with("other/e"))
    };
    let (site, _) = replace_docs_by_a_link(Scope::Where(Arc::new(not_in_e)));
    fs::write(site.beside("other/e/c.css"), "second").unwrap();
    fs::write(site.beside("other/d.css"), "second").unwrap();
    let reported = site.reported_by_a_flush();
    assert_eq!(reported, BTreeSet::from(["docs/d.css".to_owned()]));
}

#[test]
fn a_root_that_is_replaced_is_found_by_looking() {
    let mut site = Site::with(&[]);
    for release in ["one", "two"] {
        fs::create_dir(site.beside(release)).unwrap();
        fs::write(site.beside(release).join("index.html"), release).unwrap();
    }
    fs::remove_dir(site.root()).unwrap();
    symlink("one", site.root()).unwrap();
    site.settle();
    site.start(often);
    for release in ["two", "one"] {
        symlink(release, site.beside("switch")).unwrap();
        fs::rename(site.beside("switch"), site.root()).unwrap();
        site.expect_rescan();
        drain(&mut site);
        site.save("index.html", &format!("{release} again"));
        site.expect(&[("index.html", Modified)]);
    }
    fs::remove_file(site.root()).unwrap();
    fs::create_dir(site.root()).unwrap();
    site.save("index.html", "a directory now");
    site.expect_rescan();
    site.save_and_see("index.html", "and changed");
}

#[test]
fn a_single_file_is_found_by_looking() {
    let mut site = Site::with(&["some.conf", "other"]);
    let file = site.path("some.conf");
    site.start(move |options| {
        often(options);
        options.roots = vec![file];
    });
    site.save("other", "second");
    site.save("some.conf", "second");
    site.expect(&[("some.conf", Modified)]);
    site.remove("some.conf");
    site.expect(&[("some.conf", Removed)]);
    site.save("some.conf", "third");
    site.expect(&[("some.conf", Created)]);
}

#[test]
fn rules_that_change_are_found_by_looking() {
    let mut site = Site::new(&["index.html", "out/x", ".gitignore"], often);
    site.save(".gitignore", "out\n");
    site.expect_silence();
    // The rules are read before what comes after them is looked at.
    drain(&mut site);
    site.save("out/x", "second");
    site.expect_silence();
    site.save(".gitignore", "\n");
    site.save_and_see("index.html", "after the rules");
    drain(&mut site);
    site.save("out/x", "third");
    site.expect(&[("out/x", Modified)]);
}
