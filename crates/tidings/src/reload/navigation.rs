//! The rule of what is injected, first half: which requests are navigations.
//!
//! The script is injected into the responses to navigations only: a fragment that htmx or Turbo fetches, a
//! template that a script reads or a file that `curl` downloads must be sent as it is.

use http::Method;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, HOST, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::request::Parts;

use super::guard;

/// Headers of libraries that fetch fragments: jQuery and others, htmx, Turbo, PJAX, Datastar, Unpoly,
/// Alpine AJAX, Inertia, Livewire. They matter only without fetch metadata.
const FRAGMENT_HEADERS: [&str; 9] = [
    "x-requested-with",
    "hx-request",
    "turbo-frame",
    "x-pjax",
    "datastar-request",
    "x-up-version",
    "x-alpine-request",
    "x-inertia",
    "x-livewire-navigate",
];

/// Marks a request whose response is injected into already, by whoever passed it on. So of two layers, or
/// of `tidings proxy` and a layer in the app behind it, only the outer one injects: a page with two scripts
/// would listen to two servers that know nothing of each other's events.
const INJECTED_BY_OTHER: HeaderName = HeaderName::from_static("tidings-injects");

/// Asks for what a navigation to the same address would get: the page's script does so to patch the page. The value is
/// the destination of that navigation: `document`, `iframe` or `frame`.
const FOR_PATCH: HeaderName = HeaderName::from_static("tidings-patch");

/// Marks a request that [`as_navigation`] has changed.
#[derive(Clone, Copy, Debug)]
struct ForPatch;

/// Changes a request that a page's script makes for its own address, in order to patch the page, into the navigation
/// that it stands for: it must get the response that a reload would get. Returns whether it is one.
///
/// To be called before the request is looked at in any other way. It is a `GET` of the same origin with the header
/// `tidings-patch`, which no other site can send: it would need permission (Fetch 4.10, CORS preflight).
pub fn as_navigation(request: &mut Parts) -> bool {
    let Some(value) = request.headers.remove(FOR_PATCH) else {
        return false;
    };
    if request.method != Method::GET || !guard::is_same_origin(request) {
        return false;
    }
    let headers = &mut request.headers;
    let destination = match value.as_bytes() {
        b"iframe" => "iframe",
        b"frame" => "frame",
        _ => "document",
    };
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(
        ACCEPT,
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    );
    set(HeaderName::from_static("upgrade-insecure-requests"), "1");
    // Browsers send these to trustworthy origins only.
    let (dest, mode) = (
        HeaderName::from_static("sec-fetch-dest"),
        HeaderName::from_static("sec-fetch-mode"),
    );
    if headers.contains_key(&dest) {
        headers.insert(dest, HeaderValue::from_static(destination));
        headers.insert(mode, HeaderValue::from_static("navigate"));
    }
    request.extensions.insert(ForPatch);
    true
}

/// Whether a browser requests this to show it as a document, in a tab or in a frame.
///
/// The method is not examined, except that HEAD for `text/html` asks what a navigation would get: the
/// script in the page does so before it reloads.
///
/// ```
/// use http::{HeaderMap, Method};
/// use tidings::reload::is_navigation;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("sec-fetch-dest", "document".parse()?);
/// assert!(is_navigation(&Method::GET, &headers));
/// headers.insert("sec-fetch-dest", "empty".parse()?);
/// assert!(!is_navigation(&Method::GET, &headers));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    // Fetch Metadata 2.1: the destination is what the response is for. Every current browser sends it,
    // but only to trustworthy origins: https, and http on loopback.
    if let Some(destination) = headers.get("sec-fetch-dest")
        // The response to HEAD must not depend on whether the origin is trustworthy.
        && !(method == Method::HEAD && accepts_html(headers))
    {
        return match destination.as_bytes() {
            b"document" | b"iframe" | b"frame" | b"fencedframe" => true,
            // A navigation that a service worker passes on keeps its mode and loses its destination.
            // Scripts cannot set that mode (Fetch 5.4, step "If mode is navigate").
            b"empty" => headers
                .get("sec-fetch-mode")
                .is_some_and(|mode| mode == "navigate"),
            _ => false,
        };
    }
    if FRAGMENT_HEADERS
        .iter()
        .any(|mark| headers.contains_key(*mark))
    {
        return false;
    }
    // Plain http to a machine in the local network: there is only `Accept`. `fetch()` and `curl` send `*/*`.
    accepts_html(headers)
}

/// A request whose response is shown as a page, and may get the script.
///
/// Only `GET` and `HEAD` are: a page that answers a form's `POST` cannot be reloaded without sending the
/// form once more.
#[derive(Clone, Debug)]
pub struct Navigation {
    is_head: bool,
    /// The response is for a page that is patched, so it is not a page of its own.
    pub(super) is_for_patch: bool,
    /// The path and the query.
    pub(super) address: String,
    /// The host and port of the page's address, as the browser sent them.
    pub(super) authority: Option<String>,
}

impl Navigation {
    /// `None`: what answers this request is not injected into, and the request is to be passed on as it is.
    pub fn of(request: &Parts) -> Option<Navigation> {
        let is_read = matches!(request.method, Method::GET | Method::HEAD);
        let headers = &request.headers;
        if !is_read
            || headers.contains_key(INJECTED_BY_OTHER)
            || !is_navigation(&request.method, headers)
        {
            return None;
        }
        // RFC 9112 3.2.2, RFC 9113 8.3.1: an authority in the target takes precedence over `Host`.
        let target = request.uri.authority().map(|authority| authority.as_str());
        let host = || headers.get(HOST).and_then(|host| host.to_str().ok());
        Some(Navigation {
            is_head: request.method == Method::HEAD,
            is_for_patch: request.extensions.get::<ForPatch>().is_some(),
            address: request
                .uri
                .path_and_query()
                .map_or_else(String::new, ToString::to_string),
            authority: target.or_else(host).map(str::to_owned),
        })
    }

    /// Whether the request is a `HEAD`. Its response has the head that `GET` would get, and no body.
    pub fn is_head(&self) -> bool {
        self.is_head
    }

    /// Prepares the headers of a navigation for the server or service that answers it: the response must be
    /// the whole document, as it is now, in a form that can be read.
    ///
    /// `Range` is removed (a part of a page would lack the script), and so are the conditions (a 304 would
    /// bring back a page with an old state). `Accept-Encoding` becomes `identity`. The request is marked, so
    /// that another layer behind this one does not inject as well.
    pub fn prepare(&self, headers: &mut HeaderMap) {
        for name in [
            RANGE,
            IF_RANGE,
            IF_MATCH,
            IF_NONE_MATCH,
            IF_MODIFIED_SINCE,
            IF_UNMODIFIED_SINCE,
        ] {
            headers.remove(name);
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(INJECTED_BY_OTHER, HeaderValue::from_static("1"));
    }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().any(|accept| {
        let accept = accept.as_bytes().to_ascii_lowercase();
        accept
            .split(|&byte| byte == b',')
            .filter_map(|range| range.split(|&byte| byte == b';').next())
            .any(|range| range.trim_ascii() == b"text/html")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn check(headers: &[(&'static str, &'static str)], expected: bool) {
        check_method(&Method::GET, headers, expected);
    }

    fn check_method(method: &Method, headers: &[(&'static str, &'static str)], expected: bool) {
        let map = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        let is = is_navigation(method, &map.collect());
        assert_eq!(is, expected, "{method} {headers:?}");
    }

    const BROWSER: (&str, &str) = (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    );

    #[test]
    fn a_navigation_through_a_service_worker_is_one() {
        let empty = ("sec-fetch-dest", "empty");
        check(&[empty, ("sec-fetch-mode", "navigate"), BROWSER], true);
        check(&[empty, ("sec-fetch-mode", "cors"), BROWSER], false);
        check(&[empty, BROWSER], false);
    }

    #[test]
    fn the_destination_decides_if_it_is_sent() {
        for destination in ["document", "iframe", "frame", "fencedframe"] {
            check(&[("sec-fetch-dest", destination)], true);
        }
        for destination in [
            "empty", "script", "style", "image", "object", "embed", "worker", "",
        ] {
            check(&[("sec-fetch-dest", destination), BROWSER], false);
        }
    }

    #[test]
    fn without_a_destination_text_html_must_be_accepted() {
        check(&[BROWSER], true);
        check(&[("accept", "Text/HTML")], true);
        check(&[("accept", "*/*")], false);
        check(&[("accept", "text/htmlx, application/json")], false);
        check(&[], false);
    }

    #[test]
    fn head_for_html_asks_for_what_a_navigation_gets_from_every_origin() {
        let html = ("accept", "text/html");
        let empty = [
            ("sec-fetch-dest", "empty"),
            ("sec-fetch-mode", "same-origin"),
        ];
        check_method(&Method::HEAD, &[html], true);
        check_method(&Method::HEAD, &[html, empty[0], empty[1]], true);
        check_method(&Method::GET, &[html, empty[0], empty[1]], false);
        check_method(&Method::HEAD, &[("accept", "*/*")], false);
        check_method(&Method::HEAD, &empty, false);
    }

    #[test]
    fn a_page_that_was_prefetched_or_is_in_a_frame_is_one() {
        check(
            &[
                ("sec-fetch-dest", "document"),
                ("sec-purpose", "prefetch;prerender"),
            ],
            true,
        );
        check(
            &[("sec-fetch-dest", "iframe"), ("x-requested-with", "x")],
            true,
        );
    }

    #[test]
    fn a_request_for_a_patch_becomes_the_navigation_that_it_stands_for() {
        let parts = |headers: &[(&str, &str)]| {
            let mut request = http::Request::get("/a?b").header("host", "localhost:1");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.body(()).unwrap().into_parts().0
        };
        let patch = ("tidings-patch", "iframe");
        let site = |site| ("sec-fetch-site", site);
        let fetch = [("sec-fetch-dest", "empty"), ("sec-fetch-mode", "cors")];
        let mut request = parts(&[
            patch,
            site("same-origin"),
            fetch[0],
            fetch[1],
            ("accept", "*/*"),
        ]);
        assert!(as_navigation(&mut request));
        let header = |name| request.headers.get(name).map(HeaderValue::as_bytes);
        assert_eq!(header("sec-fetch-dest"), Some(&b"iframe"[..]));
        assert_eq!(header("sec-fetch-mode"), Some(&b"navigate"[..]));
        assert_eq!(header("tidings-patch"), None);
        assert!(is_navigation(&request.method, &request.headers));
        assert!(Navigation::of(&request).is_some_and(|it| it.is_for_patch && it.address == "/a?b"));
        // In the local network there is only `Accept`.
        let mut request = parts(&[patch, ("accept", "*/*")]);
        assert!(as_navigation(&mut request) && !request.headers.contains_key("sec-fetch-dest"));
        assert!(Navigation::of(&request).is_some());
        // Of another site it is what it looks like.
        for from in [
            site("cross-site"),
            site("same-site"),
            ("origin", "http://evil.test"),
        ] {
            let mut request = parts(&[patch, from, fetch[0], fetch[1]]);
            assert!(!as_navigation(&mut request));
            assert!(Navigation::of(&request).is_none());
        }
        let mut request = parts(&[fetch[0]]);
        assert!(!as_navigation(&mut request));
    }

    #[test]
    fn a_fragment_is_no_navigation() {
        for mark in FRAGMENT_HEADERS {
            check(&[BROWSER, (mark, "true")], false);
        }
    }
}
