//! A client with one kept connection, which reads each response to its end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use memchr::memmem;

pub(crate) struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Client {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_nodelay(true).unwrap();
        let timeout = Some(Duration::from_secs(60));
        socket.set_read_timeout(timeout).unwrap();
        let buffer = vec![0; 256 * 1024];
        Client { socket, buffer }
    }

    /// Sends a request and reads the response. Returns how many bytes its body has.
    pub(crate) fn ask(&mut self, request: &str) -> u64 {
        self.socket.write_all(request.as_bytes()).unwrap();
        let mut n = 0;
        let end = loop {
            n += self.read(n);
            if let Some(end) = memmem::find(&self.buffer[..n], b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let field = |name: &str| head.split("\r\n").find_map(|line| line.strip_prefix(name));
        match field("content-length: ") {
            Some(length) => {
                let length: u64 = length.parse().unwrap();
                let mut missing = length - (n - end) as u64;
                while missing > 0 {
                    missing -= self.read(0) as u64;
                }
                length
            }
            None => {
                assert!(field("transfer-encoding: ").is_some(), "{head}");
                // Small: everything fits into the buffer.
                while !self.buffer[..n].ends_with(b"\r\n0\r\n\r\n") {
                    n += self.read(n);
                }
                (n - end) as u64
            }
        }
    }

    fn read(&mut self, at: usize) -> usize {
        let n = self.socket.read(&mut self.buffer[at..]).unwrap();
        assert!(n > 0, "the server closed the connection");
        n
    }
}

/// A browser's request.
pub(crate) fn request(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
         Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en\r\n{headers}\r\n"
    )
}
