//! Finds responses that are correct and do not work in the browser, for a note in the terminal.
//!
//! Depends on the request and the response only; the caller prints each note once.

use http::header::HeaderMap;
use tidings::reload::Decision;

use super::media::Media;

/// Why a document that was opened by itself will not reload.
pub(super) fn why_not_reloading(
    media: &Media,
    headers: &HeaderMap,
    content_type: &str,
) -> Option<&'static str> {
    let Decision::Leave(why) = Decision::of_type(content_type) else {
        return None;
    };
    // A document in a frame belongs to a page, which reloads for it. (Browsers do not send the header over
    // plain http in the network: there the note is printed for frames as well.)
    let is_in_page = destination(headers).is_some_and(|destination| destination != "document");
    why.filter(|_| *media != Media::Html && (*media == Media::Xhtml || !is_in_page))
}

/// Why the browser will refuse this script or style sheet for its type, because of `nosniff` (Fetch 3.6):
/// `main.ts`, or `app.js.download` of a saved page.
pub(super) fn why_refused(headers: &HeaderMap, content_type: &str) -> Option<String> {
    let essence = essence(content_type);
    let (what, endings, fits) = match destination(headers)? {
        // A module may be WebAssembly.
        "script" | "worker" | "sharedworker" | "serviceworker" | "audioworklet"
        | "paintworklet" => (
            "a script",
            ".js or .mjs",
            essence == "text/javascript" || essence == "application/wasm",
        ),
        "style" => ("a style sheet", ".css", essence == "text/css"),
        _ => return None,
    };
    (!fits).then(|| format!("by its name it is {essence}, and {what} must end in {endings}"))
}

fn destination(headers: &HeaderMap) -> Option<&str> {
    headers.get("sec-fetch-dest")?.to_str().ok()
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(destination: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !destination.is_empty() {
            headers.insert("sec-fetch-dest", HeaderValue::from_static(destination));
        }
        headers
    }

    #[test]
    fn documents_opened_by_themselves_do_not_reload() {
        let check = |name: &str, destination, expected: bool| {
            let media = Media::of(name.as_ref());
            let content_type = media.content_type(b"", true);
            let reason = why_not_reloading(&media, &headers(destination), &content_type);
            assert_eq!(reason.is_some(), expected, "{name} {destination}");
        };
        for name in [
            "a.svg", "a.txt", "a.json", "a.xml", "a.pdf", "a.png", "a.css", "README",
        ] {
            check(name, "document", true);
            check(name, "", true);
            check(name, "iframe", false);
        }
        check("a.xhtml", "iframe", true);
        check("a.html", "document", false);
        check("a.zip", "document", false);
        check("a.wasm", "document", false);
    }

    #[test]
    fn files_that_nosniff_refuses_are_named_with_their_type() {
        let check = |content_type, destination, expected: Option<&str>| {
            let reason = why_refused(&headers(destination), content_type);
            assert_eq!(reason.as_deref(), expected, "{content_type} {destination}");
        };
        let script = "by its name it is text/plain, and a script must end in .js or .mjs";
        check("text/plain; charset=utf-8", "script", Some(script));
        check("text/plain", "worker", Some(script));
        check(
            "text/plain",
            "style",
            Some("by its name it is text/plain, and a style sheet must end in .css"),
        );
        check("text/javascript", "script", None);
        check("application/wasm", "script", None);
        check("text/css; charset=utf-8", "style", None);
        check("text/plain", "image", None);
        check("text/plain", "empty", None);
        check("text/plain", "", None);
    }
}
