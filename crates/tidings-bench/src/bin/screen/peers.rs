//! The peers: installed into `target/peers` when they are first needed, and started as their users start them.
//!
//! A peer that cannot be installed (no Node.js, no network) is left out, and that is said.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tidings_bench::tidings;

use crate::floor;

const NPM: [&str; 5] = [
    "vite@8.3.8",
    "browser-sync@3.0.4",
    "live-server@1.2.2",
    "five-server@0.4.5",
    "esbuild@0.28.2",
];

/// The server of tower-livereload's author, which is that layer and a watcher.
const CARGO: (&str, &str) = ("livehttpd", "1.0.17");

/// The code for live reloading from esbuild's documentation, with its part for style sheets.
const ESBUILD_SNIPPET: &str =
    "<script>new EventSource('/esbuild').addEventListener('change', e => {
  const { added, removed, updated } = JSON.parse(e.data)
  if (!added.length && !removed.length && updated.length === 1) {
    for (const link of document.getElementsByTagName('link')) {
      const url = new URL(link.href)
      if (url.host === location.host && url.pathname === updated[0]) {
        const next = link.cloneNode()
        next.href = updated[0] + '?' + Math.random().toString(36).slice(2)
        next.onload = () => link.remove()
        link.parentNode.insertBefore(next, link.nextSibling)
        return
      }
    }
  }
  location.reload()
})</script>";

/// What is measured.
#[expect(clippy::enum_variant_names, reason = "two of the peers are called so")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    FloorReload,
    FloorInPlace,
    FloorShared,
    /// With this for `--reload`.
    Tidings(&'static str),
    Vite,
    BrowserSync,
    LiveServer,
    FiveServer,
    Esbuild,
    TowerLivereload,
}

pub(crate) const PEERS: [Server; 6] = [
    Server::Vite,
    Server::BrowserSync,
    Server::LiveServer,
    Server::FiveServer,
    Server::Esbuild,
    Server::TowerLivereload,
];

/// A server that runs; ended when it is dropped.
pub(crate) struct Running {
    child: Child,
    port: u16,
}

impl Server {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Server::FloorReload => "floor: reload",
            Server::FloorInPlace => "floor: in place",
            Server::FloorShared => "floor: in place, one stream for all tabs",
            Server::Tidings("auto") => "**tidings**",
            Server::Tidings("patch") => "**tidings --reload patch**",
            Server::Tidings(_) => "tidings --reload full",
            Server::Vite => "vite",
            Server::BrowserSync => "browser-sync",
            Server::LiveServer => "live-server",
            Server::FiveServer => "five-server",
            Server::Esbuild => "esbuild",
            Server::TowerLivereload => "tower-livereload",
        }
    }

    /// What the author of a page has to put into it.
    pub(crate) fn snippet(self) -> &'static str {
        match self {
            Server::FloorReload => floor::RELOAD,
            Server::FloorInPlace => floor::IN_PLACE,
            Server::FloorShared => floor::SHARED,
            Server::Esbuild => ESBUILD_SNIPPET,
            _ => "",
        }
    }

    /// The folder in which the files are saved, in the folder of a site.
    pub(crate) fn source(self, dir: &Path) -> PathBuf {
        match self {
            Server::Esbuild => dir.join("src"),
            _ => dir.to_owned(),
        }
    }

    /// Starts it on a folder, at this port, or any. Waits until it answers.
    pub(crate) fn start(self, dir: &Path, port: Option<u16>) -> Running {
        let port = port.unwrap_or_else(free_port);
        let mut command = self.command(dir, port);
        command.current_dir(dir).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{self:?}: {e}"));
        let mut out = child.stdout.take().unwrap();
        let port = match self {
            // It takes a port of its own.
            Server::FloorReload | Server::FloorInPlace | Server::FloorShared => port_in(&mut out),
            _ => port,
        };
        std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        let running = Running { child, port };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !running.answers() {
            assert!(Instant::now() < deadline, "{self:?} does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }

    fn command(self, dir: &Path, port: u16) -> Command {
        let script = |path: &str| {
            let mut command = Command::new("node");
            command.arg(folder().join("node_modules").join(path));
            command
        };
        let port = port.to_string();
        let mut command;
        match self {
            Server::FloorReload | Server::FloorInPlace | Server::FloorShared => {
                command = Command::new(std::env::current_exe().unwrap());
                command.arg("floor").arg(dir);
            }
            Server::Tidings(mode) => {
                command = Command::new(tidings());
                command.args([
                    "serve",
                    ".",
                    "--no-config",
                    "--port",
                    &port,
                    "--reload",
                    mode,
                ]);
            }
            Server::Vite => {
                command = script("vite/bin/vite.js");
                command.args(["--host", "127.0.0.1", "--strictPort", "--port", &port]);
            }
            Server::BrowserSync => {
                command = script("browser-sync/dist/bin.js");
                command.args(["start", "--server", "--watch", "--port", &port]);
                command.args(["--no-open", "--no-ui", "--no-notify", "--no-online"]);
            }
            Server::LiveServer => {
                command = script("live-server/live-server.js");
                command.args([
                    &format!("--port={port}"),
                    "--host=127.0.0.1",
                    "--no-browser",
                ]);
            }
            Server::FiveServer => {
                command = script("five-server/lib/bin.js");
                command.args([
                    &format!("--port={port}"),
                    "--host=127.0.0.1",
                    "--open=false",
                ]);
            }
            Server::Esbuild => {
                command = Command::new(folder().join("node_modules/.bin/esbuild"));
                command.args(["src/index.html", "src/site.css", "src/app.js"]);
                command.args(["--loader:.html=copy", "--outdir=www", "--servedir=www"]);
                command.args(["--watch=forever", &format!("--serve=127.0.0.1:{port}")]);
            }
            Server::TowerLivereload => {
                command = Command::new(folder().join("cargo/bin").join(CARGO.0));
                command.args(["--port", &port, "."]);
            }
        }
        command
    }
}

impl Running {
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it answers a request for its page.
    pub(crate) fn answers(&self) -> bool {
        let ask = || {
            let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
            socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
            let request = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
            socket.write_all(request.as_bytes()).ok()?;
            let mut head = [0; 12];
            socket.read_exact(&mut head).ok()?;
            Some(head.ends_with(b" 200"))
        };
        ask() == Some(true)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Installs the peers, and returns those that are there.
pub(crate) fn install() -> Vec<Server> {
    let folder = folder();
    fs::create_dir_all(&folder).unwrap();
    let has_npm = run(Command::new("npm")
        .args([
            "install",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--silent",
        ])
        .args(NPM)
        .current_dir(&folder));
    if !has_npm {
        eprintln!("the peers of npm are left out: npm install failed");
    }
    let (name, version) = CARGO;
    let has_tower = folder.join("cargo/bin").join(name).exists()
        || run(Command::new("cargo")
            .args(["install", "--locked", "--quiet", name, "--version", version])
            .arg("--root")
            .arg(folder.join("cargo"))
            .arg("--target-dir")
            .arg(folder.join("cargo/build")));
    if !has_tower {
        eprintln!("tower-livereload is left out: cargo install {name} failed");
    }
    let is_there = |server: &Server| match server {
        Server::TowerLivereload => has_tower,
        _ => has_npm,
    };
    PEERS.into_iter().filter(is_there).collect()
}

fn run(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

/// Beside the binaries: `target/peers`.
fn folder() -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    binary.ancestors().nth(2).unwrap().join("peers")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// The port in the first line.
fn port_in(out: &mut impl Read) -> u16 {
    let mut line = String::new();
    let mut byte = [0];
    while out.read_exact(&mut byte).is_ok() && byte[0] != b'\n' {
        line.push(char::from(byte[0]));
    }
    let port = line.trim_end_matches('/').rsplit(':').next();
    port.and_then(|port| port.parse().ok()).expect("a port")
}
