//! Caches what was found by analysing the bytes of a file.
//!
//! A page is requested many times between two saves. The place for the script and the `Content-Type` are
//! found by analysing its bytes, once for each version of the file.
//!
//! Invariant: a cached version can be mistaken for no other. A version is all that the file system knows
//! of an opened file's state. It is cached only if it is settled (older than a tick of the file system's
//! clock, see `validator.rs`), and if the file was in that state both before and after it was read.

use std::collections::HashMap;
use std::fs::Metadata;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::media::Media;

/// When this many versions are cached, the cache is cleared.
const MAX_VERSIONS: usize = 4096;

/// One state of one file. Settled versions with different bytes are different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Version {
    len: u64,
    modified: Option<SystemTime>,
    /// Device, inode, and the time of the last inode change, which no program can set.
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

/// What was found in the bytes of a version.
#[derive(Clone, Debug)]
pub(crate) struct Analysis {
    pub(crate) content_type: String,
    /// Only for documents that the script was to be injected into.
    pub(crate) script: Option<ScriptPlace>,
}

/// Where the script is injected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScriptPlace {
    /// Before the byte at this offset, or why nowhere.
    pub(crate) at: Result<usize, &'static str>,
    /// The document has a Content-Security-Policy of its own.
    pub(crate) has_policy: bool,
}

/// The analyses of the versions that were read last.
#[derive(Debug, Default)]
pub(crate) struct AnalysisCache {
    // Held for one lookup or insertion.
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
    /// The analysis of this version as `media`. With `for_script`, only one that has looked for the place of
    /// the script.
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
