//! A folder of files and the real binary that serves it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

pub struct Site {
    dir: tempfile::TempDir,
    server: Option<Child>,
    port: u16,
    flags: Vec<String>,
    lines: Option<Receiver<Value>>,
}

impl Site {
    /// A folder with these files, not served yet.
    pub fn new(files: &[(&str, &str)]) -> Site {
        let site = Site {
            dir: tempfile::tempdir().unwrap(),
            server: None,
            port: 0,
            flags: Vec::new(),
            lines: None,
        };
        for (path, text) in files {
            site.save(path, text);
        }
        site
    }

    /// A folder with these files, served.
    pub fn serve(files: &[(&str, &str)]) -> Site {
        let mut site = Site::new(files);
        site.start(&[]);
        site
    }

    /// Starts the server; after a stop, on the port it had before.
    pub fn start(&mut self, flags: &[&str]) {
        if !flags.is_empty() {
            self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .arg("serve")
            .arg(self.dir.path())
            .args(["--json", "--port", &self.port.to_string()])
            .args(&self.flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let url = first["urls"][0].as_str().unwrap();
        self.port = url
            .trim_end_matches('/')
            .rsplit_once(':')
            .unwrap()
            .1
            .parse()
            .unwrap();
        let (told, heard) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = told.send(serde_json::from_str(&line).unwrap());
            }
        });
        self.lines = Some(heard);
        self.server = Some(child);
    }

    /// The next line of this kind that the server prints.
    #[track_caller]
    pub fn line(&self, event: &str) -> Value {
        let lines = self.lines.as_ref().unwrap();
        loop {
            let line = lines.recv_timeout(Duration::from_secs(30)).unwrap();
            if line["event"] == event {
                return line;
            }
        }
    }

    /// Kills the server, as a crash would.
    pub fn stop(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    /// Writes a file in place, in one write.
    pub fn save(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        File::create(path)
            .unwrap()
            .write_all(text.as_ref())
            .unwrap();
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

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
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
