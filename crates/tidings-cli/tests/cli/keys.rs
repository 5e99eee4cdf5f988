//! Keys, on a real terminal with a real shell that has job control.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::support::program::{PATIENCE, undisturbed, until};
use super::{Folder, Server, Stream, tidings};

/// A shell at a terminal.
struct Terminal {
    typed: File,
    shown: Receiver<Vec<u8>>,
    text: String,
    shell: Child,
}

impl Terminal {
    fn start() -> Terminal {
        Terminal::of(&["bash", "--norc", "--noprofile", "-i"])
    }

    /// One with this shell.
    fn of(shell: &[&str]) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let end = || {
            let mut options = File::options();
            let options = options.read(true).write(true);
            Stdio::from(options.open(name.to_str().unwrap()).unwrap())
        };
        let shell = undisturbed("setsid".as_ref())
            .args(["--ctty", "--wait"])
            .args(shell)
            .env("PS1", "shell> ")
            // Its settings.
            .env_remove("ENV")
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn();
        let shell = shell.expect("setsid, of util-linux");
        let master: OwnedFd = master;
        let typed = File::from(master);
        let mut output = typed.try_clone().unwrap();
        let (send, shown) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n_read @ 1..) = output.read(&mut bytes) {
                if send.send(bytes[..n_read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut terminal = Terminal {
            typed,
            shown,
            text: String::new(),
            shell,
        };
        terminal.shows("shell> ");
        terminal
    }

    fn types(&mut self, keys: &str) {
        self.typed.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this is shown, and returns what was shown up to the end of it.
    #[track_caller]
    fn shows(&mut self, expected: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.text.find(expected) {
                let rest = self.text.split_off(at + expected.len());
                return std::mem::replace(&mut self.text, rest);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.shown.recv_timeout(left) {
                Ok(bytes) => self.text.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("{expected:?} is not shown, but {:?}", self.text),
            }
        }
    }

    /// Starts the server, and waits until it has keys.
    #[track_caller]
    fn serves(&mut self, folder: &Folder, flags: &str) -> u16 {
        let binary = env!("CARGO_BIN_EXE_tidings");
        let root = folder.root().display();
        self.types(&format!("{binary} {root} --port 0 {flags}\n"));
        let shown = self.shows("press h for the keys");
        let (_, port) = shown.split_once("http://localhost:").unwrap();
        port.split('/').next().unwrap().parse().unwrap()
    }

    /// The shell has the terminal again, and it is as it was: it shows what is typed, and takes lines.
    #[track_caller]
    fn is_as_it_was(&mut self) {
        self.shows("shell> ");
        // Asked for by another program: the shell itself sets modes of its own for its line.
        self.types("stty -a | tr -s ' ;' '\\n' | grep -xE -- '-?(icanon|echo|isig)' | sort | tr '\\n' ,; echo end\n");
        let shown = self.shows(",end");
        assert!(shown.ends_with("echo,icanon,isig,end"), "{shown:?}");
        self.shows("shell> ");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Its end hangs the terminal up, which ends everything that runs there.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn folder() -> Folder {
    Folder::new(&[("index.html", "<p>hi"), ("a.css", "a{}")])
}

#[test]
fn keys_do_what_the_help_says_and_q_gives_the_terminal_back() {
    let mut terminal = Terminal::start();
    let folder = folder();
    let port = terminal.serves(&folder, "");
    terminal.types("h");
    let help = terminal.shows("show this help");
    assert!(help.contains("  r  reload all pages"), "{help:?}");
    terminal.types("u");
    terminal.shows(&format!("http://localhost:{port}/"));
    let mut stream = Stream::open(port, &[]);
    stream.event();
    terminal.types("r");
    while stream.event().1["rescan"] != true {}
    terminal.types("p");
    terminal.shows("paused");
    folder.save("a.css", "a{color:red}");
    while stream.event().1["paused"] != 1 {}
    terminal.types("p");
    let (_, change) = stream.change();
    assert_eq!(change["changes"][0]["path"], "/a.css");
    // The shell has set NO_COLOR: what is cleared is no colour.
    terminal.types("c");
    terminal.shows("\x1b[2J");
    // The last byte of an arrow or of a key of the keypad is no key.
    terminal.types("\x1b[C\x1bOqh");
    terminal.shows("show this help");
    terminal.types("q");
    terminal.is_as_it_was();
}

#[test]
fn ctrl_c_gives_the_terminal_back() {
    let mut terminal = Terminal::start();
    terminal.serves(&folder(), "");
    terminal.types("\x03");
    terminal.is_as_it_was();
}

#[test]
fn a_signal_from_elsewhere_gives_the_terminal_back() {
    for signal in ["TERM", "HUP", "QUIT"] {
        let mut terminal = Terminal::start();
        // Nobody wants a file of the memory.
        terminal.types("ulimit -c 0\n");
        let port = terminal.serves(&folder(), "");
        let pid = pid_of(port);
        let killed = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(killed.unwrap().success());
        terminal.is_as_it_was();
    }
}

/// The process that listens on a port, by its own file.
pub fn pid_of(port: u16) -> String {
    let ends = format!("-{port}.json");
    let user = rustix::process::geteuid().as_raw();
    let places = [
        std::env::var("XDG_RUNTIME_DIR").map(|dir| format!("{dir}/tidings")),
        Ok(format!("/run/user/{user}/tidings")),
        Ok(std::env::temp_dir()
            .join(format!("tidings-{user}"))
            .display()
            .to_string()),
    ];
    until(|| {
        let places = places.iter().flatten();
        let mut entries = places
            .filter_map(|dir| std::fs::read_dir(dir).ok())
            .flatten()
            .flatten();
        entries.find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some(name.strip_suffix(&ends)?.to_owned())
        })
    })
    .expect("the server has a file")
}

#[test]
fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let mut terminal = Terminal::start();
    let folder = folder();
    let port = terminal.serves(&folder, "");
    for _ in 0..2 {
        terminal.types("\x1a");
        terminal.shows("Stopped");
        terminal.is_as_it_was();
        // In the background it goes on, and leaves the terminal alone.
        terminal.types("bg\n");
        terminal.is_as_it_was();
        assert_eq!(super::get(port, "/index.html").status, 200);
        terminal.types("fg\n");
        terminal.shows(&folder.root().display().to_string());
        // A shell that continues what runs already tells it nothing: the first line may be taken as one.
        terminal.types("\n");
        terminal.types("h");
        terminal.shows("show this help");
    }
    terminal.types("q");
    terminal.is_as_it_was();
}

/// Unlike bash, dash leaves the mode of the terminal alone. Elsewhere `sh` is another shell: then this shows less.
#[test]
fn ctrl_z_and_fg_give_a_terminal_back_whose_shell_does_not_set_its_mode() {
    let mut terminal = Terminal::of(&["sh", "-i"]);
    let folder = folder();
    terminal.serves(&folder, "");
    for _ in 0..2 {
        terminal.types("\x1a");
        terminal.shows("Stopped");
        terminal.is_as_it_was();
        terminal.types("fg\n");
        terminal.shows(&folder.root().display().to_string());
        terminal.types("h");
        terminal.shows("show this help");
    }
    terminal.types("q");
    terminal.is_as_it_was();
}

#[test]
fn a_server_in_the_background_is_not_stopped_by_what_is_typed() {
    for flags in ["", "--stdin-quit", "--json --stdin-quit"] {
        let mut terminal = Terminal::start();
        let folder = folder();
        let binary = env!("CARGO_BIN_EXE_tidings");
        let root = folder.root().display();
        terminal.types(&format!("{binary} {root} --port 0 {flags} &\n"));
        terminal.shows("http://localhost:");
        let port = terminal.shows("/");
        let port = port.trim_end_matches('/').parse().unwrap();
        for _ in 0..5 {
            terminal.types("echo hi | rev\n");
            terminal.shows("ih\r\n");
        }
        assert_eq!(super::get(port, "/index.html").status, 200, "{flags}");
        match flags {
            "" => terminal.types("kill %1; wait; echo is over\n"),
            // Ctrl-D ends the input, as soon as it has the terminal.
            _ => {
                terminal.types("fg\n");
                terminal.shows(&folder.root().display().to_string());
                if !flags.contains("--json") {
                    // The first line may be taken as one.
                    terminal.types("\nh");
                    terminal.shows("show this help");
                }
                terminal.types("\x04");
                terminal.shows("shell> ");
                terminal.types("echo is over\n");
            }
        }
        terminal.shows("is over\r\n");
        terminal.is_as_it_was();
    }
}

#[test]
fn the_end_of_standard_input_ends_it_only_if_that_is_asked_for() {
    let folder = folder();
    let start = |flags: &[&str]| {
        let mut command = tidings();
        command.arg(folder.root()).args(["--port", "0"]).args(flags);
        command.stdin(Stdio::piped());
        Server::run(&mut command)
    };
    let mut asked = start(&["--stdin-quit"]);
    let mut not_asked = start(&[]);
    for server in [&mut asked, &mut not_asked] {
        assert!(server.is_alive());
        server.close_stdin();
    }
    assert_eq!(asked.end(), Some(0));
    assert_eq!(super::get(not_asked.port, "/index.html").status, 200);
    assert!(not_asked.is_alive());
}
