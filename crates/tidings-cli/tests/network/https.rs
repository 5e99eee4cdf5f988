//! `--https`: the certificates, both versions of HTTP, and plain HTTP on the same port.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use crate::curl::{Stream, curl, trusting};
use crate::support::program::PATIENCE;
use crate::{Folder, Home};

fn page() -> Folder {
    Folder::new(&[("index.html", "<p>page"), ("a.css", "")])
}

#[test]
fn whoever_trusts_the_authority_gets_the_page_over_both_versions_of_http() {
    let (home, folder) = (Home::new(), page());
    let server = home.serve(&folder, &["--https"]);
    let url = format!("https://localhost:{}/", server.port);
    assert_eq!(server.first, url);
    for (flag, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let got = trusting(&home.authority(), &url, &[flag]);
        assert_eq!(
            (got.status, &*got.version, &*got.body),
            (200, version, "<p>page")
        );
    }
    assert_eq!(curl(&url, &[]).exit, 60, "nobody else trusts it");
    for host in ["127.0.0.1", "[::1]", "app.localhost"] {
        let url = format!("https://{host}:{}/", server.port);
        let to = format!("app.localhost:{}:127.0.0.1", server.port);
        let got = trusting(&home.authority(), &url, &["--resolve", &to]);
        assert_eq!(got.status, 200, "{host}: {got:?}");
    }
}

#[test]
fn names_that_are_allowed_are_certified_and_spoil_no_others() {
    let (home, folder) = (Home::new(), page());
    let names = "dev.lan, .dev.test, x y.test,-.test";
    let server = home.serve(&folder, &["--https", "--allow-host", names]);
    for host in ["localhost", "dev.lan", "dev.test", "b.a.dev.test"] {
        let url = format!("https://{host}:{}/", server.port);
        let to = format!("{host}:{}:127.0.0.1", server.port);
        let got = trusting(&home.authority(), &url, &["--resolve", &to]);
        assert_eq!(got.status, 200, "{host}: {got:?}");
    }
}

#[test]
fn the_authority_stays_the_same_and_its_key_is_private() {
    let (home, folder) = (Home::new(), page());
    home.serve(&folder, &["--https"]).stop();
    let first = fs::read(home.authority()).unwrap();
    let key = home.data("authority.json");
    let mode = fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    home.serve(&folder, &["--https"]).stop();
    assert_eq!(fs::read(home.authority()).unwrap(), first);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let ended = home.run(&["--https", "--port", "0", folder.root().to_str().unwrap()]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.err.starts_with("error: other users can read "),
        "{ended:?}"
    );
}

#[test]
fn plain_http_is_redirected_but_not_for_foreign_names_and_not_for_ever() {
    let (home, folder) = (Home::new(), page());
    let server = home.serve(&folder, &["--https"]);
    let port = server.port;
    let got = curl(&format!("http://localhost:{port}/a//b?c=%2F"), &[]);
    let location = format!("https://localhost:{port}/a//b?c=%2F");
    assert_eq!(
        (got.status, got.header("location")),
        (307, Some(&*location))
    );
    assert_eq!(got.header("cache-control"), Some("no-store"));
    assert_eq!(got.header("strict-transport-security"), None);
    let bare = curl(
        &format!("http://127.0.0.1:{port}/"),
        &["--header", "Host: localhost"],
    );
    let location = format!("https://localhost:{port}/");
    assert_eq!(bare.header("location"), Some(&*location));
    let foreign = curl(
        &format!("http://127.0.0.1:{port}/"),
        &["--header", "Host: evil.example"],
    );
    assert_eq!((foreign.status, foreign.header("location")), (403, None));
    let authority = home.authority();
    let followed = trusting(
        &authority,
        &format!("http://localhost:{port}/"),
        &["--location"],
    );
    assert_eq!(followed.body, "<p>page");
}

#[test]
fn a_host_that_is_not_ours_is_refused_over_https_too() {
    let (home, folder) = (Home::new(), page());
    let server = home.serve(&folder, &["--https"]);
    let url = format!("https://localhost:{}/", server.port);
    for flag in ["--http2", "--http1.1"] {
        let got = trusting(
            &home.authority(),
            &url,
            &[flag, "--header", "Host: evil.example"],
        );
        assert_eq!(got.status, 403, "{flag}");
        let foreign = ["--header", "Origin: https://evil.example"];
        let stream = format!("{url}server-sent-events");
        let got = trusting(
            &home.authority(),
            &stream,
            &[&[flag][..], &foreign].concat(),
        );
        assert_eq!(got.status, 403, "{flag}");
    }
}

#[test]
fn a_stream_tells_of_changes_over_both_versions_and_ends_with_the_server() {
    let (home, folder) = (Home::new(), page());
    let server = home.serve(&folder, &["--https"]);
    let url = format!("https://localhost:{}/server-sent-events", server.port);
    let authority = home.authority();
    let streams = ["--http2", "--http1.1"]
        .map(|version| Stream::open(&url, &[version, "--cacert", authority.to_str().unwrap()]));
    streams.iter().for_each(|stream| stream.until("timestamp"));
    folder.save("a.css", "b {}");
    streams.iter().for_each(|stream| stream.until("/a.css"));
    server.stop();
    for stream in streams {
        assert!(stream.ended(), "the end of a body, not of a connection");
    }
}

#[test]
fn what_is_no_handshake_ends_its_connection_and_nothing_else() {
    let (home, folder) = (Home::new(), page());
    let server = home.serve(&folder, &["--https"]);
    for bytes in [
        &[22, 3, 1, 0, 2, 1, 1][..],
        &[22],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0",
    ] {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(bytes).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        // Whatever it is that is answered, it comes to an end.
        let _ = socket.read_to_end(&mut Vec::new());
    }
    let url = format!("https://localhost:{}/", server.port);
    assert_eq!(trusting(&home.authority(), &url, &[]).status, 200);
}

#[test]
fn a_backend_is_told_that_the_browser_uses_https() {
    let home = Home::new();
    let backend = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = backend.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in backend.incoming() {
            let mut socket = socket.unwrap();
            let mut head = String::new();
            while !head.contains("\r\n\r\n") {
                let mut byte = [0];
                if socket.read(&mut byte).unwrap() == 0 {
                    break;
                }
                head.push(byte[0].into());
            }
            let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
            let _ = socket.write_all(format!("{answer}{head}").as_bytes());
        }
    });
    let mut command = home.tidings();
    command.args(["proxy", "--https", "--port", "0"]);
    let server = crate::Server::run(command.arg(format!("http://{address}")));
    let url = format!("https://localhost:{}/x", server.port);
    for flag in ["--http2", "--http1.1"] {
        let cookies = ["--header", "Cookie: a=1", "--header", "Cookie: b=2"];
        let got = trusting(&home.authority(), &url, &[&[flag][..], &cookies].concat());
        let head = got.body.to_lowercase();
        assert!(head.starts_with("get /x http/1.1\r\n"), "{head}");
        assert!(head.contains("x-forwarded-proto: https\r\n"), "{head}");
        // RFC 9113 8.2.3: several of HTTP/2 are one of HTTP/1.1.
        assert!(head.contains("cookie: a=1; b=2\r\n"), "{head}");
        let host = format!("\nhost: localhost:{}\r\n", server.port);
        assert!(head.contains(&host), "{head}");
    }
}
