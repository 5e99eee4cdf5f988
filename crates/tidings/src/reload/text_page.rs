//! [`TextPage`]: the text of an error as a page of ours, as it streams.
//!
//! What must stay true: nothing of the text is markup, however it is cut into pieces.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;

/// For pages of ours, in place of the app's. `'self'` is for the script and its stream.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
    script-src 'self'; connect-src 'self'; worker-src 'self'; img-src 'self' data:";

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0 auto;max-width:72rem;padding:2.5rem 1.25rem;font:16px/1.5 system-ui,sans-serif}\
h1{font-size:1.25rem;font-weight:600;margin:0 0 1.25rem}\
pre{font:.875rem/1.5 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}\
pre:empty::before{content:\"The response has no content.\";font:1rem system-ui,sans-serif}";

/// What comes before the text, and after it.
#[derive(Debug)]
pub(super) struct PageFrame {
    before: String,
    after: &'static str,
}

/// The page for this status without content, behind a script element.
pub(super) fn blank(status: StatusCode) -> Bytes {
    let PageFrame { before, after } = frame(status, "");
    Bytes::from(before + after)
}

/// The page for this status. `script` is the script element.
pub(super) fn frame(status: StatusCode, script: &str) -> PageFrame {
    let reason = status.canonical_reason().unwrap_or("Error");
    let title = format!("{} {reason}", status.as_u16());
    PageFrame {
        before: format!(
            "<!doctype html>\n<html lang=\"en\"><head>{script}\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
             <style>{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n<pre>"
        ),
        after: "</pre>\n</body></html>\n",
    }
}

pin_project! {
    /// The text of a body, escaped, within a page.
    #[derive(Debug)]
    pub(super) struct TextPage<B> {
        #[pin]
        inner: B,
        before: Option<Bytes>,
        after: Option<&'static str>,
        trailers: Option<HeaderMap>,
        escapes: Escapes,
    }
}

impl<B> TextPage<B> {
    pub(super) fn new(inner: B, frame: PageFrame) -> TextPage<B> {
        TextPage {
            inner,
            before: Some(Bytes::from(frame.before)),
            after: Some(frame.after),
            trailers: None,
            escapes: Escapes::default(),
        }
    }
}

impl<B: Body> Body for TextPage<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let data = |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        if let Some(before) = this.before.take() {
            return data(before);
        }
        while this.after.is_some() {
            match ready!(this.inner.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(text) => {
                        let escaped = this.escapes.escape(text);
                        if !escaped.is_empty() {
                            return data(escaped);
                        }
                    }
                    Err(frame) => *this.trailers = frame.into_trailers().ok(),
                },
                Some(Err(error)) => {
                    *this.after = None;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    if let Some(after) = this.after.take() {
                        return data(Bytes::from_static(after.as_bytes()));
                    }
                }
            }
        }
        Poll::Ready(
            this.trailers
                .take()
                .map(|trailers| Ok(Frame::trailers(trailers))),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.after.is_none() && self.trailers.is_none()
    }
}

/// Escapes text and leaves out the control sequences of a terminal. The text may be in any encoding that
/// extends ASCII.
#[derive(Debug, Default)]
struct Escapes {
    sequence: Sequence,
}

/// Where in a control sequence the text is (ECMA-48 5.4).
#[derive(Debug, Default)]
enum Sequence {
    #[default]
    None,
    Escape,
    Parameters,
}

impl Escapes {
    fn escape(&mut self, mut text: impl Buf) -> Bytes {
        let mut out = BytesMut::with_capacity(text.remaining());
        while text.has_remaining() {
            let chunk = text.chunk();
            let len = chunk.len();
            for &byte in chunk {
                self.push(byte, &mut out);
            }
            text.advance(len);
        }
        out.freeze()
    }

    fn push(&mut self, byte: u8, out: &mut BytesMut) {
        match (&self.sequence, byte) {
            (_, 0x1b) => self.sequence = Sequence::Escape,
            (Sequence::Escape, b'[') => self.sequence = Sequence::Parameters,
            (Sequence::Parameters, 0x20..=0x3f) => {}
            (Sequence::Parameters, 0x40..=0x7e) => self.sequence = Sequence::None,
            _ => {
                self.sequence = Sequence::None;
                match byte {
                    b'&' => out.extend_from_slice(b"&amp;"),
                    b'<' => out.extend_from_slice(b"&lt;"),
                    b'>' => out.extend_from_slice(b"&gt;"),
                    b'\0' => {}
                    byte => out.extend_from_slice(&[byte]),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(chunks: &[&[u8]]) -> String {
        let mut escapes = Escapes::default();
        let pieces: Vec<_> = chunks.iter().map(|chunk| escapes.escape(*chunk)).collect();
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[test]
    fn text_is_escaped_and_its_colours_are_left_out_however_it_is_cut() {
        let text = b"\x1b[38;5;9merror\x1b[0m: \x1b]0;<a & 'b'>\n\x1b[";
        let expected = "error: 0;&lt;a &amp; 'b'&gt;\n";
        for cut in 0..text.len() {
            let (first, rest) = text.split_at(cut);
            let shown = escaped(&[first, rest]);
            assert_eq!(shown.replace(']', ""), expected, "{cut}");
        }
    }
}
