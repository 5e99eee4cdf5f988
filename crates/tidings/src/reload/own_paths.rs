//! Where a server's own resources for hot reloading are, and the response with the script.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::client;
use super::script_element::ATTRIBUTE;

const PREFIX: &AsciiSet = &ATTRIBUTE.remove(b'@');

/// The paths of the script, the event stream and the pages' reports, all below one prefix that the app does
/// not use itself. The default prefix is `/@tidings/`.
///
/// ```
/// use tidings::reload::{OwnPaths, OwnResource};
///
/// let paths = OwnPaths::default();
/// assert_eq!(paths.stream(), "/@tidings/events");
/// assert_eq!(paths.resource("/@tidings/client.js"), Some(OwnResource::Client));
/// assert_eq!(paths.resource("/@tidings/other"), Some(OwnResource::Unknown));
/// assert_eq!(paths.resource("/"), None);
/// ```
#[derive(Clone, Debug)]
pub struct OwnPaths {
    prefix: String,
    client_url: String,
    stream: String,
    report: String,
}

/// What is at one of the [own paths](OwnPaths).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OwnResource {
    /// [`CLIENT_JS`](super::CLIENT_JS) or one of the files that it loads when it needs them, see
    /// [`client_response`].
    Client,
    /// The event stream: an [`Endpoint`](crate::http::Endpoint) for the topic [`TOPIC`](super::TOPIC).
    Stream,
    /// Where pages `POST` what they have done about a change, and that they are open. The body is JSON of a
    /// few kilobytes at most: `{"id":"...","page":"...","n":3,"at":"/","did":"style","painted":true}`. Only what people and
    /// programs are told depends on it, and no page.
    Report,
    /// What a page was made from: [`Versions::respond`](super::Versions::respond).
    Version,
    /// Whether the app answers: 204, or any response with [`PROBLEM_HEADER`](super::PROBLEM_HEADER). A page
    /// asks before it reloads. With 404 it requests its own address instead.
    Ready,
    /// Where pages and programs `POST` what the server is to do, such as `{"do":"pause"}`, with the token of
    /// [`PageOptions`](super::PageOptions) in the header `tidings-token`. A server that has given no token answers
    /// with 404.
    Control,
    /// Where pages `POST` their errors, if [`PageOptions::console`](super::PageOptions) says so.
    Errors,
    /// Nothing, and not the app's either: 404.
    Unknown,
}

impl Default for OwnPaths {
    fn default() -> OwnPaths {
        OwnPaths::below("/@tidings/")
    }
}

impl OwnPaths {
    /// Paths below this prefix. A slash is added at either end where there is none. Without any name it is the
    /// default prefix: otherwise no path would be left for the app.
    ///
    /// ```
    /// # use tidings::reload::OwnPaths;
    /// assert_eq!(OwnPaths::below("dev").stream(), "/dev/events");
    /// assert_eq!(OwnPaths::below("/a b/\"/").stream(), "/a%20b/%22/events");
    /// assert_eq!(OwnPaths::below("/").stream(), "/@tidings/events");
    /// ```
    pub fn below(prefix: &str) -> OwnPaths {
        let prefix = match prefix.trim_matches('/') {
            "" => "/@tidings/".to_owned(),
            // As browsers send it, and safe in an attribute.
            prefix => format!("/{}/", utf8_percent_encode(prefix, PREFIX)),
        };
        OwnPaths {
            client_url: format!("{prefix}client.js?{}", *client::VERSION),
            stream: format!("{prefix}events"),
            report: format!("{prefix}seen"),
            prefix,
        }
    }

    /// What is at a request's path; `None` for the app's own paths.
    pub fn resource(&self, path: &str) -> Option<OwnResource> {
        Some(match path.strip_prefix(&self.prefix)? {
            name if client::file(name).is_some() => OwnResource::Client,
            "events" => OwnResource::Stream,
            "seen" => OwnResource::Report,
            "ready" => OwnResource::Ready,
            "control" => OwnResource::Control,
            "console" => OwnResource::Errors,
            "version" => OwnResource::Version,
            _ => OwnResource::Unknown,
        })
    }

    /// The URL of the script, with a hash of it.
    pub fn client_url(&self) -> &str {
        &self.client_url
    }

    /// The path of the event stream.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The path of the pages' reports.
    pub fn report(&self) -> &str {
        &self.report
    }
}

/// The head of the stream, for pages of this origin only: where browsers send no `Sec-Fetch-Site` (plain http in a
/// network), what another site embeds is still withheld from it.
pub fn stream_response<B>(mut response: Response<B>) -> Response<B> {
    // Fetch 3.7.
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    let same_origin = HeaderValue::from_static("same-origin");
    response.headers_mut().insert(policy, same_origin);
    response
}

/// The response to a request for [`CLIENT_JS`](super::CLIENT_JS) or a file that it loads, whichever the last segment of
/// the path names. Browsers may cache it for ever.
///
/// The script's worker also starts in pages that are cross-origin isolated. A document of another origin,
/// such as that of a sandboxed frame, gets an empty script: it cannot open the stream, and an error would
/// show up in the console.
pub fn client_response(request: &Parts) -> Response<Bytes> {
    let is = |name, value: &str| {
        request
            .headers
            .get(name)
            .is_some_and(|found| found == value)
    };
    let is_foreign = is("sec-fetch-site", "cross-site") || is("sec-fetch-site", "same-site");
    let (_, name) = request.uri.path().rsplit_once('/').unwrap_or_default();
    let Some(text) = client::file(name) else {
        return plain(StatusCode::NOT_FOUND, "not found\n");
    };
    let body = match request.method {
        Method::GET if is_foreign => "",
        Method::GET => text,
        Method::HEAD => "",
        _ => return method_not_allowed("GET, HEAD"),
    };
    let mut response = plain(StatusCode::OK, body);
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_TYPE, "text/javascript; charset=utf-8");
    set(VARY, "Sec-Fetch-Site");
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    if is_foreign {
        set(policy, "cross-origin");
        return response;
    }
    set(policy, "same-origin");
    set(CACHE_CONTROL, "max-age=31536000, immutable");
    if name == "client.js" {
        set(HeaderName::from_static("sourcemap"), client::MAP_NAME);
    }
    // WHATWG HTML 7.1.4: a page with an embedder policy starts only workers that have one, too.
    let policy = HeaderName::from_static("cross-origin-embedder-policy");
    set(policy, "require-corp");
    response
}

/// RFC 9110 15.5.6: says which methods are allowed.
pub(super) fn method_not_allowed(allowed: &'static str) -> Response<Bytes> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_TYPE, "text/plain; charset=utf-8");
    set(CACHE_CONTROL, "no-store");
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}
