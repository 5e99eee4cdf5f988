//! HTML documents: which ones are injected, and the headers of their responses.

use super::*;

const PAGE: &str = "<!doctype html><head><title>a</title><p>b";

fn injected() -> String {
    PAGE.replace("<head>", &format!("<head>{SCRIPT}"))
}

#[tokio::test]
async fn only_navigations_get_the_script() {
    let site = Site::new(&[("index.html", PAGE)]);
    let answer = site.navigate("/").await;
    assert_eq!(answer.text(), injected());
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(
        answer.header("vary"),
        "Sec-Fetch-Dest, Sec-Fetch-Site, Accept"
    );
    assert_eq!(site.calls(), ["file /index.html", "served index.html"]);
    site.body("/", PAGE).await;
    assert_eq!(site.calls(), ["served index.html"]);
    let fragment = site
        .get_with("/", &[("accept", "text/html"), ("hx-request", "true")])
        .await;
    assert_eq!(fragment.text(), PAGE);
    assert_eq!(fragment.header("vary"), answer.header("vary"));
    let lan = site.get_with("/", &[("accept", "text/html,*/*")]).await;
    assert_eq!(lan.text(), injected());
}

#[tokio::test]
async fn pages_get_the_path_of_the_file() {
    let site = Site::new(&[("d e/index.html", PAGE), ("über.html", PAGE)]);
    site.navigate("/d%20e/").await;
    site.navigate("/%C3%BCber").await;
    assert_eq!(
        site.calls(),
        [
            "file /d e/index.html",
            "served index.html",
            "file /über.html",
            "served über.html"
        ]
    );
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let site = Site::with(
        &[
            ("index.html", PAGE),
            ("big.html", &PAGE.repeat(100)),
            ("a.bin", "x"),
        ],
        |options| {
            options.compress = Compress::Always;
        },
    );
    site.write("large.bin", vec![0; 1 << 20]);
    for target in ["/", "/big.html", "/a.bin", "/large.bin", "/missing"] {
        for headers in [&NAVIGATION[..], &[("accept-encoding", "br")], &[]] {
            let head = site.ask("HEAD", target, headers).await;
            let get = site.ask("GET", target, headers).await;
            assert!(head.body.is_empty());
            assert_eq!(
                (head.status, head.headers),
                (get.status, get.headers),
                "{target} {headers:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_navigation_with_a_range_gets_the_whole_page_with_the_script() {
    let site = Site::new(&[("index.html", PAGE)]);
    let raw = site.get("/").await.header("etag").to_owned();
    let page = site.navigate("/").await.header("etag").to_owned();
    let range = ("range", "bytes=0-14");
    for headers in [
        &[NAVIGATION[0], range][..],
        &[NAVIGATION[0], range, ("if-range", &page)],
        &[NAVIGATION[0], range, ("if-range", &raw)],
        &[NAVIGATION[0], range, ("if-range", "\"stale\"")],
        &[NAVIGATION[0], ("range", "bytes=9999-")],
    ] {
        let answer = site.get_with("/", headers).await;
        assert_eq!(
            (answer.status, answer.text()),
            (200, &*injected()),
            "{headers:?}"
        );
        assert!(answer.header("content-range").is_empty());
        let head = site.ask("HEAD", "/", headers).await;
        assert_eq!((head.status, head.headers), (200, answer.headers));
    }
    // A range that a script fetches is of the file on disk.
    let answer = site.get_with("/", &[range]).await;
    assert_eq!((answer.status, answer.text()), (206, &PAGE[..15]));
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    // The injected page has another `ETag`, so a part of it is not continued with raw bytes.
    let answer = site
        .get_with("/", &[("range", "bytes=5-"), ("if-range", &page)])
        .await;
    assert_eq!((answer.status, answer.text()), (200, PAGE));
}

/// The file has not changed, but the cursor in the page has: an old one must not be reused.
#[tokio::test]
async fn a_page_never_gets_a_304_by_its_date() {
    let site = Site::new(&[("index.html", PAGE)]);
    let answer = site.navigate("/").await;
    let since = ("if-modified-since", answer.header("last-modified"));
    assert!(!since.1.is_empty());
    let again = site.get_with("/", &[NAVIGATION[0], since]).await;
    assert_eq!((again.status, again.text()), (200, &*injected()));
}

#[tokio::test]
async fn the_injected_page_and_the_file_have_different_etags() {
    let site = Site::new(&[("index.html", PAGE)]);
    let raw = site.get("/").await.header("etag").to_owned();
    let page = site.navigate("/").await.header("etag").to_owned();
    assert_ne!(raw, page);
    assert!(page.ends_with("-t1\""));
    let known = |tag: &str| {
        [NAVIGATION[0], NAVIGATION[1], ("if-none-match", tag)]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
    };
    for (tag, expected) in [(&page, 304), (&raw, 200)] {
        let headers = known(tag);
        let headers: Vec<_> = headers
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(site.get_with("/", &headers).await.status, expected);
    }
}

#[tokio::test]
async fn a_declared_charset_is_sent_in_the_header() {
    let site = Site::new(&[("declared.html", "<head><meta charset=shift_jis>")]);
    site.write("latin1.html", b"<head>\xe9");
    site.write("bom16.html", b"\xff\xfe<\0h\0e\0a\0d\0>\0");
    for (target, expected) in [
        ("/declared", "text/html; charset=shift_jis"),
        ("/latin1", "text/html"),
        ("/bom16", "text/html; charset=utf-16le"),
    ] {
        assert_eq!(site.navigate(target).await.header("content-type"), expected);
        assert_eq!(site.get(target).await.header("content-type"), expected);
    }
}

#[tokio::test]
async fn documents_that_cannot_be_injected_are_unchanged_and_reported() {
    let blank = " ".repeat(2 << 20);
    let site = Site::new(&[
        ("a.xhtml", "<html/>"),
        ("b.html", &blank),
        ("c.svg", "<svg/>"),
        ("d.txt", "<head>"),
        ("e.zip", "PK"),
    ]);
    site.write("e.html", b"\xfe\xff\0<\0p");
    for (target, calls) in [
        ("/a.xhtml", &["served a.xhtml", "not injected /a.xhtml"][..]),
        (
            "/b.html",
            &["file /b.html", "served b.html", "not injected /b.html"],
        ),
        ("/c.svg", &["served c.svg", "not injected /c.svg"]),
        ("/d.txt", &["served d.txt", "not injected /d.txt"]),
        ("/e.zip", &["served e.zip"]),
        (
            "/e.html",
            &["file /e.html", "served e.html", "not injected /e.html"],
        ),
    ] {
        let answer = site.navigate(target).await;
        assert_eq!(answer.body, site.get(target).await.body, "{target}");
        let mut expected = calls.to_vec();
        expected.push(
            calls
                .iter()
                .find(|call| call.starts_with("served"))
                .unwrap(),
        );
        assert_eq!(site.calls(), expected, "{target}");
    }
}

#[tokio::test]
async fn a_page_in_a_frame_of_ours_is_recognised() {
    let site = Site::new(&[("index.html", PAGE)]);
    for (destination, from, calls) in [
        ("iframe", "same-origin", "frame /index.html"),
        ("frame", "same-origin", "frame /index.html"),
        ("iframe", "cross-site", "file /index.html"),
        ("iframe", "same-site", "file /index.html"),
        ("document", "same-origin", "file /index.html"),
    ] {
        let headers = [("sec-fetch-dest", destination), ("sec-fetch-site", from)];
        site.get_with("/", &headers).await;
        assert_eq!(site.calls()[0], calls, "{destination} {from}");
    }
}

#[tokio::test]
async fn a_picture_in_a_frame_is_not_reported() {
    let site = Site::new(&[("c.svg", "<svg/>")]);
    site.get_with("/c.svg", &[("sec-fetch-dest", "iframe")])
        .await;
    assert_eq!(site.calls(), ["served c.svg"]);
}

#[tokio::test]
async fn a_script_that_nosniff_refuses_is_reported() {
    let site = Site::new(&[("app.js.download", "1"), ("main.ts", "1"), ("a.js", "1")]);
    let script = [("sec-fetch-dest", "script")];
    for (target, calls) in [
        ("/app.js.download", &["refused /app.js.download"][..]),
        ("/main.ts", &["refused /main.ts"]),
        ("/a.js", &[]),
    ] {
        site.get_with(target, &script).await;
        assert_eq!(site.calls()[1..], *calls, "{target}");
        site.get(target).await;
        assert_eq!(
            site.calls().len(),
            1,
            "{target}: nothing is refused to a fetch"
        );
    }
}

#[tokio::test]
async fn a_large_document_is_streamed_after_its_injected_beginning() {
    let site = Site::new(&[]);
    let rest = "<p>So it goes.\n".repeat(700_000);
    site.write("large.html", format!("{PAGE}{rest}"));
    let answer = site.navigate("/large.html").await;
    assert!(answer.text() == format!("{}{rest}", injected()));
    site.write("large.html", &rest);
    assert!(site.navigate("/large.html").await.text() == format!("{SCRIPT}{rest}"));
    assert!(site.get("/large.html").await.text() == rest);
    let blank = " ".repeat(2 << 20);
    site.write("large.html", format!("{blank}{rest}"));
    assert!(site.navigate("/large.html").await.text() == format!("{blank}{rest}"));
}

#[tokio::test]
async fn an_empty_document_is_injected() {
    let site = Site::new(&[("index.html", "")]);
    assert_eq!(site.navigate("/").await.text(), SCRIPT);
}

/// Each response is compared with that of a server with an empty cache (`Site::ask`).
#[tokio::test]
async fn the_script_is_in_the_right_place_when_a_page_is_requested_again() {
    let site = Site::new(&[("a.html", PAGE)]);
    let pinned = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let policy = "<meta http-equiv=content-security-policy>";
    let blank = " ".repeat(2 << 20);
    for page in [
        PAGE,
        // With the same length and date.
        "<head><!doctype html><title>a</title><p>b",
        "\u{feff}<!-- a --> <html>\n<p>",
        &format!("<head>{policy}"),
        &format!("<head>{}", "grüße".repeat(4000)),
        &blank,
        "",
    ] {
        // A new inode, as most editors save: this does not depend on the resolution of the clock.
        site.write("new", page);
        let file = std::fs::File::options().append(true).open(site.path("new"));
        file.unwrap().set_modified(pinned).unwrap();
        std::fs::rename(site.path("new"), site.path("a.html")).unwrap();
        let first = site.navigate("/a.html").await;
        site.get("/a.html").await;
        assert_eq!(site.navigate("/a.html").await.text(), first.text());
        assert_eq!(first.text().contains("<script"), page != blank);
    }
    // The same file by a name with another type.
    std::fs::hard_link(site.path("a.html"), site.path("a.txt")).unwrap();
    assert_eq!(site.navigate("/a.txt").await.text(), "");
    assert_eq!(site.navigate("/a.html").await.text(), SCRIPT);
}

fn meanwhile(site: &Site, act: impl FnOnce() + Send + 'static) {
    *site.pages.meanwhile.lock().unwrap() = Some(Box::new(act));
}

/// The snippet contains a cursor. A change right after it was taken must be in the response, or the page must be
/// notified of it.
#[tokio::test]
async fn a_change_after_the_snippet_is_in_the_page() {
    let site = Site::new(&[("index.html", "old")]);
    let file = site.path("index.html");
    meanwhile(&site, move || std::fs::write(file, "new").unwrap());
    assert!(site.navigate("/").await.text().ends_with("new"));
}

#[tokio::test]
async fn a_file_created_after_the_snippet_is_served() {
    let site = Site::new(&[("a/x", "")]);
    for (target, file, expected) in [
        ("/late", "late.html", "file /late.html"),
        ("/a/", "a/index.html", "file /a/index.html"),
    ] {
        let path = site.path(file);
        meanwhile(&site, move || std::fs::write(path, "late").unwrap());
        let answer = site.navigate(target).await;
        assert_eq!(
            (answer.status, answer.text()),
            (200, &*format!("{SCRIPT}late"))
        );
        assert_eq!(site.calls()[1], expected);
    }
}

#[tokio::test]
async fn a_file_removed_after_the_snippet_is_missing() {
    let site = Site::new(&[("index.html", "old"), ("b.html", "")]);
    let file = site.path("b.html");
    meanwhile(&site, move || std::fs::remove_file(file).unwrap());
    assert_eq!(site.navigate("/b").await.status, 404);
    assert_eq!(site.calls(), ["file /b.html", "not found"]);
}
