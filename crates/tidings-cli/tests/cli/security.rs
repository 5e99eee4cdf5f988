//! What has gone wrong in other development servers, one test for each: of the files, the stream, the answers of
//! pages, and control. Each is named after the report of it.

mod any_target;
mod files;
mod foreign;
mod orders;

use super::http::{Answer, ask, get, send};
use super::{Folder, Server};

const STREAM: &str = "/server-sent-events";
const SCRIPT: &str = "/@tidings/client.js";
const SEEN: &str = "/@tidings/seen";
const VERSION: &str = "/@tidings/version?id=x";
const CONTROL: &str = "/@tidings/control";

const FILES: [&str; 4] = ["/", "/a.txt", "/app.js", "/nothing"];
/// What only pages of our own may ask for.
const OURS: [&str; 5] = [STREAM, SCRIPT, SEEN, VERSION, CONTROL];

fn folder() -> Folder {
    Folder::new(&[
        ("index.html", "<title>t</title>"),
        ("a.txt", "SECRET"),
        ("app.js", "secret = 'SECRET'"),
    ])
}

/// Who asks for a stream is not answered to the end: `HEAD` gets the same head.
fn method_for(path: &str) -> &'static str {
    match path {
        STREAM => "HEAD",
        SEEN | CONTROL => "POST",
        _ => "GET",
    }
}

/// Asks as a browser would for this kind of resource.
fn request(port: u16, path: &str, headers: &[&str]) -> Answer {
    let mut headers = headers.to_vec();
    if method_for(path) == "POST" {
        headers.push("Content-Length: 0");
    }
    ask(port, method_for(path), path, &headers)
}

/// The token that pages get.
#[track_caller]
fn token(port: u16) -> String {
    let navigation = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
    let page = ask(port, "GET", "/", &navigation).text();
    let (_, rest) = page.split_once("data-token=\"").expect("a token");
    rest.split_once('"').unwrap().0.to_owned()
}

/// A request for control.
fn order(port: u16, method: &str, headers: &[&str], body: &str) -> Answer {
    let mut request = format!("{method} {CONTROL} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|line| line.starts_with("Host:")) {
        request += &format!("Host: localhost:{port}\r\n");
    }
    for line in headers {
        request += &format!("{line}\r\n");
    }
    request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    send(port, request.as_bytes())
}
