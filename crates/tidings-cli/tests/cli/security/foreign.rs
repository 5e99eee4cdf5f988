//! Pages of other sites, and names that are not ours.

use super::*;
use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

const PREFLIGHT: [&str; 3] = [
    "Origin: http://evil.example",
    "Access-Control-Request-Method: POST",
    "Access-Control-Request-Private-Network: true",
];

#[track_caller]
fn check_nothing_is_shared(port: u16, headers: &[&str]) {
    for path in FILES.iter().chain(&OURS) {
        for method in [method_for(path), "OPTIONS"] {
            let mut headers = headers.to_vec();
            headers.push("Content-Length: 0");
            let answer = ask(port, method, path, &headers);
            assert_ne!(answer.status, 0, "{method} {path}");
            let head = answer.head.join("\n").to_ascii_lowercase();
            assert!(!head.contains("access-control-"), "{method} {path}: {head}");
        }
    }
}

#[test]
fn esbuild_ghsa_67mh_4wv8_2f99_neither_files_nor_the_stream_are_shared_with_other_origins() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    check_nothing_is_shared(server.port, &[]);
    check_nothing_is_shared(server.port, &PREFLIGHT);
    for path in OURS {
        let answer = request(server.port, path, &["Origin: http://evil.example"]);
        assert_eq!(answer.status, 403, "{path}");
    }
}

#[test]
fn vscode_live_server_cve_2025_65717_a_foreign_host_reads_nothing_and_the_local_network_still_does()
{
    let folder = folder();
    let server = Server::start(&folder, &["--host", "0.0.0.0"]);
    let port = server.port;
    check_nothing_is_shared(port, &PREFLIGHT);
    for path in FILES.iter().chain(&OURS) {
        let answer = request(port, path, &["Host: evil.example"]);
        assert_eq!(answer.status, 403, "{path}");
        assert!(!answer.text().contains("SECRET"), "{path}");
    }
    // A phone: by an address, and without `Sec-Fetch-Site`, as plain http to another machine has none.
    let host = format!("Host: 192.168.1.7:{port}");
    let origin = format!("Origin: http://192.168.1.7:{port}");
    for path in ["/a.txt", SCRIPT, STREAM] {
        let answer = request(port, path, &[&host, &origin]);
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[test]
fn parcel_cve_2025_56648_another_site_neither_reads_nor_tells_anything() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    let port = server.port;
    check_nothing_is_shared(port, &PREFLIGHT);
    let foreign = [
        "Origin: https://evil.example",
        "Sec-Fetch-Site: cross-site",
        "Content-Type: text/plain",
    ];
    for path in OURS {
        for line in foreign.iter().take(2) {
            assert_eq!(request(port, path, &[line]).status, 403, "{path} {line}");
        }
    }
    let body = r#"{"do":"reload"}"#;
    assert_eq!(order(port, "POST", &foreign, body).status, 403);
}

#[test]
fn vite_cve_2025_24010_origin_and_token_and_host_are_all_checked() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    let port = server.port;
    for path in OURS {
        for line in [
            "Origin: http://evil.example",
            "Origin: null",
            "Host: evil.example",
        ] {
            assert_eq!(request(port, path, &[line]).status, 403, "{path} {line}");
        }
    }
    let token = format!("tidings-token: {}", token(port));
    let other = format!("tidings-token: {}", "0".repeat(32));
    let json = "Content-Type: application/json";
    let origin = format!("Origin: http://localhost:{port}");
    let body = r#"{"do":"reload"}"#;
    for (headers, status) in [
        (vec![json, &token, &origin], 204),
        (vec![json, &token], 204),
        (vec![json, &origin], 403),
        (vec![json, &other, &origin], 403),
        (vec![json, &token, "Origin: http://evil.example"], 403),
        (vec![json, &token, "Host: evil.example"], 403),
    ] {
        let answer = order(port, "POST", &headers, body);
        assert_eq!(answer.status, status, "{headers:?}");
    }
}

const WEBSOCKET: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

#[test]
fn webpack_dev_server_cve_2018_14732_no_other_page_opens_the_stream() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    for origin in [
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: file://",
    ] {
        let mut headers = vec![origin];
        assert_eq!(ask(server.port, "GET", STREAM, &headers).status, 403);
        headers.extend(WEBSOCKET);
        assert_eq!(ask(server.port, "GET", STREAM, &headers).status, 403);
    }
}

#[test]
fn webpack_dev_server_cve_2025_30360_that_an_origin_is_an_address_is_no_reason_to_trust_it() {
    let folder = folder();
    let server = Server::start(&folder, &["--host", "0.0.0.0"]);
    let port = server.port;
    for path in OURS {
        for origin in [
            format!("http://127.0.0.1:{port}"),
            format!("http://[::1]:{port}"),
            format!("http://0.0.0.0:{port}"),
            format!("http://192.168.1.7:{port}"),
            "http://localhost".to_owned(),
            "http://localhost:1".to_owned(),
        ] {
            let answer = request(port, path, &[&format!("Origin: {origin}")]);
            assert_eq!(answer.status, 403, "{path} {origin}");
        }
    }
}

#[test]
fn webpack_dev_server_cve_2025_30359_no_script_is_given_to_other_sites() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    let embedded = [
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Mode: no-cors",
        "Sec-Fetch-Dest: script",
        "Referer: https://evil.example/",
    ];
    for path in FILES.iter().chain(&OURS) {
        let answer = request(server.port, path, &embedded);
        assert!(!answer.text().contains("SECRET"), "{path}");
        if *path == SCRIPT {
            // For a sandboxed frame of ours, which looks the same: another script, without a secret.
            assert_ne!(answer.body, get(server.port, SCRIPT).body);
        } else {
            assert_eq!(answer.status, 403, "{path}");
        }
    }
}

/// A browser sends neither `Sec-Fetch-Site` nor `Origin` with what a page of plain http embeds from a server of
/// plain http in its network. Then it is the browser that withholds the answer, which must say so.
#[test]
fn next_js_cve_2025_48068_what_is_embedded_without_an_origin_is_withheld_too() {
    let folder = folder();
    let server = Server::start(&folder, &["--host", "0.0.0.0"]);
    let port = server.port;
    for path in FILES.iter().chain(&OURS) {
        for site in ["cross-site", "same-site"] {
            let headers = [
                &*format!("Sec-Fetch-Site: {site}"),
                "Sec-Fetch-Mode: no-cors",
                "Sec-Fetch-Dest: image",
            ];
            let answer = request(port, path, &headers);
            // Another port of the same host may use the files, and nothing else.
            let may = site == "same-site" && FILES.contains(path);
            assert_eq!(answer.status == 403, !may, "{path} {site}");
        }
        let answer = request(port, path, &["Referer: http://evil.example/"]);
        let policy = answer.header("cross-origin-resource-policy");
        assert!(
            matches!(policy, Some("same-origin" | "same-site")) || answer.status >= 400,
            "{path}: {:?}",
            answer.head
        );
    }
}

#[test]
fn next_js_cve_2026_44578_no_request_chooses_where_it_is_passed_to() {
    let decoy = TcpListener::bind("127.0.0.1:0").unwrap();
    decoy.set_nonblocking(true).unwrap();
    let target = decoy.local_addr().unwrap();
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    let route = format!("/api=http://{}", backend.local_addr().unwrap());
    let folder = folder();
    let server = Server::start(&folder, &["--proxy", &route]);
    let port = server.port;
    let hosts = [
        format!("Host: localhost:{port}"),
        format!("Host: {target}"),
        "Host: evil.example".to_owned(),
    ];
    for host in &hosts {
        for upgrade in [false, true] {
            for line in [
                format!("GET http://{target}/ HTTP/1.1"),
                format!("GET http://{target}/api/x HTTP/1.1"),
                format!("GET https://{target}/api/x HTTP/1.1"),
                format!("GET ftp://{target}/api/x HTTP/1.1"),
                format!("CONNECT {target} HTTP/1.1"),
            ] {
                let mut request = format!("{line}\r\n{host}\r\n");
                let headers = match upgrade {
                    true => &WEBSOCKET[..],
                    false => &["Connection: close"],
                };
                for header in headers {
                    request += &format!("{header}\r\n");
                }
                let answer = send(port, (request + "\r\n").as_bytes());
                // A target in absolute form is answered by ourselves (RFC 9112 3.2.2), if at all.
                let is_ours = answer.text().contains("<title>t</title>");
                assert!(
                    matches!(answer.status, 400 | 403 | 404) || is_ours,
                    "{line} {host}: {:?}",
                    answer.head
                );
            }
        }
    }
    // What is for the backend, by whatever it may look like, goes there and nowhere else.
    backend.set_nonblocking(false).unwrap();
    let passed = std::thread::spawn(move || {
        let (mut socket, _) = backend.accept().unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut bytes = [0; 4096];
        let count = socket.read(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    });
    let path = format!("/api/@{target}/");
    let forwarded = format!("X-Forwarded-Host: {target}");
    assert_eq!(ask(port, "GET", &path, &[&forwarded]).status, 502);
    assert!(passed.join().unwrap().starts_with(&format!("GET {path} ")));
    let taken = decoy.accept().map(|_| ());
    assert_eq!(
        taken.unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "the decoy was connected to"
    );
}

#[test]
fn socket_io_cve_2020_28481_there_is_no_other_transport_than_plain_server_sent_events() {
    let folder = folder();
    let server = Server::start(&folder, &[]);
    for path in [
        "/socket.io/?EIO=4&transport=polling",
        "/ws",
        "/livereload",
        "/sockjs/info",
    ] {
        assert_eq!(get(server.port, path).status, 404, "{path}");
    }
    for path in FILES.iter().chain(&OURS) {
        if *path == STREAM {
            continue;
        }
        let answer = ask(server.port, "GET", path, &WEBSOCKET);
        assert_ne!(answer.status, 101, "{path}");
        assert_ne!(answer.status, 0, "{path}");
    }
    let head = ask(server.port, "HEAD", STREAM, &WEBSOCKET);
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
}
