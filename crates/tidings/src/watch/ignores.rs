//! Which paths nobody wants to hear of.
//!
//! Three layers, the last that has an opinion wins: what we ignore by ourselves (dot-files,
//! `node_modules`, the temporaries of editors), the `.gitignore` files, the globs of the options.
//! As in git, what lies below an ignored directory is ignored and cannot be fetched back.
//!
//! What must stay true: **the root itself is never ignored**. Serving `dist` while the
//! repository says `dist/` is the normal case, so a pattern that would swallow the root or all
//! that is in it does not count.

use super::error::WatchError;
use super::explain::Because;
use ignore::gitignore::{Gitignore, GitignoreBuilder, Glob};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of git's file of patterns.
pub(super) const GITIGNORE: &str = ".gitignore";

/// A name no pattern means; one that matches it matches everything.
const PROBE: &str = "tidings-7f3a90c1-probe.zzz";

/// The rules for what is below one root.
#[derive(Clone, Debug)]
pub(super) struct Ignores {
    root: PathBuf,
    gitignore: bool,
    globs: Gitignore,
    /// `.git/info/exclude` and the `.gitignore` files above the root, outermost first.
    above: Vec<RuleFile>,
    /// The `.gitignore` files at and below the root, by their directory.
    below: HashMap<PathBuf, RuleFile>,
}

/// One file of patterns.
#[derive(Clone, Debug)]
struct RuleFile {
    file: PathBuf,
    patterns: Gitignore,
    /// The lines that count, with their numbers, for who asks which one decided.
    lines: Vec<(usize, Box<str>)>,
}

/// Which rule decides about an entry.
#[derive(Debug)]
enum Decision<'a> {
    /// A glob of the options.
    Option(&'a Glob),
    Gitignore(&'a RuleFile, &'a Glob),
    /// A name that we ignore by ourselves, and what it is.
    Default(&'static str),
    /// There is no rule about it.
    Nothing,
}

impl Decision<'_> {
    fn ignores(&self) -> bool {
        match self {
            Decision::Option(glob) | Decision::Gitignore(_, glob) => !glob.is_whitelist(),
            Decision::Default(_) => true,
            Decision::Nothing => false,
        }
    }

    fn because(&self) -> Because {
        match self {
            Decision::Option(glob) => Because::Option {
                glob: glob.original().to_owned(),
            },
            Decision::Gitignore(rules, glob) => Because::Gitignore {
                file: rules.file.clone(),
                line: rules.line_of(glob),
                pattern: glob.original().to_owned(),
            },
            Decision::Default(what) => Because::Default(what),
            Decision::Nothing => Because::NoRule,
        }
    }
}

impl RuleFile {
    fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Where a pattern is. Of lines with the same text the last one decides, as in git.
    fn line_of(&self, glob: &Glob) -> usize {
        let mut lines = self.lines.iter().rev();
        let found = lines.find(|(_, text)| **text == *glob.original());
        found.map_or(0, |(number, _)| *number)
    }
}

impl Ignores {
    /// `root` is absolute. Reads the `.gitignore` files above it; those at and below it come by
    /// [`load`](Self::load).
    pub(super) fn new(
        root: &Path,
        globs: &[String],
        gitignore: bool,
    ) -> Result<Ignores, WatchError> {
        let mut builder = GitignoreBuilder::new(root);
        for glob in globs {
            builder
                .add_line(None, glob)
                .map_err(|error| WatchError::Pattern {
                    glob: glob.clone(),
                    reason: error.to_string(),
                })?;
        }
        let globs = builder.build().map_err(|error| WatchError::Pattern {
            glob: globs.join(" "),
            reason: error.to_string(),
        })?;
        let above = if gitignore {
            rules_above(root)
        } else {
            Vec::new()
        };
        Ok(Ignores {
            root: root.to_owned(),
            gitignore,
            globs,
            above,
            below: HashMap::new(),
        })
    }

    /// Whether a change of this file changes the rules.
    pub(super) fn is_rules(&self, path: &Path) -> bool {
        self.gitignore && path.file_name() == Some(OsStr::new(GITIGNORE))
    }

    /// Reads (again) the `.gitignore` of a directory at or below the root.
    pub(super) fn load(&mut self, directory: &Path) {
        if !self.gitignore {
            return;
        }
        let rules = read_rules(&directory.join(GITIGNORE), directory, &self.root);
        if rules.is_empty() {
            self.below.remove(directory);
        } else {
            self.below.insert(directory.to_owned(), rules);
        }
    }

    /// Reads the `.gitignore` files of the directories from the root down to this path.
    pub(super) fn load_above(&mut self, path: &Path) {
        for above in path.ancestors().skip(1) {
            if above.starts_with(&self.root) {
                self.load(above);
            }
        }
    }

    /// Whether a path below the root is ignored, by itself or by a directory above it.
    pub(super) fn ignored(&self, path: &Path, is_dir: bool) -> bool {
        let Ok(relative) = path.strip_prefix(&self.root) else {
            return true;
        };
        let mut at = self.root.clone();
        let mut components = relative.components().peekable();
        while let Some(component) = components.next() {
            at.push(component);
            if self.ignored_entry(&at, is_dir || components.peek().is_some()) {
                return true;
            }
        }
        false
    }

    /// Whether an entry of a directory that is not ignored itself is ignored.
    pub(super) fn ignored_entry(&self, path: &Path, is_dir: bool) -> bool {
        self.decision(path, is_dir).ignores()
    }

    /// As [`ignored_entry`](Self::ignored_entry), with the rule that decides.
    pub(super) fn explain_entry(&self, path: &Path, is_dir: bool) -> (bool, Because) {
        let decision = self.decision(path, is_dir);
        (decision.ignores(), decision.because())
    }

    fn decision(&self, path: &Path, is_dir: bool) -> Decision<'_> {
        if let Some(glob) = self.globs.matched(path, is_dir).inner() {
            return Decision::Option(glob);
        }
        let nearest_first = path
            .ancestors()
            .skip(1)
            .take_while(|directory| directory.starts_with(&self.root))
            .filter_map(|directory| self.below.get(directory));
        let below = (!self.below.is_empty()).then_some(nearest_first);
        let mut files = below.into_iter().flatten().chain(self.above.iter().rev());
        let by_git = files.find_map(|rules| {
            let glob = *rules.patterns.matched(path, is_dir).inner()?;
            Some(Decision::Gitignore(rules, glob))
        });
        by_git.unwrap_or_else(|| {
            let name = path.file_name();
            match name.and_then(|name| ignored_by_default(name, is_dir)) {
                Some(what) => Decision::Default(what),
                None => Decision::Nothing,
            }
        })
    }

    /// Whether a glob of the options fetches back this path, or a directory above it.
    pub(super) fn asked_for(&self, path: &Path, is_dir: bool) -> bool {
        if self.globs.num_whitelists() == 0 {
            return false;
        }
        let below = path.ancestors().take_while(|at| *at != self.root);
        below
            .filter(|at| at.starts_with(&self.root))
            .any(|at| self.globs.matched(at, is_dir || at != path).is_whitelist())
    }
}

/// Dot-files, dependencies, and files that editors put beside another while they save it: what kind of
/// file it is, if it is one of these. Nobody edits a directory, so those rules are for files.
fn ignored_by_default(name: &OsStr, is_dir: bool) -> Option<&'static str> {
    let name = name.as_encoded_bytes();
    let ends_with = |suffix: &[u8]| name.len() > suffix.len() && name.ends_with(suffix);
    // Emacs: `#index.html#`, what was typed and not saved yet.
    let emacs = name.len() > 2 && name.starts_with(b"#") && name.ends_with(b"#");
    let temporary = !is_dir
        && (emacs
            // Many: the version to be, until it is renamed.
            || ends_with(b".tmp")
            // Chromium: what a page writes by the File System Access API.
            || ends_with(b".crswap")
            // JetBrains: the version to be, and the one that was.
            || ends_with(b"___jb_tmp___")
            || ends_with(b"___jb_old___"));
    if name.starts_with(b".") && name != b".well-known" {
        Some("a hidden name")
    } else if is_dir && (name == b"node_modules" || name == b"__pycache__") {
        Some("a folder of dependencies or of generated files")
    } else if temporary {
        Some("a temporary file of an editor")
    } else if !is_dir && ends_with(b"~") {
        // Emacs, Vim, gedit, nano: the version before the save.
        Some("a backup copy of an editor")
    } else {
        None
    }
}

/// How long Vim leaves its probe file. It removes it at once; a network takes its time.
const VIM_PROBE_AGE: Duration = Duration::from_secs(2);

/// Vim tries whether it may create files in a directory, by an empty file named `4913`, or 123 more
/// where there is such a file already, and so on (bufwrite.c: `buf_write`). What has been there
/// for a while, or has something in it, is somebody's file.
pub(super) fn is_vim_probe(path: &Path, meta: &Metadata) -> bool {
    if !meta.is_file() || meta.len() > 0 {
        return false;
    }
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let number = name.parse::<u32>().ok().filter(|number| {
        number.to_string() == name && *number >= 4913 && (number - 4913).is_multiple_of(123)
    });
    let Some(number) = number else { return false };
    let age = meta.modified().ok().and_then(|time| time.elapsed().ok());
    let before = || path.with_file_name((number - 123).to_string());
    age.is_none_or(|age| age < VIM_PROBE_AGE) && (number == 4913 || before().exists())
}

/// The rules of the repository that the root lies in, from its top down to just above the root.
fn rules_above(root: &Path) -> Vec<RuleFile> {
    let Some(top) = root.ancestors().find(|at| at.join(".git").exists()) else {
        return Vec::new();
    };
    let mut between: Vec<&Path> = root
        .ancestors()
        .skip(1)
        .take_while(|at| at.starts_with(top))
        .collect();
    between.reverse();
    let exclude = read_rules(&top.join(".git/info/exclude"), top, root);
    std::iter::once(exclude)
        .chain(
            between
                .into_iter()
                .map(|at| read_rules(&at.join(GITIGNORE), at, root)),
        )
        .filter(|rules| !rules.is_empty())
        .collect()
}

/// Reads one file of patterns that are relative to `directory`. Like git, what cannot be read
/// or understood is passed over.
fn read_rules(file: &Path, directory: &Path, root: &Path) -> RuleFile {
    let mut rules = RuleFile {
        file: file.to_owned(),
        patterns: Gitignore::empty(),
        lines: Vec::new(),
    };
    let Ok(text) = std::fs::read(file) else {
        return rules;
    };
    let text = String::from_utf8_lossy(&text);
    let mut builder = GitignoreBuilder::new(directory);
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if root.starts_with(directory) && swallows(line, directory, root) {
            continue;
        }
        // A line that is no pattern is skipped, as git does.
        if builder.add_line(None, line).is_ok() && !line.starts_with('#') {
            // As the pattern keeps it.
            let text = match line.ends_with("\\ ") {
                true => line,
                false => line.trim_end(),
            };
            rules.lines.push((index + 1, text.into()));
        }
    }
    if let Ok(patterns) = builder.build() {
        rules.patterns = patterns;
    }
    rules
}

/// Whether a line ignores the root, a directory above it, or whatever is in it.
fn swallows(line: &str, directory: &Path, root: &Path) -> bool {
    let mut builder = GitignoreBuilder::new(directory);
    if builder.add_line(None, line).is_err() {
        return true;
    }
    let Ok(rule) = builder.build() else {
        return true;
    };
    let probe = root.join(PROBE);
    root.ancestors()
        .take_while(|at| *at != directory && at.starts_with(directory))
        .any(|at| rule.matched(at, true).is_ignore())
        || rule.matched(&probe, false).is_ignore()
        || rule.matched(&probe, true).is_ignore()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn rules(root: &Path, globs: &[&str]) -> Ignores {
        let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        let mut ignores = Ignores::new(root, &globs, true).unwrap();
        ignores.load(root);
        ignores
    }

    #[track_caller]
    fn check(ignores: &Ignores, ignored: &[&str], kept: &[&str]) {
        for name in ignored {
            assert!(ignores.ignored(&ignores.root.join(name), false), "{name}");
        }
        for name in kept {
            assert!(!ignores.ignored(&ignores.root.join(name), false), "{name}");
        }
    }

    #[test]
    fn temporaries_of_editors_are_ignored() {
        check(
            &rules(Path::new("/nowhere/site"), &[]),
            &[
                ".git/index",
                "node_modules/x/y.js",
                ".env",
                "a/.DS_Store",
                "index.html~",
                ".index.html.swp",
                "#index.html#",
                ".#index.html",
                "a.html___jb_tmp___",
                "a.html___jb_old___",
                "a.html.crswap",
                "a.tmp",
                "__pycache__/a.pyc",
            ],
            &[
                "index.html",
                ".well-known/acme",
                "4913",
                "5036",
                "#",
                "##",
                "~",
                "a/b/c.css",
                "a~b",
                "picture.swp",
                "my node_modules.txt",
                // Directories.
                "notes.tmp/a",
                "a~/a",
                "#a#/a",
                "4913/a",
                "x___jb_tmp___/a",
            ],
        );
    }

    #[test]
    fn the_probe_of_vim_is_empty_young_and_has_vims_number() {
        let dir = tempfile::tempdir().unwrap();
        let is_probe = |name: &str| {
            let path = dir.path().join(name);
            is_vim_probe(&path, &fs::metadata(&path).unwrap())
        };
        write(&dir.path().join("5036"), "");
        assert!(!is_probe("5036"), "there is no 4913");
        write(&dir.path().join("4913"), "");
        assert!(is_probe("4913") && is_probe("5036"));
        for (name, text) in [("4914", ""), ("2026", ""), ("04913", ""), ("5159", "x")] {
            write(&dir.path().join(name), text);
            assert!(!is_probe(name), "{name}");
        }
        let old = std::time::SystemTime::now() - 2 * VIM_PROBE_AGE;
        let file = fs::File::create(dir.path().join("4913")).unwrap();
        file.set_modified(old).unwrap();
        assert!(!is_probe("4913"));
        fs::create_dir(dir.path().join("5282")).unwrap();
        assert!(!is_probe("5282"));
    }

    #[test]
    fn what_the_user_asked_for_is_known() {
        let ignores = rules(Path::new("/nowhere/site"), &["*.log", "!.env", "!/.data/"]);
        let asked_for = |name: &str| ignores.asked_for(&ignores.root.join(name), false);
        assert!(asked_for(".env") && asked_for("a/.env") && asked_for(".data/x"));
        assert!(!asked_for("index.html") && !asked_for("a.log"));
    }

    #[test]
    fn globs_of_the_options_win() {
        check(
            &rules(
                Path::new("/nowhere/site"),
                &["*.log", "/drafts/", "!.env", "!keep.tmp"],
            ),
            &["a.log", "b/a.log", "drafts/x", ".other"],
            &[".env", "keep.tmp", "a/drafts/x"],
        );
    }

    #[test]
    fn a_glob_that_is_none_is_named() {
        let error = Ignores::new(Path::new("/x"), &["a[".to_owned(), "{b".to_owned()], true);
        assert!(matches!(error, Err(WatchError::Pattern { glob, .. }) if glob == "{b"));
    }

    #[test]
    fn gitignores_from_the_top_of_the_repository_down_count_and_the_nearest_wins() {
        let repo = tempfile::tempdir().unwrap();
        let site = repo.path().join("web/site");
        fs::create_dir_all(repo.path().join(".git/info")).unwrap();
        write(&repo.path().join(".git/info/exclude"), "secret.txt\n");
        write(
            &repo.path().join(".gitignore"),
            "*.map\n/web/site/out/\n*.gen\n",
        );
        write(&repo.path().join("web/.gitignore"), "!*.gen\n");
        write(&site.join(".gitignore"), "build/\n");
        write(&site.join("a/.gitignore"), "!x.map\n");
        let mut ignores = rules(&site, &[]);
        ignores.load(&site.join("a"));
        check(
            &ignores,
            &[
                "secret.txt",
                "x.map",
                "out/x",
                "build/x",
                "a/build/x",
                "a/y.map",
            ],
            &["a/x.map", "x.gen", "index.html"],
        );
    }

    #[test]
    fn a_pattern_that_ignores_the_root_does_not_count() {
        for pattern in ["dist/", "/dist", "dist/*", "dist/**", "*", "**/dist/**"] {
            let repo = tempfile::tempdir().unwrap();
            let dist = repo.path().join("dist");
            fs::create_dir_all(repo.path().join(".git")).unwrap();
            write(
                &repo.path().join(".gitignore"),
                &format!("{pattern}\n*.map\n"),
            );
            write(&dist.join(".gitignore"), "*\n");
            check(&rules(&dist, &[]), &["x.map"], &["index.html", "a/b.css"]);
        }
    }

    #[test]
    fn a_changed_gitignore_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(GITIGNORE);
        write(&file, "*.a\n");
        let mut ignores = rules(dir.path(), &[]);
        check(&ignores, &["x.a"], &["x.b"]);
        write(&file, "*.b\n");
        ignores.load(dir.path());
        check(&ignores, &["x.b"], &["x.a"]);
    }

    #[test]
    fn without_gitignore_its_patterns_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join(GITIGNORE), "*.a\n");
        let mut ignores = Ignores::new(dir.path(), &[], false).unwrap();
        ignores.load(dir.path());
        check(&ignores, &[], &["x.a"]);
    }
}
