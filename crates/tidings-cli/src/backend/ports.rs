//! A free port for an instance.
//!
//! It is chosen below the range from which the system takes the ports of outgoing connections: one of
//! those could take it between our choice and the moment when the command listens.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// The first port that is chosen.
const FIRST: u16 = 20_000;

/// Before the range of outgoing connections on Linux (32768); elsewhere that begins at 49152 or later.
const END: u16 = 32_768;

const TRIES: u32 = 200;

/// A port on which nothing listens, on any address.
pub(super) fn free() -> io::Result<u16> {
    let end = outgoing_from().map_or(END, |from| from.min(END));
    if end > FIRST + 1000 {
        for _ in 0..TRIES {
            let port = fastrand::u16(FIRST..end);
            if is_free(port) {
                return Ok(port);
            }
        }
    }
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(socket.local_addr()?.port())
}

/// The first port of outgoing connections (ip(7)).
fn outgoing_from() -> Option<u16> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_whitespace().next()?.parse().ok()
}

fn is_free(port: u16) -> bool {
    let free = |address: SocketAddr| {
        let bound = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )
        .and_then(|socket| {
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            // Without SO_REUSEADDR, which would bind next to a listener on some systems.
            socket.bind(&address.into())
        });
        match bound {
            Ok(()) => true,
            // This machine may have no IPv6.
            Err(error) => address.is_ipv6() && error.kind() != io::ErrorKind::AddrInUse,
        }
    };
    [
        (Ipv4Addr::UNSPECIFIED, port).into(),
        (Ipv4Addr::LOCALHOST, port).into(),
        (Ipv6Addr::UNSPECIFIED, port).into(),
        (Ipv6Addr::LOCALHOST, port).into(),
    ]
    .into_iter()
    .all(free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_port_that_somebody_listens_on_is_not_free() {
        for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
            let taken = TcpListener::bind((address, 0)).unwrap();
            assert!(!is_free(taken.local_addr().unwrap().port()), "{address}");
        }
        match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
            Ok(taken) => assert!(!is_free(taken.local_addr().unwrap().port())),
            Err(_) => eprintln!("SKIPPED: this machine has no IPv6"),
        }
    }

    #[test]
    fn a_free_port_can_be_listened_on_by_any_address() {
        let port = free().unwrap();
        let socket = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        assert_eq!(socket.local_addr().unwrap().port(), port);
    }
}
