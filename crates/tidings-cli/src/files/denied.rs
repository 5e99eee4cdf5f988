//! Which file or directory it is that may not be read.
//!
//! The system does not say: of `/a/b/page` it may be `page.html`, or the right to enter `a`. This looks
//! afterwards, for the warning only; nothing is decided by it.

use std::io;
use std::path::{Path, PathBuf};

/// The one among the files that would have answered, the best first. `None` if all of them can be
/// looked at, or none is there.
pub(super) fn find(candidates: &[PathBuf]) -> Option<PathBuf> {
    candidates
        .iter()
        .find_map(|candidate| match candidate.metadata() {
            Ok(meta) if meta.is_dir() => match candidate.read_dir() {
                Ok(_) => None,
                Err(_) => Some(candidate.clone()),
            },
            // Everything before it could be read. It is not opened to see: it may have become a pipe.
            Ok(_) => Some(candidate.clone()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let reachable = |path: &&Path| path.symlink_metadata().is_ok();
                candidate.ancestors().find(reachable).map(Path::to_owned)
            }
            Err(_) => None,
        })
}
