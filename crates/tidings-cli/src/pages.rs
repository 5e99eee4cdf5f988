//! The pages of a served folder: what each of them carries, and what is said about those that cannot.

use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use tidings::reload::{PageIs, Reloader, ScriptElement};
use tidings::watch::Watcher;

use crate::files::{LinkReason, Page, Pages, Snippet, UnservedLink};
use crate::report::{Line, Paint, Say, printable};

/// Where the stream is, for pages and for anyone else.
pub(crate) const STREAM_PATH: &str = "/server-sent-events";

/// Where the page's script is.
pub(crate) const CLIENT_PATH: &str = "/@tidings/client.js";

/// What is remembered of pages that were left alone, so that each is said once.
const REMEMBERED: usize = 1000;

pub(crate) struct LivePages {
    pub(crate) reloader: Arc<Reloader>,
    pub(crate) watcher: Arc<OnceLock<Watcher>>,
    pub(crate) say: Arc<Say>,
    /// The script's address: it changes with the script, so that it can be kept for ever.
    pub(crate) client: String,
    /// The same in a frame. Another address, so that the script for sandboxed ones is not taken from a
    /// cache; behind the `#` is the name that only it may know (`guard/frames.rs`). Up to the `&` it is
    /// the same, so that frames and pages share one stream.
    pub(crate) client_in_frame: String,
    // Held while a set is looked up.
    pub(crate) said: Mutex<HashSet<(String, String)>>,
}

impl LivePages {
    pub(crate) fn new(
        reloader: Arc<Reloader>,
        watcher: Arc<OnceLock<Watcher>>,
        say: Arc<Say>,
        version: &str,
        frame_label: &str,
    ) -> LivePages {
        LivePages {
            reloader,
            watcher,
            say,
            client: format!("{CLIENT_PATH}?{version}"),
            client_in_frame: format!("{CLIENT_PATH}?{version}&frame#{frame_label}"),
            said: Mutex::default(),
        }
    }
}

impl Pages for LivePages {
    fn script_for(&self, page: &Page<'_>) -> Snippet {
        let stamp = self.reloader.stamp();
        let framed = matches!(page, Page::File { framed: true, .. });
        let client = match framed {
            true => &self.client_in_frame,
            false => &self.client,
        };
        let page = match page {
            Page::File { url_path, .. } => PageIs::File(url_path),
            Page::Listing { url_path } => PageIs::Listing(url_path),
            Page::NotFound => PageIs::Missing,
        };
        let element = ScriptElement::new(client, STREAM_PATH, &stamp, page);
        // The rest may come to be known without the position moving on.
        let (timestamp, tree) = (stamp.timestamp.unwrap_or(0), stamp.tree.unwrap_or(0));
        let mut tag = format!("{}-{timestamp}-{tree:x}", stamp.cursor);
        if framed {
            tag.push_str("-frame");
        }
        Snippet {
            html: Bytes::from(element.to_string()),
            with_policy: Bytes::from(element.own_policy(true).to_string()),
            tag,
        }
    }

    fn served(&self, path: &Path, meta: &Metadata) {
        if let Some(watcher) = self.watcher.get() {
            watcher.observed(path, meta);
        }
    }

    fn not_found(&self, path: &Path) {
        if let Some(watcher) = self.watcher.get() {
            watcher.missed(path);
        }
    }

    fn not_injected(&self, url_path: &str, reason: &str) {
        self.note("not-injected", url_path, "does not reload", reason);
    }

    fn refused_by_browser(&self, url_path: &str, reason: &str) {
        self.note("refused", url_path, "is refused by the browser", reason);
    }

    fn unserved_link(&self, link: &UnservedLink) {
        let reason = match link.reason {
            LinkReason::Outside => {
                "it is a link that leads out of the folder (--follow-symlinks would serve it)"
            }
            LinkReason::Dangling => "it is a link to a file that is not there (yet)",
            LinkReason::Loop => "it is a link that leads to itself",
            LinkReason::Private => "it is a link to a hidden or private file",
        };
        self.note("link-not-served", &link.url_path, "is not served", reason);
    }

    fn unreadable(&self, path: &Path, error: &io::Error) {
        let denied = error.kind() == io::ErrorKind::PermissionDenied;
        let shown = printable(&path.display().to_string()).into_owned();
        let why = match denied {
            true => "permission denied".to_owned(),
            false => error.to_string(),
        };
        if self.is_news(&shown, &why) {
            let right = match path.is_dir() {
                true => "a+rx",
                false => "a+r",
            };
            let hint = format!("make it readable (chmod {right} {})", quoted(&shown));
            let message = format!("cannot read {shown}: {why}");
            self.say
                .trouble("warning", &message, denied.then_some(hint.as_str()));
        }
    }
}

impl LivePages {
    /// A page that does not say where it comes from was refused a file.
    pub(crate) fn denied_to_unknown(&self, url_path: &str) {
        let reason = "a sandboxed frame without scripts or without an address (srcdoc), or one of another site";
        let what = "was not given to a page without an origin";
        self.note("denied", url_path, what, reason);
    }

    /// Says something about a file, unless it was said before.
    fn note(&self, event: &str, path: &str, what: &'static str, reason: &str) {
        if self.is_news(path, reason) {
            let line = Note { path, what, reason };
            self.say.happens(event, &line);
        }
    }

    fn is_news(&self, path: &str, reason: &str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.len() < REMEMBERED && said.insert((path.to_owned(), reason.to_owned()))
    }
}

/// A path as a shell reads it.
fn quoted(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,@%".contains(&byte);
    match path.bytes().all(plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

/// A line about one file.
#[derive(Serialize)]
struct Note<'a> {
    path: &'a str,
    #[serde(skip)]
    what: &'static str,
    reason: &'a str,
}

impl Line for Note<'_> {
    fn plain(&self, paint: Paint) -> String {
        let path = printable(self.path.trim_start_matches('/'));
        format!(
            "{path} {}",
            paint.dim(&format!("{}: {}", self.what, self.reason))
        )
    }
}
