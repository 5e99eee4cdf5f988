use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, HOST, IF_NONE_MATCH, RANGE};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};

use super::super::{PageKind, PageState};
use super::*;
use crate::id::EventId;

fn navigation(method: Method) -> Navigation {
    let request = Request::builder()
        .method(method)
        .header(HOST, "localhost:3000")
        .header("accept", "text/html")
        .body(());
    Navigation::of(&request.unwrap().into_parts().0).unwrap()
}

fn response(status: u16, headers: &[(&str, &str)], body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap()
}

fn respond(
    navigation: &Navigation,
    response: Response<Full<Bytes>>,
) -> Response<PageBody<Full<Bytes>>> {
    let state = PageState::at(EventId::new("00.7").unwrap());
    let script = ScriptElement::new(
        "/@tidings/client.js?1",
        "/@tidings/events",
        &state,
        PageKind::Other,
    );
    let decision = navigation.decide(&response, &[]);
    navigation.respond(decision, response, script)
}

/// The head and the text of the response to a GET.
#[track_caller]
fn shown(given: Response<Full<Bytes>>) -> (Response<()>, String) {
    let response = respond(&navigation(Method::GET), given);
    let (head, body) = response.into_parts();
    let mut body = std::pin::pin!(body.collect());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(body) = body.as_mut().poll(&mut cx) else {
        panic!("still pending");
    };
    let text = String::from_utf8(body.unwrap().to_bytes().into()).unwrap();
    (Response::from_parts(head, ()), text)
}

#[track_caller]
fn check(status: u16, headers: &[(&str, &str)], body: &'static str, expected: Decision) {
    let given = response(status, headers, body);
    let decision = navigation(Method::GET).decide(&given, &[]);
    assert_eq!(decision, expected, "{status} {headers:?} {body:?}");
    if let Decision::Leave(_) = decision {
        let head = given.headers().clone();
        let (response, text) = shown(given);
        assert_eq!((response.headers(), text.as_str()), (&head, body));
    }
}

const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");
const PLAIN: (&str, &str) = ("content-type", "text/plain; charset=utf-8");

#[test]
fn html_is_injected_into_whatever_its_status_and_charset_are() {
    for status in [200, 201, 300, 401, 404, 422, 500, 503] {
        check(status, &[HTML], "x", Decision::Inject);
    }
    for content_type in [
        "text/html",
        "TEXT/HTML;charset=ISO-8859-1",
        "text/html; charset=\"Shift_JIS\"",
        "text/html; charset=nonsense",
        "text/html; charset=x-user-defined",
        "text/html; charset=unicode-1-1-utf-8",
    ] {
        check(
            200,
            &[("content-type", content_type)],
            "x",
            Decision::Inject,
        );
    }
    check(
        200,
        &[HTML, ("content-disposition", "inline")],
        "x",
        Decision::Inject,
    );
    check(200, &[HTML], "", Decision::Inject);
}

#[test]
fn what_is_no_page_or_cannot_be_one_is_left_alone() {
    let alone = |status, headers: &[(&str, &str)], why: Option<&'static str>| {
        check(status, headers, "x", Decision::Leave(why));
    };
    for status in [204, 205, 304] {
        alone(status, &[HTML], None);
    }
    alone(302, &[HTML, ("location", "/")], None);
    alone(206, &[HTML], Some("it is a part of a document"));
    alone(
        200,
        &[HTML, ("content-disposition", "Attachment; filename=a.html")],
        None,
    );
    alone(200, &[], Some("it has no Content-Type"));
    alone(200, &[("content-type", "application/zip")], None);
    let by_itself = Some("it is opened by itself, and only an HTML page can carry the script");
    for content_type in [
        "image/svg+xml",
        "application/json",
        "text/css",
        "text/plain",
        "image/png",
    ] {
        alone(200, &[("content-type", content_type)], by_itself);
    }
    let xhtml = Some("it is XHTML, which the rules of HTML would break");
    alone(200, &[("content-type", "application/xhtml+xml")], xhtml);
    let utf16 = Some("it is UTF-16, which the script cannot be added to");
    for charset in ["utf-16", "UTF-16LE", "utf-16be", "ucs-2", "unicode"] {
        let content_type = format!("text/html; x=y; charset={charset}");
        alone(200, &[("content-type", &content_type)], utf16);
    }
    let sandbox = ("content-security-policy", "sandbox");
    alone(
        200,
        &[HTML, sandbox],
        Some("its Content-Security-Policy puts it in a sandbox"),
    );
}

#[test]
fn an_error_as_text_or_without_content_becomes_a_page_and_json_stays_json() {
    check(500, &[PLAIN], "panic", Decision::Replace);
    check(
        404,
        &[("content-type", "text/plain")],
        "no",
        Decision::Replace,
    );
    check(500, &[], "", Decision::Replace);
    check(502, &[HTML, ("content-length", "0")], "", Decision::Replace);
    check(500, &[HTML], "", Decision::Replace);
    check(404, &[HTML, ("content-length", "1")], "x", Decision::Inject);
    let json = ("content-type", "application/json");
    let by_itself = Some("it is opened by itself, and only an HTML page can carry the script");
    check(500, &[json], "{}", Decision::Leave(by_itself));
    check(200, &[], "", Decision::Leave(None));
    let utf16 = ("content-type", "text/plain; charset=utf-16");
    check(500, &[utf16], "x", Decision::Leave(by_itself));
}

#[test]
fn a_compressed_page_is_left_alone_unless_the_caller_decodes_it() {
    let compressed = Decision::Leave(Some("it is compressed"));
    for encoding in ["gzip", "br, gzip", "zstd"] {
        check(
            200,
            &[HTML, ("content-encoding", encoding)],
            "x",
            compressed,
        );
    }
    check(
        200,
        &[HTML, ("content-encoding", "identity")],
        "x",
        Decision::Inject,
    );
    let decides = |encoding, decoded: &[&str]| {
        let given = response(200, &[HTML, ("content-encoding", encoding)], "x");
        navigation(Method::GET).decide(&given, decoded)
    };
    assert_eq!(decides("GZip", &["gzip", "br"]), Decision::Inject);
    assert_eq!(decides("br, gzip", &["gzip", "br"]), Decision::Inject);
    assert_eq!(decides("br, zstd", &["gzip", "br"]), compressed);
    // What is not to be changed need not be decoded.
    let zip = response(
        200,
        &[
            ("content-type", "application/zip"),
            ("content-encoding", "gzip"),
        ],
        "x",
    );
    let decision = navigation(Method::GET).decide(&zip, &["gzip"]);
    assert_eq!(decision, Decision::Leave(None));
}

#[test]
fn the_head_of_an_injected_page_is_right_for_it() {
    let (head, text) = shown(response(
        404,
        &[
            HTML,
            ("content-length", "8"),
            ("etag", "\"1\""),
            ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("expires", "Thu, 01 Jan 2970 00:00:00 GMT"),
            ("cache-control", "public, max-age=600"),
            ("accept-ranges", "bytes"),
            ("content-md5", "x"),
            ("digest", "x"),
            ("content-digest", "x"),
            ("repr-digest", "x"),
            ("vary", "Cookie"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("x-powered-by", "me"),
            (
                "content-security-policy",
                "script-src 'nonce-abc'; worker-src 'self'",
            ),
        ],
        "<p>hello",
    ));
    assert_eq!(
        text,
        r#"<script src="/@tidings/client.js?1" data-stream="/@tidings/events" data-cursor="00.7" data-any data-policy="head" nonce="abc"></script><p>hello"#
    );
    assert_eq!(head.status(), 404);
    let headers: Vec<_> = head
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    let mut expected = vec![
        HTML,
        ("cache-control", "no-cache"),
        ("vary", "Cookie"),
        ("vary", "Sec-Fetch-Dest, Accept"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-powered-by", "me"),
        (
            "content-security-policy",
            "script-src 'nonce-abc'; worker-src 'self'",
        ),
    ];
    let mut headers = headers;
    headers.sort_unstable();
    expected.sort_unstable();
    assert_eq!(headers, expected);
}

#[test]
fn an_app_that_forbids_storing_a_page_is_obeyed() {
    let (head, _) = shown(response(
        200,
        &[HTML, ("cache-control", "private, No-Store")],
        "x",
    ));
    assert_eq!(head.headers()[CACHE_CONTROL], "private, No-Store");
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let given = [
        HTML,
        ("content-length", "8"),
        ("etag", "\"1\""),
        ("content-security-policy", "script-src 'none'"),
    ];
    let (get, _) = shown(response(200, &given, "<p>hello"));
    let head = respond(&navigation(Method::HEAD), response(200, &given, ""));
    assert_eq!(head.headers(), get.headers());
    assert!(head.body().is_end_stream());
    // A `Content-Length: 0` would be a lie about what GET gets.
    assert_eq!(head.body().size_hint().exact(), None);
}

#[test]
fn the_page_of_an_error_shows_its_text_and_keeps_its_status_and_headers() {
    let (head, text) = shown(response(
        503,
        &[
            ("content-type", "text/plain; charset=iso-8859-1"),
            ("content-length", "8"),
            ("retry-after", "5"),
            ("content-security-policy", "default-src 'none'"),
        ],
        "a < b &\n\x1b[1;31mred\x1b[0m </pre><script>x</script>",
    ));
    assert_eq!(head.status(), 503);
    let headers = head.headers();
    assert_eq!(headers["retry-after"], "5");
    assert_eq!(headers[CONTENT_TYPE], "text/html; charset=iso-8859-1");
    assert!(!headers.contains_key(CONTENT_LENGTH));
    // Ours in place of the app's, under which the page would have no style.
    assert_eq!(headers[CONTENT_SECURITY_POLICY], text_page::POLICY);
    assert!(
        text.contains("<title>503 Service Unavailable</title>"),
        "{text}"
    );
    assert!(
        text.contains("a &lt; b &amp;\nred &lt;/pre&gt;&lt;script&gt;x&lt;/script&gt;</pre>"),
        "{text}"
    );
    assert_eq!(text.matches("<script").count(), 1, "{text}");
    assert!(!text.contains("has no content"), "{text}");
    let (_, text) = shown(response(500, &[PLAIN], ""));
    assert!(text.contains("The response has no content."), "{text}");
}

#[test]
fn the_request_asks_for_the_whole_page_as_it_is_and_says_that_it_is_injected_into() {
    let mut request = Request::builder()
        .header(HOST, "localhost")
        .header("sec-fetch-dest", "document")
        .header(RANGE, "bytes=0-1")
        .header("if-range", "x")
        .header(IF_NONE_MATCH, "\"1\"")
        .header("if-modified-since", "x")
        .header("if-match", "x")
        .header("if-unmodified-since", "x")
        .header(ACCEPT_ENCODING, "gzip, br")
        .header("cookie", "a=1")
        .body(())
        .unwrap()
        .into_parts()
        .0;
    let navigation = Navigation::of(&request).unwrap();
    navigation.prepare(&mut request.headers);
    let mut names: Vec<_> = request.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "accept-encoding",
        "cookie",
        "host",
        "sec-fetch-dest",
        "tidings-injects",
    ];
    assert_eq!(names, expected);
    assert_eq!(request.headers[ACCEPT_ENCODING], "identity");
    // So a second layer behind the first one does nothing.
    assert!(Navigation::of(&request).is_none());
}

#[test]
fn the_answer_to_a_form_gets_no_script_because_a_reload_would_send_it_again() {
    for (method, expected) in [
        (Method::GET, true),
        (Method::HEAD, true),
        (Method::POST, false),
    ] {
        let request = Request::builder()
            .method(&method)
            .header("sec-fetch-dest", "document")
            .header("accept", "text/html")
            .body(());
        let is = Navigation::of(&request.unwrap().into_parts().0).is_some();
        assert_eq!(is, expected, "{method}");
    }
}
