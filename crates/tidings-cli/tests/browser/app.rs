//! A program that makes its pages itself, with the library's layer in front of it.

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tidings::reload::Reload;
use tokio::net::TcpListener;
use tower_layer::Layer;
use tower_service::Service;

use crate::support::program::Folder;

pub type Answer = Response<Full<Bytes>>;

/// The program, and the folder that it reads its templates from. It ends with the test's process.
pub struct App {
    folder: Arc<Folder>,
    pub reload: Reload,
    port: u16,
}

impl Deref for App {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

impl App {
    /// A program that answers a path like this.
    pub fn start(
        files: &[(&str, &str)],
        answer: impl Fn(&Folder, &str) -> Answer + Send + Sync + 'static,
    ) -> App {
        App::start_with(Reload::new(), files, answer)
    }

    pub fn start_with(
        reload: Reload,
        files: &[(&str, &str)],
        answer: impl Fn(&Folder, &str) -> Answer + Send + Sync + 'static,
    ) -> App {
        let folder = Arc::new(Folder::new(files));
        folder.settle();
        let reload = reload.watch([folder.root()]).unwrap();
        let program = Program {
            folder: Arc::clone(&folder),
            answer: Arc::new(answer),
        };
        let service = TowerToHyperService::new(reload.layer().layer(program));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                listener.set_nonblocking(true).unwrap();
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((socket, _)) = listener.accept().await {
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service.clone());
                    tokio::spawn(connection);
                }
            });
        });
        App {
            folder,
            reload,
            port,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }
}

type Handler = dyn Fn(&Folder, &str) -> Answer + Send + Sync;

#[derive(Clone)]
struct Program {
    folder: Arc<Folder>,
    answer: Arc<Handler>,
}

impl Service<Request<Incoming>> for Program {
    type Response = Answer;
    type Error = Infallible;
    type Future = Lazy;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Lazy {
        let program = self.clone();
        let path = request.uri().path().to_owned();
        // A handler runs when it is polled, and may panic there.
        Box::pin(async move { Ok((program.answer)(&program.folder, &path)) })
    }
}

type Lazy = std::pin::Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

/// A response with this type and text.
pub fn answer(status: u16, content_type: &str, text: impl Into<Bytes>) -> Answer {
    let response = Response::builder().status(status);
    let response = response.header("content-type", content_type);
    response.body(Full::new(text.into())).unwrap()
}

/// The page made from the template of this name; an error as text where that is not there.
pub fn page_of(folder: &Folder, name: &str) -> Answer {
    match std::fs::read(folder.path(name)) {
        Ok(text) => answer(200, "text/html; charset=utf-8", text),
        Err(error) => answer(500, "text/plain; charset=utf-8", format!("{name}: {error}")),
    }
}
