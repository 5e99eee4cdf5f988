//! A clock for all open browsers, with a list of the open streams: `cargo run -p axum-clock`, then open
//! <http://127.0.0.1:3000> in a few tabs.
//!
//! One task owns the state and is the only publisher. It publishes the full status with each change. So a
//! new reader gets the status once, then only changes, and misses none.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::header::USER_AGENT;
use axum::response::Html;
use axum::routing::get;
use serde::Serialize;
use tidings::http::Endpoint;
use tidings::{Event, Hub};
use tokio::time::MissedTickBehavior;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The full state, which each new reader gets first.
#[derive(Serialize)]
struct Status {
    date_ms: u128,
    streams: Vec<Stream>,
}

/// An open stream.
#[derive(Clone, PartialEq, Serialize)]
struct Stream {
    number: u64,
    browser: String,
    since_ms: u128,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let hub = Hub::memory();
    let endpoint = Endpoint::new(hub.clone(), "clock").label(|request| {
        let agent = request.headers.get(USER_AGENT);
        let agent = agent.and_then(|agent| agent.to_str().ok());
        agent.unwrap_or("unknown client").to_owned()
    });
    let app = Router::new()
        .route("/", get(async || Html(include_str!("page.html"))))
        .route_service("/server-sent-events", endpoint);

    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:3000");
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    let ticking = tokio::spawn(tick(hub.clone()));
    // Streams do not end by themselves, so a graceful shutdown must close them.
    let shutdown = async move {
        let _ = tokio::signal::ctrl_c().await;
        ticking.abort();
        hub.close(Duration::from_millis(200)).await;
    };
    axum::serve(listener, app)
        .with_graceful_shutdown(shutdown)
        .await?;
    Ok(())
}

/// Publishes the date every second, and the list of streams when it has changed.
async fn tick(hub: Hub) -> Result<(), Error> {
    let mut interval = tokio::time::interval(Duration::from_millis(200));
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut status = Status {
        date_ms: 0,
        streams: Vec::new(),
    };
    loop {
        let streams = streams(&hub);
        if status.streams != streams {
            status.streams = streams;
            publish(&hub, "streams", &status.streams, &status).await?;
        }
        let now_ms = ms(SystemTime::now());
        if now_ms / 1000 != status.date_ms / 1000 {
            status.date_ms = now_ms;
            publish(&hub, "date", &status.date_ms, &status).await?;
        }
        interval.tick().await;
    }
}

/// Publishes a change for the open streams, and the full status for new ones.
async fn publish(
    hub: &Hub,
    name: &str,
    change: &impl Serialize,
    status: &Status,
) -> Result<(), Error> {
    let change = Event::json(change)?.named(name.parse()?);
    let status = Event::json(status)?.named("status".parse()?);
    hub.publish_with_status("clock", change, status).await?;
    Ok(())
}

fn streams(hub: &Hub) -> Vec<Stream> {
    let streams = hub.streams().into_iter().map(|stream| Stream {
        number: stream.id.number(),
        browser: stream.label.unwrap_or_default(),
        since_ms: ms(stream.opened_at),
    });
    streams.collect()
}

fn ms(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis())
}
