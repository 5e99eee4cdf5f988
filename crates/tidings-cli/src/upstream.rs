//! Passes requests to a backend: as they came, but for what belongs to one connection only.
//!
//! ```text
//! request -> hop_by_hop, forwarded, mount -> pool -> connect, tls -> the backend
//! response <- hop_by_hop, rewrite <- pool <-
//! ```
//!
//! What must stay true:
//!
//! - The backend's address is fixed at start: nothing in a request chooses where it goes.
//! - Bodies are streamed in both directions, never collected. A body that breaks off never looks complete.
//! - Once the backend has a request there is no time limit.
//! - Who drops the future or the body of a response cancels the request at the backend, at once.
//! - A request that has been sent is sent once more only if that is allowed: RFC 9110 9.2.2.

mod connect;
mod decode;
mod error;
mod forwarded;
mod hop_by_hop;
mod mount;
mod outgoing;
mod pool;
mod prompt_tcp;
mod rewrite;
mod target;
mod tls;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, PathAndQuery, Scheme as UriScheme};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body::Body;

pub(crate) use decode::{Codings, Decoded};
pub(crate) use error::{Error, ErrorKind};
pub(crate) use forwarded::Client;
pub(crate) use pool::UpstreamBody;
pub(crate) use target::Target;

use forwarded::BrowserOrigin;
use mount::Mount;
use outgoing::OutgoingBody;
use pool::{Freshness, Pool};
use rewrite::Addresses;

/// How a backend is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Send the backend's own name as `Host`.
    pub(crate) change_host: bool,
    /// Do not check the backend's certificate.
    pub(crate) insecure: bool,
    /// The path in the browser that is passed on; empty for the whole site.
    pub(crate) prefix: String,
}

/// A backend.
pub(crate) struct Upstream {
    target: Target,
    mount: Mount,
    change_host: bool,
    pool: Arc<Pool>,
}

/// A request that is ready to be sent to any backend.
pub(crate) struct Outgoing {
    request: Request<OutgoingBody>,
    context: Context,
}

/// What is known of a request besides what is sent.
struct Context {
    /// The target as it came.
    uri: Uri,
    /// The `Host` as it came.
    host: HeaderValue,
    browser: BrowserOrigin,
    is_upgrade: bool,
    expects_continue: bool,
    takes_trailers: bool,
}

impl Outgoing {
    /// Prepares a request: removes what was meant for us, and adds who asked.
    pub(crate) fn new<B>(request: Request<B>, client: &Client) -> Outgoing
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let mut headers = parts.headers;
        let host = forwarded::host_of(&headers, &parts.uri);
        let removed = hop_by_hop::remove(&mut headers, parts.version);
        let browser = forwarded::set(&mut headers, &host, client);
        let upgrade = removed.upgrade.filter(hop_by_hop::may_be_tunnelled);
        let is_upgrade = upgrade.is_some();
        let body = OutgoingBody::new(body);
        // RFC 9110 10.1.1: without a body there is nothing to expect.
        let expects_continue = !body.is_empty()
            && parts.version == Version::HTTP_11
            && headers.get(EXPECT).is_some_and(is_continue);
        if !expects_continue {
            headers.remove(EXPECT);
        }
        if removed.had_coding && !body.is_empty() {
            // RFC 9112 6.3: with both, the length does not count. hyper sends a body of unknown length
            // with a GET only if it is told to.
            headers.remove(CONTENT_LENGTH);
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        match (upgrade, removed.takes_trailers) {
            (Some(upgrade), _) => {
                headers.insert(UPGRADE, upgrade);
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            }
            (None, true) => {
                headers.insert(TE, HeaderValue::from_static("trailers"));
                headers.insert(CONNECTION, HeaderValue::from_static("te"));
            }
            (None, false) => {}
        }
        // Not the extensions of the request: they are about the connection to us.
        let mut request = Request::new(body);
        *request.method_mut() = parts.method;
        *request.headers_mut() = headers;
        let context = Context {
            uri: parts.uri,
            host,
            browser,
            is_upgrade,
            expects_continue,
            takes_trailers: removed.takes_trailers,
        };
        Outgoing { request, context }
    }
}

/// RFC 9110 9.2.2: whether the effect is the same if the backend gets it twice. A body is gone after the first
/// time.
fn may_be_repeated(request: &Request<OutgoingBody>) -> bool {
    request.body().is_empty() && request.method().is_idempotent()
}

/// The same request, which has no body.
fn repeated(request: &Request<OutgoingBody>) -> Request<OutgoingBody> {
    let mut again = Request::new(OutgoingBody::empty());
    *again.method_mut() = request.method().clone();
    *again.headers_mut() = request.headers().clone();
    again
}

fn is_continue(value: &HeaderValue) -> bool {
    value.as_bytes().eq_ignore_ascii_case(b"100-continue")
}

impl Upstream {
    pub(crate) fn new(target: Target, options: &Options) -> Upstream {
        Upstream {
            mount: Mount::new(&options.prefix, target.base.as_deref()),
            change_host: options.change_host,
            pool: Arc::new(Pool::new(target.clone(), options.insecure)),
            target,
        }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Whether something accepts connections there.
    pub(crate) async fn is_listening(&self) -> bool {
        self.pool.lease(Freshness::New).await.is_ok()
    }

    /// Passes a request on. A response with status 101 has its [`hyper::upgrade::OnUpgrade`].
    ///
    /// # Errors
    /// [`Error::into_unsent`] has the request if nothing of it was sent.
    pub(crate) async fn send(&self, outgoing: Outgoing) -> Result<Response<UpstreamBody>, Error> {
        let Outgoing {
            mut request,
            context,
        } = outgoing;
        let mut freshness = match may_be_repeated(&request) {
            _ if context.is_upgrade => Freshness::NewHttp1,
            true => Freshness::Any,
            false => Freshness::NotIdle,
        };
        loop {
            let lease = match self.pool.lease(freshness).await {
                Ok(lease) => lease,
                Err(error) => return Err(Error::connect(error, Outgoing { request, context })),
            };
            let reused = lease.reused;
            let again = (reused && may_be_repeated(&request)).then(|| repeated(&request));
            let request_sent = self.addressed(request, &context, lease.is_h2())?;
            let mut failed = match lease.send(request_sent).await {
                Ok(response) => return Ok(self.received(response, &context)),
                Err(failed) => failed,
            };
            let unsent = failed.take_message();
            let error = failed.into_error();
            // The backend has closed a connection that was idle.
            let was_closed = reused && !error.is_parse() && !error.is_user();
            request = match (was_closed, unsent, again) {
                (true, Some(unsent), _) => unsent,
                (true, None, Some(again)) => again,
                (_, unsent, _) => {
                    let unsent = unsent.map(|request| Outgoing { request, context });
                    return Err(Error::send(error, unsent));
                }
            };
            // It is not reused, so this is the last time.
            freshness = Freshness::New;
        }
    }

    /// Gives the request its target and host.
    fn addressed(
        &self,
        mut request: Request<OutgoingBody>,
        context: &Context,
        is_h2: bool,
    ) -> Result<Request<OutgoingBody>, Error> {
        let path = match context.uri.path_and_query() {
            Some(path) => match self.mount.in_backend(path.as_str()) {
                Some(mapped) => PathAndQuery::try_from(mapped).map_err(Error::request)?,
                None => path.clone(),
            },
            None => PathAndQuery::from_static("/"),
        };
        // Only HTTP/1.0 has requests without.
        let host = match self.change_host || context.host.is_empty() {
            true => self.target.host_header(),
            false => context.host.clone(),
        };
        if is_h2 {
            // RFC 9113 8.3.1: the authority is in the target, 8.2.2: no header of a connection.
            let authority = Authority::try_from(host.as_bytes()).map_err(Error::request)?;
            let scheme = match self.target.scheme.name() {
                "https" => UriScheme::HTTPS,
                _ => UriScheme::HTTP,
            };
            let uri = Uri::builder()
                .scheme(scheme)
                .authority(authority)
                .path_and_query(path);
            *request.uri_mut() = uri.build().map_err(Error::request)?;
            *request.version_mut() = Version::HTTP_2;
            for name in [HOST, CONNECTION, TRANSFER_ENCODING, EXPECT] {
                request.headers_mut().remove(name);
            }
        } else {
            *request.uri_mut() = Uri::from(path);
            *request.version_mut() = Version::HTTP_11;
            request.headers_mut().insert(HOST, host);
            join_cookies(request.headers_mut());
            if context.expects_continue {
                outgoing::hold_back(&mut request);
            }
        }
        Ok(request)
    }

    fn received(
        &self,
        mut response: Response<UpstreamBody>,
        context: &Context,
    ) -> Response<UpstreamBody> {
        let (status, version) = (response.status(), response.version());
        let headers = response.headers_mut();
        let upgrade = headers.get(UPGRADE).cloned();
        let removed = hop_by_hop::remove(headers, version);
        if removed.had_coding {
            // RFC 9112 6.3: then a length does not count.
            headers.remove(CONTENT_LENGTH);
        }
        if version == Version::HTTP_2 && context.takes_trailers && headers.contains_key(TRAILER) {
            // RFC 9112 7.1.2: in HTTP/1.1 only a body in chunks has trailers.
            headers.remove(CONTENT_LENGTH);
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        // RFC 9110 15.2.2 and 15.5.22: with these, the header says which protocol.
        if matches!(
            status,
            StatusCode::SWITCHING_PROTOCOLS | StatusCode::UPGRADE_REQUIRED
        ) && let Some(upgrade) = upgrade
        {
            headers.insert(UPGRADE, upgrade);
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        }
        let sent_host = match self.change_host {
            true => self.target.authority(),
            false => context.host.to_str().unwrap_or_default().to_owned(),
        };
        let addresses = Addresses {
            target: &self.target,
            mount: &self.mount,
            host: &sent_host,
            browser: &context.browser,
        };
        addresses.rewrite(headers);
        // RFC 9110 2.5: a version is one of this connection, not of the next.
        *response.version_mut() = Version::HTTP_11;
        response
    }
}

/// RFC 9113 8.2.3: HTTP/2 may split the header, HTTP/1.1 may not.
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    if let (Some(first), Some(_)) = (cookies.next(), cookies.next()) {
        let mut joined = first.as_bytes().to_vec();
        for cookie in headers.get_all(COOKIE).iter().skip(1) {
            joined.extend_from_slice(b"; ");
            joined.extend_from_slice(cookie.as_bytes());
        }
        if let Ok(joined) = HeaderValue::from_bytes(&joined) {
            headers.insert(COOKIE, joined);
        }
    }
}
