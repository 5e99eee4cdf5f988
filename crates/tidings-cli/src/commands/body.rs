//! The body of an answer, wherever it comes from.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};
use tidings::reload::PageBody;

use crate::files;
use crate::listen::Answer;
use crate::rules::Rules;
use crate::upstream::{Decoded, UpstreamBody};

pub(super) enum Body {
    /// A file, or something of the server's own.
    Own(files::Body),
    /// What a backend sends, as it is.
    Upstream(UpstreamBody),
    /// A page of a backend, with the script.
    Page(Box<PageBody<Decoded<UpstreamBody>>>),
}

/// An answer of the server's own.
pub(super) fn own(response: Response<files::Body>) -> Answer<Body> {
    Answer::Response(response.map(Body::Own))
}

/// The answer of a backend, with the headers that rules set for this path.
pub(super) fn with_headers(mut answer: Answer<Body>, rules: &Rules, path: &str) -> Answer<Body> {
    if let Answer::Response(response) = &mut answer {
        rules.set_headers(path, response.headers_mut());
    }
    answer
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Body::Own(body) => Pin::new(body).poll_frame(cx),
            Body::Upstream(body) => Pin::new(body).poll_frame(cx),
            Body::Page(body) => Pin::new(&mut **body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Own(body) => body.is_end_stream(),
            Body::Upstream(body) => body.is_end_stream(),
            Body::Page(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Own(body) => body.size_hint(),
            Body::Upstream(body) => body.size_hint(),
            Body::Page(body) => body.size_hint(),
        }
    }
}
