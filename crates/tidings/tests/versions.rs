//! What a page was made from, and what it would be made from now: what its script asks the layer for.
#![cfg(feature = "reload")]
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]

mod support;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::response::Html;
use axum::routing::get;
use bytes::Bytes;
use http::header::HeaderMap;
use http::{Response, StatusCode};
use http_body::Frame;
use support::Client;
use tidings::reload::Reload;
use tokio::net::TcpListener;

const NAVIGATION: &str = "Host: localhost\nSec-Fetch-Dest: document\nSec-Fetch-Mode: navigate";
const FETCH: &str =
    "Host: localhost\nSec-Fetch-Site: same-origin\nSec-Fetch-Dest: empty\nSec-Fetch-Mode: cors";

/// An app behind the layer.
async fn serve(app: Router) -> SocketAddr {
    let app = app.layer(Reload::new().layer());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// The status, what is said of the page's head, and the content.
async fn ask(address: SocketAddr, path: &str, headers: &str) -> (u16, Option<String>, Vec<u8>) {
    let request = format!("GET {path} HTTP/1.1\n{headers}\nConnection: close");
    let mut client = Client::send(address, &request).await;
    let head = client.head().await;
    let status = head[0].split(' ').nth(1).unwrap().parse().unwrap();
    let named = |name: &str| {
        let mut lines = head.iter().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned())
    };
    let body = match named("transfer-encoding").is_some() {
        true => client.chunks_to_the_end().await,
        false => client.rest_until_closed().await,
    };
    (status, named("tidings-head"), body)
}

async fn page(address: SocketAddr, path: &str) -> Vec<u8> {
    ask(address, path, NAVIGATION).await.2
}

/// The path where the source of a page is.
fn source_of(page: &[u8]) -> String {
    let page = String::from_utf8_lossy(page);
    let (_, rest) = page.split_once("data-version=\"").unwrap();
    let (id, _) = rest.split_once('"').unwrap();
    format!("/@tidings/version?id={id}")
}

#[tokio::test]
async fn a_page_gets_the_bytes_that_it_was_made_from() {
    let app = Router::new().route("/", get(async || Html("<!doctype html><p>caf\u{e9}")));
    let address = serve(app).await;
    let [first, second] = [page(address, "/").await, page(address, "/").await];
    assert_ne!(source_of(&first), source_of(&second));
    for page in [first, second] {
        let (status, head, source) = ask(address, &source_of(&page), FETCH).await;
        assert_eq!((status, &source), (200, &page));
        let patch = format!("{FETCH}\nTidings-Patch: document");
        let (status, new_head, new) = ask(address, "/", &patch).await;
        assert_eq!((status, new_head), (200, head));
        assert!(new.ends_with("<p>caf\u{e9}".as_bytes()));
        // It is for a page that is patched: there is no page that could ask for it.
        assert_eq!(ask(address, &source_of(&new), FETCH).await.0, 404);
    }
}

#[tokio::test]
async fn other_sites_do_not_get_it() {
    let app = Router::new().route("/", get(async || Html("<!doctype html><p>x")));
    let address = serve(app).await;
    let source = source_of(&page(address, "/").await);
    for from in ["Sec-Fetch-Site: cross-site", "Origin: http://evil.test"] {
        let headers = format!("Host: localhost\n{from}");
        assert_eq!(ask(address, &source, &headers).await.0, 403, "{from}");
    }
    let rebound = "Host: evil.test";
    assert_eq!(ask(address, &source, rebound).await.0, 403);
    for id in ["", "?id=", "?id=1"] {
        let path = format!("/@tidings/version{id}");
        assert_eq!(ask(address, &path, FETCH).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_request_for_a_patch_is_a_navigation_to_the_app() {
    let echo = async |headers: HeaderMap| Html(format!("{headers:?}"));
    let address = serve(Router::new().route("/", get(echo))).await;
    let patch = format!("{FETCH}\nTidings-Patch: iframe\nAccept: */*\nCookie: a=b");
    let (_, _, text) = ask(address, "/", &patch).await;
    let text = String::from_utf8(text).unwrap();
    for expected in [
        r#""sec-fetch-dest": "iframe""#,
        r#""sec-fetch-mode": "navigate""#,
        r#""accept": "text/html,"#,
        r#""cookie": "a=b""#,
        "/@tidings/client.js",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("tidings-patch"), "{text}");
    // For another site it is a fetch like any other.
    let foreign = "Host: localhost\nSec-Fetch-Site: cross-site\nSec-Fetch-Dest: empty\nTidings-Patch: document";
    let (_, head, text) = ask(address, "/", foreign).await;
    assert!(!String::from_utf8(text).unwrap().contains("/@tidings/"));
    assert_eq!(head, None);
}

#[tokio::test]
async fn a_page_with_another_policy_has_another_head() {
    let n = AtomicUsize::new(0);
    let n = Arc::new(n);
    let app = Router::new().route(
        "/",
        get(async move || {
            let policy = match n.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => "img-src 'self'",
                _ => "img-src 'none'",
            };
            let policy = [("content-security-policy", policy)];
            (policy, Html("<!doctype html><p>x"))
        }),
    );
    let address = serve(app).await;
    let page = page(address, "/").await;
    let (_, old, _) = ask(address, &source_of(&page), FETCH).await;
    let patch = format!("{FETCH}\nTidings-Patch: document");
    let (_, same, _) = ask(address, "/", &patch).await;
    let (_, other, _) = ask(address, "/", &patch).await;
    assert!(old.is_some());
    assert_eq!(old, same);
    assert_ne!(old, other);
}

#[tokio::test]
async fn an_error_is_no_page_to_patch() {
    let fails = async || (StatusCode::NOT_FOUND, Html("<!doctype html><p>no"));
    let address = serve(Router::new().route("/", get(fails))).await;
    let page = page(address, "/").await;
    assert_eq!(ask(address, &source_of(&page), FETCH).await.0, 404);
}

/// A page that comes in pieces, and may break off.
struct Pieces {
    left: usize,
    breaks: bool,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(match (self.left, self.breaks) {
            (0, false) => None,
            (0, true) => Some(Err("broken")),
            _ => {
                self.left -= 1;
                Some(Ok(Frame::data(Bytes::from_static(b"<p>some of it</p>\n"))))
            }
        })
    }
}

#[tokio::test]
async fn a_page_that_streams_is_kept_when_all_of_it_is_sent() {
    let answer = |left, breaks| {
        let body = Body::new(Pieces { left, breaks });
        let response = Response::builder().header("content-type", "text/html");
        Ok::<_, Infallible>(response.body(body).unwrap())
    };
    let app = Router::new()
        .route("/whole", get(move || async move { answer(2000, false) }))
        .route("/breaks", get(move || async move { answer(2000, true) }))
        .route("/huge", get(move || async move { answer(300_000, false) }));
    let address = serve(app).await;
    let whole = page(address, "/whole").await;
    assert!(whole.len() > 30_000);
    let (status, _, source) = ask(address, &source_of(&whole), FETCH).await;
    assert!(status == 200 && source == whole);
    let huge = page(address, "/huge").await;
    assert_eq!(ask(address, &source_of(&huge), FETCH).await.0, 404);
    let request = format!("GET /breaks HTTP/1.1\n{NAVIGATION}\nConnection: close");
    let mut client = Client::send(address, &request).await;
    client.head().await;
    let broken = client.rest_until_closed().await;
    assert_eq!(ask(address, &source_of(&broken), FETCH).await.0, 404);
}
