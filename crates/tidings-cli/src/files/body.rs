//! The body of a response: bytes in memory, then bytes that are still in a file.
//!
//! Invariant: a body delivers exactly as many bytes as it promised, or fails. If the file is truncated
//! meanwhile the connection is aborted, so that the client notices that the response is incomplete. A
//! body reads only when it is polled, and at most one chunk ahead; dropping it closes the file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

/// Small enough that a slow client holds little memory, large enough that the hop to a blocking thread
/// costs less than the read.
const CHUNK_BYTES: u64 = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Body {
    in_memory: VecDeque<Bytes>,
    rest: Option<Rest>,
}

/// The bytes that are still in the file.
#[derive(Debug)]
struct Rest {
    /// Promised and not yet delivered.
    left_bytes: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Idle(File),
    /// The blocking thread holds the file until it has read a chunk. If the body is dropped
    /// before that, the thread closes it.
    Reading(JoinHandle<io::Result<(File, Bytes)>>),
    Done,
}

impl Body {
    pub(crate) fn empty() -> Body {
        Body::default()
    }

    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
        Body::chunks([bytes.into()])
    }

    pub(crate) fn chunks(chunks: impl IntoIterator<Item = Bytes>) -> Body {
        Body {
            in_memory: chunks
                .into_iter()
                .filter(|chunk| !chunk.is_empty())
                .collect(),
            rest: None,
        }
    }

    /// These bytes, then `rest_bytes` more of the file from its current offset.
    pub(crate) fn then_file(mut self, file: File, rest_bytes: u64) -> Body {
        self.rest = (rest_bytes > 0).then_some(Rest {
            left_bytes: rest_bytes,
            state: State::Idle(file),
        });
        self
    }

    /// The chunks that are in memory.
    pub(crate) fn in_memory(&self) -> Vec<&[u8]> {
        self.in_memory.iter().map(|chunk| &**chunk).collect()
    }

    pub(crate) fn len_bytes(&self) -> u64 {
        let in_memory: u64 = self.in_memory.iter().map(|chunk| chunk.len() as u64).sum();
        in_memory + self.rest.as_ref().map_or(0, |rest| rest.left_bytes)
    }
}

impl Rest {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if let State::Idle(_) = self.state {
            self.start();
        }
        let State::Reading(reading) = &mut self.state else {
            return Poll::Ready(Err(io::Error::other("read after the end")));
        };
        let result = ready!(Pin::new(reading).poll(cx));
        self.state = State::Done;
        let (file, chunk) = result.map_err(io::Error::other)??;
        self.left_bytes -= chunk.len() as u64;
        if self.left_bytes > 0 {
            // The next chunk is read while the client receives this one.
            self.state = State::Idle(file);
            self.start();
        }
        Poll::Ready(Ok(chunk))
    }

    fn start(&mut self) {
        let State::Idle(file) = std::mem::replace(&mut self.state, State::Done) else {
            return;
        };
        let wanted = self.left_bytes.min(CHUNK_BYTES);
        self.state = State::Reading(spawn_blocking(move || {
            let mut chunk = Vec::with_capacity(wanted as usize);
            (&file).take(wanted).read_to_end(&mut chunk)?;
            if chunk.len() as u64 == wanted {
                Ok((file, chunk.into()))
            } else {
                let text = "the file was truncated while it was sent";
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, text))
            }
        }));
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let body = self.get_mut();
        if let Some(chunk) = body.in_memory.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        let Some(rest) = &mut body.rest else {
            return Poll::Ready(None);
        };
        let result = ready!(rest.poll_chunk(cx));
        if result.is_err() || rest.left_bytes == 0 {
            body.rest = None;
        }
        Poll::Ready(Some(result.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.in_memory.is_empty() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len_bytes())
    }
}
