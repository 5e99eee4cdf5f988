//! A backend of a few lines: what it does with each connection is said by the test.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::program::until;
use crate::wire::{Head, Wire};

pub struct Backend {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<Head>>>,
}

/// A connection to it.
pub struct Conn {
    wire: Wire,
    /// How many there were before.
    pub index: usize,
    requests: Arc<Mutex<Vec<Head>>>,
}

impl Backend {
    pub fn start(serve: impl Fn(Conn) + Send + Sync + 'static) -> Backend {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Backend::on(listener, serve)
    }

    pub fn on(listener: TcpListener, serve: impl Fn(Conn) + Send + Sync + 'static) -> Backend {
        let backend = Backend {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let (connections, requests) = (
            Arc::clone(&backend.connections),
            Arc::clone(&backend.requests),
        );
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let conn = Conn {
                    wire: Wire::new(socket),
                    index: connections.fetch_add(1, Ordering::SeqCst),
                    requests: Arc::clone(&requests),
                };
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(conn));
            }
        });
        backend
    }

    /// One that answers every request with this, and then closes the connection.
    pub fn answering(response: impl Into<Vec<u8>>) -> Backend {
        let response = response.into();
        Backend::start(move |mut conn| {
            let head = conn.request();
            conn.body(&head);
            conn.send(&response);
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The heads of all requests.
    pub fn requests(&self) -> Vec<Head> {
        self.requests.lock().unwrap().clone()
    }

    /// The request with this index, as soon as it is there.
    #[track_caller]
    pub fn request(&self, index: usize) -> Head {
        until(|| self.requests().get(index).cloned()).expect("a request comes")
    }
}

impl Conn {
    /// The next request's head; empty when the connection is closed.
    pub fn request(&mut self) -> Head {
        let head = self.wire.head();
        if !head.0.is_empty() {
            self.requests.lock().unwrap().push(head.clone());
        }
        head
    }

    /// Closes it with a reset.
    pub fn reset(self) {
        self.wire.reset();
    }
}

impl Deref for Conn {
    type Target = Wire;

    fn deref(&self) -> &Wire {
        &self.wire
    }
}

impl DerefMut for Conn {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}
