//! Where it listens, and what it says about that.

use std::net::TcpListener;

use super::{Folder, Server, finished, get, tidings};

#[test]
fn the_first_line_is_the_address_and_the_server_answers_there_by_then() {
    let folder = Folder::new(&[("index.html", "<title>here</title>")]);
    let server = Server::start(&folder, &[]);
    assert_eq!(server.first, format!("http://localhost:{}/", server.port));
    let answer = get(server.port, "/");
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("<title>here</title>"));
}

#[test]
fn the_port_is_8080_or_the_next_free_one_unless_that_is_forbidden() {
    let folder = Folder::new(&[]);
    let serve = |flags: &[&str]| {
        let mut command = tidings();
        command.arg(folder.root()).args(flags);
        command
    };
    // Something else on this machine may have it: then that will do.
    let taken = TcpListener::bind("127.0.0.1:8080");
    let server = Server::run(&mut serve(&[]));
    assert!((8081..=8180).contains(&server.port), "{}", server.first);
    let ended = finished(&mut serve(&["--strict-port"]));
    assert_eq!(ended.code, Some(1));
    assert!(
        ended
            .err
            .starts_with("error: cannot listen on 127.0.0.1:8080: the port is in use\nhint: "),
        "{ended:?}"
    );
    drop(taken);
    let server = Server::run(&mut serve(&[]));
    assert!(
        server.port == 8080 || TcpListener::bind("127.0.0.1:8080").is_err(),
        "{}",
        server.first
    );
}

#[test]
fn a_port_that_was_asked_for_is_that_one_or_an_error() {
    let folder = Folder::new(&[]);
    let server = Server::start(&folder, &[]);
    let port = server.port.to_string();
    let mut again = tidings();
    again.arg(folder.root()).args(["--port", &port]);
    let ended = finished(&mut again);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.out, "");
    let mut lines = ended.err.lines();
    assert_eq!(
        lines.next().unwrap(),
        format!("error: cannot listen on 127.0.0.1:{port}: the port is in use")
    );
    assert!(lines.next().unwrap().starts_with("hint: "));
    // With connections still open, as browsers leave them: a restart has its port back at once.
    let _stream = super::Stream::open(server.port, &[]);
    server.stop();
    assert_eq!(Server::run(&mut again).port.to_string(), port);
}

#[test]
fn the_address_that_is_taken_is_the_one_that_is_named() {
    let folder = Folder::new(&[]);
    let Ok(six) = TcpListener::bind("[::1]:0") else {
        return eprintln!("SKIPPED: this machine has no IPv6");
    };
    let port = six.local_addr().unwrap().port().to_string();
    let mut command = tidings();
    let ended = finished(command.arg(folder.root()).args(["--port", &port]));
    let line = ended.err.lines().next().unwrap();
    assert_eq!(
        line,
        format!("error: cannot listen on [::1]:{port}: the port is in use")
    );
}

#[test]
fn an_exposed_server_prints_its_addresses_and_says_what_is_exposed() {
    let folder = Folder::new(&[]);
    let addresses = own_addresses();
    if addresses.is_empty() {
        eprintln!("skipped in part: this machine has no address but loopback");
    }
    for flags in [&["--host"][..], &["--host", "0.0.0.0"]] {
        let server = Server::start(&folder, flags);
        let port = server.port;
        assert_eq!(server.first, format!("http://localhost:{port}/"));
        let mut urls = Vec::new();
        let mut warning = None;
        while warning.is_none() {
            let line = server.out.next().unwrap();
            match line.starts_with("http://") {
                true => urls.push(line),
                false => warning = line.starts_with("exposed to the network").then_some(line),
            }
        }
        let warning = warning.unwrap();
        assert!(warning.contains(&folder.root().display().to_string()));
        for address in &addresses {
            let url = format!("http://{address}:{port}/");
            assert!(urls.contains(&url), "{url} is not in {urls:?}");
        }
    }
}

#[test]
fn an_unexposed_server_says_nothing_of_a_network_and_listens_on_loopback_only() {
    let folder = Folder::new(&[]);
    let server = Server::start(&folder, &[]);
    let port = server.port;
    let second = server.out.next().unwrap();
    assert!(second.starts_with("serving "), "{second}");
    let Ok(table) = std::fs::read_to_string("/proc/net/tcp") else {
        return eprintln!("skipped: this system has no /proc/net/tcp");
    };
    // `0100007F:1F90 00000000:0000 0A` is 127.0.0.1:8080, listening.
    let listening: Vec<_> = table
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let (local, state) = (words.next()?, words.nth(1)?);
            let (address, at) = local.split_once(':')?;
            (state == "0A" && at == format!("{port:04X}")).then_some(address)
        })
        .collect();
    assert_eq!(listening, ["0100007F"]);
}

/// IPv4 addresses of this machine that are not loopback.
fn own_addresses() -> Vec<String> {
    let table = std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let lines: Vec<_> = table.lines().map(str::trim).collect();
    let mut found: Vec<_> = lines
        .windows(2)
        .filter(|pair| pair[1].starts_with("/32 host LOCAL"))
        .filter_map(|pair| pair[0].strip_prefix("|-- "))
        .filter(|address| !address.starts_with("127."))
        .map(str::to_owned)
        .collect();
    found.dedup();
    found
}
