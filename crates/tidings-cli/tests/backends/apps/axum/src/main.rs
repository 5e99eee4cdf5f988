use axum::Router;
use axum::response::Html;
use axum::routing::get;

const GREETING: &str = "version 1";

/// Reads its template for each request, so that a change of it needs no other program.
async fn home() -> Html<String> {
    let template = std::fs::read_to_string("templates/home.html").unwrap_or_default();
    Html(template.replace("{greeting}", GREETING))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let app = Router::new().route("/", get(home));
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    axum::serve(listener, app).await
}
