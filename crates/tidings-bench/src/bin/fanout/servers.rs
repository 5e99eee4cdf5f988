//! The servers that are compared, each one thread.
//!
//! Each prints its port for streams and its port for the publisher, and publishes the same text as the next
//! event on each [`PUBLISH`]. Only the blocking floors need [`ACCEPT`] before a stream is opened; the others
//! accept concurrently.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use axum::serve::ListenerExt;
use futures_util::Stream;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tidings::Hub;
use tidings::http::Endpoint;
use tidings_bench::load::{ACCEPT, PUBLISH, payload};
use tokio::io::AsyncReadExt;
use tokio::sync::broadcast;

/// How many commands of the publisher are read at once.
const WORDS: usize = 256;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";

/// A server, by its name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// A loop over blocking sockets: one `send` per event and stream.
    Floor,
    /// The same with a log: one `send` of everything that a stream has not got yet.
    FloorLog,
    Tidings,
    Axum,
}

impl Server {
    pub(crate) const ALL: [Server; 4] = [
        Server::Floor,
        Server::FloorLog,
        Server::Tidings,
        Server::Axum,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Server::Floor => "floor",
            Server::FloorLog => "floor-log",
            Server::Tidings => "tidings",
            Server::Axum => "axum",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Server> {
        Server::ALL.into_iter().find(|server| server.name() == name)
    }

    /// Serves until the process is killed.
    pub(crate) fn run(self) {
        let streams = TcpListener::bind("127.0.0.1:0").unwrap();
        let control = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        println!("{} {}", port(&streams), port(&control));
        match self {
            Server::Floor => floor(&streams, &control, false),
            Server::FloorLog => floor(&streams, &control, true),
            Server::Tidings => asynchronous(tidings(streams, control)),
            Server::Axum => asynchronous(axum(streams, control)),
        }
    }
}

fn floor(streams: &TcpListener, control: &TcpListener, join: bool) {
    let (mut control, _) = control.accept().unwrap();
    let mut open: Vec<TcpStream> = Vec::new();
    let mut number = 0;
    let mut words = [0; WORDS];
    loop {
        let n = control.read(&mut words).unwrap();
        if n == 0 {
            return;
        }
        let mut unsent = Vec::new();
        for word in &words[..n] {
            match *word {
                ACCEPT => open.push(accept(streams)),
                PUBLISH => {
                    number += 1;
                    let frame = format!("data: {}\n\n", payload(number));
                    unsent.extend_from_slice(frame.as_bytes());
                    if !join {
                        open.iter_mut()
                            .for_each(|stream| stream.write_all(&unsent).unwrap());
                        unsent.clear();
                    }
                }
                _ => {}
            }
        }
        if !unsent.is_empty() {
            open.iter_mut()
                .for_each(|stream| stream.write_all(&unsent).unwrap());
        }
    }
}

fn accept(streams: &TcpListener) -> TcpStream {
    let (mut stream, _) = streams.accept().unwrap();
    stream.set_nodelay(true).unwrap();
    // The load's request is small and arrives in one piece.
    let _ = stream.read(&mut [0; 1024]).unwrap();
    stream.write_all(HEAD.as_bytes()).unwrap();
    stream
}

fn asynchronous(serving: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(serving);
}

fn listener(listener: TcpListener) -> tokio::net::TcpListener {
    listener.set_nonblocking(true).unwrap();
    tokio::net::TcpListener::from_std(listener).unwrap()
}

/// Calls `publish` with the text of each event that the publisher asks for.
async fn published(control: TcpListener, mut publish: impl AsyncFnMut(String)) {
    let (mut control, _) = listener(control).accept().await.unwrap();
    let mut number = 0;
    let mut words = [0; WORDS];
    loop {
        let n = control.read(&mut words).await.unwrap();
        if n == 0 {
            return;
        }
        for _ in words[..n].iter().filter(|word| **word == PUBLISH) {
            number += 1;
            publish(payload(number)).await;
        }
    }
}

/// hyper and the endpoint, set up as `tidings serve` does.
async fn tidings(streams: TcpListener, control: TcpListener) {
    let hub = Hub::memory();
    let endpoint = Endpoint::new(hub.clone(), "news");
    let streams = listener(streams);
    tokio::spawn(async move {
        loop {
            let (stream, _) = streams.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let endpoint = endpoint.clone();
            tokio::spawn(async move {
                let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
                    let response = endpoint.respond(&request.into_parts().0);
                    async move { Ok::<_, Infallible>(response) }
                });
                // An error means that the client has left.
                let _ = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(std::time::Duration::from_secs(60))
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    published(control, async |text| {
        hub.publish("news", tidings::Event::data(text))
            .await
            .unwrap();
    })
    .await;
}

/// A typical program with axum and tokio alone.
async fn axum(streams: TcpListener, control: TcpListener) {
    let (sender, _) = broadcast::channel(64);
    let app = axum::Router::new()
        .route("/events", axum::routing::get(events))
        .with_state(sender.clone());
    let streams = listener(streams).tap_io(|stream| stream.set_nodelay(true).unwrap());
    tokio::spawn(async move { axum::serve(streams, app).await });
    published(control, async |text| {
        // This fails while there is no stream.
        let _ = sender.send(text);
    })
    .await;
}

async fn events(
    State(sender): State<broadcast::Sender<String>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stream = futures_util::stream::unfold(sender.subscribe(), async |mut receiver| {
        // A stream that lags ends, and the load notices that.
        let text: String = receiver.recv().await.ok()?;
        Some((Ok(Event::default().data(text)), receiver))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}
