//! Resolves paths beneath a directory that is kept open, by the kernel.
//!
//! One `openat2(2)` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS` resolves a path
//! so that it cannot leave the directory: not by a link, not by `..`, not by `/proc/self/fd`. Then the
//! requested path *is* the canonical one, and only the names in it need to be checked.
//!
//! This is safe against concurrent changes of the tree. A separate check of a path is only true of the
//! moment in which it is made; here the resolution itself refuses. If a directory is replaced by a link
//! meanwhile, the resolution goes through the old directory, or fails.
//!
//! Invariant: a link anywhere in the path, and a system without `openat2` (before Linux 5.6, or
//! forbidden by a sandbox), are [`Resolved::Undecided`]: then `open.rs` uses its portable way.

#[cfg(target_os = "linux")]
pub(crate) use linux::{Beneath, metadata_without_links};
#[cfg(not(target_os = "linux"))]
pub(crate) use others::{Beneath, metadata_without_links};

/// The result of resolving a path.
#[derive(Debug)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "without `openat2` nothing is decided here")
)]
pub(crate) enum Resolved<T> {
    Found(T),
    /// There is no such file, with or without following links.
    Missing,
    /// There is a link in the path, or the kernel cannot resolve it this way.
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

    /// The open directory. While it is open, no other can get its inode number.
    #[derive(Debug)]
    pub(crate) struct Beneath {
        directory: OwnedFd,
        identity: Identity,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Identity {
        device: (u32, u32),
        inode: u64,
        /// Two mounts of the same directory may have different mounts beneath them.
        mount: u64,
    }

    impl Beneath {
        /// The directory that is at `path` now: `kept`, if that is still the same.
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
                // A single name, neither `.` nor `..`: there is no directory to go through.
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

        /// Opens what was a regular file when `kind` was called. It may be something else by now.
        pub(crate) fn open(&self, path: &RelPath) -> io::Result<Resolved<File>> {
            // In case a FIFO has replaced the file: see `open_regular` in `open.rs`.
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
            resolved(self.open_with(path, flags).map(File::from))
        }

        fn open_with(&self, path: &RelPath, flags: OFlags) -> rustix::io::Result<OwnedFd> {
            let path = path.below(Path::new(""));
            let flags = flags | OFlags::CLOEXEC;
            fs::openat2(&self.directory, path, flags, Mode::empty(), RESOLVE)
        }
    }

    /// The metadata of an absolute path without following links. Each name is looked up in the directory
    /// that was opened before it, so that none of them can be replaced by a link meanwhile.
    pub(crate) fn metadata_without_links(path: &Path) -> io::Result<Metadata> {
        // With these flags a link itself is opened, in which no name can be looked up.
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

    /// `None`: undecided. `Some(None)`: there is no such file.
    fn decided<T>(result: rustix::io::Result<T>) -> io::Result<Option<Option<T>>> {
        match result {
            Ok(value) => Ok(Some(Some(value))),
            // Returned before any link was found, so it is the same when links are followed.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::NXIO) => Ok(Some(None)),
            // A link; a path that leads out; no such system call; forbidden by a sandbox; a concurrent rename.
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

    /// The metadata of an absolute path, of which only the last name is not followed.
    pub(crate) fn metadata_without_links(path: &Path) -> io::Result<Metadata> {
        std::fs::symlink_metadata(path)
    }

    /// Never exists: these systems have no such call.
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
