//! A connection after an upgrade, such as a WebSocket: bytes, both ways, until one side closes.
//!
//! What must stay true
//! - Nothing is read from one side that the other does not take: each direction holds one buffer.
//! - When one side closes, what it has sent is delivered, and the other side is closed.
//! - A tunnel has no time limit while both sides are open. An error ends this tunnel only, and is not
//!   reported: the two sides know.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// The size of the buffer of one direction.
const BUFFER: usize = 8 * 1024;

/// How long the side that has not closed may still send after the other has. A WebSocket's closing
/// handshake takes one round trip (RFC 6455 7.1.1).
const CLOSING: Duration = Duration::from_secs(10);

/// What is done with a client's connection after an upgrade.
pub(crate) struct Tunnel(Box<dyn FnOnce(ClientIo) -> Running + Send>);

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Tunnel {
    /// Runs this with the connection. It is dropped when the server shuts down.
    pub(crate) fn new<F>(run: impl FnOnce(ClientIo) -> F + Send + 'static) -> Tunnel
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Tunnel(Box::new(move |client| Box::pin(run(client))))
    }

    /// Passes bytes both ways, when the upstream's upgrade is complete: what hyper's client has in the
    /// extensions of a response (`hyper::upgrade::on(&mut response)`).
    pub(crate) fn after(upgrade: OnUpgrade) -> Tunnel {
        Tunnel::new(|client| async move {
            if let Ok(upstream) = upgrade.await {
                join(client, TokioIo::new(upstream)).await;
            }
        })
    }

    pub(super) fn run(self, client: ClientIo) -> Running {
        (self.0)(client)
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").finish_non_exhaustive()
    }
}

/// The client's connection after an upgrade, from the first byte after the request's head.
pub(crate) struct ClientIo {
    io: Box<dyn Duplex>,
    /// Bytes that were read together with the head.
    unread: Bytes,
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl ClientIo {
    pub(super) fn new(
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        unread: Bytes,
    ) -> ClientIo {
        let io = Box::new(io);
        ClientIo { io, unread }
    }
}

impl fmt::Debug for ClientIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIo").finish_non_exhaustive()
    }
}

/// Copies both ways until both directions have ended, or one has and the other is silent.
pub(super) async fn join(
    client: impl AsyncRead + AsyncWrite,
    upstream: impl AsyncRead + AsyncWrite,
) {
    let (client_reader, client_writer) = tokio::io::split(client);
    let (upstream_reader, upstream_writer) = tokio::io::split(upstream);
    let mut up = pin!(copy(client_reader, upstream_writer));
    let mut down = pin!(copy(upstream_reader, client_writer));
    // The result of the rest is of no interest: both sides are closed afterwards.
    tokio::select! {
        sent = &mut up => if sent.is_ok() {
            let _ = tokio::time::timeout(CLOSING, down).await;
        },
        sent = &mut down => if sent.is_ok() {
            let _ = tokio::time::timeout(CLOSING, up).await;
        },
    }
}

/// Copies one direction to its end, and then closes it.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer).await? {
            0 => return to.shutdown().await,
            n => to.write_all(&buffer[..n]).await?,
        }
        to.flush().await?;
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        }
        let n = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread.split_to(n));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
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
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }
}
