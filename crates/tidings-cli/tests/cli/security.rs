//! What has gone wrong in other development servers, one test for each: of the files, the stream, the answers of
//! pages, and control. Each is named after the report of it.

mod any_target;
mod files;
mod foreign;
mod orders;

use super::control::{CONTROL, ask_by as order, token};
use super::http::{Answer, ask, get, send};
use super::{Folder, Server};

const STREAM: &str = "/server-sent-events";
const SCRIPT: &str = "/@tidings/client.js";
const SEEN: &str = "/@tidings/seen";
const VERSION: &str = "/@tidings/version?id=x";

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
