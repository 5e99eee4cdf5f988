//! A small app with hot reloading in three lines, marked below: `cargo run` in this folder, open
//! <http://127.0.0.1:3000>, then save a file in `templates/` or `static/`.
//!
//! With `tidings proxy -w templates -w static -- cargo run`, code reloads as well: the app is built and
//! started anew, and the old one answers until the new one does.

use std::path::Path;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use minijinja::{Environment, context, path_loader};
use tidings::reload::Reload;
use tower_http::services::ServeDir;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    // Line one: in a debug build, watch these folders.
    let reload = Reload::when(cfg!(debug_assertions)).watch(["templates", "static"])?;
    let app = Router::new()
        .route("/", get(index))
        .route("/cities", get(cities))
        .nest_service("/static", ServeDir::new("static"))
        .with_state(templates("templates"))
        // Line two: the layer of the whole app.
        .layer(reload.layer());

    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("http://{}/", listener.local_addr()?);
    let shutdown = async move {
        let _ = tokio::signal::ctrl_c().await;
        // Line three: each open page holds a stream, which would hold up the shutdown.
        reload.close().await;
    };
    axum::serve(listener, app)
        .with_graceful_shutdown(shutdown)
        .await?;
    Ok(())
}

/// Templates that are read anew for each page in a debug build, and kept in a release build.
fn templates(folder: impl AsRef<Path>) -> Environment<'static> {
    let mut templates = Environment::new();
    templates.set_loader(path_loader(folder.as_ref()));
    templates
}

/// A page. An error in its template is sent as text, which the layer turns into a page that heals.
async fn index(State(mut templates): State<Environment<'static>>) -> Result<Html<String>, Failure> {
    if cfg!(debug_assertions) {
        templates.clear_templates();
    }
    let template = templates.get_template("index.html").map_err(failed)?;
    let page = template.render(context! { greeting => "Hello" });
    Ok(Html(page.map_err(failed)?))
}

/// A fragment that a script of the page fetches: the layer leaves it alone.
async fn cities() -> Html<&'static str> {
    Html("<li>Ljubljana<li>Trieste<li>Vienna")
}

type Failure = (StatusCode, String);

fn failed(error: minijinja::Error) -> Failure {
    // With the lines of the template around it.
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))
}
