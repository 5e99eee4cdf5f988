//! No file outside the root, and no private one, is served.

use super::*;

#[cfg(unix)]
use std::os::unix::fs::symlink;

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_inside_the_root_only() {
    let mut site = Site::new(&[
        ("real/a.txt", "inside"),
        (".hidden/b.txt", "hidden"),
        ("node_modules/.pnpm/c@1/c.js", "c"),
    ]);
    let outside = site.dir.path().join("root-secret");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("s.txt"), "outside").unwrap();
    std::fs::write(outside.join("id_rsa"), "key").unwrap();
    symlink(site.path("real/a.txt"), site.path("in.txt")).unwrap();
    symlink("real", site.path("in")).unwrap();
    symlink(outside.join("s.txt"), site.path("out.txt")).unwrap();
    symlink("../root-secret", site.path("out")).unwrap();
    symlink(".hidden/b.txt", site.path("b.txt")).unwrap();
    symlink(".pnpm/c@1", site.path("node_modules/c")).unwrap();
    symlink("loop", site.path("loop")).unwrap();
    symlink(outside.join("id_rsa"), site.path("plain.txt")).unwrap();
    site.body("/in.txt", "inside").await;
    site.body("/in/a.txt", "inside").await;
    site.body("/node_modules/c/c.js", "c").await;
    for target in [
        "/out.txt",
        "/out",
        "/out/",
        "/out/s.txt",
        "/b.txt",
        "/loop",
        "/plain.txt",
        "/node_modules/.pnpm/c@1/c.js",
    ] {
        site.status(target, 404).await;
    }
    let listing = site.navigate("/").await;
    assert!(listing.text().contains(">in.txt<") && listing.text().contains(">in/<"));
    for hidden in ["out", "b.txt", "loop", "plain.txt"] {
        assert!(
            !listing.text().contains(&format!("href=\"{hidden}")),
            "{hidden}"
        );
    }
    site.files.options.follow_symlinks = true;
    site.body("/out.txt", "outside").await;
    site.body("/out/s.txt", "outside").await;
    for target in ["/b.txt", "/loop", "/plain.txt", "/out/id_rsa"] {
        site.status(target, 404).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_an_index_outside_is_not_served() {
    let site = Site::new(&[("d/index.htm", "htm"), ("e/x", "")]);
    let secret = site.dir.path().join("secret.html");
    std::fs::write(&secret, "secret").unwrap();
    symlink(&secret, site.path("d/index.html")).unwrap();
    symlink(&secret, site.path("e/index.html")).unwrap();
    symlink(&secret, site.path("page.html")).unwrap();
    symlink(&secret, site.path("404.html")).unwrap();
    site.body("/d/", "htm").await;
    assert!(site.get("/e/").await.text().contains("href=\"x\""));
    site.status("/page", 404).await;
    assert!(!site.navigate("/nothing").await.text().contains("secret"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_fifo_does_not_hang_the_server() {
    let site = Site::new(&[]);
    let made = std::process::Command::new("mkfifo")
        .arg(site.path("pipe.html"))
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return;
    }
    symlink("/dev/zero", site.path("zero")).unwrap();
    for target in ["/pipe.html", "/pipe", "/zero"] {
        site.status(target, 404).await;
        assert_eq!(site.navigate(target).await.status, 404);
    }
    assert!(!site.navigate("/").await.text().contains("pipe"));
}

/// The link is switched as fast as possible; only files inside are served.
#[cfg(unix)]
#[tokio::test]
async fn a_link_switched_while_it_is_opened_never_serves_a_file_outside() {
    let mut site = Site::new(&[("a.txt", "inside")]);
    site.asks_both_ways = false;
    let secret = site.dir.path().join("secret.txt");
    std::fs::write(&secret, "secret").unwrap();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let switching = std::thread::spawn({
        let (link, temporary, inside, stop) = (
            site.path("x.txt"),
            site.path("t"),
            site.path("a.txt"),
            stop.clone(),
        );
        move || {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for target in [&secret, &inside] {
                    symlink(target, &temporary).unwrap();
                    std::fs::rename(&temporary, &link).unwrap();
                }
            }
        }
    });
    let (mut rounds, mut inside) = (0, 0);
    // On a busy machine the other thread may start late.
    while rounds < 3000 || inside == 0 {
        rounds += 1;
        let answer = site.get("/x.txt").await;
        assert!(!answer.text().contains("secret"), "{answer:?}");
        inside += usize::from(answer.text() == "inside");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    switching.join().unwrap();
}

/// A directory is replaced by a link to one outside and back, as fast as possible.
#[cfg(unix)]
#[tokio::test]
async fn a_directory_replaced_by_a_link_never_serves_a_file_outside() {
    use std::sync::atomic::{AtomicBool, Ordering};
    for by_walk in [false, true] {
        let mut site = Site::new(&[("d/e/a.txt", "inside")]);
        site.asks_both_ways = false;
        site.files.root.by_walk = by_walk;
        let outside = site.dir.path().join("outside");
        std::fs::create_dir_all(outside.join("e")).unwrap();
        std::fs::write(outside.join("e/a.txt"), "secret").unwrap();
        symlink(&outside, site.path("link")).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let switching = std::thread::spawn({
            let [d, aside, link] = ["d", "aside", "link"].map(|name| site.path(name));
            let stop = stop.clone();
            move || {
                while !stop.load(Ordering::Relaxed) {
                    for (from, to) in [(&d, &aside), (&link, &d), (&d, &link), (&aside, &d)] {
                        std::fs::rename(from, to).unwrap();
                    }
                }
            }
        });
        let (mut rounds, mut inside) = (0, 0);
        while rounds < 3000 || inside == 0 {
            rounds += 1;
            let answer = site.get("/d/e/a.txt").await;
            assert!(!answer.text().contains("secret"), "{answer:?}");
            inside += usize::from(answer.text() == "inside");
        }
        stop.store(true, Ordering::Relaxed);
        switching.join().unwrap();
    }
}

/// Editors save by renaming over the old file: a concurrent request gets the old or the new one.
#[tokio::test]
async fn a_file_that_is_replaced_continuously_is_always_found() {
    let mut site = Site::new(&[("a.txt", "content")]);
    site.asks_both_ways = false;
    // Each request runs concurrently with one save.
    let (begin, begun) = std::sync::mpsc::sync_channel(0);
    let saving = std::thread::spawn({
        let (file, temporary) = (site.path("a.txt"), site.path("t"));
        move || {
            while begun.recv().is_ok() {
                std::fs::write(&temporary, "content").unwrap();
                std::fs::rename(&temporary, &file).unwrap();
            }
        }
    });
    for _ in 0..2000 {
        begin.send(()).unwrap();
        site.body("/a.txt", "content").await;
    }
    drop(begin);
    saving.join().unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn files_are_closed_after_the_response() {
    let site = Site::new(&[("index.html", "<head>")]);
    site.write("large.bin", vec![7; 3 << 20]);
    for round in 0..2000 {
        site.navigate("/").await;
        if round % 10 == 0 {
            let request = Request::builder().uri("/large.bin").body(()).unwrap();
            let mut response = site.files.respond(&request, None, &site.pages).await;
            if round % 20 == 0 {
                // Dropped in the middle, as when the browser disconnects.
                response.body_mut().frame().await.unwrap().unwrap();
            }
        }
    }
    // A read that was in progress when the body was dropped may take a moment to end.
    for _ in 0..100 {
        let root = site.path("").canonicalize().unwrap();
        let links = std::fs::read_dir("/proc/self/fd").unwrap();
        let open = links.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
        // The root itself is kept open.
        let below = |path: &PathBuf| path.starts_with(&root) && *path != root;
        if open.filter(below).count() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("files stay open");
}

mod any_target {
    use super::*;
    use proptest::prelude::*;

    /// Segments of targets, valid and hostile.
    fn segment() -> impl Strategy<Value = String> {
        const FIXED: &[&str] = &[
            "",
            ".",
            "..",
            "%2e",
            "%2E%2e",
            "..%2f",
            "%2f",
            "%5c",
            "..%5c",
            "%00",
            "%c0%ae%c0%ae",
            "%252e%252e",
            "%uff0e",
            "....",
            "..;",
            "a.txt",
            "a",
            "index.html",
            "d",
            "d e",
            "d%20e",
            "page",
            "out",
            "out.txt",
            "in",
            "hidden",
            "key.txt",
            ".env",
            "%2eenv",
            ".git",
            "config",
            "id_rsa",
            "server.pem",
            "server.PEM",
            "secret.txt",
            "root",
            "root-secret",
            "etc",
            "passwd",
            "proc",
            "self",
            "ü",
            "%C3%BC",
            "%FF",
            "C:",
            "a.txt%20",
            "a.txt.",
            ".well-known",
            "~",
            "*",
        ];
        prop_oneof![
            8 => proptest::sample::select(FIXED).prop_map(str::to_owned),
            1 => "(%[0-9a-fA-F]{2}|[a-z.]){1,6}",
            1 => "[!-~]{0,5}",
        ]
    }

    fn site() -> Site {
        let site = Site::new(&[
            ("a.txt", "fine"),
            ("index.html", "fine"),
            ("page.html", "fine"),
            ("d/a.txt", "fine"),
            ("d e/index.html", "fine"),
            (".env", "SECRET"),
            ("d/.env", "SECRET"),
            (".git/config", "SECRET"),
            ("server.pem", "SECRET"),
            ("d/id_rsa", "SECRET"),
            (".well-known/a.txt", "fine"),
        ]);
        let outside = site.dir.path().join("root-secret");
        std::fs::create_dir(&outside).unwrap();
        for path in [
            site.dir.path().join("secret.txt"),
            outside.join("a.txt"),
            outside.join("index.html"),
        ] {
            std::fs::write(path, "SECRET").unwrap();
        }
        #[cfg(unix)]
        for (target, link) in [
            ("../root-secret", "out"),
            ("../secret.txt", "out.txt"),
            ("d", "in"),
            (".git", "hidden"),
            ("server.pem", "key.txt"),
            ("/", "root"),
            ("/proc/self/root", "magic"),
            ("/proc/self/cwd", "cwd"),
        ] {
            symlink(target, site.path(link)).unwrap();
        }
        site
    }

    /// Spellings of `..` and `/` that have worked against some server.
    const UP: &[&str] = &[
        "../",
        "..%2f",
        "..%2F",
        "%2e%2e/",
        "%2E%2e/",
        ".%2e/",
        "%2e%2e%2f",
        "..\\",
        "..%5c",
        "%2e%2e%5c",
        "..%252f",
        "%252e%252e/",
        "%252e%252e%252f",
        "..%c0%af",
        "%c0%ae%c0%ae/",
        "..%e0%80%af",
        "%uff0e%uff0e/",
        "..;/",
        "....//",
        "..%00/",
        ".../",
        "./../",
        "..//",
        "d/../../",
        "d/%2e%2e/../",
        "in/../../",
        "out/../",
        "root/../",
    ];

    /// The same, with a way of its own.
    const OTHER: &[&str] = &[
        "//etc/passwd",
        "///etc/passwd",
        "/%2fetc/passwd",
        "/file:/etc/passwd",
        "/out",
        "/out/",
        "/out/a.txt",
        "/out/index",
        "/out.txt",
        "/out.txt/",
        "/root/etc/passwd",
        "/root/root/../etc/passwd",
        "/root/proc/self/environ",
        "/root/dev/stdin",
        "/magic/etc/passwd",
        "/magic/proc/self/root/etc/passwd",
        "/cwd/Cargo.toml",
        "/hidden/config",
        "/in/.env",
        "/in/id_rsa",
        "/key.txt",
        "/.env",
        "/.ENV",
        "/%2eenv",
        "/.env/",
        "/.env%20",
        "/.env.",
        "/.env%00.html",
        "/.env?x=.html",
        "/.env::$DATA",
        "/d/.env",
        "/d//.env",
        "/.git/config",
        "/.git",
        "/.git/",
        "/.well-known/../.env",
        "/server.pem",
        "/server.PEM",
        "/server.p%65m",
        "/d/id_rsa",
        "/d/id_rsa/",
        "/d/ID_RSA",
    ];

    #[tokio::test]
    async fn no_hostile_target_gets_a_file_outside_or_a_private_one() {
        let site = site();
        let goals = [
            "secret.txt",
            "root-secret/a.txt",
            "root-secret/",
            "etc/passwd",
        ];
        let mut targets: Vec<String> = OTHER.iter().map(|&target| target.into()).collect();
        for up in UP {
            for depth in [1, 2, 8] {
                let up = up.repeat(depth);
                targets.extend(goals.map(|goal| format!("/{up}{goal}")));
                targets.push(format!("/{up}root/.env"));
            }
        }
        assert!(targets.len() >= 380, "{}", targets.len());
        for target in targets {
            // Not a valid URI: hyper refuses it.
            if target.parse::<Uri>().is_err() {
                continue;
            }
            for headers in [&NAVIGATION[..], &[]] {
                let answer = site.get_with(&target, headers).await;
                let text = String::from_utf8_lossy(&answer.body);
                let leaks = ["SECRET", "root:", "[package]", "PATH="];
                assert!(
                    !leaks.iter().any(|leak| text.contains(leak)),
                    "{target}: {text}"
                );
                assert!(
                    matches!(answer.status, 307 | 400 | 404),
                    "{target}: {} {text}",
                    answer.status
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn every_response_is_an_allowed_file_below_the_root(
            targets in proptest::collection::vec((proptest::collection::vec(segment(), 1..6), any::<bool>()), 100)
        ) {
            let site = site();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for (segments, navigation) in targets {
                let target = format!("/{}", segments.join("/"));
                let Ok(uri) = target.parse::<Uri>() else { continue };
                let headers = if navigation { &NAVIGATION[..] } else { &[] };
                let answer = runtime.block_on(site.get_with(&uri.to_string(), headers));
                let text = String::from_utf8_lossy(&answer.body);
                prop_assert!(!text.contains("SECRET") && !text.contains("root:"), "{target}: {text}");
                match answer.status {
                    200 => prop_assert!(
                        text.ends_with("fine") || answer.headers.contains_key("content-security-policy"),
                        "{target}: {text}"
                    ),
                    307 => {
                        let location = answer.header("location");
                        prop_assert!(location.starts_with('/') && !location.starts_with("//") && !location.starts_with("/\\"), "{location}");
                    }
                    status => prop_assert!(status == 404 || status == 400, "{target}: {status}"),
                }
            }
        }
    }
}
