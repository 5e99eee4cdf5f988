//! A raw HTTP/1 client, so that a test sees the bytes and not somebody's reading of them.
#![allow(dead_code, reason = "each test file uses its part of it")]

use std::net::SocketAddr;
use std::time::Duration;

use tidings::sse::{Item, Message, Parser};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Far more than any wait here takes; only a hang reaches it.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// One connection, one request.
pub(crate) struct Client {
    socket: TcpStream,
    /// What has come and has not been looked at.
    rest: Vec<u8>,
}

impl Client {
    /// Sends a request: its first line and headers, without the blank line.
    pub(crate) async fn send(address: SocketAddr, request: &str) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        Client::send_from(socket, address, request).await
    }

    pub(crate) async fn send_from(socket: TcpSocket, address: SocketAddr, request: &str) -> Client {
        let mut socket = socket.connect(address).await.unwrap();
        let request = format!("{}\r\n\r\n", request.replace('\n', "\r\n"));
        socket.write_all(request.as_bytes()).await.unwrap();
        Client {
            socket,
            rest: Vec::new(),
        }
    }

    pub(crate) async fn get(address: SocketAddr) -> Client {
        Client::send(address, "GET /sse HTTP/1.1\nHost: localhost").await
    }

    /// Whether more bytes came before the end.
    async fn fill(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        let read = self.socket.read(&mut bytes);
        match tokio::time::timeout(LONG, read).await.unwrap() {
            Ok(0) | Err(_) => false,
            Ok(n) => {
                self.rest.extend_from_slice(&bytes[..n]);
                true
            }
        }
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.rest.windows(2).position(|two| two == b"\r\n") {
                let line = self.rest.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).unwrap();
            }
            assert!(self.fill().await, "the end, in a line: {:?}", self.rest);
        }
    }

    /// The head, but for the date: the lines, as they came.
    pub(crate) async fn head(&mut self) -> Vec<String> {
        let mut head = Vec::new();
        loop {
            match self.line().await {
                line if line.is_empty() => return head,
                line if line.to_ascii_lowercase().starts_with("date: ") => {}
                line => head.push(line),
            }
        }
    }

    /// The next chunk of a chunked body; `None` for the last one.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = self.line().await;
        let size = usize::from_str_radix(&size, 16).unwrap();
        while self.rest.len() < size + 2 {
            assert!(self.fill().await, "the end, in a chunk");
        }
        let chunk = self.rest.drain(..size).collect();
        let end: Vec<u8> = self.rest.drain(..2).collect();
        assert_eq!(end, b"\r\n");
        (size > 0).then_some(chunk)
    }

    /// Everything up to the end of the chunked body.
    pub(crate) async fn chunks_to_the_end(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await {
            body.extend(chunk);
        }
        body
    }

    /// Everything up to the end of the connection, as it came.
    pub(crate) async fn rest_until_closed(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.rest)
    }
}

/// Reads a chunked stream as a browser does.
pub(crate) struct Listener {
    client: Client,
    parser: Parser,
    received: std::collections::VecDeque<Message>,
}

impl Listener {
    pub(crate) async fn new(mut client: Client) -> Listener {
        let head = client.head().await;
        assert!(head[0].ends_with("200 OK"), "{head:?}");
        Listener {
            client,
            parser: Parser::new(),
            received: std::collections::VecDeque::new(),
        }
    }

    pub(crate) async fn next(&mut self) -> Option<Message> {
        while self.received.is_empty() {
            let chunk = self.client.chunk().await?;
            let tell = |item| {
                if let Item::Message(message) = item {
                    self.received.push_back(message);
                }
            };
            self.parser.push(&chunk, tell).unwrap();
        }
        self.received.pop_front()
    }
}

/// Waits for what the server is about to do, and gives up only when it surely hangs.
pub(crate) async fn wait_until(what: &str, done: impl Fn() -> bool) {
    let waiting = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(LONG, waiting).await;
    assert!(waited.is_ok(), "{what}");
}
