//! What a subscription yields: statuses, events, and gaps where some of them are lost.

use std::sync::Arc;

use crate::engine::Stored;
use crate::event::Frame;
use crate::id::EventId;
use crate::sse::{Item, Parser};
use crate::topic::Topic;

/// Where a subscription began.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// With the status, or with what is published next: no position was asked for.
    Live,
    /// Exactly after the event that was asked for.
    Resumed {
        /// Its id.
        after: EventId,
    },
    /// Not where it was asked to: the stream begins with a [`Gap`].
    Lost {
        /// The id that was asked for.
        asked: EventId,
        /// The oldest position that the log holds.
        earliest: EventId,
    },
}

/// Some events are no longer available. On the wire it is an event named `gap`, with this as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// The position that was asked for. Empty where a client sent something that cannot be an id.
    pub asked: EventId,
    /// The oldest position that the log holds.
    pub earliest: EventId,
}

/// Why events are no longer available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapReason {
    /// The id is from another log, or from an earlier run of this one: `other-log`.
    OtherLog,
    /// The log has dropped what came after the id: `expired`.
    Expired,
    /// The log does not know the id: `unknown`.
    Unknown,
    /// The reader was connected, but so slow that the log dropped events before it read them: `behind`.
    Behind,
}

impl GapReason {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            GapReason::OtherLog => "other-log",
            GapReason::Expired => "expired",
            GapReason::Unknown => "unknown",
            GapReason::Behind => "behind",
        }
    }
}

impl Gap {
    pub(crate) fn to_json(&self) -> String {
        // Ids hold no control characters, so quotes and backslashes are all that needs an escape.
        let quoted = |id: &EventId| id.as_str().replace('\\', "\\\\").replace('"', "\\\"");
        format!(
            r#"{{"reason":"{}","asked":"{}","earliest":"{}"}}"#,
            self.reason.as_str(),
            quoted(&self.asked),
            quoted(&self.earliest),
        )
    }
}

/// One item of a subscription.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Delivery {
    /// The current full status of a topic.
    Status(Topic, Frame),
    /// An event.
    Event(Arc<Stored>),
    /// Some events are lost.
    Gap(Gap),
}

impl Delivery {
    /// The text of a status or an event, as a client would parse it.
    pub fn text(&self) -> Option<String> {
        let frame = match self {
            Delivery::Status(_, frame) => frame,
            Delivery::Event(stored) => &stored.frame,
            Delivery::Gap(_) => return None,
        };
        let mut text = None;
        let mut parser = Parser::with_limit(usize::MAX);
        // Cannot fail: there is no limit.
        let _ = parser.push(frame.bytes(), |item| {
            if let Item::Message(message) = item {
                text = Some(message.data);
            }
        });
        text
    }
}
