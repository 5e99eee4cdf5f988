//! The settings of `tidings serve`.

use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidings::watch;

use super::{Differences, Output, Route, Server, Watched};
use crate::files::{self, Compress};
use crate::rules::LiveRules;

#[derive(Clone, Debug)]
pub(crate) struct Serve {
    pub(crate) output: Output,
    pub(crate) server: Server,
    pub(crate) watched: Watched,
    /// Headers and redirects. They can change while the server runs.
    pub(crate) rules: Arc<LiveRules>,
    /// The folder as it was typed, for messages.
    pub(crate) dir: PathBuf,
    /// What is passed to backends.
    pub(crate) proxy: Vec<Route>,
    /// The page that answers addresses without a file, in a single-page application.
    pub(crate) spa: Option<String>,
    pub(crate) follow_symlinks: bool,
    /// Whether folders without an index are listed.
    pub(crate) listing: bool,
    pub(crate) compress: Compress,
}

impl super::Config for Serve {
    fn rules(&self) -> &Arc<LiveRules> {
        &self.rules
    }

    fn differences(&self, other: &Serve) -> Vec<&'static str> {
        let Serve {
            output,
            server,
            watched,
            rules: _,
            dir,
            proxy,
            spa,
            follow_symlinks,
            listing,
            compress,
        } = self;
        let mut found = Differences::default();
        found.of_shared(
            (output, server, watched),
            (&other.output, &other.server, &other.watched),
        );
        found.note("dir", *dir != other.dir);
        found.note("proxy", *proxy != other.proxy);
        found.note("spa", *spa != other.spa);
        found.note("follow-symlinks", *follow_symlinks != other.follow_symlinks);
        found.note("listing", *listing != other.listing);
        found.note("compress", *compress != other.compress);
        found.keys
    }
}

impl Serve {
    /// How files below `root` are served.
    pub(crate) fn files(&self, root: &Path) -> files::Options {
        files::Options {
            root: root.to_owned(),
            spa: self.spa.clone(),
            follow_symlinks: self.follow_symlinks,
            listing: self.listing,
            compress: self.compress,
        }
    }

    /// What is watched: below `root` whatever a request for it could read, below another path whatever
    /// is really there.
    pub(crate) fn watch_options(&self, root: &Path) -> watch::Options {
        let paths = self.watched.paths.iter().map(|path| &**path);
        let mut options = watch::Options::new(iter::once(root).chain(paths));
        options.ignore.clone_from(&self.watched.ignore);
        options.gitignore = self.watched.gitignore;
        let (root, follow_symlinks) = (root.to_owned(), self.follow_symlinks);
        options.scope =
            watch::Scope::Where(Arc::new(move |candidate| match candidate.root == root {
                true => files::may_be_read(
                    candidate.path,
                    candidate.real,
                    candidate.real_root,
                    follow_symlinks,
                ),
                false => follow_symlinks || candidate.real.starts_with(candidate.real_root),
            }));
        options
    }
}
