//! The stream: its bytes, its timestamp, and going on where it was left.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use socket2::SockRef;

use super::support::program::until;
use super::{Folder, Server, Stream, ask};

#[test]
fn the_bytes_of_a_stream() {
    let folder = Folder::new(&[("index.html", "<p>hi"), ("css/site.css", "a{}")]);
    let server = Server::start(&folder, &[]);
    // Whoever comes before the first walk is done waits for the status.
    Stream::open(server.port, &[]).event();
    let mut stream = Stream::open(server.port, &[]);
    let mut head = stream.head.clone();
    head.retain(|line| !line.starts_with("date: "));
    let expected = [
        "HTTP/1.1 200 OK",
        "content-type: text/event-stream",
        "cache-control: no-store, no-transform",
        "x-accel-buffering: no",
        "x-content-type-options: nosniff",
        "connection: keep-alive",
        "cross-origin-resource-policy: same-origin",
        "transfer-encoding: chunked",
    ];
    assert_eq!(head, expected);

    // The reconnection time has no block of its own: some client libraries would tell of an empty event.
    let first = stream.block().unwrap();
    let rest = first.strip_prefix(": tidings\nretry: ").unwrap();
    let (retry, status) = rest.split_once('\n').unwrap();
    let retry: u64 = retry.parse().unwrap();
    assert!((200..=400).contains(&retry));

    let newest = folder.newest_ms();
    let (id, data) = fields(status);
    let tree = data.split("\"tree\":\"").nth(1).unwrap();
    let tree = tree.get(..16).unwrap();
    assert!(tree.bytes().all(|byte| byte.is_ascii_hexdigit()), "{tree}");
    assert_eq!(data, format!(r#"{{"timestamp":{newest},"tree":"{tree}"}}"#));
    let (epoch, seq) = id.split_once('.').unwrap();
    let seq: u64 = seq.parse().unwrap();

    folder.save("css/site.css", "a{color:red}");
    let change = stream.block().unwrap();
    let (id, data) = fields(&change);
    assert_eq!(id, format!("{epoch}.{}", seq + 1));
    let newest = folder.newest_ms();
    assert_eq!(
        data,
        format!(
            r#"{{"timestamp":{newest},"tree":"{tree}","changes":[{{"path":"/css/site.css","kind":"modified","text":"a{{color:red}}"}}]}}"#
        )
    );
}

#[test]
fn the_head_says_one_thing_about_the_connection() {
    let folder = Folder::new(&[]);
    let server = Server::start(&folder, &[]);
    let said = |head: &[String]| {
        let said: Vec<_> = head
            .iter()
            .filter_map(|line| line.strip_prefix("connection: "))
            .collect();
        said.join(" and ")
    };
    // What `ask` sends says `Connection: close`.
    let head = ask(server.port, "HEAD", "/server-sent-events", &[]).head;
    assert_eq!(said(&head), "close");
    let stream = Stream::open(server.port, &["Connection: close"]);
    assert_eq!(said(&stream.head), "close");
    let stream = Stream::open(server.port, &["Connection: keep-alive"]);
    assert_eq!(said(&stream.head), "keep-alive");
}

/// However and whenever a client leaves, its stream ends with it.
#[test]
fn a_client_that_leaves_right_after_it_asked_leaves_no_stream_behind() {
    let folder = Folder::new(&[("a.txt", "0")]);
    let server = Server::start(&folder, &["--json"]);
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    for n in 0..300 {
        let mut leaves = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        let more = if n % 2 == 0 { "" } else { "GET / HTTP/1.1\r\n" };
        let request = format!("GET /server-sent-events HTTP/1.1\r\nHost: localhost\r\n\r\n{more}");
        leaves.write_all(request.as_bytes()).unwrap();
        // At different moments of what the server does about it.
        for _ in 0..n * 100 {
            std::hint::spin_loop();
        }
        match n % 3 {
            0 => {}
            1 => leaves.shutdown(Shutdown::Write).unwrap(),
            _ => SockRef::from(&leaves)
                .set_linger(Some(Duration::ZERO))
                .unwrap(),
        }
    }
    // The server may be busy with the last of them.
    let mut n = 0;
    let only_one = until(|| {
        n += 1;
        folder.save("a.txt", "x".repeat(n));
        let line = loop {
            let line: Value = serde_json::from_str(&server.out.next().unwrap()).unwrap();
            if line["event"] == "change" {
                break line;
            }
        };
        (line["streams"] == 1).then_some(())
    });
    only_one.expect("one stream is left");
}

#[test]
fn who_comes_back_gets_exactly_what_was_missed() {
    let folder = Folder::new(&[("a.txt", "0")]);
    let server = Server::start(&folder, &[]);
    let mut stream = Stream::open(server.port, &[]);
    let (status_id, _) = stream.event();
    let mut heard = Vec::new();
    for n in 1..=4 {
        folder.save("a.txt", "x".repeat(n));
        heard.push(stream.change());
    }
    drop(stream);
    // From each place there is, by the header, and where none can be set, by the address.
    let mut from: Vec<_> = vec![status_id];
    from.extend(heard.iter().map(|(id, _)| id.clone()));
    let mut streams = Vec::new();
    for (missed, id) in from.iter().enumerate() {
        let mut stream = Stream::open(server.port, &[&format!("Last-Event-ID: {id}")]);
        for expected in &heard[missed..] {
            assert_eq!(&stream.event(), expected, "after {id}");
        }
        streams.push(stream);
    }
    folder.save("a.txt", "the last");
    for stream in &mut streams {
        let (_, said) = stream.event();
        assert!(said["timestamp"].as_u64() > heard[3].1["timestamp"].as_u64());
        assert_eq!(said["changes"][0]["path"], "/a.txt");
    }
}

#[test]
fn an_id_of_another_life_is_told_of_the_gap_and_gets_the_status() {
    let folder = Folder::new(&[("a.txt", "0")]);
    let server = Server::start(&folder, &[]);
    let newest = folder.newest_ms();
    // Whoever comes before the first walk is done waits for the status.
    Stream::open(server.port, &[]).event();
    for id in ["00000000000000ff.7", "no id of ours", "é", ""] {
        let mut stream = Stream::open(server.port, &[&format!("Last-Event-ID: {id}")]);
        if !id.is_empty() {
            let (_, gap) = stream.event();
            assert_eq!(gap["asked"], id, "{gap}");
        }
        let (_, status) = stream.event();
        assert_eq!(status["timestamp"], newest, "{id:?}: {status}");
    }
}

#[test]
fn the_status_is_the_same_after_a_restart_and_another_after_a_change_meanwhile() {
    let folder = Folder::new(&[
        ("a.txt", "a"),
        ("old.txt", "o"),
        ("gone.txt", "g"),
        ("deep/er/b.txt", "b"),
    ]);
    let status = || {
        let server = Server::start(&folder, &[]);
        let (_, said) = Stream::open(server.port, &[]).event();
        server.stop();
        let timestamp = said["timestamp"].as_u64().unwrap();
        (timestamp, said["tree"].as_str().unwrap().to_owned())
    };
    let mut last = status();
    assert_eq!(status(), last, "nothing happened meanwhile");
    // What is not watched is no change: an editor that was opened and closed.
    folder.save(".a.txt.swp", "x");
    fs::remove_file(folder.path(".a.txt.swp")).unwrap();
    assert_eq!(status(), last, "an editor's file came and went");
    let changes: [(&str, &dyn Fn()); 5] = [
        ("a save", &|| folder.save("deep/er/b.txt", "bb")),
        ("a deletion", &|| {
            fs::remove_file(folder.path("gone.txt")).unwrap();
        }),
        ("a renaming", &|| {
            fs::rename(folder.path("a.txt"), folder.path("deep/c.txt")).unwrap();
        }),
        ("a file dated back, as by `touch -d` or `cp -p`", &|| {
            let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
            let file = File::options().write(true).open(folder.path("old.txt"));
            file.unwrap().set_modified(long_ago).unwrap();
        }),
        ("a new folder", &|| {
            fs::create_dir(folder.path("deep/new")).unwrap();
        }),
    ];
    for (what, change) in changes {
        change();
        let now = status();
        assert_ne!(now, last, "after {what}");
        assert_eq!(status(), now, "nothing happened since {what}");
        last = now;
    }
}

#[test]
fn what_was_told_last_is_what_a_restart_tells() {
    let folder = Folder::new(&[("a.txt", "a"), ("b.txt", "b"), ("d/c.txt", "c")]);
    let server = Server::start(&folder, &[]);
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    folder.save("new.txt", "n");
    stream.change();
    fs::remove_file(folder.path("new.txt")).unwrap();
    stream.change();
    fs::remove_dir_all(folder.path("d")).unwrap();
    let (_, mut said) = stream.change();
    while said["changes"][0]["path"] != "/d" {
        said = stream.change().1;
    }
    let newest = said["newest"].as_u64().unwrap();
    server.stop();
    let server = Server::start(&folder, &[]);
    let (_, now) = Stream::open(server.port, &[]).event();
    assert_eq!(
        (&now["timestamp"], &now["tree"]),
        (&newest.into(), &said["tree"])
    );
}

/// The id and the data of a block, which must hold nothing else.
#[track_caller]
fn fields(block: &str) -> (&str, &str) {
    let rest = block.strip_prefix("data: ").unwrap();
    let (data, id) = rest.split_once("\nid: ").unwrap();
    let id = id.strip_suffix("\n\n").unwrap();
    assert!(!data.contains('\n'));
    serde_json::from_str::<Value>(data).unwrap();
    (id, data)
}
