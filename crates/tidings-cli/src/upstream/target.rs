//! The address of a backend.

use std::fmt;
use std::str::FromStr;

use http::Uri;

/// `http://localhost:8000`, `https://..`, `h2c://..` or `unix:/run/app.sock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target(String);

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        if text
            .strip_prefix("unix:")
            .is_some_and(|path| !path.is_empty())
        {
            return Ok(Target(text.to_owned()));
        }
        let uri = text.parse::<Uri>().ok();
        let scheme = uri.as_ref().and_then(Uri::scheme_str);
        match scheme {
            Some("http" | "https" | "h2c") => Ok(Target(text.to_owned())),
            _ => Err(
                "give a URL such as http://localhost:8000, https://.., h2c://.. or unix:/run/app.sock"
                    .to_owned(),
            ),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
