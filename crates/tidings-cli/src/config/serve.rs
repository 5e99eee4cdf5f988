//! The settings of `tidings serve`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidings::watch;

use super::{Differences, Output, Pages, Route, Server, Watched};
use crate::files::{self, Compress};
use crate::rules::LiveRules;

#[derive(Clone, Debug)]
pub(crate) struct Serve {
    pub(crate) output: Output,
    pub(crate) server: Server,
    pub(crate) watched: Watched,
    pub(crate) pages: Pages,
    /// Headers and redirects. They can change while the server runs.
    pub(crate) rules: Arc<LiveRules>,
    /// The folder as it was typed, for messages.
    pub(crate) dir: PathBuf,
    /// Other folders, under paths of their own.
    pub(crate) mounts: Vec<Mount>,
    /// What is passed to backends.
    pub(crate) proxy: Vec<Route>,
    /// The page that answers addresses without a file, in a single-page application.
    pub(crate) spa: Option<String>,
    pub(crate) follow_symlinks: bool,
    /// Whether folders without an index are listed.
    pub(crate) listing: bool,
    pub(crate) compress: Compress,
}

/// A folder that is served under a path of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Whole segments: it begins with a slash and does not end with one.
    pub(crate) prefix: String,
    pub(crate) dir: PathBuf,
}

impl super::Config for Serve {
    fn rules(&self) -> &Arc<LiveRules> {
        &self.rules
    }

    fn watched(&self) -> &Watched {
        &self.watched
    }

    fn differences(&self, other: &Serve) -> Vec<&'static str> {
        let Serve {
            output,
            server,
            watched,
            pages,
            rules: _,
            dir,
            mounts,
            proxy,
            spa,
            follow_symlinks,
            listing,
            compress,
        } = self;
        let mut found = Differences::default();
        found.of_shared(
            (output, server, watched, pages),
            (&other.output, &other.server, &other.watched, &other.pages),
        );
        found.note("dir", *dir != other.dir);
        found.note("mounts", *mounts != other.mounts);
        found.note("proxy", *proxy != other.proxy);
        found.note("spa", *spa != other.spa);
        found.note("follow-symlinks", *follow_symlinks != other.follow_symlinks);
        found.note("listing", *listing != other.listing);
        found.note("compress", *compress != other.compress);
        found.keys
    }
}

impl Mount {
    /// The path as it is compared with those of requests.
    pub(crate) fn prefix(text: &str) -> Result<String, String> {
        // Not percent-encoded, so that there is one way to write it.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        let prefix = text.trim_end_matches('/');
        let segments = prefix.split('/').skip(1);
        let is_path = text.starts_with('/') && text.chars().all(is_plain);
        match is_path
            && segments
                .clone()
                .all(|name| !matches!(name, "" | "." | ".."))
        {
            true if !prefix.is_empty() => Ok(prefix.to_owned()),
            _ => Err(format!(
                "{text:?} is not a path such as /docs, of letters, digits, `-`, `.`, `_` and `~`"
            )),
        }
    }
}

impl Serve {
    /// How files below `root` are served, under this path; it is empty for the whole site.
    pub(crate) fn files(&self, root: &Path, mount: &str) -> files::Options {
        files::Options {
            root: root.to_owned(),
            mount: mount.to_owned(),
            spa: self.spa.clone().filter(|_| mount.is_empty()),
            follow_symlinks: self.follow_symlinks,
            listing: self.listing,
            compress: self.compress,
        }
    }

    /// What is watched: below `roots` whatever a request for it could read, below another path whatever
    /// is really there.
    pub(crate) fn watch_options(&self, roots: &[PathBuf]) -> watch::Options {
        let mut options = watch::Options::new(roots.iter().chain(&self.watched.paths));
        options.ignore.clone_from(&self.watched.ignore);
        options.gitignore = self.watched.gitignore;
        options.poll = self.watched.poll;
        let (roots, follow_symlinks) = (roots.to_vec(), self.follow_symlinks);
        options.scope = watch::Scope::Where(Arc::new(move |candidate| {
            match roots.iter().any(|root| candidate.root == root) {
                true => files::may_be_read(
                    candidate.path,
                    candidate.real,
                    candidate.real_root,
                    follow_symlinks,
                ),
                false => follow_symlinks || candidate.real.starts_with(candidate.real_root),
            }
        }));
        options
    }
}
