//! A TCP connection to a backend on this machine that acknowledges at once what it receives.
//!
//! Many development servers, such as Python's, write the head and the body of a response separately, with Nagle's
//! algorithm: the body waits until the head is acknowledged. Linux delays that by up to 40 ms on a connection
//! that is used again, in the hope of sending something along with it. So each response would take 40 ms.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

#[derive(Debug)]
pub(super) struct PromptTcp {
    socket: TcpStream,
    is_local: bool,
}

impl PromptTcp {
    pub(super) fn new(socket: TcpStream) -> PromptTcp {
        let is_local = socket
            .peer_addr()
            .is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
        PromptTcp { socket, is_local }
    }

    /// Sends the acknowledgement that is due. tcp(7): the option is not permanent.
    fn acknowledge(&self) {
        // It also works without.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _ = self.socket.set_quickack(true);
    }
}

impl AsyncRead for PromptTcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buffer);
        // A full buffer is part of something large, and nobody waits for its acknowledgement.
        let may_wait = buffer.filled().len() > before && buffer.remaining() > 0;
        if self.is_local && may_wait {
            self.acknowledge();
        }
        polled
    }
}

impl AsyncWrite for PromptTcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
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
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }
}
