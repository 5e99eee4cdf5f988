//! Examines and opens files below the root, and no others.
//!
//! There are two ways to a file. The first has the kernel resolve a path beneath the root without following
//! links (`beneath.rs`); it is used wherever the path has no link. The second is for paths with links, and for
//! systems without such a call: the file is opened, and *then* the opened file is checked: its canonical
//! path must be one that may be served (`resolve::may_be_served`) and must lead, without any link, to the
//! same inode. A check before opening could be about another file; and a canonical path may be outdated
//! as soon as it is known.
//!
//! Both are safe against concurrent renames, switched links and directories that are replaced by links;
//! `tests/confinement.rs` sends all requests both ways. Invariants:
//!
//! - only regular files are opened: a FIFO would block, opening a device may have effects;
//! - containment is decided by path components (`public-secret` is not in `public`);
//! - the root may be removed, created again or be a switched symlink between any two requests. So each
//!   request looks it up: the directory that is kept open is used only while it is the one at that path.

use std::cell::OnceCell;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(unix)]
use rustix::fs::OFlags;
#[cfg(unix)]
use rustix::io::Errno;

use super::beneath::{self, Beneath, Resolved};
use super::resolve::{self, RelPath};

/// How often a file may be replaced between opening it and looking at its path.
const ATTEMPTS: usize = 8;

/// The root's directory, kept open from one request to the next.
#[derive(Debug, Default)]
pub(crate) struct RootHandle {
    // Held for one read or write of the field.
    directory: Mutex<Option<Arc<Beneath>>>,
    /// Set in tests: use the second way only.
    pub(crate) by_walk: bool,
}

/// The root, as it is during one request.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    /// For the first way; `None` if there is only the second.
    beneath: Option<Arc<Beneath>>,
    path: PathBuf,
    /// The canonical path, resolved when the second way needs it.
    real: OnceCell<PathBuf>,
    follow_symlinks: bool,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File { len: u64 },
    Directory,
}

/// A file below the root that may be served.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) meta: Metadata,
}

impl RootHandle {
    /// The root as it is now. `None` if it does not exist.
    pub(crate) fn current(&self, path: &Path, follow_symlinks: bool) -> io::Result<Option<Root>> {
        let kept = || {
            self.directory
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let was = kept().clone();
        let found = match self.by_walk {
            true => Resolved::Undecided,
            false => Beneath::current(path, was.clone())?,
        };
        let root = |beneath, real| Root {
            beneath,
            path: path.to_owned(),
            real,
            follow_symlinks,
        };
        match found {
            Resolved::Found(now) => {
                if was.is_none_or(|was| !Arc::ptr_eq(&was, &now)) {
                    *kept() = Some(Arc::clone(&now));
                }
                Ok(Some(root(Some(now), OnceCell::new())))
            }
            Resolved::Missing => {
                *kept() = None;
                Ok(None)
            }
            Resolved::Undecided => {
                let real = not_found_as_none(fs::canonicalize(path))?;
                Ok(real.map(|real| root(None, real.into())))
            }
        }
    }
}

impl Root {
    /// What `path` leads to, if it may be served.
    pub(crate) fn probe(&self, path: &RelPath) -> io::Result<Option<Kind>> {
        if path.is_private() {
            return Ok(None);
        }
        match self.beneath.as_ref().map(|beneath| beneath.kind(path)) {
            Some(kind) => match kind? {
                Resolved::Found(kind) => Ok(kind),
                Resolved::Missing => Ok(None),
                Resolved::Undecided => self.probe_by_walk(path),
            },
            None => self.probe_by_walk(path),
        }
    }

    fn probe_by_walk(&self, path: &RelPath) -> io::Result<Option<Kind>> {
        let Some(root) = self.real()? else {
            return Ok(None);
        };
        let full_path = path.below(root);
        let Some(meta) = not_found_as_none(fs::metadata(&full_path))? else {
            return Ok(None);
        };
        let kind = match meta.file_type() {
            kind if kind.is_file() => Kind::File { len: meta.len() },
            kind if kind.is_dir() => Kind::Directory,
            _ => return Ok(None),
        };
        let real = not_found_as_none(fs::canonicalize(&full_path))?;
        Ok(real.filter(|real| self.may_serve(real, root)).map(|_| kind))
    }

    /// Opens a file that was probed, if it may be served.
    pub(crate) fn open(&self, path: &RelPath) -> io::Result<Option<Opened>> {
        if path.is_private() {
            return Ok(None);
        }
        match self.beneath.as_ref().map(|beneath| beneath.open(path)) {
            Some(file) => match file? {
                Resolved::Found(file) => {
                    let meta = file.metadata()?;
                    Ok(meta.is_file().then_some(Opened { file, meta }))
                }
                Resolved::Missing => Ok(None),
                Resolved::Undecided => self.open_by_walk(path, || {}),
            },
            None => self.open_by_walk(path, || {}),
        }
    }

    /// `meanwhile` is called between the steps, for tests of concurrent changes.
    fn open_by_walk(
        &self,
        path: &RelPath,
        mut meanwhile: impl FnMut(),
    ) -> io::Result<Option<Opened>> {
        let Some(root) = self.real()? else {
            return Ok(None);
        };
        let full_path = path.below(root);
        for _ in 0..ATTEMPTS {
            match not_found_as_none(fs::metadata(&full_path))? {
                Some(meta) if meta.is_file() => {}
                _ => return Ok(None),
            }
            let Some(file) = not_found_as_none(open_regular(&full_path))? else {
                return Ok(None);
            };
            let meta = file.metadata()?;
            if !meta.is_file() {
                return Ok(None);
            }
            meanwhile();
            let Some(real) = not_found_as_none(fs::canonicalize(&full_path))? else {
                continue;
            };
            meanwhile();
            let Some(at_path) = not_found_as_none(beneath::metadata_without_links(&real))? else {
                continue;
            };
            // Editors save by renaming a new file over the old one: then the opened file is not the one
            // at this path any more, and is opened again.
            if !same_file(&meta, &at_path) {
                continue;
            }
            return Ok(self.may_serve(&real, root).then_some(Opened { file, meta }));
        }
        Err(io::Error::other("the file is being replaced too quickly"))
    }

    /// The canonical path of a directory, if it may be listed.
    pub(crate) fn directory(&self, path: &RelPath) -> io::Result<Option<PathBuf>> {
        match self.probe(path)? {
            Some(Kind::Directory) => not_found_as_none(fs::canonicalize(path.below(&self.path))),
            _ => Ok(None),
        }
    }

    fn may_serve(&self, real: &Path, root: &Path) -> bool {
        resolve::may_be_served(real, root, self.follow_symlinks)
    }

    fn real(&self) -> io::Result<Option<&Path>> {
        if let Some(real) = self.real.get() {
            return Ok(Some(real));
        }
        let real = not_found_as_none(fs::canonicalize(&self.path))?;
        Ok(real.map(|real| &**self.real.get_or_init(|| real)))
    }
}

/// Maps the errors that mean "there is no such file" to `None`.
fn not_found_as_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    use io::ErrorKind as Kind;
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.kind() {
            Kind::NotFound | Kind::NotADirectory | Kind::InvalidFilename | Kind::InvalidInput => {
                Ok(None)
            }
            // A symlink that leads to itself (`ErrorKind::FilesystemLoop` is unstable), or a socket.
            #[cfg(unix)]
            _ if matches!(
                Errno::from_io_error(&error),
                Some(Errno::LOOP | Errno::NXIO)
            ) =>
            {
                Ok(None)
            }
            _ => Err(error),
        },
    }
}

fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    // In case a FIFO has replaced the file meanwhile: opening one without O_NONBLOCK waits for a writer.
    // It has no effect on regular files.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32,
    );
    options.open(path)
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    a.dev() == b.dev() && a.ino() == b.ino()
}

/// Without inodes: a heuristic.
#[cfg(not(unix))]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    let facts = |meta: &Metadata| (meta.len(), meta.created().ok(), meta.file_type());
    facts(a) == facts(b)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A root with `a.txt`, a link `x.txt`, and a function that leads the link elsewhere.
    fn root() -> (tempfile::TempDir, Root, impl Fn(&str)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        fs::create_dir(path.join("root")).unwrap();
        fs::write(path.join("root/a.txt"), "inside").unwrap();
        fs::write(path.join("secret.txt"), "secret").unwrap();
        let root = RootHandle::default()
            .current(&path.join("root"), false)
            .unwrap()
            .unwrap();
        let lead = move |target: &str| {
            symlink(target, path.join("temporary")).unwrap();
            fs::rename(path.join("temporary"), path.join("root/x.txt")).unwrap();
        };
        (dir, root, lead)
    }

    fn read(opened: Option<Opened>) -> Option<String> {
        opened.map(|opened| io::read_to_string(opened.file).unwrap())
    }

    #[test]
    fn the_check_is_of_the_opened_file() {
        let (_dir, root, lead) = root();
        let link = RelPath::plain("x.txt").unwrap();
        // Opened while it led outside, checked while it leads inside.
        lead("../secret.txt");
        let opened = root.open_by_walk(&link, || lead("a.txt")).unwrap();
        assert_eq!(read(opened).as_deref(), Some("inside"));
        // The other way round.
        let opened = root.open_by_walk(&link, || lead("../secret.txt")).unwrap();
        assert_eq!(read(opened), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_directory_that_is_a_link_during_some_steps_never_serves_a_file_outside() {
        let (dir, root, _) = root();
        let path = |path: &str| dir.path().join(path);
        for e in ["root/d/e", "outside/e"] {
            fs::create_dir_all(path(e)).unwrap();
        }
        fs::write(path("root/d/e/a.txt"), "inside").unwrap();
        fs::write(path("outside/e/a.txt"), "secret").unwrap();
        symlink(path("outside"), path("link")).unwrap();
        let switch = || {
            fs::rename(path("root/d"), path("aside")).unwrap();
            fs::rename(path("link"), path("root/d")).unwrap();
            fs::rename(path("aside"), path("link")).unwrap();
        };
        // A link when it is opened, a directory when the path is resolved, a link when that is looked at.
        switch();
        let opened = root.open_by_walk(&RelPath::plain("d/e/a.txt").unwrap(), switch);
        assert!(!matches!(opened, Ok(Some(_))));
    }

    #[test]
    fn a_file_that_is_saved_meanwhile_is_opened_again() {
        let (dir, root, _) = root();
        let (file, temporary) = (dir.path().join("root/a.txt"), dir.path().join("t"));
        let mut saves = 0;
        let opened = root.open_by_walk(&RelPath::plain("a.txt").unwrap(), || {
            saves += 1;
            if saves < 3 {
                fs::write(&temporary, format!("save {saves}")).unwrap();
                fs::rename(&temporary, &file).unwrap();
            }
        });
        assert_eq!(read(opened.unwrap()).as_deref(), Some("save 2"));
    }

    #[test]
    fn opening_a_fifo_does_not_wait_for_a_writer() {
        let (dir, _, _) = root();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if made.is_ok_and(|status| status.success()) {
            assert!(!open_regular(&pipe).unwrap().metadata().unwrap().is_file());
        }
    }
}
