//! An event stream without hyper, once its response head is sent.
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
//! - The waker does not keep the stream: after its end the socket can be taken back.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use bytes::{Bytes, BytesMut};
use http_body::Body;
use tidings::http::SseBody;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::Io;

/// Bytes that a client may send after the request of a stream. They are kept for after its end.
const MAX_UNREAD: usize = 16 * 1024;

/// Serves the rest of a stream after its head. `read` are bytes that the client has sent after the request.
/// Returns when the client has left, or the stream has ended: then with the connection, and all that the
/// client has sent meanwhile.
pub(super) async fn serve<T: Io>(io: T, read: Bytes, body: SseBody) -> Option<(T, Bytes)> {
    let stream = Arc::new_cyclic(|stream| Stream {
        io,
        waker: Waker::from(Arc::new(StreamWaker(Weak::clone(stream)))),
        writer: AtomicU8::new(IDLE),
        state: Mutex::new(State {
            body: Some(body),
            unsent: Unsent::default(),
        }),
        blocked: Notify::new(),
        ended: Notify::new(),
    });
    stream.write();
    let mut read = BytesMut::from(read);
    let has_ended = stream.watch(&mut read).await;
    let is_complete = {
        let mut state = stream.state();
        let is_complete = state.body.is_none() && state.unsent.is_empty();
        state.body = None;
        is_complete
    };
    if !has_ended || !is_complete {
        return None;
    }
    // A thread that has just woken the stream may still hold it, for as long as it takes to look at it.
    let mut stream = stream;
    loop {
        match Arc::try_unwrap(stream) {
            Ok(stream) => return Some((stream.io, read.freeze())),
            Err(shared) => stream = shared,
        }
        tokio::task::yield_now().await;
    }
}

struct Stream<T> {
    /// A plain socket.
    io: T,
    waker: Waker,
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

/// Writes when the body has more.
struct StreamWaker<T>(Weak<Stream<T>>);

impl<T: Io> Wake for StreamWaker<T> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(stream) = self.0.upgrade() {
            stream.write();
        }
    }
}

impl<T: Io> Stream<T> {
    /// Returns when the client has left (`false`) or nothing more can be written (`true`).
    async fn watch(&self, read: &mut BytesMut) -> bool {
        let Some(socket) = self.io.plain() else {
            return false;
        };
        let mut piece = [0; 256];
        loop {
            // More would have to be discarded. A client that leaves then is noticed by the next write.
            let may_read = read.len() < MAX_UNREAD;
            tokio::select! {
                ready = socket.readable(), if may_read => match ready.and_then(|()| socket.try_read(&mut piece)) {
                    // Browsers close a stream's connection completely, never only half.
                    Ok(0) => return false,
                    Ok(n) => read.extend_from_slice(&piece[..n]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return false,
                },
                () = self.blocked.notified() => {
                    // A slow reader: go on when the socket is writable.
                    tokio::select! {
                        ready = socket.writable() => match ready {
                            Ok(()) => self.write(),
                            Err(_) => return false,
                        },
                        () = self.ended.notified() => return true,
                    }
                }
                () = self.ended.notified() => return true,
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes everything that the body has. If another thread is writing, that one polls again instead.
    fn write(&self) {
        let was = self
            .writer
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |writer| {
                Some(if writer == IDLE { WRITING } else { WRITE_AGAIN })
            });
        if was != Ok(IDLE) {
            return;
        }
        let mut cx = Context::from_waker(&self.waker);
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
        let Some(socket) = self.io.plain() else {
            return Written::Ended;
        };
        let mut state = self.state();
        loop {
            match state.unsent.write(socket) {
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

    fn is_empty(&self) -> bool {
        self.head.is_empty() && self.piece.is_empty()
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
