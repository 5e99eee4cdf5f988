//! What was found in a folder, and the file that is written for it.

use serde_json::json;

use super::project::{Port, Project};

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What was found, and by which file: `Django (manage.py)`.
    pub(super) found: String,
    pub(super) watch: Vec<String>,
    pub(super) ignore: Vec<String>,
    pub(super) section: Section,
    /// What has to be looked at.
    pub(super) notes: Vec<String>,
}

#[derive(Debug)]
pub(super) enum Section {
    Serve { dir: String },
    Proxy(Backend),
}

#[derive(Debug, Default)]
pub(super) struct Backend {
    pub(super) url: Option<String>,
    pub(super) command: Vec<String>,
    pub(super) build: Option<String>,
    /// The default is the whole folder.
    pub(super) restart: Option<Vec<String>>,
}

impl Default for Section {
    fn default() -> Section {
        Section::Serve {
            dir: ".".to_owned(),
        }
    }
}

impl Plan {
    /// A folder of files.
    pub(super) fn files(project: &Project) -> Plan {
        let folders = ["public", "dist", "site", "www", "build", "_site"];
        let with_index = |dir: &&&str| project.has(&format!("{dir}/index.html"));
        let dir = match project.has("index.html") {
            true => ".",
            false => folders.iter().find(with_index).unwrap_or(&"."),
        };
        let found = match dir {
            "." => "a folder of files".to_owned(),
            dir => format!("a folder of files ({dir}/index.html)"),
        };
        Plan {
            found,
            section: Section::Serve {
                dir: dir.to_owned(),
            },
            ..Plan::default()
        }
    }

    /// A backend.
    pub(super) fn proxy(found: impl Into<String>, command: &[&str]) -> Plan {
        Plan {
            found: found.into(),
            section: Section::Proxy(Backend {
                command: command
                    .iter()
                    .map(|&argument| argument.to_owned())
                    .collect(),
                ..Backend::default()
            }),
            ..Plan::default()
        }
    }

    pub(super) fn watch(mut self, paths: Vec<String>) -> Plan {
        self.watch = paths;
        self
    }

    pub(super) fn ignore(mut self, globs: &[&str]) -> Plan {
        self.ignore
            .extend(globs.iter().map(|&glob| glob.to_owned()));
        self
    }

    pub(super) fn restart(self, paths: Vec<String>) -> Plan {
        self.with_backend(|backend| backend.restart = Some(paths))
    }

    pub(super) fn build(self, command: impl Into<String>) -> Plan {
        self.with_backend(|backend| backend.build = Some(command.into()))
    }

    pub(super) fn url(self, url: impl Into<String>) -> Plan {
        self.with_backend(|backend| backend.url = Some(url.into()))
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Plan {
        self.notes.push(note.into());
        self
    }

    /// Says where the backend listens, for one that gets no port as an argument.
    pub(super) fn port(self, port: Port) -> Plan {
        match port {
            Port::Variable => self,
            Port::Fixed(port) => self.url(format!("http://localhost:{port}")).note(format!(
                "it listens on port {port}, so a restart has to wait for the old one to end; if it listened on \
                 the port in the variable PORT, without `url` here, the old one could answer meanwhile"
            )),
            Port::Unknown => self.note(
                "the program must listen on the port in the variable PORT; write {port} in `command` if it takes \
                 the port as an argument, or set `url` if it has a port of its own",
            ),
        }
    }

    fn with_backend(mut self, change: impl FnOnce(&mut Backend)) -> Plan {
        if let Section::Proxy(backend) = &mut self.section {
            change(backend);
        }
        self
    }

    /// The command of the backend, as it is shown.
    pub(super) fn command(&self) -> Option<String> {
        match &self.section {
            Section::Serve { .. } => None,
            Section::Proxy(backend) => Some(backend.command.join(" ")),
        }
    }

    /// The text of the file. Lines that are commented out are settings to try; those with a space after the
    /// `#` are comments.
    pub(super) fn to_toml(&self) -> String {
        let is_proxy = matches!(self.section, Section::Proxy(_));
        let mut lines = vec![
            "# What `tidings` does in this folder and those below it. Every key: docs/configuration.md of tidings.".to_owned(),
            format!("# Written for {}.", one_line(&self.found)),
            String::new(),
        ];
        let run = if is_proxy { "proxy" } else { "serve" };
        lines.push(format!("run = \"{run}\""));
        let watched = match is_proxy {
            true => "a change here shows in the pages at once",
            false => "watched besides the folder",
        };
        match self.watch.is_empty() {
            true => lines.push(commented("watch = [\"templates\", \"static\"]", watched)),
            false => lines.push(format!("watch = {}  # {watched}", list(&self.watch))),
        }
        match self.ignore.is_empty() {
            true => lines.push(commented(
                "ignore = [\"*.log\"]",
                "not watched; .gitignore counts as well",
            )),
            false => lines.push(format!("ignore = {}  # not watched", list(&self.ignore))),
        }
        lines.push(commented("port = 8080", "exactly this port"));
        lines.push(commented("open = true", "open the browser"));
        lines.push(String::new());
        match &self.section {
            Section::Serve { dir } => {
                lines.push("[serve]".to_owned());
                lines.push(format!("dir = {}", json!(dir)));
                lines.push(commented(
                    "spa = true",
                    "unknown addresses get index.html, for a single-page application",
                ));
                lines.push(commented(
                    "proxy = { \"/api\" = \"http://localhost:3000\" }",
                    "what a backend answers",
                ));
            }
            Section::Proxy(backend) => {
                lines.push("[proxy]".to_owned());
                lines.extend(
                    self.notes
                        .iter()
                        .map(|note| format!("# Note: {}.", one_line(note))),
                );
                lines.extend(backend.lines());
            }
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

impl Backend {
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(url) = &self.url {
            lines.push(format!("url = {}", json!(url)));
        }
        let has_port = self
            .command
            .iter()
            .any(|argument| argument.contains("{port}"));
        if has_port {
            lines.push("# {port} is a free port, a new one for each start.".to_owned());
        }
        lines.push(format!("command = {}", list(&self.command)));
        match &self.build {
            Some(build) => lines.push(format!("build = {}", json!(build))),
            None => lines.push(commented("build = \"make\"", "runs before each start")),
        }
        let meaning = "a change here builds and restarts the command";
        match &self.restart {
            None => lines.push(commented("restart = [\".\"]", meaning)),
            Some(paths) if paths.is_empty() => {
                lines.push("restart = []  # no change restarts the command".to_owned());
            }
            Some(paths) => lines.push(format!("restart = {}  # {meaning}", list(paths))),
        }
        lines.push(commented(
            "health = \"/healthz\"",
            "ready when this answers below 500",
        ));
        lines
    }
}

/// An array. The texts are written as in JSON, which TOML reads in the same way.
fn list(texts: &[String]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| json!(text).to_string()).collect();
    format!("[{}]", texts.join(", "))
}

/// A setting to try.
fn commented(setting: &str, meaning: &str) -> String {
    format!("#{setting}  # {meaning}")
}

/// A file name can have a line break, which would end a comment.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, "?")
}
