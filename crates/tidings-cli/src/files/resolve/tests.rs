use super::*;

fn check(target: &str, decoded: &str) {
    let parsed = parse_target(target).unwrap();
    assert_eq!(parsed.decoded(), decoded, "{target}");
}

fn refused(target: &str) {
    let parsed = parse_target(target);
    assert!(
        matches!(parsed, Err(BadTarget::Refused(_))),
        "{target}: {parsed:?}"
    );
}

fn malformed(target: &str) {
    let parsed = parse_target(target);
    assert!(
        matches!(parsed, Err(BadTarget::Malformed(_))),
        "{target}: {parsed:?}"
    );
}

#[test]
fn a_target_is_decoded_exactly_once() {
    check("/", "/");
    check("/a/b.html", "/a/b.html");
    check("/a/", "/a/");
    check("/a%20b", "/a b");
    check("/%2541", "/%41");
    check("/100%25", "/100%");
    check("/a%23b%3fc", "/a#b?c");
    check("/%22%26%3c%27", "/\"&<'");
    check("/gr%C3%BC%C3%9Fe", "/grüße");
    check("/grüße", "/grüße");
    check("/a..b/..c", "/a..b/..c");
    check("/...", "/...");
}

#[test]
fn dot_segments_are_refused_however_they_are_written() {
    for target in [
        "/..",
        "/../a",
        "/a/../b",
        "/%2e%2e/a",
        "/.%2E/a",
        "/a/%2e%2e",
        "/.",
        "/./a",
    ] {
        refused(target);
    }
}

#[test]
fn separators_and_control_characters_inside_a_name_are_refused() {
    for target in [
        "/a%2fb",
        "/a%2Fb",
        "/..%2f..%2fetc",
        "/a%5cb",
        "/a\\b",
        "/%5c%5cevil.example",
        "/a%00",
        "/a%00.html",
        "/a%0d%0aX-Evil:1",
        "/%7f",
    ] {
        refused(target);
    }
}

#[test]
fn targets_that_are_not_paths_are_malformed() {
    for target in [
        "",
        "*",
        "a",
        "evil.example:80",
        "http://evil.example/",
        "/%",
        "/%2",
        "/%zz",
        "/a%+1",
        "/..%2f/%",
        "/a#b",
    ] {
        malformed(target);
    }
}

#[test]
fn empty_segments_are_noticed_and_dropped() {
    for target in ["//", "//a", "/a//b", "/a//", "///evil.example//"] {
        let parsed = parse_target(target).unwrap();
        assert!(parsed.has_empty_segments(), "{target}");
        assert!(parsed.to_url().starts_with('/'), "{target}");
        assert!(!parsed.to_url().contains("//"), "{target}");
    }
    assert_eq!(
        parse_target("//evil.example/").unwrap().to_url(),
        "/evil.example/"
    );
}

#[test]
fn a_url_parses_back_to_the_same_path() {
    for target in [
        "/",
        "/a%20b/",
        "/%25%32%65",
        "/%22%3E%3Cscript%3E",
        "/javascript%3Aalert(1)",
        "/gr%C3%BC",
        "/a@b,c",
    ] {
        let parsed = parse_target(target).unwrap();
        assert_eq!(parse_target(&parsed.to_url()), Ok(parsed), "{target}");
    }
}

#[cfg(unix)]
#[test]
fn names_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let parsed = parse_target("/%ff%c0%ae").unwrap();
    assert_eq!(parsed.name().unwrap().as_bytes(), b"\xff\xc0\xae");
    assert_eq!(parsed.to_url(), "/%FF%C0%AE");
}

#[test]
fn a_plain_path_is_not_decoded() {
    let plain = |path| RelPath::plain(path).map(|path| path.decoded());
    assert_eq!(plain("index.html").as_deref(), Some("/index.html"));
    assert_eq!(
        plain("./app//100%25.html").as_deref(),
        Some("/app/100%25.html")
    );
    for path in ["", ".", "/", "../index.html", "a/../../b", "a\0"] {
        assert_eq!(plain(path), None, "{path}");
    }
}

#[test]
fn hidden_names_and_keys_are_private() {
    for name in [
        ".env",
        ".env.local",
        ".git",
        ".npmrc",
        ".",
        "..",
        ".a",
        "server.pem",
        "Server.PEM",
        "a.key",
        "x.p12",
        "x.pfx",
        "x.jks",
        "x.keystore",
        "prod.env",
        "id_rsa",
        "id_rsa.pub",
        "ID_RSA",
        "id_ed25519",
        "id_ecdsa_sk",
        "id_dsa",
    ] {
        assert!(is_private(OsStr::new(name)), "{name}");
    }
    for name in [
        ".well-known",
        "index.html",
        "key.html",
        "pem",
        "monkey",
        "env.js",
        "id.html",
        "a.pem.html",
    ] {
        assert!(!is_private(OsStr::new(name)), "{name}");
    }
}

#[test]
fn a_package_store_in_node_modules_may_be_linked_to() {
    let private = |path: &str| is_private_real(Path::new(path));
    assert!(!private(
        "node_modules/.pnpm/lit@3/node_modules/lit/index.js"
    ));
    assert!(private("node_modules/.pnpm"));
    assert!(private("node_modules/.pnpm/lit@3/.env"));
    assert!(private("node_modules/x/.pnpm/a.js"));
    assert!(private("src/.git/config"));
    assert!(private("a/server.key"));
}

proptest::proptest! {
    /// What comes out is safe to join, whatever went in.
    #[test]
    fn no_segment_ever_leaves_its_directory(target in "(/?(%2[eEfF]|%5c|%00|%c0%ae|%[0-9a-f]{2}|\\.|\\.\\.|[a-z]|/|\\\\|ü|:){0,6}){0,4}") {
        if let Ok(parsed) = parse_target(&target) {
            let joined = parsed.below(Path::new("/root"));
            proptest::prop_assert!(joined.starts_with("/root"));
            proptest::prop_assert_eq!(joined.components().count(), parsed.segments().len() + 2);
            proptest::prop_assert!(joined.components().skip(1).all(|c| matches!(c, Component::Normal(_))));
            proptest::prop_assert!(!parsed.to_url().starts_with("//"));
        }
    }

    #[test]
    fn any_string_is_read_without_panic(target in ".*") {
        let _ = parse_target(&target);
    }
}
