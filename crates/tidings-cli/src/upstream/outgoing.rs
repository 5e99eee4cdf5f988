//! The body of a request on its way to the backend. With `Expect: 100-continue` it is held back until the
//! backend wants it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::oneshot;

/// RFC 9110 10.1.1: a client should not wait for a 100 for ever, because not every server sends one.
const EXPECT_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) struct OutgoingBody {
    /// `None`: there is no body.
    inner: Option<UnsyncBoxBody<Bytes, io::Error>>,
    gate: Option<Gate>,
}

struct Gate {
    opened: Pin<Box<dyn Future<Output = ()> + Send>>,
    sent: Sent,
}

/// Whether the body is still held back.
#[derive(Clone, Default)]
pub(super) struct Sent(Option<Arc<AtomicBool>>);

impl Sent {
    pub(super) fn is_held_back(&self) -> bool {
        let opened = self.0.as_ref();
        opened.is_some_and(|opened| !opened.load(Ordering::Acquire))
    }
}

impl OutgoingBody {
    pub(super) fn new<B>(body: B) -> OutgoingBody
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let inner = (!body.is_end_stream())
            .then(|| UnsyncBoxBody::new(body.map_err(|error| io::Error::other(error.into()))));
        OutgoingBody { inner, gate: None }
    }

    pub(super) fn empty() -> OutgoingBody {
        OutgoingBody {
            inner: None,
            gate: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inner.is_none()
    }

    pub(super) fn sent(&self) -> Sent {
        self.gate
            .as_ref()
            .map(|gate| gate.sent.clone())
            .unwrap_or_default()
    }
}

/// Holds the body back until the backend has answered 100, or has not answered at all for a while. If it
/// answers otherwise, it does not want the body.
pub(super) fn hold_back(request: &mut Request<OutgoingBody>) {
    let (open, opened) = oneshot::channel();
    let open = Mutex::new(Some(open));
    hyper::ext::on_informational(request, move |response| {
        if response.status() == StatusCode::CONTINUE
            // Held to take the sender.
            && let Some(open) = open.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            let _ = open.send(());
        }
    });
    let opened = async move {
        tokio::select! {
            // hyper drops the callback when it has the response.
            opened = opened => if opened.is_err() {
                std::future::pending::<()>().await;
            },
            () = tokio::time::sleep(EXPECT_TIMEOUT) => {}
        }
    };
    request.body_mut().gate = Some(Gate {
        opened: Box::pin(opened),
        sent: Sent(Some(Arc::default())),
    });
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(gate) = &mut self.gate {
            ready!(gate.opened.as_mut().poll(cx));
            if let Some(opened) = &gate.sent.0 {
                opened.store(true, Ordering::Release);
            }
            self.gate = None;
        }
        match &mut self.inner {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(body) => body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}
