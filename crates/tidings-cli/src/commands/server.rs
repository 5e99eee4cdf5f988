//! What every command that serves has in common: the runtime, connections, the watcher, the browser, and how
//! it all ends.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::Request;
use http_body::Body;
use hyper::body::Incoming;
use tidings::Hub;
use tidings::reload::{Published, Reloader};
use tidings::watch::{self, ChangeSet, Notice, WatchError, Watcher};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::sync::watch::{Sender, channel};
use tokio_rustls::rustls::ServerConfig;

use super::token::Token;
use crate::config::Server;
use crate::guard::lan::LanToken;
use crate::instances::{self, Announced, Instance};
use crate::listen::{self, Answer, Listeners, Peer, Ports};
use crate::report::{ChangeReporter, Console, HintedError};
use crate::upstream::Target;

/// How long a shutdown waits for answers that are under way.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(200);

pub(super) fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().min(4)))
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Binds a port that is none of these backends': while one is down, its port is free, and requests would be
/// passed to ourselves.
pub(super) fn bind(config: &Server, backends: &[&Target]) -> anyhow::Result<Listeners> {
    let is_backends = |port| {
        let mut local = backends.iter().filter(|target| target.is_local());
        local.any(|target| target.port() == Some(port))
    };
    let mut ports = config.ports;
    loop {
        let listeners = listen::bind(&config.host, ports)?;
        if !is_backends(listeners.port) {
            return Ok(listeners);
        }
        match ports {
            Ports::From(_) => ports = Ports::From(listeners.port.saturating_add(1)),
            Ports::Exactly(0) => {}
            Ports::Exactly(port) => {
                return Err(HintedError {
                    message: format!("cannot listen on port {port}: it is the backend's"),
                    hint: "choose another --port, or omit it to get a free one".to_owned(),
                }
                .into());
            }
        }
    }
}

/// Connections that are accepted and answered.
pub(super) struct Accepting {
    /// Closed when the last connection has ended.
    shutdown: Sender<bool>,
}

impl Accepting {
    /// From here on the runtime's worker threads answer requests.
    pub(super) fn start<H, F, B>(
        sockets: Vec<std::net::TcpListener>,
        tls: Option<&Arc<ServerConfig>>,
        handle: H,
    ) -> anyhow::Result<Accepting>
    where
        H: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
        F: Future<Output = Answer<B>> + Send + 'static,
        B: Body<Data = Bytes, Error = io::Error> + Send + Unpin + 'static,
    {
        let (shutdown, is_shutdown) = channel(false);
        let handle = Arc::new(handle);
        for socket in sockets {
            let socket = tokio::net::TcpListener::from_std(socket).context("cannot listen")?;
            let accept = listen::accept(
                socket,
                tls.cloned(),
                Arc::clone(&handle),
                is_shutdown.clone(),
            );
            tokio::spawn(accept);
        }
        Ok(Accepting { shutdown })
    }

    /// Accepts no more, and waits a moment for answers that are under way. Streams are closed properly, with
    /// their last chunk; a client that does not read is cut off.
    pub(super) async fn finish(self, hub: &Hub) {
        let _ = self.shutdown.send(true);
        hub.close(Duration::ZERO).await;
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, self.shutdown.closed()).await;
    }
}

/// Publishes what the watcher finds, and reports it on the console. `of_pages` takes out of a set what shows
/// in the pages as it is. This does not wait for the walk, which the watcher does on a thread of its own.
pub(super) fn start_watching(
    options: watch::Options,
    mut of_pages: impl FnMut(ChangeSet) -> Option<ChangeSet> + Send + 'static,
    reloader: &Arc<Reloader>,
    reporter: &Arc<ChangeReporter>,
    console: &Arc<Console>,
) -> anyhow::Result<Watcher> {
    let (reloader, reporter) = (Arc::clone(reloader), Arc::clone(reporter));
    let console = Arc::clone(console);
    let handle = move |notice| {
        let published: Option<Published> = match notice {
            Notice::Ready {
                newest_ms,
                tree,
                changes,
                ..
            } => {
                let changes = of_pages(ChangeSet::new(newest_ms, changes));
                let changes = changes.map(|set| set.changes).unwrap_or_default();
                match reloader.ready(newest_ms, tree, &changes) {
                    // Files saved just before the start: reported only if a page is open already.
                    Ok(published) => {
                        let open = reloader.hub().stats().open > 0;
                        published.filter(|p| open && !p.changes.is_empty())
                    }
                    Err(_) => None,
                }
            }
            // An error means that the hub is closed: the process is about to exit.
            Notice::Changed(set) => of_pages(set).and_then(|set| reloader.changed(&set).ok()?),
            Notice::Warning(warning) => {
                console.warn(&warning.to_string(), warning.hint().as_deref());
                None
            }
            _ => None,
        };
        if let Some(published) = published {
            reporter.published(published, reloader.hub().stats().open);
        }
    };
    Watcher::start(options, handle).map_err(|error| {
        let hint = error.hint().unwrap_or_else(|| match error {
            WatchError::Pattern { .. } => "--ignore takes patterns as in .gitignore".to_owned(),
            _ => "check the path, and whether you may read it".to_owned(),
        });
        let message = error.to_string();
        HintedError { message, hint }.into()
    })
}

/// Lets local programs find this server, at its address for a browser on this machine, its port, and the names that
/// it answers requests for. `dir` is the folder that it is for.
pub(super) fn announce(
    (url, port, names): (&str, u16, Vec<String>),
    dir: &Path,
    token: &Token,
    console: &Console,
) -> Option<Announced> {
    let resolved = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let here = std::env::current_dir().unwrap_or_default();
    let announced = instances::announce(&Instance {
        pid: std::process::id(),
        // Without the token of --lan, which other programs have no use for.
        url: url.split('?').next().unwrap_or_default().to_owned(),
        cookie: LanToken::cookie_for(url, port),
        port,
        names,
        dir: resolved(dir),
        started_in: resolved(&here),
        token: token.as_str().to_owned(),
    });
    match announced {
        Ok(announced) => Some(announced),
        Err(error) => {
            let message = format!("`tidings wait` will not find this server: {error}");
            let hint = "there is no folder for it that is yours alone: set XDG_RUNTIME_DIR";
            console.warn(&message, Some(hint));
            None
        }
    }
}

/// Waits until everything has been reported that was saved by now.
pub(super) async fn flushed(watcher: &Watcher) {
    let (flushed, is_flushed) = oneshot::channel();
    watcher.flush(move || {
        // Whoever waited may have gone.
        let _ = flushed.send(());
    });
    // An error means that the watcher has ended.
    let _ = is_flushed.await;
}

pub(super) fn open_browser(url: &str, path: &str, console: &Console) {
    // With --lan there may be a token.
    let (base, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    let query = match path.contains('?') {
        true => query.replacen('?', "&", 1),
        false => query.to_owned(),
    };
    let url = format!("{base}{}{query}", path.trim_start_matches('/'));
    if let Err(error) = open::that_detached(&url) {
        // Any other error holds only the exit status of a launcher.
        let why = match error.kind() {
            io::ErrorKind::NotFound => "no program that opens URLs was found",
            _ => "the program that opens URLs failed",
        };
        let hint = format!("open {url} yourself");
        console.warn(&format!("cannot open a browser: {why}"), Some(&hint));
    }
}

/// A future that resolves when the process is asked to end, by Ctrl-C or SIGTERM. From this call on, not
/// only from its first poll, neither ends the process by itself.
pub(super) fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle signals")?;
        let mut terminate = signal(SignalKind::terminate()).context("cannot handle signals")?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(windows)]
    {
        let mut interrupt = tokio::signal::windows::ctrl_c().context("cannot handle signals")?;
        Ok(async move {
            interrupt.recv().await;
        })
    }
}
