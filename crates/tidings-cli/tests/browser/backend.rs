//! A backend with the library's own pieces in front of it: pages that a program makes, from files that no
//! URL tells. What is wrong with it is said by the test.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tidings::Hub;
use tidings::http::Endpoint;
use tidings::reload::{
    PROBLEM_HEADER, PageKind, PageOptions, Problem, ProblemKind, Reloader, ScriptElement, TOPIC,
    client_response, problem_page,
};
use tidings::watch::{Change, ChangeKind, ChangeSet};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Where the project's files are.
const ROOT: &str = "/project";

/// The newest time of them.
const NEWEST: u64 = 1000;

/// What pages must send with an order.
const TOKEN: &str = "token";

type Body = UnsyncBoxBody<Bytes, Infallible>;

pub struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

struct Shared {
    // Replaced by a restart of the server.
    live: RwLock<Live>,
    /// URL path -> media type and content.
    answers: Mutex<HashMap<String, Answer>>,
    is_away: AtomicBool,
    /// The methods and paths of all requests.
    requests: Mutex<Vec<String>>,
    /// What pages have reported.
    reports: Mutex<Vec<Value>>,
    /// What pages have asked for.
    orders: Mutex<Vec<Value>>,
}

#[derive(Clone)]
struct Answer {
    headers: Vec<(String, String)>,
    content: String,
}

#[derive(Clone)]
struct Live {
    reloader: Arc<Reloader>,
    endpoint: Endpoint,
}

impl Live {
    fn new() -> Live {
        let hub = Hub::memory();
        let mut options = PageOptions::default();
        options.token = Some(TOKEN.to_owned());
        let reloader = Reloader::new(hub.clone(), ROOT).options(options);
        reloader.ready(NEWEST, None, &[]).unwrap();
        Live {
            reloader: Arc::new(reloader),
            endpoint: Endpoint::new(hub, TOPIC),
        }
    }
}

pub fn problem(text: &str) -> Problem {
    Problem::new(ProblemKind::BuildFailed, "The build failed", text)
}

impl Backend {
    /// A backend that answers with these.
    pub fn start(answers: &[(&str, &str)]) -> Backend {
        let runtime = Runtime::new().unwrap();
        let shared = Arc::new(Shared {
            live: RwLock::new(Live::new()),
            answers: Mutex::default(),
            is_away: AtomicBool::new(false),
            requests: Mutex::default(),
            reports: Mutex::default(),
            orders: Mutex::default(),
        });
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, Arc::clone(&shared)));
        let backend = Backend {
            address,
            shared,
            _runtime: runtime,
        };
        for (path, content) in answers {
            backend.answer(path, content);
        }
        backend
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }

    /// What this path is answered with from now on.
    pub fn answer(&self, path: &str, content: &str) {
        self.answer_with(path, content, &[]);
    }

    pub fn answer_with(&self, path: &str, content: &str, headers: &[(&str, &str)]) {
        let headers = headers.iter();
        let answer = Answer {
            headers: headers
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            content: content.to_owned(),
        };
        self.shared
            .answers
            .lock()
            .unwrap()
            .insert(path.to_owned(), answer);
    }

    pub fn reloader(&self) -> Arc<Reloader> {
        Arc::clone(&self.shared.live.read().unwrap().reloader)
    }

    pub fn fail(&self, text: &str) {
        self.reloader().set_problem(Some(problem(text))).unwrap();
    }

    pub fn mend(&self) {
        self.reloader().set_problem(None).unwrap();
    }

    /// A file of the project was saved.
    pub fn changed(&self, path: &str) {
        self.changed_all(&[path]);
    }

    /// Several files: absolute, or below the project's directory.
    pub fn changed_all(&self, paths: &[&str]) {
        let changes = paths.iter();
        let changes =
            changes.map(|path| Change::new(Path::new(ROOT).join(path), ChangeKind::Modified));
        self.reloader()
            .changed(&ChangeSet::new(NEWEST, changes.collect()))
            .unwrap();
    }

    /// Whether the backend answers; while it does not, pages of ours do.
    pub fn set_away(&self, is_away: bool) {
        self.shared.is_away.store(is_away, Ordering::SeqCst);
    }

    /// Ends the server in front of the backend, and starts it again, as a new run of it would.
    pub fn restart_server(&self) {
        let mut live = self.shared.live.write().unwrap();
        let before = std::mem::replace(&mut *live, Live::new());
        drop(live);
        before
            .reloader
            .hub()
            .disconnect_all(std::time::Duration::ZERO);
    }

    /// This path is not there any more.
    pub fn forget(&self, path: &str) {
        self.shared.answers.lock().unwrap().remove(path);
    }

    /// How many requests there were with this method and path.
    pub fn n_requests(&self, method_and_path: &str) -> usize {
        let requests = self.shared.requests.lock().unwrap();
        requests
            .iter()
            .filter(|request| *request == method_and_path)
            .count()
    }

    /// What pages have asked for.
    pub fn orders(&self) -> Vec<Value> {
        self.shared.orders.lock().unwrap().clone()
    }

    /// The paths of the pages that have said this, in the order of their reports.
    pub fn said(&self, did: &str) -> Vec<String> {
        let reports = self.shared.reports.lock().unwrap();
        let reports = reports.iter().filter(|report| report["did"] == did);
        reports
            .map(|report| report["at"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What pages have done about changes, in the order of their reports.
    pub fn reports(&self) -> Vec<String> {
        let reports = self.shared.reports.lock().unwrap();
        reports
            .iter()
            .map(|report| report["did"].as_str().unwrap().to_owned())
            .filter(|did| !["open", "none", "leave"].contains(&did.as_str()))
            .collect()
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, Arc::clone(&shared)));
            let http = hyper::server::conn::http1::Builder::new();
            // A client that leaves is none of a test's business.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let live = shared.live.read().unwrap().clone();
    let path = parts.uri.path();
    let request = format!("{} {path}", parts.method);
    shared.requests.lock().unwrap().push(request);
    Ok(match path {
        "/@tidings/events" => live.endpoint.respond(&parts).map(BodyExt::boxed_unsync),
        _ if path.starts_with("/@tidings/") && path.ends_with(".js") => {
            client_response(&parts).map(|text| http_body_util::Full::new(text).boxed_unsync())
        }
        "/@tidings/seen" => {
            let body = body.collect().await.unwrap().to_bytes();
            let report = serde_json::from_slice(&body).unwrap();
            shared.reports.lock().unwrap().push(report);
            whole(StatusCode::NO_CONTENT, "text/plain", String::new())
        }
        "/@tidings/control" => {
            let has_token = parts
                .headers
                .get("tidings-token")
                .is_some_and(|t| t == TOKEN);
            assert!(has_token && parts.headers["content-type"] == "application/json");
            let body = body.collect().await.unwrap().to_bytes();
            let order = serde_json::from_slice(&body).unwrap();
            shared.orders.lock().unwrap().push(order);
            whole(StatusCode::NO_CONTENT, "text/plain", String::new())
        }
        "/@tidings/ready" if shared.is_away.load(Ordering::SeqCst) => in_its_place(String::new()),
        "/@tidings/ready" => whole(StatusCode::NO_CONTENT, "text/plain", String::new()),
        _ if path.starts_with("/slow/") => std::future::pending().await,
        _ => from_backend(path, &live.reloader, &shared),
    })
}

fn from_backend(path: &str, reloader: &Reloader, shared: &Shared) -> Response<Body> {
    let state = reloader.page_state();
    let script = |kind| {
        ScriptElement::new("/@tidings/client.js", "/@tidings/events", &state, kind).to_string()
    };
    if shared.is_away.load(Ordering::SeqCst) {
        let unreachable = Problem::new(ProblemKind::BackendUnreachable, "Nothing answers", "");
        let problem = state.problem().unwrap_or(&unreachable);
        return in_its_place(problem_page(problem, &script(PageKind::Waiting)));
    }
    let answers = shared.answers.lock().unwrap();
    let Some(Answer { headers, content }) = answers.get(path) else {
        return whole(StatusCode::NOT_FOUND, "text/plain", "not found".to_owned());
    };
    let extension = path
        .rsplit('/')
        .next()
        .and_then(|name| name.split_once('.'));
    let mut response = match extension.map(|(_, extension)| extension) {
        None => {
            let html = format!(
                "<!doctype html><title>t</title>{}{content}",
                script(PageKind::Other)
            );
            whole(StatusCode::OK, "text/html", html)
        }
        Some(name) if name.ends_with("css") => whole(StatusCode::OK, "text/css", content.clone()),
        Some(name) if name.ends_with("svg") => {
            whole(StatusCode::OK, "image/svg+xml", content.clone())
        }
        Some(_) => whole(StatusCode::OK, "text/javascript", content.clone()),
    };
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// A response in place of the backend's.
fn in_its_place(content: String) -> Response<Body> {
    let mut response = whole(StatusCode::BAD_GATEWAY, "text/html", content);
    let kind = ProblemKind::BackendUnreachable.as_str();
    response
        .headers_mut()
        .insert(PROBLEM_HEADER, kind.parse().unwrap());
    response
}

fn whole(status: StatusCode, media_type: &str, content: String) -> Response<Body> {
    let body = http_body_util::Full::new(Bytes::from(content));
    Response::builder()
        .status(status)
        .header("content-type", format!("{media_type}; charset=utf-8"))
        .header("cache-control", "no-cache")
        .body(body.boxed_unsync())
        .unwrap()
}
