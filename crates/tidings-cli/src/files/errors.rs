//! Error responses: missing and unreadable files, malformed requests, methods other than GET.
//!
//! The 404 page contains the script, so that it reloads once the file exists: a generator that empties its
//! output directory, or a file written by root, must not leave a tab dead. Private and missing files get
//! the same response.

use std::io;

use http::header::{ALLOW, CONTENT_TYPE, VARY};
use http::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;

use super::body::Body;
use super::respond::{set, set_body};
use super::template::{self, escape};
use super::{LinkReason, METHODS, Snippet, UnservedLink, generated_page};

/// `path` is the undecoded path of the request; `link` is the link that is the cause, if it may be named.
pub(super) fn not_found(
    path: &str,
    snippet: Option<&Snippet>,
    navigation: bool,
    link: Option<&UnservedLink>,
) -> Response<Body> {
    let shown = readable(path);
    if !navigation {
        let mut response = text(StatusCode::NOT_FOUND, &format!("not found: {shown}\n"));
        // Chromium 156: if `nosniff` makes it refuse the response for its type, a page keeps using a
        // removed style sheet from memory. With the type of a style sheet it does not.
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
    generated_page(
        StatusCode::NOT_FOUND,
        template::page("Not found", &script, &content),
    )
}

/// Names the link, not its target, which may be outside the folder.
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

pub(super) fn bad_request(why: &str) -> Response<Body> {
    text(StatusCode::BAD_REQUEST, &format!("bad request: {why}\n"))
}

/// The file exists, or may exist, and cannot be read.
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
         <p class=\"dim\">Error: {}. This page reloads when it can be read.</p>",
        escape(&shown),
        escape(&why),
    );
    generated_page(
        status,
        template::page("Cannot be read", &snippet.text(), &content),
    )
}

/// The response to POST and the like. Its page does not reload, because that would submit the form again.
pub(super) fn method_not_allowed(method: &Method, navigation: bool) -> Response<Body> {
    let why = format!("This server only serves files: it does not support {method}.");
    let mut response = match navigation {
        true => generated_page(
            StatusCode::METHOD_NOT_ALLOWED,
            template::page(
                "Method not allowed",
                "",
                &format!("<h1>Method not allowed</h1>\n<p>{}</p>", escape(&why)),
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

/// The path decoded for display, without control characters.
fn readable(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    decoded.chars().filter(|char| !char.is_control()).collect()
}
