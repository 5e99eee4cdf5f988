//! Reading a stream of events, as a browser does, from chunks cut anywhere.
//!
//! Pure: bytes in, [`Item`]s out. What must stay true: the items do not depend on how the bytes were
//! cut, and no more than [`Parser::DEFAULT_LIMIT_BYTES`] (or the limit asked for) is ever kept.

use std::time::Duration;

/// What a stream yields.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// An event, complete with its blank line.
    Message(Message),
    /// The server has set the reconnection time.
    Retry(Duration),
}

/// One event as a reader gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// `message`, unless the server gave it a name.
    pub name: String,
    /// The lines of data, joined with LF.
    pub data: String,
    /// The id to resume from: this event's, or the last one that came before it; empty for none.
    pub last_event_id: String,
}

/// The stream holds one event or line that is larger than the parser's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream holds an event of more than {limit} bytes")]
#[non_exhaustive]
pub struct ParseError {
    /// The limit, in bytes.
    pub limit: usize,
}

/// An incremental reader of `text/event-stream`.
///
/// ```
/// use tidings::sse::{Item, Parser};
///
/// let mut parser = Parser::new();
/// let mut heard = Vec::new();
/// for chunk in [&b"data: hel"[..], b"lo\n", b"\n"] {
///     parser.push(chunk, |item| heard.push(item))?;
/// }
/// let Item::Message(message) = &heard[0] else { panic!() };
/// assert_eq!(message.data, "hello");
/// # Ok::<(), tidings::sse::ParseError>(())
/// ```
#[derive(Debug)]
pub struct Parser {
    limit: usize,
    /// The bytes of an unfinished line.
    line: Vec<u8>,
    /// The line before ended with CR: an LF that follows belongs to it.
    after_cr: bool,
    /// No line has been read yet, so a byte order mark may still come.
    at_start: bool,
    name: String,
    data: Vec<u8>,
    has_data: bool,
    /// The id that the next blank line makes the last event id.
    id: String,
    last_event_id: String,
}

impl Default for Parser {
    fn default() -> Parser {
        Parser::new()
    }
}

impl Parser {
    /// The most one event may take where nothing else is said: 16 MiB.
    pub const DEFAULT_LIMIT_BYTES: usize = 16 << 20;

    /// A parser at the start of a stream.
    pub fn new() -> Parser {
        Parser::with_limit(Parser::DEFAULT_LIMIT_BYTES)
    }

    /// A parser that gives up on events larger than `limit_bytes`.
    pub fn with_limit(limit_bytes: usize) -> Parser {
        Parser {
            limit: limit_bytes,
            line: Vec::new(),
            after_cr: false,
            at_start: true,
            name: String::new(),
            data: Vec::new(),
            has_data: false,
            id: String::new(),
            last_event_id: String::new(),
        }
    }

    /// The id a reader would send as `Last-Event-ID` now; empty for none.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Takes the next bytes and tells each item that they complete. An event without its blank line
    /// at the end of a stream is never told (WHATWG HTML 9.2.6).
    ///
    /// # Errors
    /// [`ParseError`] where an event is larger than the limit. The parser is of no use afterwards.
    pub fn push(&mut self, chunk: &[u8], mut tell: impl FnMut(Item)) -> Result<(), ParseError> {
        let mut rest = chunk;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = memchr::memchr2(b'\r', b'\n', rest) {
            let (head, tail) = rest.split_at(end);
            if self.line.is_empty() {
                self.line(head, &mut tell);
            } else {
                self.line.extend_from_slice(head);
                let line = std::mem::take(&mut self.line);
                self.line(&line, &mut tell);
            }
            rest = match tail {
                [b'\r', b'\n', rest @ ..] => rest,
                [b'\r'] => {
                    self.after_cr = true;
                    &[]
                }
                [_, rest @ ..] => rest,
                [] => &[],
            };
            self.check_limit()?;
        }
        self.line.extend_from_slice(rest);
        self.check_limit()
    }

    fn check_limit(&self) -> Result<(), ParseError> {
        if self.line.len() + self.data.len() > self.limit {
            return Err(ParseError { limit: self.limit });
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], tell: &mut impl FnMut(Item)) {
        // WHATWG HTML 9.2.6: a leading byte order mark is dropped, once.
        let line = match std::mem::take(&mut self.at_start) {
            true => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            false => line,
        };
        if line.is_empty() {
            return self.dispatch(tell);
        }
        let (field, value) = match memchr::memchr(b':', line) {
            None => (line, &b""[..]),
            Some(colon) => {
                let value = &line[colon + 1..];
                (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
            }
        };
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            b"id" if !value.contains(&0) => self.id = String::from_utf8_lossy(value).into_owned(),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let digits = String::from_utf8_lossy(value);
                // Digits beyond 64 bits still mean "very long".
                let retry_ms = digits.parse().unwrap_or(u64::MAX);
                tell(Item::Retry(Duration::from_millis(retry_ms)));
            }
            // A comment (the field name is empty), an id with a NUL, or a field nobody knows.
            _ => {}
        }
    }

    fn dispatch(&mut self, tell: &mut impl FnMut(Item)) {
        self.last_event_id.clone_from(&self.id);
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        // An event without any data line only sets the id.
        if std::mem::take(&mut self.has_data) {
            tell(Item::Message(Message {
                name: if name.is_empty() {
                    "message".to_owned()
                } else {
                    name
                },
                data: String::from_utf8(data)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
                last_event_id: self.last_event_id.clone(),
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn items(stream: &[u8], size: usize) -> Vec<Item> {
        let mut parser = Parser::new();
        let mut items = Vec::new();
        for chunk in stream.chunks(size) {
            parser.push(chunk, |item| items.push(item)).unwrap();
        }
        items
    }

    /// `(name, data, id)` of each message, read whole and byte by byte.
    #[track_caller]
    fn check(stream: &str, expected: &[(&str, &str, &str)]) {
        for size in [1, 2, 3, usize::MAX] {
            let got = items(stream.as_bytes(), size);
            let got: Vec<_> = got
                .iter()
                .filter_map(|item| match item {
                    Item::Message(m) => {
                        Some((m.name.as_str(), m.data.as_str(), m.last_event_id.as_str()))
                    }
                    Item::Retry(_) => None,
                })
                .collect();
            assert_eq!(got, expected, "in chunks of {size}");
        }
    }

    // The streams of WHATWG HTML 9.2.6 and of the web-platform-tests for eventsource.

    #[test]
    fn lines_of_data_are_joined_with_lf() {
        check(
            "data: YHOO\ndata: +2\ndata: 10\n\n",
            &[("message", "YHOO\n+2\n10", "")],
        );
    }

    #[test]
    fn the_second_example_of_the_specification() {
        check(
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
            &[
                ("message", "first event", "1"),
                ("message", "second event", ""),
            ],
        );
    }

    #[test]
    fn empty_data_lines() {
        check(
            "data\n\ndata\ndata\n\ndata:",
            &[("message", "", ""), ("message", "\n", "")],
        );
    }

    #[test]
    fn one_space_after_the_colon_is_dropped() {
        check(
            "data:test\n\ndata: test\n\ndata:  test\n\ndata:\ttest\n\n",
            &[
                ("message", "test", ""),
                ("message", "test", ""),
                ("message", " test", ""),
                ("message", "\ttest", ""),
            ],
        );
    }

    #[test]
    fn cr_lf_and_crlf_each_end_one_line() {
        check(
            "data: a\rdata: b\r\ndata: c\n\r\n",
            &[("message", "a\nb\nc", "")],
        );
        check("data: a\r\r", &[("message", "a", "")]);
        check(
            "data: a\r\n\r\ndata: b\r\n\r\n",
            &[("message", "a", ""), ("message", "b", "")],
        );
    }

    #[test]
    fn one_leading_byte_order_mark_is_dropped() {
        check("\u{feff}data: a\n\n", &[("message", "a", "")]);
        check(
            "\u{feff}\u{feff}data: a\n\ndata: b\n\n",
            &[("message", "b", "")],
        );
        check("data: a\n\n\u{feff}data: b\n\n", &[("message", "a", "")]);
    }

    #[test]
    fn an_id_holds_until_the_next_one_and_needs_no_data() {
        check(
            "id: 1\n\ndata: a\n\nid: 2\ndata: b\n\nid\n\ndata: c\n\n",
            &[
                ("message", "a", "1"),
                ("message", "b", "2"),
                ("message", "c", ""),
            ],
        );
    }

    #[test]
    fn an_id_with_nul_is_ignored() {
        check(
            "id: 1\ndata: a\n\nid: x\0y\ndata: b\n\n",
            &[("message", "a", "1"), ("message", "b", "1")],
        );
    }

    #[test]
    fn a_name_holds_for_one_event() {
        check(
            "event: x\ndata: a\n\ndata: b\n\nevent: y\n\ndata: c\n\n",
            &[("x", "a", ""), ("message", "b", ""), ("message", "c", "")],
        );
    }

    #[test]
    fn an_unfinished_event_is_dropped() {
        check("data: a\n\ndata: b\nid: 2\n", &[("message", "a", "")]);
    }

    #[test]
    fn unknown_fields_and_comments_are_skipped() {
        check(
            "datax: no\n data: no\nDATA: no\n: no\ndata: yes\nfoo\n\n",
            &[("message", "yes", "")],
        );
    }

    #[test]
    fn retry_takes_digits_only() {
        let stream = b"retry: 1500\nretry: 5s\nretry: 1.5\nretry:\nretry: -1\nretry:7\n";
        assert_eq!(
            items(stream, 1),
            [
                Item::Retry(Duration::from_millis(1500)),
                Item::Retry(Duration::from_millis(7))
            ]
        );
    }

    #[test]
    fn an_event_beyond_the_limit_is_an_error_not_memory() {
        let mut parser = Parser::with_limit(100);
        let result = (0..).find_map(|_| parser.push(b"data: 0123456789\n", |_| {}).err());
        assert_eq!(result, Some(ParseError { limit: 100 }));
        let mut parser = Parser::with_limit(100);
        assert!(parser.push(&[b'x'; 101], |_| {}).is_err());
    }

    proptest! {
        #[test]
        fn prop_chunks_do_not_matter(
            pieces in prop::collection::vec(
                prop::sample::select(vec!["data", ":", " ", "\r", "\n", "id", "event", "retry", "1", "é", "\u{feff}", "\0"]),
                0..60,
            ),
            size in 1usize..5,
        ) {
            let stream = pieces.concat();
            prop_assert_eq!(items(stream.as_bytes(), size), items(stream.as_bytes(), usize::MAX));
        }

        #[test]
        fn prop_any_bytes_are_read_without_a_panic(stream in prop::collection::vec(any::<u8>(), 0..300)) {
            items(&stream, 7);
        }
    }
}
