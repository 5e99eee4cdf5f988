//! What is told of the files: what a request for them would get, and nothing else.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Folder, Server, Stream, ask, finished, get, tidings};
use crate::support::program::until;

/// A server, and a stream of it that has had its status.
fn serve(folder: &Folder, flags: &[&str]) -> (Server, Stream) {
    let server = Server::start(folder, flags);
    server.out.next().unwrap();
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    (server, stream)
}

fn paths(said: &Value) -> Vec<&str> {
    let changes = said["changes"].as_array().unwrap();
    let paths = changes.iter().map(|change| change["path"].as_str());
    paths.map(Option::unwrap).collect()
}

/// Nothing was told of what happened so far: a file that is saved now, and taken away again, is what is
/// told next. (A removal waits as long as anything waits.)
#[track_caller]
fn expect_silence(folder: &Folder, stream: &mut Stream) {
    folder.save("sentinel.txt", "x");
    assert_eq!(paths(&stream.change().1), ["/sentinel.txt"]);
    fs::remove_file(folder.path("sentinel.txt")).unwrap();
    assert_eq!(paths(&stream.change().1), ["/sentinel.txt"]);
}

/// Takes changes until this path is told.
#[track_caller]
fn expect_told(stream: &mut Stream, path: &str) -> Value {
    loop {
        let (_, said) = stream.change();
        if paths(&said).contains(&path) {
            return said;
        }
    }
}

#[test]
fn a_request_for_what_cannot_be_served_is_no_change() {
    let folder = Folder::new(&[
        ("index.html", "<script src=app.js></script>"),
        ("key.pem", "secret"),
        ("hidden/.x", "x"),
        ("empty/deep/x.txt", "x"),
    ]);
    let outside = Folder::new(&[("x.txt", "x")]);
    symlink("build/app.js", folder.path("app.js")).unwrap();
    symlink("loop.js", folder.path("loop.js")).unwrap();
    symlink(outside.path("x.txt"), folder.path("out.txt")).unwrap();
    symlink(outside.root(), folder.path("outside")).unwrap();
    symlink("key.pem", folder.path("key.txt")).unwrap();
    symlink("hidden/.x", folder.path("hidden.txt")).unwrap();
    let _socket = UnixListener::bind(folder.path("socket")).unwrap();
    let (server, mut stream) = serve(&folder, &["--no-listing"]);
    for _ in 0..3 {
        for target in [
            "/app.js",
            "/loop.js",
            "/out.txt",
            "/outside/x.txt",
            "/key.txt",
            "/key.pem",
            "/hidden.txt",
            "/socket",
            "/empty",
            "/empty/",
            "/index.html/",
            "/nothing",
        ] {
            assert_eq!(get(server.port, target).status, 404, "{target}");
        }
    }
    // Nor is a change of them.
    outside.save("x.txt", "changed");
    folder.save("key.pem", "changed");
    folder.save("hidden/.x", "changed");
    expect_silence(&folder, &mut stream);
    // When it can be served, it is told.
    folder.save("build/app.js", "1");
    let said = expect_told(&mut stream, "/app.js");
    assert_eq!(said["changes"][0]["kind"], "created");
    assert_eq!(get(server.port, "/app.js").text(), "1");
}

/// How many directories a process watches: proc_pid_fdinfo(5).
fn watches(pid: u32) -> usize {
    let infos = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    let texts = infos.map(|info| fs::read_to_string(info.unwrap().path()).unwrap_or_default());
    let count = |text: String| {
        text.lines()
            .filter(|line| line.starts_with("inotify"))
            .count()
    };
    texts.map(count).sum()
}

#[test]
fn a_link_to_the_whole_machine_is_not_walked() {
    let folder = Folder::new(&[("index.html", "<p>hi"), ("a/b.txt", "b")]);
    symlink("/", folder.path("all")).unwrap();
    symlink("../../../../../../..", folder.path("a/up")).unwrap();
    symlink("/etc/passwd", folder.path("passwd.txt")).unwrap();
    let (server, mut stream) = serve(&folder, &[]);
    expect_silence(&folder, &mut stream);
    assert_eq!(watches(server.pid()), 2);
}

/// A server of `site` in this folder that follows links.
fn serve_site(project: &Folder) -> (Server, Stream) {
    let server =
        Server::run(
            tidings()
                .arg(project.path("site"))
                .args(["--port", "0", "--follow-symlinks"]),
        );
    server.out.next().unwrap();
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    (server, stream)
}

#[test]
fn the_kernels_own_file_systems_are_not_walked_though_links_are_followed() {
    let project = Folder::new(&[("site/index.html", "<p>hi"), ("beside/deep/x.txt", "x")]);
    for (link, target) in [
        ("proc", "/proc"),
        ("sys", "/sys"),
        ("net", "/proc/self/net"),
        ("beside", "../beside"),
    ] {
        symlink(target, project.path("site").join(link)).unwrap();
    }
    let (server, mut stream) = serve_site(&project);
    project.save("beside/deep/x.txt", "changed");
    expect_told(&mut stream, "/beside/deep/x.txt");
    assert_eq!(watches(server.pid()), 3);
}

#[test]
fn a_build_that_is_wiped_and_made_again_is_told_by_the_name_of_the_link() {
    let project = Folder::new(&[("site/index.html", "<p>hi"), ("build/assets/a.css", "a")]);
    symlink("../build/assets", project.path("site/assets")).unwrap();
    let (server, mut stream) = serve_site(&project);
    for round in 0..3 {
        fs::remove_dir_all(project.path("build")).unwrap();
        let said = expect_told(&mut stream, "/assets");
        assert_eq!(said["changes"][0]["kind"], "removed");
        assert_eq!(get(server.port, "/assets/a.css").status, 404);
        project.save("build/assets/a.css", format!("round {round}"));
        expect_told(&mut stream, "/assets/a.css");
        until(|| {
            let text = get(server.port, "/assets/a.css").text();
            (text == format!("round {round}")).then_some(())
        })
        .unwrap();
        // And watched.
        project.save("build/assets/a.css", format!("again {round}"));
        expect_told(&mut stream, "/assets/a.css");
        project.save("build/assets/b.css", "b");
        expect_told(&mut stream, "/assets/b.css");
    }
}

#[test]
fn a_link_that_is_switched_is_told_by_its_own_name() {
    let project = Folder::new(&[
        ("site/index.html", "<p>hi"),
        ("v1/a.css", "one"),
        ("v1/same.css", "same"),
        ("v1/old.css", "old"),
        ("v2/a.css", "two"),
        ("v2/same.css", "same"),
        ("v2/new.css", "new"),
    ]);
    let switch = |to: &str| {
        symlink(to, project.path("next")).unwrap();
        fs::rename(project.path("next"), project.path("current")).unwrap();
    };
    // Twice: beside the folder, where nothing is watched but for this, and in it.
    switch("v1");
    symlink("../current", project.path("site/direct")).unwrap();
    symlink("../current/a.css", project.path("site/a.css")).unwrap();
    let (server, mut stream) = serve_site(&project);
    // What has not been read yet when it is switched, may have changed.
    let url = format!("http://localhost:{}/", server.port);
    let waited = finished(tidings().args(["wait", "--url", &url]));
    assert_eq!(waited.code, Some(0), "{waited:?}");
    for (to, text, gone) in [("v2", "two", "old"), ("v1", "one", "new")] {
        switch(to);
        let mut missing = vec!["/a.css", "/direct/a.css", "/direct"];
        while !missing.is_empty() {
            let (_, said) = stream.change();
            missing.retain(|path| !paths(&said).contains(path));
            assert!(!paths(&said).contains(&"/direct/same.css"), "{said}");
        }
        assert_eq!(get(server.port, "/direct/a.css").text(), text);
        let target = format!("/direct/{gone}.css");
        assert_eq!(get(server.port, &target).status, 404);
        project.save(&format!("{to}/a.css"), "again");
        expect_told(&mut stream, "/direct/a.css");
        project.save(&format!("{to}/a.css"), text);
        expect_told(&mut stream, "/direct/a.css");
    }
}

#[test]
fn a_path_with_commas_can_be_watched() {
    let folder = Folder::new(&[("index.html", "<p>hi")]);
    let outside = Folder::new(&[("a,b/x.txt", "x"), ("c.conf", "c")]);
    let (one, two) = (outside.path("a,b"), outside.path("c.conf"));
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    let (_server, mut stream) = serve(&folder, &["--watch", one, "--watch", two]);
    outside.save("a,b/x.txt", "changed");
    let path = format!("{}/x.txt", one.trim_start_matches('/'));
    expect_told(&mut stream, &path);
    outside.save("c.conf", "changed");
    expect_told(&mut stream, two.trim_start_matches('/'));
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_could_not_be_read_is_told_when_it_can_and_watched_from_then_on() {
    let folder = Folder::new(&[
        ("index.html", "<p>hi"),
        ("shut/deep/x.txt", "x"),
        ("unlisted/x.txt", "x"),
        ("open/x.txt", "x"),
        ("page.html", "<p>page"),
    ]);
    chmod(&folder.path("shut"), 0o700);
    chmod(&folder.path("page.html"), 0o600);
    // Files in it can be had by name, but not be listed.
    chmod(&folder.path("unlisted"), 0o711);
    let Some(server) = Server::unprivileged(&folder, &[]) else {
        return eprintln!("SKIPPED: the binary cannot be run as another user");
    };
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    let mut warnings = vec![server.err.next().unwrap(), server.err.next().unwrap()];
    warnings.extend([server.err.next().unwrap(), server.err.next().unwrap()]);
    for name in ["shut", "unlisted"] {
        let path = folder.path(name);
        let path = path.display();
        let warning = warnings.iter().position(|line| {
            *line == format!("warning: cannot watch {path}: Permission denied (os error 13)")
        });
        let hint = &warnings[warning.expect(name) + 1];
        assert_eq!(
            *hint,
            format!("hint: make it readable (chmod u+rx {path}), or ignore it")
        );
    }

    chmod(&folder.path("shut"), 0o755);
    let said = expect_told(&mut stream, "/shut/deep/x.txt");
    assert_eq!(said["changes"][0]["kind"], "created");
    folder.save("shut/deep/x.txt", "changed");
    expect_told(&mut stream, "/shut/deep/x.txt");
    chmod(&folder.path("unlisted"), 0o755);
    expect_told(&mut stream, "/unlisted/x.txt");
    chmod(&folder.path("page.html"), 0o644);
    expect_told(&mut stream, "/page.html");

    // And the other way round.
    chmod(&folder.path("page.html"), 0o600);
    let said = expect_told(&mut stream, "/page.html");
    assert_eq!(said["changes"][0]["kind"], "removed");
    chmod(&folder.path("open"), 0o700);
    let said = expect_told(&mut stream, "/open");
    assert_eq!(said["changes"][0]["kind"], "removed");
    chmod(&folder.path("open"), 0o755);
    expect_told(&mut stream, "/open/x.txt");
    // A change of permissions that changes nothing for readers is none.
    chmod(&folder.path("open"), 0o775);
    chmod(&folder.path("index.html"), 0o664);
    expect_silence(&folder, &mut stream);
}

#[test]
fn what_is_mounted_over_a_watched_folder_is_said_and_watched() {
    let folder = Folder::new(&[("index.html", "<p>hi"), ("data/x.txt", "x")]);
    let private = ["--mount", "--propagation", "private"];
    let works = Command::new("unshare").args(private).arg("true").output();
    if !works.is_ok_and(|output| output.status.success()) {
        return eprintln!("SKIPPED: mounting is not allowed here");
    }
    let server = Server::run(
        Command::new("unshare")
            .args(private)
            .arg(env!("CARGO_BIN_EXE_tidings"))
            .arg(folder.root())
            .args(["--port", "0"]),
    );
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    let within = |script: &str| {
        let done = Command::new("nsenter")
            .args(["--mount", "--target", &server.pid().to_string()])
            .args(["sh", "-ec", script])
            .current_dir(folder.root())
            .status();
        assert!(done.unwrap().success(), "{script}");
    };
    let data = folder.path("data");
    let data = data.display();
    within(&format!("mount -t tmpfs none {data}"));
    assert_eq!(
        server.err.next().unwrap(),
        format!("warning: {data} is now another file system")
    );
    expect_told(&mut stream, "/data");
    within(&format!("echo 1 > {data}/y.txt"));
    expect_told(&mut stream, "/data/y.txt");
    within(&format!("umount {data}"));
    expect_told(&mut stream, "/data/x.txt");
    within(&format!("echo 2 > {data}/x.txt"));
    expect_told(&mut stream, "/data/x.txt");
}

#[test]
fn a_link_that_is_not_served_is_explained_in_the_page_and_once_in_the_terminal() {
    let project = Folder::new(&[("site/.secret.js", "x"), ("beside/x.html", "x")]);
    symlink("../beside", project.path("site/out")).unwrap();
    symlink("build/app.html", project.path("site/app.html")).unwrap();
    symlink(".secret.js", project.path("site/secret.js")).unwrap();
    let site = project.path("site");
    let server = Server::run(tidings().arg(site).args(["--port", "0"]));
    server.out.next().unwrap();
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    let navigation = ["Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate"];
    for _ in 0..2 {
        for (target, reason) in [
            (
                "/out/x.html",
                "The link <code>/out</code> leads out of the folder",
            ),
            ("/out/other", "<code>--follow-symlinks</code>"),
            (
                "/app",
                "The link <code>/app.html</code> leads to a file that is not there (yet)",
            ),
            ("/secret.js", "There is no such file yet."),
        ] {
            let page = ask(server.port, "GET", target, &navigation);
            assert_eq!(page.status, 404, "{target}");
            assert!(page.text().contains(reason), "{target}: {}", page.text());
            assert!(!page.text().contains("beside"), "{}", page.text());
        }
    }
    project.save("site/build/app.html", "built");
    expect_told(&mut stream, "/app.html");
    let page = ask(server.port, "GET", "/app", &navigation);
    assert_eq!(page.status, 200);
    let lines: Vec<_> = (0..4).map(|_| server.out.next().unwrap()).collect();
    assert_eq!(
        lines[..3],
        [
            "out is not served: it is a link that leads out of the folder (--follow-symlinks would serve it)",
            "app.html is not served: it is a link to a file that is not there (yet)",
            "secret.js is not served: it is a link to a hidden or private file",
        ]
    );
    assert!(lines[3].ends_with("no open page uses it"), "{lines:?}");
}
