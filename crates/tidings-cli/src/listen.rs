//! Sockets and connections: binds the addresses, accepts connections, and serves each with hyper until it
//! ends, becomes an event stream, or becomes a tunnel.
//!
//! ```text
//! bind -> accept -> driver -> hyper -> the handler -> Answer
//!        |           ^
//!        +-> secure -+-> http2, when the client wants it
//!                          -> stream, when hyper has sent the head of an Answer::Stream
//!                          -> tunnel, when hyper has sent the head of an Answer::Upgrade
//! ```

mod accept;
mod bind;
mod driver;
mod framing;
mod head_timeout;
mod http2;
mod http_io;
mod response_body;
mod secure;
mod stream;
mod tunnel;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use http::Response;
use tidings::http::SseBody;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

pub(crate) use self::accept::accept;
pub(crate) use self::bind::{DEFAULT_PORT, Host, Listeners, Ports, bind};
pub(crate) use self::tunnel::Tunnel;

/// The answer to a request.
pub(crate) enum Answer<B> {
    /// An ordinary response.
    Response(Response<B>),
    /// An event stream.
    Stream(Response<SseBody>),
    /// The response that accepts the request's `Upgrade` (101), without its body, and what becomes of the
    /// connection after it. If the connection cannot be upgraded, the client gets 502 instead, and the
    /// tunnel is dropped.
    Upgrade(Response<B>, Tunnel),
}

/// Who is at the other end of a connection, and what it is connected to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) ip: IpAddr,
    /// The address of this machine that it has connected to.
    pub(crate) local: IpAddr,
    /// Whether the connection is encrypted.
    pub(crate) secure: bool,
}

impl Peer {
    /// The scheme of the addresses that it uses.
    pub(crate) fn scheme(&self) -> &'static str {
        match self.secure {
            true => "https",
            false => "http",
        }
    }
}

/// The transport of a connection: a TCP socket, or what is laid over one.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static {
    /// The socket itself, if bytes may be written to it as they are. Then event streams are.
    fn plain(&self) -> Option<&TcpStream> {
        None
    }
}

impl Io for TcpStream {
    fn plain(&self) -> Option<&TcpStream> {
        Some(self)
    }
}
