//! What `tidings why` is told: the rules of the watcher, as text for people and as JSON for programs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};
use tidings::watch::{Because, Explanation};

use crate::report::{PageName, printable};

/// Whether a change of a path counts, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Explained {
    #[serde(serialize_with = "as_text")]
    pub(super) path: PathBuf,
    /// The watched folder or file that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    pub(super) counts: bool,
    steps: Vec<Step>,
    /// What happens then; only of a running server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) effect: Option<Effect>,
    /// What each open page would do.
    #[serde(default)]
    pub(super) pages: Vec<Answer>,
}

/// What is decided about one entry on the way from the root to the path.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Step {
    #[serde(serialize_with = "as_text")]
    path: PathBuf,
    ignored: bool,
    #[serde(flatten)]
    rule: Rule,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
enum Rule {
    Root,
    /// `--ignore`, or `ignore` in the configuration file.
    Option {
        pattern: String,
    },
    Gitignore {
        #[serde(serialize_with = "as_text")]
        file: PathBuf,
        line: usize,
        pattern: String,
    },
    /// What is not watched unless a rule says so.
    Default {
        what: String,
    },
    None,
    /// What a link leads to may not be served.
    Outside {
        #[serde(serialize_with = "as_text")]
        leads_to: PathBuf,
    },
    Dangling,
    Special,
    Probe,
}

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Effect {
    /// It is sent to the pages.
    Pages,
    /// The command is built and started again.
    Restart,
    /// It is none of those that the command is restarted for.
    Nothing,
}

/// What a page would do about it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    #[serde(flatten)]
    pub(super) page: PageName,
    /// None if it did not answer.
    #[serde(rename = "would", skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) why: String,
}

impl Explained {
    pub(super) fn new(explanation: Explanation) -> Explained {
        let steps = explanation.steps.into_iter().map(|step| Step {
            path: step.path,
            ignored: step.ignored,
            rule: Rule::from(step.because),
        });
        Explained {
            path: explanation.path,
            root: explanation
                .root
                .map(|root| root.to_string_lossy().into_owned()),
            counts: explanation.reported,
            steps: steps.collect(),
            effect: None,
            pages: Vec::new(),
        }
    }

    /// The lines about the rules. Paths are shown relative to this directory.
    pub(super) fn rules(&self, here: &Path) -> Vec<String> {
        if self.root.is_none() {
            return vec!["it is in no folder that is watched".to_owned()];
        }
        let names: Vec<_> = self
            .steps
            .iter()
            .map(|step| relative(&step.path, here))
            .collect();
        let width = names.iter().map(|name| name.chars().count()).max();
        let width = width.unwrap_or_default();
        let steps = self.steps.iter().zip(&names);
        let line = |(step, name): (&Step, &String)| {
            format!("  {name:width$}  {}", step.rule.text(step.ignored, here))
        };
        steps.map(line).collect()
    }
}

impl From<Because> for Rule {
    fn from(because: Because) -> Rule {
        match because {
            Because::Root => Rule::Root,
            Because::Option { glob } => Rule::Option { pattern: glob },
            Because::Gitignore {
                file,
                line,
                pattern,
            } => Rule::Gitignore {
                file,
                line,
                pattern,
            },
            Because::Default(what) => Rule::Default {
                what: what.to_owned(),
            },
            Because::OutOfScope { real } => Rule::Outside { leads_to: real },
            Because::Dangling => Rule::Dangling,
            Because::Special => Rule::Special,
            Because::Probe => Rule::Probe,
            _ => Rule::None,
        }
    }
}

impl Rule {
    fn text(&self, ignored: bool, here: &Path) -> String {
        let verdict = match ignored {
            true => "not watched",
            false => "watched",
        };
        match self {
            Rule::Root => "watched: it is named, or is the folder that is served".to_owned(),
            Rule::Option { pattern } => {
                format!("{verdict}: --ignore {}", printable(pattern))
            }
            Rule::Gitignore {
                file,
                line,
                pattern,
            } => {
                let file = relative(file, here);
                format!("{verdict}: {file}:{line}: {}", printable(pattern))
            }
            Rule::Default { what } => {
                format!("{verdict}: it is {what} (--ignore '!NAME' watches it after all)")
            }
            Rule::None if ignored => "not watched: only the file itself is".to_owned(),
            Rule::None => "watched: no rule is about it".to_owned(),
            Rule::Outside { leads_to } => {
                let leads_to = relative(leads_to, here);
                format!("not watched: it is not served; it leads to {leads_to}")
            }
            Rule::Dangling => "not watched: a link that leads nowhere".to_owned(),
            Rule::Special => "not watched: no file and no folder".to_owned(),
            Rule::Probe => "not watched: Vim tries whether it may write here".to_owned(),
        }
    }
}

/// For people and programs that read: JSON has no bytes that are no UTF-8.
fn as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// The path as one would type it here.
pub(super) fn relative(path: &Path, here: &Path) -> String {
    let shown = match path.strip_prefix(here) {
        Ok(below) if below.as_os_str().is_empty() => Path::new("."),
        Ok(below) => below,
        Err(_) => path,
    };
    printable(&shown.to_string_lossy()).into_owned()
}
