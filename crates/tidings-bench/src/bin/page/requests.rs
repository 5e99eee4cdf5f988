//! [`Requests`]: the load. Each connection has one request under way; after a complete response the next
//! one is sent at once.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use memchr::memmem;
use mio::{Events, Interest, Poll, Token};

/// The run is aborted if no response arrives for this long.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct Requests {
    poll: Poll,
    ready: Events,
    connections: Vec<Connection>,
    request: Vec<u8>,
    least_bytes: usize,
    buffer: Vec<u8>,
}

struct Connection {
    socket: mio::net::TcpStream,
    /// The part of the head that has arrived; empty once it is parsed.
    head: Vec<u8>,
    /// The bytes of the body that are still missing, once the head is parsed.
    missing_bytes: Option<usize>,
    is_busy: bool,
}

impl Requests {
    pub(crate) fn connect(
        port: u16,
        request: &str,
        least_bytes: usize,
        n_connections: usize,
    ) -> Requests {
        let poll = Poll::new().unwrap();
        let connections = (0..n_connections).map(|at| {
            let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
            socket.set_nodelay(true).unwrap();
            socket.set_nonblocking(true).unwrap();
            let mut socket = mio::net::TcpStream::from_std(socket);
            poll.registry()
                .register(&mut socket, Token(at), Interest::READABLE)
                .unwrap();
            Connection {
                socket,
                head: Vec::new(),
                missing_bytes: None,
                is_busy: false,
            }
        });
        Requests {
            connections: connections.collect(),
            poll,
            ready: Events::with_capacity(1024),
            request: request.into(),
            least_bytes,
            buffer: vec![0; 256 * 1024],
        }
    }

    /// Sends requests until this moment, then waits for those under way. Returns the number of responses.
    pub(crate) fn run(&mut self, until: Instant) -> u64 {
        let mut n_answers = 0;
        let mut n_busy = self.connections.len();
        for connection in &mut self.connections {
            connection.ask(&self.request);
        }
        while n_busy > 0 {
            self.poll.poll(&mut self.ready, Some(TIMEOUT)).unwrap();
            assert!(!self.ready.is_empty(), "{n_busy} requests stay unanswered");
            let is_over = Instant::now() >= until;
            for event in &self.ready {
                let connection = &mut self.connections[event.token().0];
                if !connection.is_busy || !connection.read(&mut self.buffer, self.least_bytes) {
                    continue;
                }
                n_answers += 1;
                match is_over {
                    true => n_busy -= 1,
                    false => connection.ask(&self.request),
                }
            }
        }
        n_answers
    }
}

impl Connection {
    fn ask(&mut self, request: &[u8]) {
        // This cannot block: the request is small and nothing else is being sent.
        let n = self.socket.write(request).unwrap();
        assert_eq!(n, request.len());
        self.is_busy = true;
    }

    /// Reads what has arrived. Returns whether the response is complete.
    fn read(&mut self, buffer: &mut [u8], least_bytes: usize) -> bool {
        while self.is_busy {
            match self.socket.read(buffer) {
                Ok(0) => panic!("the server closed a connection"),
                Ok(n) => self.take(&buffer[..n], least_bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        !self.is_busy
    }

    fn take(&mut self, bytes: &[u8], least_bytes: usize) {
        let body_bytes = match self.missing_bytes {
            Some(_) => bytes.len(),
            None => {
                self.head.extend_from_slice(bytes);
                let Some(end) = memmem::find(&self.head, b"\r\n\r\n") else {
                    return;
                };
                let length = content_length(&self.head[..end]);
                assert!(length >= least_bytes, "only {length} bytes");
                self.missing_bytes = Some(length);
                let rest = self.head.len() - end - 4;
                self.head.clear();
                rest
            }
        };
        if let Some(missing) = &mut self.missing_bytes {
            assert!(body_bytes <= *missing, "more than was promised");
            *missing -= body_bytes;
            if *missing == 0 {
                self.missing_bytes = None;
                self.is_busy = false;
            }
        }
    }
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200"), "answered with {head}");
    let length = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: "));
    let Some(length) = length else {
        panic!("no length in {head}");
    };
    length.trim().parse().unwrap()
}
