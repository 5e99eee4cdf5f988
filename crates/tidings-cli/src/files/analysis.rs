//! What reading a file has told, kept for as long as the file is the same.
//!
//! A page is asked for many times between two saves. Where the script goes into it, and what its
//! `Content-Type` is, are found by looking at its bytes; they are looked at once for each version.
//!
//! What must stay true: nothing is kept of a version that another one could be taken for. A version is
//! all that the file system tells of an opened file's state. It counts only once it is settled (older than
//! a tick of the clock that files are stamped with, see `validator.rs`), and only if the file was in that
//! state before and after it was read.

use std::collections::HashMap;
use std::fs::Metadata;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::media::Media;

/// So many versions are kept; then all are forgotten and looked at again.
const MAX_VERSIONS: usize = 4096;

/// One state of one file. Two that differ in their bytes differ here, once they are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Version {
    len: u64,
    modified: Option<SystemTime>,
    /// Device, inode, and the time of the last change of anything, which no program can set.
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

/// What its bytes have told.
#[derive(Clone, Debug)]
pub(crate) struct Analysis {
    pub(crate) content_type: String,
    /// Only of documents that were to carry a script.
    pub(crate) script: Option<ScriptPlace>,
}

/// Where the script goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScriptPlace {
    /// Before the byte at this offset, or nowhere, and why.
    pub(crate) at: Result<usize, &'static str>,
    /// The document has a Content-Security-Policy of its own.
    pub(crate) has_policy: bool,
}

/// What is known of the versions that were read last.
#[derive(Debug, Default)]
pub(crate) struct AnalysisCache {
    // Held while a map is looked into.
    versions: Mutex<HashMap<Version, (Media, Analysis)>>,
}

impl Version {
    pub(crate) fn of(meta: &Metadata) -> Version {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Version {
            len: meta.len(),
            modified: meta.modified().ok(),
            #[cfg(unix)]
            inode: (meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec()),
        }
    }
}

impl AnalysisCache {
    /// What was found in this version by somebody who took it for `media` as well. `for_script`: who looks
    /// for a place wants one.
    pub(crate) fn get(
        &self,
        version: &Version,
        media: &Media,
        for_script: bool,
    ) -> Option<Analysis> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let (as_media, analysis) = versions.get(version)?;
        let is_enough = as_media == media && (analysis.script.is_some() || !for_script);
        is_enough.then(|| analysis.clone())
    }

    pub(crate) fn insert(&self, version: Version, media: Media, analysis: Analysis) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if versions.len() >= MAX_VERSIONS {
            versions.clear();
        }
        versions.insert(version, (media, analysis));
    }
}
