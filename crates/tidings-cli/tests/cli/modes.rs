//! The mode of the terminal before and after the end of the program. At a terminal without a shell that has job
//! control: after a signal, such a shell sets the mode itself.

use std::fs::File;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::support::program::{Lines, undisturbed};
use super::{Folder, keys::pid_of};

/// A terminal, and a program in its foreground that goes on when the server has ended: the system sets the mode
/// itself when the session is over.
struct Terminal {
    /// Holds the terminal, whoever ends.
    own: File,
    typed: File,
    lines: Lines,
    session: Child,
}

impl Terminal {
    /// Serves the folder, in the foreground.
    fn serve(folder: &Folder) -> Terminal {
        Terminal::after("trap : INT HUP TERM QUIT", folder)
    }

    /// Serves the folder, in the foreground of a shell that has done this before.
    fn after(begin: &str, folder: &Folder) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let mut options = File::options();
        let options = options.read(true).write(true);
        let own = options.open(name.to_str().unwrap()).unwrap();
        let end = || Stdio::from(own.try_clone().unwrap());
        let run = format!("{begin}; ulimit -c 0; \"$@\"; echo ended; exec cat");
        let session = undisturbed("setsid".as_ref())
            .args(["--ctty", "--wait", "sh", "-c", &run, "sh"])
            .arg(env!("CARGO_BIN_EXE_tidings"))
            .arg(folder.root())
            .args(["--port", "0"])
            .env("NO_COLOR", "1")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn();
        let typed = File::from(master);
        Terminal {
            own,
            lines: Lines::of(typed.try_clone().unwrap()),
            typed,
            session: session.expect("setsid, of util-linux"),
        }
    }

    fn types(&mut self, keys: &str) {
        self.typed.write_all(keys.as_bytes()).unwrap();
    }

    /// The next line with this in it.
    #[track_caller]
    fn shows(&self, expected: &str) -> String {
        loop {
            let line = self.lines.next().expect("it goes on");
            if line.contains(expected) {
                return line;
            }
        }
    }

    /// Whether it takes lines, and whether it shows what is typed.
    fn mode(&self) -> (bool, bool) {
        let modes = tcgetattr(&self.own).unwrap().local_modes;
        let has = |mode| modes.contains(mode);
        (has(LocalModes::ICANON), has(LocalModes::ECHO))
    }
}

/// Sends the server at this port a signal.
#[track_caller]
fn kill(signal: &str, port: u16) {
    let killed = Command::new("kill")
        .args(["-s", signal, &pid_of(port)])
        .status();
    assert!(killed.unwrap().success());
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.session.kill();
        let _ = self.session.wait();
    }
}

/// As `kill -CONT` from elsewhere, and what follows SIGSTOP: nobody has set another mode meanwhile.
#[test]
fn the_terminal_takes_lines_again_after_the_end_of_a_server_that_was_continued() {
    for signals in [&["CONT"][..], &["STOP", "CONT"]] {
        let folder = Folder::new(&[("index.html", "<p>hi")]);
        folder.settle();
        let mut terminal = Terminal::serve(&folder);
        let address = terminal.shows("http://localhost:");
        let (_, port) = address.split_once("http://localhost:").unwrap();
        let port = port.split('/').next().unwrap().parse().unwrap();
        terminal.shows("press h for the keys");
        for signal in signals {
            kill(signal, port);
        }
        terminal.types("h");
        terminal.shows("show this help");
        terminal.types("q");
        terminal.shows("ended");
        assert_eq!(terminal.mode(), (true, true), "{signals:?}");
    }
}

#[test]
fn the_terminal_takes_lines_again_after_the_end_by_any_signal() {
    for signal in ["INT", "TERM", "HUP", "QUIT"] {
        let folder = Folder::new(&[("index.html", "<p>hi")]);
        folder.settle();
        let terminal = Terminal::serve(&folder);
        let address = terminal.shows("http://localhost:");
        let (_, port) = address.split_once("http://localhost:").unwrap();
        let port = port.split('/').next().unwrap().parse().unwrap();
        terminal.shows("press h for the keys");
        assert_eq!(terminal.mode(), (false, false), "keys come at once");
        kill(signal, port);
        terminal.shows("ended");
        assert_eq!(terminal.mode(), (true, true), "after SIG{signal}");
    }
}

#[test]
fn signals_that_whoever_starts_it_ignores_are_ignored() {
    let folder = Folder::new(&[("index.html", "<p>hi")]);
    folder.settle();
    let mut terminal = Terminal::after("trap '' HUP QUIT TSTP", &folder);
    let address = terminal.shows("http://localhost:");
    let (_, port) = address.split_once("http://localhost:").unwrap();
    let port = port.split('/').next().unwrap().parse().unwrap();
    terminal.shows("press h for the keys");
    for signal in ["HUP", "QUIT", "TSTP"] {
        kill(signal, port);
    }
    terminal.types("h");
    terminal.shows("show this help");
    terminal.types("q");
    terminal.shows("ended");
}
