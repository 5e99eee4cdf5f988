//! `--lan`: who is answered, and who is not.

use std::io::{Read, Write};

use crate::curl::curl;
use crate::home::other_device;
use crate::{Folder, Home, Server};

fn page() -> Folder {
    Folder::new(&[("index.html", "<p>page")])
}

/// The printed address of this host, with its token.
fn address(server: &Server, host: &str) -> String {
    loop {
        let line = server.out.next().expect("the address is printed");
        if line.contains(host) && line.contains("?tidings=") {
            return line;
        }
    }
}

#[test]
fn another_device_needs_the_token_once_and_this_machine_does_not() {
    let Some(device) = other_device() else { return };
    let (home, folder) = (Home::new(), page());
    let server = home.serve(&folder, &["--lan"]);
    let port = server.port;
    assert_eq!(server.first, format!("http://localhost:{port}/"));
    assert_eq!(curl(&server.first, &[]).status, 200);
    let url = format!("http://{device}:{port}/");
    let address = address(&server, &device.to_string());
    for path in [
        "",
        "a.css",
        "server-sent-events",
        "@tidings/client.js",
        "@tidings/seen",
        "?tidings=",
        "?tidings=aaaaaaaaaaaaaaaaaaaaaaaa",
    ] {
        let got = curl(&format!("{url}{path}"), &[]);
        assert_eq!(
            (got.status, got.header("set-cookie")),
            (403, None),
            "{path}"
        );
        assert!(got.body.contains("<h1>Which device is this?"), "{got:?}");
    }
    let got = curl(&address, &[]);
    assert_eq!((got.status, got.header("location")), (303, Some("/")));
    let cookie = got.header("set-cookie").unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let with_cookie = ["--header", &format!("Cookie: {cookie}")];
    assert_eq!(curl(&url, &with_cookie).body, "<p>page");
    // A tunnel on this machine passes on requests of others.
    let tunnel = ["--header", "X-Forwarded-For: 203.0.113.9"];
    assert_eq!(curl(&server.first, &tunnel).status, 403);
    assert_eq!(
        curl(&server.first, &[&with_cookie[..], &tunnel].concat()).status,
        200
    );
    // What holds for everyone, holds with the token, too.
    let foreign = ["--header", "Origin: http://evil.example"];
    let stream = format!("{url}server-sent-events");
    let got = curl(&stream, &[&with_cookie[..], &foreign].concat());
    assert_eq!(got.status, 403);
}

#[test]
fn only_the_machines_own_names_and_addresses_are_answered() {
    let Some(device) = other_device() else { return };
    let (home, folder) = (Home::new(), page());
    let allowed = [
        "--lan",
        "--allow-host",
        "phone.test",
        "--allow-host",
        "10.9.8.7",
    ];
    let server = home.serve(&folder, &allowed);
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    let status = |at: &str, host: &str| {
        let header = format!("Host: {host}");
        let url = format!("http://{at}:{}/?x", server.port);
        let got = curl(&url, &["--header", &header]);
        let is_refused_host = got
            .body
            .starts_with("tidings refuses requests for the host name");
        (got.status, is_refused_host)
    };
    let device = device.to_string();
    for host in [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "10.9.8.7",
        "phone.test",
        &name,
        &format!("{name}.local"),
    ] {
        assert_eq!(status("127.0.0.1", host), (200, false), "{host}");
    }
    assert_eq!(
        status(&device, &device),
        (403, false),
        "the token is missing"
    );
    for host in ["203.0.113.9", "8.8.8.8:80", "[2001:db8::7]", "evil.example"] {
        for at in ["127.0.0.1", &device] {
            assert_eq!(status(at, host), (403, true), "{at} {host}");
        }
    }
    assert_eq!(status(&device, "127.0.0.1"), (403, true));
    assert_eq!(status("127.0.0.1", &device), (403, true));
}

#[test]
fn a_device_stays_admitted_after_a_restart_and_to_no_other_folder() {
    let Some(device) = other_device() else { return };
    let (home, folder, other) = (Home::new(), page(), page());
    let token = |folder: &Folder| {
        let server = home.serve(folder, &["--lan"]);
        let address = address(&server, &device.to_string());
        address.split_once("tidings=").unwrap().1.to_owned()
    };
    let first = token(&folder);
    assert_eq!(first.len(), 24);
    assert_eq!(token(&folder), first);
    assert_ne!(token(&other), first);
    let secret = |home: &Home| std::fs::read_to_string(home.data("lan-secret")).unwrap();
    let stranger = Home::new();
    stranger.serve(&folder, &["--lan"]);
    assert_ne!(secret(&stranger), secret(&home));
}

#[test]
fn a_secret_that_an_editor_has_touched_is_the_same_and_one_that_is_too_short_is_named() {
    let Some(device) = other_device() else { return };
    let (home, folder) = (Home::new(), page());
    let first = address(&home.serve(&folder, &["--lan"]), &device.to_string());
    let file = home.data("lan-secret");
    let secret = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, secret + "\n").unwrap();
    let again = address(&home.serve(&folder, &["--lan"]), &device.to_string());
    let token = |address: &str| address.split_once("tidings=").unwrap().1.to_owned();
    assert_eq!(token(&again), token(&first));
    std::fs::write(&file, "abc").unwrap();
    let ended = home.run(&["--lan", "--port", "0", folder.root().to_str().unwrap()]);
    assert_eq!(ended.code, Some(1));
    let expected = format!("{} is too short", file.display());
    assert!(ended.err.contains(&expected), "{ended:?}");
}

#[test]
fn programs_are_told_the_addresses_and_a_terminal_gets_a_qr_code() {
    let (home, folder) = (Home::new(), page());
    let server = home.serve(&folder, &["--lan", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&server.first).unwrap();
    assert_eq!(
        (&told["lan"], &told["exposed"]),
        (&true.into(), &true.into())
    );
    let server = home.serve(&folder, &["--lan"]);
    let mut has_code = false;
    while !has_code {
        has_code = server.out.next().unwrap().contains("▄▄▄▄▄");
    }
}

#[test]
fn a_backend_never_gets_the_token() {
    let Some(device) = other_device() else { return };
    let home = Home::new();
    let backend = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://{}", backend.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in backend.incoming() {
            let mut socket = socket.unwrap();
            let mut head = vec![0; 4096];
            let n = socket.read(&mut head).unwrap();
            let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
            let _ = socket.write_all(&[answer.as_bytes(), &head[..n]].concat());
        }
    });
    let mut command = home.tidings();
    let server = Server::run(command.args(["proxy", "--lan", "--port", "0", &to]));
    let address = address(&server, &device.to_string());
    let jar = home.path("cookies");
    let jar = jar.to_str().unwrap();
    let own = ["--header", "Cookie: session=1"];
    let got = curl(
        &address,
        &["--location", "--cookie-jar", jar, "--cookie", jar],
    );
    assert_eq!(got.status, 200);
    let token = address.split_once('=').unwrap().1;
    let cookie = format!("Cookie: a=1; tidings-lan-{}={token}; b=2", server.port);
    let url = format!("http://{device}:{}/", server.port);
    let again = curl(&url, &["--header", &cookie]);
    assert!(again.body.contains("a=1; b=2\r\n"), "{again:?}");
    let local = curl(
        &format!("http://localhost:{}/?tidings=x", server.port),
        &own,
    );
    assert!(local.body.contains("session=1"), "{local:?}");
    let posted = curl(
        &format!("http://localhost:{}/api?a&tidings={token}", server.port),
        &["--request", "POST"],
    );
    assert!(
        posted.body.contains("POST /api?a HTTP/1.1\r\n"),
        "{posted:?}"
    );
    for got in [got, again, posted] {
        assert!(!got.body.contains(token), "{got:?}");
    }
}
