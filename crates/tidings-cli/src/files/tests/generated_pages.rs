//! Listings, 404 pages, and the fallback to an app.

use super::*;

#[tokio::test]
async fn a_directory_without_an_index_is_listed() {
    let site = Site::new(&[
        ("d/page10.html", ""),
        ("d/page2.html", "xx"),
        ("d/zoo/x", ""),
        ("d/.env", ""),
        ("d/a.pem", ""),
        ("d/.git/config", ""),
        ("d/<img src=x onerror=alert(1)>", ""),
        ("d/a b&\"c'.txt", ""),
        ("d/javascript:alert(1)", ""),
    ]);
    let answer = site.navigate("/d/").await;
    let html = answer.text();
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    assert!(html.contains(&format!("<head>{SCRIPT}")));
    assert_eq!(site.calls(), ["listing /d/"]);
    let place = |text: &str| {
        html.find(text)
            .unwrap_or_else(|| panic!("{text} is not in {html}"))
    };
    assert!(place("href=\"zoo/\"") < place("href=\"page2.html\""));
    assert!(place("page2.html") < place("page10.html"));
    place("&lt;img src=x onerror=alert(1)&gt;");
    place("href=\"a%20b%26%22c%27.txt\">a b&amp;&quot;c&#39;.txt<");
    place("href=\"javascript%3Aalert%281%29\"");
    place("<a href=\"/d/\">d</a>");
    for hidden in [".env", "a.pem", ".git", "<img"] {
        assert!(!html.contains(hidden), "{hidden}");
    }
    assert!(!site.get("/d/").await.text().contains(SCRIPT));
}

#[tokio::test]
async fn every_listed_link_works() {
    let names = [
        "a b", "grüße", "a#b", "a?b", "100%", "it's", "\"q\"", "a&b", "<b>", "a:b", "日本", "a\\b",
        "a\nb",
    ];
    let site = Site::new(&names.map(|name| (name, name)));
    let page = site.navigate("/").await;
    let hrefs: Vec<_> = page
        .text()
        .split("<tr><td><a href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(hrefs.len(), names.len() - 2);
    for href in hrefs {
        site.status(&format!("/{href}"), 200).await;
    }
}

#[tokio::test]
async fn a_listing_can_be_switched_off() {
    let site = Site::with(&[("d/x", "")], |options| options.listing = false);
    site.status("/d/", 404).await;
    site.status("/d", 404).await;
    site.status("/", 404).await;
}

#[tokio::test]
async fn a_404_page_contains_the_script() {
    let site = Site::new(&[]);
    let answer = site
        .navigate(
            "/<script>%3Cscript%3E%22/x"
                .replace("<script>", "")
                .as_str(),
        )
        .await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains(&format!("<head>{SCRIPT}")));
    assert!(
        answer
            .text()
            .contains("<code>/&lt;script&gt;&quot;/x</code>")
    );
    assert!(!answer.header("content-security-policy").is_empty());
    assert_eq!(site.calls(), ["not found"]);
    let answer = site.get("/a%20b%1b%5b0m.js").await;
    assert_eq!(
        (answer.status, answer.text()),
        (404, "not found: /a b[0m.js\n")
    );
    // With the expected type, so that `nosniff` does not refuse the answer.
    assert_eq!(
        answer.header("content-type"),
        "text/javascript; charset=utf-8"
    );
    assert!(answer.header("etag").is_empty());
}

#[tokio::test]
async fn the_site_may_have_its_own_404_page() {
    let site = Site::new(&[("404.html", "<head>gone")]);
    let answer = site
        .get_with("/x", &[NAVIGATION[0], ("if-none-match", "*")])
        .await;
    assert_eq!(
        (answer.status, answer.text()),
        (404, &*format!("<head>{SCRIPT}gone"))
    );
    assert!(
        answer.header("etag").is_empty() && answer.header("content-security-policy").is_empty()
    );
    assert_eq!(site.calls(), ["not found", "served 404.html"]);
    assert_eq!(site.get("/x").await.text(), "not found: /x\n");
    assert_eq!(site.get("/404.html").await.status, 200);
}

#[tokio::test]
async fn an_app_is_served_for_navigations_to_missing_paths() {
    let site = Site::with(
        &[
            ("index.html", "<head>app"),
            ("real.html", "real"),
            ("assets/a.js", "1"),
        ],
        |options| {
            options.spa = Some("index.html".into());
        },
    );
    for target in [
        "/",
        "/users/7",
        "/users/7/",
        "/v1.2",
        "/assets",
        "/assets/",
        "/.env",
        "/%2e%2e",
        "/a%00",
    ] {
        let answer = site.navigate(target).await;
        assert_eq!(
            (answer.status, answer.text()),
            (200, &*format!("<head>{SCRIPT}app")),
            "{target}"
        );
        assert_eq!(site.calls()[0], "file /index.html");
    }
    assert!(site.navigate("/real").await.text().ends_with("real"));
    for headers in [
        &[][..],
        &[("sec-fetch-dest", "script")],
        &[("accept", "*/*")],
    ] {
        assert_eq!(site.get_with("/missing.js", headers).await.status, 404);
    }
    assert_eq!(site.navigate("/%zz").await.status, 400);
}

/// Our script sends this before it reloads. The response must not depend on `Sec-Fetch-Dest`, which browsers
/// send on this machine only.
#[tokio::test]
async fn head_of_a_route_is_the_same_on_this_machine_and_in_the_network() {
    let site = Site::with(&[("index.html", "app")], |options| {
        options.spa = Some("index.html".into());
    });
    let html = ("accept", "text/html");
    let here = [
        html,
        ("sec-fetch-dest", "empty"),
        ("sec-fetch-mode", "cors"),
    ];
    for headers in [&[html][..], &here] {
        assert_eq!(site.ask("HEAD", "/users/7", headers).await.status, 200);
    }
    // A deleted script is not a route.
    for headers in [&[][..], &here[1..], &[("accept", "*/*")]] {
        for method in ["HEAD", "GET"] {
            let answer = site.ask(method, "/app.js", headers).await;
            assert_eq!(answer.status, 404, "{method} {headers:?}");
        }
    }
}

#[tokio::test]
async fn an_app_whose_file_is_missing_is_missing() {
    let site = Site::with(&[], |options| options.spa = Some("app.html".into()));
    assert_eq!(site.navigate("/x").await.status, 404);
    site.write("app.html", "app");
    assert_eq!(site.navigate("/x").await.status, 200);
    assert_eq!(site.navigate("/").await.text(), format!("{SCRIPT}app"));
}

#[tokio::test]
async fn private_and_missing_files_get_the_same_response() {
    let site = Site::new(&[
        (".env", "secret"),
        ("a.key", "secret"),
        (".git/config", "secret"),
        (".well-known/x", "open"),
    ]);
    for (private, missing) in [
        ("/.env", "/.nix"),
        ("/a.key", "/b.key"),
        ("/.git/config", "/.gut/config"),
        ("/.git", "/.gut"),
        ("/.git/", "/.gut/"),
    ] {
        for headers in [&NAVIGATION[..], &[]] {
            let one = site.get_with(private, headers).await;
            let other = site.get_with(missing, headers).await;
            assert_eq!(one.status, 404);
            assert_eq!(one.headers, other.headers);
            assert_eq!(
                one.text().replace(private, ""),
                other.text().replace(missing, "")
            );
        }
    }
    site.body("/.well-known/x", "open").await;
}

#[tokio::test]
async fn missing_candidates_are_reported() {
    let site = Site::with(
        &[
            ("app.html", ""),
            ("d/x", ""),
            ("e.html", ""),
            ("f/index.htm", ""),
        ],
        |options| {
            options.spa = Some("app.html".into());
        },
    );
    for (target, navigation, missed) in [
        ("/a.css", false, &["a.css", "a.css.html"][..]),
        ("/route", true, &["route", "route.html"]),
        ("/d/", false, &["index.html", "index.htm"]),
        ("/e", true, &["e"]),
        ("/e.html", true, &[]),
        ("/f", true, &[]),
        ("/f/", true, &["index.html"]),
        ("/.env", false, &[]),
        ("/%2e%2e/a", false, &[]),
    ] {
        let headers = if navigation { &NAVIGATION[..] } else { &[] };
        site.get_with(target, headers).await;
        let calls = std::mem::take(&mut *site.pages.missing.lock().unwrap());
        assert_eq!(calls, missed, "{target}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_reported_under_the_requested_names() {
    let mut site = Site::new(&[("real/a.css", "")]);
    std::os::unix::fs::symlink("real", site.path("linked")).unwrap();
    let root = site.dir.path().join("link-to-root");
    std::os::unix::fs::symlink(site.path(""), &root).unwrap();
    site.files.options.root.clone_from(&root);
    site.get("/linked/a.css").await;
    assert_eq!(
        *site.pages.paths.lock().unwrap(),
        [root.join("linked/a.css")]
    );
}
