//! What a page in Chromium sees of a backend behind the proxy.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, mpsc};

use crate::chromium::Browser;
use crate::support::program::Folder;
use crate::{Backend, proxy, proxy_to};

fn url(port: u16, path: &str) -> String {
    format!("http://localhost:{port}{path}")
}

/// A page on every connection, with how many pages there were before as its text.
fn counting(listener: TcpListener) -> Backend {
    let n_pages = std::sync::atomic::AtomicUsize::new(0);
    Backend::on(listener, move |mut conn| {
        loop {
            let head = conn.request();
            if head.0.is_empty() {
                return;
            }
            let is_page = head.get("sec-fetch-dest") == Some("document");
            let text = match is_page {
                true => n_pages.fetch_add(1, std::sync::atomic::Ordering::SeqCst),
                false => 0,
            };
            let page = format!("<!doctype html><title>t</title><p id=n>{text}");
            conn.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n",
                page.len()
            ));
            if !head.first().starts_with("HEAD") {
                conn.send(page);
            }
        }
    })
}

fn free_listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

#[test]
fn a_page_that_is_sent_in_pieces_appears_piece_by_piece() {
    let (next, awaited) = mpsc::channel::<()>();
    let awaited = Mutex::new(awaited);
    let backend = Backend::start(move |mut conn| {
        if !conn.request().first().starts_with("GET / ") {
            conn.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
            return;
        }
        conn.send(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        for n in 1..=3 {
            let piece = format!("<p id=piece{n}>piece {n}</p>");
            conn.send(format!("{:x}\r\n{piece}\r\n", piece.len()));
            // The next piece is sent when the page shows this one.
            if awaited.lock().unwrap().recv().is_err() {
                return;
            }
        }
        conn.send("0\r\n\r\n");
    });
    let server = proxy(&backend, &[]);
    let mut browser = Browser::start();
    let mut page = browser.blank();
    page.send(
        "Page.navigate",
        serde_json::json!({"url": url(server.port, "/")}),
    );
    for n in 1..=3 {
        page.until(&format!("document.getElementById('piece{n}') !== null"));
        assert_ne!(page.eval("document.readyState"), "complete");
        next.send(()).unwrap();
    }
    page.until("document.readyState === 'complete'");
    // The script runs in it.
    page.until("document.querySelector('script[src^=\"/@tidings/client.js\"]') !== null");
}

#[test]
fn a_saved_template_is_shown_and_asked_for_once() {
    let folder = Folder::new(&[("page.html", "one")]);
    let backend = counting(free_listener());
    let server = proxy(&backend, &["--watch", folder.root().to_str().unwrap()]);
    let mut browser = Browser::start();
    let mut page = browser.open(&url(server.port, "/"));
    page.until("document.getElementById('n').textContent === '0'");
    folder.save("page.html", "two");
    page.until("document.getElementById('n')?.textContent === '1'");
    folder.save("page.html", "three");
    page.until("document.getElementById('n')?.textContent === '2'");
}

#[test]
fn a_page_that_was_asked_for_too_early_is_there_when_the_backend_is() {
    let listener = free_listener();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = proxy_to(&format!("http://{address}"), &[]);
    let mut browser = Browser::start();
    let mut page = browser.open(&url(server.port, "/"));
    page.until("document.body.innerText.includes('No answer from')");
    let backend = counting(TcpListener::bind(address).unwrap());
    page.until("document.getElementById('n')?.textContent === '0'");
    drop(backend);
}
