//! A folder of files, served by the real binary that may stop and start again.

use std::fs;
use std::ops::Deref;

use serde_json::Value;

use crate::support::program::{Folder, Server, tidings};

/// A [`Folder`], and the server that is running on it.
pub struct Site {
    folder: Folder,
    server: Option<Server>,
    port: u16,
    flags: Vec<String>,
}

impl Deref for Site {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

impl Site {
    /// A folder with these files, not served yet.
    pub fn new(files: &[(&str, &str)]) -> Site {
        Site {
            folder: Folder::new(files),
            server: None,
            port: 0,
            flags: Vec::new(),
        }
    }

    /// A folder with these files, served.
    pub fn serve(files: &[(&str, &str)]) -> Site {
        let mut site = Site::new(files);
        site.start(&[]);
        site
    }

    /// Starts the server; after a stop, on the port it had before.
    #[track_caller]
    pub fn start(&mut self, flags: &[&str]) {
        if !flags.is_empty() {
            self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        }
        let server = Server::run(
            tidings()
                .arg("serve")
                .arg(self.folder.root())
                .args(["--json", "--port", &self.port.to_string()])
                .args(&self.flags),
        );
        self.port = server.port;
        self.server = Some(server);
    }

    /// The next line of this kind that the server prints.
    #[track_caller]
    pub fn line(&self, event: &str) -> Value {
        let server = self.server.as_ref().unwrap();
        loop {
            let line = server.out.next().expect("the server has ended");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["event"] == event {
                return line;
            }
        }
    }

    /// Kills the server, as a crash would.
    pub fn stop(&mut self) {
        self.server.take().unwrap().kill();
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Writes a file beside and renames it over, as careful editors do.
    pub fn save_by_rename(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        let beside = path.with_file_name("beside.tmp");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, path).unwrap();
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }
}

/// A whole page with this body.
pub fn page(body: &str) -> String {
    format!(
        "<!doctype html>\n<html>\n<head>\n<title>t</title>\n</head>\n<body>{body}</body>\n</html>\n"
    )
}

/// A whole page with this in its head, and this body.
pub fn page_with(head: &str, body: &str) -> String {
    format!("<!doctype html>\n<html>\n<head>\n{head}\n</head>\n<body>{body}</body>\n</html>\n")
}

/// Counts how often the page has been loaded in this tab, in `sessionStorage.loads`.
pub const COUNT_LOADS: &str =
    "<script>sessionStorage.loads = Number(sessionStorage.loads ?? 0) + 1</script>";
