//! Whom a command answers at all, before it looks at what is asked for.
//!
//! ```text
//! guard: the host -> --https: redirected if not encrypted -> --lan: own address, token -> the command
//! ```

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{Response, StatusCode};

use super::answers::{plain, refused};
use crate::files;
use crate::guard::lan::{LanToken, Shown};
use crate::guard::{Guard, is_from_this_machine};
use crate::listen::Peer;

pub(super) struct Access {
    pub(super) guard: Guard,
    /// The port that is listened on.
    pub(super) port: u16,
    /// Whether plain HTTP is redirected.
    pub(super) https: bool,
    /// What other devices need; without it, they need nothing.
    pub(super) token: Option<LanToken>,
}

/// What a device gets that has no token.
const NO_TOKEN: &str = "<!doctype html><html lang=en><meta charset=utf-8>\
    <meta name=viewport content=\"width=device-width\"><title>tidings: which device is this?</title>\
    <body style=\"font: 1.1em/1.5 sans-serif; max-width: 30em; margin: 2em auto; padding: 0 1em\">\
    <h1>Which device is this?</h1><p>This development server answers to devices that have opened its address with the \
    token. Scan the QR code in the terminal in which tidings runs, or type the address below it, once.\n";

impl Access {
    /// The answer to a request that goes no further.
    pub(super) fn refuse(&self, parts: &mut Parts, peer: Peer) -> Option<Response<files::Body>> {
        if let Err(refusal) = self.guard.check(parts) {
            return Some(refused(refusal));
        }
        if self.https && !peer.secure {
            return Some(match self.guard.authority(parts) {
                Ok(authority) => self.to_https(authority, parts),
                Err(refusal) => refused(refusal),
            });
        }
        let token = self.token.as_ref()?;
        if let Err(refusal) = self.guard.check_own(parts, peer.local) {
            return Some(refused(refusal));
        }
        let shown = token.shown_by(parts);
        token.remove_from(parts);
        match shown {
            Shown::Address { location } => Some(admitted(token, &location, peer)),
            _ if peer.ip.is_loopback() && is_from_this_machine(&parts.headers) => None,
            Shown::Cookie => None,
            Shown::Nothing => Some(no_token()),
        }
    }

    /// Not for ever (301, 308): the next server on this port may be without TLS.
    fn to_https(&self, authority: &str, parts: &Parts) -> Response<files::Body> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path } else { "/" };
        // The port of the redirect is that of the request; without one, it would be another.
        let bare = authority.trim_end_matches(':');
        let has_port = bare
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let location = match has_port {
            true => format!("https://{bare}{path}"),
            false => format!("https://{bare}:{}{path}", self.port),
        };
        let mut response = plain(
            StatusCode::TEMPORARY_REDIRECT,
            "this server is reached with https\n",
        );
        if let Ok(location) = HeaderValue::try_from(location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

/// The token becomes a cookie.
fn admitted(token: &LanToken, location: &str, peer: Peer) -> Response<files::Body> {
    let mut response = plain(StatusCode::SEE_OTHER, "");
    let headers = response.headers_mut();
    let cookie = token.set_cookie(peer.secure);
    for (name, value) in [(LOCATION, location), (SET_COOKIE, &cookie)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    headers.insert(
        HeaderName::from_static("referrer-policy"),
        HeaderValue::from_static("no-referrer"),
    );
    response
}

fn no_token() -> Response<files::Body> {
    let mut response = plain(StatusCode::FORBIDDEN, NO_TOKEN);
    let headers = response.headers_mut();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(CONTENT_TYPE, html);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
