//! Which file is served for a URL.

use super::*;

#[tokio::test]
async fn every_name_that_a_url_can_express_is_served() {
    let names = [
        "a b", "grüße", "a#b", "a?b", "100%", "%41", "it's", "\"q\"", "a&b", "<b>", "a:b", "a+b",
        "日本",
    ];
    let site = Site::new(&names.map(|name| (name, name)));
    for name in names {
        site.body(
            &format!("/{}", resolve::percent_encode(name.as_ref())),
            name,
        )
        .await;
    }
    site.body("/a%20b?x=1", "a b").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn names_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let site = Site::new(&[]);
    std::fs::write(
        site.path("")
            .join(std::ffi::OsStr::from_bytes(b"\xff\xfe.txt")),
        "odd",
    )
    .unwrap();
    site.body("/%ff%fe.txt", "odd").await;
    assert!(
        site.navigate("/")
            .await
            .text()
            .contains("href=\"%FF%FE.txt\"")
    );
}

#[tokio::test]
async fn a_directory_serves_its_index() {
    let site = Site::new(&[
        ("index.html", "root"),
        ("a/index.htm", "htm"),
        ("b/index.htm", "no"),
        ("b/index.html", "yes"),
    ]);
    site.body("/", "root").await;
    site.body("/index.html", "root").await;
    site.body("/a/", "htm").await;
    site.body("/b/", "yes").await;
}

#[tokio::test]
async fn a_directory_without_a_trailing_slash_is_redirected_temporarily() {
    let site = Site::new(&[("d e/index.html", ""), ("empty/x", "")]);
    site.location("/d%20e", "/d%20e/").await;
    site.location("/d%20e?a=b&c=%20", "/d%20e/?a=b&c=%20").await;
    site.location("/empty?", "/empty/?").await;
    assert_eq!(site.get("/empty").await.header("cache-control"), "no-cache");
}

#[tokio::test]
async fn a_page_is_served_without_its_extension() {
    let site = Site::new(&[
        ("a.html", "page"),
        ("a/index.html", "section"),
        ("b.html", "page"),
        ("b", "file"),
        ("c.d.html", "c.d"),
    ]);
    site.body("/a", "page").await;
    site.body("/a.html", "page").await;
    site.body("/a/", "section").await;
    site.body("/b", "file").await;
    site.body("/c.d", "c.d").await;
    site.status("/a.html/", 404).await;
    site.status("/b/", 404).await;
    site.status("/b.html/x", 404).await;
    site.status("/c.d/", 404).await;
}

#[tokio::test]
async fn empty_segments_never_redirect_to_another_host() {
    let site = Site::new(&[("evil.example/index.html", "")]);
    site.location("//evil.example/", "/evil.example/").await;
    site.location("//evil.example", "/evil.example").await;
    site.location("/evil.example", "/evil.example/").await;
    site.location("http://localhost//evil.example/", "/evil.example/")
        .await;
    site.location("///", "/").await;
}

#[tokio::test]
async fn malformed_targets_get_a_400_and_refused_paths_a_404() {
    let site = Site::new(&[("a", "")]);
    for target in ["/%", "/%zz", "/a%2"] {
        site.status(target, 400).await;
    }
    for target in [
        "/..",
        "/%2e%2e/root/a",
        "/a%00",
        "/a%2f",
        "/%5ca",
        "/a%0a",
        "/nothing",
    ] {
        site.status(target, 404).await;
    }
    site.status(&format!("/{}", "x".repeat(300)), 404).await;
    site.status(&format!("/{}", "x/".repeat(4000)), 404).await;
}

#[tokio::test]
async fn other_methods_are_refused() {
    let site = Site::new(&[("a", "x")]);
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW'&"] {
        for (headers, content_type, shown) in [
            (&[][..], "text/plain; charset=utf-8", method.to_owned()),
            (
                &NAVIGATION,
                "text/html; charset=utf-8",
                method.replace("'&", "&#39;&amp;"),
            ),
        ] {
            let answer = site.ask(method, "/a", headers).await;
            assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"));
            assert_eq!(answer.header("content-type"), content_type);
            assert!(answer.text().contains(&shown), "{}", answer.text());
            // Reloading the page would submit the form again.
            assert!(!answer.text().contains("<script"));
        }
    }
    let answer = site
        .ask("OPTIONS", "/a", &[("origin", "http://evil.example")])
        .await;
    assert_eq!((answer.status, answer.header("allow")), (204, "GET, HEAD"));
}

#[tokio::test]
async fn the_root_may_be_removed_and_created_again() {
    let site = Site::new(&[("a", "one")]);
    let root = site.path("");
    site.body("/a", "one").await;
    std::fs::remove_dir_all(&root).unwrap();
    site.status("/a", 404).await;
    assert_eq!(site.navigate("/").await.status, 404);
    site.write("a", "two");
    site.body("/a", "two").await;
}

#[cfg(unix)]
#[tokio::test]
async fn the_root_may_be_a_link_that_is_switched() {
    let mut site = Site::new(&[("one/a", "1"), ("two/a", "2")]);
    let link = site.dir.path().join("current");
    std::os::unix::fs::symlink(site.path("one"), &link).unwrap();
    site.files.options.root.clone_from(&link);
    site.body("/a", "1").await;
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(site.path("two"), &link).unwrap();
    site.body("/a", "2").await;
}
