//! `tidings serve`: listens first, watches then, and answers requests meanwhile.
//!
//! ```text
//! request -> guard -> /server-sent-events | /@tidings/... | a file -> answer
//! save    -> watcher -> reloader -> hub -> every open stream
//! ```

mod app;
mod banner;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use tidings::Hub;
use tidings::http::Endpoint;
use tidings::reload::{CLIENT_JS, Published, Reloader, TOPIC};
use tidings::watch::{self, Notice, WatchError, Watcher};

use crate::config::Config;
use crate::files::Files;
use crate::guard::Guard;
use crate::guard::frames::FrameHost;
use crate::listen;
use crate::pages::LivePages;
use crate::referrers::Referrers;
use crate::report::{Hinted, Report, Say};

use app::App;
use banner::Banner;

/// How long the last bytes of answers are waited for at the end.
const FAREWELL: Duration = Duration::from_millis(200);

/// Runs until the process is told to end.
pub(crate) fn run(config: &Config, say: &Arc<Say>) -> anyhow::Result<()> {
    let root = root_of(&config.dir)?;
    let listeners = listen::bind(&config.host, config.ports)?;
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
    let report = Arc::new(Report::new(Arc::clone(say)));
    let watcher = Arc::new(OnceLock::new());
    let version = version_of(CLIENT_JS);
    let frame_host = Arc::new(FrameHost::default());
    let app = Arc::new(App {
        guard: Guard::new(config.host_names()),
        files: Files::new(config.files(&root)),
        pages: Arc::new(LivePages::new(
            Arc::clone(&reloader),
            Arc::clone(&watcher),
            Arc::clone(say),
            &version,
            frame_host.label(),
        )),
        frame_host,
        said_refused: AtomicBool::new(false),
        referrers,
        // A developer waits for nothing: pages come back fast.
        endpoint: Endpoint::new(hub.clone(), TOPIC).retry(Duration::from_millis(200)),
        report: Arc::clone(&report),
    });
    runtime.block_on(async {
        let banner = Banner::new(config, &listeners);
        let (ending, end) = tokio::sync::watch::channel(false);
        // Pages are answered from here on, by other threads than this one.
        for socket in listeners.sockets {
            let socket = tokio::net::TcpListener::from_std(socket).context("cannot listen")?;
            let app = Arc::clone(&app);
            let handle = Arc::new(move |request, peer| Arc::clone(&app).answer(request, peer));
            tokio::spawn(listen::accept(socket, handle, end.clone()));
        }
        // Before the address is said, so that what cannot be watched is said instead. The watcher
        // walks on a thread of its own.
        let started = start_watching(config.watched(&root), &reloader, &report, say)?;
        // Nobody else sets it.
        let _ = watcher.set(started);
        say.important("listening", &banner);
        drop(end);
        if let Some(path) = &config.open {
            open_browser(&banner.urls[0], path, say);
        }
        tokio::spawn(Arc::clone(&report).run());
        stop_signal().await?;
        // Streams end politely, to their last byte; who does not read is cut off.
        let _ = ending.send(true);
        hub.close(Duration::ZERO).await;
        let _ = tokio::time::timeout(FAREWELL, ending.closed()).await;
        Ok::<(), anyhow::Error>(())
    })?;
    // Neither is waited for: a blocked thread would hold up the prompt, and the process ends anyway.
    runtime.shutdown_background();
    std::mem::forget(watcher);
    Ok(())
}

fn root_of(dir: &Path) -> anyhow::Result<PathBuf> {
    let no_such = |why: &str, hint: &str| Hinted {
        message: format!("cannot serve {}: {why}", dir.display()),
        hint: hint.to_owned(),
    };
    let root =
        std::path::absolute(dir).with_context(|| format!("cannot serve {}", dir.display()))?;
    match std::fs::metadata(&root) {
        Ok(meta) if meta.is_dir() => Ok(root),
        Ok(_) => Err(no_such("not a folder", "name the folder that the file is in").into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(no_such("no such folder", "check the path, or make the folder first").into())
        }
        Err(error) => Err(no_such(&error.to_string(), "choose a folder that you may read").into()),
    }
}

fn start_watching(
    options: watch::Options,
    reloader: &Arc<Reloader>,
    report: &Arc<Report>,
    say: &Arc<Say>,
) -> anyhow::Result<Watcher> {
    let (reloader, report, said) = (Arc::clone(reloader), Arc::clone(report), Arc::clone(say));
    let publish = move |notice| {
        let published: Option<Published> = match notice {
            Notice::Ready {
                newest_ms,
                tree,
                changes,
                ..
            } => match reloader.ready(newest_ms, tree, &changes) {
                // Saves just before the start: only worth a word to pages that are open already.
                Ok(published) => {
                    let open = reloader.hub().stats().open > 0;
                    published.filter(|p| open && !p.changes.is_empty())
                }
                Err(_) => None,
            },
            // An error means that the hub is closed: the process is about to end.
            Notice::Changed(set) => reloader.changed(&set).ok(),
            Notice::Warning(warning) => {
                said.trouble("warning", &warning.to_string(), warning.hint().as_deref());
                None
            }
            _ => None,
        };
        if let Some(published) = published {
            report.published(published, reloader.hub().stats().open);
        }
    };
    Watcher::start(options, publish).map_err(|error| {
        let hint = error.hint().unwrap_or_else(|| match error {
            WatchError::Pattern { .. } => {
                "--ignore takes patterns as they stand in a .gitignore".to_owned()
            }
            _ => "check the path that was given, and whether you may read it".to_owned(),
        });
        let message = error.to_string();
        Hinted { message, hint }.into()
    })
}

/// A name for this text: another text has another name.
fn version_of(text: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn open_browser(url: &str, path: &str, say: &Say) {
    let url = format!("{url}{}", path.trim_start_matches('/'));
    if let Err(error) = open::that_detached(&url) {
        // What the launchers tell is the number that one of them ended with.
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "no program that opens addresses was found",
            _ => "the program that opens addresses has failed",
        };
        say.trouble(
            "warning",
            &format!("cannot open a browser: {why}"),
            Some(&format!("open {url} yourself")),
        );
    }
}

/// Resolves when somebody wants the process to end.
async fn stop_signal() -> anyhow::Result<()> {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).context("cannot hear signals")?;
        tokio::select! {
            result = interrupt => result.context("cannot hear signals"),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    interrupt.await.context("cannot hear signals")
}
