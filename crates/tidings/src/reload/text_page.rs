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

/// The same as for pages that show a [problem](super::problem_page).
const STYLE: &str = include_str!("client/problem.css");

const EMPTY: &str = "The response has no content. ";
const AFTER: &str = "This page reloads when something is saved.</p></main></body></html>\n";

/// The page for this status without any text, behind a script element.
pub(super) fn blank(status: StatusCode) -> Bytes {
    Bytes::from(before(status, "") + &after(EMPTY))
}

/// What comes before the text.
pub(super) fn before(status: StatusCode, script: &str) -> String {
    let reason = status.canonical_reason().unwrap_or("Error");
    let title = format!("{} {reason}", status.as_u16());
    // WHATWG HTML 13.2.6.4.7: a line break right after `<pre>` is dropped; the text may begin with one.
    format!(
        "<!doctype html>\n<html lang=\"en\"><head>{script}<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <style>\n{STYLE}</style></head>\n\
         <body class=\"page\"><main class=\"panel\"><h1>{title}</h1>\n<pre tabindex=\"0\">\n"
    )
}

fn after(remark: &str) -> String {
    format!("</pre>\n<p class=\"foot\">{remark}{AFTER}")
}

pin_project! {
    /// The text of a body, escaped, within a page.
    #[derive(Debug)]
    pub(super) struct TextPage<B> {
        #[pin]
        inner: B,
        before: Option<Bytes>,
        has_text: bool,
        is_done: bool,
        trailers: Option<HeaderMap>,
        escapes: Escapes,
    }
}

impl<B> TextPage<B> {
    pub(super) fn new(inner: B, before: String) -> TextPage<B> {
        TextPage {
            inner,
            before: Some(Bytes::from(before)),
            has_text: false,
            is_done: false,
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
        while !*this.is_done {
            match ready!(this.inner.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(text) => {
                        let escaped = this.escapes.escape(text);
                        if !escaped.is_empty() {
                            *this.has_text = true;
                            return data(escaped);
                        }
                    }
                    Err(frame) => *this.trailers = frame.into_trailers().ok(),
                },
                Some(Err(error)) => {
                    *this.is_done = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    *this.is_done = true;
                    let empty = if *this.has_text { "" } else { EMPTY };
                    return data(Bytes::from(after(empty)));
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
        self.is_done && self.trailers.is_none()
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
