//! `tidings serve`: binds its sockets, answers requests, and watches the folder.
//!
//! ```text
//! request -> guard -> /server-sent-events | /@tidings/... | a backend | a file -> answer
//! save    -> watcher -> reloader -> hub -> every open stream
//! ```

mod app;
mod banner;
mod routes;
mod texts;

use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tidings::Hub;
use tidings::engine::{Memory, Retention};
use tidings::http::Endpoint;
use tidings::reload::{OwnPaths, Reloader, TOPIC};
use tidings::watch;

use crate::config::Serve;
use crate::files::Files;
use crate::guard::frames::FrameHost;
use crate::pages::{LivePages, STREAM_PATH};
use crate::referrers::Referrers;
use crate::report::{ChangeReporter, Console, HintedError, PageErrorReporter};
use crate::sources::Sources;

use super::attended::Attended;
use super::control::Control;
use super::entrance::Entrance;
use super::explained::Effect;
use super::link::Link;
use super::passing::Passing;
use super::programs::Programs;
use super::server::{self, Accepting};
use super::token::Token;
use app::App;
use banner::Banner;
use routes::Routes;
use texts::Texts;

/// How much the log of changes keeps.
const LOG_BYTES: usize = 2 << 20;

/// Serves until a signal ends the process.
pub(crate) fn run(config: &Serve, console: &Arc<Console>) -> anyhow::Result<()> {
    let root = root_of(&config.dir)?;
    let mounts = config.mounts.iter();
    let mounts = mounts.map(|mount| Ok((&*mount.prefix, root_of(&mount.dir)?)));
    let mounts = mounts.collect::<anyhow::Result<Vec<_>>>()?;
    let backends: Vec<_> = config.proxy.iter().map(|route| &route.target).collect();
    let listeners = server::bind(&config.server, &backends)?;
    let Entrance {
        access,
        tls,
        addresses,
        names,
    } = Entrance::new(&config.server, listeners.port, &root, console)?;
    let runtime = server::runtime()?;
    // A page that has missed more than this reloads if anything has changed. The texts of style sheets are in it.
    let hub = Hub::new(Memory::new(Retention::new().bytes(LOG_BYTES)));
    let referrers = Arc::new(Referrers::default());
    let requests = Arc::clone(&referrers);
    let watcher = Arc::new(OnceLock::new());
    let routes = Arc::new(Routes::new(&config.proxy));
    let files = folders(config, &root, &mounts);
    let reporter = Arc::new(ChangeReporter::new(Arc::clone(console)));
    let live_pages = Arc::new(OnceLock::new());
    let texts = Texts {
        routes: Arc::clone(&routes),
        rules: Arc::clone(&config.rules),
        files: Arc::clone(&files),
        watcher: Arc::clone(&watcher),
        reporter: Arc::clone(&reporter),
        pages: Arc::clone(&live_pages),
    };
    let token = Token::new()?;
    let mut options = config.pages.options();
    options.token = Some(token.as_str().to_owned());
    let reloader = Reloader::new(hub.clone(), &root)
        .mounts(mounts.iter().map(|(prefix, dir)| (*prefix, dir)))
        .used_by(move |change| requests.users_of(&change.path, change.kind == "removed"))
        .texts(move |change| texts.of(change))
        .options(options);
    let reloader = Arc::new(reloader);
    let frame_host = Arc::new(FrameHost::default());
    let paths = OwnPaths::default();
    let pages = LivePages::new(
        Arc::clone(&reloader),
        Arc::clone(&watcher),
        Arc::clone(console),
        paths.client_url(),
        frame_host.label(),
    );
    let pages = Arc::new(pages);
    live_pages.set(Arc::clone(&pages)).ok();
    let passing = Passing {
        rules: Arc::clone(&config.rules),
        reloader: Arc::clone(&reloader),
        client_url: pages.client_url().to_owned(),
        stream: STREAM_PATH.to_owned(),
        pages: Arc::clone(&pages),
    };
    let roots: Vec<_> = iter::once(&root)
        .chain(mounts.iter().map(|(_, dir)| dir))
        .cloned()
        .collect();
    let sources = Sources::new(roots.clone(), []);
    let control = Arc::new(Control::new(
        token.clone(),
        &reloader,
        &reporter,
        console,
        sources,
    ));
    let forwards = config.pages.forward_console;
    let app = Arc::new(App {
        control: Arc::clone(&control),
        page_errors: forwards.then(|| PageErrorReporter::new(console)),
        paths: paths.clone(),
        routes,
        passing,
        access,
        link: config.server.slow.map(Link::new),
        frame_host,
        has_refused_opaque: false.into(),
        files,
        rules: Arc::clone(&config.rules),
        pages,
        referrers,
        // Shorter than the library's default: a server on the developer's machine is back at once.
        endpoint: Endpoint::new(hub.clone(), TOPIC).retry(Duration::from_millis(200)),
        reporter: Arc::clone(&reporter),
        programs: Programs {
            token: token.clone(),
            reloader: Arc::clone(&reloader),
            reporter: Arc::clone(&reporter),
            watcher: Arc::clone(&watcher),
            settled: Box::new(|| Box::pin(async {})),
            effect: Box::new(|_| Effect::Pages),
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
        // Before the banner, so that a folder that cannot be watched is reported instead of it.
        let options = config.watch_options(&roots);
        let started = server::start_watching(options, Some, &reloader, &reporter, console)?;
        // It cannot be set already: this is the only place that does.
        let _ = watcher.set(started);
        let place = (banner.addresses.url(), port, names);
        let announced = server::announce(place, &root, &token, console);
        console.banner("listening", &banner);
        tokio::spawn(Arc::clone(&reporter).run());
        let url = banner.addresses.url().to_owned();
        let attended = Attended::new(&config.server, url, banner, control, console);
        attended.until(stop).await;
        drop(announced);
        accepting.finish(&hub).await;
        Ok::<(), anyhow::Error>(())
    })?;
    // Do not join the threads of either: one that is blocked would delay the exit.
    runtime.shutdown_background();
    std::mem::forget(watcher);
    Ok(())
}

/// What would be watched.
pub(crate) fn watched(config: &Serve) -> anyhow::Result<watch::Options> {
    let mounted = config.mounts.iter().map(|mount| &mount.dir);
    let roots = iter::once(&config.dir).chain(mounted);
    let roots = roots
        .map(|dir| root_of(dir))
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(config.watch_options(&roots))
}

/// The folders that are served, those with the longest path first.
fn folders(config: &Serve, root: &Path, mounts: &[(&str, PathBuf)]) -> Arc<[Files]> {
    let mut all: Vec<_> = mounts
        .iter()
        .map(|(prefix, dir)| (*prefix, &**dir))
        .collect();
    all.push(("", root));
    all.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    let options = all.iter().map(|(prefix, dir)| config.files(dir, prefix));
    options.map(Files::new).collect()
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
