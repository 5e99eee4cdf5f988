//! [`InjectBody`]: an HTML document with the script in it, as it streams.
//!
//! What must stay true: a piece of the document is passed on as soon as the inner body has it, except for
//! what the [`Injector`] needs to find the place for the script; trailers and errors pass.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::inject::{Injector, Outcome};

pin_project! {
    /// Inserts a script element into an HTML document, piece by piece, whatever body it comes from.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http_body_util::{BodyExt, Full};
    /// use tidings::reload::InjectBody;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let page = Full::new(Bytes::from_static(b"<!doctype html><title>Hi</title>"));
    /// let body = InjectBody::new(page, Bytes::from_static(b"<script src=/x.js></script>"));
    /// let sent = body.collect().await.unwrap().to_bytes();
    /// assert_eq!(sent, "<!doctype html><script src=/x.js></script><title>Hi</title>");
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct InjectBody<B: Body> {
        #[pin]
        inner: B,
        injector: Injector,
        snippet_bytes: u64,
        // What is shown in place of a document without content; `None` as soon as there is some.
        blank: Option<Bytes>,
        // What can be sent. Empty before the inner body is polled.
        sendable: VecDeque<Bytes>,
        // What comes after that.
        end: Option<End<B::Error>>,
    }
}

/// How the inner body has ended.
#[derive(Debug)]
enum End<E> {
    Trailers(HeaderMap),
    Failed(E),
    Ended,
}

impl<B: Body> InjectBody<B> {
    /// The body of a document that `snippet`, an element in ASCII, is to be inserted into.
    pub fn new(inner: B, snippet: Bytes) -> InjectBody<B> {
        InjectBody {
            inner,
            snippet_bytes: snippet.len() as u64,
            injector: Injector::new(snippet),
            blank: None,
            sendable: VecDeque::new(),
            end: None,
        }
    }

    /// What is sent after the script element if the document turns out to have no content. For one of
    /// unknown length.
    pub(super) fn or_if_blank(mut self, page: Bytes) -> InjectBody<B> {
        self.blank = Some(page);
        self
    }

    /// What was done with the document; `None` until that is decided.
    pub fn outcome(&self) -> Option<Outcome> {
        self.injector.outcome()
    }
}

impl<B: Body> Body for InjectBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        loop {
            if let Some(bytes) = this.sendable.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            match this.end.take() {
                None => {}
                Some(End::Trailers(trailers)) => {
                    *this.end = Some(End::Ended);
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Some(End::Failed(error)) => {
                    *this.end = Some(End::Ended);
                    return Poll::Ready(Some(Err(error)));
                }
                Some(End::Ended) => {
                    *this.end = Some(End::Ended);
                    return Poll::Ready(None);
                }
            }
            let mut out = Vec::new();
            let end = match ready!(this.inner.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(mut data) => {
                        let data = data.copy_to_bytes(data.remaining());
                        if !data.is_empty() {
                            *this.blank = None;
                        }
                        this.injector.push(data, &mut out);
                        None
                    }
                    // Nothing is defined beside data and trailers.
                    Err(frame) => frame.into_trailers().ok().map(End::Trailers),
                },
                Some(Err(error)) => Some(End::Failed(error)),
                None => Some(End::Ended),
            };
            if end.is_some() {
                this.injector.finish(&mut out);
                if !matches!(end, Some(End::Failed(_))) {
                    out.extend(this.blank.take());
                }
                *this.end = end;
            }
            this.sendable.extend(out);
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_decided = self.injector.outcome().is_some();
        self.sendable.is_empty()
            && match self.end {
                None => is_decided && self.inner.is_end_stream(),
                Some(End::Ended) => true,
                Some(_) => false,
            }
    }

    fn size_hint(&self) -> SizeHint {
        let sendable: u64 = self.sendable.iter().map(|bytes| bytes.len() as u64).sum();
        let held = sendable + self.injector.held_bytes() as u64;
        let inner = match self.end {
            None => self.inner.size_hint(),
            Some(_) => SizeHint::with_exact(0),
        };
        // It may be left alone until it is decided.
        let snippet = match self.injector.outcome() {
            None => self.snippet_bytes,
            Some(_) => 0,
        };
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(held));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(held).saturating_add(snippet));
        }
        hint
    }
}

#[cfg(test)]
mod tests;
