//! `tidings proxy`: passes requests to a backend, and adds the script to its pages.
//!
//! ```text
//! request -> guard -> /@tidings/... | the backend -> the script into pages -> answer
//! save    -> watcher -> reloader -> hub -> every open stream
//! ```

mod app;
mod banner;
mod outage;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use tidings::Hub;
use tidings::http::Endpoint;
use tidings::reload::{OwnPaths, Reloader, TOPIC};

use super::passing::Passing;
use super::server::{self, Accepting};
use crate::config::Proxy;
use crate::guard::Guard;
use crate::pages::LivePages;
use crate::report::{ChangeReporter, Console};
use crate::upstream::{self, Upstream};

use app::App;
use banner::Banner;
use outage::Outage;

/// Serves until a signal ends the process.
pub(crate) fn run(config: &Proxy, console: &Arc<Console>) -> anyhow::Result<()> {
    let Some(target) = &config.url else {
        anyhow::bail!("a command cannot be run yet");
    };
    let listeners = server::bind(&config.server, &[target])?;
    let runtime = server::runtime()?;
    let hub = Hub::memory();
    let root = std::env::current_dir().context("cannot tell the working directory")?;
    let reloader = Arc::new(Reloader::new(hub.clone(), root));
    let reporter = Arc::new(ChangeReporter::new(Arc::clone(console)));
    let paths = OwnPaths::default();
    let passing = passing(config, &reloader, console, &paths);
    let options = upstream::Options {
        change_host: config.change_host,
        insecure: config.insecure,
        ..upstream::Options::default()
    };
    let upstream = Arc::new(Upstream::new(target.clone(), &options));
    let outage = Outage::new(
        Arc::clone(&upstream),
        Arc::clone(&reloader),
        Arc::clone(console),
    );
    let app = Arc::new(App {
        guard: Guard::new(config.server.host_names()),
        port: listeners.port,
        paths,
        upstream,
        passing,
        outage: Arc::new(outage),
        endpoint: Endpoint::new(hub.clone(), TOPIC).retry(Duration::from_millis(200)),
        reporter: Arc::clone(&reporter),
    });
    runtime.block_on(async {
        // Before the banner: whoever reads it may stop the server at once.
        let stop = server::shutdown_signal()?;
        let banner = Banner::new(config, target, &listeners);
        let handle = move |request, peer| Arc::clone(&app).answer(request, peer);
        let accepting = Accepting::start(listeners.sockets, handle)?;
        let watcher = match config.watch_options() {
            Some(options) => Some(server::start_watching(
                options, &reloader, &reporter, console,
            )?),
            None => {
                // There is no time of a file, and none must seem newer after a restart. An error means
                // that the hub is closed.
                let _ = reloader.ready(0, None, &[]);
                None
            }
        };
        console.banner("listening", &banner);
        if let Some(path) = &config.server.open {
            server::open_browser(&banner.urls[0], path, console);
        }
        tokio::spawn(Arc::clone(&reporter).run());
        stop.await;
        accepting.finish(&hub).await;
        // Do not join its thread: one that is blocked would delay the exit.
        std::mem::forget(watcher);
        Ok::<(), anyhow::Error>(())
    })?;
    runtime.shutdown_background();
    Ok(())
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
