//! A folder of files, and the binary run on it.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

/// Far beyond what anything takes; only a failure ever waits this long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The binary.
pub fn tidings() -> Command {
    undisturbed(env!("CARGO_BIN_EXE_tidings").as_ref())
}

/// A program, undisturbed by the settings of whoever runs the tests.
pub fn undisturbed(binary: &OsStr) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        let ours = name.to_string_lossy().starts_with("TIDINGS_");
        if ours
            || ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"]
                .iter()
                .any(|other| name == *other)
        {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// What became of a program that ends by itself.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs it to its end.
#[track_caller]
pub fn finished(command: &mut Command) -> Finished {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = end_of(&mut child);
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.unwrap().read_to_string(&mut out).unwrap();
    child.stderr.unwrap().read_to_string(&mut err).unwrap();
    Finished {
        code: status.and_then(|status| status.code()),
        out,
        err,
    }
}

/// Waits for the end; kills what does not come to it, and tells `None`.
fn end_of(child: &mut Child) -> Option<ExitStatus> {
    let ended = until(|| child.try_wait().unwrap());
    if ended.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    ended
}

/// Looks until there is something, for as long as patience lasts.
pub fn until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            found => return found,
        }
    }
}

pub struct Folder(tempfile::TempDir);

impl Folder {
    /// A folder with these files.
    pub fn new(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (path, text) in files {
            folder.save(path, text);
        }
        folder
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// A path below the folder; a leading slash does no harm.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    /// Writes a file in place, in one write.
    pub fn save(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The newest modification or inode change of a file, as `find -type f -printf '%T@ %C@'` would
    /// tell.
    pub fn newest_ms(&self) -> u64 {
        newest_ms(self.root(), false)
    }

    /// Waits until the files are older than the server's start will be: what is saved within the same
    /// few milliseconds counts as a change, because file systems tell times no finer.
    pub fn settle(&self) {
        let age = |now: SystemTime| {
            let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
            (now.as_millis() as u64).saturating_sub(newest_ms(self.root(), true))
        };
        until(|| (age(SystemTime::now()) > 50).then_some(())).expect("time passes");
    }
}

/// The newest modification or inode change of a file in the tree, or of a folder, too.
fn newest_ms(path: &Path, folders: bool) -> u64 {
    let meta = fs::symlink_metadata(path).unwrap();
    let ms = |seconds: i64, nanos: i64| (seconds * 1000 + nanos / 1_000_000) as u64;
    let own = ms(meta.mtime(), meta.mtime_nsec()).max(ms(meta.ctime(), meta.ctime_nsec()));
    if !meta.is_dir() {
        return own;
    }
    let entries = fs::read_dir(path).unwrap();
    let below = entries.map(|entry| newest_ms(&entry.unwrap().path(), folders));
    let own = if folders { own } else { 0 };
    below.max().unwrap_or(0).max(own)
}

/// Lines that somebody writes, as they come.
pub struct Lines(Receiver<String>);

impl Lines {
    pub fn of(output: impl Read + Send + 'static) -> Lines {
        let (told, heard) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        Lines(heard)
    }

    /// The next line; `None` at the end.
    #[track_caller]
    pub fn next(&self) -> Option<String> {
        match self.0.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no line comes"),
        }
    }
}

/// Serves the folder at a free port.
fn served<'a>(command: &'a mut Command, folder: &Folder, flags: &[&str]) -> &'a mut Command {
    let command = command.arg(folder.root()).args(["--port", "0"]);
    command.args(flags)
}

/// The binary while it serves.
pub struct Server {
    pub port: u16,
    /// The first line that it printed.
    pub first: String,
    pub out: Lines,
    pub err: Lines,
    child: Child,
}

impl Server {
    /// Serves the folder at a free port.
    #[track_caller]
    pub fn start(folder: &Folder, flags: &[&str]) -> Server {
        folder.settle();
        Server::run(served(&mut tidings(), folder, flags))
    }

    /// Serves the folder as somebody whom permissions stop: they do not stop root from anything. `None`
    /// where this user may not run programs as another one.
    #[track_caller]
    pub fn unprivileged(folder: &Folder, flags: &[&str]) -> Option<Server> {
        const NOBODY: u32 = 65_534;
        folder.settle();
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            return Some(Server::run(served(&mut tidings(), folder, flags)));
        }
        // A copy, because the binary may lie where nobody else can reach it. Dot-files are not served.
        let binary = folder.path(".tidings");
        fs::copy(env!("CARGO_BIN_EXE_tidings"), &binary).unwrap();
        fs::set_permissions(folder.root(), Permissions::from_mode(0o755)).unwrap();
        let works = Command::new("true").uid(NOBODY).gid(NOBODY).status();
        works.ok().filter(ExitStatus::success)?;
        let mut command = undisturbed(binary.as_ref());
        let command = served(&mut command, folder, flags);
        Some(Server::run(command.uid(NOBODY).gid(NOBODY)))
    }

    /// Runs this until it has said where it listens.
    #[track_caller]
    pub fn run(command: &mut Command) -> Server {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = Lines::of(child.stdout.take().unwrap());
        let err = Lines::of(child.stderr.take().unwrap());
        // From here on it is ended with this, also if a line is not as expected.
        let mut server = Server {
            port: 0,
            first: String::new(),
            out,
            err,
            child,
        };
        let Some(first) = server.out.next() else {
            panic!("it ended at once: {:?}", server.err.next());
        };
        server.port = port_in(&first).unwrap_or_else(|| panic!("no port in {first:?}"));
        server.first = first;
        server
    }

    /// Closes its standard input, where that is a pipe.
    pub fn close_stdin(&mut self) {
        drop(self.child.stdin.take());
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `INT` or `TERM`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.pid());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    /// How it ended, once it did.
    #[track_caller]
    pub fn end(&mut self) -> Option<i32> {
        end_of(&mut self.child).expect("it ends").code()
    }

    /// Kills it, as a crash would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it politely.
    pub fn stop(mut self) {
        self.signal("TERM");
        self.end();
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port of the first `http://host:port/` (or `https:`) in a line; of the first of `urls`, where that is said.
fn port_in(line: &str) -> Option<u16> {
    let (_, line) = line.split_once("\"urls\":").unwrap_or(("", line));
    line.split("://").skip(1).find_map(|rest| {
        let (authority, _) = rest.split_once('/')?;
        authority.rsplit_once(':')?.1.parse().ok()
    })
}
