//! Conditional requests, ranges and compression of files that are sent unchanged.

use super::*;
use std::io::Read;

#[tokio::test]
async fn an_unchanged_file_gets_a_304() {
    let site = Site::new(&[("a.css", "a{}")]);
    let first = site.get("/a.css").await;
    let tag = first.header("etag");
    assert!(tag.starts_with('"'));
    for known in [
        tag.to_owned(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let again = site.get_with("/a.css", &[("if-none-match", &known)]).await;
        assert_eq!(
            (again.status, again.text(), again.header("etag")),
            (304, "", tag)
        );
        assert_eq!(again.header("cache-control"), "no-cache");
    }
    assert_eq!(
        site.get_with("/a.css", &[("if-none-match", "\"x\"")])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_font_is_not_kept_by_browsers() {
    let site = Site::new(&[("f.woff2", "x")]);
    let font = site.get("/f.woff2").await;
    assert_eq!(font.header("cache-control"), "no-store");
}

#[cfg(unix)]
#[tokio::test]
async fn same_size_and_pinned_time_do_not_hide_a_change() {
    let site = Site::new(&[("a.css", "a{}")]);
    let pin = |content: &str| {
        site.write("a.css", content);
        let file = std::fs::File::options()
            .write(true)
            .open(site.path("a.css"))
            .unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000))
            .unwrap();
    };
    pin("a{}");
    let first = site.get("/a.css").await;
    let changed = inode_change(&site);
    // Until the kernel's clock for file times has ticked.
    while inode_change(&site) == changed {
        pin("b{}");
    }
    let tag = [("if-none-match", first.header("etag"))];
    let answer = site.get_with("/a.css", &tag).await;
    assert_eq!((answer.status, answer.text()), (200, "b{}"));
}

#[cfg(unix)]
fn inode_change(site: &Site) -> (i64, i64) {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(site.path("a.css")).unwrap();
    (meta.ctime(), meta.ctime_nsec())
}

#[tokio::test]
async fn if_modified_since_counts_without_if_none_match() {
    let site = Site::new(&[("a.css", "a{}"), ("b.css", "b{}")]);
    let first = site.get("/a.css").await;
    let date = first.header("last-modified");
    let again = site
        .get_with("/a.css", &[("if-modified-since", date)])
        .await;
    assert_eq!(
        (again.status, again.text(), again.header("last-modified")),
        (304, "", date)
    );
    for unknown in [
        "Sat, 01 Jan 2000 00:00:00 GMT",
        "Fri, 01 Jan 2100 00:00:00 GMT",
        "yesterday",
    ] {
        let since = [("if-modified-since", unknown)];
        assert_eq!(
            site.get_with("/a.css", &since).await.status,
            200,
            "{unknown}"
        );
    }
    // RFC 9110 13.1.3: if there is an entity tag, the date is ignored.
    let both = [("if-modified-since", date), ("if-none-match", "\"x\"")];
    assert_eq!(site.get_with("/a.css", &both).await.status, 200);
    // RFC 9110 13.1.5: a date is not a strong validator, so the whole file is sent.
    let part = [("range", "bytes=0-0"), ("if-range", date)];
    assert_eq!(site.get_with("/a.css", &part).await.status, 200);
}

#[tokio::test]
async fn last_modified_is_only_sent_when_its_second_is_over() {
    let mut site = Site::new(&[("a.css", "a{}")]);
    site.files.clock = SystemTime::now;
    let mut sent_young = false;
    for _ in 0..50 {
        site.write("a.css", "a{}");
        let written = SystemTime::now();
        let answer = site.get("/a.css").await;
        let young = written.elapsed().unwrap() < Duration::from_secs(1);
        sent_young |= young && !answer.header("last-modified").is_empty();
    }
    assert!(!sent_young);
}

/// Tools set modification times back, but what they write is new.
#[tokio::test]
async fn a_file_that_is_older_than_the_one_it_replaces_is_sent() {
    let site = Site::new(&[("a.css", "new{}")]);
    let file = std::fs::File::options()
        .write(true)
        .open(site.path("a.css"));
    let later = SystemTime::now() + Duration::from_secs(60);
    file.unwrap().set_modified(later).unwrap();
    let date = site.get("/a.css").await.header("last-modified").to_owned();
    site.write("b.css", "old{}");
    std::fs::rename(site.path("b.css"), site.path("a.css")).unwrap();
    let again = site
        .get_with("/a.css", &[("if-modified-since", &date)])
        .await;
    assert_eq!((again.status, again.text()), (200, "old{}"));
}

#[tokio::test]
async fn a_file_stored_compressed_has_a_content_encoding() {
    let site = Site::with(
        &[("a.tar.gz", "archive"), ("data.json.gz", "data")],
        |options| {
            options.compress = Compress::Always;
        },
    );
    let stored = b"\x1f\x8b not looked into ".repeat(100);
    for (name, content_type, coding) in [
        ("game.framework.js.gz", "text/javascript", "gzip"),
        ("game.wasm.br", "application/wasm", "br"),
        ("logo.svgz", "image/svg+xml", "gzip"),
    ] {
        site.write(name, &stored);
        for headers in [&[][..], &[("accept-encoding", "br, gzip")]] {
            let answer = site.get_with(&format!("/{name}"), headers).await;
            assert_eq!(answer.header("content-type"), content_type, "{name}");
            assert_eq!(answer.header("content-encoding"), coding, "{name}");
            assert!(answer.body == stored, "{name}: as it is on disk");
        }
    }
    for (target, content_type) in [
        ("/a.tar.gz", "application/gzip"),
        ("/data.json.gz", "application/gzip"),
    ] {
        let answer = site.get(target).await;
        assert_eq!(answer.header("content-type"), content_type);
        assert_eq!(answer.header("content-encoding"), "", "{target}");
    }
}

#[tokio::test]
async fn a_charset_is_only_sent_for_utf8() {
    let site = Site::new(&[]);
    let ascii = b"/* so it goes */ ".repeat(20_000);
    let sjis = b"\x93\xfa\x96\x7b".to_vec();
    for (name, content, charset) in [
        ("sjis.js", sjis.clone(), ""),
        ("utf8.js", "日本".into(), "; charset=utf-8"),
        ("late-sjis.js", [ascii.clone(), sjis].concat(), ""),
        (
            "late-utf8.js",
            [ascii, "日本".into()].concat(),
            "; charset=utf-8",
        ),
    ] {
        site.write(name, &content);
        let expected = format!("text/javascript{charset}");
        for headers in [&[][..], &[("range", "bytes=0-9")]] {
            let answer = site.get_with(&format!("/{name}"), headers).await;
            assert_eq!(
                answer.header("content-type"),
                expected,
                "{name} {headers:?}"
            );
        }
        assert!(site.get(&format!("/{name}")).await.body == content);
    }
}

#[tokio::test]
async fn a_young_file_never_gets_a_304() {
    let mut site = Site::new(&[("a.css", "a{}")]);
    site.files.clock = SystemTime::now;
    site.asks_both_ways = false;
    let mut confirmed_young = false;
    for _ in 0..50 {
        site.write("a.css", "a{}");
        let tag = site.get("/a.css").await.header("etag").to_owned();
        let again = site.get_with("/a.css", &[("if-none-match", &tag)]).await;
        confirmed_young |= tag.contains("-new") && again.status == 304;
    }
    assert!(!confirmed_young);
}

#[tokio::test]
async fn single_ranges_get_a_206() {
    let site = Site::new(&[("a.txt", "0123456789")]);
    for (range, part, content_range) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=0-99", "0123456789", "bytes 0-9/10"),
    ] {
        let answer = site.get_with("/a.txt", &[("range", range)]).await;
        assert_eq!(
            (answer.status, answer.text(), answer.header("content-range")),
            (206, part, content_range)
        );
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    }
    let answer = site.get_with("/a.txt", &[("range", "bytes=10-")]).await;
    assert_eq!(
        (answer.status, answer.header("content-range")),
        (416, "bytes */10")
    );
    let answer = site.get_with("/a.txt", &[("range", "bytes=0-1,3-4")]).await;
    assert_eq!((answer.status, answer.text()), (200, "0123456789"));
    assert_eq!(answer.header("accept-ranges"), "bytes");
}

#[tokio::test]
async fn a_range_of_another_version_gets_the_whole_file() {
    let site = Site::new(&[("a.txt", "0123456789")]);
    let tag = site.get("/a.txt").await.header("etag").to_owned();
    for (state, status) in [
        (tag.clone(), 206),
        (format!("W/{tag}"), 200),
        ("\"x\"".to_owned(), 200),
        ("Sat, 01 Jan 2000 00:00:00 GMT".to_owned(), 200),
    ] {
        let answer = site
            .get_with("/a.txt", &[("range", "bytes=1-2"), ("if-range", &state)])
            .await;
        assert_eq!(answer.status, status, "{state}");
    }
    // RFC 9110 13.2.2: `If-None-Match` comes first.
    let answer = site
        .get_with("/a.txt", &[("range", "bytes=1-2"), ("if-none-match", &tag)])
        .await;
    assert_eq!(answer.status, 304);
}

#[tokio::test]
async fn large_files_arrive_whole_and_in_part() {
    let site = Site::new(&[]);
    let content: Vec<u8> = (0..1_000_003u32).map(|at| (at % 251) as u8).collect();
    site.write("a.mp4", &content);
    assert!(site.get("/a.mp4").await.body == content);
    let answer = site
        .get_with("/a.mp4", &[("range", "bytes=70000-900000")])
        .await;
    assert!(answer.body == content[70_000..=900_000]);
    assert_eq!(answer.header("content-type"), "video/mp4");
    // The type is sniffed, and the file is still sent from the beginning.
    site.write("data", &content);
    assert!(site.get("/data").await.body == content);
}

#[tokio::test]
async fn text_is_compressed_for_other_machines() {
    let text = "So it goes. ".repeat(20_000);
    let mut site = Site::new(&[
        ("a.txt", &text),
        ("tiny.txt", "x"),
        ("a.png", &text),
        ("index.html", &text),
    ]);
    let all = [("accept-encoding", "gzip, br")];
    let local = site.get_with("/a.txt", &all).await;
    assert_eq!(
        (local.header("content-encoding"), local.header("vary")),
        ("", "Accept-Encoding")
    );
    site.peer = "192.168.1.7".parse().ok();
    let br = site.get_with("/a.txt", &all).await;
    assert_eq!(
        (br.header("content-encoding"), br.header("vary")),
        ("br", "Accept-Encoding")
    );
    assert!(br.body.len() < 2000 && br.header("accept-ranges").is_empty());
    let gzip = site
        .get_with("/a.txt", &[("accept-encoding", "gzip, br;q=0")])
        .await;
    assert_eq!(gzip.header("content-encoding"), "gzip");
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&*gzip.body)
        .read_to_string(&mut plain)
        .unwrap();
    assert!(plain == text);
    let tags: std::collections::HashSet<_> = [&local, &br, &gzip]
        .map(|answer| answer.header("etag"))
        .into();
    assert_eq!(tags.len(), 3);
    let again = site
        .get_with("/a.txt", &[all[0], ("if-none-match", br.header("etag"))])
        .await;
    assert_eq!(
        (again.status, again.header("vary")),
        (304, "Accept-Encoding")
    );
    for (target, headers) in [
        ("/tiny.txt", &all[..]),
        ("/a.png", &all),
        ("/a.txt", &[all[0], ("range", "bytes=0-5000")]),
        ("/a.txt", &[]),
    ] {
        assert_eq!(
            site.get_with(target, headers)
                .await
                .header("content-encoding"),
            "",
            "{target}"
        );
    }
    let page = site.get_with("/", &[all[0], NAVIGATION[0]]).await;
    let mut plain = String::new();
    brotli::Decompressor::new(&*page.body, 4096)
        .read_to_string(&mut plain)
        .unwrap();
    assert!(plain == format!("{SCRIPT}{text}"));
    assert!(page.header("etag").ends_with("-t1-br\""));
    assert_eq!(
        page.header("vary"),
        "Sec-Fetch-Dest, Sec-Fetch-Site, Accept, Accept-Encoding"
    );
}
