use axum::Router;
use axum::response::Html;
use axum::routing::get;

const GREETING: &str = "version 1";

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let page = || async { Html(format!("<!doctype html><title>axum</title><h1>{GREETING}</h1>")) };
    let app = Router::new().route("/", get(page));
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    axum::serve(listener, app).await
}
