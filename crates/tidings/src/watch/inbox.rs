//! What the keeper is asked to do, by whoever hears or reads.
//!
//! The lock is held for a moment only and never together with a slow thing; the keeper is the
//! only one that waits. The inbox is bounded: where more is asked than it holds, the root as a
//! whole is looked at again.

use super::lock;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

const JOB_LIMIT: usize = 4_096;

/// One thing to do. Roots are named by their number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// Something happened to a directory (or what may be one): see what is there now.
    Look { root: usize, path: PathBuf },
    /// Something happened on the way that a link leads: see where it leads now.
    Follow { root: usize, link: PathBuf },
    /// The permissions of a directory changed.
    Access { root: usize, path: PathBuf },
    /// Something happened to the root itself.
    Root { root: usize },
    /// Signs were lost: find what there is, and say that anything may have changed.
    Rescan { root: usize },
    /// The `.gitignore` of a directory changed.
    Rules { root: usize, directory: PathBuf },
    /// A reader holds a version that was never announced.
    Announce { path: PathBuf },
}

impl Job {
    fn root(&self) -> Option<usize> {
        match self {
            Job::Look { root, .. }
            | Job::Follow { root, .. }
            | Job::Access { root, .. }
            | Job::Root { root }
            | Job::Rescan { root }
            | Job::Rules { root, .. } => Some(*root),
            Job::Announce { .. } => None,
        }
    }
}

/// What ends the keeper's waiting.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call {
    Job(Job),
    /// The time is up.
    Clock,
    Stop,
}

#[derive(Debug, Default)]
struct Content {
    jobs: VecDeque<Job>,
    /// When something is due of which the keeper does not know yet.
    rung: Option<Instant>,
    stopped: bool,
    /// When the keeper wakes by itself; none while it is awake, or waits for ever.
    wakes: Option<Instant>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    content: Mutex<Content>,
    filled: Condvar,
}

impl Inbox {
    pub(super) fn ask(&self, job: Job) {
        let mut content = lock(&self.content);
        if content.jobs.back() == Some(&job) {
            return;
        }
        let root = job.root().unwrap_or(0);
        if content.jobs.len() >= JOB_LIMIT {
            let rescan = Job::Rescan { root };
            content.jobs.retain(|job| match job {
                Job::Look { root: of, .. }
                | Job::Follow { root: of, .. }
                | Job::Access { root: of, .. } => *of != root,
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

    /// Tells the keeper that something is due then. It is only woken if it would sleep longer, and
    /// goes back to sleep until then without asking anybody.
    pub(super) fn ring(&self, due: Instant) {
        let mut content = lock(&self.content);
        content.rung = Some(content.rung.map_or(due, |rung| rung.min(due)));
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
        lock(&self.content).stopped = true;
        self.filled.notify_one();
    }

    pub(super) fn is_stopped(&self) -> bool {
        lock(&self.content).stopped
    }

    /// Waits for a job, the end, `until`, or what was rung for.
    pub(super) fn wait(&self, until: Option<Instant>) -> Call {
        let mut content = lock(&self.content);
        loop {
            content.wakes = None;
            if content.stopped {
                return Call::Stop;
            }
            if let Some(job) = content.jobs.pop_front() {
                return Call::Job(job);
            }
            let until = until.into_iter().chain(content.rung).min();
            content = match until {
                None => self
                    .filled
                    .wait(content)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        content.rung = None;
                        return Call::Clock;
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
