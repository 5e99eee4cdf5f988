//! Where the system does not report every change, or nothing more: real mounts, and limits that are really
//! reached.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Folder, Server, Stream, get};
use crate::support::program::until;

fn paths(said: &Value) -> Vec<&str> {
    let changes = said["changes"].as_array().unwrap();
    let paths = changes.iter().map(|change| change["path"].as_str());
    paths.map(Option::unwrap).collect()
}

/// Takes changes until this path is told.
#[track_caller]
fn expect_told(stream: &mut Stream, path: &str) {
    while !paths(&stream.change().1).contains(&path) {}
}

/// A program run by root of a user namespace of its own, in which the setting has this value; `None` where
/// that is not allowed.
fn limited(setting: &str, value: u32) -> Option<Command> {
    let within = |then: &str| {
        let mut command = Command::new("unshare");
        let script = format!("echo {value} > /proc/sys/user/{setting} && {then}");
        command.args(["--user", "--map-root-user", "sh", "-c", &script, "sh"]);
        command
    };
    let works = within("true").output();
    works
        .is_ok_and(|output| output.status.success())
        .then(|| within("exec \"$@\""))
}

fn serve_with(mut command: Command, root: &Path) -> (Server, Stream) {
    let command = command
        .arg(env!("CARGO_BIN_EXE_tidings"))
        .arg(root)
        .args(["--port", "0"]);
    let server = Server::run(command);
    server.out.next().unwrap();
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    (server, stream)
}

#[test]
fn without_a_watcher_of_the_system_everything_is_polled_and_the_setting_is_named() {
    let folder = Folder::new(&[
        ("index.html", "one"),
        ("a/b.css", "one"),
        ("tidings.toml", ""),
    ]);
    folder.settle();
    let Some(command) = limited("max_inotify_instances", 0) else {
        return eprintln!("SKIPPED: user namespaces are not allowed here");
    };
    let (server, mut stream) = serve_with(command, folder.root());
    assert_eq!(
        server.err.next().unwrap(),
        "warning: too many watchers (user.max_inotify_instances is 0): changes are polled, and noticed about a second late"
    );
    assert_eq!(
        server.err.next().unwrap(),
        "hint: stop other watchers, or raise the limit: sudo sysctl user.max_inotify_instances=512"
    );
    for round in 0..3 {
        folder.save("a/b.css", format!("round {round}"));
        expect_told(&mut stream, "/a/b.css");
        assert_eq!(
            get(server.port, "/a/b.css").text(),
            format!("round {round}")
        );
    }
    folder.save("new/deep/page.html", "new");
    expect_told(&mut stream, "/new/deep/page.html");
    fs::remove_file(folder.path("index.html")).unwrap();
    expect_told(&mut stream, "/index.html");
}

#[test]
fn what_is_beyond_the_limit_of_watches_is_polled_and_the_setting_is_named() {
    let folder = Folder::new(&[
        ("index.html", "one"),
        ("a/b.css", "one"),
        ("c/d/e.js", "one"),
    ]);
    folder.settle();
    let Some(command) = limited("max_inotify_watches", 2) else {
        return eprintln!("SKIPPED: user namespaces are not allowed here");
    };
    let (server, mut stream) = serve_with(command, folder.root());
    let warning = server.err.next().unwrap();
    assert!(
        warning
            .starts_with("warning: too many watched directories (user.max_inotify_watches is 2): "),
        "{warning}"
    );
    let hint = server.err.next().unwrap();
    assert!(
        hint.ends_with("or raise the limit: sudo sysctl user.max_inotify_watches=524288"),
        "{hint}"
    );
    for path in ["index.html", "a/b.css", "c/d/e.js", "c/new.js"] {
        folder.save(path, "two");
        expect_told(&mut stream, &format!("/{path}"));
    }
}

/// A mount of a private namespace, with the server in it, and its lower side outside.
struct Mounted {
    folder: Folder,
    server: Server,
    stream: Stream,
}

impl Mounted {
    /// Runs `mount` (a shell script, with the folder as its working directory), and then serves what it has
    /// mounted at `site`. `None` if it does not work here.
    fn new(files: &[(&str, &str)], mount: &str) -> Option<Mounted> {
        let folder = Folder::new(files);
        fs::create_dir(folder.path("site")).unwrap();
        folder.settle();
        let within = |then: &str| {
            let mut command = Command::new("unshare");
            // As root of this namespace only, where that is needed and possible.
            let script = format!("cd \"$1\" && shift && {{ {mount}; }} >/dev/null && {then}");
            let namespaces = ["--user", "--map-root-user", "--mount"];
            command.args(namespaces).args(["sh", "-c", &script, "sh"]);
            command.arg(folder.root());
            command
        };
        let works = within("test -f site/index.html && umount site").output();
        if !works.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let (server, stream) = serve_with(within("exec \"$@\""), &folder.path("site"));
        Some(Mounted {
            folder,
            server,
            stream,
        })
    }

    /// The path of a file in the mount, seen from outside.
    fn inside(&self, path: &str) -> PathBuf {
        let root = format!("/proc/{}/root", self.server.pid());
        let below = self.folder.path("site").join(path);
        Path::new(&root).join(below.strip_prefix("/").unwrap())
    }
}

/// Changes made behind the mount, which nothing reports, and through it.
fn check_both_sides(mounted: &mut Mounted, behind: &str) {
    let port = mounted.server.port;
    assert_eq!(get(port, "/a/b.css").text(), "one");
    for (round, path) in ["a/b.css", "index.html", "a/b.css"].iter().enumerate() {
        let text = format!("behind {round}");
        mounted.folder.save(&format!("{behind}/{path}"), &text);
        expect_told(&mut mounted.stream, &format!("/{path}"));
        until(|| (get(port, &format!("/{path}")).text() == text).then_some(())).unwrap();
    }
    fs::write(mounted.inside("through.txt"), "x").unwrap();
    expect_told(&mut mounted.stream, "/through.txt");
}

#[test]
fn changes_behind_a_fuse_mount_are_found() {
    let files = [("lower/index.html", "one"), ("lower/a/b.css", "one")];
    let mount = "bindfs --no-allow-other lower site";
    let Some(mut mounted) = Mounted::new(&files, mount) else {
        return eprintln!("SKIPPED: there is no bindfs, or mounting is not allowed here");
    };
    let site = mounted.folder.path("site");
    assert_eq!(
        mounted.server.err.next().unwrap(),
        format!(
            "warning: {} is on fuse, where not every change is reported: it is polled as well",
            site.display()
        )
    );
    check_both_sides(&mut mounted, "lower");
    mounted.folder.save("lower/new/page.html", "new");
    expect_told(&mut mounted.stream, "/new/page.html");
    fs::remove_dir_all(mounted.folder.path("lower/new")).unwrap();
    expect_told(&mut mounted.stream, "/new");
}

#[test]
fn changes_of_the_lower_layer_of_an_overlay_are_found() {
    let files = [
        ("lower/index.html", "one"),
        ("lower/a/b.css", "one"),
        ("upper/x", "x"),
        ("work/.x", "x"),
    ];
    let mount =
        "rm work/.x; mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work site";
    let Some(mut mounted) = Mounted::new(&files, mount) else {
        return eprintln!("SKIPPED: mounting an overlay is not allowed here");
    };
    check_both_sides(&mut mounted, "lower");
}

#[test]
fn poll_asks_the_system_for_no_event_and_finds_what_is_saved() {
    let folder = Folder::new(&[("index.html", "one"), ("a/b.css", "one")]);
    let server = Server::start(&folder, &["--poll", "20"]);
    server.out.next().unwrap();
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    let fds = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let links = fds.filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
    assert_eq!(
        links
            .filter(|link| link.ends_with("anon_inode:inotify"))
            .count(),
        0
    );
    for path in ["index.html", "a/b.css", "new/c.js"] {
        folder.save(path, "two");
        expect_told(&mut stream, &format!("/{path}"));
    }
}
