//! Headers and redirects of the configuration. Both commands apply them to requests for files and
//! backends, and never to the server's own paths.
//!
//! Everything is checked when the rule is made, so that a request cannot make it fail. The rules can be
//! replaced while the server runs ([`LiveRules`]).

mod headers;
mod redirects;

use std::sync::{Arc, PoisonError, RwLock};

use http::{HeaderMap, Uri};

pub(crate) use headers::{HeaderRule, Name, PathGlob, Preset, Value};
pub(crate) use redirects::{Destination, Redirect, RedirectRule, Source, Status};

/// The rules of one version of the configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rules {
    /// In the order of the file: where two set the same header, the later one counts.
    pub(crate) headers: Vec<HeaderRule>,
    /// In the order of the file: the first that matches counts.
    pub(crate) redirects: Vec<RedirectRule>,
}

impl Rules {
    /// Where a request is redirected to, if it is.
    pub(crate) fn redirect(&self, uri: &Uri) -> Option<Redirect> {
        self.redirects
            .iter()
            .find_map(|rule| rule.apply(uri.path(), uri.query()))
    }

    /// Sets the headers for this path in a response.
    pub(crate) fn set_headers(&self, path: &str, headers: &mut HeaderMap) {
        for rule in &self.headers {
            rule.apply(path, headers);
        }
    }
}

/// The rules that count now.
#[derive(Debug, Default)]
pub(crate) struct LiveRules {
    // Held for one look-up.
    current: RwLock<Arc<Rules>>,
}

impl LiveRules {
    pub(crate) fn new(rules: Rules) -> LiveRules {
        LiveRules {
            current: RwLock::new(Arc::new(rules)),
        }
    }

    /// The same for the whole of a request.
    pub(crate) fn current(&self) -> Arc<Rules> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, rules: Arc<Rules>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }
}
