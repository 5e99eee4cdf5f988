//! Pausing: changes are held, and all of them are published when it ends.
//!
//! What must stay true: nothing that is held moves the timestamp, so a page that connects again, or is served
//! meanwhile, does not take it for a change that it has missed. Problems are not held: pages show them over
//! what they have, and keep their state.

use super::{
    Change, ChangeKind, Clock, Payload, Published, PublishedChange, Reloader, TOPIC, json,
};
use crate::hub::PublishError;
use crate::id::EventId;

/// Beyond this, it is only known that anything may have changed.
const MAX_HELD: usize = 1000;

/// What has changed since pages were paused.
#[derive(Debug, Default)]
pub(super) struct Held {
    changes: Vec<Change>,
    rescan: bool,
    restarted: bool,
    /// The newest time of any file, and the digest of their names; `None` if nothing has changed.
    files: Option<(u64, Option<u64>)>,
}

/// The end of a pause.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Resumed {
    /// The event's id.
    pub id: EventId,
    /// The changes that were held. `None` where there were none, or the backend was restarted meanwhile: then pages bring
    /// all that they have loaded up to date.
    pub published: Option<Published>,
}

impl Held {
    /// How many changes are held.
    pub(super) fn len(&self) -> usize {
        self.changes.len() + usize::from(self.rescan) + usize::from(self.restarted)
    }

    pub(super) fn add(
        &mut self,
        newest_ms: u64,
        tree: Option<u64>,
        changes: &[Change],
        rescan: bool,
    ) {
        self.files = Some((newest_ms, tree));
        self.rescan |= rescan;
        for change in changes {
            let Some(held) = self
                .changes
                .iter_mut()
                .find(|held| held.path == change.path)
            else {
                self.changes.push(change.clone());
                continue;
            };
            held.kind = match (held.kind, change.kind) {
                // No page has had it before.
                (ChangeKind::Created, ChangeKind::Modified) => ChangeKind::Created,
                (ChangeKind::Removed, ChangeKind::Created) => ChangeKind::Modified,
                (_, last) => last,
            };
        }
        if self.changes.len() > MAX_HELD {
            self.changes.clear();
            self.rescan = true;
        }
    }

    pub(super) fn add_restart(&mut self) {
        self.restarted = true;
    }
}

impl Reloader {
    /// Holds all changes until [`resume`](Self::resume): open pages stay as they are, and so do those that are
    /// opened meanwhile. Every page is told.
    ///
    /// Returns the id of the event, or `None` if it was paused already.
    ///
    /// # Errors
    /// [`PublishError`] if the hub refuses the event.
    pub fn pause(&self) -> Result<Option<EventId>, PublishError> {
        let mut clock = self.clock();
        if clock.held.is_some() {
            return Ok(None);
        }
        clock.held = Some(Held::default());
        let told = self.tell_status(&clock);
        if told.is_err() {
            clock.held = None;
        }
        told.map(Some)
    }

    /// Publishes what was held, as one change. Returns `None` if it was not paused.
    ///
    /// # Errors
    /// [`PublishError`] if the hub refuses the event.
    pub fn resume(&self) -> Result<Option<Resumed>, PublishError> {
        loop {
            let Some(changes) = self.clock().held.as_ref().map(|held| held.changes.clone()) else {
                return Ok(None);
            };
            // Without the lock, because this calls foreign code.
            let published = self.published(&changes);
            let mut clock = self.clock();
            if let Some(held) = clock.held.take_if(|held| held.changes == changes) {
                return self.release(&mut clock, &held, published).map(Some);
            }
        }
    }

    fn release(
        &self,
        clock: &mut Clock,
        held: &Held,
        changes: Vec<PublishedChange>,
    ) -> Result<Resumed, PublishError> {
        if let Some((newest_ms, tree)) = held.files {
            (clock.newest, clock.tree) = (newest_ms, tree);
        }
        if held.restarted || held.len() == 0 {
            let id = match held.restarted {
                true => self.tell_restart(clock)?,
                false => self.tell_status(clock)?,
            };
            let published = None;
            return Ok(Resumed { id, published });
        }
        let published = self.tell_changes(clock, changes, held.rescan)?;
        Ok(Resumed {
            id: published.id.clone(),
            published: Some(published),
        })
    }

    /// How many changes are held; `None` if it is not paused.
    pub fn paused(&self) -> Option<usize> {
        self.clock().held.as_ref().map(Held::len)
    }

    /// Tells every open page to reload, also during a pause. That goes on, and nothing is held any more: the pages
    /// have it all.
    ///
    /// # Errors
    /// [`PublishError`] if the hub refuses the event.
    pub fn reload_pages(&self) -> Result<Published, PublishError> {
        let mut clock = self.clock();
        if let Some(held) = &mut clock.held {
            let held = std::mem::take(held);
            if let Some((newest_ms, tree)) = held.files {
                (clock.newest, clock.tree) = (newest_ms, tree);
            }
        }
        self.tell_changes(&mut clock, Vec::new(), true)
    }

    /// Publishes the status as it is, as an event.
    pub(super) fn tell_status(&self, clock: &Clock) -> Result<EventId, PublishError> {
        let status = json(&clock.status(clock.timestamp));
        self.hub
            .publish_with_status_blocking(TOPIC, status.clone(), status)
    }

    /// Publishes that another run of the backend answers from now on.
    pub(super) fn tell_restart(&self, clock: &mut Clock) -> Result<EventId, PublishError> {
        // A page that has missed the event learns of it by the timestamp. Before the end of the first walk
        // there is none.
        let timestamp = clock.timestamp.map(|_| clock.next_timestamp());
        let status = clock.status(timestamp);
        let event = Payload {
            restarted: true,
            ..clock.status(timestamp)
        };
        let id = self
            .hub
            .publish_with_status_blocking(TOPIC, json(&event), json(&status))?;
        clock.timestamp = timestamp;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{change, check_next, reloader, set, subscribe};
    use super::*;
    use crate::id::Cursor;

    #[test]
    fn changes_are_held_and_published_as_one() {
        let reloader = reloader();
        reloader.ready(1000, None, &[]).unwrap();
        let mut stream = subscribe(&reloader, Cursor::After(reloader.page_state().cursor));
        assert!(reloader.pause().unwrap().is_some());
        assert!(reloader.pause().unwrap().is_none());
        check_next(&mut stream, r#"{"timestamp":1000,"paused":0}"#);
        let save = |newest, path, kind| {
            let held = reloader.changed(&set(newest, &[change(path, kind)]));
            assert!(held.unwrap().is_none());
        };
        save(2000, "/site/a.css", ChangeKind::Modified);
        check_next(&mut stream, r#"{"timestamp":1000,"paused":1}"#);
        save(3000, "/site/b.html", ChangeKind::Created);
        check_next(&mut stream, r#"{"timestamp":1000,"paused":2}"#);
        save(4000, "/site/a.css", ChangeKind::Removed);
        check_next(&mut stream, r#"{"timestamp":1000,"paused":2}"#);
        save(5000, "/site/b.html", ChangeKind::Modified);
        check_next(&mut stream, r#"{"timestamp":1000,"paused":2}"#);
        assert_eq!(reloader.paused(), Some(2));
        let resumed = reloader.resume().unwrap().unwrap();
        assert_eq!(resumed.published.unwrap().changes.len(), 2);
        check_next(
            &mut stream,
            r#"{"timestamp":5000,"changes":[{"path":"/a.css","kind":"removed"},{"path":"/b.html","kind":"created"}]}"#,
        );
        assert!(reloader.resume().unwrap().is_none());
        assert_eq!(reloader.paused(), None);
        let published = reloader.changed(&set(6000, &[change("/site/a.css", ChangeKind::Created)]));
        assert!(published.unwrap().is_some());
    }

    #[test]
    fn a_page_that_is_served_or_connects_during_a_pause_has_missed_nothing() {
        let reloader = reloader();
        reloader.ready(1000, Some(1), &[]).unwrap();
        reloader.pause().unwrap();
        let saved = super::super::ChangeSet {
            tree: Some(2),
            ..set(2000, &[change("/site/a", ChangeKind::Created)])
        };
        reloader.changed(&saved).unwrap();
        let state = reloader.page_state();
        assert_eq!((state.timestamp, state.tree), (Some(1000), Some(1)));
        let mut stream = subscribe(&reloader, Cursor::Latest);
        check_next(
            &mut stream,
            r#"{"timestamp":1000,"tree":"0000000000000001","paused":1}"#,
        );
        reloader.resume().unwrap();
        let state = reloader.page_state();
        assert_eq!((state.timestamp, state.tree), (Some(2000), Some(2)));
    }

    #[test]
    fn without_a_change_only_the_end_of_the_pause_is_published() {
        let reloader = reloader();
        reloader.ready(1000, None, &[]).unwrap();
        reloader.pause().unwrap();
        let mut stream = subscribe(&reloader, Cursor::After(reloader.page_state().cursor));
        assert!(reloader.resume().unwrap().unwrap().published.is_none());
        check_next(&mut stream, r#"{"timestamp":1000}"#);
    }

    #[test]
    fn a_restart_of_the_backend_is_held_and_its_problem_is_not() {
        let reloader = reloader();
        reloader.ready(1000, None, &[]).unwrap();
        reloader.pause().unwrap();
        let mut stream = subscribe(&reloader, Cursor::After(reloader.page_state().cursor));
        let problem = super::super::Problem::new(super::super::ProblemKind::BuildFailed, "t", "");
        let id = reloader.page_state().cursor;
        reloader.set_problem(Some(problem)).unwrap();
        check_next(
            &mut stream,
            &format!(
                r#"{{"timestamp":1000,"problem":{{"id":"{id}","kind":"build_failed","title":"t","text":[]}},"paused":0}}"#
            ),
        );
        reloader.restarted().unwrap();
        check_next(&mut stream, r#"{"timestamp":1000,"paused":1}"#);
        reloader.resume().unwrap();
        check_next(
            &mut stream,
            r#"{"timestamp":1001,"newest":1000,"restarted":true}"#,
        );
    }

    #[test]
    fn who_asks_for_a_reload_gets_it_and_the_pause_goes_on() {
        let reloader = reloader();
        reloader.ready(1000, None, &[]).unwrap();
        reloader.pause().unwrap();
        let saved = set(2000, &[change("/site/a", ChangeKind::Modified)]);
        reloader.changed(&saved).unwrap();
        let mut stream = subscribe(&reloader, Cursor::After(reloader.page_state().cursor));
        reloader.reload_pages().unwrap();
        check_next(
            &mut stream,
            r#"{"timestamp":2000,"paused":0,"changes":[],"rescan":true}"#,
        );
        assert_eq!(reloader.paused(), Some(0));
    }

    #[test]
    fn more_than_anybody_saves_by_hand_is_held_as_everything() {
        let reloader = reloader();
        reloader.ready(1000, None, &[]).unwrap();
        reloader.pause().unwrap();
        let changes: Vec<_> = (0..=MAX_HELD)
            .map(|n| change(&format!("/site/{n}"), ChangeKind::Created))
            .collect();
        reloader.changed(&set(2000, &changes)).unwrap();
        assert_eq!(reloader.paused(), Some(1));
        let mut stream = subscribe(&reloader, Cursor::After(reloader.page_state().cursor));
        reloader.resume().unwrap();
        check_next(
            &mut stream,
            r#"{"timestamp":2000,"changes":[],"rescan":true}"#,
        );
    }
}
