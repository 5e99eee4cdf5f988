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
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tidings::Hub;
use tidings::http::Endpoint;
use tidings::reload::{OwnPaths, Reloader, TOPIC};
use tidings::watch::{Change, ChangeKind, ChangeSet};

use super::attended::Attended;
use super::control::Control;
use super::entrance::Entrance;
use super::explained::Effect;
use super::link::Link;
use super::passing::Passing;
use super::programs::{Programs, Settled};
use super::server::{self, Accepting};
use super::token::Token;
use crate::config::Proxy;
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

/// How long the first build or start of the command waits for the watcher. A tree of some thousand files takes
/// a part of that; a larger one may build once more, if the build writes what is in it.
const FIRST_WALK_TIMEOUT: Duration = Duration::from_millis(250);

/// Serves until a signal ends the process.
pub(crate) fn run(config: &Proxy, console: &Arc<Console>) -> anyhow::Result<()> {
    let targets: Vec<_> = config.url.iter().collect();
    let listeners = server::bind(&config.server, &targets)?;
    let runtime = server::runtime()?;
    let hub = Hub::memory();
    let root = std::env::current_dir().context("cannot tell the working directory")?;
    let Entrance {
        access,
        tls,
        addresses,
        names,
    } = Entrance::new(&config.server, listeners.port, &root, console)?;
    let token = Token::new()?;
    let mut options = config.pages.options();
    options.token = Some(token.as_str().to_owned());
    let reloader = Arc::new(Reloader::new(hub.clone(), &root).options(options));
    let reporter = Arc::new(ChangeReporter::new(Arc::clone(console)));
    let paths = OwnPaths::default();
    let passing = passing(config, &reloader, console, &paths);
    // The command is prepared within the runtime.
    let entered = runtime.enter();
    let backing = Arc::new(backing(config, &root, &reloader, console)?);
    drop(entered);
    let sources = sources(config, &root);
    let control = Arc::new(Control::new(
        token.clone(),
        &reloader,
        &reporter,
        console,
        sources,
    ));
    let forwards = config.pages.forward_console;
    let watcher = Arc::new(OnceLock::new());
    let app = Arc::new(App {
        control: Arc::clone(&control),
        page_errors: forwards.then(|| PageErrorReporter::new(console)),
        access,
        link: config.server.slow.map(Link::new),
        paths,
        backing: Arc::clone(&backing),
        passing,
        endpoint: Endpoint::new(hub.clone(), TOPIC).retry(Duration::from_millis(200)),
        reporter: Arc::clone(&reporter),
        programs: Programs {
            token: token.clone(),
            reloader: Arc::clone(&reloader),
            reporter: Arc::clone(&reporter),
            watcher: Arc::clone(&watcher),
            settled: settled(&backing),
            effect: effect(config),
            started: Instant::now(),
        },
    });
    runtime.block_on(async {
        // Before the banner: whoever reads it may stop the server at once.
        let stop = server::shutdown_signal()?;
        let banner = Banner::new(config, addresses);
        let handle = move |request, peer| Arc::clone(&app).answer(request, peer);
        let port = listeners.port;
        let accepting = Accepting::start(listeners.sockets, tls.as_ref(), handle)?;
        let started = match config.watch_options() {
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
        if let Some(started) = started {
            // It cannot be set already: this is the only place that does.
            let _ = watcher.set(started);
        }
        let place = (banner.addresses.url(), port, names);
        let announced = server::announce(place, &root, &token, console);
        // Before all that is said of the backend.
        console.direct().banner("listening", &banner);
        if let Some(command) = backing.command() {
            // Of a file that the build or the command writes at once, the watcher must know what was in it.
            if let Some(watcher) = watcher.get() {
                let known = server::flushed(watcher);
                let _ = tokio::time::timeout(FIRST_WALK_TIMEOUT, known).await;
            }
            command.start();
        }
        tokio::spawn(Arc::clone(&reporter).run());
        let url = banner.addresses.url().to_owned();
        let attended = Attended::new(&config.server, url, banner, control, console);
        attended.until(stop).await;
        drop(announced);
        let asked_again = server::shutdown_signal()?;
        accepting.finish(&hub).await;
        if let Some(command) = backing.command() {
            command.stop(asked_again).await;
        }
        Ok::<(), anyhow::Error>(())
    })?;
    runtime.shutdown_background();
    // Do not join its thread: one that is blocked would delay the exit.
    std::mem::forget(watcher);
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

/// What waits until no build or start of the command is under way.
fn settled(backing: &Arc<Backing>) -> Settled {
    let backing = Arc::clone(backing);
    Box::new(move || {
        let backing = Arc::clone(&backing);
        Box::pin(async move {
            if let Some(command) = backing.command() {
                command.settled().await;
            }
        })
    })
}

/// What a change does, as the watcher's changes are sorted.
fn effect(config: &Proxy) -> Box<dyn Fn(&Path) -> Effect + Send + Sync> {
    let roots = Roots::of(config);
    Box::new(move |path| {
        let change = Change::new(path, ChangeKind::Modified);
        let sorted = roots.sort(ChangeSet::new(0, vec![change]));
        match (sorted.pages, sorted.backend.is_empty()) {
            (Some(_), _) => Effect::Pages,
            (None, false) => Effect::Restart,
            (None, true) => Effect::Nothing,
        }
    })
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
