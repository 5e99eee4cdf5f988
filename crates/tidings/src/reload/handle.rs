//! [`Reload`]: hot reloading of an app's pages, in three lines.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::layer::ReloadLayer;
use super::{OwnPaths, PageOptions, Reloader, TOPIC};
use crate::http::Endpoint;
use crate::hub::Hub;
use crate::watch::{Notice, Options, WatchError, Watcher};

/// How long pages wait before they reconnect, at least. Short, because an app on the developer's machine is
/// back soon.
const RETRY: Duration = Duration::from_millis(200);

/// Hot reloading of the pages of an app, as a tower layer for axum, hyper and everything else that is based on
/// the same traits.
///
/// ```no_run
/// use axum::{Router, response::Html, routing::get};
/// use tidings::reload::Reload;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reload = Reload::when(cfg!(debug_assertions)).watch(["templates", "static"])?;
/// let app: Router = Router::new()
///     .route("/", get(async || Html(std::fs::read_to_string("templates/index.html").unwrap_or_default())))
///     .layer(reload.layer());
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// axum::serve(listener, app)
///     .with_graceful_shutdown(async move {
///         let _ = tokio::signal::ctrl_c().await;
///         // Open pages hold a stream each; a graceful shutdown would wait for them for ever.
///         reload.close().await;
///     })
///     .await?;
/// # Ok(()) }
/// ```
///
/// Pages show what was saved, and reload when the app was built anew meanwhile; a restart of the same program reloads
/// nothing. Style sheets and images are swapped in place: pages request them anew, because only the app knows what it
/// answers with. A page without scripts is patched in place when a template was saved
/// ([`ReloadMode`](super::ReloadMode)): what its user has typed, opened and scrolled stays. After any other change pages
/// reload. Fragments that scripts fetch, JSON and downloads are not changed, nor is what answers a form's `POST`: a
/// reload would send it again.
///
/// Errors heal as well. One that is sent as text, or without content, becomes a page that shows it, and so
/// does a panic of a handler while it makes a page (unless panics abort). Pausing, the editor, and errors of pages in the
/// terminal need the program `tidings`: to orders of pages the layer answers 404.
///
/// It is cheap to clone; all clones are one. The watcher ends with the last clone, layer and service.
#[derive(Clone, Debug)]
pub struct Reload {
    /// `None`: it does nothing.
    setup: Option<Setup>,
}

/// What the layers are made from.
#[derive(Clone, Debug)]
struct Setup {
    paths: OwnPaths,
    allowed_hosts: Vec<String>,
    reloader: Arc<Reloader>,
    watching: Arc<Mutex<Watching>>,
}

/// What is watched.
#[derive(Debug, Default)]
struct Watching {
    roots: Vec<PathBuf>,
    watcher: Option<Watcher>,
}

/// What all services of the layers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) paths: OwnPaths,
    pub(super) allowed_hosts: Vec<String>,
    pub(super) reloader: Arc<Reloader>,
    pub(super) endpoint: Endpoint,
    /// Kept while there is a service that pages come from.
    _watching: Arc<Mutex<Watching>>,
}

impl Default for Reload {
    fn default() -> Reload {
        Reload::new()
    }
}

impl Reload {
    /// Hot reloading, switched on. Nothing is watched yet.
    pub fn new() -> Reload {
        Reload::when(true)
    }

    /// Hot reloading if this is true, as in `Reload::when(cfg!(debug_assertions))`. Otherwise nothing is
    /// watched, and the layer passes everything on as it is.
    pub fn when(on: bool) -> Reload {
        Reload {
            setup: on.then(|| Setup {
                paths: OwnPaths::default(),
                allowed_hosts: Vec::new(),
                reloader: Arc::new(Reloader::without_root(Hub::memory())),
                watching: Arc::default(),
            }),
        }
    }

    /// Also allows pages under this host name. A leading dot (`.example.test`) allows the domain with all
    /// its subdomains. Addresses, `localhost` and its subdomains are always allowed.
    ///
    /// Under other names the script is not inserted, and requests for it and for its stream are refused: a
    /// website whose name is made to point to this machine could read the names of your files otherwise
    /// (DNS rebinding). The app's own pages are the app's to guard.
    #[must_use]
    pub fn allow_host(mut self, name: impl Into<String>) -> Reload {
        if let Some(setup) = &mut self.setup {
            setup.allowed_hosts.push(name.into());
        }
        self
    }

    /// Sets what pages do about changes: for those that are sent from now on. Without it, [`PageOptions::default`].
    ///
    /// ```
    /// use tidings::reload::{PageOptions, Reload, ReloadMode};
    ///
    /// let mut options = PageOptions::default();
    /// options.reload = ReloadMode::Patch;
    /// let reload = Reload::new().options(options);
    /// ```
    #[must_use]
    pub fn options(self, options: PageOptions) -> Reload {
        if let Some(setup) = &self.setup {
            setup.reloader.set_options(options);
        }
        self
    }

    /// Moves the layer's own paths below another prefix than `/@tidings/`.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Reload {
        if let Some(setup) = &mut self.setup {
            setup.paths = OwnPaths::below(prefix);
        }
        self
    }

    /// Watches these directories and files, relative to the current directory, on threads of its own. May be
    /// called again for more. Temporary files of editors, hidden files and what `.gitignore` excludes do not
    /// count; [`watch_with`](Self::watch_with) has options for that.
    ///
    /// # Errors
    /// A path that does not exist, or a system that refuses to watch. Never if hot reloading is off.
    pub fn watch(
        self,
        paths: impl IntoIterator<Item = impl Into<PathBuf>>,
    ) -> Result<Reload, WatchError> {
        self.watch_with(Options::new(paths))
    }

    /// As [`watch`](Self::watch), with all options. The options of the last call count for all paths.
    ///
    /// # Errors
    /// As [`watch`](Self::watch), and an invalid glob.
    pub fn watch_with(self, options: Options) -> Result<Reload, WatchError> {
        let Some(setup) = &self.setup else {
            return Ok(self);
        };
        {
            // Held until the watcher has started, so that two calls at once do not lose each other's paths.
            let mut watching = setup
                .watching
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let mut roots = watching.roots.clone();
            roots.extend(options.roots);
            let options = Options {
                roots: roots.clone(),
                ..options
            };
            watching.watcher = None;
            watching.watcher = Some(start(options, Arc::clone(&setup.reloader))?);
            watching.roots = roots;
        }
        Ok(self)
    }

    /// The layer for the app: the outermost one, or at least outside of layers that compress.
    pub fn layer(&self) -> ReloadLayer {
        let shared = self.setup.as_ref().map(|setup| {
            let watching = setup
                .watching
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if watching.watcher.is_none() {
                // If this fails the hub is closed, and no page is told anything any more.
                let _ = setup.reloader.ready(program_ms(), None, &[]);
            }
            drop(watching);
            let hub = setup.reloader.hub().clone();
            Arc::new(Shared {
                paths: setup.paths.clone(),
                allowed_hosts: setup.allowed_hosts.clone(),
                reloader: Arc::clone(&setup.reloader),
                endpoint: Endpoint::new(hub, TOPIC).retry(RETRY),
                _watching: Arc::clone(&setup.watching),
            })
        });
        ReloadLayer { shared }
    }

    /// Tells every open page to reload: for a change that no watched file shows.
    pub fn reload_pages(&self) {
        if let Some(setup) = &self.setup {
            // An error means that the hub is closed, and there is no open page.
            let _ = setup.reloader.reload_pages();
        }
    }

    /// What publishes the changes; `None` if hot reloading is off.
    pub fn reloader(&self) -> Option<&Arc<Reloader>> {
        self.setup.as_ref().map(|setup| &setup.reloader)
    }

    /// Ends all streams, and lets no new one begin. Call it when the app is asked to stop: streams do not end
    /// by themselves, so a graceful shutdown would wait for them for ever. Open pages reconnect by
    /// themselves once the app is back.
    pub async fn close(&self) {
        if let Some(setup) = &self.setup {
            setup.reloader.hub().close(Duration::ZERO).await;
        }
    }
}

/// Publishes what the watcher finds.
fn start(options: Options, reloader: Arc<Reloader>) -> Result<Watcher, WatchError> {
    let program_ms = program_ms();
    Watcher::start(options, move |notice| {
        // An error means that the hub is closed: the app is about to exit.
        match notice {
            Notice::Ready {
                newest_ms,
                tree,
                changes,
                ..
            } => drop(reloader.ready(newest_ms.max(program_ms), tree, &changes)),
            Notice::Changed(mut set) => {
                set.newest_ms = set.newest_ms.max(program_ms);
                drop(reloader.changed(&set));
            }
            // Watching continues as well as it can; there is nobody here to be told.
            Notice::Warning(_) => {}
        }
    })
}

/// When the running program was built: pages come from it as well as from the files that are watched, so they
/// reload after a restart if it was built anew, and only then.
fn program_ms() -> u64 {
    let modified = std::env::current_exe()
        .and_then(|path| path.metadata())
        .and_then(|meta| meta.modified());
    let since = modified.map(|time| time.duration_since(SystemTime::UNIX_EPOCH));
    match since {
        Ok(Ok(since)) => since.as_millis() as u64,
        _ => 0,
    }
}
