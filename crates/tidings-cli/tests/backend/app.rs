//! A small application in a folder of its own, and `tidings proxy` that runs it.

use std::process::Command;

use serde_json::Value;

use super::http::{Answer, get};
use super::marked::Marked;
use super::support::program::{Folder, Server, tidings};

/// What runs it; written in Python, which has an HTTP server.
const SERVER: &str = include_str!("app.py");

pub struct App {
    pub folder: Folder,
    pub marked: Marked,
    server: Option<Server>,
}

impl App {
    /// An application that answers `version 1`. The script itself is ignored: what tests save is `version`.
    pub fn new() -> App {
        App {
            folder: Folder::new(&[("server.py", SERVER), ("version", "1")]),
            marked: Marked::new(),
            server: None,
        }
    }

    /// `tidings proxy FLAGS`, in the folder of the application.
    pub fn command(&self, flags: &[&str]) -> Command {
        self.folder.settle();
        let mut command = tidings();
        self.marked
            .mark(&mut command)
            .current_dir(self.folder.root())
            .args(["proxy", "--port", "0"])
            .args(flags);
        command
    }

    /// Runs the application with these flags, and prints JSON.
    pub fn start(flags: &[&str]) -> App {
        let mut app = App::new();
        app.run(flags);
        app
    }

    pub fn run(&mut self, flags: &[&str]) {
        let mut flags = flags.to_vec();
        flags.push("--json");
        if !flags.contains(&"--") {
            flags.extend(["--", "python3", "server.py"]);
        } else {
            // Everything after it belongs to the command.
            flags.pop();
            flags.insert(0, "--json");
        }
        self.server = Some(Server::run(&mut self.command(&flags)));
    }

    pub fn server(&mut self) -> &mut Server {
        self.server.as_mut().unwrap()
    }

    pub fn port(&self) -> u16 {
        self.server.as_ref().unwrap().port
    }

    /// The next event of this kind; those before it are passed over, but for this one.
    #[track_caller]
    pub fn event(&self, name: &str) -> Value {
        let mut passed = Vec::new();
        while let Some(line) = self.server.as_ref().unwrap().out.next() {
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["event"] == name {
                return event;
            }
            passed.push(line);
        }
        panic!("no {name} after {passed:#?}");
    }

    /// The events up to and with this one.
    #[track_caller]
    pub fn events_until(&self, name: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let line = self.server.as_ref().unwrap().out.next().expect(name);
            let event: Value = serde_json::from_str(&line).unwrap();
            let found = event["event"] == name;
            events.push(event);
            if found {
                return events;
            }
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        get(self.port(), path)
    }

    pub fn save_version(&self, version: &str) {
        self.folder.save("version", version);
    }

    /// Saves this version, and waits until it has all the requests.
    #[track_caller]
    pub fn switch_to(&self, version: &str) {
        self.save_version(version);
        self.event("switched");
        assert_eq!(self.get("/").text(), format!("version {version}"));
    }
}

/// The names of events.
pub fn names(events: &[Value]) -> Vec<&str> {
    let names = events.iter().map(|event| event["event"].as_str().unwrap());
    names.filter(|name| *name != "output").collect()
}
