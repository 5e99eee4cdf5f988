//! [`PageOptions`]: what the pages do about changes, as their user wants it.

use std::fmt;
use std::str::FromStr;

use super::problem::escape;

/// What the pages of a [`Reloader`](super::Reloader) do about changes. Each page carries them in its script element.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageOptions {
    /// When a page is patched after its HTML was saved. Default: [`ReloadMode::Auto`].
    pub reload: ReloadMode,
    /// Whether a page that reloads puts back scroll positions, focus and what was typed. Default: `true`.
    pub restore: bool,
    /// Whether each page shows a badge that tells what was done about the last change. Default: `false`; the key
    /// `?` shows it all the same.
    pub badge: bool,
    /// Whether pages send their errors to the server. Default: `false`.
    pub console: bool,
    /// What a page must send to control the server. Without one it cannot. Default: none.
    pub token: Option<String>,
}

/// When a page whose HTML was saved is patched in place instead of reloaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReloadMode {
    /// Where the result is provably what a reload would show: the page has no scripts of its own, or only ones
    /// marked `data-tidings="pure"`.
    #[default]
    Auto,
    /// Also pages with scripts, if these did not change and nothing shows that they have used what did.
    Patch,
    /// Never: every change of HTML reloads.
    Full,
}

impl Default for PageOptions {
    fn default() -> PageOptions {
        PageOptions {
            reload: ReloadMode::Auto,
            restore: true,
            badge: false,
            console: false,
            token: None,
        }
    }
}

impl FromStr for ReloadMode {
    type Err = String;

    fn from_str(text: &str) -> Result<ReloadMode, String> {
        match text {
            "auto" => Ok(ReloadMode::Auto),
            "patch" => Ok(ReloadMode::Patch),
            "full" => Ok(ReloadMode::Full),
            _ => Err(format!("{text:?} is not auto, patch or full")),
        }
    }
}

/// The attributes of the script element, each with a blank before it. What is the default has none.
impl fmt::Display for PageOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reload {
            ReloadMode::Auto => {}
            ReloadMode::Patch => f.write_str(r#" data-reload="patch""#)?,
            ReloadMode::Full => f.write_str(r#" data-reload="full""#)?,
        }
        if !self.restore {
            f.write_str(r#" data-restore="off""#)?;
        }
        if self.badge {
            f.write_str(" data-badge")?;
        }
        if self.console {
            f.write_str(" data-console")?;
        }
        match &self.token {
            Some(token) => write!(f, r#" data-token="{}""#, escape(token)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_the_default_is_written() {
        assert_eq!(PageOptions::default().to_string(), "");
        let options = PageOptions {
            reload: ReloadMode::Patch,
            restore: false,
            badge: true,
            console: true,
            token: Some("a\"b".to_owned()),
        };
        assert_eq!(
            options.to_string(),
            r#" data-reload="patch" data-restore="off" data-badge data-console data-token="a&quot;b""#
        );
    }

    #[test]
    fn a_mode_is_one_of_three_words() {
        assert_eq!("patch".parse(), Ok(ReloadMode::Patch));
        assert_eq!("auto".parse(), Ok(ReloadMode::Auto));
        assert_eq!("full".parse(), Ok(ReloadMode::Full));
        let error = "morph".parse::<ReloadMode>().unwrap_err();
        assert_eq!(error, "\"morph\" is not auto, patch or full");
    }
}
