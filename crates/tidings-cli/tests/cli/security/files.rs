//! Which files are served, however they are asked for.

use super::*;
use std::os::unix::fs::symlink;

/// A folder `public` beside others, with private files in it.
fn project() -> Folder {
    let project = Folder::new(&[
        ("public/index.html", "fine"),
        ("public/a.txt", "fine"),
        ("public/deep/b.txt", "fine"),
        ("public/.env", "SECRET"),
        ("public/.env.local", "SECRET"),
        ("public/deep/.env", "SECRET"),
        ("public/.git/config", "SECRET"),
        ("public/.npmrc", "SECRET"),
        ("public/server.pem", "SECRET"),
        ("public/id_rsa", "SECRET"),
        ("public-secret/a.txt", "SECRET"),
        ("public-secret/index.html", "SECRET"),
        ("secret.txt", "SECRET"),
    ]);
    project.settle();
    project
}

fn serve(project: &Folder) -> Server {
    let mut command = super::super::tidings();
    Server::run(command.arg(project.path("public")).args(["--port", "0"]))
}

/// Asks for a target as it is, whatever it is.
fn raw(port: u16, target: &str) -> Answer {
    let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    send(port, head.as_bytes())
}

#[track_caller]
fn check_refused(project: &Folder, targets: &[&str]) {
    let server = serve(project);
    for target in targets {
        let answer = raw(server.port, target);
        // A fragment is cut off where the target is parsed, for everything after that: then it is the file before it.
        let is_before_fragment = target.starts_with("/a.txt#") && answer.text() == "fine";
        assert!(
            matches!(answer.status, 307 | 400 | 403 | 404 | 405) || is_before_fragment,
            "{target}: {:?}",
            answer.head
        );
        assert!(!answer.text().contains("SECRET"), "{target}");
    }
    assert_eq!(raw(server.port, "/a.txt").text(), "fine");
}

#[test]
fn vite_cve_2025_30208_and_those_after_it_no_spelling_gets_a_private_file() {
    let project = project();
    let root = project.path("public");
    let root = root.to_str().unwrap();
    let names = [
        ".env",
        ".env.local",
        "deep/.env",
        ".git/config",
        ".npmrc",
        "server.pem",
        "id_rsa",
    ];
    let mut targets = Vec::new();
    for name in names {
        for after in [
            "",
            "?raw",
            "?raw??",
            "?import&raw",
            "?import&raw??",
            "?url",
            "?inline&import",
            "?inline&import&x=.svg",
            "?.svg",
            "?x=.svg",
            ".svg?.wasm?init",
            "#",
            "#/../a.txt",
            "?#",
            "%23",
            "%3f",
            "%00",
            "%00.svg",
            "::$DATA",
            "%3a%3a$DATA",
            ".",
            "%20",
            "/",
            "/.",
            "//",
            "\\",
            "%5c",
            ".map",
            "?meteor_js_resource=1",
        ] {
            targets.push(format!("/{name}{after}"));
        }
        for before in [
            "./",
            "x/../",
            "deep/../",
            "%2e/",
            "deep/%2e%2e/",
            "@fs",
            "@fs/",
            "@id/",
            "@vite/",
            "@tidings/",
            "@tidings/../",
            "@tidings/%2e%2e/",
            "server-sent-events/../",
            "/",
            "//",
            "deep/..;/",
            "deep/..%2f",
            "ENV~1/../",
        ] {
            targets.push(format!("/{before}{name}"));
        }
        targets.push(format!("/@fs{root}/{name}"));
        targets.push(format!("/@fs{root}/{name}?raw??"));
        targets.push(format!("{root}/{name}"));
        targets.push(format!("/@tidings/version?id={root}/{name}"));
        targets.push(format!("/@tidings/version?id=../{name}"));
        targets.push(format!("/server-sent-events/{name}"));
        targets.push(format!("/a.txt#/../{name}"));
        targets.push(format!("http://localhost/{name}?raw"));
    }
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    check_refused(&project, &targets);
}

#[test]
fn vite_cve_2025_58751_a_folder_whose_name_begins_like_ours_is_another_one() {
    let project = project();
    symlink("../public-secret", project.path("public/link")).unwrap();
    symlink("../public-secret/a.txt", project.path("public/link.txt")).unwrap();
    check_refused(
        &project,
        &[
            "/../public-secret/a.txt",
            "/%2e%2e/public-secret/a.txt",
            "/..%2fpublic-secret/a.txt",
            "-secret/a.txt",
            "/-secret/a.txt",
            "/link/a.txt",
            "/link/",
            "/link.txt",
        ],
    );
}

#[test]
fn esbuild_ghsa_g7r4_m6w7_qqqr_a_backslash_separates_nothing() {
    check_refused(
        &project(),
        &[
            "/..\\secret.txt",
            "\\..\\secret.txt",
            "/..%5csecret.txt",
            "/deep\\..\\..\\secret.txt",
            "/deep%5c..%5c..%5csecret.txt",
            "/deep\\.env",
            "/deep%5c.env",
            "/%5c%5cevil.example%5cshare",
            "/C:\\secret.txt",
            "/C:%5csecret.txt",
        ],
    );
}

#[test]
fn live_preview_cve_2026_41612_a_target_is_decoded_once() {
    check_refused(
        &project(),
        &[
            "/%2e%2e/secret.txt",
            "/%2e%2e%2fsecret.txt",
            "/%252e%252e/secret.txt",
            "/%252e%252e%252fsecret.txt",
            "/%25252e%25252e/secret.txt",
            "/%2%65%2%65/secret.txt",
            "/%c0%ae%c0%ae/secret.txt",
            "/%uff0e%uff0e/secret.txt",
            "/deep/%2e%2e/%2e%2e/secret.txt",
            "/%2eenv",
            "/%252eenv",
            "/server%2epem",
            "/%73erver.pem",
        ],
    );
}

#[test]
fn live_server_418sec_1809_and_aiohttp_cve_2024_23334_no_link_leads_out() {
    let project = project();
    for (target, link) in [
        ("../secret.txt", "out.txt"),
        ("..", "up"),
        ("/", "root"),
        ("/etc", "etc"),
        ("up", "up-again"),
        (".env", "env.txt"),
        (".git", "git"),
        ("/proc/self/cwd", "cwd"),
        ("/proc/self/root", "magic"),
    ] {
        symlink(target, project.path("public").join(link)).unwrap();
    }
    let absolute = project.path("secret.txt");
    let absolute = format!("/root{}", absolute.display());
    let magic = format!("/magic{}", project.path("secret.txt").display());
    check_refused(
        &project,
        &[
            "/out.txt",
            "/up/secret.txt",
            "/up/public-secret/a.txt",
            "/up/public/.env",
            "/up-again/secret.txt",
            &absolute,
            &magic,
            "/etc/passwd",
            "/env.txt",
            "/git/config",
            "/cwd/",
        ],
    );
}

#[test]
fn serve_index_28_the_name_of_a_file_is_never_markup() {
    let name = "<img src=x onerror=alert(1)>\"'&.txt";
    let folder = Folder::new(&[]);
    folder.save(&format!("d/{name}"), "x");
    let server = Server::start(&folder, &[]);
    let navigation = [
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Dest: document",
        "Accept: text/html",
    ];
    let listing = ask(server.port, "GET", "/d/", &navigation);
    assert_eq!(listing.status, 200);
    assert!(
        listing.text().contains("&lt;img src=x"),
        "{}",
        listing.text()
    );
    let missing = "/%3Cimg%20src=x%20onerror=alert(1)%3E%22'&";
    let missing = ask(server.port, "GET", missing, &navigation);
    assert_eq!(missing.status, 404);
    for page in [&listing, &missing] {
        assert!(!page.text().contains("<img"), "{}", page.text());
        let policy = page.header("content-security-policy").unwrap();
        // Styles of our own are in the page; nothing in it is run.
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(policy.contains("script-src 'self';"), "{policy}");
    }
}
