//! Writing events: once per event, however many read it.
//!
//! What must stay true
//! - A frame is whole lines and ends with a blank one, so a stream may be cut after any frame.
//! - A blank line ends an event and nothing else. Comments and the reconnection time do without.
//! - `data` is split at CR, LF and CRLF, each of which ends exactly one line. A line begins with
//!   `data: `, with the space, so that spaces of the text itself survive.
//! - The id comes last. Some client libraries keep it as soon as they have read its line, so an event
//!   that was cut off before its end would be lost on them (fetch-event-source, which cuts it off by
//!   itself whenever its page is hidden).
//! - No byte order mark is ever written outside of data.

use std::time::Duration;

use bytes::Bytes;

use crate::event::{Event, Frame};
use crate::id::EventId;

/// The bytes of one event. `id` is the position that readers resume from; an event that chose an id of
/// its own keeps that.
pub fn encode(event: &Event, id: &EventId) -> Frame {
    let id = event.id().unwrap_or(id).as_str();
    let name = event.name().map(|name| name.as_str());
    frame(name, Some(id), event.retry(), event.text())
}

/// An event that we make ourselves, without an id. `name` must be free of line breaks.
pub(crate) fn data_frame(name: &str, text: &str) -> Frame {
    frame(Some(name), None, None, text)
}

/// The same event with this id, or without one, which leaves the reader's as it is.
pub(crate) fn with_id(frame: &[u8], id: Option<&EventId>) -> Bytes {
    let mut out = Vec::with_capacity(frame.len() + id.map_or(0, |id| id.as_str().len() + 5));
    // We wrote it: line feeds only, and no line of data begins with the name of another field.
    for line in frame.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b"id: ") && line != b"\n" {
            out.extend_from_slice(line);
        }
    }
    if let Some(id) = id {
        out.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    out.push(b'\n');
    out.into()
}

/// A comment line, which readers drop: it keeps proxies and sockets awake.
///
/// Without a blank line: some client libraries take each of those for the end of a message, and hand
/// their users an empty one (fetch-event-source; httpx-sse as soon as there was an id).
pub(crate) fn comment(text: &str) -> Bytes {
    Bytes::from(format!(": {text}\n"))
}

/// Sets the reconnection time, as the first line of a block that is to follow.
///
/// Readers take it at once (WHATWG HTML 9.2.6), whether the block ever comes or not. It has no block of
/// its own, because some client libraries (httpx-sse, fetch-event-source) hand their users an empty
/// message for a block without data.
pub(crate) fn retry_line(retry: Duration) -> String {
    format!("retry: {}\n", retry.min(Event::MAX_RETRY).as_millis())
}

/// Sets the id to resume from and nothing else.
pub(crate) fn id_block(id: &EventId) -> Bytes {
    Bytes::from(format!("id: {id}\n\n"))
}

fn frame(name: Option<&str>, id: Option<&str>, retry: Option<Duration>, text: &str) -> Frame {
    let n_lines = 1 + memchr::memchr2_iter(b'\r', b'\n', text.as_bytes()).count();
    let fields = name.map_or(0, str::len) + id.map_or(0, str::len) + 48;
    let mut out = Vec::with_capacity(fields + text.len() + n_lines * "data: \n".len());
    let mut field = |name: &str, value: &[u8]| {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.push(b'\n');
    };
    if let Some(name) = name {
        field("event", name.as_bytes());
    }
    if let Some(retry) = retry {
        field("retry", retry.as_millis().to_string().as_bytes());
    }
    let mut rest = text.as_bytes();
    while let Some(end) = memchr::memchr2(b'\r', b'\n', rest) {
        field("data", &rest[..end]);
        let n_break = if rest[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        rest = &rest[end + n_break..];
    }
    field("data", rest);
    if let Some(id) = id {
        field("id", id.as_bytes());
    }
    out.push(b'\n');
    Frame(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse::{Item, Message, Parser};
    use proptest::prelude::*;

    #[track_caller]
    fn check(event: &Event, expected: &str) {
        let frame = encode(event, &EventId::new("7").unwrap());
        assert_eq!(std::str::from_utf8(frame.bytes()).unwrap(), expected);
    }

    #[test]
    fn a_plain_event_is_an_id_and_its_data() {
        check(&Event::data("hello"), "data: hello\nid: 7\n\n");
    }

    #[test]
    fn all_fields_in_order() {
        let event = Event::data("x")
            .named("tick".parse().unwrap())
            .with_id(EventId::new("mine").unwrap())
            .with_retry(Duration::from_micros(1500));
        check(&event, "event: tick\nretry: 1\ndata: x\nid: mine\n\n");
    }

    #[test]
    fn every_kind_of_line_break_ends_one_line() {
        check(&Event::data("a\nb"), "data: a\ndata: b\nid: 7\n\n");
        check(&Event::data("a\rb"), "data: a\ndata: b\nid: 7\n\n");
        check(&Event::data("a\r\nb"), "data: a\ndata: b\nid: 7\n\n");
        check(
            &Event::data("a\n\rb"),
            "data: a\ndata: \ndata: b\nid: 7\n\n",
        );
        check(&Event::data("a\n"), "data: a\ndata: \nid: 7\n\n");
        check(
            &Event::data("\r\n\r\n"),
            "data: \ndata: \ndata: \nid: 7\n\n",
        );
    }

    #[test]
    fn empty_data_is_still_an_event() {
        check(&Event::data(""), "data: \nid: 7\n\n");
    }

    #[test]
    fn leading_spaces_and_colons_survive() {
        check(&Event::data("  x: y"), "data:   x: y\nid: 7\n\n");
        check(&Event::data(":"), "data: :\nid: 7\n\n");
    }

    #[test]
    fn a_byte_order_mark_and_nul_in_data_are_data() {
        check(&Event::data("\u{feff}\0"), "data: \u{feff}\0\nid: 7\n\n");
    }

    #[test]
    fn data_cannot_begin_a_field() {
        check(
            &Event::data("x\n\nevent: evil\rid: 9"),
            "data: x\ndata: \ndata: event: evil\ndata: id: 9\nid: 7\n\n",
        );
    }

    #[test]
    fn an_event_without_its_id_is_otherwise_the_same() {
        let event = Event::data("id: 3\nx").named("n".parse().unwrap());
        let frame = encode(&event, &EventId::new("7").unwrap());
        let frame = frame.bytes();
        assert_eq!(with_id(frame, None), "event: n\ndata: id: 3\ndata: x\n\n");
        let other = EventId::new("8").unwrap();
        let with_other = "event: n\ndata: id: 3\ndata: x\nid: 8\n\n";
        assert_eq!(with_id(frame, Some(&other)), with_other);
        assert_eq!(with_id(&with_id(frame, None), Some(&other)), with_other);
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("\n".to_owned()),
            Just("\r".to_owned()),
            Just("\r\n".to_owned()),
            Just("\u{feff}".to_owned()),
            Just("data: ".to_owned()),
            Just(" ".to_owned()),
            Just("\0".to_owned()),
            any::<String>(),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// parse(encode(e)) = e, but for line breaks, which all arrive as LF.
        #[test]
        fn prop_what_is_encoded_is_what_is_parsed(
            texts in prop::collection::vec(text(), 1..4),
            name in prop::option::of("[^\\p{Cc}]{1,12}"),
            id in "[^\\p{Cc}]{1,12}",
            retry in prop::option::of(0u64..1_000_000),
            sizes in prop::collection::vec(1usize..7, 1..5),
        ) {
            prop_assume!(!matches!(name.as_deref(), Some("error" | "open")));
            let mut wire = Vec::new();
            let mut expected = Vec::new();
            for text in &texts {
                let mut event = Event::data(text.as_str()).with_id(EventId::new(&id).unwrap());
                if let Some(name) = &name {
                    event = event.named(name.parse().unwrap());
                }
                if let Some(retry) = retry {
                    event = event.with_retry(Duration::from_millis(retry));
                    expected.push(Item::Retry(Duration::from_millis(retry)));
                }
                wire.extend_from_slice(encode(&event, &EventId::new("unused").unwrap()).bytes());
                expected.push(Item::Message(Message {
                    name: name.clone().unwrap_or_else(|| "message".to_owned()),
                    data: text.replace("\r\n", "\n").replace('\r', "\n"),
                    last_event_id: id.clone(),
                }));
            }
            let mut parser = Parser::new();
            let mut got = Vec::new();
            let mut rest = wire.as_slice();
            let mut sizes = sizes.iter().cycle();
            while !rest.is_empty() {
                let (chunk, tail) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                parser.push(chunk, |item| got.push(item)).unwrap();
                rest = tail;
            }
            prop_assert_eq!(got, expected);
        }
    }
}
