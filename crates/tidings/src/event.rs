//! [`Event`]: what is published. [`Frame`]: its bytes on the wire, shared by all readers.
//!
//! The fields of an event are private and checked when they are set, so no line break in a name
//! or an id can start a field of its own (CWE-93). Data may contain anything.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::field::{FieldError, check_field};
use crate::id::EventId;

/// One server-sent event, before it has been appended to a log.
///
/// ```
/// use tidings::Event;
///
/// let plain = Event::data("two\nlines");
/// let named = Event::data("42").named("answer".parse()?);
/// # Ok::<(), tidings::FieldError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    name: Option<EventName>,
    data: Arc<str>,
    id: Option<EventId>,
    retry: Option<Duration>,
}

impl Event {
    /// The longest time that a reader can be told to wait, 24 days: a `setTimeout` of more than 31 bits
    /// of milliseconds fires at once, so readers written in JavaScript would reconnect without a pause.
    pub const MAX_RETRY: Duration = Duration::from_millis(i32::MAX as u64);

    /// An event with this text. Browsers dispatch it as `message`.
    ///
    /// Any text is allowed. It arrives with each line break (CR, LF or CRLF) as one LF, because that is
    /// all the format can carry (WHATWG HTML 9.2.6).
    pub fn data(text: impl Into<Arc<str>>) -> Event {
        Event {
            name: None,
            data: text.into(),
            id: None,
            retry: None,
        }
    }

    /// An event whose text is this value as JSON, on one line.
    ///
    /// # Errors
    /// Where the value cannot be written as JSON: a map with keys that are not strings, or a
    /// `Serialize` that fails.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Event, JsonError> {
        match serde_json::to_string(value) {
            Ok(text) => Ok(Event::data(text)),
            Err(error) => Err(JsonError(error)),
        }
    }

    /// Gives the event a name: browsers dispatch it to `addEventListener(name, ..)` instead of `message`.
    #[must_use]
    pub fn named(mut self, name: EventName) -> Event {
        self.name = Some(name);
        self
    }

    /// Gives the event an id of the publisher's instead of one that the log mints.
    ///
    /// A reader can resume from it as long as the log holds the event. Use each once, also across
    /// restarts, because readers may come back later than that: where an id is used twice, the earlier
    /// event is the one that is resumed from, which means duplicates but no losses. An id that is
    /// spelled like those that the log mints is refused when the event is published.
    #[must_use]
    pub fn with_id(mut self, id: EventId) -> Event {
        self.id = Some(id);
        self
    }

    /// Tells the reader to wait this long before it reconnects, from now on. Whole milliseconds, and at
    /// most [`Event::MAX_RETRY`].
    #[must_use]
    pub fn with_retry(mut self, retry: Duration) -> Event {
        self.retry = Some(retry.min(Event::MAX_RETRY));
        self
    }

    /// The name, where it has one.
    pub fn name(&self) -> Option<&EventName> {
        self.name.as_ref()
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.data
    }

    /// The publisher's id, where it chose one.
    pub fn id(&self) -> Option<&EventId> {
        self.id.as_ref()
    }

    /// The reconnection time it sets, where it sets one.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }
}

/// The name of an event: 1 to 128 bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventName(Arc<str>);

impl EventName {
    /// The longest name that is accepted, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// Checks a name.
    ///
    /// # Errors
    /// [`FieldError`] where it is empty, too long, holds a control character, or is `error` or `open`:
    /// browsers would run the handlers of the connection itself for those.
    pub fn new(text: impl AsRef<str>) -> Result<EventName, FieldError> {
        let text = text.as_ref();
        check_field("event name", text, EventName::MAX_BYTES)?;
        if matches!(text, "error" | "open") {
            return Err(FieldError::Reserved {
                field: "event name",
                value: text.to_owned(),
            });
        }
        Ok(EventName(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for EventName {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<EventName, FieldError> {
        EventName::new(text)
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The bytes of one event as they go out, ending with a blank line. Cloning counts a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(pub(crate) Bytes);

impl Frame {
    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// A value that cannot be written as JSON.
#[cfg(feature = "json")]
#[derive(Debug, thiserror::Error)]
#[error("cannot be written as JSON: {0}")]
pub struct JsonError(serde_json::Error);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_begin_a_field_are_refused() {
        for bad in ["", "a\nb", "a\rdata: x", "a\0b", "\u{9b}", "error", "open"] {
            assert!(EventName::new(bad).is_err(), "{bad:?}");
        }
        for good in ["message", "a b", "é", ":", "opened", "Error"] {
            assert!(EventName::new(good).is_ok(), "{good:?}");
        }
        assert!(EventName::new("n".repeat(129)).is_err());
    }

    #[test]
    fn an_error_names_the_value_and_the_way_out() {
        assert_eq!(
            EventName::new("error").unwrap_err().to_string(),
            r#"event name "error" is reserved by browsers for the connection itself: choose another"#
        );
        assert_eq!(
            EventName::new("x".repeat(200)).unwrap_err().to_string(),
            "event name of 200 bytes is too long: at most 128 are allowed"
        );
    }
}
