//! Answers requests: first the guard, then the server's own paths, then backends, then files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tidings::http::Endpoint;
use tidings::reload::{
    OwnPaths, OwnResource, PageHead, as_navigation, client_response, stream_response,
};

use super::super::access::Access;
use super::super::addresses::is_own_address;
use super::super::answers::{self, plain, redirected, refused, script};
use super::super::body::{self, Body};
use super::super::control::Control;
use super::super::link::{Link, Upload};
use super::super::passing::{Passage, Passing};
use super::super::programs::Programs;
use super::super::unavailable::Wanted;
use super::routes::Routes;
use crate::files::{self, Files, SentPage};
use crate::guard;
use crate::guard::frames::{self, FRAME_JS, FrameHost};
use crate::listen::{Answer, Peer};
use crate::pages::{CLIENT_PATH, LivePages, STREAM_PATH};
use crate::referrers::Referrers;
use crate::report::{ChangeReporter, PageErrorReporter};
use crate::rules::LiveRules;
use crate::upstream::{Client, Upstream};

/// Where pages report what they have done about a change.
const REPORT_PATH: &str = "/@tidings/seen";

/// How long a sandboxed document has to be opened again under the secret host name.
const FRAME_TIMEOUT: Duration = Duration::from_secs(3);

/// The server's own paths begin with this; files below it are not served.
const OWN_PREFIX: &str = "/@tidings/";

pub(super) struct App {
    pub(super) access: Access,
    /// What `--slow` pretends.
    pub(super) link: Option<Arc<Link>>,
    pub(super) frame_host: Arc<FrameHost>,
    /// Whether a request was refused that may have come from a sandboxed frame.
    pub(super) has_refused_opaque: AtomicBool,
    pub(super) paths: OwnPaths,
    /// The folders that are served, those with the longest path first. The last one is for every path.
    pub(super) files: Arc<[Files]>,
    pub(super) routes: Arc<Routes>,
    pub(super) passing: Passing,
    pub(super) rules: Arc<LiveRules>,
    pub(super) pages: Arc<LivePages>,
    pub(super) referrers: Arc<Referrers>,
    pub(super) endpoint: Endpoint,
    pub(super) reporter: Arc<ChangeReporter>,
    pub(super) control: Arc<Control>,
    /// `None`: pages do not send their errors.
    pub(super) page_errors: Option<PageErrorReporter>,
    pub(super) programs: Programs,
}

impl App {
    pub(super) async fn answer(
        self: Arc<App>,
        request: Request<Incoming>,
        peer: Peer,
    ) -> Answer<Body> {
        let (mut parts, incoming) = request.into_parts();
        if let Some(refusal) = self.access.refuse(&mut parts, peer) {
            return body::own(refusal);
        }
        let path = parts.uri.path();
        let own = path == STREAM_PATH || path.starts_with(OWN_PREFIX);
        match &self.link {
            Some(link) if !own => {
                link.round_trip().await;
                let answer = Box::pin(self.respond(parts, incoming, own, peer));
                body::over(link, answer.await)
            }
            _ => self.respond(parts, incoming, own, peer).await,
        }
    }

    async fn respond(
        &self,
        mut parts: Parts,
        incoming: Incoming,
        own: bool,
        peer: Peer,
    ) -> Answer<Body> {
        let is_for_patch = as_navigation(&mut parts);
        let path = parts.uri.path();
        let framed = match self.frame_host.admits(&parts) {
            Ok(framed) => framed,
            Err(refusal) => return body::own(refused(refusal)),
        };
        if path == CLIENT_PATH && (framed || frames::is_foreign_script(&parts)) {
            return body::own(script(FRAME_JS));
        }
        let backend = match own {
            true => Ok(None),
            false => self.routes.backend(path),
        };
        match backend {
            Err(refusal) => return body::own(refused(refusal)),
            // Under the secret name there are only files.
            Ok(Some(_)) if framed => return body::own(plain(StatusCode::NOT_FOUND, "not found\n")),
            // Who may ask for this is for the backend to say.
            Ok(Some(upstream)) => {
                let own = (peer.scheme(), self.access.port);
                return match guard::own_target(&parts, own, is_own_address) {
                    Ok(()) => {
                        let upload = Upload::new(incoming, self.link.as_ref());
                        let request = Request::from_parts(parts, upload);
                        self.pass(upstream, request, peer).await
                    }
                    Err(refusal) => body::own(refused(refusal)),
                };
            }
            Ok(None) => {}
        }
        let foreign = match (own, framed) {
            (true, _) => guard::same_origin_only(&parts),
            (false, true) => Ok(()),
            (false, false) => guard::no_foreign_embedding(&parts),
        };
        if let Err(refusal) = foreign {
            if !own && frames::may_be_sandboxed(&parts.headers) {
                self.warn_unless_frames_work(path);
            }
            return body::own(refused(refusal));
        }
        body::own(match path {
            _ if own && framed => plain(StatusCode::NOT_FOUND, "not found\n"),
            STREAM_PATH => {
                return Answer::Stream(stream_response(self.endpoint.respond(&parts)));
            }
            REPORT_PATH => answers::page_reported(&self.reporter, &parts.method, incoming).await,
            _ if own => match self.paths.resource(path) {
                Some(OwnResource::Client) => client_response(&parts).map(files::Body::whole),
                Some(OwnResource::Control) => self.control.respond(&parts, incoming, peer.ip).await,
                Some(OwnResource::Errors) => {
                    answers::page_failed(self.page_errors.as_ref(), &parts.method, incoming).await
                }
                Some(OwnResource::Version) => {
                    let versions = self.passing.reloader.versions();
                    versions.respond(&parts).map(files::Body::whole)
                }
                _ => self.programs.respond(&parts, incoming).await,
            },
            _ => {
                self.referrers.record(&parts);
                let rules = self.rules.current();
                let request = Request::from_parts(parts, ());
                let path = request.uri().path();
                let response = match rules.redirect(request.uri()) {
                    Some(redirect) => redirected(redirect, &rules, path),
                    None => {
                        let is_for = |files: &&Files| files.below_mount(path).is_some();
                        let mut response = match self.files.iter().find(is_for) {
                            Some(files) => {
                                files.respond(&request, Some(peer.ip), &*self.pages).await
                            }
                            None => plain(StatusCode::NOT_FOUND, "not found\n"),
                        };
                        rules.set_headers(path, response.headers_mut());
                        keep(&mut response, &request, is_for_patch);
                        response
                    }
                };
                match framed {
                    true => self.frame_host.open(response, request.headers()),
                    false => response,
                }
            }
        })
    }

    async fn pass(
        &self,
        upstream: &Upstream,
        request: Request<Upload>,
        peer: Peer,
    ) -> Answer<Body> {
        let client = Client {
            peer: peer.ip,
            scheme: peer.scheme(),
        };
        let rules = self.rules.current();
        if let Some(redirect) = rules.redirect(request.uri()) {
            return body::own(redirected(redirect, &rules, request.uri().path()));
        }
        let wanted = Wanted::of(request.method(), request.headers());
        let passage = Passage::new(request, &client);
        match self.passing.send(upstream, passage).await {
            Ok(answer) => answer,
            Err(failed) => {
                let target = upstream.target();
                body::own(wanted.answer(target, &failed.error, &self.passing))
            }
        }
    }

    /// Requests of a sandboxed document are refused until its script opens it again under the secret host
    /// name. So the first refusal is reported only if that does not happen in time.
    fn warn_unless_frames_work(&self, path: &str) {
        if self.has_refused_opaque.swap(true, Ordering::Relaxed) {
            return;
        }
        let (frame_host, pages) = (Arc::clone(&self.frame_host), Arc::clone(&self.pages));
        let path = path.to_owned();
        tokio::spawn(async move {
            tokio::time::sleep(FRAME_TIMEOUT).await;
            if !frame_host.is_used() {
                pages.denied_to_opaque(&path);
            }
        });
    }
}

/// Keeps a page as it is sent. One that is requested for a patch is no page of its own: whoever requests it is told
/// whether it has the same head.
fn keep(response: &mut Response<files::Body>, request: &Request<()>, is_for_patch: bool) {
    let Some(sent) = response.extensions_mut().remove::<SentPage>() else {
        return;
    };
    let head = PageHead::of(response.headers());
    if is_for_patch {
        head.write(response.headers_mut());
    } else if request.method() == Method::GET {
        let address = request.uri().path_and_query();
        sent.keep(address.map_or_else(String::new, ToString::to_string), head);
    }
}
