//! HTTP by hand, because what a library would never send or show is what is tested here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::program::PATIENCE;

#[derive(Debug)]
pub struct Answer {
    /// 0: the connection was closed without an answer.
    pub status: u16,
    /// The lines before the body, as they came.
    pub head: Vec<String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of the first header with this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.iter().filter_map(|line| line.split_once(": "));
        let found = headers.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim_end())
    }
}

pub fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Sends these bytes, and reads the answer's head and what its length says.
///
/// A connection that breaks is an answer too: who sends nonsense may be cut off while sending.
pub fn send(port: u16, request: &[u8]) -> Answer {
    let mut socket = connect(port);
    let _ = socket.write_all(request);
    answer(socket)
}

/// The same for what is no whole request: the end is shown, so that nobody waits for the rest. (After
/// a whole one that would mean that its sender has left.)
pub fn send_and_end(port: u16, request: &[u8]) -> Answer {
    let mut socket = connect(port);
    let _ = socket.write_all(request);
    let _ = socket.shutdown(std::net::Shutdown::Write);
    answer(socket)
}

fn answer(socket: TcpStream) -> Answer {
    let mut answer = BufReader::new(socket);
    let head = head(&mut answer);
    let mut body = Vec::new();
    match length(&head) {
        Some(length) => {
            let _ = answer.take(length).read_to_end(&mut body);
        }
        None => {
            let _ = answer.read_to_end(&mut body);
        }
    }
    let status = head.first().and_then(|line| line.get(9..12));
    Answer {
        status: status.and_then(|status| status.parse().ok()).unwrap_or(0),
        head,
        body,
    }
}

/// A request with these header lines; `Host` is the usual one unless it is among them.
pub fn ask(port: u16, method: &str, target: &str, headers: &[&str]) -> Answer {
    send(port, request(port, method, target, headers).as_bytes())
}

pub fn get(port: u16, target: &str) -> Answer {
    ask(port, "GET", target, &[])
}

pub fn post(port: u16, target: &str, body: &str) -> Answer {
    let length = format!("Content-Length: {}", body.len());
    let head = request(port, "POST", target, &[&length]);
    send(port, (head + body).as_bytes())
}

fn request(port: u16, method: &str, target: &str, headers: &[&str]) -> String {
    let mut request = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|line| line.starts_with("Host:")) {
        request += &format!("Host: localhost:{port}\r\n");
    }
    for line in headers {
        request += line;
        request += "\r\n";
    }
    request + "\r\n"
}

fn head(answer: &mut impl BufRead) -> Vec<String> {
    let lines = answer.lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).collect()
}

fn length(head: &[String]) -> Option<u64> {
    let line = head
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "))?;
    line.parse().ok()
}

/// An open event stream.
pub struct Stream {
    pub head: Vec<String>,
    socket: BufReader<TcpStream>,
    /// What came and was not looked at yet, without the marks of the chunks.
    text: String,
}

impl Stream {
    #[track_caller]
    pub fn open(port: u16, headers: &[&str]) -> Stream {
        let mut request = format!("GET /server-sent-events HTTP/1.1\r\nHost: localhost:{port}\r\n");
        for line in headers {
            request += line;
            request += "\r\n";
        }
        let mut socket = connect(port);
        socket.write_all((request + "\r\n").as_bytes()).unwrap();
        let mut socket = BufReader::new(socket);
        let head = head(&mut socket);
        assert_eq!(head[0], "HTTP/1.1 200 OK");
        Stream {
            head,
            socket,
            text: String::new(),
        }
    }

    /// The bytes up to the next blank line, with it; `None` where the stream ended properly.
    #[track_caller]
    pub fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let rest = self.text.split_off(end + 2);
                return Some(std::mem::replace(&mut self.text, rest));
            }
            let mut size = String::new();
            self.socket.read_line(&mut size).unwrap();
            let size = usize::from_str_radix(size.trim_end(), 16)
                .unwrap_or_else(|_| panic!("cut off, not ended: {size:?}"));
            let mut chunk = vec![0; size + 2];
            self.socket.read_exact(&mut chunk).unwrap();
            if size == 0 {
                assert_eq!(self.text, "", "an unfinished event");
                return None;
            }
            self.text
                .push_str(std::str::from_utf8(&chunk[..size]).unwrap());
        }
    }

    /// The next event: its id, if it has one, and what it says.
    #[track_caller]
    pub fn event(&mut self) -> (String, Value) {
        loop {
            let block = self.block().expect("an event, not the end");
            let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
            // The greeting has none; a stream that has no status yet begins with a position only.
            if let Some(data) = field("data: ") {
                let id = field("id: ").unwrap_or_default();
                return (id.to_owned(), serde_json::from_str(data).unwrap());
            }
        }
    }

    /// The next event that is a change.
    #[track_caller]
    pub fn change(&mut self) -> (String, Value) {
        loop {
            let (id, said) = self.event();
            if said.get("changes").is_some() {
                return (id, said);
            }
        }
    }
}
