//! Why a change of a path is reported, or why it is not: rule by rule.
//!
//! What must stay true: the answer comes from the code that decides, of which this is only another
//! caller.

use super::ignores::is_vim_probe;
use super::scan::Rules;
use super::tree::Tree;
use super::{Options, WatchError, prepare_root};
use std::fs;
use std::path::{Path, PathBuf};

/// Whether changes of a path are reported, and which rules said so. Made by [`explain`] or by
/// [`Watcher::explain`](super::Watcher::explain).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The path, absolute.
    pub path: PathBuf,
    /// The root that it belongs to; none if it lies in no root.
    pub root: Option<PathBuf>,
    /// Each entry on the way from the root to the path, and what decided about it. Ends with the
    /// first that is not reported: what is below that is not looked at.
    pub steps: Vec<Step>,
    /// Whether a change of the path is reported.
    pub reported: bool,
}

/// What was decided about one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The entry, absolute.
    pub path: PathBuf,
    /// Whether it is left out.
    pub ignored: bool,
    /// What decided.
    pub because: Because,
}

/// What decided about an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Because {
    /// It is a root.
    Root,
    /// A glob of [`Options::ignore`].
    Option {
        /// The glob.
        glob: String,
    },
    /// A line of a `.gitignore`, or of `.git/info/exclude`.
    Gitignore {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is written there.
        pattern: String,
    },
    /// A kind of name that is ignored unless a rule fetches it back.
    Default(&'static str),
    /// No rule is about it.
    NoRule,
    /// It is a link, or below one, and what it leads to does not belong to the root
    /// ([`Options::scope`]).
    OutOfScope {
        /// Where it leads.
        real: PathBuf,
    },
    /// It is a link that leads nowhere.
    Dangling,
    /// It is no file and no directory: a pipe, a socket or a device.
    Special,
    /// It is one of the files by which Vim tries whether it may write.
    Probe,
}

/// Explains a path as a [`Watcher`](super::Watcher) with these options would see it now.
///
/// # Errors
/// As of [`Watcher::start`](super::Watcher::start).
pub fn explain(options: &Options, path: &Path) -> Result<Explanation, WatchError> {
    let path = absolute(path).map_err(WatchError::System)?;
    let mut roots = Vec::with_capacity(options.roots.len());
    for root in &options.roots {
        let mut tree = prepare_root(root, &options.ignore, options.gitignore, &options.scope)?;
        tree.load_rules_above(&path);
        roots.push(RootRules::of(&tree));
    }
    Ok(of_roots(roots, path))
}

/// What decides about the paths of one root: a copy, because what is asked about is looked at, and that may take long.
pub(super) struct RootRules {
    root: PathBuf,
    is_file: bool,
    rules: Rules,
}

impl RootRules {
    pub(super) fn of(tree: &Tree) -> RootRules {
        RootRules {
            root: tree.root.clone(),
            is_file: tree.is_file,
            rules: tree.rules.clone(),
        }
    }
}

/// The path as a watcher writes it.
pub(super) fn absolute(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut plain = PathBuf::new();
    for component in path.components() {
        // As typed: the path that is asked about need not exist.
        match component {
            std::path::Component::ParentDir => {
                plain.pop();
            }
            component => plain.push(component),
        }
    }
    Ok(plain)
}

/// By the root that reports it; where none does, by the nearest one.
pub(super) fn of_roots(mut roots: Vec<RootRules>, path: PathBuf) -> Explanation {
    roots.retain(|root| path.starts_with(&root.root));
    roots.sort_by_key(|root| std::cmp::Reverse(root.root.as_os_str().len()));
    let mut nearest = None;
    for root in roots {
        let explanation = of_root(&root, &path);
        if explanation.reported {
            return explanation;
        }
        nearest.get_or_insert(explanation);
    }
    nearest.unwrap_or(Explanation {
        path,
        root: None,
        steps: Vec::new(),
        reported: false,
    })
}

fn of_root(root: &RootRules, path: &Path) -> Explanation {
    let mut steps = vec![Step {
        path: root.root.clone(),
        ignored: false,
        because: Because::Root,
    }];
    let below = path.strip_prefix(&root.root).unwrap_or(Path::new(""));
    let mut at = root.root.clone();
    let mut components = below.components().peekable();
    while let Some(component) = components.next() {
        at.push(component);
        // What is not there is taken for a file.
        let is_dir = components.peek().is_some() || at.is_dir();
        let (ignored, because) = match root.is_file {
            // Beside a root that is a file: nobody asked for it.
            true => (true, Because::NoRule),
            false => root.rules.ignores.explain_entry(&at, is_dir),
        };
        let refused = match ignored {
            true => None,
            false => refusal(&root.rules, &at, is_dir),
        };
        let (ignored, because) = match refused {
            Some(refused) => (true, refused),
            None => (ignored, because),
        };
        steps.push(Step {
            path: at.clone(),
            ignored,
            because,
        });
        if ignored {
            break;
        }
    }
    let reported = steps.iter().all(|step| !step.ignored);
    Explanation {
        path: path.to_owned(),
        root: Some(root.root.clone()),
        steps,
        reported,
    }
}

/// Why what is there does not belong to the root, although no rule ignores it.
fn refusal(rules: &Rules, path: &Path, is_dir: bool) -> Option<Because> {
    let Ok(own) = fs::symlink_metadata(path) else {
        // Nothing is there now. Where it would be decides when it comes.
        return None;
    };
    let Ok(meta) = fs::metadata(path) else {
        return own.is_symlink().then_some(Because::Dangling);
    };
    let real = fs::canonicalize(path).ok()?;
    if !rules.admit(path, &real, is_dir) {
        return Some(Because::OutOfScope { real });
    }
    if is_vim_probe(path, &meta) {
        return Some(Because::Probe);
    }
    (!meta.is_file() && !meta.is_dir()).then_some(Because::Special)
}
