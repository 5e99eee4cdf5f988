//! `Files::respond`, driven on folders made for each claim.

mod conditions;
mod confinement;
mod documents;
mod generated_pages;
#[cfg(unix)]
mod links;
mod paths;
mod wire;

use std::sync::Mutex;
use std::time::Duration;

use http::HeaderValue;
use http_body_util::BodyExt;
use tempfile::TempDir;

use super::*;

const SCRIPT: &str = "<script src=\"/s\"></script>";

/// The headers of a browser that follows a link.
const NAVIGATION: [(&str, &str); 2] = [
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
];

struct Site {
    dir: TempDir,
    files: Files,
    pages: Recorder,
    peer: Option<IpAddr>,
    /// Whether each request is sent a second time, with the portable way to a file, and both responses
    /// must be equal. Not for files that change all the time.
    asks_both_ways: bool,
}

/// Gives the same snippet, and records nothing.
struct Silent;

impl Pages for Silent {
    fn script_for(&self, _page: &Page<'_>) -> Snippet {
        snippet()
    }

    fn served(&self, _path: &Path, _meta: &Metadata) {}

    fn not_injected(&self, _url_path: &str, _reason: &str) {}
}

fn snippet() -> Snippet {
    Snippet {
        html: SCRIPT.into(),
        with_policy: "<script src=policy></script>".into(),
        tag: "t1".into(),
        version: None,
    }
}

/// Writes down what it is calls. Each call of `script_for` first does what a test wants to happen then.
#[derive(Default)]
struct Recorder {
    calls: Mutex<Vec<String>>,
    missing: Mutex<Vec<String>>,
    /// The paths of `served`.
    paths: Mutex<Vec<PathBuf>>,
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Pages for Recorder {
    fn script_for(&self, page: &Page<'_>) -> Snippet {
        if let Some(meanwhile) = self.meanwhile.lock().unwrap().take() {
            meanwhile();
        }
        self.calls.lock().unwrap().push(match page {
            Page::File { url_path, framed } => {
                format!("{} {url_path}", if *framed { "frame" } else { "file" })
            }
            Page::Listing { url_path } => format!("listing {url_path}"),
            Page::NotFound => "not found".to_owned(),
        });
        snippet()
    }

    fn served(&self, path: &Path, meta: &Metadata) {
        assert!(meta.is_file());
        self.paths.lock().unwrap().push(path.to_owned());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        self.calls.lock().unwrap().push(format!("served {name}"));
    }

    fn not_found(&self, path: &Path) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        self.missing.lock().unwrap().push(name);
    }

    fn not_injected(&self, url_path: &str, reason: &str) {
        assert!(!reason.is_empty());
        self.calls
            .lock()
            .unwrap()
            .push(format!("not injected {url_path}"));
    }

    fn refused_by_browser(&self, url_path: &str, _reason: &str) {
        let mut calls = self.calls.lock().unwrap();
        calls.push(format!("refused {url_path}"));
    }

    fn unserved_link(&self, link: &UnservedLink) {
        let mut calls = self.calls.lock().unwrap();
        calls.push(format!("{:?} {}", link.reason, link.url_path));
    }

    fn unreadable(&self, path: &Path, _error: &io::Error) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut calls = self.calls.lock().unwrap();
        calls.push(format!("unreadable {name}"));
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Site {
    fn new(files: &[(&str, &str)]) -> Site {
        Site::with(files, |_| {})
    }

    fn with(files: &[(&str, &str)], change: impl FnOnce(&mut Options)) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let mut options = Options {
            mount: String::new(),
            root,
            spa: None,
            follow_symlinks: false,
            listing: true,
            compress: Compress::Auto,
        };
        change(&mut options);
        let mut site = Site {
            dir,
            files: Files::new(options),
            pages: Recorder::default(),
            peer: "127.0.0.1".parse().ok(),
            asks_both_ways: true,
        };
        // Files that a test has just written are settled.
        site.files.clock = || SystemTime::now() + Duration::from_secs(3600);
        for (path, content) in files {
            site.write(path, content);
        }
        site
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    async fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_str(value).unwrap());
        }
        let request = request.body(()).unwrap();
        let answer = self.answer(&self.files, &request, &self.pages).await;
        if self.asks_both_ways {
            let mut by_walk = Files::new(self.files.options.clone());
            by_walk.clock = self.files.clock;
            by_walk.root.by_walk = true;
            let other = self.answer(&by_walk, &request, &Silent).await;
            assert_eq!(answer.status, other.status, "{target}");
            assert_eq!(answer.headers, other.headers, "{target}");
            assert!(answer.body == other.body, "{target}");
        }
        answer
    }

    async fn answer(&self, files: &Files, request: &Request<()>, pages: &dyn Pages) -> Answer {
        let target = request.uri();
        let (parts, body) = files.respond(request, self.peer, pages).await.into_parts();
        for name in [
            "cache-control",
            "x-content-type-options",
            "cross-origin-resource-policy",
        ] {
            assert!(parts.headers.contains_key(name), "{target} lacks {name}");
        }
        assert!(!parts.headers.contains_key("access-control-allow-origin"));
        let promised = http_body::Body::size_hint(&body).exact().unwrap();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        assert_eq!(body.len() as u64, promised);
        if request.method() == Method::GET
            && let Some(length) = parts.headers.get("content-length")
        {
            assert_eq!(length.to_str().unwrap(), body.len().to_string());
        }
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[]).await
    }

    async fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", target, headers).await
    }

    async fn navigate(&self, target: &str) -> Answer {
        self.ask("GET", target, &NAVIGATION).await
    }

    /// The calls since the last time.
    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.pages.calls.lock().unwrap())
    }

    async fn status(&self, target: &str, expected: u16) {
        assert_eq!(self.get(target).await.status, expected, "{target}");
    }

    async fn body(&self, target: &str, expected: &str) {
        let answer = self.get(target).await;
        assert_eq!((answer.status, answer.text()), (200, expected), "{target}");
    }

    async fn location(&self, target: &str, expected: &str) {
        let answer = self.get(target).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (307, expected),
            "{target}"
        );
    }
}
