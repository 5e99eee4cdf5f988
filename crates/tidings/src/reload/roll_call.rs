//! Events that every open page answers with a report: the roll call, and the question what it would do about a
//! change. Both carry the status as it is.

use std::path::Path;

use super::{Payload, Reloader, TOPIC, json};
use crate::hub::PublishError;
use crate::id::EventId;
use crate::watch::{Change, ChangeKind};

impl Reloader {
    /// Calls the roll: every open page reports (`"did":"none"`, with the id of this event) as soon as it shows
    /// all changes that were published before.
    ///
    /// # Errors
    /// [`PublishError`] if the hub refuses the event.
    pub fn call_roll(&self) -> Result<EventId, PublishError> {
        // Held, so that the status is that of this moment.
        let clock = self.clock();
        let status = clock.status(clock.timestamp);
        let call = Payload {
            call: true,
            ..clock.status(clock.timestamp)
        };
        self.hub
            .publish_with_status_blocking(TOPIC, json(&call), json(&status))
    }

    /// Asks every open page what it would do about a change of this file, which is written as the watcher reports
    /// it. Each reports `"did":"would"`, with the id of this event, and does nothing.
    ///
    /// # Errors
    /// [`PublishError`] if the hub refuses the event.
    pub fn ask_pages(&self, path: &Path) -> Result<EventId, PublishError> {
        // Without the lock, because this calls foreign code.
        let change = Change::new(path, ChangeKind::Modified);
        let changes = self.published(std::slice::from_ref(&change));
        let clock = self.clock();
        let status = clock.status(clock.timestamp);
        let ask = Payload {
            ask: Some(&changes),
            ..clock.status(clock.timestamp)
        };
        self.hub
            .publish_with_status_blocking(TOPIC, json(&ask), json(&status))
    }
}
