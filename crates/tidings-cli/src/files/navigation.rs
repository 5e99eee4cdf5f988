//! Whether a request is for a page that will be shown, and not for a piece of one.
//!
//! Only such an answer may carry the script: a fragment that htmx or Turbo fetches, a template
//! that a script reads or a file that `curl` downloads must arrive as it is on disk.

use std::net::IpAddr;

use http::Method;
use http::header::{ACCEPT, HeaderMap};

/// What libraries send with the requests they make for fragments. They matter only to browsers
/// and origins without fetch metadata.
const FRAGMENT_MARKS: [&str; 4] = ["x-requested-with", "hx-request", "turbo-frame", "x-pjax"];

pub(crate) fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    // Fetch Metadata 2.1: the destination says what the answer is for. Sent by every current
    // browser, but only to trustworthy origins: https, and http on loopback.
    if let Some(destination) = headers.get("sec-fetch-dest")
        // Whoever asks with HEAD for `text/html` wants to know what a navigation would get, as our own
        // script does before it reloads. That is to be the same wherever the page came from.
        && !(method == Method::HEAD && accepts_html(headers))
    {
        return match destination.as_bytes() {
            b"document" | b"iframe" | b"frame" | b"fencedframe" => true,
            // A service worker that passes a navigation on keeps its mode and loses its destination.
            // No script can ask for that mode by itself (Fetch 5.4, step "If mode is navigate").
            b"empty" => headers
                .get("sec-fetch-mode")
                .is_some_and(|mode| mode == "navigate"),
            _ => false,
        };
    }
    if FRAGMENT_MARKS
        .iter()
        .any(|mark| headers.contains_key(*mark))
    {
        return false;
    }
    // Plain http to a machine in the local network: all there is to go by is what is accepted.
    // `fetch()` and `curl` say `*/*`.
    accepts_html(headers)
}

/// Whether this is a document that another page of ours has put into a frame.
pub(crate) fn is_framed_by_us(headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
    is("sec-fetch-site", "same-origin")
        && (is("sec-fetch-dest", "iframe") || is("sec-fetch-dest", "frame"))
}

/// Whether somebody on this machine has asked for this, by a page of ours or by the address, so that the answer
/// may say more than to strangers.
pub(crate) fn is_by_local_user(peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    peer.is_some_and(|peer| peer.to_canonical().is_loopback())
        && sites.all(|site| site == "same-origin" || site == "none")
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
    fn the_destination_decides_where_it_is_sent() {
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
    fn without_a_destination_text_html_must_be_asked_for() {
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
    fn a_fragment_is_no_navigation() {
        for mark in FRAGMENT_MARKS {
            check(&[BROWSER, (mark, "true")], false);
        }
    }
}
