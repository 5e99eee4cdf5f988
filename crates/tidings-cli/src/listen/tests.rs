//! The driver over real sockets, with handlers of the tests' own.

mod connection;
mod framing;
mod http2;
mod smuggling;
mod upgrade;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{Answer, Io, Peer, accept};

type Body = BoxBody<Bytes, io::Error>;

/// A server with one handler, until it is dropped.
struct Server {
    address: SocketAddr,
    shutdown: watch::Sender<bool>,
}

impl Server {
    async fn start<F>(handle: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static) -> Server
    where
        F: Future<Output = Answer<Body>> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, is_shutdown) = watch::channel(false);
        let handle = Arc::new(move |request, _| handle(request));
        tokio::spawn(accept(listener, None, handle, is_shutdown));
        Server { address, shutdown }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends this in one segment, and returns all that is answered until the connection ends.
    async fn talk(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut socket = self.connect().await;
        socket.write_all(bytes.as_ref()).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Not a plain socket, so nothing is written past hyper.
impl Io for DuplexStream {}

/// A client on this machine, without TLS.
fn local_peer() -> Peer {
    let ip = Ipv4Addr::LOCALHOST.into();
    Peer {
        ip,
        local: ip,
        secure: false,
    }
}

fn body(text: impl Into<Bytes>) -> Body {
    let body = Full::new(text.into());
    body.map_err(|never: Infallible| match never {}).boxed()
}

fn plain(text: impl Into<Bytes>) -> Answer<Body> {
    Answer::Response(Response::new(body(text)))
}

/// Reads until the text ends like this, and returns all of it.
async fn read_until(socket: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let byte = socket.read_u8().await;
        let Ok(byte) = byte else {
            panic!("ended after {:?}", String::from_utf8_lossy(&text));
        };
        text.push(byte);
    }
    String::from_utf8(text).unwrap()
}
