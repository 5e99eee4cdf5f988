//! The floors: servers that do nothing but forward a save, with one thread per connection.
//!
//! One tells the page to reload. The other sends the new text, and the page puts it in place: the text of the
//! changed element, or of the style sheet. It knows where that is, so it shows what the browser itself needs.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use inotify::{Inotify, WatchMask};

/// Reloads.
pub(crate) const RELOAD: &str = "<script>new EventSource('/events').onmessage = (event) => {
    event.target.close()
    location.reload()
}</script>";

/// Puts the text in place.
pub(crate) const IN_PLACE: &str = "<script>new EventSource('/events').onmessage = ({ data }) => {
    const { name, text } = JSON.parse(data)
    if (name === 'site.css') {
        document.querySelector('link')?.remove()
        const style = document.querySelector('style') ?? document.head.appendChild(document.createElement('style'))
        style.textContent = text
    } else {
        document.querySelector('#shown').textContent = text.match(/.*id=.shown.>(.*?)</s)[1]
    }
}</script>";

/// The same for many tabs, of which one has the stream: browsers open six connections to a server.
pub(crate) const SHARED: &str =
    "<script>new Worker('/worker.js').onmessage = ({ data: { text } }) => {
    document.querySelector('#shown').textContent = text.match(/.*id=.shown.>(.*?)</s)[1]
}</script>";

const WORKER: &str = "const channel = new BroadcastChannel('saves')
channel.onmessage = ({ data }) => postMessage(data)
navigator.locks.request('stream', () => new Promise(() => {
    new EventSource('/events').onmessage = ({ data }) => {
        const save = JSON.parse(data)
        channel.postMessage(save)
        postMessage(save)
    }
}))";

/// Serves until the process ends.
pub(crate) fn run(dir: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}/", listener.local_addr().unwrap());
    let streams: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let for_watcher = Arc::clone(&streams);
    let watched = dir.to_owned();
    thread::spawn(move || watch(&watched, &for_watcher));
    for socket in listener.incoming().flatten() {
        let (dir, streams) = (dir.to_owned(), Arc::clone(&streams));
        thread::spawn(move || serve(socket, &dir, &streams));
    }
}

fn watch(dir: &Path, streams: &Mutex<Vec<TcpStream>>) {
    let mut inotify = Inotify::init().unwrap();
    inotify.watches().add(dir, WatchMask::CLOSE_WRITE).unwrap();
    let mut buffer = [0; 4096];
    loop {
        for event in inotify.read_events_blocking(&mut buffer).unwrap() {
            let Some(name) = event.name.and_then(|name| name.to_str()) else {
                continue;
            };
            let text = fs::read_to_string(dir.join(name)).unwrap_or_default();
            let data = serde_json::json!({"name": name, "text": text});
            let message = format!("data: {data}\n\n");
            let mut streams = streams.lock().unwrap();
            streams.retain_mut(|stream| stream.write_all(message.as_bytes()).is_ok());
        }
    }
}

/// Answers the requests of one connection.
fn serve(socket: TcpStream, dir: &Path, streams: &Mutex<Vec<TcpStream>>) {
    socket.set_nodelay(true).unwrap();
    let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
    let mut socket = socket;
    loop {
        let Some(Ok(line)) = lines.next() else { return };
        let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
        // The rest of the head; there are no bodies.
        while matches!(lines.next(), Some(Ok(line)) if !line.is_empty()) {}
        if path == "/events" {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
            if socket.write_all(head.as_bytes()).is_ok() {
                streams.lock().unwrap().push(socket);
            }
            return;
        }
        let name = match path.trim_start_matches('/') {
            "" => "index.html",
            name => name,
        };
        let kind = match name.rsplit('.').next() {
            Some("css") => "text/css",
            Some("js") => "text/javascript",
            _ => "text/html",
        };
        let (status, body) = match fs::read(dir.join(name)) {
            _ if name == "worker.js" => ("200 OK", WORKER.into()),
            Ok(body) => ("200 OK", body),
            Err(_) => ("404 Not Found", Vec::new()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nCache-Control: no-cache\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let response = [head.as_bytes(), &body].concat();
        if socket.write_all(&response).is_err() {
            return;
        }
    }
}
