//! The values of flags and variables, where the type alone does not say what is valid.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;

use crate::files;

/// For switches: `true` for the flag; as a variable `1`, `true` and the like, or `0`, `false` and nothing.
pub(super) type SwitchParser = FalseyValueParser;

/// A file below the served folder. It need not exist yet, but must be one that may be served.
pub(super) fn file_below(text: &str) -> Result<String, String> {
    match files::could_be_served(text) {
        true => Ok(text.to_owned()),
        false => Err(
            "give the path below the folder, such as app/index.html, without a leading slash, `..` or hidden names"
                .to_owned(),
        ),
    }
}

/// A path to request from a backend, with a query if there is one.
pub(super) fn path_on_server(text: &str) -> Result<String, String> {
    let valid = text.starts_with('/') && text.parse::<http::uri::PathAndQuery>().is_ok();
    match valid && !text.contains('#') {
        true => Ok(text.to_owned()),
        false => Err("give a path that starts with a slash, such as /healthz".to_owned()),
    }
}

/// A number of seconds, which may have a fraction.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    seconds
        .and_then(duration)
        .ok_or_else(|| "give a number of seconds, such as 30 or 0.5".to_owned())
}

/// At most a year: sums with points in time must not overflow.
pub(super) fn duration(seconds: f64) -> Option<Duration> {
    const YEAR: f64 = 365.0 * 24.0 * 3600.0;
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    (seconds <= YEAR).then_some(duration)
}

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

    #[test]
    fn the_page_of_an_app_is_given_below_the_folder() {
        for (text, expected) in [
            ("index.html", true),
            ("./app/index.html", true),
            ("../index.html", false),
            ("app/../../index.html", false),
            ("/abs/index.html", false),
            (".env", false),
            ("", false),
        ] {
            assert_eq!(file_below(text).is_ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_time_is_a_number_of_seconds() {
        assert_eq!(seconds("30"), Ok(Duration::from_secs(30)));
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["", "-1", "5s", "NaN", "inf", "1e300"] {
            assert!(seconds(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_health_path_starts_with_a_slash() {
        assert!(path_on_server("/healthz?full=1").is_ok());
        for text in ["", "healthz", "http://x/", "/a b", "/a\r\nb", "/a#b"] {
            assert!(path_on_server(text).is_err(), "{text:?}");
        }
    }
}
