//! Finds the file for a path: the file itself, the index of a directory, or `a.html` for `/a`.
//!
//! The order for `/a`, without a trailing slash:
//! 1. the file `a`;
//! 2. the file `a.html`, even if there is a directory `a`: sites have the page about a section beside its
//!    folder as often as in it, and the index of the folder still has its own URL, `/a/`;
//! 3. the directory `a`, by a redirect to `/a/`, so that relative links in its index work.

use std::ffi::OsStr;
use std::io;

use super::open::{Kind, Root};
use super::resolve::RelPath;

const INDEXES: [&str; 2] = ["index.html", "index.htm"];

/// What was found for a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    File {
        path: RelPath,
        len: u64,
    },
    /// A directory with an index, requested without the trailing slash.
    DirectoryWithIndex,
    /// A directory without an index, requested with or without the trailing slash.
    Directory,
    NotFound,
}

pub(crate) fn find(root: &Root, path: &RelPath) -> io::Result<Lookup> {
    let kind = root.probe(path)?;
    if let Some(Kind::File { len }) = kind {
        // `/a.html/` is not a directory, and relative links in it would be wrong.
        return Ok(match path.has_trailing_slash() {
            true => Lookup::NotFound,
            false => Lookup::File {
                path: path.clone(),
                len,
            },
        });
    }
    if !path.has_trailing_slash()
        && let Some(page) = path.with_html()
        && let Some(Kind::File { len }) = root.probe(&page)?
    {
        return Ok(Lookup::File { path: page, len });
    }
    if kind.is_none() {
        return Ok(Lookup::NotFound);
    }
    for name in INDEXES {
        let index = path.child(OsStr::new(name));
        if let Some(Kind::File { len }) = root.probe(&index)? {
            return Ok(match path.has_trailing_slash() {
                true => Lookup::File { path: index, len },
                false => Lookup::DirectoryWithIndex,
            });
        }
    }
    Ok(Lookup::Directory)
}

/// All files that would be served for `path`, in the order of preference.
pub(crate) fn candidates(path: &RelPath) -> Vec<RelPath> {
    match path.has_trailing_slash() {
        true => INDEXES
            .iter()
            .map(|name| path.child(OsStr::new(name)))
            .collect(),
        false => std::iter::once(path.clone())
            .chain(path.with_html())
            .collect(),
    }
}
