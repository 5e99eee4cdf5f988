//! A connection as hyper sees it, and what the handler's answer tells the driver about it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Frame;
use tidings::http::SseBody;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::{Followed, Framing};
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
    /// How many requests the handler got, and how many of them it has answered.
    begun: AtomicUsize,
    answered: AtomicUsize,
    /// How many responses hyper has taken to their ends.
    done: AtomicUsize,
    /// The body of a request was refused.
    is_refused: AtomicBool,
    // Held only to store it and to take it.
    reader: Mutex<Option<Waker>>,
}

/// What is to be made of a handler's answer.
pub(super) enum Answered {
    Fine,
    /// The body of the request was refused meanwhile.
    Refused,
}

impl Handover {
    /// The handler gets a request.
    pub(super) fn begin(self: &Arc<Handover>) -> Underway {
        self.begun.fetch_add(1, Ordering::AcqRel);
        Underway(Arc::clone(self))
    }

    /// If hyper waits for the head of a request: how many there were before.
    pub(super) fn awaits(&self) -> Option<usize> {
        let begun = self.begun.load(Ordering::Acquire);
        (begun == self.done.load(Ordering::Acquire)).then_some(begun)
    }

    /// The handler has answered a request.
    pub(super) fn answer(&self) -> Answered {
        self.answered.fetch_add(1, Ordering::AcqRel);
        let reader = self
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(reader) = reader {
            reader.wake();
        }
        match self.is_refused.load(Ordering::Acquire) {
            true => Answered::Refused,
            false => Answered::Fine,
        }
    }

    /// Wakes the task when the handler has answered, which is polled by the same task.
    fn wake_when_answered(&self, cx: &Context<'_>) {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        *reader = Some(cx.waker().clone());
    }

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

/// A response whose end is recorded when this is dropped.
pub(super) struct Underway(Arc<Handover>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.done.fetch_add(1, Ordering::AcqRel);
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

/// Bytes that a client may send before it has the answer to its last request. They are kept.
const MAX_UNREAD: usize = 16 * 1024;

/// Makes any head invalid, and ends it: hyper looks at the whole of it only, answers 400 and closes the
/// connection.
const INVALID: &[u8] = b"\0\r\n\r\n";

/// A connection's transport for hyper: checks the framing of the requests, gives hyper no byte of the next
/// one before the handler has answered the last, and records whether the transport has accepted all that
/// hyper has written.
///
/// The next bytes may not be a request at all: that is so if the answer is an upgrade.
pub(super) struct HttpIo<T> {
    io: T,
    /// Comes before what is read from `io`.
    unread: BytesMut,
    framing: Framing,
    /// How many requests have been passed to hyper completely.
    passed: usize,
    refusal: Refusal,
    handover: Arc<Handover>,
}

/// Whether the framing was refused, and hyper knows.
enum Refusal {
    None,
    Pending,
    Passed,
}

impl<T: Io> HttpIo<T> {
    pub(super) fn new(io: T, unread: Bytes, handover: Arc<Handover>) -> HttpIo<T> {
        HttpIo {
            io,
            unread: unread.into(),
            framing: Framing::default(),
            passed: 0,
            refusal: Refusal::None,
            handover,
        }
    }

    /// Whether all requests were read to their ends.
    pub(super) fn is_read(&self) -> bool {
        self.unread.is_empty() && self.framing.is_between_requests()
    }

    /// The transport, and what was read from it and not passed to hyper.
    pub(super) fn into_parts(self) -> (T, BytesMut) {
        (self.io, self.unread)
    }

    fn record<R>(&self, polled: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        self.handover
            .socket_blocked
            .store(polled.is_pending(), Ordering::Release);
        polled
    }

    /// How many of these bytes, which are the next, may pass.
    fn check(&mut self, bytes: &[u8]) -> usize {
        match self.framing.follow(bytes) {
            Followed::More => bytes.len(),
            Followed::End(n) => {
                self.passed += 1;
                n
            }
            Followed::Refused(n) => {
                self.refusal = Refusal::Pending;
                n
            }
        }
    }

    /// Makes hyper refuse the request.
    fn refuse(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        if self.framing.is_in_body() {
            self.handover.is_refused.store(true, Ordering::Release);
            return Err(io::ErrorKind::InvalidData.into());
        }
        if matches!(self.refusal, Refusal::Pending) && buffer.remaining() >= INVALID.len() {
            buffer.put_slice(INVALID);
            self.refusal = Refusal::Passed;
        }
        Ok(())
    }

    /// Keeps what the client sends, for as long as the handler has not answered.
    fn poll_keep(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.len() < MAX_UNREAD {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
            let read = &buffer.filled()[before..];
            if read.is_empty() {
                // The client has left.
                return Poll::Ready(Ok(()));
            }
            self.unread.extend_from_slice(read);
            buffer.set_filled(before);
        }
        Poll::Pending
    }
}

impl<T: Io> AsyncRead for HttpIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.passed > this.handover.answered.load(Ordering::Acquire) {
            let kept = this.poll_keep(cx, buffer);
            if kept.is_pending() && !this.unread.is_empty() {
                this.handover.wake_when_answered(cx);
            }
            return kept;
        }
        if matches!(this.refusal, Refusal::None) {
            if this.unread.is_empty() {
                let before = buffer.filled().len();
                ready!(Pin::new(&mut this.io).poll_read(cx, buffer))?;
                let read = &buffer.filled()[before..];
                let (n, len) = (this.check(read), read.len());
                this.unread.extend_from_slice(&read[n..]);
                buffer.set_filled(before + n);
                if n > 0 || len == 0 {
                    return Poll::Ready(Ok(()));
                }
            } else {
                let unread = std::mem::take(&mut this.unread);
                let n = this.check(&unread[..unread.len().min(buffer.remaining())]);
                buffer.put_slice(&unread[..n]);
                this.unread = unread;
                this.unread.advance(n);
                if n > 0 {
                    return Poll::Ready(Ok(()));
                }
            }
        }
        Poll::Ready(this.refuse(buffer))
    }
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
