//! `tidings proxy` in front of a backend that comes and goes.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::Browser;
use crate::overlay::{NOT_SHOWN, press, shows};
use crate::support::program::{Folder, Server, tidings};

/// A backend that answers everything with one page, and closes each connection.
pub struct Plain {
    pub port: u16,
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Plain {
    /// On this port, or on a free one.
    pub fn start(port: u16, html: &'static str) -> Plain {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_stopping = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&is_stopping);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopping.load(Ordering::SeqCst) {
                    break;
                }
                answer(stream.unwrap(), html);
            }
        });
        Plain {
            port,
            is_stopping,
            thread: Some(thread),
        }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let _ = self.thread.take().unwrap().join();
    }
}

fn answer(stream: TcpStream, html: &str) {
    let mut lines = BufReader::new(&stream).lines();
    let Some(Ok(request)) = lines.next() else {
        return; // it was only a look whether somebody listens
    };
    while lines
        .next()
        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
    {}
    let body = if request.starts_with("HEAD") {
        ""
    } else {
        html
    };
    let _ = write!(
        &stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        html.len()
    );
}

#[test]
fn pages_outlive_a_backend_and_the_page_in_its_place_heals() {
    let folder = Folder::new(&[("page.html", "one")]);
    let backend = Plain::start(0, "<input id=i><p>one");
    let port = backend.port;
    let server = Server::run(
        tidings()
            .args([
                "proxy",
                &format!("http://127.0.0.1:{port}"),
                "--json",
                "--port",
                "0",
            ])
            .args(["--watch".as_ref(), folder.root()]),
    );
    let url = format!("http://localhost:{}/", server.port);
    let mut browser = Browser::start();
    let mut page = browser.open(&url);
    page.until("document.querySelector('p').textContent === 'one'");
    page.mark();
    page.eval("i.value = 'typed'");

    drop(backend);
    // It would reload for this, and nobody else has asked since.
    folder.save("page.html", "two");
    let mut other = browser.blank();
    other.go(&url);
    other.until("document.querySelector('h1').textContent.startsWith('No answer from')");
    page.until(&shows("start the backend"));
    assert!(page.is_same());
    assert_eq!(page.eval("i.value"), "typed");

    let _backend = Plain::start(port, "<p>two");
    for page in [&mut page, &mut other] {
        page.until("document.querySelector('p')?.textContent === 'two'");
        page.until(NOT_SHOWN);
    }
}

/// `tidings proxy`, with a build and a command that are scripts in the folder.
pub fn with_command(folder: &Folder) -> Server {
    Server::run(
        tidings()
            .current_dir(folder.root())
            .args(["proxy", "--json", "--port", "0", "--restart", "."])
            .args(["--build", "sh build.sh", "--", "sh", "start.sh", "{port}"]),
    )
}

pub const START: &str = "exec python3 -m http.server --bind 127.0.0.1 --directory site \"$1\"";

#[test]
fn a_failed_build_shows_over_the_page_and_the_backend_from_before_goes_on() {
    let folder = Folder::new(&[
        ("build.sh", "true"),
        ("start.sh", START),
        ("site/index.html", "<input id=i><p>one"),
    ]);
    let server = with_command(&folder);
    let url = format!("http://localhost:{}/", server.port);
    let mut browser = Browser::start();
    let mut page = browser.blank();
    page.go(&url);
    page.until("document.querySelector('p')?.textContent.trim() === 'one'");
    page.mark();
    page.eval("i.focus(); i.value = 'typed'");

    folder.save(
        "build.sh",
        "printf '\\033[1;31merror\\033[0m: no such thing\\n --> src/main.rs:4:5\\n' >&2; exit 1",
    );
    page.until(&shows("error: no such thing"));
    assert!(page.is_same());
    // The old one answers.
    assert_eq!(page.eval("fetch('/').then(r => r.status)"), 200);
    press(&mut page, "Escape");
    page.until(NOT_SHOWN);
    assert_eq!(
        page.eval("document.activeElement === i && i.value"),
        "typed"
    );

    folder.save("site/index.html", "<p>two");
    folder.save("build.sh", "true");
    page.until("document.querySelector('p')?.textContent.trim() === 'two'");
    assert_eq!(page.eval(NOT_SHOWN), true);
}

#[test]
fn a_crash_at_the_first_start_is_a_page_that_heals() {
    let folder = Folder::new(&[
        ("build.sh", "true"),
        ("start.sh", "echo 'cannot find the settings' >&2; exit 3"),
        ("site/index.html", "<p>there"),
    ]);
    let server = with_command(&folder);
    let mut browser = Browser::start();
    let mut page = browser.blank();
    page.go(&format!("http://localhost:{}/", server.port));
    page.until(
        "document.querySelector('pre')?.textContent.includes('cannot find the settings') === true",
    );
    assert_eq!(page.eval(NOT_SHOWN), true);
    folder.save("start.sh", START);
    page.until("document.querySelector('p')?.textContent.trim() === 'there'");
}
