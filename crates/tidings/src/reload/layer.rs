//! [`ReloadLayer`]: hot reloading for any tower service, made of the two halves of the rule.
//!
//! ```text
//! request -> own path?    -> guard -> script | stream | report
//!         -> navigation?  -> page state -> inner service -> decide -> inject | replace | leave
//!         -> anything else -> inner service
//! ```
//!
//! What must stay true: the page's state is taken before the inner service is called; requests other than
//! these are passed on as they are, and so are their responses, but for how long browsers may keep them.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::caching::revalidate;
use super::handle::Shared;
use super::navigation::{Navigation, as_navigation};
use super::own_paths::{self, OwnResource, client_response, stream_response};
use super::page_body::PageBody;
use super::response::Decision;
use super::{PageKind, PageState, ScriptElement, Version, guard};
use crate::http::SseBody;

/// Hot reloading for an app: made by [`Reload::layer`](super::Reload::layer).
///
/// It must be the layer of the whole app, not of a router that is nested below a path: its own paths begin
/// with `/@tidings/`.
#[derive(Clone, Debug)]
pub struct ReloadLayer {
    /// `None`: it does nothing.
    pub(super) shared: Option<Arc<Shared>>,
}

impl<S> Layer<S> for ReloadLayer {
    type Service = ReloadService<S>;

    fn layer(&self, inner: S) -> ReloadService<S> {
        ReloadService {
            inner,
            shared: self.shared.clone(),
        }
    }
}

/// A service with hot reloading: made by a [`ReloadLayer`].
#[derive(Clone, Debug)]
pub struct ReloadService<S> {
    inner: S,
    shared: Option<Arc<Shared>>,
}

impl<S, RequestBody, B> Service<Request<RequestBody>> for ReloadService<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
    B: Body,
{
    type Response = Response<ReloadBody<B>>;
    type Error = S::Error;
    type Future = ReloadFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<RequestBody>) -> ReloadFuture<S::Future> {
        let Some(shared) = &self.shared else {
            return ReloadFuture::passing(self.inner.call(request));
        };
        let (mut parts, body) = request.into_parts();
        if let Some(resource) = shared.paths.resource(parts.uri.path()) {
            // The body of a report is dropped unread: nobody asks what pages did.
            return ReloadFuture::answered(answer(shared, resource, &parts));
        }
        as_navigation(&mut parts);
        let navigation = Navigation::of(&parts)
            .filter(|_| guard::is_allowed_host(&parts, &shared.allowed_hosts));
        let Some(navigation) = navigation else {
            return ReloadFuture::file(self.inner.call(Request::from_parts(parts, body)));
        };
        navigation.prepare(&mut parts.headers);
        let page = Page {
            navigation,
            // Before the inner service is called: the page gets every change that comes after that.
            state: shared.reloader.page_state(),
            version: shared.reloader.new_version(),
            shared: Arc::clone(shared),
        };
        ReloadFuture::page(self.inner.call(Request::from_parts(parts, body)), page)
    }
}

/// Answers a request for one of the layer's own paths.
fn answer(shared: &Shared, resource: OwnResource, parts: &Parts) -> Response<OwnBody> {
    let plain = |status, text| own_paths::plain(status, text).map(OwnBody::from);
    if !guard::is_allowed_host(parts, &shared.allowed_hosts) {
        let text = "tidings refuses this host name, because any website could use it to read the \
                    names of your files; Reload::allow_host allows it\n";
        return plain(StatusCode::FORBIDDEN, text);
    }
    match resource {
        // It is the same for all, and reveals nothing.
        OwnResource::Client => client_response(parts).map(OwnBody::from),
        _ if !guard::is_same_origin(parts) => {
            plain(StatusCode::FORBIDDEN, "other sites may not request this\n")
        }
        OwnResource::Stream => stream_response(shared.endpoint.respond(parts)).map(OwnBody::Stream),
        OwnResource::Report if parts.method == Method::POST => plain(StatusCode::NO_CONTENT, ""),
        OwnResource::Report => own_paths::method_not_allowed("POST").map(OwnBody::from),
        OwnResource::Version => shared.reloader.versions().respond(parts).map(OwnBody::from),
        // It is the app that answers this.
        OwnResource::Ready => plain(StatusCode::NO_CONTENT, ""),
        // The body of a request is the app's, of any type: nothing here could read it.
        OwnResource::Control | OwnResource::Errors | OwnResource::Unknown => {
            plain(StatusCode::NOT_FOUND, "not found\n")
        }
    }
}

/// A page that is being answered.
#[derive(Debug)]
struct Page {
    navigation: Navigation,
    state: PageState,
    version: Option<Version>,
    shared: Arc<Shared>,
}

impl Page {
    fn respond<B: Body>(&self, response: Response<B>) -> Response<PageBody<B>> {
        let decision = self.navigation.decide(&response, &[]);
        self.navigation.respond(decision, response, self.script())
    }

    fn script(&self) -> ScriptElement<'_> {
        let paths = &self.shared.paths;
        let (client, stream) = (paths.client_url(), paths.stream());
        ScriptElement::new(client, stream, &self.state, PageKind::Other)
            .version(self.version.as_ref())
    }

    /// The page for an inner service that has panicked: without a response the browser would show an error
    /// page of its own, which cannot heal.
    fn panicked<B: Body>(&self, cause: &(dyn Any + Send)) -> Response<ReloadBody<B>> {
        let message = match (cause.downcast_ref::<&str>(), cause.downcast_ref::<String>()) {
            (Some(text), _) => text,
            (_, Some(text)) => text.as_str(),
            _ => "",
        };
        let text = Bytes::from(format!("The handler panicked: {message}\n"));
        let mut response = Response::new(OwnBody::Whole(text));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        let response = self
            .navigation
            .respond(Decision::Replace, response, self.script());
        response.map(|body| ReloadBody::new(BodyKind::Panicked { body }))
    }
}

pin_project! {
    /// The future of a [`ReloadService`].
    #[derive(Debug)]
    pub struct ReloadFuture<F> {
        #[pin]
        inner: Option<F>,
        page: Option<Page>,
        // Browsers are to ask for it again.
        is_file: bool,
        answered: Option<Response<OwnBody>>,
    }
}

impl<F> ReloadFuture<F> {
    fn passing(inner: F) -> ReloadFuture<F> {
        ReloadFuture {
            inner: Some(inner),
            page: None,
            is_file: false,
            answered: None,
        }
    }

    fn file(inner: F) -> ReloadFuture<F> {
        ReloadFuture {
            is_file: true,
            ..ReloadFuture::passing(inner)
        }
    }

    fn page(inner: F, page: Page) -> ReloadFuture<F> {
        ReloadFuture {
            inner: Some(inner),
            page: Some(page),
            is_file: false,
            answered: None,
        }
    }

    fn answered(response: Response<OwnBody>) -> ReloadFuture<F> {
        ReloadFuture {
            inner: None,
            page: None,
            is_file: false,
            answered: Some(response),
        }
    }
}

impl<F, B, E> Future for ReloadFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ReloadBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(response) = this.answered.take() {
            return Poll::Ready(Ok(response.map(ReloadBody::own)));
        }
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let Some(page) = this.page.as_ref() else {
            let mut response = ready!(inner.poll(cx))?;
            if *this.is_file {
                revalidate(response.headers_mut());
            }
            return Poll::Ready(Ok(response.map(ReloadBody::untouched)));
        };
        // The panic hook has reported it; what the future leaves behind is dropped with it.
        match catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
            Ok(polled) => {
                let response = ready!(polled)?;
                let response = page.respond(response);
                Poll::Ready(Ok(response.map(ReloadBody::page)))
            }
            Err(cause) => {
                let response = page.panicked(&*cause);
                this.inner.set(None);
                Poll::Ready(Ok(response))
            }
        }
    }
}

pin_project! {
    /// The body of a response of a [`ReloadService`].
    #[derive(Debug)]
    pub struct ReloadBody<B: Body> {
        #[pin]
        kind: BodyKind<B>,
    }
}

pin_project! {
    #[project = BodyKindProjection]
    #[derive(Debug)]
    enum BodyKind<B: Body> {
        Page { #[pin] body: PageBody<B> },
        Own { #[pin] body: OwnBody },
        Panicked { #[pin] body: PageBody<OwnBody> },
    }
}

/// The body of a response for one of the layer's own paths.
#[derive(Debug)]
enum OwnBody {
    Whole(Bytes),
    Stream(SseBody),
}

impl From<Bytes> for OwnBody {
    fn from(bytes: Bytes) -> OwnBody {
        OwnBody::Whole(bytes)
    }
}

impl Body for OwnBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            OwnBody::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            OwnBody::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            OwnBody::Stream(stream) => Pin::new(stream).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            OwnBody::Whole(bytes) => bytes.is_empty(),
            OwnBody::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            OwnBody::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            OwnBody::Stream(stream) => stream.size_hint(),
        }
    }
}

impl<B: Body> ReloadBody<B> {
    fn new(kind: BodyKind<B>) -> ReloadBody<B> {
        ReloadBody { kind }
    }

    fn page(body: PageBody<B>) -> ReloadBody<B> {
        ReloadBody::new(BodyKind::Page { body })
    }

    fn untouched(body: B) -> ReloadBody<B> {
        ReloadBody::page(PageBody::untouched(body))
    }

    fn own(body: OwnBody) -> ReloadBody<B> {
        ReloadBody::new(BodyKind::Own { body })
    }
}

impl<B: Body> Body for ReloadBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        fn never<T, E>(frame: Option<Result<T, Infallible>>) -> Option<Result<T, E>> {
            frame.map(|frame| frame.map_err(|never| match never {}))
        }
        match self.project().kind.project() {
            BodyKindProjection::Page { body } => body.poll_frame(cx),
            BodyKindProjection::Own { body } => body.poll_frame(cx).map(never),
            BodyKindProjection::Panicked { body } => body.poll_frame(cx).map(never),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            BodyKind::Page { body } => body.is_end_stream(),
            BodyKind::Own { body } => body.is_end_stream(),
            BodyKind::Panicked { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            BodyKind::Page { body } => body.size_hint(),
            BodyKind::Own { body } => body.size_hint(),
            BodyKind::Panicked { body } => body.size_hint(),
        }
    }
}
