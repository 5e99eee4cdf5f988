//! Under axum, which the library does not know.
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use support::{Client, LONG, Listener, wait_until};
use tidings::http::{Endpoint, SseBody, response, stop};
use tidings::{Cursor, Event, Hub, SubscribeError};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

async fn serve(app: Router) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(listener, app).with_graceful_shutdown(async move {
        let _ = stopped.await;
    });
    (
        address,
        stop,
        tokio::spawn(async move { serving.await.unwrap() }),
    )
}

async fn check_streams(app: Router, hub: &Hub) {
    let (address, _stop, _) = serve(app).await;
    hub.set_status("t", Event::data("so far")).await.unwrap();
    let mut listener = Listener::new(Client::get(address).await).await;
    assert_eq!(listener.next().await.unwrap().data, "so far");
    hub.publish("t", Event::data("live")).await.unwrap();
    assert_eq!(listener.next().await.unwrap().data, "live");
    drop(listener);
    wait_until("it has left", || hub.stats().open == 0).await;
}

#[tokio::test]
async fn an_endpoint_is_a_service_of_a_route() {
    let hub = Hub::memory();
    let app = Router::new().route_service("/sse", Endpoint::new(hub.clone(), "t"));
    check_streams(app, &hub).await;
}

#[tokio::test]
async fn an_endpoint_answers_for_a_handler() {
    let hub = Hub::memory();
    let endpoint = Endpoint::new(hub.clone(), "t");
    let handler = async |State(endpoint): State<Endpoint>, request: axum::extract::Request| {
        endpoint.respond(&request.into_parts().0)
    };
    let app = Router::new()
        .route("/sse", get(handler))
        .with_state(endpoint);
    check_streams(app, &hub).await;
}

async fn subscribe_in_a_handler(State(hub): State<Hub>) -> Response {
    match hub.subscribe("t", Cursor::Latest).await {
        Ok(subscription) => response(subscription).into_response(),
        Err(SubscribeError::Finished) => stop().into_response(),
        Err(_) => http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[tokio::test]
async fn a_subscription_is_a_handlers_answer() {
    let hub = Hub::memory();
    let app = Router::new().route("/sse", get(subscribe_in_a_handler));
    check_streams(app.with_state(hub.clone()), &hub).await;
}

#[tokio::test]
async fn the_answer_for_a_subscription_has_the_head_and_greeting_of_an_endpoint() {
    let hub = Hub::memory();
    hub.set_status("t", Event::data("so far")).await.unwrap();
    let app = Router::new()
        .route_service("/sse", Endpoint::new(hub.clone(), "t"))
        .route("/own", get(subscribe_in_a_handler))
        .with_state(hub.clone());
    let (address, _stop, _) = serve(app).await;
    let open = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\nHost: localhost");
        let mut client = Client::send(address, &request).await;
        let mut head = client.head().await;
        head.retain(|line| line != "connection: keep-alive");
        let greeting = String::from_utf8(client.chunk().await.unwrap()).unwrap();
        let (start, retry) = greeting.split_once("retry: ").unwrap();
        let retry_ms: u64 = retry.trim_end().parse().unwrap();
        assert!((1000..=2000).contains(&retry_ms));
        let status = client.chunk().await;
        (head, start.to_owned(), status)
    };
    assert_eq!(open("/sse").await, open("/own").await);
}

#[tokio::test]
async fn a_bare_body_gets_keep_alives_too() {
    let memory = tidings::engine::Memory::new(tidings::engine::Retention::default());
    let hub = Hub::with_keep_alive(memory, Duration::from_millis(20));
    let handler = async |State(hub): State<Hub>| {
        let subscription = hub.subscribe("t", Cursor::Latest).await.unwrap();
        http::Response::new(SseBody::from(subscription))
    };
    let app = Router::new()
        .route("/sse", get(handler))
        .with_state(hub.clone());
    let (address, _stop, _) = serve(app).await;
    let mut client = Client::get(address).await;
    client.head().await;
    let mark = format!("id: {}\n\n", hub.cursor());
    assert_eq!(client.chunk().await.unwrap(), mark.as_bytes());
    assert_eq!(client.chunk().await.unwrap(), b": \n");
}

#[tokio::test]
async fn a_graceful_shutdown_with_open_streams_ends() {
    let hub = Hub::memory();
    let app = Router::new().route_service("/sse", Endpoint::new(hub.clone(), "t"));
    let (address, stop, serving) = serve(app).await;
    let mut listeners = Vec::new();
    for _ in 0..30 {
        listeners.push(Listener::new(Client::get(address).await).await);
    }
    wait_until("all are open", || hub.stats().open == 30).await;
    hub.publish("t", Event::data("bye")).await.unwrap();
    stop.send(()).unwrap();
    let closing = hub.close(Duration::from_millis(20));
    tokio::time::timeout(LONG, closing).await.unwrap();
    tokio::time::timeout(LONG, serving).await.unwrap().unwrap();
    for mut listener in listeners {
        assert_eq!(listener.next().await.unwrap().data, "bye");
        assert_eq!(listener.next().await, None);
    }
}
