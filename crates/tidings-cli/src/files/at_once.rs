//! Answers a request for a small file without a client: for the text that is sent with the news that it has
//! changed.
//!
//! It is the same way from a path to a file, and the same response, as for a request (`files.rs`).

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::sync::Arc;

use http::{Response, StatusCode};

use super::media::Media;
use super::open::Kind;
use super::resolve::RelPath;
use super::respond::FileRequest;
use super::{Body, Files, Snippet};

impl Files {
    /// The 200 response to a GET for the file at this decoded path below the mount. `None` if it is not there,
    /// may not be served, or has more than `limit_bytes`, and if it changes while it is read: then more
    /// news of it will come.
    ///
    /// A page has the `snippet`, or there is no response. `served` is called as
    /// [`Pages::served`](super::Pages::served).
    pub(crate) fn respond_at_once(
        &self,
        path: &str,
        limit_bytes: u64,
        snippet: Option<Snippet>,
        served: impl FnOnce(&Path, &Metadata),
    ) -> io::Result<Option<Response<Body>>> {
        let root = self
            .root
            .current(&self.options.root, self.options.follow_symlinks)?;
        let (Some(root), Some(path)) = (root, RelPath::plain(path)) else {
            return Ok(None);
        };
        match root.probe(&path)? {
            Some(Kind::File { len }) if len <= limit_bytes => {}
            _ => return Ok(None),
        }
        let on_disk = path.below(&self.options.root);
        let request = FileRequest {
            root,
            media: Media::of(path.name().unwrap_or_default()),
            path,
            status: StatusCode::OK,
            snippet,
            none_match: None,
            modified_since: None,
            range: None,
            if_range: None,
            coding: None,
            may_compress: false,
            analyses: Arc::clone(&self.analyses),
            clock: self.clock,
        };
        let Some(answer) = request.respond()? else {
            return Ok(None);
        };
        let is_complete = !answer.changed_while_read && answer.not_injected.is_none();
        // Without a state after reading, it is large by now, and would be streamed.
        let Some(after) = answer.after.filter(|_| is_complete) else {
            return Ok(None);
        };
        served(&on_disk, &after);
        Ok(Some(answer.response))
    }
}
