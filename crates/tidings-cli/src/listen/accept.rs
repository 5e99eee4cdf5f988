//! Accepts connections.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::Body;
use hyper::body::Incoming;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;

use super::{Answer, Peer, driver, secure};

/// A connection is closed when sent data was not acknowledged for this long, as by a phone that has
/// left the network. By default the system keeps trying for about 15 minutes.
#[cfg(target_os = "linux")]
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);

/// After this time of silence the system asks whether the other end is still there. Without that, a
/// tunnel to a client that has left the network would stay as long as nothing is sent through it.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// Accepts and serves connections until `shutdown` changes. Then no more are accepted, and each ends after
/// the response that is under way. With `tls`, connections are encrypted. Each connection holds a clone of `shutdown` until it has ended.
pub(crate) async fn accept<H, F, B>(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    handle: Arc<H>,
    mut shutdown: watch::Receiver<bool>,
) where
    H: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Answer<B>> + Send + 'static,
    B: Body<Data = Bytes, Error = io::Error> + Send + Unpin + 'static,
{
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.changed() => return,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(_) => {
                // Mostly out of file descriptors: try again when some connection may have ended.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        set_options(&socket);
        // An error means that the client has left.
        let Ok(local) = socket.local_addr() else {
            continue;
        };
        let peer = Peer {
            ip: peer.ip().to_canonical(),
            local: local.ip().to_canonical(),
            secure: false,
        };
        let (handle, shutdown) = (Arc::clone(&handle), shutdown.clone());
        match &tls {
            None => tokio::spawn(driver::serve(socket, peer, handle, shutdown)),
            Some(tls) => {
                let tls = Arc::clone(tls);
                tokio::spawn(secure::serve(socket, peer, tls, handle, shutdown))
            }
        };
    }
}

/// All of this is an improvement only: a connection works without it.
fn set_options(socket: &TcpStream) {
    // Nagle's algorithm would delay events, which are small writes.
    let _ = socket.set_nodelay(true);
    let socket = SockRef::from(socket);
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE));
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT));
}
