//! Whether an instance answers.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// The pauses between two questions: short, because what is ready shall get its requests at once.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// How long one question may take; then it is asked again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the command listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// On this port of `127.0.0.1` or `::1`: it is found out which.
    Loopback(u16),
    /// On this port of this host.
    Host(String, u16),
    /// On this Unix socket.
    Unix(PathBuf),
}

/// Where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    pub(super) fn port(&self) -> Option<u16> {
        match self {
            Address::Loopback(port) | Address::Host(_, port) => Some(*port),
            Address::Unix(_) => None,
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Loopback(port) => write!(f, "port {port}"),
            Address::Host(host, port) => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Whether something accepts connections there.
pub(super) async fn accepts(address: &Address) -> bool {
    let connected = tokio::time::timeout(Duration::from_millis(500), connect(address)).await;
    matches!(connected, Ok(Some(_)))
}

/// Waits until the instance is ready: until it accepts a connection, or until a GET of `path` gets a status
/// below 500.
pub(super) async fn until_ready(address: &Address, path: Option<&str>) -> Found {
    let mut pause = PAUSES.0;
    loop {
        let question = ask(address, path);
        if let Ok(Some(found)) = tokio::time::timeout(ANSWER_TIMEOUT, question).await {
            return found;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 5 / 4).min(PAUSES.1);
    }
}

async fn ask(address: &Address, path: Option<&str>) -> Option<Found> {
    let (found, io) = connect(address).await?;
    let Some(path) = path else {
        return Some(found);
    };
    let authority = match address {
        Address::Loopback(port) => format!("localhost:{port}"),
        Address::Host(host, port) => format!("{host}:{port}"),
        Address::Unix(_) => "localhost".to_owned(),
    };
    let status = get(io, &authority, path).await?;
    (status < StatusCode::INTERNAL_SERVER_ERROR).then_some(found)
}

async fn connect(address: &Address) -> Option<(Found, Box<dyn Io>)> {
    let tcp = match address {
        Address::Loopback(port) => {
            let v4 = TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).await;
            match v4 {
                Ok(socket) => socket,
                Err(_) => TcpStream::connect((Ipv6Addr::LOCALHOST, *port))
                    .await
                    .ok()?,
            }
        }
        Address::Host(host, port) => TcpStream::connect((host.as_str(), *port)).await.ok()?,
        #[cfg(unix)]
        Address::Unix(path) => {
            let socket = tokio::net::UnixStream::connect(path).await.ok()?;
            return Some((Found::Unix(path.clone()), Box::new(socket)));
        }
        #[cfg(not(unix))]
        Address::Unix(_) => return None,
    };
    Some((Found::Tcp(tcp.peer_addr().ok()?), Box::new(tcp)))
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The status of a GET. Redirects are not followed: who redirects is ready.
async fn get(io: Box<dyn Io>, authority: &str, path: &str) -> Option<StatusCode> {
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(io));
    let (mut sender, connection) = handshake.await.ok()?;
    let request = Request::get(path)
        .header(header::HOST, authority)
        .header(header::CONNECTION, "close")
        .header(header::USER_AGENT, "tidings")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let answer = sender.send_request(request);
    tokio::pin!(connection, answer);
    loop {
        tokio::select! {
            answer = &mut answer => return Some(answer.ok()?.status()),
            ended = &mut connection => ended.ok()?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers each connection with the next of these, and returns the request lines.
    async fn served(listener: TcpListener, answers: &[&str]) -> Vec<String> {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            asked.push(head.lines().next().unwrap().to_owned());
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    }

    #[tokio::test]
    async fn it_is_ready_at_the_first_status_below_500() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::Loopback(listener.local_addr().unwrap().port());
        let server = served(
            listener,
            &[
                "",
                "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n",
                "nonsense\r\n\r\n",
                "HTTP/1.1 302 x\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n",
            ],
        );
        let (asked, found) = tokio::join!(server, until_ready(&address, Some("/up?x=1")));
        assert_eq!(asked, ["GET /up?x=1 HTTP/1.1"; 4]);
        assert!(matches!(found, Found::Tcp(found) if found.ip().is_ipv4()));
    }

    #[tokio::test]
    async fn it_is_found_on_either_loopback_address() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address).await else {
                eprintln!("SKIPPED: this machine has no {address}");
                continue;
            };
            let bound = listener.local_addr().unwrap();
            let address = Address::Loopback(bound.port());
            assert_eq!(until_ready(&address, None).await, Found::Tcp(bound));
            assert!(accepts(&address).await);
            drop(listener);
            assert!(!accepts(&address).await);
        }
    }
}
