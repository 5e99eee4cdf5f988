//! The body of a response as hyper sees it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tidings::http::SseBody;

use super::http_io::{Placeholder, Underway};

/// The body that hyper sends.
pub(super) struct Sending<B> {
    pub(super) body: ResponseBody<B>,
    /// Hyper drops a body when it has taken all of it.
    pub(super) _underway: Underway,
}

pub(super) enum ResponseBody<B> {
    Ordinary(B),
    /// A stream that stays with hyper.
    Stream(SseBody),
    /// A stream that leaves hyper after its head.
    Direct(Placeholder),
    Empty,
}

impl<B: Body<Data = Bytes, Error = io::Error> + Unpin> Body for Sending<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.get_mut().body {
            ResponseBody::Ordinary(body) => Pin::new(body).poll_frame(cx),
            ResponseBody::Stream(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|never| match never {}))),
            ResponseBody::Direct(placeholder) => placeholder.poll_frame(),
            ResponseBody::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            ResponseBody::Ordinary(body) => body.is_end_stream(),
            ResponseBody::Stream(body) => body.is_end_stream(),
            ResponseBody::Direct(_) => false,
            ResponseBody::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            ResponseBody::Ordinary(body) => body.size_hint(),
            ResponseBody::Stream(body) => body.size_hint(),
            ResponseBody::Direct(_) => SizeHint::default(),
            ResponseBody::Empty => SizeHint::with_exact(0),
        }
    }
}
