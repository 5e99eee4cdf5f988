//! What `stat` says of a file, and what may be concluded from it.
//!
//! The inode change time counts as much as the modification time: a deletion, a rename and a
//! file copied with its old dates leave no other trace. It cannot be set by a program, but the
//! kernel ticks: two writes within [`TICK`] may carry the same time.

use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Times of files are only as fine as the kernel's tick (4 or 10 ms); this is more than one.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// The parts of `stat` that tell one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileStat {
    /// Nanoseconds since the epoch.
    pub(super) modified_ns: i64,
    /// Nanoseconds since the epoch; the modification time where there is no change time.
    pub(super) changed_ns: i64,
    pub(super) size: u64,
    pub(super) inode: u64,
    pub(super) device: u64,
    pub(super) links: u64,
}

impl FileStat {
    #[cfg(unix)]
    pub(super) fn of(meta: &Metadata) -> FileStat {
        use std::os::unix::fs::MetadataExt;
        let ns = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000) + nanos;
        FileStat {
            modified_ns: ns(meta.mtime(), meta.mtime_nsec()),
            changed_ns: ns(meta.ctime(), meta.ctime_nsec()),
            size: meta.size(),
            inode: meta.ino(),
            device: meta.dev(),
            links: meta.nlink(),
        }
    }

    #[cfg(not(unix))]
    pub(super) fn of(meta: &Metadata) -> FileStat {
        let modified_ns = meta.modified().map_or(0, since_epoch_ns);
        FileStat {
            modified_ns,
            changed_ns: modified_ns,
            size: meta.len(),
            inode: 0,
            device: 0,
            links: 1,
        }
    }

    /// 64 bits that differ when the times, the size or the inode do.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.modified_ns, self.changed_ns, self.size, self.inode).hash(&mut hasher);
        hasher.finish()
    }

    /// The newer of both times in milliseconds since the epoch, leaving out what lies after
    /// `now_ns`: a date from the future would hide every change until then.
    pub(super) fn newest_ms(&self, now_ns: i64) -> u64 {
        [self.modified_ns, self.changed_ns]
            .into_iter()
            .filter(|ns| *ns <= now_ns)
            .max()
            .map_or(0, |ns| u64::try_from(ns / 1_000_000).unwrap_or(0))
    }

    /// Which inode this is; meaningless where the platform does not say.
    pub(super) fn identity(&self) -> Identity {
        Identity {
            device: self.device,
            inode: self.inode,
        }
    }
}

/// One inode of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// False where the platform does not tell files apart.
    pub(super) fn is_known(self) -> bool {
        self.inode != 0
    }
}

/// Which directory it is. Inode numbers are used again, times of birth are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DirectoryId {
    identity: Identity,
    born: Option<SystemTime>,
}

impl DirectoryId {
    pub(super) fn of(meta: &Metadata) -> DirectoryId {
        DirectoryId {
            identity: FileStat::of(meta).identity(),
            born: meta.created().ok(),
        }
    }

    pub(super) fn device(&self) -> u64 {
        self.identity.device
    }
}

/// Now, in nanoseconds since the epoch.
pub(super) fn now_ns() -> i64 {
    since_epoch_ns(SystemTime::now())
}

pub(super) fn since_epoch_ns(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, as_ns)
}

pub(super) fn as_ns(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(modified_ns: i64, changed_ns: i64) -> FileStat {
        FileStat {
            modified_ns,
            changed_ns,
            size: 1,
            inode: 1,
            device: 1,
            links: 1,
        }
    }

    #[test]
    fn the_newer_of_both_times_counts() {
        assert_eq!(stat(5_000_000, 7_000_000).newest_ms(100_000_000), 7);
        assert_eq!(stat(9_000_000, 7_000_000).newest_ms(100_000_000), 9);
    }

    #[test]
    fn a_date_from_the_future_does_not_count() {
        assert_eq!(stat(900_000_000, 7_000_000).newest_ms(100_000_000), 7);
    }
}
