//! The ways to a backend: Unix sockets, `localhost` on IPv6 only, TLS, HTTP/2.

use std::convert::Infallible;
use std::net::{Ipv6Addr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use crate::support::program::{PATIENCE, Server, tidings};
use crate::{Backend, Client, proxy_to};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Tells when it is dropped.
struct Told(mpsc::Sender<()>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// Says how it was asked, and sends the body back with a trailer. `/silent` is never answered; that it was
/// cancelled is told.
async fn answer(
    request: Request<Incoming>,
    cancelled: mpsc::Sender<()>,
) -> Result<Response<Body>, Infallible> {
    if request.uri().path() == "/silent" {
        let _told = Told(cancelled.clone());
        let _ = cancelled.send(());
        std::future::pending::<()>().await;
    }
    let version = match request.version() {
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    let host = request.headers().get("host");
    let host = host.map(|host| host.to_str().unwrap().to_owned());
    let host = host.or(request.uri().authority().map(ToString::to_string));
    let cookies = request.headers().get_all("cookie").iter().count();
    let builder = Response::builder()
        .header("x-version", version)
        .header("x-host", host.unwrap_or_default())
        .header("x-path", request.uri().path())
        .header("x-cookies", cookies)
        .header("trailer", "x-sum");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", body.len().into());
    let body = Full::new(body).with_trailers(async move { Some(Ok(trailers)) });
    Ok(builder.body(body.boxed_unsync()).unwrap())
}

async fn serve(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    is_h2: bool,
    cancelled: mpsc::Sender<()>,
) {
    let io = TokioIo::new(io);
    let answer = |request| answer(request, cancelled.clone());
    // An error means that the client has left.
    let _ = match is_h2 {
        true => {
            http2::Builder::new(TokioExecutor::new())
                .serve_connection(io, service_fn(answer))
                .await
        }
        false => {
            http1::Builder::new()
                .serve_connection(io, service_fn(answer))
                .await
        }
    };
}

/// A backend that hyper serves. It lives as long as its runtime.
struct Hyper {
    port: u16,
    /// Told when a silent request has come, and when it is cancelled.
    silent: mpsc::Receiver<()>,
    _runtime: Runtime,
}

impl Hyper {
    /// HTTP/2 without TLS.
    fn h2c() -> Hyper {
        Hyper::start(None)
    }

    /// TLS with a certificate of its own, and these protocols.
    fn tls(protocols: &[&str]) -> Hyper {
        let names = vec!["localhost".to_owned()];
        let own = rcgen::generate_simple_self_signed(names).unwrap();
        let key = own.signing_key.serialize_der().try_into().unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut config = builder
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Hyper::start(Some(TlsAcceptor::from(Arc::new(config))))
    }

    fn start(tls: Option<TlsAcceptor>) -> Hyper {
        let runtime = Runtime::new().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0");
        let listener = runtime.block_on(listener).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, silent) = mpsc::channel();
        runtime.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (tls, told) = (tls.clone(), told.clone());
                tokio::spawn(async move {
                    let Some(tls) = tls else {
                        return serve(tcp, true, told).await;
                    };
                    if let Ok(io) = tls.accept(tcp).await {
                        let is_h2 = io.get_ref().1.alpn_protocol() == Some(b"h2");
                        serve(io, is_h2, told).await;
                    }
                });
            }
        });
        Hyper {
            port,
            silent,
            _runtime: runtime,
        }
    }
}

/// Sends a body through, and checks that all of it came back.
#[track_caller]
fn check_echo(server: &Server, version: &str) {
    for _ in 0..3 {
        let mut client = Client::connect(server.port);
        let headers = [
            "Content-Length: 5",
            "TE: trailers",
            "Connection: te",
            "Cookie: a=1; b=2",
        ];
        client.ask("POST", "/a%2Fb/c", &headers);
        client.wire.send("hello");
        let head = client.wire.head();
        assert_eq!(head.status(), 200, "{head:?}");
        assert_eq!(head.get("x-version"), Some(version));
        let host = format!("localhost:{}", server.port);
        assert_eq!(head.get("x-host"), Some(&*host));
        assert_eq!(head.get("x-path"), Some("/a%2Fb/c"));
        assert_eq!(client.wire.body(&head).text(), "hello");
        // In HTTP/1.1, hyper sends the length instead.
        if version == "2" {
            assert_eq!(client.wire.trailers(), ["x-sum: 5"]);
        }
    }
}

#[test]
fn http_2_with_prior_knowledge() {
    let backend = Hyper::h2c();
    let server = proxy_to(&format!("h2c://localhost:{}", backend.port), &[]);
    check_echo(&server, "2");
    let server = proxy_to(
        &format!("h2c://localhost:{}", backend.port),
        &["--change-host"],
    );
    let (head, _) = Client::get(server.port, "/", &[]);
    let host = format!("localhost:{}", backend.port);
    assert_eq!(head.get("x-host"), Some(&*host));
}

#[test]
fn tls_chooses_the_version_of_http() {
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], "2"),
        (&["http/1.1"], "1.1"),
        (&[], "1.1"),
    ] {
        let backend = Hyper::tls(protocols);
        let url = format!("https://localhost:{}", backend.port);
        let server = proxy_to(&url, &["--insecure"]);
        check_echo(&server, version);
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_refused_with_a_hint() {
    let backend = Hyper::tls(&["http/1.1"]);
    let url = format!("https://localhost:{}", backend.port);
    let server = proxy_to(&url, &[]);
    let (head, body) = Client::get(server.port, "/", &["Sec-Fetch-Dest: document"]);
    assert_eq!(head.status(), 502);
    let page = body.text();
    assert!(page.contains("is not trusted"), "{page}");
    assert!(page.contains("--insecure"), "{page}");
}

#[test]
fn plain_http_in_place_of_tls_is_told() {
    let backend = Backend::start(|mut conn| {
        conn.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        conn.rest();
    });
    let url = format!("https://localhost:{}", backend.port());
    let server = proxy_to(&url, &["--insecure"]);
    let (head, body) = Client::get(server.port, "/", &[]);
    assert_eq!(head.status(), 502);
    let text = body.text();
    assert!(text.starts_with("No TLS connection to https://"), "{text}");
}

#[test]
fn a_backend_on_ipv6_only_is_found_as_localhost() {
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    };
    let backend = Backend::on(listener, |mut conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    for url in ["http://localhost:", "http://[::1]:", ":", ""] {
        let server = proxy_to(&format!("{url}{}", backend.port()), &[]);
        assert_eq!(Client::get(server.port, "/", &[]).0.status(), 200, "{url}");
    }
}

#[test]
fn a_backend_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for mut socket in listener.incoming().map_while(Result::ok) {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if socket.read_exact(&mut byte).is_err() {
                    break;
                }
                head.push(byte[0]);
            }
            let line = String::from_utf8_lossy(&head);
            let line = line.lines().next().unwrap_or_default();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{line}",
                line.len()
            );
            let _ = socket.write_all(answer.as_bytes());
        }
    });
    let path = path.to_str().unwrap();
    for (url, expected) in [
        (format!("unix:{path}"), "GET /x HTTP/1.1"),
        (format!("unix:{path}:/base/"), "GET /base/x HTTP/1.1"),
    ] {
        let server = Server::run(tidings().args(["proxy", &url, "--port", "0"]));
        let (_, body) = Client::get(server.port, "/x", &[]);
        assert_eq!(body.text(), expected, "{url}");
    }
    let missing = proxy_to(&format!("unix:{path}.not"), &["--start-timeout", "0"]);
    let (head, body) = Client::get(missing.port, "/", &[]);
    assert_eq!(head.status(), 502);
    assert!(body.text().contains("there is no such socket"));
}

#[test]
fn a_silent_request_over_http_2_is_cancelled_alone_when_its_client_leaves() {
    let backend = Hyper::h2c();
    let server = proxy_to(&format!("h2c://localhost:{}", backend.port), &[]);
    let open = || {
        let mut client = Client::connect(server.port);
        client.ask("GET", "/silent", &[]);
        backend.silent.recv_timeout(PATIENCE).unwrap();
        client
    };
    let (left, other) = (open(), open());
    drop(left);
    backend.silent.recv_timeout(PATIENCE).unwrap();
    check_echo(&server, "2");
    assert!(backend.silent.try_recv().is_err(), "the other one goes on");
    drop(other);
    backend.silent.recv_timeout(PATIENCE).unwrap();
}
