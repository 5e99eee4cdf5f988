//! [`PageBody`]: the body of the response to a navigation, whatever was decided about it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::inject::Outcome;
use super::inject_body::InjectBody;
use super::text_page::TextPage;
use super::versions::Tee;

type OnLeftAlone = Box<dyn FnOnce(&'static str) + Send>;

pin_project! {
    /// The body of a page: as it was, with the script in it, or a page of ours in its place.
    pub struct PageBody<B: Body> {
        #[pin]
        kind: Kind<B>,
        on_left_alone: Option<OnLeftAlone>,
        // Takes what is sent, if it is to be kept.
        tee: Option<Tee>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B: Body> {
        Untouched { #[pin] body: B },
        Injected { #[pin] body: InjectBody<B> },
        Replaced { #[pin] body: TextPage<B> },
        Head,
    }
}

impl<B: Body> PageBody<B> {
    fn new(kind: Kind<B>) -> PageBody<B> {
        PageBody {
            kind,
            on_left_alone: None,
            tee: None,
        }
    }

    /// The body as it is.
    pub fn untouched(body: B) -> PageBody<B> {
        PageBody::new(Kind::Untouched { body })
    }

    /// The document with the script in it. What is sent is kept by the tee, if there is one.
    pub(super) fn injected(body: InjectBody<B>, tee: Option<Tee>) -> PageBody<B> {
        PageBody {
            tee,
            ..PageBody::new(Kind::Injected { body })
        }
    }

    pub(super) fn replaced(body: TextPage<B>) -> PageBody<B> {
        PageBody::new(Kind::Replaced { body })
    }

    /// No body, of a length that is not known: the response to `HEAD`.
    pub(super) fn head() -> PageBody<B> {
        PageBody::new(Kind::Head)
    }

    /// Calls this with the reason if the document turns out to be one that the script cannot be inserted
    /// into. Its head has been sent by then.
    pub fn on_left_alone(&mut self, call: impl FnOnce(&'static str) + Send + 'static) {
        self.on_left_alone = Some(Box::new(call));
    }
}

impl<B: Body> Body for PageBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        match this.kind.project() {
            KindProjection::Untouched { body } => {
                let frame = ready!(body.poll_frame(cx));
                let to_bytes = |mut data: B::Data| data.copy_to_bytes(data.remaining());
                Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(to_bytes))))
            }
            KindProjection::Injected { mut body } => {
                let frame = ready!(body.as_mut().poll_frame(cx));
                match body.outcome() {
                    None => {}
                    Some(Outcome::LeftAlone(why)) => {
                        if let Some(call) = this.on_left_alone.take() {
                            call(why);
                        }
                    }
                    Some(_) => *this.on_left_alone = None,
                }
                *this.tee = match (this.tee.take(), &frame) {
                    (Some(tee), Some(Ok(frame))) => match frame.data_ref() {
                        Some(piece) => tee.push(piece),
                        None => Some(tee),
                    },
                    (Some(tee), None) => {
                        tee.finish();
                        None
                    }
                    (Some(_), Some(Err(_))) | (None, _) => None,
                };
                // Nobody may poll once more then.
                if body.is_end_stream()
                    && let Some(tee) = this.tee.take()
                {
                    tee.finish();
                }
                Poll::Ready(frame)
            }
            KindProjection::Replaced { body } => body.poll_frame(cx),
            KindProjection::Head => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Untouched { body } => body.is_end_stream(),
            Kind::Injected { body } => body.is_end_stream(),
            Kind::Replaced { body } => body.is_end_stream(),
            Kind::Head => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Untouched { body } => body.size_hint(),
            Kind::Injected { body } => body.size_hint(),
            Kind::Replaced { .. } | Kind::Head => SizeHint::default(),
        }
    }
}

impl<B: Body> std::fmt::Debug for PageBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            Kind::Untouched { .. } => "untouched",
            Kind::Injected { .. } => "injected",
            Kind::Replaced { .. } => "replaced",
            Kind::Head => "head",
        };
        f.debug_tuple("PageBody").field(&kind).finish()
    }
}
