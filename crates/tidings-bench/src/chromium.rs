//! A headless Chromium whose pages tell what they show, and when.
//!
//! By the DevTools protocol. Each page reports through a binding (`saw(text)`) that survives its reloads; the
//! clock is the benchmark's own, stopped when the message is read. Debian's `chromium` is used, or `$CHROMIUM`.

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// Whatever the protocol is asked for takes less, or there is nothing to measure.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long one read of a socket waits at most.
const TICK: Duration = Duration::from_millis(20);

/// A browser with a profile of its own, ended when it is dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    port: u16,
    connection: Connection,
    _profile: tempfile::TempDir,
}

/// A tab.
#[derive(Debug)]
pub struct Page {
    connection: Connection,
}

#[derive(Debug)]
struct Connection {
    socket: WebSocket<TcpStream>,
    last_id: u64,
    /// What was seen, and when that was read.
    seen: Vec<(Instant, String)>,
}

impl Browser {
    /// Starts it.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start() -> Browser {
        let program = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        let profile = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let child = Command::new(&program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        let Some(out) = child.stderr.take() else {
            unreachable!("it was piped");
        };
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            line.strip_prefix("DevTools listening on ws://")
                .map(str::to_owned)
        });
        let Some((host, path)) = address.as_deref().and_then(|at| at.split_once('/')) else {
            panic!("{program} does not tell its address");
        };
        let port = host.rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("no port in {host}"));
        let connection = Connection::open(port, &format!("/{path}"));
        std::thread::spawn(move || lines.for_each(drop));
        Browser {
            child,
            port,
            connection,
            _profile: profile,
        }
    }

    /// Its name and version.
    pub fn version(&mut self) -> String {
        let version = self.connection.call("Browser.getVersion", json!({}));
        version["product"].as_str().unwrap_or_default().to_owned()
    }

    /// A new tab at this address. `script` runs first in each of its documents and may call `saw(text)`.
    pub fn open(&mut self, url: &str, script: &str) -> Page {
        let blank = json!({"url": "about:blank"});
        let target = self.connection.call("Target.createTarget", blank);
        let id = target["targetId"].as_str().unwrap_or_default();
        let mut page = Page {
            connection: Connection::open(self.port, &format!("/devtools/page/{id}")),
        };
        page.call("Runtime.enable", json!({}));
        page.call("Page.enable", json!({}));
        page.call("Runtime.addBinding", json!({"name": "saw"}));
        let source = json!({"source": script});
        page.call("Page.addScriptToEvaluateOnNewDocument", source);
        page.call("Page.navigate", json!({"url": url}));
        page
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Page {
    /// Calls a method of the protocol.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.connection.call(method, parameters)
    }

    /// Loads the page again and waits for the load.
    pub fn reload(&mut self) {
        self.call("Page.reload", json!({}));
    }

    /// The value of an expression; promises are awaited. Null if the page is left meanwhile.
    pub fn eval(&mut self, expression: &str) -> Value {
        let parameters =
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut answer = self.call("Runtime.evaluate", parameters);
        answer["result"]["value"].take()
    }

    /// When it first saw a text with this in it; `None` if it does not in time.
    pub fn until_seen(&mut self, text: &str, within: Duration) -> Option<Instant> {
        let deadline = Instant::now() + within;
        loop {
            let mut seen = self.connection.seen.iter();
            if let Some((at, _)) = seen.find(|(_, saw)| saw.contains(text)) {
                return Some(*at);
            }
            if Instant::now() >= deadline {
                return None;
            }
            self.connection.read();
        }
    }

    /// Forgets what it saw.
    pub fn forget(&mut self) {
        self.connection.seen.clear();
    }
}

impl Connection {
    fn open(port: u16, path: &str) -> Connection {
        let connect = || {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(TICK))?;
            Ok::<_, std::io::Error>(stream)
        };
        let stream = connect().unwrap_or_else(|error| panic!("cannot reach Chromium: {error}"));
        let url = format!("ws://127.0.0.1:{port}{path}");
        let mut handshake = tungstenite::client(url, stream);
        let socket = loop {
            match handshake {
                Ok((socket, _)) => break socket,
                Err(tungstenite::HandshakeError::Interrupted(more)) => handshake = more.handshake(),
                Err(error) => panic!("cannot reach Chromium: {error}"),
            }
        };
        Connection {
            socket,
            last_id: 0,
            seen: Vec::new(),
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "`json!({..})` reads best as an argument"
    )]
    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let message = json!({"id": self.last_id, "method": method, "params": parameters});
        if let Err(error) = self.socket.send(Message::text(message.to_string())) {
            panic!("{method}: {error}");
        }
        let deadline = Instant::now() + TIMEOUT;
        while Instant::now() < deadline {
            if let Some(mut message) = self.read()
                && message["id"] == self.last_id
            {
                return message["result"].take();
            }
        }
        panic!("{method}: no answer");
    }

    /// The next message, if one comes soon. What a page saw is noted.
    fn read(&mut self) -> Option<Value> {
        let text = match self.socket.read() {
            Ok(Message::Text(text)) => text,
            Ok(_) => return None,
            Err(tungstenite::Error::Io(error))
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
            {
                return None;
            }
            Err(error) => panic!("Chromium is gone: {error}"),
        };
        let at = Instant::now();
        let message: Value = serde_json::from_str(&text).ok()?;
        if message["method"] == "Runtime.bindingCalled" {
            let saw = message["params"]["payload"].as_str().unwrap_or_default();
            self.seen.push((at, saw.to_owned()));
        }
        Some(message)
    }
}
