//! [`ScriptElement`]: the element that a page gets, with the state that it was served in.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{PageKind, PageState, Version, digits, json_text, problem};

/// Percent-encodes everything that has a meaning in an attribute or a URL, or is not ASCII.
pub(super) const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'~');

/// The script element for one page. `to_string()` writes it, in ASCII.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ScriptElement<'a> {
    /// The URL of [`CLIENT_JS`](super::CLIENT_JS). It is not escaped, so it must be valid in an attribute as it is. Pages
    /// share a stream if their URLs are the same up to the first `&` or `#`, so a version of the script
    /// belongs before that.
    pub client: &'a str,
    /// The URL of the stream; the same holds for it.
    pub stream: &'a str,
    /// The state that the page carries.
    pub state: &'a PageState,
    /// What kind of page it is.
    pub page: PageKind<'a>,
    /// Whether the page has a Content-Security-Policy in a `<meta>` element. Such a policy may forbid the
    /// page to connect to the server, so its script sends all requests from its worker, to which the
    /// policy does not apply.
    pub own_policy: bool,
    /// The same for a policy in the response's head, which [`Navigation::respond`](super::Navigation::respond) has edited.
    head_policy: bool,
    /// The nonce that such a policy demands, in base64.
    nonce: Option<&'a str>,
    /// What the page is kept as.
    pub(super) version: Option<&'a Version>,
}

impl<'a> ScriptElement<'a> {
    /// The element for a page without a Content-Security-Policy of its own.
    pub fn new(
        client: &'a str,
        stream: &'a str,
        state: &'a PageState,
        page: PageKind<'a>,
    ) -> ScriptElement<'a> {
        ScriptElement {
            client,
            stream,
            state,
            page,
            own_policy: false,
            head_policy: false,
            nonce: None,
            version: None,
        }
    }

    /// Sets what the page is kept as, so that it can be patched: see
    /// [`Reloader::new_version`](super::Reloader::new_version).
    #[must_use]
    pub fn version(mut self, version: Option<&'a Version>) -> ScriptElement<'a> {
        self.version = version;
        self
    }

    /// Sets whether the page has a Content-Security-Policy in a `<meta>` element.
    #[must_use]
    pub fn own_policy(mut self, own_policy: bool) -> ScriptElement<'a> {
        self.own_policy = own_policy;
        self
    }

    /// Sets that a policy in the response's head admits the script, with this nonce if there is one.
    pub(super) fn admitted(mut self, nonce: Option<&'a str>) -> ScriptElement<'a> {
        self.head_policy = true;
        self.nonce = nonce;
        self
    }
}

impl fmt::Display for ScriptElement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let safe = |text| utf8_percent_encode(text, ATTRIBUTE);
        write!(
            f,
            r#"<script src="{}" data-stream="{}" data-cursor="{}""#,
            self.client,
            self.stream,
            safe(self.state.cursor.as_str())
        )?;
        if let Some(timestamp) = self.state.timestamp {
            write!(f, r#" data-timestamp="{timestamp}""#)?;
        }
        if let Some(newest) = self.state.newest {
            write!(f, r#" data-newest="{newest}""#)?;
        }
        if let Some(tree) = self.state.tree {
            write!(f, r#" data-tree="{}""#, digits(tree))?;
        }
        if let Some(held) = self.state.paused {
            write!(f, r#" data-paused="{held}""#)?;
        }
        match self.page {
            PageKind::File(path) => write!(f, r#" data-file="{}""#, safe(path))?,
            PageKind::Listing(path) => write!(f, r#" data-listing="{}""#, safe(path))?,
            PageKind::Missing => f.write_str(" data-missing")?,
            PageKind::Waiting => f.write_str(" data-waiting")?,
            PageKind::Other => f.write_str(" data-any")?,
        }
        if let Some(version) = self.version {
            write!(f, r#" data-version="{}""#, version.id())?;
        }
        if self.own_policy {
            f.write_str(" data-policy")?;
        } else if self.head_policy {
            f.write_str(r#" data-policy="head""#)?;
        }
        if let Some(nonce) = self.nonce {
            write!(f, r#" nonce="{nonce}""#)?;
        }
        write!(f, "{}", self.state.options)?;
        if let Some(problem) = &self.state.problem {
            write!(
                f,
                r#" data-problem="{}""#,
                problem::escape(&json_text(problem.as_ref()))
            )?;
        }
        f.write_str("></script>")
    }
}
