//! Hot reloading as a layer, under axum and under hyper alone.
#![cfg(feature = "reload")]
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]

mod support;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Html;
use axum::routing::get;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use support::{Client, LONG, Listener, wait_until};
use tidings::reload::Reload;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const NAVIGATION: &str = "Host: localhost\nSec-Fetch-Dest: document\nSec-Fetch-Mode: navigate";

async fn serve(app: Router) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(listener, app).with_graceful_shutdown(async move {
        let _ = stopped.await;
    });
    let serving = tokio::spawn(async move { serving.await.unwrap() });
    (address, stop, serving)
}

/// The head and the body of one response.
async fn answer(address: SocketAddr, request: &str) -> (Vec<String>, String) {
    let mut client = Client::send(address, &format!("{request}\nConnection: close")).await;
    let mut head = client.head().await;
    head.iter_mut().skip(1).for_each(|line| {
        let (name, value) = line.split_once(':').unwrap();
        *line = format!("{}:{value}", name.to_ascii_lowercase());
    });
    let is_chunked = head.contains(&"transfer-encoding: chunked".to_owned());
    let body = match is_chunked && !request.starts_with("HEAD ") {
        true => client.chunks_to_the_end().await,
        false => client.rest_until_closed().await,
    };
    (head, String::from_utf8(body).unwrap())
}

async fn page(address: SocketAddr, path: &str) -> (Vec<String>, String) {
    answer(address, &format!("GET {path} HTTP/1.1\n{NAVIGATION}")).await
}

fn has_script(text: &str) -> bool {
    text.contains(r#"<script src="/@tidings/client.js?"#)
}

/// An app that answers in every way that matters.
fn app() -> Router {
    let plain = async || "plain";
    Router::new()
        .route("/", get(async || Html("<!doctype html><p>hello")))
        .route(
            "/data",
            get(async || ([(CONTENT_TYPE, "application/json")], "{}")),
        )
        .route("/plain", get(plain))
        .route(
            "/echo",
            get(async |headers: HeaderMap| Html(format!("{headers:?}"))),
        )
        .route(
            "/fails",
            get(async || (StatusCode::INTERNAL_SERVER_ERROR, "it is <broken>")),
        )
        .route("/empty", get(async || StatusCode::BAD_GATEWAY))
        .route("/panics", get(panics))
}

async fn panics() -> &'static str {
    panic!("at {}", "the <door>")
}

#[tokio::test]
async fn a_navigation_gets_the_script_and_nothing_else_is_changed() {
    let (plain, _stop, _) = serve(app()).await;
    let (address, _stop, _) = serve(app().layer(Reload::new().layer())).await;
    let (head, text) = page(address, "/").await;
    assert!(
        text.starts_with("<!doctype html><script src=") && text.ends_with("<p>hello"),
        "{text}"
    );
    assert!(
        head.contains(&"cache-control: no-cache".to_owned()),
        "{head:?}"
    );
    assert!(
        !head.iter().any(|line| line.starts_with("content-length")),
        "{head:?}"
    );
    let fetch = "Host: localhost\nSec-Fetch-Dest: empty\nSec-Fetch-Mode: cors";
    for path in ["/", "/data", "/plain", "/fails", "/none", "/empty"] {
        let request = format!("GET {path} HTTP/1.1\n{fetch}");
        assert_eq!(
            answer(address, &request).await,
            answer(plain, &request).await,
            "{path}"
        );
    }
    for path in ["/data", "/plain"] {
        assert_eq!(page(address, path).await, page(plain, path).await, "{path}");
    }
}

#[tokio::test]
async fn it_does_nothing_where_it_is_off() {
    let (plain, _stop, _) = serve(app()).await;
    let off = Reload::when(false).watch(["/nowhere/at/all"]).unwrap();
    let (address, _stop, _) = serve(app().layer(off.layer())).await;
    for path in [
        "/",
        "/fails",
        "/none",
        "/echo",
        "/@tidings/client.js",
        "/@tidings/events",
    ] {
        assert_eq!(page(address, path).await, page(plain, path).await, "{path}");
    }
    off.reload_pages();
    off.close().await;
}

#[tokio::test]
async fn the_app_is_asked_for_the_whole_page_as_it_is() {
    let (address, _stop, _) = serve(app().layer(Reload::new().layer())).await;
    let request = format!(
        "GET /echo HTTP/1.1\n{NAVIGATION}\nRange: bytes=0-3\nIf-None-Match: x\nAccept-Encoding: gzip"
    );
    let (_, text) = answer(address, &request).await;
    assert!(has_script(&text), "{text}");
    for gone in ["range", "if-none-match", "gzip"] {
        assert!(!text.contains(gone), "{text}");
    }
}

#[tokio::test]
async fn of_two_layers_the_outer_one_injects() {
    let twice = app()
        .layer(Reload::new().prefix("inner").layer())
        .layer(Reload::new().layer());
    let (address, _stop, _) = serve(twice).await;
    let (_, text) = page(address, "/").await;
    assert_eq!(text.matches("<script").count(), 1, "{text}");
    assert!(has_script(&text), "{text}");
}

#[tokio::test]
async fn errors_become_pages_that_carry_the_script() {
    let (address, _stop, _) = serve(app().layer(Reload::new().layer())).await;
    for (path, status, text) in [
        ("/none", "404 Not Found", ""),
        ("/empty", "502 Bad Gateway", ""),
        (
            "/fails",
            "500 Internal Server Error",
            "it is &lt;broken&gt;",
        ),
        (
            "/panics",
            "500 Internal Server Error",
            "at the &lt;door&gt;",
        ),
    ] {
        let (head, body) = page(address, path).await;
        assert_eq!(head[0], format!("HTTP/1.1 {status}"));
        assert!(has_script(&body) && body.contains(text), "{path}: {body}");
        assert!(
            head.contains(&"content-type: text/html; charset=utf-8".to_owned()),
            "{head:?}"
        );
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let (address, _stop, _) = serve(app().layer(Reload::new().layer())).await;
    for path in ["/", "/fails", "/none"] {
        let (mut get, _) = page(address, path).await;
        // RFC 9112 6.1: it may be left out.
        get.retain(|line| line != "transfer-encoding: chunked");
        let (head, body) = answer(address, &format!("HEAD {path} HTTP/1.1\n{NAVIGATION}")).await;
        assert_eq!((head, body.as_str()), (get, ""), "{path}");
    }
}

#[tokio::test]
async fn our_own_paths_are_for_pages_of_the_same_origin() {
    let reload = Reload::new().allow_host("my.test");
    let (address, _stop, _) = serve(app().layer(reload.layer())).await;
    let status = async |path: &str, headers: &str| {
        let (head, body) = answer(address, &format!("GET {path} HTTP/1.1\n{headers}")).await;
        assert!(
            !head.iter().any(|line| line.starts_with("access-control")),
            "{head:?}"
        );
        (
            head[0]["HTTP/1.1 ".len()..][..3].parse::<u16>().unwrap(),
            body,
        )
    };
    let seen = "/@tidings/seen";
    let client = "/@tidings/client.js";
    assert_eq!(status(seen, "Host: localhost").await.0, 405);
    assert_eq!(status("/@tidings/x", "Host: localhost").await.0, 404);
    assert_eq!(
        status(seen, "Host: localhost\nSec-Fetch-Site: cross-site")
            .await
            .0,
        403
    );
    assert_eq!(
        status(seen, "Host: localhost\nOrigin: http://evil.test")
            .await
            .0,
        403
    );
    assert_eq!(status(seen, "Host: evil.test").await.0, 403);
    assert_eq!(status(client, "Host: evil.test").await.0, 403);
    assert_eq!(status(seen, "Host: my.test").await.0, 405);
    let (code, script) = status(client, "Host: localhost\nSec-Fetch-Site: same-origin").await;
    assert_eq!((code, script.as_str()), (200, tidings::reload::CLIENT_JS));
    // A sandboxed frame's origin is nobody's, and it cannot use the script.
    let (code, script) = status(client, "Host: localhost\nSec-Fetch-Site: cross-site").await;
    assert_eq!((code, script.as_str()), (200, ""));
    // A page that could not open the stream gets no script that tries to.
    let evil = NAVIGATION.replace("localhost", "evil.test");
    let (_, text) = answer(address, &format!("GET / HTTP/1.1\n{evil}")).await;
    assert_eq!(text, "<!doctype html><p>hello");
}

async fn listen(address: SocketAddr) -> Listener {
    let request = "GET /@tidings/events HTTP/1.1\nHost: localhost\nSec-Fetch-Site: same-origin";
    Listener::new(Client::send(address, request).await).await
}

/// The attribute of the script in a page.
fn attribute<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!(r#"{name}=""#)).unwrap();
    rest.split_once('"').unwrap().0
}

#[tokio::test]
async fn a_saved_template_reaches_the_pages_from_their_own_cursor_on() {
    let dir = tempfile::tempdir().unwrap();
    let template = dir.path().join("index.html");
    std::fs::write(&template, "<p>one").unwrap();
    let read = {
        let template = template.clone();
        async move || Html(std::fs::read_to_string(&template).unwrap())
    };
    let reload = Reload::new().watch([dir.path()]).unwrap();
    let app = Router::new().route("/", get(read)).layer(reload.layer());
    let (address, _stop, _) = serve(app).await;
    let mut listener = listen(address).await;
    // What was saved just before the start may be in it.
    let status = listener.next().await.unwrap();
    let (_, text) = page(address, "/").await;
    assert_eq!(attribute(&text, "data-cursor"), status.last_event_id);
    std::fs::write(&template, "<p>two").unwrap();
    let change = listener.next().await.unwrap();
    let path = absolute(&template);
    assert!(
        change.data.contains(&format!(
            r#""changes":[{{"path":"{path}","kind":"modified"}}]"#
        )),
        "{}",
        change.data
    );
    let (_, text) = page(address, "/").await;
    assert!(text.contains("<p>two"), "{text}");
    assert_eq!(attribute(&text, "data-cursor"), change.last_event_id);
}

/// As it is published: a file whose address is not known has no leading slash.
fn absolute(path: &Path) -> String {
    path.to_str().unwrap().trim_start_matches('/').to_owned()
}

#[tokio::test]
async fn the_page_carries_the_state_from_before_the_app_was_asked() {
    let reload = Reload::new();
    let meanwhile = reload.clone();
    let slow = async move || {
        meanwhile.reload_pages();
        Html("<p>slow")
    };
    let app = Router::new().route("/", get(slow)).layer(reload.layer());
    let (address, _stop, _) = serve(app).await;
    let before = reload.reloader().unwrap().page_state().cursor;
    let (_, text) = page(address, "/").await;
    assert_eq!(attribute(&text, "data-cursor"), before.as_str());
    assert_ne!(reload.reloader().unwrap().page_state().cursor, before);
}

#[tokio::test]
async fn a_restart_of_the_same_program_is_no_change() {
    let state = || {
        let reload = Reload::new();
        let _layer = reload.layer();
        reload.reloader().unwrap().page_state().timestamp.unwrap()
    };
    let built = std::env::current_exe().unwrap().metadata().unwrap();
    let built = built
        .modified()
        .unwrap()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert_eq!(state(), built.as_millis() as u64);
    assert_eq!(state(), state());
}

#[tokio::test]
async fn a_graceful_shutdown_with_open_pages_ends() {
    let reload = Reload::new();
    let (address, stop, serving) = serve(app().layer(reload.layer())).await;
    let mut listeners = Vec::new();
    for _ in 0..10 {
        let mut listener = listen(address).await;
        assert!(listener.next().await.is_some());
        listeners.push(listener);
    }
    stop.send(()).unwrap();
    tokio::time::timeout(LONG, reload.close()).await.unwrap();
    tokio::time::timeout(LONG, serving).await.unwrap().unwrap();
    for mut listener in listeners {
        assert_eq!(listener.next().await, None);
    }
}

#[tokio::test]
async fn a_page_that_leaves_ends_its_stream() {
    let reload = Reload::new();
    let (address, _stop, _) = serve(app().layer(reload.layer())).await;
    let hub = reload.reloader().unwrap().hub().clone();
    let mut listener = listen(address).await;
    assert!(listener.next().await.is_some());
    assert_eq!(hub.stats().open, 1);
    drop(listener);
    wait_until("it has left", || hub.stats().open == 0).await;
}

#[test]
fn the_watcher_ends_with_the_last_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let reload = Reload::new().watch([dir.path()]).unwrap();
    // The watcher's callback has one, too.
    let reloader = Arc::downgrade(reload.reloader().unwrap());
    let layer = reload.layer();
    drop(reload);
    assert!(reloader.upgrade().is_some());
    drop(layer);
    assert!(reloader.upgrade().is_none());
}

#[test]
fn a_path_that_is_not_there_is_an_error_that_names_it() {
    let error = Reload::new().watch(["/nowhere/at/all"]).unwrap_err();
    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
}

/// An inner service as plain as can be: no axum, and another body and error.
#[tokio::test]
async fn any_tower_service_with_any_body_can_be_layered() {
    use tower_layer::Layer;

    #[derive(Clone)]
    struct Hello;

    impl tower_service::Service<Request<hyper::body::Incoming>> for Hello {
        type Response = Response<Full<Bytes>>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Infallible>> {
            std::task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<hyper::body::Incoming>) -> Self::Future {
            let body = Full::new(Bytes::from_static(b"<p>hello"));
            let response = Response::builder()
                .header(CONTENT_TYPE, "text/html")
                .body(body);
            std::future::ready(Ok(response.unwrap()))
        }
    }

    let service = Reload::new().layer().layer(Hello);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = hyper_util::service::TowerToHyperService::new(service.clone());
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service);
            tokio::spawn(connection);
        }
    });
    let (_, text) = page(address, "/").await;
    assert!(has_script(&text) && text.ends_with("<p>hello"), "{text}");
}

/// What axum asks of a layer, for any body.
#[test]
fn the_service_is_what_frameworks_ask_for() {
    fn is<T: Clone + Send + Sync + 'static>(_: &T) {}
    let layer = Reload::new().layer();
    is(&layer);
    is(&tower_layer::Layer::layer(&layer, Router::<()>::new()));
    fn is_body<T: http_body::Body<Data = Bytes> + Send + 'static>() {}
    is_body::<tidings::reload::ReloadBody<Body>>();
}
