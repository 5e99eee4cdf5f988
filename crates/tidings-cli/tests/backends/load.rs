//! People who ask for a page all the time, and are never to see an error or something old.

use std::io::{BufRead, BufReader, Error, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::http::connect;

/// Some hundred requests a second to `/`, whose answer tells its `version N`.
pub struct Load {
    shared: Arc<Shared>,
    visitors: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    port: u16,
    stop: AtomicBool,
    answers: AtomicUsize,
    /// The newest version that anybody has been answered with. What is asked for later is no older.
    newest: AtomicU32,
}

impl Load {
    pub fn start(port: u16) -> Load {
        let shared = Arc::new(Shared {
            port,
            ..Shared::default()
        });
        let visitors = (0..3).map(|_| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.visit())
        });
        Load {
            visitors: visitors.collect(),
            shared,
        }
    }

    pub fn newest(&self) -> u32 {
        self.shared.newest.load(Ordering::Relaxed)
    }

    /// How many answers there were; none was wrong.
    #[track_caller]
    pub fn stop(self) -> usize {
        self.shared.stop.store(true, Ordering::Relaxed);
        for visitor in self.visitors {
            visitor.join().expect("no request fails");
        }
        self.shared.answers.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn visit(&self) {
        let mut connection = None;
        while !self.stop.load(Ordering::Relaxed) {
            let before = self.newest.load(Ordering::SeqCst);
            // Mostly over the connection from before, and sometimes over a new one.
            if self
                .answers
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(7)
            {
                connection = None;
            }
            let mut socket = connection.unwrap_or_else(|| BufReader::new(connect(self.port)));
            let (status, body) = ask(&mut socket, self.port).expect("an answer");
            assert_eq!(status.trim_end(), "HTTP/1.1 200 OK", "{body}");
            connection = Some(socket);
            let version = version(&body).unwrap_or_else(|| panic!("no version: {body}"));
            assert!(version >= before, "version {version} after {before}");
            self.newest.fetch_max(version, Ordering::SeqCst);
            // Others on this machine are to get something done, too.
            std::thread::sleep(Duration::from_millis(8));
        }
    }
}

fn ask(socket: &mut BufReader<TcpStream>, port: u16) -> Result<(String, String), Error> {
    let request = format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    socket.get_mut().write_all(request.as_bytes())?;
    let mut status = String::new();
    socket.read_line(&mut status)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        socket.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(Error::other)?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    socket.read_exact(&mut body)?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

fn version(body: &str) -> Option<u32> {
    let (_, rest) = body.split_once("version ")?;
    rest.split('<').next()?.parse().ok()
}
