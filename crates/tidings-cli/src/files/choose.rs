//! Chooses the response to a request: a file, a listing, a redirect, or a 404.
//!
//! The snippet contains the cursor from which the page listens. So it is taken before the final choice: if
//! a file is created, removed or replaced after the snippet was taken, either the response already has it,
//! or the page is notified. Invariant: the final choice uses nothing that was read before the snippet was
//! taken.

use std::io;

use http::StatusCode;

use super::lookup::{self, Lookup};
use super::media::Media;
use super::open::Root;
use super::requester;
use super::resolve::RelPath;
use super::{ATTEMPTS, Files, Page, Pages, RequestInfo, Snippet};

/// The chosen response.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    File {
        path: RelPath,
        len: u64,
        status: StatusCode,
    },
    Listing(RelPath),
    /// To the same path with a trailing slash.
    Redirect(RelPath),
    NotFound,
}

impl Files {
    /// Chooses the response, and takes the snippet for it if it is a page.
    ///
    /// The first choice only decides for which page the snippet is taken. It is repeated afterwards, because
    /// the page would not be notified of a change between the two.
    pub(super) fn choose_with_snippet(
        &self,
        target: Option<&RelPath>,
        request: RequestInfo<'_>,
        pages: &dyn Pages,
    ) -> io::Result<(Option<Root>, Choice, Option<Snippet>)> {
        let (mut root, mut choice) = self.choose(target, request.navigation)?;
        if !request.navigation {
            return Ok((root, choice, None));
        }
        let mut snippet = choice.script_for(self, request, pages);
        for _ in 0..ATTEMPTS {
            let (root_now, choice_now) = self.choose(target, true)?;
            let settled = choice_now.is_same_page(&choice);
            (root, choice) = (root_now, choice_now);
            if settled {
                break;
            }
            snippet = choice.script_for(self, request, pages);
        }
        Ok((root, choice, snippet))
    }

    fn choose(
        &self,
        target: Option<&RelPath>,
        navigation: bool,
    ) -> io::Result<(Option<Root>, Choice)> {
        let root = self
            .root
            .current(&self.options.root, self.options.follow_symlinks)?;
        let Some(root) = root else {
            return Ok((None, Choice::NotFound));
        };
        let choice = self.choose_below(&root, target, navigation)?;
        Ok((Some(root), choice))
    }

    fn choose_below(
        &self,
        root: &Root,
        target: Option<&RelPath>,
        navigation: bool,
    ) -> io::Result<Choice> {
        let found = match target {
            Some(target) => (lookup::find(root, target)?, target),
            None => (Lookup::NotFound, &RelPath::default()),
        };
        match found {
            (Lookup::File { path, len }, _) => {
                return Ok(Choice::File {
                    path,
                    len,
                    status: StatusCode::OK,
                });
            }
            (Lookup::DirectoryWithIndex, target) => {
                return Ok(Choice::Redirect(target.with_trailing_slash()));
            }
            _ => {}
        }
        // A route of an app takes precedence over the listing of a directory with the same name.
        if navigation
            && let Some(spa) = &self.spa
            && let Lookup::File { path, len } = lookup::find(root, spa)?
        {
            return Ok(Choice::File {
                path,
                len,
                status: StatusCode::OK,
            });
        }
        match found {
            (Lookup::Directory, target) if self.options.listing && target.has_trailing_slash() => {
                return Ok(Choice::Listing(target.clone()));
            }
            (Lookup::Directory, target) if self.options.listing => {
                return Ok(Choice::Redirect(target.with_trailing_slash()));
            }
            _ => {}
        }
        if navigation
            && let Some(path) = RelPath::plain("404.html")
            && let Lookup::File { path, len } = lookup::find(root, &path)?
        {
            return Ok(Choice::File {
                path,
                len,
                status: StatusCode::NOT_FOUND,
            });
        }
        Ok(Choice::NotFound)
    }
}

impl Choice {
    /// Whether this is the same response, regardless of the length of a file.
    fn is_same_page(&self, other: &Choice) -> bool {
        match (self, other) {
            (
                Choice::File { path, status, .. },
                Choice::File {
                    path: other,
                    status: other_status,
                    ..
                },
            ) => path == other && status == other_status,
            (this, other) => this == other,
        }
    }

    fn script_for(
        &self,
        files: &Files,
        request: RequestInfo<'_>,
        pages: &dyn Pages,
    ) -> Option<Snippet> {
        match self {
            Choice::File { path, status, .. } => {
                if Media::of(path.name()?) != Media::Html {
                    return None;
                }
                let url_path = &files.url_path(path);
                Some(pages.script_for(&match *status {
                    StatusCode::OK => Page::File {
                        url_path,
                        framed: requester::is_framed_by_us(request.headers),
                    },
                    _ => Page::NotFound,
                }))
            }
            Choice::Listing(path) => Some(pages.script_for(&Page::Listing {
                url_path: &files.url_path(path),
            })),
            Choice::NotFound => Some(pages.script_for(&Page::NotFound)),
            Choice::Redirect(_) => None,
        }
    }
}
