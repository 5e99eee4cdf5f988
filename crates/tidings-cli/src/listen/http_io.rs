//! A connection as hyper sees it, and what the handler's answer tells the driver about it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::Frame;
use tidings::http::SseBody;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Io, Tunnel};

/// What a connection becomes when hyper has sent the head of a response.
pub(super) enum Next {
    Stream {
        body: SseBody,
        /// Whether more requests may follow.
        is_persistent: bool,
    },
    Tunnel(Tunnel),
}

/// What the service and the socket tell the driver of a connection.
#[derive(Default)]
pub(super) struct Handover {
    // Held only to store it and to take it.
    next: Mutex<Option<Next>>,
    /// Hyper has polled the body of a stream: it has written the head.
    head_sent: AtomicBool,
    /// The socket did not accept all that hyper has written, which may include the head.
    socket_blocked: AtomicBool,
}

impl Handover {
    pub(super) fn put(&self, next: Next) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
    }

    pub(super) fn take(&self) -> Option<Next> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.take()
    }

    /// Whether the head of a stream is with the socket, and the rest may be written there without hyper.
    pub(super) fn stream_begins(&self) -> bool {
        self.head_sent.load(Ordering::Acquire) && !self.socket_blocked.load(Ordering::Acquire)
    }
}

/// The body that hyper gets for a stream: it never yields anything, but records that it was polled.
pub(super) struct Placeholder(pub(super) Arc<Handover>);

impl Placeholder {
    pub(super) fn poll_frame<E>(&self) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        self.0.head_sent.store(true, Ordering::Release);
        Poll::Pending
    }
}

/// A connection's transport, with bytes that were read before, which records whether it has accepted all
/// that hyper has written.
pub(super) struct HttpIo<T> {
    pub(super) io: T,
    /// Comes before what is read from `io`.
    pub(super) unread: Bytes,
    pub(super) handover: Arc<Handover>,
}

impl<T> HttpIo<T> {
    fn record<R>(&self, polled: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        self.handover
            .socket_blocked
            .store(polled.is_pending(), Ordering::Release);
        polled
    }
}

impl<T: Io> AsyncRead for HttpIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if take_unread(&mut self.unread, buffer) {
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        Poll::Ready(Ok(()))
    }
}

/// Moves bytes that were read before into the buffer; `false` if there are none.
pub(super) fn take_unread(unread: &mut Bytes, buffer: &mut ReadBuf<'_>) -> bool {
    let n = unread.len().min(buffer.remaining());
    buffer.put_slice(&unread[..n]);
    unread.advance(n);
    n > 0
}

impl<T: Io> AsyncWrite for HttpIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.record(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.record(polled)
    }
}
