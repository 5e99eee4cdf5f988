//! The text of changed files, sent with the change: pages show it without a request.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::{PageHead, PublishedChange, Reloader};

/// How many bytes of text an event carries at most. The log keeps it, and each page gets it, whether it uses
/// the file or not.
pub(super) const LIMIT_BYTES: usize = 64 << 10;

type TextOf = dyn Fn(&PublishedChange) -> Option<ChangedText> + Send + Sync;

/// What a request for a changed file gets from now on: the body of a 200, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedText {
    text: String,
    head: Option<PageHead>,
}

impl ChangedText {
    /// The text of a style sheet.
    pub fn sheet(text: impl Into<String>) -> ChangedText {
        ChangedText {
            text: text.into(),
            head: None,
        }
    }

    /// The source of a page with the script in it, as a page that is loaded now gets it: at the file's own address,
    /// and at that of its folder for an `index.html`.
    pub fn page(source: impl Into<String>, head: PageHead) -> ChangedText {
        ChangedText {
            text: source.into(),
            head: Some(head),
        }
    }
}

/// The callback of [`Reloader::texts`].
pub(super) struct Texts(pub(super) Box<TextOf>);

impl Default for Texts {
    fn default() -> Texts {
        Texts(Box::new(|_| None))
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Texts")
    }
}

impl Reloader {
    /// Sets a callback that returns the text of a changed file. Pages then show a style sheet, and what has changed in
    /// their own source, without a request for it. An event carries 64 KiB of texts at most; larger ones are left
    /// out, and requested.
    ///
    /// Where it is not certain what a request would get, the callback returns `None`. It is called on the watcher's
    /// thread, before the change is published, and may call
    /// [`Watcher::observed`](crate::watch::Watcher::observed); it must do so for what it has read.
    #[must_use]
    pub fn texts(
        mut self,
        text_of: impl Fn(&PublishedChange) -> Option<ChangedText> + Send + Sync + 'static,
    ) -> Reloader {
        self.texts = Texts(Box::new(text_of));
        self
    }
}

/// A change as in an event.
#[derive(Serialize)]
struct Sent<'a> {
    #[serde(flatten)]
    change: &'a PublishedChange,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
}

/// The changes with their texts, as many as the limit allows.
pub(super) fn with_texts<S: Serializer>(
    changes: &Option<&[PublishedChange]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let changes = changes.unwrap_or_default();
    let mut sequence = serializer.serialize_seq(Some(changes.len()))?;
    let mut left_bytes = LIMIT_BYTES;
    for change in changes {
        let sent = change.text.as_ref();
        let sent = sent.filter(|sent| sent.text.len() <= left_bytes);
        left_bytes -= sent.map_or(0, |sent| sent.text.len());
        sequence.serialize_element(&Sent {
            change,
            text: sent.map(|sent| &*sent.text),
            head: sent.and_then(|sent| Some(sent.head?.to_string())),
        })?;
    }
    sequence.end()
}
