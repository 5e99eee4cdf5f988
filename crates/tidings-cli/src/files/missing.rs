//! Answers where there is nothing to serve.
//!
//! The page for people about what is missing or cannot be read carries the script, so that it reloads as soon as the file is there: a
//! generator that wipes its output, or a file that root has written, must not strand the tab. What is private, outside the root or
//! not there at all looks the same.

use std::io;

use http::header::{ALLOW, CONTENT_TYPE, VARY};
use http::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;

use super::body::Body;
use super::serve::{set, set_body};
use super::shell::{self, escape};
use super::{LinkReason, METHODS, Snippet, UnservedLink, our_page};

/// `path` is the path of the request as it came; `link` is the link that is to blame, if it may be named.
pub(super) fn missing(
    path: &str,
    snippet: Option<&Snippet>,
    navigation: bool,
    link: Option<&UnservedLink>,
) -> Response<Body> {
    let shown = readable(path);
    if !navigation {
        let mut response = text(StatusCode::NOT_FOUND, &format!("not found: {shown}\n"));
        // Chromium 156: where `nosniff` refuses the answer for its type, a removed style sheet lives
        // on in the page from memory. In its own type it is plainly gone.
        if path.ends_with(".css") {
            set(&mut response, CONTENT_TYPE, "text/css; charset=utf-8");
        } else if path.ends_with(".js") || path.ends_with(".mjs") {
            set(
                &mut response,
                CONTENT_TYPE,
                "text/javascript; charset=utf-8",
            );
        }
        set(&mut response, VARY, "Sec-Fetch-Dest, Accept");
        return response;
    }
    let script = snippet.map(Snippet::text).unwrap_or_default();
    let content = format!(
        "<h1>Not found</h1>\n<p><code>{}</code></p>\n<p class=\"dim\">{}</p>",
        escape(&shown),
        match link {
            Some(link) => unserved(link),
            None if script.is_empty() => "There is no such file.".to_owned(),
            None => "There is no such file yet. This page reloads when there is.".to_owned(),
        }
    );
    our_page(
        StatusCode::NOT_FOUND,
        shell::page("Not found", &script, &content),
    )
}

/// Names the link and not its target, which may be outside of the folder.
fn unserved(link: &UnservedLink) -> String {
    let path = link.url_path.chars().filter(|char| !char.is_control());
    let path = path.collect::<String>();
    let why = match link.reason {
        LinkReason::Outside => {
            "leads out of the folder that is served. To serve what it leads to, start tidings with \
             <code>--follow-symlinks</code>."
        }
        LinkReason::Dangling => {
            "leads to a file that is not there (yet). This page reloads when it is."
        }
        LinkReason::Loop => "leads to itself.",
        LinkReason::Private => "is not served.",
    };
    format!("The link <code>{}</code> {why}", escape(&path))
}

pub(super) fn malformed(why: &str) -> Response<Body> {
    text(StatusCode::BAD_REQUEST, &format!("bad request: {why}\n"))
}

/// It is there, or may be, but the file system says no.
pub(super) fn unreadable(
    path: &str,
    error: &io::Error,
    snippet: Option<&Snippet>,
) -> Response<Body> {
    let denied = error.kind() == io::ErrorKind::PermissionDenied;
    let (status, why) = match denied {
        true => (StatusCode::FORBIDDEN, "permission denied".to_owned()),
        false => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let shown = readable(path);
    let Some(snippet) = snippet else {
        return text(status, &format!("cannot read {shown}: {why}\n"));
    };
    let content = format!(
        "<h1>Cannot be read</h1>\n<p><code>{}</code></p>\n\
         <p class=\"dim\">The system says: {}. This page reloads when it can be read.</p>",
        escape(&shown),
        escape(&why),
    );
    our_page(
        status,
        shell::page("Cannot be read", &snippet.text(), &content),
    )
}

/// A method that changes something, as a form sends it. The page for people does not reload: that
/// would send the form again.
pub(super) fn not_allowed(method: &Method, navigation: bool) -> Response<Body> {
    let why = format!("This server only hands out files, and does not answer {method}.");
    let mut response = match navigation {
        true => our_page(
            StatusCode::METHOD_NOT_ALLOWED,
            shell::page(
                "Not answered",
                "",
                &format!("<h1>Not answered</h1>\n<p>{}</p>", escape(&why)),
            ),
        ),
        false => text(StatusCode::METHOD_NOT_ALLOWED, &format!("{why}\n")),
    };
    response.headers_mut().insert(ALLOW, METHODS);
    response
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    set(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
    set_body(&mut response, Body::whole(text.to_owned()));
    response
}

/// Decoded for reading, without what could disturb a terminal.
fn readable(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    decoded.chars().filter(|char| !char.is_control()).collect()
}
