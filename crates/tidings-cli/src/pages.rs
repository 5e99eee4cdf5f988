//! The pages of a served folder: the script that each one gets, and what the console says about those
//! that get none.

use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use tidings::reload::{PageKind, Reloader, ScriptElement};
use tidings::watch::Watcher;

use crate::files::{LinkReason, Page, Pages, Snippet, UnservedLink};
use crate::report::{Console, Message, Styles, printable, shell_quoted};

/// The path of the event stream.
pub(crate) const STREAM_PATH: &str = "/server-sent-events";

/// The path of the script that pages load.
pub(crate) const CLIENT_PATH: &str = "/@tidings/client.js";

/// How many messages are remembered so as not to be repeated; beyond this, no more are printed.
const MAX_REPORTED: usize = 1000;

pub(crate) struct LivePages {
    reloader: Arc<Reloader>,
    watcher: Arc<OnceLock<Watcher>>,
    console: Arc<Console>,
    /// The script's URL. It holds a hash of the script, so that browsers may cache it for ever.
    client_url: String,
    /// The same for a page in a frame. It differs after the `&`, so that a browser does not use the cached
    /// script for sandboxed frames. Up to there it is the same, so that frames and pages share one stream.
    /// The fragment is the first label of the secret host name (`guard/frames.rs`).
    framed_client_url: String,
    /// The messages that were printed: what they are about, and the reason.
    // Held for one look-up.
    reported: Mutex<HashSet<(String, String)>>,
}

impl LivePages {
    pub(crate) fn new(
        reloader: Arc<Reloader>,
        watcher: Arc<OnceLock<Watcher>>,
        console: Arc<Console>,
        client_url: &str,
        frame_label: &str,
    ) -> LivePages {
        LivePages {
            reloader,
            watcher,
            console,
            client_url: client_url.to_owned(),
            framed_client_url: format!("{client_url}&frame#{frame_label}"),
            reported: Mutex::default(),
        }
    }
}

impl Pages for LivePages {
    fn script_for(&self, page: &Page<'_>) -> Snippet {
        let state = self.reloader.page_state();
        let framed = matches!(page, Page::File { framed: true, .. });
        let client = match framed {
            true => &self.framed_client_url,
            false => &self.client_url,
        };
        let page = match page {
            Page::File { url_path, .. } => PageKind::File(url_path),
            Page::Listing { url_path } => PageKind::Listing(url_path),
            Page::NotFound => PageKind::Missing,
        };
        let version = match page {
            PageKind::Missing => None,
            _ => self.reloader.new_version(),
        };
        let element =
            ScriptElement::new(client, STREAM_PATH, &state, page).version(version.as_ref());
        // These may change while the cursor stays: it does not move when the first walk is done.
        let (timestamp, tree) = (state.timestamp.unwrap_or(0), state.tree.unwrap_or(0));
        let mut tag = format!("{}-{timestamp}-{tree:x}", state.cursor);
        if framed {
            tag.push_str("-frame");
        }
        Snippet {
            html: Bytes::from(element.to_string()),
            with_policy: Bytes::from(element.own_policy(true).to_string()),
            tag,
            version,
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
        self.report("not-injected", url_path, "does not reload", reason);
    }

    fn refused_by_browser(&self, url_path: &str, reason: &str) {
        self.report("refused", url_path, "is refused by the browser", reason);
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
        self.report("link-not-served", &link.url_path, "is not served", reason);
    }

    fn unreadable(&self, path: &Path, error: &io::Error) {
        let denied = error.kind() == io::ErrorKind::PermissionDenied;
        let path_text = printable(&path.display().to_string()).into_owned();
        let why = match denied {
            true => "permission denied".to_owned(),
            false => error.to_string(),
        };
        if self.is_new(&path_text, &why) {
            let mode = match path.is_dir() {
                true => "a+rx",
                false => "a+r",
            };
            let hint = format!(
                "make it readable (chmod {mode} {})",
                shell_quoted(&path_text)
            );
            let message = format!("cannot read {path_text}: {why}");
            self.console.warn(&message, denied.then_some(hint.as_str()));
        }
    }
}

impl LivePages {
    /// The URL of the script.
    pub(crate) fn client_url(&self) -> &str {
        &self.client_url
    }

    /// Reports that a file was denied to a page with an opaque origin.
    pub(crate) fn denied_to_opaque(&self, url_path: &str) {
        let reason = "a sandboxed frame without scripts or without an address (srcdoc), or one of another site";
        let what = "was denied to a page with an opaque origin";
        self.report("denied", url_path, what, reason);
    }

    /// Prints a message about a file, unless it was printed before.
    fn report(&self, event: &str, path: &str, what: &'static str, reason: &str) {
        if self.is_new(path, reason) {
            let line = FileMessage { path, what, reason };
            self.console.event(event, &line);
        }
    }

    fn is_new(&self, path: &str, reason: &str) -> bool {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        reported.len() < MAX_REPORTED && reported.insert((path.to_owned(), reason.to_owned()))
    }
}

/// A message about one file.
#[derive(Serialize)]
struct FileMessage<'a> {
    path: &'a str,
    #[serde(skip)]
    what: &'static str,
    reason: &'a str,
}

impl Message for FileMessage<'_> {
    fn text(&self, styles: Styles) -> String {
        let path = printable(self.path.trim_start_matches('/'));
        format!(
            "{path} {}",
            styles.dim(&format!("{}: {}", self.what, self.reason))
        )
    }
}
