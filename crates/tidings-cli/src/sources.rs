//! The project's files that a message names: shown by pages, and opened in the editor.
//!
//! What must stay true: only files inside the watched folders are found, links resolved, and none that is hidden
//! or holds keys. So neither a page nor the output of a program makes us read or open anything else.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use tidings::reload::{Excerpt, Place, Problem};

use crate::files;

/// Longer names are no names of files.
const MAX_NAME: usize = 4096;

/// Places beyond these are not looked for.
const MAX_PLACES: usize = 50;

/// Of a longer file nothing is shown.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Folders with the code of others, in which nobody looks for a mistake first.
const OF_OTHERS: [&str; 3] = ["node_modules", "site-packages", "vendor"];

/// Finds the files of a project.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// The folders and files that are watched.
    roots: Vec<PathBuf>,
    /// The folders that relative names may be relative to.
    bases: Vec<PathBuf>,
}

impl Sources {
    pub(crate) fn new(
        roots: impl IntoIterator<Item = PathBuf>,
        bases: impl IntoIterator<Item = PathBuf>,
    ) -> Sources {
        let roots: Vec<_> = roots.into_iter().collect();
        let bases = bases.into_iter().chain(roots.iter().cloned()).collect();
        Sources { roots, bases }
    }

    /// The canonical path of the file with this name: a path as programs write it, or below a folder of ours as in
    /// URLs.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        let decoded;
        let name = match name.strip_prefix("file://") {
            Some(path) => {
                decoded = percent_decode_str(path).decode_utf8().ok()?;
                &*decoded
            }
            None => name,
        };
        // Two separators at the start name another machine on Windows, which would be sent the user's
        // credentials as soon as the path is looked at.
        let is_remote = name.starts_with(['/', '\\']) && name[1..].starts_with(['/', '\\']);
        if name.is_empty() || name.len() > MAX_NAME || name.contains('\0') || is_remote {
            return None;
        }
        let path = Path::new(name);
        let below = Path::new(name.trim_start_matches('/'));
        let absolute = path.is_absolute().then(|| path.to_owned());
        let mut candidates = absolute
            .into_iter()
            .chain(self.bases.iter().map(|base| base.join(below)));
        candidates.find_map(|candidate| self.inside(&candidate))
    }

    /// The canonical path, if it is that of a file inside a root.
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        let real = fs::canonicalize(path).ok()?;
        let is_inside = |root: &PathBuf| {
            let Ok(root) = fs::canonicalize(root) else {
                return false;
            };
            // A root may be a file itself.
            let below = match real.strip_prefix(&root) {
                Ok(below) if below.as_os_str().is_empty() => real.file_name().map(Path::new),
                Ok(below) => Some(below),
                Err(_) => None,
            };
            below.is_some_and(|below| files::may_be_read(below, &real, &root, false))
        };
        let is_file = real.is_file() && self.roots.iter().any(is_inside);
        is_file.then_some(real)
    }

    /// The problem with the lines of the first file that it names.
    pub(crate) fn with_excerpt(&self, problem: Problem) -> Problem {
        let places = problem.places();
        let mut excerpts = places
            .iter()
            .take(MAX_PLACES)
            .filter_map(|place| self.excerpt(place));
        match excerpts.next() {
            Some(excerpt) => problem.with_excerpt(excerpt),
            None => problem,
        }
    }

    fn excerpt(&self, place: &Place) -> Option<Excerpt> {
        let path = self.find(&place.file)?;
        let is_of_others = |name| OF_OTHERS.iter().any(|other| name == *other);
        if path.iter().any(is_of_others) {
            return None;
        }
        let mut content = Vec::new();
        let file = fs::File::open(path).ok()?;
        file.take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut content)
            .ok()?;
        let is_whole = content.len() as u64 <= MAX_FILE_BYTES;
        is_whole
            .then(|| Excerpt::of(place, &String::from_utf8_lossy(&content)))
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings::reload::ProblemKind;

    /// A project in a folder of its own, beside a file that is none of it.
    fn project() -> (tempfile::TempDir, Sources) {
        let dir = tempfile::tempdir().unwrap();
        let save = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        save("outside.rs", "secret\n");
        save("app/src/main.rs", "one\ntwo\nthree\n");
        save("app/src/a b.rs", "blank\n");
        save("app/.env", "SECRET=1\n");
        save("app/.git/config.txt", "secret\n");
        save("app/tls/server.key", "secret\n");
        save("app/node_modules/x/index.js", "library\n");
        let app = dir.path().join("app");
        let sources = Sources::new([app.clone()], [app.join("src")]);
        (dir, sources)
    }

    #[test]
    fn files_of_the_project_are_found_however_they_are_named() {
        let (dir, sources) = project();
        let main = fs::canonicalize(dir.path().join("app/src/main.rs")).unwrap();
        let absolute = main.display().to_string();
        for name in [
            "src/main.rs",
            "./src/main.rs",
            "main.rs",
            "/src/main.rs",
            "../app/src/main.rs",
            &absolute,
            &format!("file://{absolute}"),
        ] {
            assert_eq!(sources.find(name).as_ref(), Some(&main), "{name}");
        }
        assert!(sources.find("file:///src/a%20b.rs").is_some());
    }

    #[test]
    fn nothing_else_is_found_however_it_is_named() {
        let (dir, sources) = project();
        let outside = dir.path().join("outside.rs").display().to_string();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&outside, dir.path().join("app/link.rs")).unwrap();
            let fifo = dir.path().join("app/fifo");
            let made = std::process::Command::new("mkfifo").arg(fifo).status();
            assert!(made.unwrap().success());
        }
        for name in [
            "../outside.rs",
            "src/../../outside.rs",
            &outside,
            &format!("file://{outside}"),
            "link.rs",
            "fifo",
            "src",
            "",
            "/",
            "missing.rs",
            ".env",
            ".git/config.txt",
            "tls/server.key",
            "src/main.rs\0",
            "/etc/passwd",
            "file:///etc/passwd",
            &"x".repeat(5000),
        ] {
            assert_eq!(sources.find(name), None, "{name}");
        }
        // Not even looked at.
        for name in [
            r"\\evil.test\share\x.rs",
            "//evil.test/share/x.rs",
            r"\/evil.test/x",
            "file:////evil.test/x",
            "file://%5C%5Cevil.test/x",
        ] {
            assert_eq!(sources.find(name), None, "{name}");
        }
        let env = Sources::new([dir.path().join("app/.env")], []);
        assert_eq!(env.find(".env"), None);
        let file = Sources::new(
            [dir.path().join("app/src/main.rs")],
            [dir.path().join("app")],
        );
        assert!(file.find("src/main.rs").is_some());
        assert_eq!(file.find("src/a b.rs"), None);
    }

    #[test]
    fn a_problem_shows_the_first_file_of_the_project_that_it_names() {
        let (dir, sources) = project();
        let shown = |text: &str| {
            let problem = Problem::new(ProblemKind::BuildFailed, "t", text);
            let problem = sources.with_excerpt(problem);
            let json = serde_json::to_value(&problem).unwrap();
            json["excerpt"]["lines"].to_string()
        };
        let three = r#"["one","two","three"]"#;
        let outside = dir.path().join("outside.rs").display().to_string();
        assert_eq!(shown("error at src/main.rs:2:1"), three);
        assert_eq!(
            shown(&format!(
                "{outside}:1: no\nnode_modules/x/index.js:1: no\nmissing.rs:1: no\nsrc/main.rs:2: yes"
            )),
            three
        );
        assert_eq!(shown("src/main.rs:9:1"), "null");
        assert_eq!(shown(".env:1:1"), "null");
        assert_eq!(shown("no place"), "null");
    }
}
