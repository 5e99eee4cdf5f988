//! Any `Last-Event-ID`, in the header and in the URL: there is a response, and its body begins.
#![no_main]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use arbitrary::Arbitrary;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body::Body;
use libfuzzer_sys::fuzz_target;
use tidings::http::Endpoint;
use tidings::{Event, Hub};

#[derive(Arbitrary, Debug)]
struct Asked<'a> {
    header: Option<&'a [u8]>,
    query: &'a [u8],
    head: bool,
}

fuzz_target!(|asked: Asked<'_>| {
    let hub = Hub::memory();
    for n in 0..3 {
        let mut published = std::pin::pin!(hub.publish("news", Event::data(n.to_string())));
        assert!(poll(published.as_mut()).is_ready());
    }
    let endpoint = Endpoint::new(hub, "news");
    let query = String::from_utf8_lossy(asked.query);
    let mut request = Request::builder().uri(format!("/events?last_event_id={query}"));
    if asked.head {
        request = request.method(Method::HEAD);
    }
    if let Some(header) = asked.header {
        let Ok(header) = HeaderValue::from_bytes(header) else {
            return;
        };
        request = request.header("last-event-id", header);
    }
    // Some inputs are not valid URLs.
    let Ok(request) = request.body(()) else {
        return;
    };
    let response = endpoint.respond(&request.into_parts().0);
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = std::pin::pin!(response.into_body());
    let mut context = Context::from_waker(Waker::noop());
    let mut frames = 0;
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut context) {
        let bytes = frame.into_data().expect("data");
        assert!(bytes.ends_with(b"\n"), "{bytes:?}");
        frames += 1;
        assert!(frames < 20, "it never waits");
    }
    assert_eq!(frames == 0, asked.head);
});

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
