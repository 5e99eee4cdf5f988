//! `tidings serve`: binds its sockets, answers requests, and watches the folder.
//!
//! ```text
//! request -> guard -> /server-sent-events | /@tidings/... | a file -> answer
//! save    -> watcher -> reloader -> hub -> every open stream
//! ```

mod app;
mod banner;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use tidings::Hub;
use tidings::http::Endpoint;
use tidings::reload::{CLIENT_JS, Published, Reloader, TOPIC};
use tidings::watch::{self, Notice, WatchError, Watcher};

use crate::config::Serve;
use crate::files::Files;
use crate::guard::Guard;
use crate::guard::frames::FrameHost;
use crate::listen;
use crate::pages::LivePages;
use crate::referrers::Referrers;
use crate::report::{ChangeReporter, Console, HintedError};

use app::App;
use banner::Banner;

/// How long a shutdown waits for answers that are under way.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(200);

/// Serves until a signal ends the process.
pub(crate) fn run(config: &Serve, console: &Arc<Console>) -> anyhow::Result<()> {
    let root = root_of(&config.dir)?;
    let listeners = listen::bind(&config.server.host, config.server.ports)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().min(4)))
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let hub = Hub::memory();
    let referrers = Arc::new(Referrers::default());
    let requests = Arc::clone(&referrers);
    let reloader = Reloader::new(hub.clone(), &root)
        .used_by(move |change| requests.users_of(&change.path, change.kind == "removed"));
    let reloader = Arc::new(reloader);
    let reporter = Arc::new(ChangeReporter::new(Arc::clone(console)));
    let watcher = Arc::new(OnceLock::new());
    let frame_host = Arc::new(FrameHost::default());
    let pages = LivePages::new(
        Arc::clone(&reloader),
        Arc::clone(&watcher),
        Arc::clone(console),
        &version_of(CLIENT_JS),
        frame_host.label(),
    );
    let app = Arc::new(App {
        guard: Guard::new(config.server.host_names()),
        frame_host,
        has_refused_opaque: false.into(),
        files: Files::new(config.files(&root)),
        pages: Arc::new(pages),
        referrers,
        // Shorter than the library's default: a server on the developer's machine is back at once.
        endpoint: Endpoint::new(hub.clone(), TOPIC).retry(Duration::from_millis(200)),
        reporter: Arc::clone(&reporter),
    });
    runtime.block_on(async {
        // Before the banner: whoever reads it may stop the server at once.
        let stop = shutdown_signal()?;
        let banner = Banner::new(config, &listeners);
        let (shutdown, is_shutdown) = tokio::sync::watch::channel(false);
        // From here on the runtime's worker threads answer requests.
        for socket in listeners.sockets {
            let socket = tokio::net::TcpListener::from_std(socket).context("cannot listen")?;
            let app = Arc::clone(&app);
            let handle = Arc::new(move |request, peer| Arc::clone(&app).answer(request, peer));
            tokio::spawn(listen::accept(socket, handle, is_shutdown.clone()));
        }
        // Before the banner, so that a folder that cannot be watched is reported instead of it. This
        // does not wait for the walk, which the watcher does on a thread of its own.
        let started = start_watching(config.watch_options(&root), &reloader, &reporter, console)?;
        // It cannot be set already: this is the only place that does.
        let _ = watcher.set(started);
        console.banner("listening", &banner);
        drop(is_shutdown);
        if let Some(path) = &config.server.open {
            open_browser(&banner.urls[0], path, console);
        }
        tokio::spawn(Arc::clone(&reporter).run());
        stop.await;
        // Streams are closed properly, with their last chunk; a client that does not read is cut off.
        let _ = shutdown.send(true);
        hub.close(Duration::ZERO).await;
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, shutdown.closed()).await;
        Ok::<(), anyhow::Error>(())
    })?;
    // Do not join the threads of either: one that is blocked would delay the exit.
    runtime.shutdown_background();
    std::mem::forget(watcher);
    Ok(())
}

fn root_of(dir: &Path) -> anyhow::Result<PathBuf> {
    let cannot_serve = |why: &str, hint: &str| HintedError {
        message: format!("cannot serve {}: {why}", dir.display()),
        hint: hint.to_owned(),
    };
    let root =
        std::path::absolute(dir).with_context(|| format!("cannot serve {}", dir.display()))?;
    let error = match std::fs::metadata(&root) {
        Ok(meta) if meta.is_dir() => return Ok(root),
        Ok(_) => cannot_serve("not a folder", "give the folder that contains the file"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => cannot_serve(
            "no such folder",
            "check the path, or create the folder first",
        ),
        Err(error) => cannot_serve(&error.to_string(), "choose a folder that you may read"),
    };
    Err(error.into())
}

/// Publishes what the watcher finds, and reports it on the console.
fn start_watching(
    options: watch::Options,
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
            } => match reloader.ready(newest_ms, tree, &changes) {
                // Files saved just before the start: reported only if a page is open already.
                Ok(published) => {
                    let open = reloader.hub().stats().open > 0;
                    published.filter(|p| open && !p.changes.is_empty())
                }
                Err(_) => None,
            },
            // An error means that the hub is closed: the process is about to exit.
            Notice::Changed(set) => reloader.changed(&set).ok(),
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

/// A hash of this text, for the address under which it is cached.
fn version_of(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn open_browser(url: &str, path: &str, console: &Console) {
    let url = format!("{url}{}", path.trim_start_matches('/'));
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
fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()>> {
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
