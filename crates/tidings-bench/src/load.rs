//! [`Load`]: all subscribers of a hub and its publisher, in one thread.
//!
//! It measures a fan-out and checks it: an event counts for a stream when its blank line has arrived, its
//! payload is complete and it is the next one in order. Anything else aborts the run, so a faulty server
//! cannot look fast.
//!
//! A server listens on two ports. On the first it answers `GET` with streams. The second is for the
//! publisher's only connection: [`ACCEPT`] announces a new stream, and [`PUBLISH`] asks for the next event.

#![expect(
    clippy::unwrap_used,
    reason = "what fails here leaves nothing to measure"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use memchr::memmem;
use mio::{Events, Interest, Poll, Token};

/// Sent before a stream is opened.
pub const ACCEPT: u8 = b'a';

/// Sent to publish one event.
pub const PUBLISH: u8 = b'p';

/// The length of an event's text.
pub const PAYLOAD_BYTES: usize = 100;

/// The run is aborted if no event arrives for this long.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The text of an event: its number and padding, the same for every server.
pub fn payload(number: u64) -> String {
    let mut text = format!("{number:020} ");
    text.extend(std::iter::repeat_n('x', PAYLOAD_BYTES - text.len()));
    text
}

/// The two ports in the first line that a server prints.
pub fn ports(line: &str) -> (u16, u16) {
    let (streams, control) = line.trim().split_once(' ').unwrap();
    (streams.parse().unwrap(), control.parse().unwrap())
}

/// Open streams, and the publisher.
#[derive(Debug)]
pub struct Load {
    poll: Poll,
    ready: Events,
    control: TcpStream,
    port: u16,
    streams: Vec<(mio::net::TcpStream, Reader)>,
    published: u64,
    /// How many calls of `read` returned data.
    pub n_reads: u64,
}

impl Load {
    /// Connects the publisher to the server that printed this line.
    pub fn connect(first_line: &str) -> Load {
        let (port, control) = ports(first_line);
        let control = TcpStream::connect(("127.0.0.1", control)).unwrap();
        control.set_nodelay(true).unwrap();
        Load {
            poll: Poll::new().unwrap(),
            ready: Events::with_capacity(1024),
            control,
            port,
            streams: Vec::new(),
            published: 0,
            n_reads: 0,
        }
    }

    /// Opens a stream, and reads the head of its response.
    pub fn open(&mut self) {
        self.control.write_all(&[ACCEPT]).unwrap();
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        let request =
            "GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
        socket.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        let end = loop {
            let mut buffer = [0; 4096];
            let n = socket.read(&mut buffer).unwrap();
            assert!(n > 0, "the server closed a connection before it answered");
            head.extend_from_slice(&buffer[..n]);
            if let Some(at) = memmem::find(&head, b"\r\n\r\n") {
                break at + 4;
            }
        };
        let text = String::from_utf8_lossy(&head[..end]).to_ascii_lowercase();
        assert!(text.starts_with("http/1.1 200"), "answered with {text}");
        assert!(text.contains("text/event-stream"), "answered with {text}");
        let mut reader = Reader::new(
            text.contains("transfer-encoding: chunked"),
            self.published + 1,
        );
        reader
            .feed(&head[end..])
            .unwrap_or_else(|fault| panic!("{fault}"));
        socket.set_nonblocking(true).unwrap();
        let mut socket = mio::net::TcpStream::from_std(socket);
        let token = Token(self.streams.len());
        self.poll
            .registry()
            .register(&mut socket, token, Interest::READABLE)
            .unwrap();
        self.streams.push((socket, reader));
    }

    /// Publishes `n` events back to back and returns when every stream has got all of them.
    pub fn round(&mut self, n: u64) {
        self.control.write_all(&vec![PUBLISH; n as usize]).unwrap();
        self.published += n;
        let mut missing = n * self.streams.len() as u64;
        let mut buffer = [0; 16 << 10];
        while missing > 0 {
            match self.poll.poll(&mut self.ready, Some(TIMEOUT)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result.unwrap(),
            }
            assert!(
                !self.ready.is_empty(),
                "{missing} deliveries did not arrive"
            );
            for event in &self.ready {
                let (socket, reader) = &mut self.streams[event.token().0];
                loop {
                    match socket.read(&mut buffer) {
                        Ok(0) => panic!("the server closed a stream"),
                        Ok(n) => {
                            self.n_reads += 1;
                            let events = reader.feed(&buffer[..n]);
                            let events = events.unwrap_or_else(|fault| panic!("{fault}"));
                            missing = missing.checked_sub(events).unwrap();
                            // A short read has emptied the socket; epoll reports later data again.
                            if n < buffer.len() {
                                break;
                            }
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
    }
}

/// A strict parser of one stream.
#[derive(Debug)]
struct Reader {
    part: Part,
    /// The beginning of an incomplete event.
    begun: Vec<u8>,
    next: u64,
}

/// The parser's position in the transfer coding.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// Not chunked.
    Whole,
    /// In the line with a chunk's size; this is its value so far.
    Size(usize),
    /// In a chunk with this many bytes left.
    Chunk(usize),
    /// Before the line break after a chunk.
    ChunkEnd,
}

impl Reader {
    fn new(chunked: bool, next: u64) -> Reader {
        let part = match chunked {
            true => Part::Size(0),
            false => Part::Whole,
        };
        Reader {
            part,
            begun: Vec::new(),
            next,
        }
    }

    /// Parses bytes of the body, and returns how many events they completed.
    fn feed(&mut self, mut bytes: &[u8]) -> Result<u64, String> {
        let mut n_events = 0;
        while let Some(&first) = bytes.first() {
            match self.part {
                Part::Whole => return self.text(bytes),
                Part::Chunk(left) => {
                    let (text, rest) = bytes.split_at(left.min(bytes.len()));
                    n_events += self.text(text)?;
                    bytes = rest;
                    self.part = match left - text.len() {
                        0 => Part::ChunkEnd,
                        left => Part::Chunk(left),
                    };
                    continue;
                }
                Part::Size(size) => {
                    self.part = match first {
                        b'\r' => Part::Size(size),
                        b'\n' if size == 0 => return Err("the body ended".to_owned()),
                        b'\n' => Part::Chunk(size),
                        digit => {
                            let digit = char::from(digit).to_digit(16);
                            let digit = digit.ok_or_else(|| format!("no chunk size: {first}"))?;
                            Part::Size(size * 16 + digit as usize)
                        }
                    }
                }
                Part::ChunkEnd => match first {
                    b'\r' => {}
                    b'\n' => self.part = Part::Size(0),
                    _ => return Err("a chunk is longer than its size".to_owned()),
                },
            }
            bytes = &bytes[1..];
        }
        Ok(n_events)
    }

    fn text(&mut self, bytes: &[u8]) -> Result<u64, String> {
        if self.begun.is_empty() {
            let (n_events, used) = frames(bytes, &mut self.next)?;
            self.begun.extend_from_slice(&bytes[used..]);
            return Ok(n_events);
        }
        self.begun.extend_from_slice(bytes);
        let (n_events, used) = frames(&self.begun, &mut self.next)?;
        self.begun.drain(..used);
        Ok(n_events)
    }
}

/// Parses the complete frames in these bytes; returns how many are events, and how many bytes they have.
fn frames(bytes: &[u8], next: &mut u64) -> Result<(u64, usize), String> {
    let (mut n_events, mut used) = (0, 0);
    while let Some(length) = memmem::find(&bytes[used..], b"\n\n") {
        let frame = &bytes[used..used + length];
        used += length + 2;
        // The greeting and keep-alive comments have no data.
        let mut lines = frame.split(|byte| *byte == b'\n');
        let Some(data) = lines.find_map(|line| line.strip_prefix(b"data: ")) else {
            continue;
        };
        let number = data
            .get(..20)
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        let filled = data.get(20..).is_some_and(|rest| {
            rest.len() == PAYLOAD_BYTES - 20
                && rest[0] == b' '
                && rest[1..].iter().all(|byte| *byte == b'x')
        });
        if number != Some(*next) || !filled {
            let text = String::from_utf8_lossy(data);
            return Err(format!("expected event {next}, got {text:?}"));
        }
        *next += 1;
        n_events += 1;
    }
    Ok((n_events, used))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u64) -> String {
        format!("id: x.{number}\ndata: {}\n\n", payload(number))
    }

    /// The number of events in this, which must not depend on how it is cut.
    #[track_caller]
    fn check(chunked: bool, body: &str, expected: Option<u64>) {
        for size in 1..body.len() + 1 {
            let mut reader = Reader::new(chunked, 1);
            let counts: Result<Vec<_>, _> = body
                .as_bytes()
                .chunks(size)
                .map(|piece| reader.feed(piece))
                .collect();
            assert_eq!(
                counts.ok().map(|counts| counts.iter().sum()),
                expected,
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn events_count_at_their_blank_line() {
        let two = frame(1) + &frame(2);
        check(false, &two, Some(2));
        check(false, &two[..two.len() - 1], Some(1));
        check(false, &format!(": hello\nretry: 5\n\n{two}:\n\n"), Some(2));
    }

    #[test]
    fn chunks_may_hold_any_part_of_events() {
        let two = frame(1) + &frame(2);
        let (a, b) = two.split_at(50);
        check(
            true,
            &format!("{:x}\r\n{a}\r\n{:X}\r\n{b}\r\n", a.len(), b.len()),
            Some(2),
        );
    }

    #[test]
    fn faults_are_noticed() {
        check(false, &(frame(1) + &frame(3)), None);
        check(false, &(frame(1) + &frame(1)), None);
        check(false, &frame(2), None);
        check(false, &frame(1).replace("xx\n", "x\n"), None);
        check(false, &frame(1).replace("xx\n", "xy\n"), None);
        check(true, "3\r\n: xx\r\n", None);
        check(true, "0\r\n\r\n", None);
    }
}
