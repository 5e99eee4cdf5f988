//! A bare TCP relay: two threads per connection, each of which reads and writes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

/// Relays to this port of this machine. Prints the address.
pub(crate) fn run(to: u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    println!("http://{}/", listener.local_addr().unwrap());
    for client in listener.incoming() {
        let client = client.unwrap();
        let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
        for (from, to) in [(&client, &server), (&server, &client)] {
            to.set_nodelay(true).unwrap();
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            std::thread::spawn(move || copy(from, to));
        }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
