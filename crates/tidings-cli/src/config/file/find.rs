//! Which file is read.
//!
//! The file can name commands that are run, so a file that a stranger has put in a folder above, such as
//! `/tmp`, must not be taken for one's own:
//!
//! - The search ends at the root of the repository (the folder with `.git`), and below the home directory.
//! - The file must belong to the user, to the administrator, or to whoever owns the working directory.

use std::path::{Path, PathBuf};

use super::NAME;
use crate::report::Console;

/// Which file is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The nearest one, from the working directory upwards.
    #[default]
    Nearest,
    /// This one, whoever it belongs to.
    Given(PathBuf),
    Nothing,
}

/// The path of the file, relative to the working directory unless it was given otherwise.
pub(super) fn find(wanted: &Wanted, console: &Console) -> anyhow::Result<Option<PathBuf>> {
    let file = match wanted {
        Wanted::Nothing => return Ok(None),
        Wanted::Given(file) => return Ok(Some(file.clone())),
        Wanted::Nearest => {
            // It fails where the working directory was removed: there is nothing to find there.
            let Ok(here) = std::env::current_dir() else {
                return Ok(None);
            };
            // Resolved, as the working directory is.
            let home = std::env::home_dir().and_then(|home| home.canonicalize().ok());
            let Some(levels) = nearest(&here, home.as_deref()) else {
                return Ok(None);
            };
            let mut file = PathBuf::from_iter(std::iter::repeat_n("..", levels));
            file.push(NAME);
            file
        }
    };
    match stranger(&file) {
        None => Ok(Some(file)),
        Some(owner) => {
            let shown = file.display();
            console.warn(
                &format!("{shown} is not used: it belongs to another user, {owner}"),
                Some(&format!("if you trust it, use it with --config {shown}")),
            );
            Ok(None)
        }
    }
}

/// How many levels above `here` the nearest file is.
fn nearest(here: &Path, home: Option<&Path>) -> Option<usize> {
    for (levels, dir) in here.ancestors().enumerate() {
        if levels > 0 && Some(dir) == home {
            return None;
        }
        // Also a link that leads nowhere: that is an error to be reported when it is read.
        if dir
            .join(NAME)
            .symlink_metadata()
            .is_ok_and(|meta| !meta.is_dir())
        {
            return Some(levels);
        }
        if dir.join(".git").exists() {
            return None;
        }
    }
    None
}

/// The owner of the file, if it is somebody whose file is not used. A link must be theirs as well as what
/// it leads to.
#[cfg(unix)]
fn stranger(file: &Path) -> Option<String> {
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;

    let owner = |meta: std::io::Result<Metadata>| meta.ok().map(|meta| meta.uid());
    let here = owner(std::fs::metadata("."));
    let user = rustix::process::geteuid().as_raw();
    let owners = [owner(file.symlink_metadata()), owner(file.metadata())];
    owners
        .into_iter()
        .flatten()
        .find(|owner| *owner != user && *owner != 0 && Some(*owner) != here)
        .map(|owner| format!("uid {owner}"))
}

/// Folders that anybody may write to are not usual elsewhere.
#[cfg(not(unix))]
fn stranger(_file: &Path) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[track_caller]
    fn check(paths: &[&str], here: &str, home: Option<&str>, expected: Option<usize>) {
        let root = tempfile::tempdir().unwrap();
        for path in paths {
            let path = root.path().join(path);
            match path.ends_with(".git") {
                true => fs::create_dir_all(path).unwrap(),
                false => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, "").unwrap();
                }
            }
        }
        let here = root.path().join(here);
        fs::create_dir_all(&here).unwrap();
        let home = home.map(|home| root.path().join(home));
        assert_eq!(nearest(&here, home.as_deref()), expected, "{paths:?}");
    }

    #[test]
    fn the_nearest_file_is_found_upwards() {
        check(&["a/tidings.toml"], "a", None, Some(0));
        check(&["a/tidings.toml"], "a/b/c", None, Some(2));
        check(
            &["a/tidings.toml", "a/b/tidings.toml"],
            "a/b/c",
            None,
            Some(1),
        );
    }

    #[test]
    fn the_search_ends_at_the_root_of_the_repository() {
        check(&["tidings.toml", "a/.git"], "a/b", None, None);
        check(&["a/tidings.toml", "a/.git"], "a/b", None, Some(1));
        // In a worktree and in a submodule, `.git` is a file.
        check(
            &["tidings.toml", "a/.gitmodules", "a/.git"],
            "a/b",
            None,
            None,
        );
    }

    #[test]
    fn a_file_in_the_home_directory_is_only_used_there() {
        let files = ["tidings.toml", "home/tidings.toml"];
        check(&files, "home/a", Some("home"), None);
        check(&files, "home", Some("home"), Some(0));
    }
}
