//! While the backend does not answer: pages show it, requests wait, and both learn when it is back.
//!
//! A backend that somebody else runs does not say when it is there again. So it is asked, as long as there is
//! a page or a request that waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{Response, StatusCode};
use tidings::reload::{ProblemKind, Reloader};
use tokio::sync::Notify;

use super::super::answers::plain;
use super::super::unavailable::{hint, problem, set_problem};
use crate::files;
use crate::report::Console;
use crate::upstream::{Error, ErrorKind, Upstream};

/// How often the backend is asked at first, and later.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// How long it is asked without an open page: a page that was just served may still open its stream.
const WITHOUT_PAGES: Duration = Duration::from_secs(10);

pub(super) struct Outage {
    upstream: Arc<Upstream>,
    reloader: Arc<Reloader>,
    console: Arc<Console>,
    /// The backend did not answer the last time.
    is_down: AtomicBool,
    /// A task asks whether it is back.
    is_asking: AtomicBool,
    /// Requests that wait until it is.
    n_waiting: AtomicUsize,
    /// Wakes them.
    back: Notify,
}

/// A request that waits; no longer when this is dropped, as when its client has left.
struct Waiting<'a>(&'a AtomicUsize);

impl Waiting<'_> {
    fn begin(n_waiting: &AtomicUsize) -> Waiting<'_> {
        n_waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(n_waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Outage {
    pub(super) fn new(
        upstream: Arc<Upstream>,
        reloader: Arc<Reloader>,
        console: Arc<Console>,
    ) -> Outage {
        Outage {
            upstream,
            reloader,
            console,
            is_down: AtomicBool::new(false),
            is_asking: AtomicBool::new(false),
            n_waiting: AtomicUsize::new(0),
            back: Notify::new(),
        }
    }

    /// Tells a page whether it may reload. The backend is asked, because it may have ended since its last
    /// answer: then the page stays, with what was typed into it.
    pub(super) async fn ready(&self) -> Response<files::Body> {
        if self.upstream.is_listening().await {
            return plain(StatusCode::NO_CONTENT, "");
        }
        let mut response = plain(StatusCode::BAD_GATEWAY, "the backend does not answer\n");
        set_problem(&mut response, ProblemKind::BackendUnreachable);
        response
    }

    /// The backend has answered a request.
    pub(super) fn is_over(&self) {
        if self.is_down.load(Ordering::Relaxed) && self.is_down.swap(false, Ordering::AcqRel) {
            // An error means that the hub is closed: the process is about to exit.
            let _ = self.reloader.restarted();
            self.back.notify_waiters();
        }
    }

    /// Waits until the backend is back, for this long at most. Returns whether it is.
    pub(super) async fn over_within(&self, limit: Duration) -> bool {
        let _waiting = Waiting::begin(&self.n_waiting);
        let back = self.back.notified();
        tokio::pin!(back);
        // From here on, not from the first poll: it may be back already.
        back.as_mut().enable();
        !self.is_down.load(Ordering::Acquire) || tokio::time::timeout(limit, back).await.is_ok()
    }

    pub(super) fn has_failed(self: &Arc<Outage>, error: &Error) {
        if error.kind != ErrorKind::Unreachable {
            return;
        }
        if !self.is_down.swap(true, Ordering::AcqRel) {
            let target = self.upstream.target();
            let problem = problem(target, error);
            self.console.warn(problem.title(), Some(&hint(target)));
            let _ = self.reloader.set_problem(Some(problem));
        }
        if !self.is_asking.swap(true, Ordering::AcqRel) {
            tokio::spawn(Arc::clone(self).ask());
        }
    }

    /// Asks until the backend is back or nobody waits for it.
    async fn ask(self: Arc<Outage>) {
        let mut pause = FIRST_PAUSE;
        let mut nobody_since = Instant::now();
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LAST_PAUSE);
            let has_waiting = self.n_waiting.load(Ordering::Relaxed) > 0;
            if has_waiting || self.reloader.hub().stats().open > 0 {
                nobody_since = Instant::now();
            }
            let is_over = !self.is_down.load(Ordering::Acquire);
            if is_over || nobody_since.elapsed() > WITHOUT_PAGES {
                break;
            }
            if self.upstream.is_listening().await {
                self.is_over();
                break;
            }
        }
        self.is_asking.store(false, Ordering::Release);
    }
}
