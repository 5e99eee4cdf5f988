//! Whether this machine has a name in the local network, `laptop.local`, that other devices can resolve
//! (multicast DNS, RFC 6762).
//!
//! The only certain way to tell is to ask, as another device would: the system's responder (Bonjour, Avahi, systemd)
//! answers at once or there is none.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// RFC 6762 3.
const GROUP: ([u8; 4], u16) = ([224, 0, 0, 251], 5353);

/// How long the answer may take. It comes from this machine.
const TIMEOUT: Duration = Duration::from_millis(200);

/// DNS types and classes.
const TYPE_A: u16 = 1;
const CLASS_IN: u16 = 1;

/// The name, if it resolves to one of these addresses.
pub(super) fn own_name(addresses: &[IpAddr]) -> Option<String> {
    let host = gethostname::gethostname().into_string().ok()?;
    let label = host.split('.').next().filter(|label| !label.is_empty())?;
    let name = format!("{label}.local");
    let found = ask(&name, GROUP.into(), TIMEOUT).ok()??;
    addresses.contains(&found).then_some(name)
}

/// Asks for the address of a name.
fn ask(name: &str, at: SocketAddr, timeout: Duration) -> io::Result<Option<IpAddr>> {
    let question = question(name);
    // RFC 6762 5.1: from another port than 5353, the answer comes back to this socket only.
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.send_to(&question, at)?;
    let deadline = Instant::now() + timeout;
    let mut packet = [0; 1500];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        socket.set_read_timeout(Some(left))?;
        match socket.recv(&mut packet) {
            Ok(n) => {
                if let Some(found) = answer(&packet[..n], name) {
                    return Ok(Some(found));
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
}

/// RFC 1035 4.1: a query with one question.
fn question(name: &str) -> Vec<u8> {
    let mut packet = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        // At most 63 bytes, as host names are.
        let label = &label.as_bytes()[..label.len().min(63)];
        packet.push(u8::try_from(label.len()).unwrap_or_default());
        packet.extend_from_slice(label);
    }
    packet.push(0);
    packet.extend(TYPE_A.to_be_bytes());
    packet.extend(CLASS_IN.to_be_bytes());
    packet
}

/// The address in the first matching answer of a response.
fn answer(packet: &[u8], name: &str) -> Option<IpAddr> {
    let number = |at: usize| Some(u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?));
    let is_response = number(2)? & 0x8000 != 0;
    let (questions, answers) = (number(4)?, number(6)?);
    if !is_response {
        return None;
    }
    let mut at = 12;
    for _ in 0..questions {
        at = name_at(packet, at)?.1 + 4;
    }
    for _ in 0..answers {
        let (found, after) = name_at(packet, at)?;
        let (kind, len) = (number(after)?, usize::from(number(after + 8)?));
        let data = packet.get(after + 10..after + 10 + len)?;
        if kind == TYPE_A && found.eq_ignore_ascii_case(name) {
            let address: [u8; 4] = data.try_into().ok()?;
            return Some(address.into());
        }
        at = after + 10 + len;
    }
    None
}

/// The name at this place, and where it ends. RFC 1035 4.1.4: its end may be somewhere before.
fn name_at(packet: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut after = None;
    // Each jump leads backwards. A name that leads back to itself has a label on the way, so the limit of its length ends
    // this.
    loop {
        let len = usize::from(*packet.get(at)?);
        match len {
            0 => return Some((name, after.unwrap_or(at + 1))),
            1..=63 => {
                let label = packet.get(at + 1..at + 1 + len)?;
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(&String::from_utf8_lossy(label));
                at += 1 + len;
            }
            192.. => {
                let to = (len & 63) << 8 | usize::from(*packet.get(at + 1)?);
                after = after.or(Some(at + 2));
                if to >= at {
                    return None;
                }
                at = to;
            }
            _ => return None,
        }
        if name.len() > 255 {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A response to the question for `name`, with a name that refers to the question's.
    fn response(name: &str, address: [u8; 4]) -> Vec<u8> {
        let mut packet = question(name);
        packet[2] = 0x84;
        packet[7] = 1;
        packet.extend([0xc0, 12, 0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4]);
        packet.extend(address);
        packet
    }

    #[test]
    fn the_address_of_a_responder_is_found() {
        let responder = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = responder.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut packet = [0; 512];
            let (n, from) = responder.recv_from(&mut packet).unwrap();
            assert_eq!(packet[..n], question("laptop.local"));
            responder.send_to(b"not dns", from).unwrap();
            let other = response("phone.local", [10, 0, 0, 9]);
            responder.send_to(&other, from).unwrap();
            let ours = response("Laptop.local", [10, 0, 0, 7]);
            responder.send_to(&ours, from).unwrap();
        });
        let found = ask("laptop.local", at, Duration::from_secs(30)).unwrap();
        assert_eq!(found, Some([10, 0, 0, 7].into()));
        thread.join().unwrap();
    }

    #[test]
    fn without_a_responder_there_is_no_name() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = silent.local_addr().unwrap();
        assert_eq!(
            ask("laptop.local", at, Duration::from_millis(1)).unwrap(),
            None
        );
    }

    #[test]
    fn a_packet_that_is_cut_off_or_refers_to_itself_is_no_answer() {
        let whole = response("laptop.local", [10, 0, 0, 7]);
        for len in 0..whole.len() {
            assert_eq!(answer(&whole[..len], "laptop.local"), None, "{len}");
        }
        for at in 0..whole.len() {
            for byte in [0xc0, 0xff, 0, 64] {
                let mut broken = whole.clone();
                broken[at] = byte;
                answer(&broken, "laptop.local");
            }
        }
    }
}
