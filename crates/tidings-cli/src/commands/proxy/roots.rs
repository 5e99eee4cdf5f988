//! Which changes show in the pages, and which restart the backend: pure.

use std::path::{Path, PathBuf};

use tidings::watch::{Change, ChangeSet};

use crate::config::{Proxy, file};

/// Files that programs write while they run, and that nobody edits: changes of these below a folder do not
/// restart the backend. Whoever wants that names the file itself.
const WRITTEN_BY_PROGRAMS: [&str; 7] = ["db", "log", "pid", "pyc", "sock", "sqlite", "sqlite3"];

/// What SQLite puts next to a database.
const SQLITE_SUFFIXES: [&str; 3] = ["-journal", "-wal", "-shm"];

/// The paths of `--watch` and `--restart`, absolute.
#[derive(Clone, Debug)]
pub(super) struct Roots {
    pub(super) watch: Vec<PathBuf>,
    pub(super) restart: Vec<PathBuf>,
}

/// A set of changes, taken apart.
#[derive(Debug)]
pub(super) struct Sorted {
    /// What shows in the pages as it is.
    pub(super) pages: Option<ChangeSet>,
    /// What the backend is restarted for.
    pub(super) backend: Vec<PathBuf>,
}

impl Roots {
    pub(super) fn of(config: &Proxy) -> Roots {
        let absolute = |paths: &[PathBuf]| {
            // As the watcher writes them.
            let paths = paths
                .iter()
                .filter_map(|path| std::path::absolute(path).ok());
            paths.map(|path| path.components().collect()).collect()
        };
        Roots {
            watch: absolute(&config.watched.paths),
            restart: match &config.command {
                Some(command) => absolute(&command.restart),
                None => Vec::new(),
            },
        }
    }

    pub(super) fn sort(&self, mut set: ChangeSet) -> Sorted {
        let mut backend = Vec::new();
        set.changes.retain(|Change { path, .. }| {
            let restarts = self.restarts(path);
            if restarts && !is_left_out(path, &self.restart) {
                backend.push(path.clone());
            }
            !restarts
        });
        if set.rescan {
            // Anything may have changed.
            backend.extend(self.restart.iter().cloned());
        }
        let shows = !set.changes.is_empty() || (set.rescan && !self.watch.is_empty());
        Sorted {
            pages: shows.then_some(set),
            backend,
        }
    }

    /// Whether a path belongs to a root of `--restart`: the more specific root decides.
    fn restarts(&self, path: &Path) -> bool {
        let nearest = |roots: &[PathBuf]| {
            let above = roots.iter().filter(|root| path.starts_with(root));
            above.map(|root| root.components().count()).max()
        };
        // In case of a tie: new pages come with a restart, too.
        nearest(&self.restart) >= nearest(&self.watch) && !self.restart.is_empty()
    }
}

/// Whether a change of this file does not restart the backend, although a folder above it does.
fn is_left_out(path: &Path, named: &[PathBuf]) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    // Our settings are followed by ourselves.
    let is_ours = name == file::NAME;
    let suffix = SQLITE_SUFFIXES
        .iter()
        .find_map(|end| name.strip_suffix(end));
    let extension = Path::new(suffix.unwrap_or(name)).extension();
    let extension = extension.and_then(|extension| extension.to_str());
    let is_written = extension.is_some_and(|extension| WRITTEN_BY_PROGRAMS.contains(&extension));
    (is_ours || is_written) && !named.iter().any(|root| root == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings::watch::ChangeKind;

    fn roots(watch: &[&str], restart: &[&str]) -> Roots {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect();
        Roots {
            watch: paths(watch),
            restart: paths(restart),
        }
    }

    fn set(paths: &[&str]) -> ChangeSet {
        let changes = paths
            .iter()
            .map(|path| Change::new(path, ChangeKind::Modified));
        ChangeSet::new(1, changes.collect())
    }

    #[track_caller]
    fn check(roots: &Roots, path: &str, expected: &str) {
        let sorted = roots.sort(set(&[path]));
        let found = match (sorted.pages, sorted.backend.as_slice()) {
            (Some(_), []) => "pages",
            (None, [_]) => "backend",
            (None, []) => "nobody",
            other => panic!("{path}: {other:?}"),
        };
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn the_more_specific_root_decides() {
        let both = roots(
            &["/app/templates", "/app/src/a.css"],
            &["/app", "/app/templates/tags"],
        );
        check(&both, "/app/main.py", "backend");
        check(&both, "/app/templates/index.html", "pages");
        check(&both, "/app/templates/tags/x.py", "backend");
        check(&both, "/app/templates-old/x", "backend");
        check(&both, "/app/src/a.css", "pages");
        check(&both, "/app/src/b.css", "backend");
        let outer = roots(&["/app"], &["/app/src"]);
        check(&outer, "/app/static/x.css", "pages");
        check(&outer, "/app/src/main.rs", "backend");
    }

    #[test]
    fn a_path_under_both_alike_restarts() {
        check(&roots(&["/app"], &["/app"]), "/app/main.py", "backend");
    }

    #[test]
    fn without_a_command_everything_shows_in_the_pages() {
        check(&roots(&["/app"], &[]), "/app/main.py", "pages");
        check(&roots(&["/app"], &[]), "/app/x.log", "pages");
    }

    #[test]
    fn databases_logs_and_our_settings_do_not_restart_unless_they_are_named() {
        let app = roots(&[], &["/app", "/app/seed.sqlite3"]);
        for path in [
            "/app/db.sqlite3",
            "/app/db.sqlite3-journal",
            "/app/data/x.db-wal",
            "/app/server.log",
            "/app/a.pyc",
            "/app/tidings.toml",
        ] {
            check(&app, path, "nobody");
        }
        check(&app, "/app/seed.sqlite3", "backend");
        check(&app, "/app/db", "backend");
        check(&app, "/app/log.py", "backend");
    }

    #[test]
    fn one_set_may_concern_both() {
        let both = roots(&["/app/static"], &["/app"]);
        let sorted = both.sort(set(&["/app/static/a.css", "/app/main.py"]));
        let pages = sorted.pages.unwrap().changes;
        assert_eq!(pages.len(), 1);
        assert_eq!(pages[0].path, Path::new("/app/static/a.css"));
        assert_eq!(sorted.backend, [PathBuf::from("/app/main.py")]);
    }

    #[test]
    fn lost_events_concern_everybody() {
        let mut lost = set(&[]);
        lost.rescan = true;
        let sorted = roots(&["/app/static"], &["/app"]).sort(lost.clone());
        assert!(sorted.pages.unwrap().rescan);
        assert_eq!(sorted.backend, [PathBuf::from("/app")]);
        assert!(roots(&[], &["/app"]).sort(lost).pages.is_none());
    }
}
