//! Decodes a compressed body as it streams, because the script can only be inserted into plain HTML. What is
//! not injected is never decoded.
//!
//! What must stay true:
//!
//! - Whatever can be decoded of the bytes that have come is passed on at once.
//! - One step yields little, however strongly the input is compressed; the rest of the input waits.
//! - Input that is damaged or cut off is an error, never a shorter body.

mod coding;
mod deflate;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body::{Body, Frame, SizeHint};

use coding::Decoder;

/// How much one step may yield; a decoder may exceed it by what is left in its own buffers.
const STEP: usize = 64 * 1024;

/// More codings on top of each other are not decoded: RFC 9110 8.4 allows any number.
const MAX_CODINGS: usize = 4;

/// The codings of a body, in the order in which they are undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Codings(Vec<Coding>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Codings {
    /// All that can be decoded.
    pub(crate) const NAMES: &[&str] = &["gzip", "x-gzip", "deflate", "br", "zstd"];

    /// The codings that a head names; `None` if one of them is unknown.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Codings> {
        let mut codings = Vec::new();
        for value in headers.get_all(CONTENT_ENCODING) {
            for name in value.to_str().ok()?.split(',') {
                // RFC 9110 8.4.1: in any case, and `x-gzip` is `gzip`.
                match name.trim().to_ascii_lowercase().as_str() {
                    "" | "identity" => {}
                    "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                    "deflate" => codings.push(Coding::Deflate),
                    "br" => codings.push(Coding::Brotli),
                    "zstd" => codings.push(Coding::Zstd),
                    _ => return None,
                }
            }
        }
        // RFC 9110 8.4: they are listed in the order in which they were applied.
        codings.reverse();
        (codings.len() <= MAX_CODINGS).then_some(Codings(codings))
    }
}

/// A body without its codings.
pub(crate) struct Decoded<B> {
    inner: B,
    stages: Vec<Stage>,
    /// The last data of the inner body has come.
    ended: bool,
    trailers: Option<HeaderMap>,
}

struct Stage {
    decoder: Decoder,
    input: Bytes,
    /// It may yield more without more input.
    has_more: bool,
    /// The stage before will give no more.
    is_last: bool,
    finished: bool,
}

impl<B> Decoded<B> {
    pub(crate) fn new(inner: B, codings: &Codings) -> Decoded<B> {
        let stage = |coding: &Coding| Stage {
            decoder: Decoder::new(*coding),
            input: Bytes::new(),
            has_more: false,
            is_last: false,
            finished: false,
        };
        Decoded {
            inner,
            stages: codings.0.iter().map(stage).collect(),
            ended: false,
            trailers: None,
        }
    }

    /// The next output of the stage. `None`: it needs more input from the inner body, or is finished.
    fn pull(&mut self, index: usize) -> io::Result<Option<Bytes>> {
        loop {
            let output = self.stages[index].step()?;
            if !output.is_empty() {
                return Ok(Some(output));
            }
            if index == 0 || self.stages[index].finished {
                return Ok(None);
            }
            match self.pull(index - 1)? {
                Some(input) => self.stages[index].input = input,
                None if self.stages[index - 1].finished => self.stages[index].is_last = true,
                None => return Ok(None),
            }
        }
    }
}

impl Stage {
    /// Takes some input, and returns what that yields: nothing only if all input is taken.
    fn step(&mut self) -> io::Result<Bytes> {
        let mut output = Vec::new();
        while !self.finished && output.is_empty() {
            if self.input.is_empty() && !self.has_more {
                if self.is_last {
                    self.finished = true;
                    self.decoder.finish(&mut output)?;
                }
                break;
            }
            let taken = self.decoder.decode(&self.input, &mut output)?;
            self.input.advance(taken);
            self.has_more = !output.is_empty();
        }
        Ok(output.into())
    }
}

impl<B> Body for Decoded<B>
where
    B: Body<Data = Bytes, Error = io::Error> + Unpin,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.stages.is_empty() {
            return Pin::new(&mut this.inner).poll_frame(cx);
        }
        loop {
            match this.pull(this.stages.len() - 1) {
                Ok(Some(output)) => return Poll::Ready(Some(Ok(Frame::data(output)))),
                Ok(None) if this.ended => {
                    return Poll::Ready(this.trailers.take().map(|t| Ok(Frame::trailers(t))));
                }
                Ok(None) => {}
                Err(error) => {
                    // Nothing comes after an error.
                    this.ended = true;
                    this.stages
                        .iter_mut()
                        .for_each(|stage| stage.finished = true);
                    return Poll::Ready(Some(Err(error)));
                }
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    // All of the input before has been taken.
                    Ok(data) => this.stages[0].input = data,
                    Err(frame) => this.trailers = frame.into_trailers().ok(),
                },
                None => {
                    this.ended = true;
                    this.stages[0].is_last = true;
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self.stages.is_empty() {
            true => self.inner.is_end_stream(),
            false => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.stages.is_empty() {
            true => self.inner.size_hint(),
            false => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests;
