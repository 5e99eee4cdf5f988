//! [`SentPage`]: the bytes of a page that is about to be sent, so that they can be kept.

use bytes::Bytes;
use tidings::reload::{self, PageHead, Version};

use super::Snippet;

/// A page with the script in it, of the status 200: an extension of its response.
#[derive(Clone, Debug)]
pub(crate) struct SentPage {
    version: Version,
    /// What comes before the script element, the script element, and what comes after it.
    parts: [Bytes; 3],
}

impl SentPage {
    /// `None`: the page is not to be kept, or the script is not in it.
    pub(super) fn of(snippet: &Snippet, has_policy: bool, chunks: &[Bytes]) -> Option<SentPage> {
        let version = snippet.version.clone()?;
        let script = snippet.html(has_policy);
        let at = chunks.iter().position(|chunk| *chunk == script)?;
        let parts = [joined(&chunks[..at]), script, joined(&chunks[at + 1..])];
        Some(SentPage { version, parts })
    }

    /// The same for a page that was made as one text.
    pub(super) fn of_text(snippet: &Snippet, html: &Bytes) -> Option<SentPage> {
        let version = snippet.version.clone()?;
        let script = snippet.html.clone();
        let at = memchr::memmem::find(html, &script)?;
        let after = html.slice(at + script.len()..);
        Some(SentPage {
            version,
            parts: [html.slice(..at), script, after],
        })
    }

    /// Keeps it, as the page at this address.
    pub(crate) fn keep(self, address: String, head: PageHead) {
        let page = reload::SentPage::new(address, head, self.parts);
        self.version.keep(page);
    }
}

/// Mostly it is one already.
fn joined(chunks: &[Bytes]) -> Bytes {
    match chunks {
        [] => Bytes::new(),
        [one] => one.clone(),
        several => several.concat().into(),
    }
}
