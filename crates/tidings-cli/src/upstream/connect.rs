//! Connects to a backend: TCP, with every address of its name, or a Unix socket, and TLS on top.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::prompt_tcp::PromptTcp;
use super::target::{Scheme, Target, TargetHost, is_localhost};
use super::tls::Tls;

/// How long one attempt may take. Only a host that is not on this machine can need any time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// After this time the next address of a name is tried as well (RFC 8305 5, "Connection Attempt Delay").
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection, and whether HTTP/2 is spoken on it.
pub(super) struct Connected {
    pub(super) io: Box<dyn Stream>,
    pub(super) is_h2: bool,
}

/// Which versions of HTTP may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versions {
    Any,
    /// For upgrades, which HTTP/2 does not have (RFC 9113 8.2.2).
    Http1,
}

pub(super) async fn connect(
    target: &Target,
    tls: &Tls,
    versions: Versions,
) -> io::Result<Connected> {
    let attempt = async {
        let io = match &target.host {
            TargetHost::Socket(path) => unix(path).await?,
            TargetHost::Name(_) | TargetHost::Address(_) => {
                let tcp = tcp(target).await?;
                if target.scheme == Scheme::Https {
                    return tls.connect(&target.host_name(), tcp, versions).await;
                }
                Box::new(tcp)
            }
        };
        let is_h2 = target.scheme == Scheme::H2c && versions == Versions::Any;
        Ok(Connected { io, is_h2 })
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
        Ok(connected) => connected,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no connection after 10 seconds",
        )),
    }
}

#[cfg(unix)]
async fn unix(path: &std::path::Path) -> io::Result<Box<dyn Stream>> {
    Ok(Box::new(tokio::net::UnixStream::connect(path).await?))
}

#[cfg(not(unix))]
async fn unix(_path: &std::path::Path) -> io::Result<Box<dyn Stream>> {
    Err(io::ErrorKind::Unsupported.into())
}

async fn tcp(target: &Target) -> io::Result<PromptTcp> {
    let addresses: Vec<SocketAddr> = match &target.host {
        TargetHost::Address(address) => vec![(*address, target.port).into()],
        // RFC 6761 6.3: not looked up. A backend may listen on one of the two only, and browsers try the
        // first one first, too.
        TargetHost::Name(name) if is_localhost(name) => vec![
            (Ipv6Addr::LOCALHOST, target.port).into(),
            (Ipv4Addr::LOCALHOST, target.port).into(),
        ],
        TargetHost::Name(name) => {
            let found = tokio::net::lookup_host((name.as_str(), target.port)).await;
            found?.collect()
        }
        TargetHost::Socket(_) => Vec::new(),
    };
    let socket = first_of(addresses).await?;
    // Nagle's algorithm would delay the end of each request. It also works without.
    let _ = socket.set_nodelay(true);
    Ok(PromptTcp::new(socket))
}

/// Tries the addresses one after the other, without waiting for one that does not answer (RFC 8305).
async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;
    let mut left = addresses.into_iter();
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        match left.next() {
            Some(address) => attempts.push(Box::pin(TcpStream::connect(address))),
            None if attempts.is_empty() => return Err(error),
            None => {}
        }
        let finished = std::future::poll_fn(|cx| {
            for index in 0..attempts.len() {
                if let std::task::Poll::Ready(result) = attempts[index].as_mut().poll(cx) {
                    drop(attempts.swap_remove(index));
                    return std::task::Poll::Ready(result);
                }
            }
            std::task::Poll::Pending
        });
        let result = match left.len() {
            0 => finished.await,
            _ => match tokio::time::timeout(ATTEMPT_DELAY, finished).await {
                Ok(result) => result,
                Err(_) => continue,
            },
        };
        match result {
            Ok(socket) => return Ok(socket),
            Err(failed) => error = failed,
        }
    }
}
