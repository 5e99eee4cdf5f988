//! Positions: [`Seq`], [`Epoch`], [`EventId`] and [`Cursor`].
//!
//! An id that we mint is `<epoch>.<seq>`. The epoch identifies one run of one log, so an id from an
//! earlier run is recognised as foreign instead of being resumed from at a wrong place. Clients treat
//! ids as opaque text; only this file parses them.

use std::fmt;
use std::sync::Arc;

use crate::field::{FieldError, check_field};

/// A position in one log: the first event has 1, each next one has 1 more, none is used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// The position before the first event.
    pub const START: Seq = Seq(0);

    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Seq {
        Seq(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies one run of one log: random for a log in memory, stored with a durable one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch with this number. Only its low 48 bits count.
    pub fn new(number: u64) -> Epoch {
        Epoch(number & 0xffff_ffff_ffff)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

/// What a client remembers and sends back as `Last-Event-ID`.
///
/// Ours are `<epoch>.<seq>`, made of `[0-9a-f.]`, so that they pass every header, URL and CORS rule.
/// A publisher may choose another one: 1 to 512 bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventId(Arc<str>);

impl EventId {
    /// The longest id that is accepted, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// An id chosen by a publisher, or received from a client.
    ///
    /// # Errors
    /// [`FieldError`] where the text is empty, longer than [`EventId::MAX_BYTES`] or holds a control
    /// character: a line break would start a new field of the event, a NUL makes clients ignore the id
    /// (WHATWG HTML 9.2.6), and all others cannot come back in a header.
    pub fn new(text: impl AsRef<str>) -> Result<EventId, FieldError> {
        let text = text.as_ref();
        check_field("id", text, EventId::MAX_BYTES)?;
        Ok(EventId(text.into()))
    }

    /// Stands for what a client sent and what cannot be an id. Empty, as no id that a log mints or a
    /// publisher chooses, so that it leads nowhere.
    pub(crate) fn malformed() -> EventId {
        EventId("".into())
    }

    /// The id that the log of this epoch gives to this position.
    pub fn mint(epoch: Epoch, seq: Seq) -> EventId {
        EventId(format!("{epoch}.{seq}").into())
    }

    /// The epoch and position of a minted id; `None` for all others.
    pub fn minted(&self) -> Option<(Epoch, Seq)> {
        let (epoch, seq) = self.0.split_once('.')?;
        let id = EventId::mint(
            Epoch::new(u64::from_str_radix(epoch, 16).ok()?),
            Seq(seq.parse().ok()?),
        );
        // Only the exact spelling that `mint` writes: no sign, no leading zero, no upper case.
        (id == *self).then_some((
            Epoch::new(u64::from_str_radix(epoch, 16).ok()?),
            Seq(seq.parse().ok()?),
        ))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where in the log a reader wants to start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cursor {
    /// A newcomer: the current full status of each topic that has one, then everything after it;
    /// without a status, what is published from now on.
    #[default]
    Latest,
    /// Everything the log still holds, then what follows. No status.
    Earliest,
    /// Everything after this event, which the reader already has.
    After(EventId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_id_has_an_epoch_and_a_position() {
        let id = EventId::mint(Epoch::new(0xabc), Seq(42));
        assert_eq!(id.as_str(), "000000000abc.42");
        assert_eq!(id.minted(), Some((Epoch::new(0xabc), Seq(42))));
    }

    #[test]
    fn only_our_own_spelling_is_parsed() {
        for foreign in [
            "000000000abc.042",
            "abc.42",
            "000000000ABC.42",
            "x",
            "000000000abc.+1",
            ".",
            "000000000abc.",
        ] {
            assert_eq!(EventId::new(foreign).unwrap().minted(), None, "{foreign}");
        }
    }

    #[test]
    fn control_characters_are_refused_by_name() {
        let error = EventId::new("a\nb").unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"id "a\nb" holds the control character '\n' at byte 1: remove it"#
        );
        for bad in ["a\0", "\r", "a\u{7f}", "a\u{85}b", ""] {
            assert!(EventId::new(bad).is_err(), "{bad:?}");
        }
        assert!(EventId::new("x".repeat(513)).is_err());
        assert!(EventId::new("urn:uuid:é雪 1").is_ok());
    }
}
