//! The jobs of the watch thread, from whoever handles events or reads files.
//!
//! The lock is held for a moment only; the watch thread is the only one that waits. The inbox is
//! bounded: where more jobs are pushed than it holds, the root as a whole is scanned again.

use super::lock;
use super::watch_thread::Done;
use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

const JOB_LIMIT: usize = 4_096;

/// One thing to do. Roots are named by their number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// Something happened to a directory (or what may be one): see what is there now.
    Rewatch { root: usize, path: PathBuf },
    /// Something happened on the way that a link leads: see where it leads now.
    FollowLink { root: usize, link: PathBuf },
    /// The permissions of a directory changed.
    CheckAccess { root: usize, path: PathBuf },
    /// Something happened to the root itself.
    CheckRoot { root: usize },
    /// Events were lost: find what there is, and say that anything may have changed.
    Rescan { root: usize },
    /// The `.gitignore` of a directory changed, at this time in nanoseconds since the epoch.
    ReloadRules {
        root: usize,
        directory: PathBuf,
        since_ns: i64,
    },
    /// A reader holds a version that was never announced.
    Announce { path: PathBuf },
}

impl Job {
    /// Whether the job before this one does what this one asks for.
    fn repeats(&self, last: &Job) -> bool {
        match (self, last) {
            (
                Job::ReloadRules {
                    root, directory, ..
                },
                Job::ReloadRules {
                    root: last_root,
                    directory: last_directory,
                    ..
                },
            ) => (root, directory) == (last_root, last_directory),
            (job, last) => job == last,
        }
    }

    fn root(&self) -> Option<usize> {
        match self {
            Job::Rewatch { root, .. }
            | Job::FollowLink { root, .. }
            | Job::CheckAccess { root, .. }
            | Job::CheckRoot { root }
            | Job::Rescan { root }
            | Job::ReloadRules { root, .. } => Some(*root),
            Job::Announce { .. } => None,
        }
    }
}

/// What ends the watch thread's waiting.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wake {
    Job(Job),
    /// Somebody waits for a flush: see [`Inbox::take_flushes`].
    Flush,
    /// The time is up.
    Timeout,
    Stop,
}

#[derive(Default)]
struct Content {
    jobs: VecDeque<Job>,
    /// Who waits for a flush. Not among the jobs, which are given up for others where there are too many.
    flushes: Vec<Done>,
    /// The earliest time that was asked for by `wake_by`.
    wake_by: Option<Instant>,
    stopped: bool,
    /// When the watch thread wakes by itself; none while it is awake, or waits for ever.
    wakes: Option<Instant>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").finish_non_exhaustive()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    content: Mutex<Content>,
    filled: Condvar,
}

impl Inbox {
    pub(super) fn push(&self, job: Job) {
        let mut content = lock(&self.content);
        if content.jobs.back().is_some_and(|last| job.repeats(last)) {
            return;
        }
        let root = job.root().unwrap_or(0);
        if content.jobs.len() >= JOB_LIMIT {
            let rescan = Job::Rescan { root };
            content.jobs.retain(|job| match job {
                Job::Rewatch { root: of, .. }
                | Job::FollowLink { root: of, .. }
                | Job::CheckAccess { root: of, .. } => *of != root,
                _ => true,
            });
            if !content.jobs.contains(&rescan) {
                content.jobs.push_back(rescan);
            }
        } else {
            content.jobs.push_back(job);
        }
        self.filled.notify_one();
    }

    /// Asks for a flush.
    pub(super) fn flush(&self, done: Done) {
        lock(&self.content).flushes.push(done);
        self.filled.notify_one();
    }

    pub(super) fn take_flushes(&self) -> Vec<Done> {
        std::mem::take(&mut lock(&self.content).flushes)
    }

    pub(super) fn is_empty(&self) -> bool {
        let content = lock(&self.content);
        content.jobs.is_empty() && content.flushes.is_empty()
    }

    /// Tells the watch thread that something is due then. It is only woken if it would sleep longer, and
    /// goes back to sleep until then without taking any other lock.
    pub(super) fn wake_by(&self, due: Instant) {
        let mut content = lock(&self.content);
        content.wake_by = Some(content.wake_by.map_or(due, |wake_by| wake_by.min(due)));
        if content.wakes.is_none_or(|wakes| due < wakes) {
            self.filled.notify_one();
        }
    }

    /// Drops what was asked about a root: all of it is about to be found anew.
    pub(super) fn clear(&self, root: usize) {
        lock(&self.content)
            .jobs
            .retain(|job| job.root() != Some(root));
    }

    pub(super) fn stop(&self) {
        let mut content = lock(&self.content);
        content.stopped = true;
        // Whoever waits learns that it is not called.
        let flushes = std::mem::take(&mut content.flushes);
        drop(content);
        drop(flushes);
        self.filled.notify_one();
    }

    pub(super) fn is_stopped(&self) -> bool {
        lock(&self.content).stopped
    }

    /// Waits for a job, the end, `until`, or the time of a `wake_by`.
    pub(super) fn wait(&self, until: Option<Instant>) -> Wake {
        let mut content = lock(&self.content);
        loop {
            content.wakes = None;
            if content.stopped {
                return Wake::Stop;
            }
            if !content.flushes.is_empty() {
                return Wake::Flush;
            }
            if let Some(job) = content.jobs.pop_front() {
                return Wake::Job(job);
            }
            let until = until.into_iter().chain(content.wake_by).min();
            content = match until {
                None => self
                    .filled
                    .wait(content)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        content.wake_by = None;
                        return Wake::Timeout;
                    }
                    content.wakes = Some(until);
                    self.filled
                        .wait_timeout(content, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }
}
