//! The folder that `tidings init` looks at. Nothing is run, and what cannot be read counts as missing.

use std::fs;
use std::path::{Path, PathBuf};

/// Larger files are not looked into.
const MAX_BYTES: u64 = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Project {
    root: PathBuf,
}

/// How a program chooses its port, as far as its source tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// From the variable `PORT`.
    Variable,
    /// This one.
    Fixed(u16),
    Unknown,
}

impl Project {
    pub(super) fn new(root: impl Into<PathBuf>) -> Project {
        Project { root: root.into() }
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Those that exist.
    pub(super) fn existing(&self, paths: &[&str]) -> Vec<String> {
        let existing = paths.iter().filter(|path| self.has(path));
        existing.map(|path| (*path).to_owned()).collect()
    }

    pub(super) fn first(&self, paths: &[&str]) -> Option<String> {
        self.existing(paths).into_iter().next()
    }

    /// The text of a file; bytes that are not UTF-8 are replaced.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let path = self.path(path);
        let meta = fs::metadata(&path).ok()?;
        if !meta.is_file() || meta.len() > MAX_BYTES {
            return None;
        }
        let bytes = fs::read(path).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Names of the folders in a folder, sorted.
    pub(super) fn folders(&self, path: &str) -> Vec<String> {
        self.entries(path, Path::is_dir)
    }

    /// Names of the files in a folder, sorted.
    pub(super) fn files(&self, path: &str) -> Vec<String> {
        self.entries(path, Path::is_file)
    }

    fn entries(&self, path: &str, is_meant: fn(&Path) -> bool) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(path)) else {
            return Vec::new();
        };
        let entries = entries.flatten().filter(|entry| is_meant(&entry.path()));
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }
}

impl Port {
    /// Looks for `PORT` as a word of its own, and else for a port in the arguments of what `listens`.
    pub(super) fn in_source(source: &str, listens: &[&str]) -> Port {
        let mut words = source.split(|c: char| c != '_' && !c.is_ascii_alphanumeric());
        if words.any(|word| word == "PORT") {
            return Port::Variable;
        }
        for call in listens {
            for (at, _) in source.match_indices(call) {
                let rest = &source[at + call.len()..];
                let line = rest.lines().next().unwrap_or_default();
                let mut numbers = line.split(|c: char| !c.is_ascii_digit());
                let port = numbers.find_map(|number| match number.len() {
                    4 | 5 => number.parse().ok(),
                    _ => None,
                });
                if let Some(port) = port {
                    return Port::Fixed(port);
                }
            }
        }
        Port::Unknown
    }
}

/// Whether a text has this word, in any case. Letters, digits, `-`, `_` and `.` belong to a word.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| matches!(c, '-' | '_' | '.') || c.is_alphanumeric();
    text.split(|c| !is_part(c))
        .any(|found| found.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_found_where_a_program_listens() {
        let listens = ["listen(", "bind("];
        for (source, expected) in [
            ("app.listen(process.env.PORT ?? 3000)", Port::Variable),
            ("const EXPORT = 1; app.listen(3000)", Port::Fixed(3000)),
            ("bind(\"127.0.0.1:8080\")", Port::Fixed(8080)),
            ("app.listen(port)\nconst year = 2024", Port::Unknown),
            ("", Port::Unknown),
        ] {
            assert_eq!(Port::in_source(source, &listens), expected, "{source}");
        }
    }

    #[test]
    fn a_word_is_a_whole_one() {
        assert!(has_word("Flask>=3\n", "flask"));
        assert!(has_word("\"fastapi[standard]\"", "fastapi"));
        assert!(!has_word("flask-cors==1", "flask"));
    }
}
