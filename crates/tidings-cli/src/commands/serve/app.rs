//! What a request is answered with: the guard comes first, then the server's own paths, then the files.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tidings::http::Endpoint;
use tidings::reload::CLIENT_JS;

use crate::files::{self, Files};
use crate::guard::frames::{self, FRAME_JS, FrameHost};
use crate::guard::{self, Guard, Refusal};
use crate::listen::Answer;
use crate::pages::{CLIENT_PATH, LivePages, STREAM_PATH};
use crate::referrers::Referrers;
use crate::report::{Report, Seen};

/// Where pages say what they have done.
const SEEN_PATH: &str = "/@tidings/seen";

/// How large such a word may be, in bytes.
const SEEN_LIMIT: usize = 1024;

/// How long a sandboxed document has to be opened under its own name.
const FRAME_PATIENCE: Duration = Duration::from_secs(3);

/// Everything of ours begins with this; nothing of a site is looked up there.
const OWN_PREFIX: &str = "/@tidings/";

pub(super) struct App {
    pub(super) guard: Guard,
    pub(super) frame_host: Arc<FrameHost>,
    /// A request that may have come from a sandboxed frame was refused.
    pub(super) said_refused: AtomicBool,
    pub(super) files: Files,
    pub(super) pages: Arc<LivePages>,
    pub(super) referrers: Arc<Referrers>,
    pub(super) endpoint: Endpoint,
    pub(super) report: Arc<Report>,
}

impl App {
    pub(super) async fn answer(
        self: Arc<App>,
        request: Request<Incoming>,
        peer: IpAddr,
    ) -> Answer<files::Body> {
        let (parts, body) = request.into_parts();
        if let Err(refusal) = self.guard.check(&parts) {
            return Answer::Response(refused(refusal));
        }
        let path = parts.uri.path();
        let own = path == STREAM_PATH || path.starts_with(OWN_PREFIX);
        let framed = match self.frame_host.admits(&parts) {
            Ok(framed) => framed,
            Err(refusal) => return Answer::Response(refused(refusal)),
        };
        if path == CLIENT_PATH && (framed || frames::is_foreign_script(&parts)) {
            return Answer::Response(script(FRAME_JS));
        }
        let foreign = match (own, framed) {
            (true, _) => guard::same_origin_only(&parts),
            (false, true) => Ok(()),
            (false, false) => guard::no_foreign_embedding(&parts),
        };
        if let Err(refusal) = foreign {
            if !own && frames::may_be_sandboxed(&parts.headers) {
                self.say_if_frames_do_not_work(path);
            }
            return Answer::Response(refused(refusal));
        }
        Answer::Response(match path {
            _ if own && framed => plain(StatusCode::NOT_FOUND, "not found\n"),
            STREAM_PATH => return Answer::Stream(self.endpoint.respond(&parts)),
            CLIENT_PATH => client_script(&parts.method),
            SEEN_PATH => self.seen(&parts.method, body).await,
            _ if own => plain(StatusCode::NOT_FOUND, "not found\n"),
            _ => {
                self.referrers.record(&parts);
                let request = Request::from_parts(parts, ());
                let response = self.files.respond(&request, Some(peer), &*self.pages);
                match framed {
                    true => self.frame_host.open(response.await, request.headers()),
                    false => response.await,
                }
            }
        })
    }

    /// A sandboxed document loads a few things before it is opened under its own name. Only if that does
    /// not happen is it worth a word.
    fn say_if_frames_do_not_work(&self, path: &str) {
        if self.said_refused.swap(true, Ordering::Relaxed) {
            return;
        }
        let (frame_host, pages) = (Arc::clone(&self.frame_host), Arc::clone(&self.pages));
        let path = path.to_owned();
        tokio::spawn(async move {
            tokio::time::sleep(FRAME_PATIENCE).await;
            if !frame_host.is_used() {
                pages.denied_to_unknown(&path);
            }
        });
    }

    async fn seen(&self, method: &Method, body: Incoming) -> Response<files::Body> {
        if method != Method::POST {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "only POST\n");
        }
        let Ok(body) = Limited::new(body, SEEN_LIMIT).collect().await else {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "too large\n");
        };
        match serde_json::from_slice::<Seen>(&body.to_bytes()) {
            Ok(seen) => {
                self.report.seen(&seen);
                plain(StatusCode::NO_CONTENT, "")
            }
            Err(_) => plain(StatusCode::BAD_REQUEST, "not understood\n"),
        }
    }
}

fn client_script(method: &Method) -> Response<files::Body> {
    let body = match *method {
        Method::GET => CLIENT_JS,
        Method::HEAD => "",
        _ => return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n"),
    };
    let mut response = script(body);
    let headers = response.headers_mut();
    // Its address changes when it does.
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("max-age=31536000, immutable"),
    );
    response
}

fn script(text: &'static str) -> Response<files::Body> {
    let mut response = plain(StatusCode::OK, text);
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/javascript; charset=utf-8"),
    );
    response
}

fn refused(refusal: Refusal) -> Response<files::Body> {
    let mut response = plain(refusal.status, refusal.text);
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<files::Body> {
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
