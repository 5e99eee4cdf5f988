//! The text of a changed style sheet, which is sent to the pages with the change.
//!
//! What must stay true: it is what a page would get if it requested the file now. So it takes the same way as
//! a request (`app.rs`): redirects, backends, folders, the file, headers. In case of doubt there is no text,
//! and pages request the file.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use http::Uri;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use tidings::reload::PublishedChange;
use tidings::watch::Watcher;

use super::routes::Routes;
use crate::files::{self, Files};
use crate::rules::LiveRules;

/// What is larger is requested: the log keeps all texts for a while.
const LIMIT_BYTES: u64 = 64 << 10;

/// What a page may decode for certain, whatever the page's own encoding is.
const SHEET: &str = "text/css; charset=utf-8";

pub(super) struct Texts {
    pub(super) routes: Arc<Routes>,
    pub(super) rules: Arc<LiveRules>,
    pub(super) files: Arc<[Files]>,
    pub(super) watcher: Arc<OnceLock<Watcher>>,
}

impl Texts {
    pub(super) fn of(&self, change: &PublishedChange) -> Option<String> {
        let is_sheet = Path::new(&change.path)
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("css"));
        if !is_sheet || change.kind == "removed" {
            return None;
        }
        let uri: Uri = files::url_of(&change.path)?.parse().ok()?;
        let rules = self.rules.current();
        if rules.redirect(&uri).is_some() || !matches!(self.routes.backend(uri.path()), Ok(None)) {
            return None;
        }
        let (files, below) = self
            .files
            .iter()
            .find_map(|files| Some((files, files.below_mount(&change.path)?)))?;
        let response = files.respond_at_once(below, LIMIT_BYTES, |path, meta| {
            if let Some(watcher) = self.watcher.get() {
                watcher.observed(path, meta);
            }
        });
        let mut response = response.ok()??;
        rules.set_headers(uri.path(), response.headers_mut());
        let headers = response.headers();
        let plain = headers.get(CONTENT_TYPE)? == SHEET && !headers.contains_key(CONTENT_ENCODING);
        if !plain {
            return None;
        }
        let bytes = response.body().in_memory().concat();
        let text = String::from_utf8(bytes).ok()?;
        // Encoding Standard, "decode": a byte order mark is not a part of the text.
        Some(match text.strip_prefix('\u{feff}') {
            Some(text) => text.to_owned(),
            None => text,
        })
    }
}
