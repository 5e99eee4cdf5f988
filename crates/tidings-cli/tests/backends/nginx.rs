//! nginx with compression, by its address, its socket and HTTP/2 without TLS.

use crate::app::free_port;
use crate::http::ask;
use crate::tools::Tool;
use crate::wire::content;
use crate::{App, Backend, Browser};

struct Nginx {
    app: App,
    backend: Backend,
    h2c: u16,
}

fn nginx() -> Option<Nginx> {
    let app = App::new("nginx", Tool::Nginx)?;
    let mut h2c = 0;
    let backend = Backend::start(|port| {
        h2c = free_port();
        let settings = std::fs::read_to_string(app.path("nginx.conf")).unwrap();
        let settings = settings.replace("@PORT@", &port.to_string());
        app.save("running.conf", settings.replace("@H2C@", &h2c.to_string()));
        let mut nginx = app.program("nginx");
        nginx.args(["-c", "running.conf", "-p"]).arg(app.root());
        nginx
    });
    Some(Nginx { app, backend, h2c })
}

#[test]
fn compressed_pages_of_nginx_reload_and_other_files_pass_as_they_are() {
    let Some(Nginx {
        mut app, backend, ..
    }) = nginx()
    else {
        return;
    };
    let url = format!("http://localhost:{}", backend.port);
    app.front("--watch html", &url);
    let mut browser = Browser::start();
    let mut tab = browser.open(&app.url("/"));
    tab.until("document.querySelector('h1').textContent === 'one'");
    app.edit("html/index.html", "one", "two");
    tab.until("document.querySelector('h1')?.textContent === 'two'");
    tab.until("document.readyState === 'complete'");
    app.save("html/site.css", "h1 { color: rgb(2, 2, 2) }");
    tab.until("getComputedStyle(document.querySelector('h1')).color === 'rgb(2, 2, 2)'");
    tab.go(&app.url("/app/"));
    tab.until("document.querySelector('#app').textContent === 'behind two'");

    let direct = ask(backend.port, "GET", "/site.css", &["Accept-Encoding: gzip"]);
    let through = ask(app.port(), "GET", "/site.css", &["Accept-Encoding: gzip"]);
    assert!(
        through
            .head
            .iter()
            .any(|line| line == "content-encoding: gzip"),
        "{:?}",
        through.head
    );
    assert_eq!(content(&through), content(&direct));
}

#[test]
fn nginx_is_reached_by_its_socket_and_by_http_2() {
    let Some(Nginx {
        mut app,
        h2c,
        backend,
    }) = nginx()
    else {
        return;
    };
    let mut browser = Browser::start();
    for url in [
        "unix:nginx.sock".to_owned(),
        format!("h2c://127.0.0.1:{h2c}"),
    ] {
        app.front("--watch html", &url);
        let mut tab = browser.open(&app.url("/"));
        let text = format!("by {}", url.split(':').next().unwrap());
        let html = format!("<!doctype html><title>nginx</title><h1>{text}</h1>");
        app.save("html/index.html", html);
        tab.until(&format!(
            "document.querySelector('h1')?.textContent === '{text}'"
        ));
        tab.go(&app.url("/app/"));
        tab.until("document.querySelector('#app').textContent === 'behind two'");
    }
    drop(backend);
}
