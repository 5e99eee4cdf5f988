//! File names that mean something elsewhere: in a URL, in HTML, to a shell, to a terminal.

use std::fmt::Write as _;

use super::{Folder, Server, Stream, get};

const NAMES: [&str; 6] = [
    "with space.txt",
    "ünï ☃ 日本.txt",
    "#?%&<>\"'.txt",
    "%2e%2e%2f.txt",
    "+;=@:$,!~().txt",
    "-rf *.txt",
];

fn encoded(name: &str) -> String {
    name.bytes().fold(String::from("/"), |mut url, byte| {
        let _ = write!(url, "%{byte:02X}");
        url
    })
}

#[test]
fn every_name_is_served_reported_and_printed() {
    let folder = Folder::new(&[]);
    let server = Server::start(&folder, &[]);
    server.out.next().unwrap();
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    for name in NAMES {
        folder.save(name, name);
        let (_, said) = stream.change();
        assert_eq!(said["changes"][0]["path"], format!("/{name}"));
        assert_eq!(said["changes"][0]["kind"], "created");
        assert_eq!(get(server.port, &encoded(name)).text(), name);
        let line = server.out.next().unwrap();
        assert_eq!(line, format!("{name} -> no open page uses it"));
    }
}

/// A URL with a control character is refused, so such a file is not served; its change is told all the
/// same, because a page may be made from it.
#[test]
fn a_name_cannot_forge_a_line_nor_command_the_terminal() {
    let folder = Folder::new(&[]);
    let server = Server::start(&folder, &[]);
    server.out.next().unwrap();
    let mut stream = Stream::open(server.port, &[]);
    stream.event();
    let name = "line\nbreak\r\x1b[2J\u{9b}.txt";
    folder.save(name, name);
    let (_, said) = stream.change();
    assert_eq!(said["changes"][0]["path"], format!("/{name}"));
    assert_eq!(get(server.port, &encoded(name)).status, 404);
    assert_eq!(
        server.out.next().unwrap(),
        r"line\nbreak\r\u{1b}[2J\u{9b}.txt -> no open page uses it"
    );
}
