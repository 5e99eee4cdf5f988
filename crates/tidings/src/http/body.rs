//! [`SseBody`]: the body of a response that does not end by itself.
//!
//! What must stay true: the first bytes (a comment and the reconnection time) are there before the
//! log is asked for anything, so that the head is flushed at once and the page's `open` fires.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::engine::BoxFuture;
use crate::fanout::SubscribeError;
use crate::subscription::Subscription;

/// A stream of events as the body of a response. Dropping it ends the subscription.
pub struct SseBody {
    state: State,
}

enum State {
    Opening(
        Bytes,
        BoxFuture<'static, Result<Subscription, SubscribeError>>,
    ),
    Waiting(BoxFuture<'static, Result<Subscription, SubscribeError>>),
    Open(Box<Subscription>),
    /// The last bytes of a body that ends right away.
    Last(Bytes),
    Ended,
}

impl SseBody {
    /// Sends `greeting` at once and then what the subscription has, as soon as it is there.
    pub(super) fn opening(
        greeting: Bytes,
        subscribing: BoxFuture<'static, Result<Subscription, SubscribeError>>,
    ) -> SseBody {
        SseBody {
            state: State::Opening(greeting, subscribing),
        }
    }

    /// Sends `bytes` and ends.
    pub(super) fn last(bytes: Bytes) -> SseBody {
        SseBody {
            state: State::Last(bytes),
        }
    }

    /// No bytes at all.
    pub(super) fn empty() -> SseBody {
        SseBody {
            state: State::Ended,
        }
    }
}

impl From<Subscription> for SseBody {
    /// The bare stream, without the greeting. [`response`](super::response) makes a whole response.
    fn from(subscription: Subscription) -> SseBody {
        subscription.keep_alive();
        SseBody {
            state: State::Open(Box::new(subscription)),
        }
    }
}

impl Body for SseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Opening(greeting, subscribing) => {
                    self.state = State::Waiting(subscribing);
                    return data(greeting);
                }
                State::Waiting(mut subscribing) => match subscribing.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = State::Waiting(subscribing);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(subscription)) => {
                        self.state = SseBody::from(subscription).state;
                    }
                    // The client has its reconnection time and comes back: any status but 200 would
                    // make it give up for good (WHATWG HTML 9.2.3), so the body just ends.
                    Poll::Ready(Err(_)) => return Poll::Ready(None),
                },
                State::Open(mut subscription) => {
                    let polled = subscription.poll_bytes(cx);
                    if !matches!(polled, Poll::Ready(None)) {
                        self.state = State::Open(subscription);
                    }
                    return polled.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))));
                }
                State::Last(bytes) => return data(bytes),
                State::Ended => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}

impl std::fmt::Debug for SseBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self.state {
            State::Opening(..) | State::Waiting(_) => "opening",
            State::Open(_) => "open",
            State::Last(_) | State::Ended => "ended",
        };
        f.debug_tuple("SseBody").field(&state).finish()
    }
}
