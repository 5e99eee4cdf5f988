//! The text of a changed style sheet or page, which is sent to the pages with the change.
//!
//! What must stay true: it is what a page would get if it requested the file now. So it takes the same way as
//! a request (`app.rs`): redirects, backends, folders, the file, headers. In case of doubt there is no text,
//! and pages request the file.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use http::Uri;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use tidings::reload::{ChangedText, PageHead, PublishedChange};
use tidings::watch::Watcher;

use super::routes::Routes;
use crate::files::{self, Files, Page, Pages};
use crate::pages::LivePages;
use crate::report::ChangeReporter;
use crate::rules::LiveRules;

/// What is larger is requested: the log keeps all texts for a while.
const LIMIT_BYTES: u64 = 64 << 10;

/// What a page may decode for certain, whatever the page's own encoding is.
const SHEET: &str = "text/css; charset=utf-8";
const PAGE: &str = "text/html; charset=utf-8";

pub(super) struct Texts {
    pub(super) routes: Arc<Routes>,
    pub(super) rules: Arc<LiveRules>,
    pub(super) files: Arc<[Files]>,
    pub(super) watcher: Arc<OnceLock<Watcher>>,
    pub(super) reporter: Arc<ChangeReporter>,
    /// Set once there is a reloader, which the scripts of pages are made by.
    pub(super) pages: Arc<OnceLock<Arc<LivePages>>>,
}

impl Texts {
    pub(super) fn of(&self, change: &PublishedChange) -> Option<ChangedText> {
        if change.kind == "removed" {
            return None;
        }
        let extension = Path::new(&change.path).extension()?.to_ascii_lowercase();
        match extension.to_str()? {
            "css" => {
                let (text, _) = self.text(change, SHEET, None)?;
                Some(ChangedText::sheet(text))
            }
            "html" | "htm" => {
                // Nobody else has a use for it.
                let paths = addresses(&change.path)?;
                let pages = self
                    .pages
                    .get()
                    .filter(|_| self.reporter.has_page_at(&paths))?;
                let page = Page::File {
                    url_path: &change.path,
                    framed: false,
                };
                let (text, head) = self.text(change, PAGE, Some(pages.script_for(&page)))?;
                Some(ChangedText::page(text, head))
            }
            _ => None,
        }
    }

    /// The body of the response, and what its headers say of it at each address of the file.
    fn text(
        &self,
        change: &PublishedChange,
        content_type: &str,
        snippet: Option<files::Snippet>,
    ) -> Option<(String, PageHead)> {
        let rules = self.rules.current();
        let addresses = addresses(&change.path)?;
        for address in &addresses {
            let uri: Uri = address.parse().ok()?;
            if rules.redirect(&uri).is_some()
                || !matches!(self.routes.backend(uri.path()), Ok(None))
            {
                return None;
            }
        }
        let (files, below) = self
            .files
            .iter()
            .find_map(|files| Some((files, files.below_mount(&change.path)?)))?;
        let response = files.respond_at_once(below, LIMIT_BYTES, snippet, |path, meta| {
            if let Some(watcher) = self.watcher.get() {
                watcher.observed(path, meta);
            }
        });
        let response = response.ok()??;
        let head_at = |address: &String| {
            let mut headers = response.headers().clone();
            rules.set_headers(address, &mut headers);
            is_plain(&headers, content_type).then(|| PageHead::of(&headers))
        };
        let head = head_at(addresses.first()?)?;
        if addresses
            .iter()
            .any(|address| head_at(address) != Some(head))
        {
            return None;
        }
        let bytes = response.body().in_memory().concat();
        let text = String::from_utf8(bytes).ok()?;
        // Encoding Standard, "decode": a byte order mark is not a part of the text.
        let text = match text.strip_prefix('\u{feff}') {
            Some(text) => text.to_owned(),
            None => text,
        };
        Some((text, head))
    }
}

/// The paths of the addresses that certainly are answered with this file.
fn addresses(path: &str) -> Option<Vec<String>> {
    let file = files::url_of(path)?;
    let folder = file.strip_suffix("index.html");
    let folder = folder
        .filter(|folder| folder.ends_with('/'))
        .map(str::to_owned);
    Some(folder.into_iter().chain([file]).collect())
}

fn is_plain(headers: &HeaderMap, content_type: &str) -> bool {
    let is_type = |value: &http::HeaderValue| value == content_type;
    headers.get(CONTENT_TYPE).is_some_and(is_type) && !headers.contains_key(CONTENT_ENCODING)
}
