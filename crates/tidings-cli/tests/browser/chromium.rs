//! A headless Chromium and its pages, over the DevTools protocol.
//!
//! By hand, because the libraries for it switch the back/forward cache off or lose their page when it
//! reloads, and both are what is tested here. Debian's `chromium` is used, or `$CHROMIUM`.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// Far beyond what anything takes; only a failure ever waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Browser {
    child: Child,
    port: u16,
    browser: Connection,
    _profile: tempfile::TempDir,
}

pub struct Page {
    connection: Connection,
}

struct Connection {
    socket: WebSocket<TcpStream>,
    last_id: u64,
    events: Vec<Value>,
}

impl Browser {
    pub fn start() -> Browser {
        Browser::start_with(&[])
    }

    /// With more flags on its command line.
    pub fn start_with(flags: &[&str]) -> Browser {
        Browser::launch(None, flags)
    }

    /// By a user with this home directory, where the certificates are that it trusts.
    #[allow(dead_code, reason = "only some test crates need it")]
    pub fn start_at_home(home: &Path, flags: &[&str]) -> Browser {
        Browser::launch(Some(home), flags)
    }

    fn launch(home: Option<&Path>, flags: &[&str]) -> Browser {
        let program = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new(&program);
        if let Some(home) = home {
            command.env("HOME", home).env_remove("XDG_DATA_HOME");
        }
        let mut child = command
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(flags)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {program}: {e}; ./check installs it"));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| {
                line.strip_prefix("DevTools listening on ws://")
                    .map(str::to_owned)
            })
            .expect("chromium tells its address");
        // It must be able to go on writing.
        std::thread::spawn(move || lines.for_each(drop));
        let (host, path) = address.split_once('/').unwrap();
        let port = host.rsplit_once(':').unwrap().1.parse().unwrap();
        let browser = Connection::open(port, &format!("/{path}"));
        Browser {
            child,
            port,
            browser,
            _profile: profile,
        }
    }

    /// A new tab at this address, loaded.
    pub fn open(&mut self, url: &str) -> Page {
        let mut page = self.blank();
        page.go(url);
        page
    }

    /// A new tab in a private window of its own.
    pub fn open_private(&mut self, url: &str) -> Page {
        let context =
            self.browser.call("Target.createBrowserContext", json!({}))["browserContextId"].take();
        let mut page = self.target(json!({"url": "about:blank", "browserContextId": context}));
        page.go(url);
        page
    }

    /// A new tab in another window.
    pub fn open_window(&mut self, url: &str) -> Page {
        let mut page = self.target(json!({"url": "about:blank", "newWindow": true}));
        page.go(url);
        page
    }

    /// A new empty tab.
    pub fn blank(&mut self) -> Page {
        self.target(json!({"url": "about:blank"}))
    }

    fn target(&mut self, parameters: Value) -> Page {
        let target = self.browser.call("Target.createTarget", parameters);
        let id = target["targetId"].as_str().unwrap().to_owned();
        let mut connection = Connection::open(self.port, &format!("/devtools/page/{id}"));
        connection.call("Page.enable", json!({}));
        Page { connection }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Page {
    /// Goes to an address and waits until it has loaded.
    pub fn go(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url}));
        let wanted = serde_json::to_string(url).unwrap();
        self.until(&format!(
            "document.readyState === 'complete' && (location.href === {wanted} || location.href === new URL({wanted}).href)"
        ));
    }

    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.connection.call(method, parameters)
    }

    /// Calls a method whose answer may never come: it stops the page.
    pub fn send(&mut self, method: &str, parameters: Value) {
        self.connection.send(None, method, parameters);
    }

    /// From here on, [`Page::event`] also tells what the page's workers do in the network.
    pub fn watch_workers(&mut self) {
        let attach = json!({"autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true});
        self.call("Target.setAutoAttach", attach);
        let worker = self.event("Target.attachedToTarget");
        let session = worker["sessionId"].as_str();
        self.connection.send(session, "Network.enable", json!({}));
    }

    /// The value of an expression; promises are awaited.
    #[track_caller]
    pub fn eval(&mut self, expression: &str) -> Value {
        match self.try_eval(expression) {
            Ok(value) => value,
            Err(error) => panic!("{expression}: {error}"),
        }
    }

    fn try_eval(&mut self, expression: &str) -> Result<Value, String> {
        let answer = self.connection.ask(
            "Runtime.evaluate",
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true}),
        );
        if let Some(error) = answer.get("error") {
            return Err(error.to_string());
        }
        let result = &answer["result"];
        match result.get("exceptionDetails") {
            Some(details) => Err(details.to_string()),
            None => Ok(result["result"]["value"].clone()),
        }
    }

    /// Looks until an expression is true. A page that is just being reloaded is looked at again.
    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut last = Ok(Value::Null);
        while Instant::now() < deadline {
            last = self.try_eval(expression);
            if matches!(&last, Ok(Value::Bool(true))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let text = self.try_eval("document.documentElement.outerHTML.slice(0, 1500)");
        panic!("never true: {expression}\nlast: {last:?}\npage: {text:?}");
    }

    /// Waits until the visible text of the body is this.
    #[track_caller]
    pub fn until_text(&mut self, text: &str) {
        let text = serde_json::to_string(text).unwrap();
        self.until(&format!("document.body?.innerText.trim() === {text}"));
    }

    /// Marks the document, so that [`Page::is_same`] can tell whether it has been reloaded since.
    pub fn mark(&mut self) {
        self.eval("window.__mark = true");
    }

    pub fn is_same(&mut self) -> bool {
        self.eval("window.__mark === true") == Value::Bool(true)
    }

    /// Forgets what the protocol has told so far.
    pub fn forget_events(&mut self) {
        self.eval("0");
        self.connection.events.clear();
    }

    /// All events of this name that the protocol has told so far.
    pub fn events(&mut self, method: &str) -> Vec<Value> {
        self.eval("0");
        let told = self.connection.events.iter();
        let named = told.filter(|event| event["method"] == method);
        named.map(|event| event["params"].clone()).collect()
    }

    /// Waits for an event of the protocol.
    pub fn event(&mut self, method: &str) -> Value {
        loop {
            let position = self
                .connection
                .events
                .iter()
                .position(|e| e["method"] == method);
            if let Some(position) = position {
                return self.connection.events.remove(position)["params"].clone();
            }
            let message = self.connection.read();
            self.connection.events.push(message);
        }
    }
}

impl Connection {
    fn open(port: u16, path: &str) -> Connection {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let (socket, _) =
            tungstenite::client(format!("ws://127.0.0.1:{port}{path}"), stream).unwrap();
        Connection {
            socket,
            last_id: 0,
            events: Vec::new(),
        }
    }

    #[track_caller]
    fn call(&mut self, method: &str, parameters: Value) -> Value {
        let mut answer = self.ask(method, parameters);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    fn send(&mut self, session: Option<&str>, method: &str, parameters: Value) -> u64 {
        self.last_id += 1;
        let mut message = json!({"id": self.last_id, "method": method, "params": parameters});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        self.socket
            .send(Message::text(message.to_string()))
            .unwrap();
        self.last_id
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.send(None, method, parameters);
        loop {
            let message = self.read();
            if message["id"] == id {
                return message;
            }
            self.events.push(message);
        }
    }

    fn read(&mut self) -> Value {
        loop {
            match self.socket.read().expect("chromium answers") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                _ => continue,
            }
        }
    }
}
