//! Passes a request to a backend, and adds the script to the page that comes back.
//!
//! What must stay true: the page's state is taken before the backend gets the request; whatever is not
//! injected into passes as it is.

use std::sync::Arc;

use http::Request;
use http::StatusCode;
use http::header::CONTENT_ENCODING;
use tidings::reload::{Decision, Navigation, PageKind, PageState, Reloader, ScriptElement};

use super::body::Body;
use super::link::Upload;
use crate::files::{self, Pages};
use crate::listen::{Answer, Tunnel};
use crate::pages::LivePages;
use crate::rules::LiveRules;
use crate::upstream::{Client, Codings, Decoded, Error, Outgoing, Upstream, UpstreamBody};

/// What pages of a backend get.
pub(super) struct Passing {
    pub(super) reloader: Arc<Reloader>,
    pub(super) pages: Arc<LivePages>,
    /// Headers that are set in responses.
    pub(super) rules: Arc<LiveRules>,
    /// The addresses of the script and of the event stream.
    pub(super) client_url: String,
    pub(super) stream: String,
}

/// A request on its way to a backend.
pub(super) struct Passage {
    outgoing: Outgoing,
    asked: Asked,
}

/// What is needed when the response comes.
pub(super) struct Asked {
    /// The request is for a page that may get the script.
    pub(super) navigation: Option<Navigation>,
    pub(super) path: String,
}

/// A passage without a response.
pub(super) struct Failed {
    pub(super) error: Error,
    pub(super) asked: Asked,
}

impl Failed {
    /// The same passage once more, if nothing of it was sent.
    pub(super) fn again(self) -> Result<Passage, Failed> {
        let Failed { error, asked } = self;
        match error.into_unsent() {
            Ok(outgoing) => Ok(Passage { outgoing, asked }),
            Err(error) => Err(Failed { error, asked }),
        }
    }
}

impl Passage {
    pub(super) fn new(request: Request<Upload>, client: &Client) -> Passage {
        let (mut parts, body) = request.into_parts();
        let navigation = Navigation::of(&parts);
        if let Some(navigation) = &navigation {
            navigation.prepare(&mut parts.headers);
        }
        let asked = Asked {
            navigation,
            path: parts.uri.path().to_owned(),
        };
        let outgoing = Outgoing::new(Request::from_parts(parts, body), client);
        Passage { outgoing, asked }
    }
}

impl Passing {
    pub(super) async fn send(
        &self,
        upstream: &Upstream,
        passage: Passage,
    ) -> Result<Answer<Body>, Failed> {
        let Passage { outgoing, asked } = passage;
        let state = asked
            .navigation
            .is_some()
            .then(|| self.reloader.page_state());
        let mut response = match upstream.send(outgoing).await {
            Ok(response) => response,
            Err(error) => return Err(Failed { error, asked }),
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let tunnel = Tunnel::after(hyper::upgrade::on(&mut response));
            let response = response.map(|_| Body::own(files::Body::whole("")));
            return Ok(Answer::Upgrade(response, tunnel));
        }
        tidings::reload::revalidate(response.headers_mut());
        // Before the script is added: a policy that is set here must allow it.
        let rules = self.rules.current();
        rules.set_headers(&asked.path, response.headers_mut());
        Ok(Answer::Response(match (&asked.navigation, state) {
            (Some(navigation), Some(state)) => {
                self.inject(navigation, &state, &asked.path, response)
            }
            _ => response.map(Body::upstream),
        }))
    }

    fn inject(
        &self,
        navigation: &Navigation,
        state: &PageState,
        path: &str,
        mut response: http::Response<UpstreamBody>,
    ) -> http::Response<Body> {
        let codings = Codings::of(response.headers());
        let decoded = match &codings {
            Some(_) => Codings::NAMES,
            None => &[],
        };
        let decision = navigation.decide(&response, decoded);
        let codings = match (&decision, codings) {
            (Decision::Leave(why), _) => {
                if let Some(why) = why {
                    self.pages.not_injected(path, why);
                }
                return response.map(Body::upstream);
            }
            // It was decided that there is none.
            (_, None) => Codings::default(),
            (_, Some(codings)) => codings,
        };
        response.headers_mut().remove(CONTENT_ENCODING);
        let response = response.map(|body| Decoded::new(body, &codings));
        let version = self.reloader.new_version();
        let script = self
            .script(state, PageKind::Other)
            .version(version.as_ref());
        navigation
            .respond(decision, response, script)
            .map(|mut body| {
                let (pages, path) = (Arc::clone(&self.pages), path.to_owned());
                body.on_left_alone(move |why| pages.not_injected(&path, why));
                Body::page(body)
            })
    }

    pub(super) fn script<'a>(
        &'a self,
        state: &'a PageState,
        page: PageKind<'a>,
    ) -> ScriptElement<'a> {
        ScriptElement::new(&self.client_url, &self.stream, state, page)
    }
}
