//! Finds the file or directory that cannot be read, for the warning.
//!
//! The error of the system does not name it: for `/a/b/page` it may be `page.html`, or the directory `a`.
//! This is searched for afterwards, and used for the message only.

use std::io;
use std::path::{Path, PathBuf};

/// The first path that cannot be read among the candidates for a request, or a directory above it. `None`
/// if there is none.
pub(super) fn find(candidates: &[PathBuf]) -> Option<PathBuf> {
    candidates
        .iter()
        .find_map(|candidate| match candidate.metadata() {
            Ok(meta) if meta.is_dir() => match candidate.read_dir() {
                Ok(_) => None,
                Err(_) => Some(candidate.clone()),
            },
            // All candidates before it could be read. It is not opened: it may be a FIFO by now.
            Ok(_) => Some(candidate.clone()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let reachable = |path: &&Path| path.symlink_metadata().is_ok();
                candidate.ancestors().find(reachable).map(Path::to_owned)
            }
            Err(_) => None,
        })
}
