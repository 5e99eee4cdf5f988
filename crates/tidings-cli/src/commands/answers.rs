//! Answers of the server's own: the script, the pages' reports, refusals.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use crate::files;
use crate::guard::Refusal;
use crate::report::{ChangeReporter, PAGE_ERRORS_LIMIT, PageErrorReporter, PageErrors, PageReport};
use crate::rules::{Redirect, Rules};

/// The largest report of a page, in bytes.
const REPORT_LIMIT: usize = 32 * 1024;

/// Takes a page's report of what it has done about a change.
pub(super) async fn page_reported(
    reporter: &ChangeReporter,
    method: &Method,
    body: Incoming,
) -> Response<files::Body> {
    if method != Method::POST {
        return method_not_allowed("POST", "only POST\n");
    }
    let Ok(body) = Limited::new(body, REPORT_LIMIT).collect().await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "too large\n");
    };
    match PageReport::parse(&body.to_bytes()) {
        Some(report) => {
            reporter.page_reported(&report);
            plain(StatusCode::NO_CONTENT, "")
        }
        None => plain(StatusCode::BAD_REQUEST, "not a report\n"),
    }
}

/// Takes a page's errors.
pub(super) async fn page_failed(
    reporter: Option<&PageErrorReporter>,
    method: &Method,
    body: Incoming,
) -> Response<files::Body> {
    let Some(reporter) = reporter else {
        return plain(
            StatusCode::NOT_FOUND,
            "--forward-console takes the errors of pages\n",
        );
    };
    if method != Method::POST {
        return method_not_allowed("POST", "only POST\n");
    }
    let Ok(body) = Limited::new(body, PAGE_ERRORS_LIMIT).collect().await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "too large\n");
    };
    match serde_json::from_slice::<PageErrors>(&body.to_bytes()) {
        Ok(errors) => {
            reporter.report(errors);
            plain(StatusCode::NO_CONTENT, "")
        }
        Err(_) => plain(StatusCode::BAD_REQUEST, "not errors of a page\n"),
    }
}

pub(super) fn script(text: &'static str) -> Response<files::Body> {
    let mut response = plain(StatusCode::OK, text);
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/javascript; charset=utf-8"),
    );
    response
}

/// The answer to a request that a rule redirects.
pub(super) fn redirected(redirect: Redirect, rules: &Rules, path: &str) -> Response<files::Body> {
    let mut response = plain(redirect.status, "");
    let headers = response.headers_mut();
    headers.insert(LOCATION, redirect.location);
    // A browser would keep a permanent redirect for ever, also when the rule is gone.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    rules.set_headers(path, headers);
    response
}

pub(super) fn refused(refusal: Refusal) -> Response<files::Body> {
    let mut response = plain(refusal.status, refusal.text);
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// RFC 9110 15.5.6: says which methods are.
pub(super) fn method_not_allowed(
    allowed: &'static str,
    text: &'static str,
) -> Response<files::Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, text);
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(super) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<files::Body> {
    let mut response = Response::new(files::Body::whole(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
