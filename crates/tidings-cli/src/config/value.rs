//! Values that are given as text, where the type alone does not say what is valid.

use std::time::Duration;

use crate::files;

/// A file below the served folder. It need not exist yet, but must be one that may be served.
pub(crate) fn file_below(text: &str) -> Result<String, String> {
    match files::could_be_served(text) {
        true => Ok(text.to_owned()),
        false => Err(
            "give the path below the folder, such as app/index.html, without a leading slash, `..` or hidden names"
                .to_owned(),
        ),
    }
}

/// A path to request from a backend, with a query if there is one.
pub(crate) fn path_on_server(text: &str) -> Result<String, String> {
    let valid = text.starts_with('/') && text.parse::<http::uri::PathAndQuery>().is_ok();
    match valid && !text.contains('#') {
        true => Ok(text.to_owned()),
        false => Err("give a path that starts with a slash, such as /healthz".to_owned()),
    }
}

/// A number of seconds, which may have a fraction.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    seconds
        .and_then(duration)
        .ok_or_else(|| "give a number of seconds, such as 30 or 0.5".to_owned())
}

/// How often to look at files: whole milliseconds, from 10 to an hour.
pub(crate) fn milliseconds(text: &str) -> Result<Duration, String> {
    let interval = text.parse().ok().and_then(interval);
    interval.ok_or_else(|| format!("give {INTERVAL}, such as 500"))
}

pub(crate) const INTERVAL: &str = "a number of milliseconds from 10 to 3600000";

/// See [`milliseconds`].
pub(crate) fn interval(ms: u64) -> Option<Duration> {
    (10..=3_600_000)
        .contains(&ms)
        .then(|| Duration::from_millis(ms))
}

/// At most a year: sums with points in time must not overflow.
pub(crate) fn duration(seconds: f64) -> Option<Duration> {
    const YEAR: f64 = 365.0 * 24.0 * 3600.0;
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    (seconds <= YEAR).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_neither_a_busy_loop_nor_for_ever() {
        for (text, expected) in [("10", true), ("500", true), ("9", false), ("", false)] {
            assert_eq!(milliseconds(text).is_ok(), expected, "{text:?}");
        }
        assert!(milliseconds("3600001").is_err());
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
