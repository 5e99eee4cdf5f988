//! What answers a request: a file, a listing, a redirect, or nothing.
//!
//! The snippet says up to which moment a page knows of changes. So it is taken before the decision
//! that counts: a file that appears, vanishes or takes another's place after the snippet is either
//! in the page already, or a change that the page will hear of. What must stay true: between the
//! snippet and the answer nothing is remembered from before the snippet.

use std::io;

use http::StatusCode;

use super::lookup::{self, Found};
use super::media::Media;
use super::navigation;
use super::open::Root;
use super::resolve::RelPath;
use super::{ATTEMPTS, Files, Page, Pages, RequestInfo, Snippet};

/// What answers a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    File {
        path: RelPath,
        len: u64,
        status: StatusCode,
    },
    Listing(RelPath),
    /// To the same path with the slash that it lacks.
    Redirect(RelPath),
    NotFound,
}

impl Files {
    /// Decides what answers, and takes the snippet for it, if it is a page.
    ///
    /// The first look only tells which page to take the snippet for. The one that counts comes
    /// after the snippet, because what happens between the two would be known to nobody.
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
        let mut snippet = choice.script_for(request, pages);
        for _ in 0..ATTEMPTS {
            let (root_now, choice_now) = self.choose(target, true)?;
            let settled = choice_now.is_same_page(&choice);
            (root, choice) = (root_now, choice_now);
            if settled {
                break;
            }
            snippet = choice.script_for(request, pages);
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
            None => (Found::NotFound, &RelPath::default()),
        };
        match found {
            (Found::File { path, len }, _) => {
                return Ok(Choice::File {
                    path,
                    len,
                    status: StatusCode::OK,
                });
            }
            (Found::DirectoryWithIndex, target) => {
                return Ok(Choice::Redirect(target.with_trailing_slash()));
            }
            _ => {}
        }
        // An app's route comes before the listing of a directory that happens to have its name.
        if navigation
            && let Some(spa) = &self.spa
            && let Found::File { path, len } = lookup::find(root, spa)?
        {
            return Ok(Choice::File {
                path,
                len,
                status: StatusCode::OK,
            });
        }
        match found {
            (Found::Directory, target) if self.options.listing && target.has_trailing_slash() => {
                return Ok(Choice::Listing(target.clone()));
            }
            (Found::Directory, target) if self.options.listing => {
                return Ok(Choice::Redirect(target.with_trailing_slash()));
            }
            _ => {}
        }
        if navigation
            && let Some(path) = RelPath::plain("404.html")
            && let Found::File { path, len } = lookup::find(root, &path)?
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
    /// The same answer, though a file may have grown.
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

    fn script_for(&self, request: RequestInfo<'_>, pages: &dyn Pages) -> Option<Snippet> {
        match self {
            Choice::File { path, status, .. } => {
                if Media::of(path.name()?) != Media::Html {
                    return None;
                }
                let url_path = &path.decoded();
                Some(pages.script_for(&match *status {
                    StatusCode::OK => Page::File {
                        url_path,
                        framed: navigation::is_framed_by_us(request.headers),
                    },
                    _ => Page::NotFound,
                }))
            }
            Choice::Listing(path) => Some(pages.script_for(&Page::Listing {
                url_path: &path.decoded(),
            })),
            Choice::NotFound => Some(pages.script_for(&Page::NotFound)),
            Choice::Redirect(_) => None,
        }
    }
}
