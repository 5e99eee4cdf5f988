//! The injector: inserts one script element into an HTML document and changes no other byte.
//!
//! Where: right after `<head>`, or where the parser would start an implied head, that is before the
//! first tag or text that is neither the doctype, a comment, white space nor `<html>`. A script there
//! runs before all other scripts of the page and before a Content-Security-Policy in a `<meta>` takes
//! effect. It changes neither the doctype mode nor any other node of the document.
//!
//! How: [`lol_html`] parses the beginning of the document as a browser would (comments, upper case,
//! odd attributes) and gives byte offsets; the bytes themselves are neither decoded nor rewritten. So
//! any ASCII-compatible encoding works, and everything after the script is copied, not parsed.
//!
//! What must stay true
//! - Pure: no IO, no clock. The output does not depend on how the input was cut into chunks.
//! - It fails open: in case of doubt the bytes pass unchanged and [`Outcome::LeftAlone`] says why.
//! - At most [`LIMIT`] bytes are held back.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use lol_html::AsciiCompatibleEncoding;
use lol_html::html_content::{Comment, Doctype, TextChunk};
use lol_html::send::{DocumentContentHandlers, ElementContentHandlers, HtmlRewriter, Settings};

/// How many bytes of a document are held back at most while the place is searched: 1 MiB.
///
/// Only comments and white space can come before that place, so in a real page it is found within the
/// first hundred bytes.
pub const LIMIT: usize = 1 << 20;

/// The scanner gets slices of this size, so that only the beginning of a document is parsed even if
/// the whole of it is pushed at once.
const STEP: usize = 4096;

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

/// What was done with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The script was inserted.
    Injected,
    /// No byte was changed, for this reason.
    LeftAlone(&'static str),
}

/// Inserts a snippet into one HTML document, chunk by chunk.
///
/// ```
/// use bytes::Bytes;
/// use tidings::reload::{Injector, Outcome};
///
/// let mut injector = Injector::new(Bytes::from_static(b"<script src=/x.js></script>"));
/// let mut out = Vec::new();
/// injector.push(Bytes::from_static(b"<!doctype html><title>Hi</title>"), &mut out);
/// injector.finish(&mut out);
/// assert_eq!(out.concat(), b"<!doctype html><script src=/x.js></script><title>Hi</title>");
/// assert_eq!(injector.outcome(), Some(Outcome::Injected));
/// ```
#[derive(Debug)]
pub struct Injector {
    snippet: Bytes,
    state: State,
    offset: Option<usize>,
}

#[derive(Debug)]
enum State {
    Searching(Box<Search>),
    Done(Outcome),
}

impl Injector {
    /// An injector for one document. `snippet` must be ASCII, so that it is the same in every encoding
    /// that the document may have.
    pub fn new(snippet: Bytes) -> Injector {
        Injector {
            snippet,
            state: State::Searching(Box::default()),
            offset: None,
        }
    }

    /// Takes the next bytes of the document, and appends to `out` those that can be sent.
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) {
        match &mut self.state {
            State::Done(_) if chunk.is_empty() => {}
            State::Done(_) => out.push(chunk),
            State::Searching(search) => {
                if let Some(found) = search.push(&chunk) {
                    self.settle(found, out);
                }
            }
        }
    }

    /// Ends the document, and appends to `out` what was held back.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        if let State::Searching(search) = &mut self.state {
            let found = search.finish();
            self.settle(found, out);
        }
    }

    /// What was done with the document; `None` until that is decided.
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.state {
            State::Searching(_) => None,
            State::Done(outcome) => Some(*outcome),
        }
    }

    /// How many bytes of the document come before the script; `None` if it was not inserted. It is the
    /// same each time for the same document, so a server may cache it.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use tidings::reload::Injector;
    ///
    /// let mut injector = Injector::new(Bytes::from_static(b"<script src=/x.js></script>"));
    /// injector.push(Bytes::from_static(b"<!doctype html><title>Hi</title>"), &mut Vec::new());
    /// assert_eq!(injector.offset(), Some("<!doctype html>".len()));
    /// ```
    pub fn offset(&self) -> Option<usize> {
        self.offset
    }

    /// How many bytes are held back now.
    pub(super) fn held_bytes(&self) -> usize {
        match &self.state {
            State::Searching(search) => search.held_bytes,
            State::Done(_) => 0,
        }
    }

    fn settle(&mut self, found: Found, out: &mut Vec<Bytes>) {
        let State::Searching(search) = &mut self.state else {
            return;
        };
        let mut held = std::mem::take(&mut search.held);
        let outcome = match found {
            Found::Nowhere(reason) => Outcome::LeftAlone(reason),
            Found::At(mut offset) => {
                self.offset = Some(offset);
                for index in 0..=held.len() {
                    let len = held.get(index).map_or(0, Bytes::len);
                    if offset < len || index == held.len() {
                        let tail = held.split_off(index);
                        let mut tail = tail.into_iter();
                        let cut = tail.next().unwrap_or_default();
                        held.push(cut.slice(..offset.min(len)));
                        held.push(self.snippet.clone());
                        held.push(cut.slice(offset.min(len)..));
                        held.extend(tail);
                        break;
                    }
                    offset -= len;
                }
                Outcome::Injected
            }
        };
        out.extend(held.into_iter().filter(|bytes| !bytes.is_empty()));
        self.state = State::Done(outcome);
    }
}

/// The result of the search.
#[derive(Clone, Copy, Debug)]
enum Found {
    At(usize),
    Nowhere(&'static str),
}

/// The beginning of a document that is held back while it is searched.
#[derive(Default)]
struct Search {
    held: Vec<Bytes>,
    held_bytes: usize,
    /// The first bytes, until there are enough to recognise a byte order mark.
    start: Vec<u8>,
    /// How many bytes the scanner did not get: 3 if the document starts with a byte order mark.
    base: usize,
    scanner: Option<Scanner>,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search")
            .field("held_bytes", &self.held_bytes)
            .finish_non_exhaustive()
    }
}

impl Search {
    fn push(&mut self, chunk: &Bytes) -> Option<Found> {
        self.held_bytes += chunk.len();
        self.held.push(chunk.clone());
        let found = match self.scanner {
            Some(_) => self.scan(chunk),
            None => {
                self.start.extend_from_slice(chunk);
                if self.start.len() < UTF8_BOM.len() {
                    return None;
                }
                self.begin()
            }
        };
        if found.is_none() && self.held_bytes > LIMIT {
            return Some(Found::Nowhere(
                "its first MiB is nothing but comments and white space",
            ));
        }
        found
    }

    fn finish(&mut self) -> Found {
        if self.scanner.is_none()
            && let Some(found) = self.begin()
        {
            return found;
        }
        match self.scanner.take() {
            Some(scanner) => scanner.finish(self.base, &self.held),
            None => Found::At(self.held_bytes),
        }
    }

    /// Looks at the first three bytes, then passes them to the scanner.
    fn begin(&mut self) -> Option<Found> {
        let start = std::mem::take(&mut self.start);
        match start.as_slice() {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [b'<', 0, ..] => {
                return Some(Found::Nowhere("it is encoded in UTF-16"));
            }
            _ => {}
        }
        let rest = match start.strip_prefix(UTF8_BOM) {
            Some(rest) => {
                self.base = UTF8_BOM.len();
                rest
            }
            None => &start,
        };
        self.scanner = Some(Scanner::new());
        self.scan(rest)
    }

    fn scan(&mut self, bytes: &[u8]) -> Option<Found> {
        let scanner = self.scanner.as_mut()?;
        for slice in bytes.chunks(STEP) {
            match scanner.read(slice) {
                None => {}
                Some(Found::At(offset)) => return Some(Found::At(self.base + offset)),
                nowhere => return nowhere,
            }
        }
        None
    }
}

/// `lol_html` as a parser: its offsets are used, its output is discarded.
struct Scanner {
    rewriter: HtmlRewriter<'static, fn(&[u8])>,
    place: Arc<Mutex<Place>>,
}

/// Set by the handlers during parsing.
#[derive(Debug, Default)]
struct Place {
    found: Option<usize>,
    /// The end of the last doctype, comment or `<html>`: nothing may be inserted before it.
    passed: usize,
    html: bool,
}

impl Place {
    /// Stops the parser: `lol_html` stops when a handler returns an error.
    fn stop_at(&mut self, offset: usize) -> lol_html::HandlerResult {
        self.found.get_or_insert(offset);
        Err("found".into())
    }
}

impl Scanner {
    fn new() -> Scanner {
        let place = Arc::new(Mutex::new(Place::default()));
        // Each handler holds the lock for its own few lines; all of them run in `read`.
        let of = |place: &Arc<Mutex<Place>>| Arc::clone(place);
        let (elements, doctypes, comments, texts) =
            (of(&place), of(&place), of(&place), of(&place));
        let element = move |element: &mut lol_html::send::Element<'_, '_>| {
            let span = element.source_location().bytes();
            let mut place = lock(&elements);
            match element.tag_name().as_str() {
                "html" if !place.html => {
                    place.html = true;
                    place.passed = span.end;
                    Ok(())
                }
                "head" => place.stop_at(span.end),
                _ => place.stop_at(span.start),
            }
        };
        let doctype = move |token: &mut Doctype<'_>| {
            lock(&doctypes).passed = token.source_location().bytes().end;
            Ok(())
        };
        let comment = move |token: &mut Comment<'_>| {
            lock(&comments).passed = token.source_location().bytes().end;
            Ok(())
        };
        let text = move |chunk: &mut TextChunk<'_>| {
            // WHATWG HTML 13.2.6.4.2: white space before the head is dropped. Behind an inserted script it
            // would become text in the head, so the script is inserted after it.
            let text = chunk.as_str();
            // One character is one byte of the document, see `single_byte_encoding`.
            let n_blank = text
                .bytes()
                .take_while(|byte| matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' '))
                .count();
            if n_blank == text.len() {
                return Ok(());
            }
            lock(&texts).stop_at(chunk.source_location().bytes().start + n_blank)
        };
        let everything = match "*".parse() {
            Ok(selector) => std::borrow::Cow::Owned(selector),
            Err(error) => unreachable!("`*` is a selector: {error}"),
        };
        let settings = Settings::new_send()
            // Ambiguous markup further on does not matter to the search.
            .with_strict(false)
            .with_encoding(single_byte_encoding())
            .append_element_content_handler((
                everything,
                ElementContentHandlers::default().element(element),
            ))
            .append_document_content_handler(
                DocumentContentHandlers::default()
                    .doctype(doctype)
                    .comments(comment)
                    .text(text),
            );
        Scanner {
            rewriter: HtmlRewriter::new(settings, (|_| {}) as fn(&[u8])),
            place,
        }
    }

    fn read(&mut self, bytes: &[u8]) -> Option<Found> {
        let result = self.rewriter.write(bytes);
        let found = lock(&self.place).found;
        match (found, result) {
            (Some(offset), _) => Some(Found::At(offset)),
            (None, Ok(())) => None,
            (None, Err(_)) => Some(Found::Nowhere("its markup could not be read")),
        }
    }

    /// The document has ended without any content: an incomplete page, or an empty one.
    fn finish(self, base: usize, held: &[Bytes]) -> Found {
        // Not `rewriter.end()`: it would report an unfinished token, and a script inserted after its start
        // would be part of it.
        let passed = base + lock(&self.place).passed;
        let n_blank = held
            .iter()
            .flatten()
            .skip(passed)
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        // The decoder may still hold text that no handler has got: it starts here.
        Found::At(passed + n_blank)
    }
}

/// An encoding in which each byte is one character, whatever the document's own encoding is. So no
/// chunk ends within a character, and offsets in text are offsets in bytes.
fn single_byte_encoding() -> AsciiCompatibleEncoding {
    AsciiCompatibleEncoding::new(encoding_rs::WINDOWS_1252)
        .unwrap_or_else(AsciiCompatibleEncoding::utf_8)
}

fn lock(place: &Mutex<Place>) -> std::sync::MutexGuard<'_, Place> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
