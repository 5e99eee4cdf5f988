//! Which addresses and ports are listened on.
//!
//! Without `--host` both loopback addresses are bound, because `localhost` may mean either.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

use crate::report::HintedError;

/// The default port, and the first one that is tried.
pub(crate) const DEFAULT_PORT: u16 = 8080;

/// How many more ports are tried after that.
const MORE_PORTS: u16 = 100;

/// Connections that may wait to be accepted, as after a restart with many tabs open.
const BACKLOG: i32 = 1024;

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
                Err("neither an IP address nor a host name; give the port with --port".to_owned())
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
    /// This one; 0 stands for any free one.
    Exactly(u16),
    /// The first free one from here on.
    From(u16),
}

/// Listening sockets, all on the same port.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) sockets: Vec<TcpListener>,
    pub(crate) port: u16,
}

/// Binds the addresses that `--host` names, on a port that `--port` allows.
pub(crate) fn bind(host: &Host, ports: Ports) -> anyhow::Result<Listeners> {
    let addresses = addresses(host)?;
    let (first, last) = match ports {
        Ports::Exactly(port) => (port, port),
        Ports::From(port) => (port, port.saturating_add(MORE_PORTS)),
    };
    // With port 0 the system chooses a port that is free on the first address. On the second address it
    // may be taken, then it is tried again.
    let attempts = if last == 0 { MORE_PORTS } else { 0 };
    let mut refused = None;
    for port in (first..=last).chain(std::iter::repeat_n(0, attempts.into())) {
        match bind_all(&addresses, port) {
            Ok(listeners) => return Ok(listeners),
            Err(error) => {
                let taken = error.1.kind() == io::ErrorKind::AddrInUse;
                // The error of the first port is reported: it is the one that the user knows.
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
            "another program is listening there: choose another --port, or omit --port to get the next free one".to_owned()
        }
        io::ErrorKind::AddrInUse => format!("ports {first} to {last} are all in use: choose another with --port"),
        io::ErrorKind::PermissionDenied => "ports below 1024 need privileges: choose a higher --port".to_owned(),
        io::ErrorKind::AddrNotAvailable => "list this machine's addresses with `ip address`, or omit --host".to_owned(),
        _ => "choose another --host or --port".to_owned(),
    };
    Err(HintedError {
        message: format!("cannot listen on {shown}: {}", reason(&error)),
        hint,
    }
    .into())
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the port is in use".to_owned(),
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
            let unknown = |why: String| HintedError {
                message: format!("cannot listen on {name:?}: {why}"),
                hint: match std::path::Path::new(name).is_dir() {
                    // `tidings --host site`: the folder is taken for the value of --host.
                    true => {
                        format!("if {name} is the folder, give it first: tidings {name} --host")
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

/// Binds one port on all addresses. The first must work. Others, mostly IPv6, may be missing on this
/// machine, but if another program has one, a browser might reach that program: then this fails. The
/// error comes with its address.
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
        // IPv4 is bound by a socket of its own.
        socket.set_only_v6(true)?;
    }
    // Not on Windows, where it would let two programs share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
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
    fn the_next_port_is_used_if_the_default_is_in_use_but_not_in_place_of_a_given_one() {
        let taken = bind(&Host::Localhost, Ports::Exactly(0)).unwrap();
        let next = bind(&Host::Localhost, Ports::From(taken.port)).unwrap();
        assert!(next.port > taken.port);
        let error = bind(&Host::Localhost, Ports::Exactly(taken.port)).unwrap_err();
        let hinted = error.downcast_ref::<HintedError>().unwrap();
        assert_eq!(
            hinted.message,
            format!(
                "cannot listen on 127.0.0.1:{}: the port is in use",
                taken.port
            )
        );
        assert!(hinted.hint.contains("--port"));
    }

    #[test]
    fn a_port_in_use_on_one_loopback_address_counts_as_in_use() {
        let Ok(six) = bind_one((Ipv6Addr::LOCALHOST, 0).into()) else {
            eprintln!("SKIPPED: this machine has no IPv6");
            return;
        };
        let port = six.local_addr().unwrap().port();
        let error = bind(&Host::Localhost, Ports::Exactly(port)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot listen on [::1]:{port}: the port is in use")
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
