//! Answers requests: first the guard, then the server's own paths, then the backend.

use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use tidings::http::Endpoint;
use tidings::reload::{OwnPaths, OwnResource, as_navigation, client_response, stream_response};

use super::super::access::Access;
use super::super::addresses::is_own_address;
use super::super::answers::{page_failed, page_reported, redirected, refused};
use super::super::body::{self, Body};
use super::super::control::Control;
use super::super::link::{Link, Upload};
use super::super::passing::{Passage, Passing};
use super::super::programs::Programs;
use super::super::unavailable::Wanted;
use super::backing::Backing;
use crate::files;
use crate::guard;
use crate::listen::{Answer, Peer};
use crate::report::{ChangeReporter, PageErrorReporter};
use crate::upstream::Client;

pub(super) struct App {
    pub(super) access: Access,
    /// What `--slow` pretends.
    pub(super) link: Option<Arc<Link>>,
    pub(super) paths: OwnPaths,
    pub(super) passing: Passing,
    pub(super) backing: Arc<Backing>,
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
        let own = (peer.scheme(), self.access.port);
        if let Err(refusal) = guard::own_target(&parts, own, is_own_address) {
            return body::own(refused(refusal));
        }
        let Some(resource) = self.paths.resource(parts.uri.path()) else {
            as_navigation(&mut parts);
            // Who may ask for the app's own paths is for the app to say.
            let upload = Upload::new(incoming, self.link.as_ref());
            let request = Request::from_parts(parts, upload);
            return match &self.link {
                None => self.pass(request, peer).await,
                Some(link) => {
                    link.round_trip().await;
                    body::over(link, Box::pin(self.pass(request, peer)).await)
                }
            };
        };
        if resource == OwnResource::Client {
            // It is the same for all, and reveals nothing.
            return body::own(client_response(&parts).map(files::Body::whole));
        }
        if let Err(refusal) = guard::same_origin_only(&parts) {
            return body::own(refused(refusal));
        }
        body::own(match resource {
            OwnResource::Stream => {
                return Answer::Stream(stream_response(self.endpoint.respond(&parts)));
            }
            OwnResource::Version => {
                let versions = self.passing.reloader.versions();
                versions.respond(&parts).map(files::Body::whole)
            }
            OwnResource::Ready => self.backing.ready().await,
            OwnResource::Control => self.control.respond(&parts, incoming, peer.ip).await,
            OwnResource::Errors => {
                page_failed(self.page_errors.as_ref(), &parts.method, incoming).await
            }
            OwnResource::Report => page_reported(&self.reporter, &parts.method, incoming).await,
            _ => self.programs.respond(&parts, incoming).await,
        })
    }

    async fn pass(&self, request: Request<Upload>, peer: Peer) -> Answer<Body> {
        let client = Client {
            peer: peer.ip,
            scheme: peer.scheme(),
        };
        let rules = self.passing.rules.current();
        if let Some(redirect) = rules.redirect(request.uri()) {
            return body::own(redirected(redirect, &rules, request.uri().path()));
        }
        let wanted = Wanted::of(request.method(), request.headers());
        let passage = Passage::new(request, &client);
        self.backing.pass(&self.passing, passage, wanted).await
    }
}
