//! The direct path: an event stream without hyper, once its response head is sent.
//!
//! After the head, hyper would only hold 16 KiB of buffers and a task for a stream. So the socket is taken
//! back, and the thread that publishes an event writes it to the socket itself, without switching to
//! another thread. The body is an ordinary [`SseBody`]; its waker writes instead of scheduling a task.
//!
//! What must stay true
//! - No thread blocks on a socket. If a socket is full, at most one piece of the body is kept
//!   ([`Unsent`]), and the body is not polled again until that is sent.
//! - One thread at a time writes. Another one that is woken meanwhile asks it to poll again ([`WRITE_AGAIN`]).
//! - Only HTTP/1.1 with chunked framing is served here; everything else stays with hyper.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tidings::http::SseBody;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

/// A stream's body, kept here until hyper has sent the head.
#[derive(Default)]
pub(super) struct PendingStream {
    // Held only to store the body and to take it.
    body: Mutex<Option<SseBody>>,
    head_sent: AtomicBool,
    /// The socket did not accept all that hyper has written, which may include the head.
    socket_blocked: AtomicBool,
}

impl PendingStream {
    pub(super) fn put(&self, body: SseBody) {
        *self.body.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    }

    /// The body, once hyper has polled for it: by then it has written the head.
    pub(super) fn take(&self) -> Option<SseBody> {
        if !self.head_sent.load(Ordering::Acquire) {
            return None;
        }
        self.body
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// The body that hyper gets instead: it never yields anything, but records that it was polled.
pub(super) struct Placeholder(pub(super) Arc<PendingStream>);

impl Placeholder {
    pub(super) fn poll_frame<E>(&self) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        self.0.head_sent.store(true, Ordering::Release);
        Poll::Pending
    }
}

/// A connection's socket that records whether it has accepted all that hyper has written.
pub(super) struct TrackedSocket {
    socket: TokioIo<TcpStream>,
    pending: Arc<PendingStream>,
}

impl TrackedSocket {
    pub(super) fn new(socket: TcpStream, pending: Arc<PendingStream>) -> TrackedSocket {
        TrackedSocket {
            socket: TokioIo::new(socket),
            pending,
        }
    }

    pub(super) fn into_socket(self) -> TcpStream {
        self.socket.into_inner()
    }

    fn record<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.pending
            .socket_blocked
            .store(polled.is_pending(), Ordering::Release);
        polled
    }
}

impl hyper::rt::Read for TrackedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl hyper::rt::Write for TrackedSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.record(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.record(polled)
    }
}

/// Lets hyper serve a connection until it ends or has sent the head of an event stream; then returns that
/// stream's socket and body. When `shutdown` changes, the connection ends after the response under way.
pub(super) async fn until_stream<S, B>(
    mut connection: http1::Connection<TrackedSocket, S>,
    pending: &PendingStream,
    shutdown: &mut watch::Receiver<bool>,
) -> Option<(TcpStream, SseBody)>
where
    S: hyper::service::HttpService<Incoming, ResBody = B> + Unpin,
    S::Future: Unpin,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = None;
    let mut shutdown = pin!(shutdown.changed());
    let mut is_shutting_down = false;
    poll_fn(|cx| {
        if !is_shutting_down && shutdown.as_mut().poll(cx).is_ready() {
            is_shutting_down = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        match connection.poll_without_shutdown(cx) {
            // An error means that the client has left or did not send HTTP; neither is reported.
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => {
                body = body.take().or_else(|| pending.take());
                match body {
                    Some(_) if !pending.socket_blocked.load(Ordering::Acquire) => Poll::Ready(()),
                    _ => Poll::Pending,
                }
            }
        }
    })
    .await;
    body.map(|body| (connection.into_parts().io.into_socket(), body))
}

/// Serves the rest of a stream after its head. Returns when the stream ends or the client leaves.
pub(super) async fn serve(socket: TcpStream, body: SseBody) {
    let stream = Arc::new(Stream {
        socket,
        writer: AtomicU8::new(IDLE),
        state: Mutex::new(State {
            body: Some(body),
            unsent: Unsent::default(),
        }),
        blocked: Notify::new(),
        ended: Notify::new(),
    });
    Arc::clone(&stream).write();
    let mut discarded = [0; 256];
    loop {
        tokio::select! {
            ready = stream.socket.readable() => match ready.and_then(|()| stream.socket.try_read(&mut discarded)) {
                // The client has left: browsers close a stream's connection completely, never only half.
                Ok(0) => break,
                // A pipelined request is ignored: this response is the last on the connection.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            },
            () = stream.blocked.notified() => {
                // A slow reader: go on when the socket is writable.
                tokio::select! {
                    ready = stream.socket.writable() => match ready {
                        Ok(()) => Arc::clone(&stream).write(),
                        Err(_) => break,
                    },
                    () = stream.ended.notified() => break,
                }
            }
            () = stream.ended.notified() => break,
        }
    }
    stream.state().body = None;
}

struct Stream {
    socket: TcpStream,
    /// One of the constants below.
    writer: AtomicU8,
    // Held by the thread that writes, for a few non-blocking writes.
    state: Mutex<State>,
    /// The socket is full.
    blocked: Notify,
    /// The body has ended or the socket is broken.
    ended: Notify,
}

/// No thread writes.
const IDLE: u8 = 0;
/// A thread writes.
const WRITING: u8 = 1;
/// A thread writes, and must poll the body again before it stops.
const WRITE_AGAIN: u8 = 2;

struct State {
    body: Option<SseBody>,
    unsent: Unsent,
}

/// A piece of the body, framed as a chunk, and how much of it is sent.
#[derive(Default)]
struct Unsent {
    head: Vec<u8>,
    piece: Bytes,
    sent: usize,
}

/// The end of a chunk (RFC 9112 7.1).
const CHUNK_END: &[u8] = b"\r\n";

/// The end of the body: the last chunk, without trailers.
const BODY_END: &[u8] = b"0\r\n\r\n";

impl Wake for Stream {
    fn wake(self: Arc<Stream>) {
        self.write();
    }
}

impl Stream {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes everything that the body has. If another thread is writing, that one polls again instead.
    fn write(self: Arc<Stream>) {
        let was = self
            .writer
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |writer| {
                Some(if writer == IDLE { WRITING } else { WRITE_AGAIN })
            });
        if was != Ok(IDLE) {
            return;
        }
        let waker = Waker::from(Arc::clone(&self));
        let mut cx = Context::from_waker(&waker);
        loop {
            match self.write_out(&mut cx) {
                Written::All => {}
                Written::Blocked => self.blocked.notify_one(),
                Written::Ended => self.ended.notify_one(),
            }
            let idle =
                self.writer
                    .compare_exchange(WRITING, IDLE, Ordering::AcqRel, Ordering::Acquire);
            if idle.is_ok() {
                return;
            }
            self.writer.store(WRITING, Ordering::Release);
        }
    }

    fn write_out(&self, cx: &mut Context<'_>) -> Written {
        let mut state = self.state();
        loop {
            match state.unsent.write(&self.socket) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Written::Blocked,
                Err(_) => {
                    state.body = None;
                    return Written::Ended;
                }
            }
            let Some(body) = &mut state.body else {
                return Written::Ended;
            };
            match Pin::new(body).poll_frame(cx) {
                Poll::Pending => return Written::All,
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(piece) = frame.into_data() {
                        state.unsent = Unsent::new(piece);
                    }
                }
                Poll::Ready(Some(Err(never))) => match never {},
                Poll::Ready(None) => {
                    state.body = None;
                    state.unsent = Unsent {
                        head: BODY_END.to_vec(),
                        ..Unsent::default()
                    };
                }
            }
        }
    }
}

enum Written {
    /// The body has no more for now; it will wake the waker.
    All,
    Blocked,
    Ended,
}

impl Unsent {
    fn new(piece: Bytes) -> Unsent {
        Unsent {
            // An empty chunk would end the body.
            head: match piece.len() {
                0 => Vec::new(),
                len => format!("{len:x}\r\n").into_bytes(),
            },
            piece,
            sent: 0,
        }
    }

    fn end(&self) -> &'static [u8] {
        if self.piece.is_empty() {
            &[]
        } else {
            CHUNK_END
        }
    }

    fn write(&mut self, socket: &TcpStream) -> io::Result<()> {
        let total = self.head.len() + self.piece.len() + self.end().len();
        while self.sent < total {
            let mut skip = self.sent;
            let slices = [&self.head[..], &self.piece[..], self.end()].map(|part| {
                let sent = skip.min(part.len());
                skip -= sent;
                IoSlice::new(&part[sent..])
            });
            match socket.try_write_vectored(&slices)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => self.sent += n,
            }
        }
        *self = Unsent::default();
        Ok(())
    }
}
