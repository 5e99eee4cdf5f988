//! [`Tee`]: collects a page while it is sent.

use bytes::Bytes;

use super::{PAGE_BYTES, PageHead, SentPage, Version};

/// Collects the pieces of one page, and keeps them when the page is complete. Dropped before that, it keeps nothing.
#[derive(Debug)]
pub(in crate::reload) struct Tee {
    version: Version,
    address: String,
    head: PageHead,
    script: Bytes,
    // Copies: the pieces may be small parts of a connection's buffers.
    before: Vec<u8>,
    // `None`: the script element was not sent yet.
    after: Option<Vec<u8>>,
}

impl Tee {
    /// `script` is the script element that is sent as a piece of its own.
    pub(in crate::reload) fn new(
        version: Version,
        address: String,
        head: PageHead,
        script: Bytes,
    ) -> Tee {
        Tee {
            version,
            address,
            head,
            script,
            before: Vec::new(),
            after: None,
        }
    }

    /// Takes the next piece. `None`: the page is too large to be kept.
    pub(in crate::reload) fn push(mut self, piece: &Bytes) -> Option<Tee> {
        match &mut self.after {
            None if *piece == self.script => self.after = Some(Vec::new()),
            None => self.before.extend_from_slice(piece),
            Some(after) => after.extend_from_slice(piece),
        }
        let after = self.after.as_ref().map_or(0, Vec::len);
        (self.before.len() + after <= PAGE_BYTES).then_some(self)
    }

    /// Keeps the page, which was sent as a whole.
    pub(in crate::reload) fn finish(self) {
        if let Some(after) = self.after {
            let parts = [self.before.into(), self.script, after.into()];
            self.version
                .keep(SentPage::new(self.address, self.head, parts));
        }
    }
}
