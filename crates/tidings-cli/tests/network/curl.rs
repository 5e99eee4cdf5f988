//! curl, as people use it.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::Lines;

/// What curl got.
#[derive(Debug)]
pub struct Got {
    /// curl's own: 60 is a certificate that it does not trust.
    pub exit: i32,
    pub status: u16,
    /// `1.1` or `2`.
    pub version: String,
    pub head: String,
    pub body: String,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = headers.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim_end())
    }
}

/// Requests this address, with more arguments.
#[track_caller]
pub fn curl(url: &str, arguments: &[&str]) -> Got {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "60",
            "--dump-header",
            "/dev/stderr",
        ])
        .args(["--write-out", "\n%{http_version} %{http_code}"])
        .args(arguments)
        .arg(url)
        .env_remove("http_proxy")
        .env_remove("https_proxy")
        .output()
        .expect("curl is installed: ./check does that");
    let out = String::from_utf8(output.stdout).unwrap();
    let (body, end) = out.rsplit_once('\n').unwrap();
    let (version, status) = end.split_once(' ').unwrap();
    Got {
        exit: output.status.code().unwrap(),
        status: status.parse().unwrap(),
        version: version.to_owned(),
        head: String::from_utf8(output.stderr).unwrap(),
        body: body.to_owned(),
    }
}

/// The same with this authority.
#[track_caller]
pub fn trusting(authority: &Path, url: &str, arguments: &[&str]) -> Got {
    let authority = authority.to_str().unwrap();
    curl(url, &[&["--cacert", authority], arguments].concat())
}

/// An event stream that curl reads.
pub struct Stream {
    lines: Lines,
    child: Child,
}

impl Stream {
    pub fn open(url: &str, arguments: &[&str]) -> Stream {
        let mut child = Command::new("curl")
            .args(["--silent", "--no-buffer"])
            .args(arguments)
            .arg(url)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Lines::of(child.stdout.take().unwrap());
        Stream { lines, child }
    }

    /// The next data in which this occurs.
    #[track_caller]
    pub fn until(&self, text: &str) {
        loop {
            let line = self.lines.next().expect("an event, not the end");
            if line.starts_with("data: ") && line.contains(text) {
                return;
            }
        }
    }

    /// Whether the stream ended properly.
    pub fn ended(mut self) -> bool {
        while self.lines.next().is_some() {}
        self.child.wait().unwrap().success()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes of a download, as they come, read by the test.
pub struct Download(Child);

impl Download {
    pub fn begin(url: &str) -> Download {
        let mut child = Command::new("curl")
            .args(["--silent", "--no-buffer", url])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // From here on it is under way.
        let first = child.stdout.as_mut().unwrap().read(&mut [0; 1]).unwrap();
        assert_eq!(first, 1);
        Download(child)
    }

    pub fn is_under_way(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
