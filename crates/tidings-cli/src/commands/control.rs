//! What a page or a program may ask the server to do: `POST /@tidings/control`.
//!
//! ```text
//! {"do":"pause"}   {"do":"resume"}   {"do":"toggle-pause"}   {"do":"reload"}
//! {"do":"open-in-editor","file":"src/main.rs","line":4,"column":5}
//! ```
//!
//! What must stay true: it takes a POST with a JSON body (which no form of another site can send), of the same
//! origin (checked before this), and with the token of this process in the header `tidings-token`. Pages get the
//! token with their script; other sites cannot read those.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tidings::reload::Reloader;

use super::addresses::is_own_address;
use super::answers::{method_not_allowed, plain};
use super::token::Token;
use crate::editor::Editor;
use crate::files;
use crate::guard::is_from_this_machine;
use crate::report::{ChangeReporter, Console, Message, Styles};
use crate::sources::Sources;

/// The largest order, in bytes.
const LIMIT: usize = 8 * 1024;

/// The least time between two files that are opened: a page that goes wild does not fill the screen with windows.
const EDITOR_INTERVAL: Duration = Duration::from_millis(250);

/// Does what it is asked to.
pub(crate) struct Control {
    token: Token,
    reloader: Arc<Reloader>,
    reporter: Arc<ChangeReporter>,
    console: Arc<Console>,
    sources: Sources,
    /// When a file was opened last. Held for a look.
    opened: Mutex<Option<Instant>>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Order {
    Pause,
    Resume,
    TogglePause,
    Reload,
    OpenInEditor {
        file: String,
        #[serde(default = "first")]
        line: u32,
        #[serde(default = "first")]
        column: u32,
    },
}

fn first() -> u32 {
    1
}

impl Control {
    pub(super) fn new(
        token: Token,
        reloader: &Arc<Reloader>,
        reporter: &Arc<ChangeReporter>,
        console: &Arc<Console>,
        sources: Sources,
    ) -> Control {
        Control {
            token,
            reloader: Arc::clone(reloader),
            reporter: Arc::clone(reporter),
            console: Arc::clone(console),
            sources,
            opened: Mutex::default(),
        }
    }

    /// Answers a request of the same origin. 204 means that it is done; any other answer says why not.
    pub(super) async fn respond(
        self: &Arc<Control>,
        parts: &Parts,
        body: Incoming,
        peer: IpAddr,
    ) -> Response<files::Body> {
        if parts.method != Method::POST {
            return method_not_allowed("POST", "only POST\n");
        }
        if !is_json(&parts.headers) {
            return plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "only application/json\n",
            );
        }
        if !self.token.is_in(&parts.headers) {
            return plain(
                StatusCode::FORBIDDEN,
                "the token is missing, or of another run of tidings: reload the page\n",
            );
        }
        let Ok(body) = Limited::new(body, LIMIT).collect().await else {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "too large\n");
        };
        match serde_json::from_slice(&body.to_bytes()) {
            Ok(Order::Pause) => self.pause(),
            Ok(Order::Resume) => self.resume(),
            Ok(Order::TogglePause) => self.toggle_pause(),
            Ok(Order::Reload) => self.reload_pages(),
            Ok(Order::OpenInEditor { file, line, column }) => {
                let peer = Some(peer).filter(|_| is_from_this_machine(&parts.headers));
                let control = Arc::clone(self);
                // It looks at files and starts a program, either of which may take its time.
                let opened = tokio::task::spawn_blocking(move || {
                    control.open_in_editor(&file, line, column, peer)
                });
                return opened.await.unwrap_or_else(|_| {
                    plain(StatusCode::INTERNAL_SERVER_ERROR, "it was not opened\n")
                });
            }
            Err(error) => {
                return plain(StatusCode::BAD_REQUEST, format!("not an order: {error}\n"));
            }
        }
        plain(StatusCode::NO_CONTENT, "")
    }

    /// Holds changes, for all pages.
    pub(crate) fn pause(&self) {
        // An error means that the hub is closed: the process is about to exit.
        if let Ok(Some(_)) = self.reloader.pause() {
            self.console.event("paused", &Paused { held: None });
        }
    }

    /// Shows what was held.
    pub(crate) fn resume(&self) {
        let held = self.reloader.paused();
        let Ok(Some(resumed)) = self.reloader.resume() else {
            return;
        };
        self.console.event("resumed", &Paused { held });
        if let Some(published) = resumed.published {
            let open = self.reloader.hub().stats().open;
            self.reporter.published(published, open);
        }
    }

    /// Pauses, or goes on.
    pub(crate) fn toggle_pause(&self) {
        match self.reloader.paused() {
            None => self.pause(),
            Some(_) => self.resume(),
        }
    }

    /// Reloads all pages, also during a pause.
    pub(crate) fn reload_pages(&self) {
        if let Ok(published) = self.reloader.reload_pages() {
            let open = self.reloader.hub().stats().open;
            self.reporter.published(published, open);
        }
    }

    /// `peer`: who asks; `None` if somebody else has passed it on.
    fn open_in_editor(
        &self,
        file: &str,
        line: u32,
        column: u32,
        peer: Option<IpAddr>,
    ) -> Response<files::Body> {
        // The window opens here, so nobody at another machine has any use for it.
        if !peer.is_some_and(is_own_address) {
            return plain(
                StatusCode::FORBIDDEN,
                "only a page on the same machine opens files in the editor\n",
            );
        }
        let Some(path) = self.sources.find(file) else {
            return plain(
                StatusCode::NOT_FOUND,
                "this is no file of a folder that is watched\n",
            );
        };
        let editor = match Editor::of_user() {
            Ok(editor) => editor,
            Err(why) => return plain(StatusCode::NOT_IMPLEMENTED, format!("{}\n", why.0)),
        };
        if !self.may_open(Instant::now()) {
            return plain(StatusCode::TOO_MANY_REQUESTS, "one at a time\n");
        }
        match editor.open(&path, line.max(1), column.max(1)) {
            Ok(()) => plain(StatusCode::NO_CONTENT, ""),
            Err(error) => {
                let why = format!("the editor cannot be started: {error}");
                self.console.warn(&why, Some("check TIDINGS_EDITOR"));
                plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n"))
            }
        }
    }

    fn may_open(&self, now: Instant) -> bool {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let is_soon = |last: Instant| now.saturating_duration_since(last) < EDITOR_INTERVAL;
        let may = !opened.is_some_and(is_soon);
        if may {
            *opened = Some(now);
        }
        may
    }
}

/// RFC 9110 8.3.1: types are case-insensitive, and parameters may follow.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE);
    content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json"))
}

/// That changes are held, or not any more.
#[derive(Debug, Serialize)]
struct Paused {
    /// How many were held.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<usize>,
}

impl Message for Paused {
    fn text(&self, styles: Styles) -> String {
        styles.dim(&match self.held {
            None => "paused: what is saved now shows when the pause ends".to_owned(),
            Some(0) => "the pause has ended".to_owned(),
            Some(1) => "the pause has ended: showing one change".to_owned(),
            Some(held) => format!("the pause has ended: showing {held} changes"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_json_is_json() {
        for (value, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("text/plain; application/json", false),
            ("application/x-www-form-urlencoded", false),
            ("application/jsonx", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
            assert_eq!(is_json(&headers), expected, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
