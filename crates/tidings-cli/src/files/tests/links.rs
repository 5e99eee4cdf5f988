//! What is said about links that are not served.

use super::*;

use std::os::unix::fs::symlink;

/// The paragraph of the 404 page that says why.
async fn reason(site: &Site, target: &str) -> String {
    let answer = site.navigate(target).await;
    assert_eq!(answer.status, 404, "{target}");
    let (_, reason) = answer.text().rsplit_once("<p class=\"dim\">").unwrap();
    reason.split_once("</p>").unwrap().0.to_owned()
}

const PLAIN: &str = "There is no such file yet. This page reloads when there is.";

fn outside(link: &str) -> String {
    format!(
        "The link <code>{link}</code> leads out of the folder that is served. To serve what it leads to, \
         start tidings with <code>--follow-symlinks</code>."
    )
}

#[tokio::test]
async fn a_link_out_of_the_folder_is_named_with_the_flag_that_serves_it() {
    let site = Site::new(&[("d/x", ""), ("in/y", "")]);
    std::fs::create_dir(site.dir.path().join("target-name")).unwrap();
    std::fs::write(site.dir.path().join("target-name/a.html"), "").unwrap();
    symlink("../target-name", site.path("out")).unwrap();
    symlink("../../target-name/a.html", site.path("d/page.html")).unwrap();
    symlink("d", site.path("again")).unwrap();
    symlink("in", site.path("<b>")).unwrap();
    symlink("../../target-name", site.path("in/&")).unwrap();
    for (target, link) in [
        ("/out/a.html", "/out"),
        ("/out", "/out"),
        ("/out/", "/out"),
        // The answer is the same whether there is such a file outside, or none.
        ("/out/nothing", "/out"),
        ("/d/page", "/d/page.html"),
        ("/again/page.html", "/again/page.html"),
        ("/%3Cb%3E/&/a.html", "/&lt;b&gt;/&amp;"),
    ] {
        site.told();
        assert_eq!(reason(&site, target).await, outside(link), "{target}");
        let told = format!("Outside {}", link.replace("&lt;b&gt;/&amp;", "<b>/&"));
        assert_eq!(site.told(), ["not found", &told]);
    }
    let text = site.get("/out/a.html").await;
    assert_eq!(text.text(), "not found: /out/a.html\n");
    assert_eq!(site.told(), ["Outside /out"]);
    let page = site.navigate("/out/a.html").await;
    assert!(!page.text().contains("target-name"));
}

#[tokio::test]
async fn what_a_link_leads_to_outside_is_not_looked_for() {
    let site = Site::new(&[]);
    symlink("../build/../build/app.js", site.path("app.js")).unwrap();
    symlink("../there", site.path("there.js")).unwrap();
    std::fs::write(site.dir.path().join("there"), "").unwrap();
    for target in ["/app.js", "/there.js"] {
        assert_eq!(reason(&site, target).await, outside(target));
    }
}

#[tokio::test]
async fn a_link_to_nothing_says_so_and_that_the_page_reloads() {
    let mut site = Site::new(&[("real/x", "")]);
    symlink("build/app.html", site.path("app.html")).unwrap();
    symlink("real/none", site.path("first")).unwrap();
    symlink("first", site.path("second")).unwrap();
    let dangling = |link: &str| {
        format!(
            "The link <code>{link}</code> leads to a file that is not there (yet). \
             This page reloads when it is."
        )
    };
    assert_eq!(reason(&site, "/app").await, dangling("/app.html"));
    assert_eq!(reason(&site, "/second/a.js").await, dangling("/second"));
    assert_eq!(site.told()[1], "Dangling /app.html");
    // Outside as well, where links are followed.
    symlink("../nothing", site.path("out")).unwrap();
    site.files.options.follow_symlinks = true;
    assert_eq!(reason(&site, "/out").await, dangling("/out"));
    site.write("build/app.html", "built");
    assert_eq!(site.navigate("/app").await.status, 200);
}

#[tokio::test]
async fn a_link_that_leads_to_itself_says_so() {
    let site = Site::new(&[]);
    symlink("b", site.path("a")).unwrap();
    symlink("a", site.path("b")).unwrap();
    let expected = "The link <code>/a</code> leads to itself.";
    assert_eq!(reason(&site, "/a/x").await, expected);
}

#[tokio::test]
async fn a_link_to_a_private_file_is_answered_like_a_missing_one() {
    let mut site = Site::new(&[(".env", "secret"), (".git/config", "secret"), ("key", "")]);
    let outside = site.dir.path().join("id_rsa");
    std::fs::write(&outside, "secret").unwrap();
    for (link, target) in [
        ("env.txt", ".env"),
        ("no-env.txt", ".no-env"),
        ("git", ".git"),
        ("no-git", ".no-git"),
        ("rsa", "../id_rsa"),
    ] {
        symlink(target, site.path(link)).unwrap();
    }
    for follow in [false, true] {
        site.files.options.follow_symlinks = follow;
        for target in [
            "/env.txt",
            "/no-env.txt",
            "/git/config",
            "/git",
            "/no-git/",
            "/rsa",
            "/nothing",
            "/.env",
            "/key/.env",
        ] {
            assert_eq!(reason(&site, target).await, PLAIN, "{target}");
        }
    }
    // The terminal is told, and only of what was asked for by a name that is not private.
    let told = site.told();
    assert!(told.contains(&"Private /env.txt".to_owned()), "{told:?}");
    assert!(!told.iter().any(|told| told.contains("/.env")), "{told:?}");
}

#[tokio::test]
async fn other_machines_and_other_sites_get_the_plain_page() {
    let mut site = Site::new(&[]);
    symlink("../secret", site.path("out")).unwrap();
    for (from, expected) in [
        ("none", &*outside("/out")),
        ("same-origin", &outside("/out")),
        ("same-site", PLAIN),
        ("cross-site", PLAIN),
    ] {
        let [dest, mode] = NAVIGATION;
        let headers = [dest, mode, ("sec-fetch-site", from)];
        let page = site.get_with("/out", &headers).await;
        assert!(page.text().contains(expected), "{from}");
    }
    for peer in ["192.0.2.1", "2001:db8::1"] {
        site.peer = peer.parse().ok();
        assert_eq!(reason(&site, "/out").await, PLAIN);
    }
    site.peer = "::ffff:127.0.0.1".parse().ok();
    assert_eq!(reason(&site, "/out").await, outside("/out"));
}

#[tokio::test]
async fn a_route_of_an_app_names_the_link_that_the_app_is() {
    let site = Site::with(&[], |options| options.spa = Some("app.html".into()));
    symlink("../app.html", site.path("app.html")).unwrap();
    assert_eq!(reason(&site, "/users/7").await, outside("/app.html"));
    assert_eq!(reason(&site, "/.env").await, outside("/app.html"));
}

#[tokio::test]
async fn a_listing_that_a_link_stands_behind_is_reported() {
    let site = Site::new(&[("d/x", "")]);
    symlink("../../index.html", site.path("d/index.html")).unwrap();
    assert_eq!(site.navigate("/d/").await.status, 200);
    assert_eq!(site.told(), ["listing /d/", "Outside /d/index.html"]);
}
