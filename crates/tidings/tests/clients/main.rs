//! The stream, read by the client libraries that people use: what they tell is what was published, and
//! nothing else. Some of them hand their users an empty message for a block without data.
//!
//! The libraries come from npm and PyPI, in the versions that `package-lock.json` and
//! `requirements.txt` name, into a directory of the build. Where they cannot be had, it is said.
#![expect(
    clippy::unwrap_used,
    reason = "a test says what went wrong by panicking"
)]
#![expect(clippy::print_stderr, reason = "it says what is skipped")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use axum::Router;
use http_body::Body;
use serde_json::Value;
use tidings::engine::{Memory, Retention};
use tidings::http::{Endpoint, SseBody};
use tidings::{Cursor, Event, Hub};

/// Far more than any wait here takes; only a hang reaches it.
const LONG: Duration = Duration::from_secs(60);

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// The directory of a registry's packages; `None` where they cannot be installed.
fn installed(registry: &str) -> Option<PathBuf> {
    let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    let mut install = Command::new(format!("{HERE}/install"));
    let status = install.arg(registry).arg(&into).status();
    status
        .is_ok_and(|status| status.success())
        .then(|| into.join(registry))
}

/// A program that reads a stream with some library and prints a line for each message.
struct Client {
    child: Child,
    lines: Receiver<String>,
}

impl Client {
    fn run(command: &mut Command, url: &str) -> Client {
        let mut child = command
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (told, lines) = channel();
        std::thread::spawn(move || {
            let lines = out.lines().map_while(Result::ok);
            lines.for_each(|line| drop(told.send(line)));
        });
        Client { child, lines }
    }

    #[track_caller]
    fn next(&self) -> Value {
        let line = self.lines.recv_timeout(LONG).expect("a message");
        serde_json::from_str(&line).unwrap()
    }

    /// The next message must be this one.
    #[track_caller]
    fn check(&self, event: &str, data: &str) -> Value {
        let told = self.next();
        assert_eq!(
            (&told["event"], &told["data"]),
            (&event.into(), &data.into()),
            "{told}"
        );
        told
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until everybody who listens to the topic has been sent some keep-alives.
async fn until_kept_alive(hub: &Hub) {
    let subscription = hub.subscribe("news", Cursor::After(hub.cursor())).await;
    let mut body = SseBody::from(subscription.unwrap());
    for _ in 0..4 {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        assert_eq!(&frame.unwrap().unwrap().into_data().unwrap()[..], b": \n");
    }
}

async fn until_open(hub: &Hub) {
    let open = async {
        while hub.stats().open == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, open).await.unwrap();
}

/// All that a client has to get right, and what it must not be told.
///
/// `tells_retry`: whether the library tells its users the reconnection time.
async fn check(mut command: impl FnMut() -> Command, tells_retry: bool) {
    let memory = Memory::new(Retention::new());
    let hub = Hub::with_keep_alive(memory, Duration::from_millis(20));
    let endpoint = Endpoint::new(hub.clone(), "news").retry(Duration::from_millis(50));
    let app: Router = Router::new().route_service("/stream", endpoint);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/stream", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });

    // The status, with any line breaks.
    hub.set_status("news", Event::data("all\r\nso far"))
        .await
        .unwrap();
    let client = Client::run(&mut command(), &url);
    let status = client.check("message", "all\nso far");
    assert_eq!(status["id"], hub.cursor().as_str());
    if tells_retry {
        let retry_ms = status["retry"].as_u64().unwrap();
        assert!((50..=100).contains(&retry_ms), "{retry_ms}");
    }
    // Keep-alives are nobody's message, before the first event and after.
    until_kept_alive(&hub).await;
    let tick = Event::data("1\n\n2").named("tick".parse().unwrap());
    let id = hub.publish("news", tick).await.unwrap();
    assert_eq!(client.check("tick", "1\n\n2")["id"], id.as_str());
    until_kept_alive(&hub).await;
    hub.publish("news", Event::data("plain")).await.unwrap();
    client.check("message", "plain");

    // It comes back and gets exactly what it missed.
    hub.disconnect_all(Duration::ZERO);
    hub.publish("news", Event::data("meanwhile")).await.unwrap();
    client.check("message", "meanwhile");
    until_open(&hub).await;
    until_kept_alive(&hub).await;
    hub.publish("news", Event::data("é雪")).await.unwrap();
    client.check("message", "é雪");
    assert_eq!(hub.stats().gaps, 0);
    drop(client);

    // It comes back from another log: the gap, then the status, then what is live.
    hub.set_status("news", Event::data("all of it"))
        .await
        .unwrap();
    let elsewhere = Hub::memory().cursor();
    let client = Client::run(&mut command(), &format!("{url}?last_event_id={elsewhere}"));
    let gap = client.next();
    assert_eq!(gap["event"], "gap", "{gap}");
    let gap: Value = serde_json::from_str(gap["data"].as_str().unwrap()).unwrap();
    assert_eq!(gap["reason"], "other-log");
    let status = client.check("message", "all of it");
    assert_eq!(status["id"], hub.cursor().as_str());
    hub.publish("news", Event::data("live")).await.unwrap();
    client.check("message", "live");
}

/// The script runs where Node finds the packages.
async fn check_node(script: &str, tells_retry: bool) {
    let Some(packages) = installed("npm") else {
        return eprintln!("SKIPPED: npm cannot install the client libraries");
    };
    for file in [script, "tell.mjs"] {
        // Others copy the same at the same time: in one step, so that none reads a half.
        let new = packages.join(format!("{file}.{}", std::process::id()));
        std::fs::copy(format!("{HERE}/{file}"), &new).unwrap();
        std::fs::rename(new, packages.join(file)).unwrap();
    }
    let command = || {
        let mut node = Command::new("node");
        node.arg(packages.join(script));
        node
    };
    check(command, tells_retry).await;
}

async fn check_python(script: &str) {
    let Some(packages) = installed("pip") else {
        return eprintln!("SKIPPED: pip cannot install the client libraries");
    };
    let command = || {
        let mut python = Command::new("python3");
        python.arg(format!("{HERE}/{script}"));
        python.env("PYTHONPATH", packages.join("packages"));
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        python
    };
    check(command, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn npm_eventsource_hears_what_was_published_and_nothing_else() {
    check_node("eventsource.mjs", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn npm_eventsource_parser_hears_what_was_published_and_nothing_else() {
    check_node("eventsource-parser.mjs", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn npm_fetch_event_source_hears_what_was_published_and_nothing_else() {
    check_node("fetch-event-source.mjs", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pypi_httpx_sse_hears_what_was_published_and_nothing_else() {
    check_python("httpx_client.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pypi_sseclient_py_hears_what_was_published_and_nothing_else() {
    check_python("sseclient_client.py").await;
}
