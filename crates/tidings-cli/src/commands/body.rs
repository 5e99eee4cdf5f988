//! The body of an answer, wherever it comes from.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};
use tidings::reload::PageBody;

use super::link::{Link, Pacer, with_held};
use crate::files;
use crate::listen::Answer;
use crate::upstream::{Decoded, UpstreamBody};

pub(super) struct Body {
    kind: Kind,
    /// An error that has not been told yet.
    failed: Option<io::Error>,
    /// What `--slow` makes of it.
    pacer: Option<Box<Pacer>>,
    /// Dropped with the body.
    #[expect(dead_code, reason = "it is kept for what happens when it is dropped")]
    kept: Option<Box<dyn Send>>,
}

enum Kind {
    /// A file, or something of the server's own.
    Own(files::Body),
    /// What a backend sends, as it is.
    Upstream(UpstreamBody),
    /// A page of a backend, with the script.
    Page(Box<PageBody<Decoded<UpstreamBody>>>),
}

impl Body {
    fn new(kind: Kind) -> Body {
        Body {
            kind,
            failed: None,
            pacer: None,
            kept: None,
        }
    }

    /// Keeps this until the body is sent.
    pub(super) fn holding(self, kept: impl Send + 'static) -> Body {
        Body {
            kept: Some(Box::new(kept)),
            ..self
        }
    }

    /// Sends it over this link.
    pub(super) fn over(self, link: &Arc<Link>) -> Body {
        Body {
            pacer: Some(Box::new(link.download())),
            ..self
        }
    }

    pub(super) fn own(body: files::Body) -> Body {
        Body::new(Kind::Own(body))
    }

    pub(super) fn upstream(body: UpstreamBody) -> Body {
        Body::new(Kind::Upstream(body))
    }

    pub(super) fn page(body: PageBody<Decoded<UpstreamBody>>) -> Body {
        Body::new(Kind::Page(Box::new(body)))
    }
}

impl Body {
    fn held(&self) -> usize {
        self.pacer.as_ref().map_or(0, |pacer| pacer.held())
    }
}

impl Kind {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self {
            Kind::Own(body) => Pin::new(body).poll_frame(cx),
            Kind::Upstream(body) => Pin::new(body).poll_frame(cx),
            Kind::Page(body) => Pin::new(&mut **body).poll_frame(cx),
        }
    }
}

/// An answer over this link.
pub(super) fn over(link: &Arc<Link>, answer: Answer<Body>) -> Answer<Body> {
    match answer {
        Answer::Response(response) => Answer::Response(response.map(|body| body.over(link))),
        // A stream of the server's own is never slow.
        answer => answer,
    }
}

/// An answer of the server's own.
pub(super) fn own(response: Response<files::Body>) -> Answer<Body> {
    Answer::Response(response.map(Body::own))
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let kind = &mut this.kind;
        let polled = match &mut this.pacer {
            None => kind.poll_frame(cx),
            Some(pacer) => pacer.poll_frame(cx, |cx| kind.poll_frame(cx)),
        };
        match polled {
            // hyper closes the connection without sending what it has buffered. So it gets the chance to send
            // that first, the head included.
            Poll::Ready(Some(Err(error))) => {
                this.failed = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            _ if self.failed.is_some() || self.held() > 0 => false,
            Kind::Own(body) => body.is_end_stream(),
            Kind::Upstream(body) => body.is_end_stream(),
            Kind::Page(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let hint = match &self.kind {
            Kind::Own(body) => body.size_hint(),
            Kind::Upstream(body) => body.size_hint(),
            Kind::Page(body) => body.size_hint(),
        };
        with_held(hint, self.held())
    }
}
