//! `--slow`: a network link that is as slow as a phone's.
//!
//! All responses share one link, as all tabs of a phone do, and so do all uploads: whatever is sent takes its
//! turn. Each request also takes the time of a round trip. The pages' event stream and everything else of the
//! server's own is not delayed, so that changes still show at once. WebSockets get the delay only.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::config::Slow;

/// A piece is what the link transfers in about this time: short, so that responses take turns.
const TURN: Duration = Duration::from_millis(10);

/// The size of a packet: less is not sent at a time.
const MIN_PIECE: usize = 1400;

pub(super) struct Link {
    slow: Slow,
    down: Direction,
    up: Direction,
}

/// Until when a direction is in use.
// Held to read and move it.
struct Direction(Mutex<Option<Instant>>);

/// The bytes of one body that pass a link.
pub(super) struct Pacer {
    link: Arc<Link>,
    is_upload: bool,
    /// The next piece, and when it has arrived.
    piece: Option<(Bytes, Pin<Box<Sleep>>)>,
    /// What comes after it.
    rest: Bytes,
}

impl Link {
    pub(super) fn new(slow: Slow) -> Arc<Link> {
        Arc::new(Link {
            slow,
            down: Direction(Mutex::default()),
            up: Direction(Mutex::default()),
        })
    }

    /// How long a request and the beginning of its response travel.
    pub(super) fn round_trip(&self) -> Sleep {
        tokio::time::sleep(self.slow.delay)
    }

    /// For the body of a response.
    pub(super) fn download(self: &Arc<Link>) -> Pacer {
        self.pacer(false)
    }

    fn pacer(self: &Arc<Link>, is_upload: bool) -> Pacer {
        Pacer {
            link: Arc::clone(self),
            is_upload,
            piece: None,
            rest: Bytes::new(),
        }
    }

    fn time_for(&self, n_bytes: usize) -> Duration {
        let bits = n_bytes as f64 * 8.0;
        Duration::from_secs_f64(bits / (f64::from(self.slow.kbit) * 1000.0))
    }

    fn piece_size(&self) -> usize {
        let bytes_in_a_second = u64::from(self.slow.kbit) * 125;
        let bytes = bytes_in_a_second * TURN.as_millis() as u64 / 1000;
        usize::try_from(bytes).unwrap_or(usize::MAX).max(MIN_PIECE)
    }
}

impl Direction {
    /// When something has passed that takes this long, after all that is on its way.
    fn reserve(&self, now: Instant, takes: Duration) -> Instant {
        let mut busy_until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = busy_until.map_or(now, |until| until.max(now));
        *busy_until.insert(begin + takes)
    }
}

impl Pacer {
    /// Polls a body, and passes on what it has at the pace of the link.
    pub(super) fn poll_frame<E>(
        &mut self,
        cx: &mut Context<'_>,
        mut poll_body: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, E>>>,
    ) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        loop {
            if let Some((piece, arrives)) = &mut self.piece {
                ready!(arrives.as_mut().poll(cx));
                let piece = std::mem::take(piece);
                self.piece = None;
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            while self.rest.is_empty() {
                match ready!(poll_body(cx)) {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => self.rest = data,
                        Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                    },
                    other => return Poll::Ready(other),
                }
            }
            let piece = self
                .rest
                .split_to(self.rest.len().min(self.link.piece_size()));
            let direction = match self.is_upload {
                true => &self.link.up,
                false => &self.link.down,
            };
            let arrives = direction.reserve(Instant::now(), self.link.time_for(piece.len()));
            let arrives = Box::pin(tokio::time::sleep_until(arrives));
            self.piece = Some((piece, arrives));
        }
    }

    /// Bytes that were taken from the body and have not been passed on.
    pub(super) fn held(&self) -> usize {
        let piece = self.piece.as_ref().map_or(0, |(piece, _)| piece.len());
        piece + self.rest.len()
    }
}

/// The body of a request, over the link if there is one.
pub(super) struct Upload {
    body: Incoming,
    pacer: Option<Pacer>,
}

impl Upload {
    pub(super) fn new(body: Incoming, link: Option<&Arc<Link>>) -> Upload {
        // Without a body there is nothing to pace.
        let link = link.filter(|_| !body.is_end_stream());
        Upload {
            body,
            pacer: link.map(|link| link.pacer(true)),
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let body = &mut this.body;
        match &mut this.pacer {
            None => Pin::new(body).poll_frame(cx),
            Some(pacer) => pacer.poll_frame(cx, |cx| Pin::new(&mut *body).poll_frame(cx)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held() == 0 && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        with_held(self.body.size_hint(), self.held())
    }
}

impl Upload {
    fn held(&self) -> usize {
        self.pacer.as_ref().map_or(0, Pacer::held)
    }
}

/// The size of a body of which some bytes are held.
pub(super) fn with_held(hint: SizeHint, held: usize) -> SizeHint {
    if held == 0 {
        return hint;
    }
    let held = held as u64;
    let mut sum = SizeHint::new();
    sum.set_lower(hint.lower() + held);
    if let Some(upper) = hint.upper() {
        sum.set_upper(upper + held);
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;

    use http_body_util::{BodyExt, Full};

    use super::*;

    struct Paced<B>(B, Pacer);

    impl<B: Body<Data = Bytes, Error = Infallible> + Unpin> Body for Paced<B> {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let Paced(body, pacer) = self.get_mut();
            pacer.poll_frame(cx, |cx| Pin::new(&mut *body).poll_frame(cx))
        }
    }

    struct Frames(VecDeque<Frame<Bytes>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.get_mut().0.pop_front().map(Ok))
        }
    }

    fn link(text: &str) -> Arc<Link> {
        Link::new(text.parse().unwrap())
    }

    fn body(len: usize) -> Full<Bytes> {
        Full::new(Bytes::from(vec![b'x'; len]))
    }

    #[tokio::test(start_paused = true)]
    async fn two_bodies_share_the_rate_and_an_upload_has_its_own() {
        let link = link("800");
        let begin = Instant::now();
        let downloads = [50_000, 50_000].map(|len| Paced(body(len), link.download()));
        let [one, two] = downloads.map(BodyExt::collect);
        let upload = Paced(body(50_000), link.pacer(true));
        let (one, two, upload) = tokio::join!(
            async { one.await.map(|_| begin.elapsed()) },
            async { two.await.map(|_| begin.elapsed()) },
            async { upload.collect().await.map(|_| begin.elapsed()) },
        );
        let is_about = |found: Duration, ms: f64| (found.as_secs_f64() * 1000.0 - ms).abs() < 40.0;
        // 100 000 bytes a second.
        assert!(is_about(one.unwrap(), 1000.0), "{one:?}");
        assert!(is_about(two.unwrap(), 1000.0), "{two:?}");
        assert!(is_about(upload.unwrap(), 500.0), "{upload:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn every_byte_and_the_trailers_arrive_in_order() {
        let text: Vec<u8> = (0..10_000u32).map(|n| (n % 251) as u8).collect();
        let data = text.chunks(777).map(Bytes::copy_from_slice);
        let frames = data.chain([Bytes::new()]).map(Frame::data);
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x", http::HeaderValue::from_static("y"));
        let frames: Vec<_> = frames.chain([Frame::trailers(trailers.clone())]).collect();
        let paced = Paced(Frames(frames.into()), link("100,5").download());
        let collected = paced.collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(collected.to_bytes(), text);
    }
}
