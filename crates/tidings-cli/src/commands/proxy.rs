//! `tidings proxy`: passes requests to a backend, and adds the script to its pages.
//!
//! ```text
//! request -> guard -> /@tidings/... | the backend -> the script into pages -> answer
//! save    -> watcher -> of the pages:   reloader -> hub -> every open stream
//!                    -> of the backend: build, start, switch -> reloader -> hub -> every open stream
//! ```

mod app;
mod backing;
mod banner;
mod events;
mod outage;
mod roots;
mod supervised;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use tidings::Hub;
use tidings::http::Endpoint;
use tidings::reload::{OwnPaths, Reloader, TOPIC};

use super::control::{self, Control};
use super::passing::Passing;
use super::server::{self, Accepting};
use crate::config::Proxy;
use crate::guard::Guard;
use crate::pages::LivePages;
use crate::report::{ChangeReporter, Console, PageErrorReporter};
use crate::sources::Sources;
use crate::upstream::{self, Upstream};

use app::App;
use backing::Backing;
use banner::Banner;
use outage::Outage;
use roots::Roots;
use supervised::Supervised;

/// Serves until a signal ends the process.
pub(crate) fn run(config: &Proxy, console: &Arc<Console>) -> anyhow::Result<()> {
    let targets: Vec<_> = config.url.iter().collect();
    let listeners = server::bind(&config.server, &targets)?;
    let runtime = server::runtime()?;
    let hub = Hub::memory();
    let root = std::env::current_dir().context("cannot tell the working directory")?;
    let token = control::new_token();
    let mut options = config.pages.options();
    options.token = Some(token.clone());
    let reloader = Arc::new(Reloader::new(hub.clone(), &root).options(options));
    let reporter = Arc::new(ChangeReporter::new(Arc::clone(console)));
    let paths = OwnPaths::default();
    let passing = passing(config, &reloader, console, &paths);
    // The command is prepared within the runtime.
    let entered = runtime.enter();
    let backing = Arc::new(backing(config, &root, &reloader, console)?);
    drop(entered);
    let sources = sources(config, &root);
    let control = Control::new(token, &reloader, &reporter, console, sources);
    let forwards = config.pages.forward_console;
    let app = Arc::new(App {
        control: Arc::new(control),
        page_errors: forwards.then(|| PageErrorReporter::new(console)),
        guard: Guard::new(config.server.host_names()),
        port: listeners.port,
        paths,
        backing: Arc::clone(&backing),
        passing,
        endpoint: Endpoint::new(hub.clone(), TOPIC).retry(Duration::from_millis(200)),
        reporter: Arc::clone(&reporter),
    });
    runtime.block_on(async {
        // Before the banner: whoever reads it may stop the server at once.
        let stop = server::shutdown_signal()?;
        let banner = Banner::new(config, &listeners);
        let handle = move |request, peer| Arc::clone(&app).answer(request, peer);
        let accepting = Accepting::start(listeners.sockets, handle)?;
        let watcher = match config.watch_options() {
            Some(options) => {
                let roots = Roots::of(config);
                let backing = Arc::clone(&backing);
                let of_pages = move |set| {
                    let sorted = roots.sort(set);
                    if let (Some(command), false) = (backing.command(), sorted.backend.is_empty()) {
                        command.restart_because(sorted.backend);
                    }
                    sorted.pages
                };
                Some(server::start_watching(
                    options, of_pages, &reloader, &reporter, console,
                )?)
            }
            None => {
                // There is no time of a file, and none must seem newer after a restart. An error means
                // that the hub is closed.
                let _ = reloader.ready(0, None, &[]);
                None
            }
        };
        console.banner("listening", &banner);
        if let Some(command) = backing.command() {
            command.start();
        }
        if let Some(path) = &config.server.open {
            server::open_browser(&banner.urls[0], path, console);
        }
        tokio::spawn(Arc::clone(&reporter).run());
        stop.await;
        let asked_again = server::shutdown_signal()?;
        accepting.finish(&hub).await;
        if let Some(command) = backing.command() {
            command.stop(asked_again).await;
        }
        // Do not join its thread: one that is blocked would delay the exit.
        std::mem::forget(watcher);
        Ok::<(), anyhow::Error>(())
    })?;
    runtime.shutdown_background();
    Ok(())
}

/// The files that a problem may be about: those in the folders that are watched.
fn sources(config: &Proxy, working_dir: &Path) -> Sources {
    let Roots { watch, restart } = Roots::of(config);
    let command = config.command.as_ref();
    let build = command.and_then(|command| command.build.as_ref());
    let dirs = command.map(|command| &command.dir).into_iter();
    let dirs = dirs.chain(build.map(|build| &build.dir));
    // Programs name their files relative to where they run.
    let bases = dirs.map(|dir| working_dir.join(dir));
    Sources::new(
        watch.into_iter().chain(restart),
        bases.chain([working_dir.to_owned()]),
    )
}

fn passing(
    config: &Proxy,
    reloader: &Arc<Reloader>,
    console: &Arc<Console>,
    paths: &OwnPaths,
) -> Passing {
    // For its messages: the pages of a backend come from no file.
    let pages = LivePages::new(
        Arc::clone(reloader),
        Arc::new(OnceLock::new()),
        Arc::clone(console),
        "",
        "",
    );
    Passing {
        reloader: Arc::clone(reloader),
        pages: Arc::new(pages),
        rules: Arc::clone(&config.rules),
        client_url: paths.client_url().to_owned(),
        stream: paths.stream().to_owned(),
    }
}

fn backing(
    config: &Proxy,
    base: &Path,
    reloader: &Arc<Reloader>,
    console: &Arc<Console>,
) -> anyhow::Result<Backing> {
    if let Some(command) = &config.command {
        let base = base.to_owned();
        let sources = Arc::new(sources(config, &base));
        let command = Supervised::new(config, command, base, sources, reloader, console);
        return Ok(Backing::Command(command));
    }
    let Some(target) = &config.url else {
        // The command line is refused before.
        anyhow::bail!("neither a URL nor a command is given");
    };
    let options = upstream::Options {
        change_host: config.change_host,
        insecure: config.insecure,
        ..upstream::Options::default()
    };
    let upstream = Arc::new(Upstream::new(target.clone(), &options));
    let (reloader, console) = (Arc::clone(reloader), Arc::clone(console));
    let outage = Outage::new(Arc::clone(&upstream), reloader, console);
    Ok(Backing::Running {
        upstream,
        outage: Arc::new(outage),
        start_timeout: config.start_timeout,
    })
}
