use super::*;
use http::Request;

fn guard() -> Guard {
    Guard::new([
        "Dev.Example:8000",
        ".tunnel.example",
        "mybox.local",
        "192.168.1.7",
        "bad name",
        "",
    ])
}

fn parts(target: &str, headers: &[(&'static str, &str)]) -> Parts {
    let mut request = Request::builder().uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn host(host: &str, expected: Option<u16>) {
    let result = guard().check(&parts("/", &[("host", host)]));
    assert_eq!(
        result.err().map(|refusal| refusal.status.as_u16()),
        expected,
        "{host}"
    );
}

#[test]
fn names_that_cannot_be_rebound_are_accepted() {
    for name in [
        "localhost",
        "LOCALHOST:8000",
        "localhost.",
        "app.localhost:1",
        "a.b.localhost",
        "127.0.0.1",
        "127.0.0.1:8000",
        "[::1]",
        "[::1]:8000",
        "192.168.1.7:8000",
        "0.0.0.0:8000",
        "[fe80::1]:80",
        "[::ffff:127.0.0.1]:",
        "8.8.8.8",
    ] {
        host(name, None);
    }
}

#[test]
fn allowed_names_are_accepted_and_similar_ones_are_not() {
    for name in [
        "dev.example",
        "DEV.example:99",
        "dev.example.:8000",
        "tunnel.example",
        "a.b.tunnel.example",
        "mybox.local",
    ] {
        host(name, None);
    }
    for name in [
        "evil.example",
        "example",
        "a.dev.example",
        "dev.example.evil.example",
        "eviltunnel.example",
        "localhost.evil.example",
        "evillocalhost",
        "127.0.0.1.evil.example",
        "127.1",
        "0x7f000001",
        "2130706433",
        "1.2.3.4.5",
        "mybox",
    ] {
        host(name, Some(403));
    }
}

#[test]
fn a_malformed_host_is_a_bad_request() {
    for name in [
        "",
        ":80",
        "a b",
        "localhost:80:80",
        "localhost:x",
        "localhost:+1",
        "localhost:99999",
        "user@localhost",
        "localhost/",
        "localhost#",
        "localhost@evil.example",
        "[::1",
        "::1",
        "[::1]x",
        "[localhost]",
        "[127.0.0.1]",
        "[fe80::1%25eth0]",
        "a..b",
        ".localhost",
        "evil.example,localhost",
        "<script>",
        "%6cocalhost",
        "localhost\t",
    ] {
        host(name, Some(400));
    }
}

fn status(target: &str, version: Version, headers: &[(&'static str, &str)]) -> Option<u16> {
    let mut parts = parts(target, headers);
    parts.version = version;
    guard()
        .check(&parts)
        .err()
        .map(|refusal| refusal.status.as_u16())
}

#[test]
fn exactly_one_host_is_required() {
    let ours = ("host", "localhost");
    assert_eq!(status("/", Version::HTTP_11, &[]), Some(400));
    assert_eq!(
        status("http://localhost/", Version::HTTP_11, &[]),
        Some(400)
    );
    assert_eq!(status("/", Version::HTTP_11, &[ours, ours]), Some(400));
    assert_eq!(status("/", Version::HTTP_10, &[]), None);
    assert_eq!(
        status("/", Version::HTTP_10, &[("host", "evil.example")]),
        Some(403)
    );
    assert_eq!(status("http://localhost/", Version::HTTP_2, &[]), None);
    assert_eq!(
        status("http://evil.example/", Version::HTTP_2, &[]),
        Some(403)
    );
    assert_eq!(status("/", Version::HTTP_2, &[]), Some(400));
}

#[test]
fn the_authority_of_an_absolute_target_is_checked_as_well() {
    let status = |target, host| status(target, Version::HTTP_11, &[("host", host)]);
    assert_eq!(status("http://localhost:8000/a", "localhost:8000"), None);
    assert_eq!(status("http://evil.example/a", "localhost"), Some(403));
    assert_eq!(status("http://localhost/a", "evil.example"), Some(403));
    assert_eq!(
        status("http://localhost@evil.example/a", "localhost"),
        Some(400)
    );
    assert_eq!(status("ftp://localhost/a", "localhost"), Some(400));
    let mut connect = parts("localhost:80", &[("host", "localhost")]);
    connect.method = Method::CONNECT;
    assert_eq!(guard().check(&connect).unwrap_err().status, 400);
}

#[test]
fn a_refusal_prints_the_flag_that_would_help_and_nothing_unchecked() {
    let refusal = guard()
        .check(&parts("/", &[("host", "Evil.Example:99")]))
        .unwrap_err();
    assert!(
        refusal.text.contains("--allow-host evil.example\n"),
        "{}",
        refusal.text
    );
    let malformed = guard()
        .check(&parts("/", &[("host", "<script>")]))
        .unwrap_err();
    assert!(!malformed.text.contains('<'));
}

#[test]
fn the_event_stream_is_for_our_own_pages() {
    let check = |headers: &[(&'static str, &str)], expected: bool| {
        let headers = [&[("host", "localhost:8000")], headers].concat();
        assert_eq!(
            same_origin_only(&parts("/", &headers)).is_ok(),
            expected,
            "{headers:?}"
        );
    };
    check(&[], true);
    check(&[("sec-fetch-site", "same-origin")], true);
    check(&[("sec-fetch-site", "none")], true);
    check(&[("sec-fetch-site", "same-site")], false);
    check(&[("sec-fetch-site", "cross-site")], false);
    check(&[("sec-fetch-site", "Same-Origin")], false);
    check(
        &[
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "cross-site"),
        ],
        false,
    );
    check(&[("origin", "http://localhost:8000")], true);
    check(&[("origin", "https://localhost:8000")], true);
    check(&[("origin", "http://localhost:8001")], false);
    check(&[("origin", "http://localhost")], false);
    check(&[("origin", "http://127.0.0.1:8000")], false);
    check(&[("origin", "http://evil.example")], false);
    check(&[("origin", "http://localhost:8000.evil.example")], false);
    check(&[("origin", "http://localhost:8000@evil.example")], false);
    check(&[("origin", "ftp://localhost:8000")], false);
    check(&[("origin", "null")], false);
    check(&[("origin", "")], false);
    check(
        &[("origin", "http://localhost:8000"), ("origin", "null")],
        false,
    );
    check(
        &[
            ("sec-fetch-site", "same-origin"),
            ("origin", "http://evil.example"),
        ],
        false,
    );
    check(
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://localhost:8000"),
        ],
        false,
    );
}

#[test]
fn default_ports_may_be_omitted_in_an_origin() {
    let check = |host: &str, origin: &str, expected: bool| {
        let parts = parts("/", &[("host", host), ("origin", origin)]);
        assert_eq!(
            same_origin_only(&parts).is_ok(),
            expected,
            "{host} {origin}"
        );
    };
    check("localhost", "http://localhost", true);
    check("localhost:80", "http://localhost", true);
    check("localhost", "http://localhost:80", true);
    check("a.tunnel.example", "https://a.tunnel.example", true);
    check("LOCALHOST", "http://localhost", true);
    check("[::1]:8000", "http://[::1]:8000", true);
    check("localhost:443", "http://localhost", false);
    check("localhost:80", "https://localhost", false);
}

#[test]
fn other_sites_may_link_but_not_embed() {
    let check = |site: &'static str, mode: &'static str, dest: &'static str, expected: bool| {
        let headers = [
            ("host", "localhost"),
            ("sec-fetch-site", site),
            ("sec-fetch-mode", mode),
            ("sec-fetch-dest", dest),
        ];
        assert_eq!(
            no_foreign_embedding(&parts("/", &headers)).is_ok(),
            expected,
            "{headers:?}"
        );
    };
    check("cross-site", "navigate", "document", true);
    check("cross-site", "navigate", "iframe", true);
    check("cross-site", "navigate", "object", false);
    check("cross-site", "navigate", "embed", false);
    check("cross-site", "no-cors", "script", false);
    check("cross-site", "no-cors", "image", false);
    check("cross-site", "cors", "empty", false);
    check("same-site", "no-cors", "script", true);
    check("same-origin", "cors", "empty", true);
    check("none", "navigate", "document", true);
    assert!(no_foreign_embedding(&parts("/", &[("host", "localhost")])).is_ok());
    assert!(no_foreign_embedding(&parts("/", &[("sec-fetch-site", "cross-site")])).is_err());
}

#[test]
fn only_the_exact_secret_name_is_admitted() {
    let frames = frames::FrameHost::default();
    let label = frames.label().to_owned();
    let check = |target: &str, host: &str, expected: bool| {
        let parts = parts(target, &[("host", host)]);
        assert_eq!(frames.admits(&parts).unwrap(), expected, "{target} {host}");
    };
    let name = format!("{label}.localhost");
    check("/", &name, true);
    check("/", &format!("{}:8000", name.to_uppercase()), true);
    check("/", &format!("{name}."), true);
    check("/", "localhost", false);
    check("/", &label, false);
    check("/", &format!("a.{name}"), false);
    check("/", &format!("{name}.evil.example"), false);
    check("/", &format!("{}.localhost", &label[1..]), false);
    check(&format!("http://{name}/"), &name, true);
    check("http://localhost/", &name, false);
    check(&format!("http://{name}/"), "localhost", false);
    assert_ne!(frames::FrameHost::default().label(), label);
}

#[test]
fn who_comes_through_a_tunnel_is_not_at_this_machine() {
    for (headers, expected) in [
        (&[][..], true),
        (&[("x-forwarded-for", "127.0.0.1")], true),
        (
            &[
                ("x-forwarded-for", "127.0.0.1, ::1"),
                ("forwarded", "for=127.0.0.1"),
            ],
            true,
        ),
        (&[("x-forwarded-for", "203.0.113.9")], false),
        // What a stranger has sent, and what the tunnel has appended.
        (&[("x-forwarded-for", "127.0.0.1, 203.0.113.9")], false),
        (
            &[
                ("x-forwarded-for", "127.0.0.1"),
                ("x-forwarded-for", "203.0.113.9"),
            ],
            false,
        ),
        (&[("x-forwarded-for", "unknown")], false),
        (&[("x-forwarded-for", "")], false),
        (&[("forwarded", "for=203.0.113.9")], false),
    ] {
        let parts = parts("/", headers);
        assert_eq!(
            is_from_this_machine(&parts.headers),
            expected,
            "{headers:?}"
        );
    }
}
