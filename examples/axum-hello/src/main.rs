//! A minimal program: `cargo run -p axum-hello`, then
//! `curl -N http://127.0.0.1:3000/server-sent-events`.

use std::time::Duration;

use axum::Router;
use tidings::http::Endpoint;
use tidings::{Event, Hub};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::memory();
    let endpoint = Endpoint::new(hub.clone(), "greetings");
    let app = Router::new().route_service("/server-sent-events", endpoint);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    for n in 1.. {
        let greeting = Event::data(format!("hello number {n}"));
        hub.publish("greetings", greeting).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}
