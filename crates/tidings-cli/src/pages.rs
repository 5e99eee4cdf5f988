//! The pages of a served folder: what each of them carries, and what is said about those that cannot.

use std::collections::HashSet;
use std::fs::Metadata;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use tidings::reload::{PageIs, Reloader, ScriptElement};
use tidings::watch::Watcher;

use crate::files::{Page, Pages, Snippet};
use crate::say::{Line, Paint, Say, printable};
use crate::serve::{CLIENT_PATH, STREAM_PATH};

/// What is remembered of pages that were left alone, so that each is said once.
const REMEMBERED: usize = 1000;

pub(crate) struct LivePages {
    pub(crate) reloader: Arc<Reloader>,
    pub(crate) watcher: Arc<OnceLock<Watcher>>,
    pub(crate) say: Arc<Say>,
    /// The script's address: it changes with the script, so that it can be kept for ever.
    pub(crate) client: String,
    // Held while a set is looked up.
    pub(crate) said: Mutex<HashSet<(String, String)>>,
}

impl LivePages {
    pub(crate) fn new(
        reloader: Arc<Reloader>,
        watcher: Arc<OnceLock<Watcher>>,
        say: Arc<Say>,
        version: &str,
    ) -> LivePages {
        LivePages {
            reloader,
            watcher,
            say,
            client: format!("{CLIENT_PATH}?{version}"),
            said: Mutex::default(),
        }
    }
}

impl Pages for LivePages {
    fn snippet(&self, page: &Page<'_>) -> Snippet {
        let stamp = self.reloader.stamp();
        let page = match page {
            Page::File { url_path } => PageIs::File(url_path),
            Page::Listing { url_path } => PageIs::Listing(url_path),
            Page::NotFound => PageIs::Missing,
        };
        let element = |own_policy| ScriptElement {
            client: &self.client,
            stream: STREAM_PATH,
            stamp: &stamp,
            page,
            own_policy,
        };
        // The rest may come to be known without the position moving on.
        let (timestamp, tree) = (stamp.timestamp.unwrap_or(0), stamp.tree.unwrap_or(0));
        let tag = format!("{}-{timestamp}-{tree:x}", stamp.cursor);
        Snippet {
            html: Bytes::from(element(false).to_string()),
            with_policy: Bytes::from(element(true).to_string()),
            tag,
        }
    }

    fn observed(&self, path: &Path, meta: &Metadata) {
        if let Some(watcher) = self.watcher.get() {
            watcher.observed(path, meta);
        }
    }

    fn missed(&self, path: &Path) {
        if let Some(watcher) = self.watcher.get() {
            watcher.missed(path);
        }
    }

    fn left_alone(&self, url_path: &str, reason: &str) {
        let news = {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            said.len() < REMEMBERED && said.insert((url_path.to_owned(), reason.to_owned()))
        };
        if news {
            let line = LeftAlone {
                path: url_path,
                reason,
            };
            self.say.happens("left-alone", &line);
        }
    }
}

#[derive(Serialize)]
struct LeftAlone<'a> {
    path: &'a str,
    reason: &'a str,
}

impl Line for LeftAlone<'_> {
    fn plain(&self, paint: Paint) -> String {
        let path = printable(self.path.trim_start_matches('/'));
        format!(
            "{path} {}",
            paint.dim(&format!("does not reload: {}", self.reason))
        )
    }
}
