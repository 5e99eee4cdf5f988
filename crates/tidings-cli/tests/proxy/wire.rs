//! HTTP/1.1 by hand, as both sides speak it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use crate::support::program::PATIENCE;

/// The head of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head(pub Vec<String>);

impl Head {
    /// The request line or status line.
    pub fn first(&self) -> &str {
        self.0.first().map_or("", |line| line)
    }

    /// 0: the connection was closed without an answer.
    pub fn status(&self) -> u16 {
        let status = self.first().get(9..12);
        status.and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        let fields = self
            .0
            .iter()
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        let named = fields.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }
}

/// A body, and whether its end came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Complete(Vec<u8>),
    Broken(Vec<u8>),
}

impl Body {
    #[track_caller]
    pub fn complete(self) -> Vec<u8> {
        match self {
            Body::Complete(bytes) => bytes,
            Body::Broken(bytes) => panic!("broken: {}", String::from_utf8_lossy(&bytes)),
        }
    }

    #[track_caller]
    pub fn text(self) -> String {
        String::from_utf8(self.complete()).unwrap()
    }
}

/// A side of a connection.
pub struct Wire {
    pub reader: BufReader<TcpStream>,
}

impl Wire {
    pub fn new(socket: TcpStream) -> Wire {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Wire {
            reader: BufReader::new(socket),
        }
    }

    pub fn socket(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    /// Sends these bytes. Who has left does not get them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.reader.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    /// The next head; empty at the end of the connection.
    pub fn head(&mut self) -> Head {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            match self.reader.read_until(b'\n', &mut line) {
                Ok(n) if n > 0 => {}
                _ => return Head::default(),
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            match line.is_empty() {
                true if lines.is_empty() => {}
                true => return Head(lines),
                false => lines.push(line),
            }
        }
    }

    /// The next chunk; empty for the last one. `None` if the body breaks off.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let mut size = String::new();
        self.reader.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim_end().split(';').next()?, 16).ok()?;
        if size == 0 {
            return Some(Vec::new());
        }
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk).ok()?;
        chunk.truncate(size);
        Some(chunk)
    }

    /// The trailers after the last chunk.
    pub fn trailers(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).unwrap();
            match line.trim_end() {
                "" => return lines,
                line => lines.push(line.to_owned()),
            }
        }
    }

    /// The body that this head announces, with its end. Trailers are left.
    pub fn body(&mut self, head: &Head) -> Body {
        let mut body = Vec::new();
        if head.get("transfer-encoding").is_some() {
            loop {
                match self.chunk() {
                    None => return Body::Broken(body),
                    Some(chunk) if chunk.is_empty() => {
                        return Body::Complete(body);
                    }
                    Some(chunk) => body.extend(chunk),
                }
            }
        }
        match head.get("content-length") {
            Some(length) => {
                let length: u64 = length.parse().unwrap();
                let _ = self.reader.by_ref().take(length).read_to_end(&mut body);
                match body.len() as u64 == length {
                    true => Body::Complete(body),
                    false => Body::Broken(body),
                }
            }
            None if head.first().starts_with("HTTP/") => match self.reader.read_to_end(&mut body) {
                Ok(_) => Body::Complete(body),
                Err(_) => Body::Broken(body),
            },
            None => Body::Complete(body),
        }
    }

    /// Exactly this many bytes, as far as they come.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self
            .reader
            .by_ref()
            .take(count as u64)
            .read_to_end(&mut bytes);
        bytes
    }

    /// Waits until the other side closes, and returns what it has sent until then.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => {
                use std::io::ErrorKind::{TimedOut, WouldBlock};
                assert!(
                    !matches!(error.kind(), TimedOut | WouldBlock),
                    "it stays open"
                );
            }
        }
        rest
    }

    /// Closes the connection with a reset.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(self.socket());
        socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }
}

/// A client of the proxy.
pub struct Client {
    port: u16,
    pub wire: Wire,
}

impl Client {
    #[track_caller]
    pub fn connect(port: u16) -> Client {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        Client {
            port,
            wire: Wire::new(socket),
        }
    }

    /// Sends a request without a body, on this connection.
    pub fn ask(&mut self, method: &str, path: &str, headers: &[&str]) {
        let request = request(self.port, method, path, headers);
        self.wire.send(request);
    }

    /// The same, and the answer.
    pub fn answer(&mut self, method: &str, path: &str, headers: &[&str]) -> (Head, Body) {
        self.ask(method, path, headers);
        let head = self.wire.head();
        let body = match method {
            "HEAD" => Body::Complete(Vec::new()),
            _ => self.wire.body(&head),
        };
        if head.get("transfer-encoding").is_some() && matches!(body, Body::Complete(_)) {
            self.wire.trailers();
        }
        (head, body)
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub fn get(port: u16, path: &str, headers: &[&str]) -> (Head, Body) {
        Client::connect(port).answer("GET", path, headers)
    }
}

/// A request's head, with the usual `Host` unless there is one among the headers.
pub fn request(port: u16, method: &str, path: &str, headers: &[&str]) -> String {
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|line| line.starts_with("Host:")) {
        request += &format!("Host: localhost:{port}\r\n");
    }
    for line in headers {
        request += line;
        request += "\r\n";
    }
    request + "\r\n"
}
