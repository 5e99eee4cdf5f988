//! Where the files are, and who can read them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Where the files may be. Servers use the first that works; who looks for them looks at all, because a
/// program may run without the variables of the session.
#[cfg(unix)]
pub(super) fn candidates() -> Vec<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    // XDG Base Directory Specification: absolute, or to be ignored.
    let session = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute());
    let mut candidates: Vec<_> = session.map(|dir| dir.join("tidings")).into_iter().collect();
    let usual = PathBuf::from(format!("/run/user/{user}"));
    if usual.is_dir() {
        candidates.push(usual.join("tidings"));
    }
    candidates.push(std::env::temp_dir().join(format!("tidings-{user}")));
    candidates.dedup();
    candidates
}

#[cfg(not(unix))]
pub(super) fn candidates() -> Vec<PathBuf> {
    // Below the profile, which other users cannot read.
    let local = std::env::var_os("LOCALAPPDATA").map(PathBuf::from);
    local
        .map(|dir| dir.join("tidings").join("run"))
        .into_iter()
        .collect()
}

/// Makes the directory, or checks that the one that is there is this user's alone: somebody else may have made
/// one of this name in `/tmp`.
pub(super) fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    #[cfg(not(unix))]
    builder.recursive(true);
    match builder.create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    match is_private(directory) {
        true => Ok(()),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

#[cfg(unix)]
pub(super) fn is_private(directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    // Not of what a link leads to: whoever made the link could change it.
    directory.symlink_metadata().is_ok_and(|meta| {
        meta.is_dir()
            && meta.uid() == rustix::process::geteuid().as_raw()
            && meta.mode() & 0o077 == 0
    })
}

#[cfg(not(unix))]
pub(super) fn is_private(directory: &Path) -> bool {
    directory.is_dir()
}

/// Makes a file that only this user can read.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Holds a lock on the file, for as long as it is open.
#[cfg(unix)]
pub(super) fn lock(file: &File) -> io::Result<()> {
    use rustix::fs::{FlockOperation, flock};
    Ok(flock(file, FlockOperation::NonBlockingLockExclusive)?)
}

#[cfg(unix)]
pub(super) fn is_locked(file: &File) -> bool {
    use rustix::fs::{FlockOperation, flock};
    // Shared, so that two who look at once do not take each other for the server.
    flock(file, FlockOperation::NonBlockingLockShared).is_err()
}

/// There, files that are left behind are found out when nothing answers.
#[cfg(not(unix))]
pub(super) fn lock(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn is_locked(_: &File) -> bool {
    true
}
