//! A directory that is kept open, and what lies beneath it by the kernel's own word.
//!
//! One `openat2(2)` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS` resolves a path
//! so that it cannot leave the directory: not by a link, not by `..`, not by `/proc/self/fd`. Then the
//! path that was asked for *is* the real one, and nothing is left to be checked but the names in it.
//!
//! It holds against whoever changes the tree meanwhile. A check of a path, however late, is about what
//! lies there at that moment; here the walk itself refuses. A directory that becomes a link in the middle
//! of the walk is met as one or the other: the walk goes through the directory that was there, or ends.
//!
//! What must stay true: a link anywhere in the path, and a system that has no `openat2` (before Linux
//! 5.6, or forbidden by a sandbox), are [`Resolved::Undecided`]: `open.rs` has another way for these.

#[cfg(target_os = "linux")]
pub(crate) use linux::{Beneath, metadata_without_links};
#[cfg(not(target_os = "linux"))]
pub(crate) use others::{Beneath, metadata_without_links};

/// What became of a path.
#[derive(Debug)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "without `openat2` nothing is decided here")
)]
pub(crate) enum Resolved<T> {
    Found(T),
    /// There is nothing, whichever way one looks.
    Missing,
    /// There is a link in the path, or the system cannot tell.
    Undecided,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{File, Metadata};
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::{Component, Path};
    use std::sync::Arc;

    use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
    use rustix::io::Errno;

    use super::Resolved;
    use crate::files::open::Kind;
    use crate::files::resolve::RelPath;

    const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
        .union(ResolveFlags::NO_SYMLINKS)
        .union(ResolveFlags::NO_MAGICLINKS);

    /// The directory. While it is open, no other can get its inode number.
    #[derive(Debug)]
    pub(crate) struct Beneath {
        directory: OwnedFd,
        identity: Identity,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Identity {
        device: (u32, u32),
        inode: u64,
        /// What is mounted below it may differ from one mount to the next.
        mount: u64,
    }

    impl Beneath {
        /// The directory that is at `path` now: `kept`, if that is still the one.
        pub(crate) fn current(
            path: &Path,
            kept: Option<Arc<Beneath>>,
        ) -> io::Result<Resolved<Arc<Beneath>>> {
            let Some(found) = decided(identity(CWD, path))? else {
                return Ok(Resolved::Undecided);
            };
            let Some(found) = found else {
                return Ok(Resolved::Missing);
            };
            if let Some(kept) = kept
                && kept.identity == found
            {
                return Ok(Resolved::Found(kept));
            }
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let opened = fs::open(path, flags, Mode::empty()).and_then(|directory| {
                let identity = identity(&directory, Path::new(""))?;
                Ok(Beneath {
                    directory,
                    identity,
                })
            });
            resolved(opened.map(Arc::new))
        }

        /// What `path` is.
        pub(crate) fn kind(&self, path: &RelPath) -> io::Result<Resolved<Option<Kind>>> {
            let stat = match path.segments() {
                [] => return Ok(Resolved::Found(Some(Kind::Directory))),
                // One name, which is neither `.` nor `..`: nothing is walked through.
                [name] => fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW),
                _ => self.open_with(path, OFlags::PATH).and_then(fs::fstat),
            };
            let kind = stat.and_then(|stat| match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => Ok(Some(Kind::File {
                    len: u64::try_from(stat.st_size).unwrap_or(0),
                })),
                FileType::Directory => Ok(Some(Kind::Directory)),
                FileType::Symlink => Err(Errno::LOOP),
                _ => Ok(None),
            });
            resolved(kind)
        }

        /// Opens what was a regular file when `kind` told so. It may be something else by now.
        pub(crate) fn open(&self, path: &RelPath) -> io::Result<Resolved<File>> {
            // Should a FIFO have taken the file's place: see `open_regular` in `open.rs`.
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
            resolved(self.open_with(path, flags).map(File::from))
        }

        fn open_with(&self, path: &RelPath, flags: OFlags) -> rustix::io::Result<OwnedFd> {
            let path = path.below(Path::new(""));
            let flags = flags | OFlags::CLOEXEC;
            fs::openat2(&self.directory, path, flags, Mode::empty(), RESOLVE)
        }
    }

    /// What is at an absolute path that has no link in it. Each name is looked up in the directory that the
    /// one before it was found to be, so that none can become a link to somewhere else meanwhile.
    pub(crate) fn metadata_without_links(path: &Path) -> io::Result<Metadata> {
        // With these flags a link is opened itself: nothing can be looked up in it, and no file is one.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut found = fs::open("/", flags, Mode::empty())?;
        for component in path.components() {
            if let Component::Normal(name) = component {
                found = fs::openat(&found, name, flags, Mode::empty())?;
            }
        }
        File::from(found).metadata()
    }

    fn identity(directory: impl std::os::fd::AsFd, path: &Path) -> rustix::io::Result<Identity> {
        let wanted = StatxFlags::INO | StatxFlags::MNT_ID;
        let Statx {
            stx_dev_major,
            stx_dev_minor,
            stx_ino,
            stx_mnt_id,
            ..
        } = fs::statx(directory, path, AtFlags::EMPTY_PATH, wanted)?;
        Ok(Identity {
            device: (stx_dev_major, stx_dev_minor),
            inode: stx_ino,
            mount: stx_mnt_id,
        })
    }

    fn resolved<T>(result: rustix::io::Result<T>) -> io::Result<Resolved<T>> {
        Ok(match decided(result)? {
            Some(Some(value)) => Resolved::Found(value),
            Some(None) => Resolved::Missing,
            None => Resolved::Undecided,
        })
    }

    /// `None`: not decided. `Some(None)`: there is nothing.
    fn decided<T>(result: rustix::io::Result<T>) -> io::Result<Option<Option<T>>> {
        match result {
            Ok(value) => Ok(Some(Some(value))),
            // Met before any link was, so a walk that follows links would end here as well.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::NXIO) => Ok(Some(None)),
            // A link; a way out; no such system call; not allowed by a sandbox; raced with a rename.
            Err(
                Errno::LOOP
                | Errno::XDEV
                | Errno::NOSYS
                | Errno::PERM
                | Errno::INVAL
                | Errno::TOOBIG
                | Errno::AGAIN,
            ) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod others {
    use std::convert::Infallible;
    use std::fs::{File, Metadata};
    use std::io;
    use std::path::Path;
    use std::sync::Arc;

    use super::Resolved;
    use crate::files::open::Kind;
    use crate::files::resolve::RelPath;

    /// What is at an absolute path that had no link in it a moment ago.
    pub(crate) fn metadata_without_links(path: &Path) -> io::Result<Metadata> {
        std::fs::symlink_metadata(path)
    }

    /// There is none: these systems have no such call.
    #[derive(Debug)]
    pub(crate) struct Beneath(Infallible);

    impl Beneath {
        pub(crate) fn current(
            _path: &Path,
            _kept: Option<Arc<Beneath>>,
        ) -> io::Result<Resolved<Arc<Beneath>>> {
            Ok(Resolved::Undecided)
        }

        pub(crate) fn kind(&self, _path: &RelPath) -> io::Result<Resolved<Option<Kind>>> {
            match self.0 {}
        }

        pub(crate) fn open(&self, _path: &RelPath) -> io::Result<Resolved<File>> {
            match self.0 {}
        }
    }
}
