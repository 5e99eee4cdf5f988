//! What is special about the values of flags and variables: switches, and lists in one value.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;

/// For switches: `true` for the flag; as a variable `1`, `true` and the like, or `0`, `false` and nothing.
pub(super) type SwitchParser = FalseyValueParser;

/// Paths of a flag that may be repeated. On the command line, each is one path, whatever characters it
/// contains; the variable is a list like `PATH`.
pub(super) fn paths(given: &[PathBuf], variable: Option<&OsStr>) -> Vec<PathBuf> {
    match (given, variable) {
        ([one], Some(list)) if one.as_os_str() == list => std::env::split_paths(list)
            .filter(|path| !path.as_os_str().is_empty())
            .collect(),
        _ => given.to_vec(),
    }
}

/// The patterns of `--ignore`. A value may hold several, separated by commas; commas in braces, as in
/// `*.{tmp,log}`, do not separate.
pub(super) fn globs(given: &[String]) -> Vec<String> {
    let mut globs = Vec::new();
    for list in given {
        let mut depth = 0_usize;
        let parts = list.split(|character| {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            character == ',' && depth == 0
        });
        globs.extend(parts.filter(|glob| !glob.is_empty()).map(str::to_owned));
    }
    globs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_path_is_taken_as_typed_and_the_variable_holds_several() {
        let path = |path: &str| PathBuf::from(path);
        let typed = [path("a,b:c")];
        assert_eq!(paths(&typed, None), typed);
        assert_eq!(paths(&typed, Some("x:y".as_ref())), typed);
        let variable = [path("/a,b:c:")];
        let several = paths(&variable, Some("/a,b:c:".as_ref()));
        assert_eq!(several, [path("/a,b"), path("c")]);
    }
}
