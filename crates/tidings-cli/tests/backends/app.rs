//! An application in a folder of its own, and `tidings proxy` in front of it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::program::{Folder, Server, undisturbed, until};
use crate::tools::{self, Tool};

/// A copy of an application, that may be edited.
pub struct App {
    folder: Folder,
    tool: Tool,
    server: Option<Server>,
}

impl Deref for App {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

impl App {
    /// A copy of `apps/NAME`; `None` where what it needs cannot be had.
    pub fn new(name: &str, tool: Tool) -> Option<App> {
        if !tool.is_there() {
            return None;
        }
        let folder = Folder::new(&[]);
        copy(&tools::sources(name), folder.root());
        if tool == Tool::Node {
            std::os::unix::fs::symlink(tools::node_modules(), folder.path("node_modules")).unwrap();
        }
        Some(App {
            folder,
            tool,
            server: None,
        })
    }

    /// A program of the application's, in its folder.
    pub fn program(&self, name: &str) -> Command {
        let mut command = undisturbed(OsStr::new(name));
        command
            .current_dir(self.root())
            .env("PATH", tools::path(self.tool))
            .env("PYTHONUNBUFFERED", "1");
        command
    }

    /// Runs a program of the application's to its end.
    #[track_caller]
    pub fn once(&self, line: &str) {
        let status = self.program("sh").args(["-c", line]).status().unwrap();
        assert!(status.success(), "{line}");
    }

    /// Types this into a shell in the application's folder: a command of `tidings` as a page tells it. What
    /// tests need besides comes from the environment.
    #[track_caller]
    pub fn run(&mut self, line: &str) {
        self.settle();
        let mut shell = self.program("sh");
        shell
            .args(["-c", &format!("exec {line}")])
            .env("TIDINGS_PORT", "0")
            .env("TIDINGS_JSON", "true");
        self.server = Some(Server::run(&mut shell));
    }

    /// `tidings proxy` in front of a backend that runs already.
    #[track_caller]
    pub fn front(&mut self, flags: &str, url: &str) {
        self.run(&format!("tidings proxy {flags} {url}"));
    }

    pub fn port(&self) -> u16 {
        self.server.as_ref().unwrap().port
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port())
    }

    /// The next line of this kind that the program prints.
    #[track_caller]
    pub fn line(&self, event: &str) -> Value {
        let server = self.server.as_ref().unwrap();
        loop {
            let line = server.out.next().expect("tidings has ended");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["event"] == event {
                return line;
            }
        }
    }

    /// Replaces a text in a file, and saves it in place.
    #[track_caller]
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "{path}: {from:?}");
        self.save(path, text.replace(from, to));
    }

    /// Makes a file look as if it had not been touched for a month. Browsers keep such files for days
    /// unless they are told otherwise (RFC 9111 4.2.2).
    pub fn age(&self, path: &str) {
        let month = Duration::from_secs(30 * 24 * 60 * 60);
        let file = File::options().write(true).open(self.path(path)).unwrap();
        file.set_modified(SystemTime::now() - month).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A backend that somebody else has started.
pub struct Backend {
    pub port: u16,
    child: Child,
}

impl Backend {
    /// Starts it on a port that was free a moment ago, and waits until it answers there.
    #[track_caller]
    pub fn start(mut command: impl FnMut(u16) -> Command) -> Backend {
        for _ in 0..3 {
            let port = free_port();
            let child = command(port)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                // Of its own, so that what it starts ends with it.
                .process_group(0)
                .spawn()
                .unwrap();
            let mut backend = Backend { port, child };
            let started = until(|| {
                if backend.child.try_wait().unwrap().is_some() {
                    return Some(false);
                }
                answers(port).then_some(true)
            });
            if started == Some(true) {
                return backend;
            }
        }
        panic!("the backend does not start");
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let group = format!("kill -s KILL -- -{}", self.child.id());
        let _ = Command::new("sh").args(["-c", &group]).status();
        let _ = self.child.wait();
    }
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Whether somebody listens there; Vite has only one of the two.
fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok() || TcpStream::connect(("::1", port)).is_ok()
}
