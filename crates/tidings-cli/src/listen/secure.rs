//! A connection to a port that serves HTTPS.
//!
//! Its first byte tells whether it is TLS. A client that sends plain HTTP is served, too: the handler redirects
//! it (`Peer::secure` is false), instead of an error that no browser explains.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::Body;
use hyper::body::Incoming;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::{Answer, Io, Peer, driver, http2};

/// How long a client may take for its first byte, and then for the handshake. Browsers open connections
/// that they may need later, so the first is as long as for a request's head.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(60);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// RFC 8446 5.1: the content type of a handshake record. No method of HTTP begins with it.
const HANDSHAKE: u8 = 22;

// Everything is encrypted, so nothing is written without hyper.
impl Io for TlsStream<TcpStream> {}

/// Serves a connection to its end.
pub(super) async fn serve<H, F, B>(
    socket: TcpStream,
    peer: Peer,
    tls: Arc<ServerConfig>,
    handle: Arc<H>,
    mut shutdown: watch::Receiver<bool>,
) where
    H: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Answer<B>> + Send + 'static,
    B: Body<Data = Bytes, Error = io::Error> + Send + Unpin + 'static,
{
    let begun = tokio::select! {
        begun = Box::pin(begin(socket, tls)) => begun,
        _ = shutdown.wait_for(|shutdown| *shutdown) => return,
    };
    match begun {
        Some(Begun::Plain(socket)) => {
            let peer = Peer {
                secure: false,
                ..peer
            };
            driver::serve(socket, peer, handle, shutdown).await;
        }
        Some(Begun::Tls(io)) => {
            let peer = Peer {
                secure: true,
                ..peer
            };
            match io.get_ref().1.alpn_protocol() {
                Some(b"h2") => http2::serve(*io, peer, handle, shutdown).await,
                _ => driver::serve(*io, peer, handle, shutdown).await,
            }
        }
        // The client has left, or does not trust the certificate. Browsers try this more often than once.
        None => {}
    }
}

enum Begun {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

async fn begin(socket: TcpStream, tls: Arc<ServerConfig>) -> Option<Begun> {
    let mut first = [0];
    let peeked = tokio::time::timeout(FIRST_BYTE_TIMEOUT, socket.peek(&mut first));
    match peeked.await {
        Ok(Ok(1)) if first == [HANDSHAKE] => {
            let accepted = TlsAcceptor::from(tls).accept(socket);
            let accepted = tokio::time::timeout(HANDSHAKE_TIMEOUT, accepted).await;
            Some(Begun::Tls(Box::new(accepted.ok()?.ok()?)))
        }
        Ok(Ok(1)) => Some(Begun::Plain(socket)),
        _ => None,
    }
}
