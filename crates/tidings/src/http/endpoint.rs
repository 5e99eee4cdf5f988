//! [`Endpoint`]: `GET /server-sent-events`, as a tower service.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::X_CONTENT_TYPE_OPTIONS;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use percent_encoding::percent_decode_str;
use tower_service::Service;

use super::body::SseBody;
use crate::hub::Hub;
use crate::id::{Cursor, EventId};
use crate::jitter;
use crate::sse::retry_line;
use crate::subscription::Subscription;
use crate::topic::Interest;

/// The names under which clients send the id where they cannot set a header: all are in use.
const QUERY_NAMES: [&str; 4] = [
    "last_event_id",
    "lastEventID",
    "lastEventId",
    "Last-Event-ID",
];

const DEFAULT_RETRY: Duration = Duration::from_secs(1);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Serves a hub's streams.
///
/// A `GET` opens a stream: from the `Last-Event-ID` header, else from the query parameter
/// `last_event_id`, else as a newcomer who gets the full status first. `HEAD` gets the same head and
/// no stream. Other methods get 405. Who asks for [finished](Hub::finish) topics gets 204, which tells
/// a browser to stop for good. While the hub is closed, a stream ends as soon as it has told the
/// client when to come back.
///
/// ```
/// use tidings::{Hub, http::Endpoint};
///
/// let hub = Hub::memory();
/// let app = axum::Router::<()>::new()
///     .route_service("/server-sent-events", Endpoint::new(hub, "news"));
/// ```
#[derive(Clone)]
pub struct Endpoint {
    hub: Hub,
    select: Arc<Select>,
    label: Option<Arc<Label>>,
    retry: Duration,
}

type Select = dyn Fn(&Parts) -> Result<Interest, StatusCode> + Send + Sync;
type Label = dyn Fn(&Parts) -> String + Send + Sync;

impl Endpoint {
    /// Streams of the same interest for all clients: usually one topic.
    pub fn new(hub: Hub, interest: impl Into<Interest>) -> Endpoint {
        let interest = interest.into();
        Endpoint::selecting(hub, move |_| Ok(interest.clone()))
    }

    /// Streams of an interest chosen by request. The function returns a status code instead to refuse the
    /// request; note that every status but 200 makes a browser give up for good.
    pub fn selecting(
        hub: Hub,
        select: impl Fn(&Parts) -> Result<Interest, StatusCode> + Send + Sync + 'static,
    ) -> Endpoint {
        Endpoint {
            hub,
            select: Arc::new(select),
            label: None,
            retry: DEFAULT_RETRY,
        }
    }

    /// How long clients wait before they reconnect: at random between this and twice this, so that
    /// a restart does not bring all of them back in one burst. The default is one second. At least
    /// 50 ms are kept, because browsers take 0 literally.
    #[must_use]
    pub fn retry(mut self, least: Duration) -> Endpoint {
        self.retry = least.max(Duration::from_millis(50));
        self
    }

    /// Gives each stream a label for [`Hub::streams`].
    #[must_use]
    pub fn label(mut self, label: impl Fn(&Parts) -> String + Send + Sync + 'static) -> Endpoint {
        self.label = Some(Arc::new(label));
        self
    }

    /// Answers one request.
    pub fn respond(&self, request: &Parts) -> Response<SseBody> {
        match request.method {
            Method::GET | Method::HEAD => {}
            _ => {
                let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
                let allowed = HeaderValue::from_static("GET, HEAD");
                response.headers_mut().insert(ALLOW, allowed);
                return response;
            }
        }
        let interest = match (self.select)(request) {
            Ok(interest) => interest,
            Err(status) => return empty(status),
        };
        if self.hub.is_finished(&interest) {
            return stop();
        }
        let body = if request.method == Method::HEAD {
            SseBody::empty()
        } else if self.hub.is_closed() {
            SseBody::last(greeting(self.retry))
        } else {
            let hub = self.hub.clone();
            let cursor = cursor(request);
            let label = self.label.as_ref().map(|label| label(request));
            let subscribing = async move { hub.subscribe_as(interest, cursor, label).await };
            SseBody::opening(greeting(self.retry), Box::pin(subscribing))
        };
        let kept = request.version == Version::HTTP_11 && !closes(request);
        stream(body, kept)
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("hub", &self.hub)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for Endpoint {
    type Response = Response<SseBody>;
    type Error = Infallible;
    type Future = Ready<Result<Response<SseBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // A body on a GET means nothing to us (RFC 9110 9.3.1), so it is dropped unread.
        ready(Ok(self.respond(&request.into_parts().0)))
    }
}

/// The response that tells a browser to stop for good: 204 (WHATWG HTML 9.2.3).
pub fn stop() -> Response<SseBody> {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The response for a subscription that a handler made by itself: the same bytes as an [`Endpoint`]'s,
/// with the default reconnection time.
///
/// It does not know the version of the request, so it says nothing about `Connection`.
///
/// ```
/// use axum::response::IntoResponse;
/// use axum::http::StatusCode;
/// use tidings::{Cursor, Hub, http::response};
///
/// async fn news(hub: Hub) -> impl IntoResponse {
///     match hub.subscribe("news", Cursor::Latest).await {
///         Ok(subscription) => response(subscription).into_response(),
///         Err(_) => StatusCode::NO_CONTENT.into_response(),
///     }
/// }
/// ```
pub fn response(subscription: Subscription) -> Response<SseBody> {
    let subscribing = Box::pin(ready(Ok(subscription)));
    let body = SseBody::opening(greeting(DEFAULT_RETRY), subscribing);
    stream(body, false)
}

/// A comment, so that there are bytes before there is any event, and a random reconnection time, so
/// that a restart does not bring all clients back in one burst. Not a block of its own, but the first
/// lines of the first event's.
fn greeting(retry: Duration) -> Bytes {
    let retry = retry.saturating_add(jitter::up_to(retry));
    Bytes::from(format!(": tidings\n{}", retry_line(retry)))
}

fn empty(status: StatusCode) -> Response<SseBody> {
    let mut response = Response::new(SseBody::empty());
    *response.status_mut() = status;
    response
}

/// Whether the client closes the connection after this answer. The server then says so, and must not
/// say the opposite beside it (RFC 9112 9.6).
fn closes(request: &Parts) -> bool {
    let values = request.headers.get_all(CONNECTION).iter();
    let mut options = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    options.any(|option| option.trim().eq_ignore_ascii_case("close"))
}

/// `kept`: say that the connection stays open after it.
fn stream(body: SseBody, kept: bool) -> Response<SseBody> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_TYPE, "text/event-stream");
    set(CACHE_CONTROL, "no-store, no-transform");
    set(X_ACCEL_BUFFERING, "no");
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    if kept {
        set(CONNECTION, "keep-alive");
    }
    response
}

/// Where the client wants to resume. The header wins over the query: the address of an `EventSource`
/// keeps the value it was made with on every reconnect.
fn cursor(request: &Parts) -> Cursor {
    let header = request.headers.get(LAST_EVENT_ID);
    let id = match header {
        // Browsers send the id as UTF-8 (WHATWG HTML 9.2.3).
        Some(value) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        None => match request.uri.query().and_then(id_in_query) {
            Some(id) => id,
            None => return Cursor::Latest,
        },
    };
    if id.is_empty() {
        return Cursor::Latest;
    }
    match EventId::new(&id) {
        Ok(id) => Cursor::After(id),
        // Not an id at all. The reader still gets a gap.
        Err(_) => Cursor::After(EventId::malformed()),
    }
}

fn id_in_query(query: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        QUERY_NAMES.contains(&name).then(|| {
            let spaced = value.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: Option<&str>, uri: &str, expected: Option<&str>) {
        let mut request = Request::get(uri);
        if let Some(header) = header {
            let value = HeaderValue::from_bytes(header.as_bytes()).unwrap();
            request = request.header(LAST_EVENT_ID, value);
        }
        let expected = match expected {
            None => Cursor::Latest,
            Some(id) => Cursor::After(EventId::new(id).unwrap()),
        };
        assert_eq!(cursor(&request.body(()).unwrap().into_parts().0), expected);
    }

    #[test]
    fn the_header_wins_over_the_query() {
        check(Some("a.1"), "/?last_event_id=b.2", Some("a.1"));
        check(None, "/?x=1&last_event_id=b.2", Some("b.2"));
        check(None, "/?lastEventID=b%2E3&y", Some("b.3"));
        check(None, "/?Last-Event-ID=a+b", Some("a b"));
        check(None, "/?last_event_id=", None);
        check(None, "/?other=1", None);
        check(None, "/", None);
    }

    #[test]
    fn the_header_is_utf_8() {
        check(Some("é雪"), "/", Some("é雪"));
    }

    #[test]
    fn an_id_that_cannot_be_one_is_a_gap_not_a_newcomer() {
        for (header, uri) in [
            (None, "/?last_event_id=a%0Ab"),
            (Some("x".repeat(5000)), "/"),
        ] {
            let mut request = Request::get(uri);
            if let Some(header) = header {
                request = request.header(LAST_EVENT_ID, header);
            }
            let cursor = cursor(&request.body(()).unwrap().into_parts().0);
            assert_eq!(cursor, Cursor::After(EventId::malformed()), "{uri}");
        }
    }
}
