//! The direct path: an event stream without hyper, once its response head is out.
//!
//! After the head, hyper has nothing more to do for a stream but to hold 16 KiB of buffers and a task
//! to be woken. So the socket is taken back and written to by whoever publishes, in its own thread: a
//! save is on its way to the page without a single hand-over in between. The body is an ordinary
//! [`SseBody`]; what is special is its waker, which does not schedule anything but writes.
//!
//! What must stay true
//! - Nobody waits for a socket. One that takes no more keeps at most one piece of the body
//!   ([`Unsent`]), and nothing further is asked of the body until that is gone.
//! - One thread at a time writes; who finds another at it leaves a note and goes.
//! - Only HTTP/1.1 with chunked framing comes here; all else stays with hyper.

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

/// Where a stream's body waits until hyper has sent the head.
#[derive(Default)]
pub(crate) struct Handover {
    // Held to put the body in and to take it out.
    body: Mutex<Option<SseBody>>,
    head_sent: AtomicBool,
    /// The socket did not take all of what hyper has for it: the head may be among that.
    socket_blocked: AtomicBool,
}

impl Handover {
    pub(crate) fn put(&self, body: SseBody) {
        *self.body.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    }

    /// The body, if hyper has come to it: then it has the head behind it.
    pub(crate) fn take(&self) -> Option<SseBody> {
        if !self.head_sent.load(Ordering::Acquire) {
            return None;
        }
        self.body
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// What hyper is given for a body: it never yields anything, and notes that it was asked.
pub(crate) struct Placeholder(pub(crate) Arc<Handover>);

impl Placeholder {
    pub(crate) fn poll_frame<E>(&self) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        self.0.head_sent.store(true, Ordering::Release);
        Poll::Pending
    }
}

/// A connection's socket that knows whether hyper has bytes which it did not take.
pub(crate) struct Watched {
    socket: TokioIo<TcpStream>,
    handover: Arc<Handover>,
}

impl Watched {
    pub(crate) fn new(socket: TcpStream, handover: Arc<Handover>) -> Watched {
        Watched {
            socket: TokioIo::new(socket),
            handover,
        }
    }

    pub(crate) fn into_socket(self) -> TcpStream {
        self.socket.into_inner()
    }

    fn note<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.handover
            .socket_blocked
            .store(polled.is_pending(), Ordering::Release);
        polled
    }
}

impl hyper::rt::Read for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl hyper::rt::Write for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.note(polled)
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
        self.note(polled)
    }
}

/// Lets hyper serve a connection, until it ends or comes to an event stream; then returns that
/// stream's socket and body. Told to end, it ends with the answer that is under way.
pub(crate) async fn until_stream<S, B>(
    mut connection: http1::Connection<Watched, S>,
    handover: &Handover,
    ending: &mut watch::Receiver<bool>,
) -> Option<(TcpStream, SseBody)>
where
    S: hyper::service::HttpService<Incoming, ResBody = B> + Unpin,
    S::Future: Unpin,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = None;
    let mut told = pin!(ending.changed());
    let mut is_ending = false;
    poll_fn(|cx| {
        if !is_ending && told.as_mut().poll(cx).is_ready() {
            is_ending = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        match connection.poll_without_shutdown(cx) {
            // An error is a client that went away or spoke something else: nobody's concern.
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => {
                body = body.take().or_else(|| handover.take());
                match body {
                    Some(_) if !handover.socket_blocked.load(Ordering::Acquire) => Poll::Ready(()),
                    _ => Poll::Pending,
                }
            }
        }
    })
    .await;
    body.map(|body| (connection.into_parts().io.into_socket(), body))
}

/// Serves the rest of a stream whose head is out. Ends with the stream or with the client.
pub(crate) async fn serve(socket: TcpStream, body: SseBody) {
    let stream = Arc::new(Stream {
        socket,
        turn: AtomicU8::new(IDLE),
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
                // The client has gone: closing the socket's half is all that a browser ever does.
                Ok(0) => break,
                // It may say what it likes; there is no second answer on this connection.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            },
            () = stream.blocked.notified() => {
                // A slow reader: come back when there is room.
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
    turn: AtomicU8,
    // Held by the one whose turn it is, for a few non-blocking writes.
    state: Mutex<State>,
    /// The socket takes no more.
    blocked: Notify,
    /// The body has ended or the socket is broken.
    ended: Notify,
}

/// Nobody writes; one does; one does and has been told to look again.
const IDLE: u8 = 0;
const WRITING: u8 = 1;
const AGAIN: u8 = 2;

struct State {
    body: Option<SseBody>,
    unsent: Unsent,
}

/// A piece of the body in its chunk, and how much of it is out.
#[derive(Default)]
struct Unsent {
    head: Vec<u8>,
    piece: Bytes,
    sent: usize,
}

/// What ends a chunk (RFC 9112 7.1).
const CHUNK_END: &[u8] = b"\r\n";

/// What ends the body: the last chunk, without trailers.
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

    /// Writes all that there is, unless somebody is at it: then that one looks again.
    fn write(self: Arc<Stream>) {
        let was = self
            .turn
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |turn| {
                Some(if turn == IDLE { WRITING } else { AGAIN })
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
                self.turn
                    .compare_exchange(WRITING, IDLE, Ordering::AcqRel, Ordering::Acquire);
            if idle.is_ok() {
                return;
            }
            self.turn.store(WRITING, Ordering::Release);
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
    /// The body has no more for now; its waker will tell.
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
