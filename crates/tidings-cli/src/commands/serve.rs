//! `tidings serve`: listens first, watches then, and answers requests meanwhile.
//!
//! ```text
//! request -> guard -> /server-sent-events | /@tidings/... | a file -> answer
//! save    -> watcher -> reloader -> hub -> every open stream
//! ```

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use tidings::Hub;
use tidings::http::Endpoint;
use tidings::reload::{CLIENT_JS, Published, Reloader, TOPIC};
use tidings::watch::{self, Notice, WatchError, Watcher};

use crate::config::Config;
use crate::files::{self, Files};
use crate::guard::frames::{self, FRAME_JS, FrameHost};
use crate::guard::{self, Guard, Refusal};
use crate::listen::{self, Answer, Host, Listeners};
use crate::pages::{CLIENT_PATH, LivePages, STREAM_PATH};
use crate::referrers::Referrers;
use crate::report::{Hinted, Line, Paint, Report, Say, Seen};

/// Where pages say what they have done.
const SEEN_PATH: &str = "/@tidings/seen";

/// How large such a word may be, in bytes.
const SEEN_LIMIT: usize = 1024;

/// How long the last bytes of answers are waited for at the end.
const FAREWELL: Duration = Duration::from_millis(200);

/// How long a sandboxed document has to be opened under its own name.
const FRAME_PATIENCE: Duration = Duration::from_secs(3);

/// Everything of ours begins with this; nothing of a site is looked up there.
const OWN_PREFIX: &str = "/@tidings/";

struct App {
    guard: Guard,
    frame_host: Arc<FrameHost>,
    /// A request that may have come from a sandboxed frame was refused.
    said_refused: AtomicBool,
    files: Files,
    pages: Arc<LivePages>,
    referrers: Arc<Referrers>,
    endpoint: Endpoint,
    report: Arc<Report>,
}

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

impl App {
    async fn answer(
        self: Arc<App>,
        request: Request<Incoming>,
        peer: IpAddr,
    ) -> Answer<files::Body> {
        let (parts, body) = request.into_parts();
        if let Err(refusal) = self.guard.check(&parts) {
            return Answer::Response(refused(refusal));
        }
        let path = parts.uri.path();
        let own = path == STREAM_PATH || path.starts_with(OWN_PREFIX);
        let framed = match self.frame_host.admits(&parts) {
            Ok(framed) => framed,
            Err(refusal) => return Answer::Response(refused(refusal)),
        };
        if path == CLIENT_PATH && (framed || frames::is_foreign_script(&parts)) {
            return Answer::Response(script(FRAME_JS));
        }
        let foreign = match (own, framed) {
            (true, _) => guard::same_origin_only(&parts),
            (false, true) => Ok(()),
            (false, false) => guard::no_foreign_embedding(&parts),
        };
        if let Err(refusal) = foreign {
            if !own && frames::may_be_sandboxed(&parts.headers) {
                self.say_if_frames_do_not_work(path);
            }
            return Answer::Response(refused(refusal));
        }
        Answer::Response(match path {
            _ if own && framed => plain(StatusCode::NOT_FOUND, "not found\n"),
            STREAM_PATH => return Answer::Stream(self.endpoint.respond(&parts)),
            CLIENT_PATH => client_script(&parts.method),
            SEEN_PATH => self.seen(&parts.method, body).await,
            _ if own => plain(StatusCode::NOT_FOUND, "not found\n"),
            _ => {
                self.referrers.record(&parts);
                let request = Request::from_parts(parts, ());
                let response = self.files.respond(&request, Some(peer), &*self.pages);
                match framed {
                    true => self.frame_host.open(response.await, request.headers()),
                    false => response.await,
                }
            }
        })
    }

    /// A sandboxed document loads a few things before it is opened under its own name. Only if that does
    /// not happen is it worth a word.
    fn say_if_frames_do_not_work(&self, path: &str) {
        if self.said_refused.swap(true, Ordering::Relaxed) {
            return;
        }
        let (frame_host, pages) = (Arc::clone(&self.frame_host), Arc::clone(&self.pages));
        let path = path.to_owned();
        tokio::spawn(async move {
            tokio::time::sleep(FRAME_PATIENCE).await;
            if !frame_host.is_used() {
                pages.denied_to_unknown(&path);
            }
        });
    }

    async fn seen(&self, method: &Method, body: Incoming) -> Response<files::Body> {
        if method != Method::POST {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "only POST\n");
        }
        let Ok(body) = Limited::new(body, SEEN_LIMIT).collect().await else {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "too large\n");
        };
        match serde_json::from_slice::<Seen>(&body.to_bytes()) {
            Ok(seen) => {
                self.report.seen(&seen);
                plain(StatusCode::NO_CONTENT, "")
            }
            Err(_) => plain(StatusCode::BAD_REQUEST, "not understood\n"),
        }
    }
}

fn client_script(method: &Method) -> Response<files::Body> {
    let body = match *method {
        Method::GET => CLIENT_JS,
        Method::HEAD => "",
        _ => return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n"),
    };
    let mut response = script(body);
    let headers = response.headers_mut();
    // Its address changes when it does.
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("max-age=31536000, immutable"),
    );
    response
}

fn script(text: &'static str) -> Response<files::Body> {
    let mut response = plain(StatusCode::OK, text);
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/javascript; charset=utf-8"),
    );
    response
}

fn refused(refusal: Refusal) -> Response<files::Body> {
    let mut response = plain(refusal.status, refusal.text);
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<files::Body> {
    let mut response = Response::new(files::Body::whole(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A name for this text: another text has another name.
fn version_of(text: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Where it listens.
#[derive(Debug, Serialize)]
struct Banner {
    urls: Vec<String>,
    dir: String,
    /// Whether other machines can connect.
    exposed: bool,
}

impl Banner {
    fn new(config: &Config, listeners: &Listeners) -> Banner {
        let port = listeners.port;
        let url = |host: &str| format!("http://{host}:{port}/");
        let address = |address: &IpAddr| match address {
            IpAddr::V4(address) => url(&address.to_string()),
            IpAddr::V6(address) => url(&format!("[{address}]")),
        };
        let urls = match &config.host {
            Host::Localhost => vec![url("localhost")],
            Host::Name(name) => vec![url(name)],
            Host::Address(any) if any.is_unspecified() => {
                let mut urls = vec![url("localhost")];
                urls.extend(own_addresses().iter().map(address));
                urls
            }
            Host::Address(one) => vec![address(one)],
        };
        Banner {
            urls,
            dir: config.dir.display().to_string(),
            exposed: !config.host.is_loopback(),
        }
    }
}

fn own_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces
        .into_iter()
        .filter(|i| !i.is_loopback() && !i.is_link_local());
    addresses.map(|interface| interface.ip()).collect()
}

impl Line for Banner {
    fn plain(&self, paint: Paint) -> String {
        let mut lines = vec![self.brief(paint)];
        lines.push(paint.dim(&format!(
            "serving {}, watching for changes; Ctrl-C ends",
            self.dir
        )));
        if self.exposed {
            lines.push(format!(
                "open to the network: whoever can reach this machine can read every file in {}, except dot-files and keys",
                self.dir
            ));
        }
        lines.join("\n")
    }

    fn brief(&self, paint: Paint) -> String {
        let urls: Vec<_> = self.urls.iter().map(|url| paint.bold(url)).collect();
        urls.join("\n")
    }
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
