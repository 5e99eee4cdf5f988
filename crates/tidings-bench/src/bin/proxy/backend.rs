//! The backend: a page and a download, written as fast as can be.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use memchr::memmem;

pub(crate) const PAGE_BYTES: usize = 2048;

/// Listens on a free port.
pub(crate) fn start() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let socket = socket.unwrap();
            std::thread::spawn(move || {
                // Whoever measures notices what is missing.
                let _ = serve(socket);
            });
        }
    });
    port
}

fn serve(mut socket: TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let page = page();
    let mut buffer = vec![0; 64 * 1024];
    let mut head = Vec::new();
    loop {
        let n = socket.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        head.extend_from_slice(&buffer[..n]);
        let Some(end) = memmem::find(&head, b"\r\n\r\n") else {
            continue;
        };
        match memmem::find(&head[..end], b"/download/") {
            None => socket.write_all(&page)?,
            Some(at) => {
                let digits = head[at + 10..].split(|byte| !byte.is_ascii_digit()).next();
                let mib = String::from_utf8_lossy(digits.unwrap()).parse().unwrap();
                download(&mut socket, &buffer, mib)?;
            }
        }
        head.drain(..end + 4);
    }
}

fn download(socket: &mut TcpStream, buffer: &[u8], mib: usize) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
        mib << 20
    );
    socket.write_all(head.as_bytes())?;
    for _ in 0..mib * ((1 << 20) / buffer.len()) {
        socket.write_all(buffer)?;
    }
    Ok(())
}

/// The response, with its head.
fn page() -> Vec<u8> {
    let mut page = "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n<title>A page</title>\n</head>\n<body>\n".to_owned();
    while page.len() < PAGE_BYTES {
        page.push_str("<p>Somebody wrote a line of text here.</p>\n");
    }
    page.truncate(PAGE_BYTES);
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {PAGE_BYTES}\r\n\r\n{page}")
        .into_bytes()
}
