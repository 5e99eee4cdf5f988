//! Listening: which addresses, and what becomes of a connection.
//!
//! Without `--host` both loopback addresses are bound, because `localhost` means either of them.

mod direct;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tidings::http::SseBody;
use tokio::net::TcpStream;
use tokio::sync::watch;

use self::direct::{Handover, Placeholder, Watched};
use crate::report::Hinted;

/// The first port that is tried.
pub(crate) const DEFAULT_PORT: u16 = 8080;

/// How many ports after it are tried.
const PORTS_TRIED: u16 = 100;

/// Connections that may wait to be accepted: a browser with many tabs after a restart.
const BACKLOG: i32 = 1024;

/// Unanswered bytes make a connection dead after this time: a laptop that went to sleep, a phone
/// that left. Without it the system tries for a quarter of an hour.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// What `--host` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// Both loopback addresses.
    Localhost,
    Address(IpAddr),
    Name(String),
}

impl std::str::FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Host, String> {
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(text).parse() {
            return Ok(Host::Address(address));
        }
        let is_name = !text.is_empty()
            && text.len() < 254
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
        match is_name {
            true if text.eq_ignore_ascii_case("localhost") => Ok(Host::Localhost),
            true => Ok(Host::Name(text.to_owned())),
            false => {
                Err("neither an IP address nor a host name; the port goes to --port".to_owned())
            }
        }
    }
}

impl Host {
    /// Whether other machines cannot connect.
    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Host::Localhost => true,
            Host::Address(address) => address.is_loopback(),
            Host::Name(_) => false,
        }
    }
}

/// Which ports may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ports {
    /// This one and no other; 0 is any free one.
    Exactly(u16),
    /// The default one, or one of the next.
    Near(u16),
}

/// Sockets that listen, all on one port.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) sockets: Vec<TcpListener>,
    pub(crate) port: u16,
}

/// Binds what `--host` and `--port` ask for.
pub(crate) fn bind(host: &Host, ports: Ports) -> anyhow::Result<Listeners> {
    let addresses = addresses(host)?;
    let (first, last) = match ports {
        Ports::Exactly(port) => (port, port),
        Ports::Near(port) => (port, port.saturating_add(PORTS_TRIED)),
    };
    // The system chooses a port that is free on the first address; on the second it may be taken.
    let again = if last == 0 { PORTS_TRIED } else { 0 };
    let mut refused = None;
    for port in (first..=last).chain(std::iter::repeat_n(0, again.into())) {
        match bind_all(&addresses, port) {
            Ok(listeners) => return Ok(listeners),
            Err(error) => {
                let taken = error.1.kind() == io::ErrorKind::AddrInUse;
                // The first port is the one that was asked for.
                refused = refused.filter(|_| taken).or(Some(error));
                if !taken {
                    break;
                }
            }
        }
    }
    let (shown, error) = refused.unwrap_or_else(|| {
        let address = SocketAddr::new(addresses[0], first);
        (address, io::ErrorKind::AddrInUse.into())
    });
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse if first == last => {
            "another program listens there: choose another --port, or leave it away to get the next free one".to_owned()
        }
        io::ErrorKind::AddrInUse => format!("ports {first} to {last} are all taken: choose one with --port"),
        io::ErrorKind::PermissionDenied => "ports below 1024 need privileges: choose a higher --port".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address: see `ip address`, or leave --host away".to_owned(),
        _ => "choose another --host or --port".to_owned(),
    };
    Err(Hinted {
        message: format!("cannot listen on {shown}: {}", reason(&error)),
        hint,
    }
    .into())
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the port is taken".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::AddrNotAvailable => "not an address of this machine".to_owned(),
        _ => error.to_string(),
    }
}

fn addresses(host: &Host) -> anyhow::Result<Vec<IpAddr>> {
    match host {
        Host::Localhost => Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
        Host::Address(address) if address.is_unspecified() => Ok(vec![
            Ipv4Addr::UNSPECIFIED.into(),
            Ipv6Addr::UNSPECIFIED.into(),
        ]),
        Host::Address(address) => Ok(vec![*address]),
        Host::Name(name) => {
            let unknown = |why: String| Hinted {
                message: format!("cannot listen on {name:?}: {why}"),
                hint: match std::path::Path::new(name).is_dir() {
                    // `--host site` looks like a folder to people and like a name to us.
                    true => {
                        format!("if {name} is the folder, name it first: tidings {name} --host")
                    }
                    false => "give an address of this machine, or --host alone for all of them"
                        .to_owned(),
                },
            };
            let found = (name.as_str(), 0).to_socket_addrs();
            let found = found.map_err(|error| unknown(error.to_string()))?;
            let mut found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            found.dedup();
            match found.is_empty() {
                true => Err(unknown("the name has no address".to_owned()).into()),
                false => Ok(found),
            }
        }
    }
}

/// The first address must be had; further ones (IPv6, mostly) may not exist on this machine, but must
/// not belong to another program: a browser would reach that one. An error comes with its address.
fn bind_all(addresses: &[IpAddr], port: u16) -> Result<Listeners, (SocketAddr, io::Error)> {
    let mut sockets = Vec::new();
    let mut port = port;
    for (index, address) in addresses.iter().enumerate() {
        let address = SocketAddr::new(*address, port);
        match bind_one(address).and_then(|socket| Ok((socket.local_addr()?.port(), socket))) {
            Ok((bound, socket)) => {
                port = bound;
                sockets.push(socket);
            }
            Err(error) if index == 0 || error.kind() == io::ErrorKind::AddrInUse => {
                return Err((address, error));
            }
            Err(_) => {}
        }
    }
    Ok(Listeners { sockets, port })
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // Its IPv4 half is bound on its own.
        socket.set_only_v6(true)?;
    }
    // On Windows this would let two programs share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// What a request is answered with.
pub(crate) enum Answer<B> {
    /// Something that ends.
    Response(Response<B>),
    /// An event stream.
    Stream(Response<SseBody>),
}

/// Serves every connection that comes in, until it is told to end: then no more are accepted, and each
/// ends with the answer that is under way. When all have, every receiver like this one is dropped.
pub(crate) async fn accept<H, F, B>(
    listener: tokio::net::TcpListener,
    handle: Arc<H>,
    mut ending: watch::Receiver<bool>,
) where
    H: Fn(Request<Incoming>, IpAddr) -> F + Send + Sync + 'static,
    F: Future<Output = Answer<B>> + Send + 'static,
    B: Body<Data = Bytes, Error = io::Error> + Send + Unpin + 'static,
{
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ending.changed() => return,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(_) => {
                // Out of file descriptors, mostly: some connection will end, then there is one.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // An event is one small write: Nagle would hold it back. A socket that refuses works on.
        let _ = socket.set_nodelay(true);
        #[cfg(target_os = "linux")]
        let _ = SockRef::from(&socket).set_tcp_user_timeout(Some(DEAD_AFTER));
        tokio::spawn(connection(
            socket,
            peer.ip().to_canonical(),
            Arc::clone(&handle),
            ending.clone(),
        ));
    }
}

async fn connection<H, F, B>(
    socket: TcpStream,
    peer: IpAddr,
    handle: Arc<H>,
    mut ending: watch::Receiver<bool>,
) where
    H: Fn(Request<Incoming>, IpAddr) -> F + Send + Sync + 'static,
    F: Future<Output = Answer<B>> + Send + 'static,
    B: Body<Data = Bytes, Error = io::Error> + Send + Unpin + 'static,
{
    let handover = Arc::new(Handover::default());
    let service = service_fn(|request: Request<Incoming>| {
        let (handle, handover) = (Arc::clone(&handle), Arc::clone(&handover));
        Box::pin(async move {
            // Only there the end of the body is told by chunks, and the connection can be taken over.
            let direct = request.version() == Version::HTTP_11;
            Ok::<_, Infallible>(match handle(request, peer).await {
                Answer::Response(response) => response.map(Outgoing::Ends),
                Answer::Stream(response) if direct && !response.body().is_end_stream() => response
                    .map(|body| {
                        handover.put(body);
                        Outgoing::HandedOver(Placeholder(handover))
                    }),
                Answer::Stream(response) => response.map(Outgoing::Stream),
            })
        })
    });
    let socket = Watched::new(socket, Arc::clone(&handover));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(60))
        .serve_connection(socket, service);
    // Boxed: a stream that stays open for hours need not keep the room that hyper had.
    let streaming = Box::pin(direct::until_stream(connection, &handover, &mut ending)).await;
    if let Some((socket, body)) = streaming {
        direct::serve(socket, body).await;
    }
}

/// What hyper sends.
enum Outgoing<B> {
    Ends(B),
    Stream(SseBody),
    HandedOver(Placeholder),
}

impl<B: Body<Data = Bytes, Error = io::Error> + Unpin> Body for Outgoing<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Outgoing::Ends(body) => Pin::new(body).poll_frame(cx),
            Outgoing::Stream(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|never| match never {}))),
            Outgoing::HandedOver(placeholder) => placeholder.poll_frame(),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Outgoing::Ends(body) => body.is_end_stream(),
            Outgoing::Stream(body) => body.is_end_stream(),
            Outgoing::HandedOver(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Ends(body) => body.size_hint(),
            Outgoing::Stream(body) => body.size_hint(),
            Outgoing::HandedOver(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_name() {
        for (text, expected) in [
            ("0.0.0.0", true),
            ("[::1]", true),
            ("::", true),
            ("my-machine.local", true),
            ("127.0.0.1:80", false),
            ("http://x", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<Host>().is_ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_taken_port_gives_way_to_the_next_unless_it_was_asked_for() {
        let taken = bind(&Host::Localhost, Ports::Exactly(0)).unwrap();
        let next = bind(&Host::Localhost, Ports::Near(taken.port)).unwrap();
        assert!(next.port > taken.port);
        let error = bind(&Host::Localhost, Ports::Exactly(taken.port)).unwrap_err();
        let hinted = error.downcast_ref::<Hinted>().unwrap();
        assert_eq!(
            hinted.message,
            format!(
                "cannot listen on 127.0.0.1:{}: the port is taken",
                taken.port
            )
        );
        assert!(hinted.hint.contains("--port"));
    }

    #[test]
    fn a_port_that_is_taken_on_one_loopback_address_only_is_taken() {
        let Ok(six) = bind_one((Ipv6Addr::LOCALHOST, 0).into()) else {
            eprintln!("skipped: this machine has no IPv6");
            return;
        };
        let port = six.local_addr().unwrap().port();
        let error = bind(&Host::Localhost, Ports::Exactly(port)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot listen on [::1]:{port}: the port is taken")
        );
    }

    #[test]
    fn an_address_of_another_machine_is_a_clear_error() {
        let host = "192.0.2.1".parse().unwrap();
        let error = bind(&host, Ports::Exactly(0)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot listen on 192.0.2.1:0: not an address of this machine"
        );
    }
}
