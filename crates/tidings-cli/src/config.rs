//! What `serve` is asked to do: every value that the command line may leave out has been decided here.
//!
//! `cli.rs` makes it from what was typed. The stages below get their parts of it.

use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidings::watch;

use crate::files::{self, Compress};
use crate::listen::{Host, Ports};

/// The settings of `tidings serve`.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The folder as it was typed, for messages.
    pub(crate) dir: PathBuf,
    pub(crate) host: Host,
    pub(crate) ports: Ports,
    /// Host names to answer to, besides that of `host`, `localhost` and IP addresses.
    pub(crate) allowed_hosts: Vec<String>,
    /// The page to open in the browser, as a path.
    pub(crate) open: Option<String>,
    /// The page that answers addresses without a file, in a single-page application.
    pub(crate) spa: Option<String>,
    /// Watched besides the folder.
    pub(crate) watch: Vec<PathBuf>,
    /// Patterns of what is not watched, in the syntax of `.gitignore`.
    pub(crate) ignore: Vec<String>,
    /// Whether `.gitignore` files are honoured.
    pub(crate) gitignore: bool,
    pub(crate) follow_symlinks: bool,
    /// Whether folders without an index are listed.
    pub(crate) listing: bool,
    pub(crate) compress: Compress,
}

impl Config {
    /// All host names that the server answers to, besides `localhost` and IP addresses.
    pub(crate) fn host_names(&self) -> Vec<String> {
        let mut names = self.allowed_hosts.clone();
        if let Host::Name(name) = &self.host {
            names.push(name.clone());
        }
        if !self.host.is_loopback() {
            let name = gethostname::gethostname().to_string_lossy().into_owned();
            names.extend([format!("{name}.local"), name]);
        }
        names
    }

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
    pub(crate) fn watched(&self, root: &Path) -> watch::Options {
        let mut options =
            watch::Options::new(iter::once(root).chain(self.watch.iter().map(|p| &**p)));
        options.ignore.clone_from(&self.ignore);
        options.gitignore = self.gitignore;
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
