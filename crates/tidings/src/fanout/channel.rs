//! [`Channel`]: the readers of one interest, and the newest events they want.
//!
//! Readers who want the same share a channel, so an event is matched once for all of them, and a
//! burst is joined into one piece of bytes once for all of them. A reader is a cursor: nothing is
//! queued for it. One that falls out of the window goes back to the log.
//!
//! What must stay true
//! - `window` holds every event the interest wants after `since`, in order.
//! - Work per reader and event: its waker is moved out, its cursor is moved on, one reference count.
//! - The window is bounded by [`WINDOW_EVENTS`] and [`WINDOW_BYTES`], the newest event excepted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;
use slab::Slab;

use crate::engine::{Stored, Wakes};
use crate::id::Seq;
use crate::topic::Interest;

/// The window's length in events. Beyond it a reader is served from the log, which costs a search.
const WINDOW_EVENTS: usize = 256;

/// The window's size in bytes, and the most that is joined into one write.
const WINDOW_BYTES: usize = 256 << 10;

pub(crate) struct Channel {
    pub(crate) interest: Interest,
    // Held for the few lines of each method; never while a waker runs or anything is awaited.
    state: Mutex<State>,
}

struct State {
    since: Seq,
    window: VecDeque<Arc<Stored>>,
    window_bytes: usize,
    /// The last burst that was joined: after which position, up to which, and its bytes.
    joined: Option<(Seq, Seq, Bytes)>,
    readers: Slab<Reader>,
    /// When the readers last had something to write.
    last_event_at: Instant,
}

#[derive(Default)]
struct Reader {
    waker: Option<Waker>,
    keep_alive_due: bool,
    /// Its stream ends when it has had everything up to here.
    ends_at: Option<Seq>,
}

/// What a channel has after a cursor.
pub(crate) enum Fetched {
    /// Everything up to this position, joined into one piece.
    Joined { bytes: Bytes, to: Seq },
    /// There are events; [`Channel::events_after`] returns them one by one.
    Separate,
    /// The cursor is older than the window: ask the log.
    Behind,
    /// A keep-alive is due.
    KeepAlive,
    /// The stream has been ended.
    Ended,
    /// Nothing yet; the waker has been registered.
    Pending,
}

impl Channel {
    /// A channel that receives everything after `since`.
    pub(super) fn new(interest: Interest, since: Seq) -> Channel {
        Channel {
            interest,
            state: Mutex::new(State {
                since,
                window: VecDeque::new(),
                window_bytes: 0,
                joined: None,
                readers: Slab::new(),
                last_event_at: Instant::now(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self) -> usize {
        self.state().readers.insert(Reader::default())
    }

    /// Returns whether the channel is empty now.
    pub(super) fn leave(&self, reader: usize) -> bool {
        let mut state = self.state();
        let left = state.readers.try_remove(reader);
        let empty = state.readers.is_empty();
        drop(state);
        // A waker is foreign code also when it is dropped.
        drop(left);
        empty
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state().readers.is_empty()
    }

    /// Appends the next event, and collects the wakers of those who waited for one.
    pub(super) fn push(&self, stored: &Arc<Stored>, now: Instant, wakes: &mut Wakes) {
        let mut state = self.state();
        state.window_bytes += stored.frame.bytes().len();
        state.window.push_back(Arc::clone(stored));
        while state.window.len() > WINDOW_EVENTS
            || (state.window_bytes > WINDOW_BYTES && state.window.len() > 1)
        {
            if let Some(oldest) = state.window.pop_front() {
                state.window_bytes -= oldest.frame.bytes().len();
                state.since = oldest.seq;
            }
        }
        state.joined = None;
        state.last_event_at = now;
        for (_, reader) in &mut state.readers {
            if let Some(waker) = reader.waker.take() {
                wakes.push(waker);
            }
        }
    }

    /// Returns all that a reader has not had, or registers its waker. With `join` as bytes; else it only
    /// says that there are events, so that nothing is joined for readers of single events.
    pub(crate) fn fetch(&self, reader: usize, cursor: Seq, join: bool, waker: &Waker) -> Fetched {
        let mut state = self.state();
        // What was published before the end still arrives; what comes later does not, so that the end
        // does.
        let ended = |own: &Reader| own.ends_at.is_some_and(|last| cursor >= last);
        if state.readers.get(reader).is_none_or(ended) {
            return Fetched::Ended;
        }
        if cursor < state.since {
            return Fetched::Behind;
        }
        if state
            .window
            .back()
            .is_some_and(|newest| newest.seq > cursor)
        {
            return match join {
                true => state.join_after(cursor),
                false => Fetched::Separate,
            };
        }
        let own = &mut state.readers[reader];
        if std::mem::take(&mut own.keep_alive_due) {
            return Fetched::KeepAlive;
        }
        let known = own
            .waker
            .as_ref()
            .is_some_and(|known| known.will_wake(waker));
        let replaced = match known {
            true => None,
            false => own.waker.replace(waker.clone()),
        };
        drop(state);
        drop(replaced);
        Fetched::Pending
    }

    /// The events after a cursor one by one. `None`: the cursor is behind.
    pub(crate) fn events_after(&self, cursor: Seq) -> Option<Vec<Arc<Stored>>> {
        let state = self.state();
        if cursor < state.since {
            return None;
        }
        let from = state.window.partition_point(|stored| stored.seq <= cursor);
        Some(state.window.iter().skip(from).cloned().collect())
    }

    /// Wakes every reader for a keep-alive, unless there was an event since `quiet_since`.
    pub(super) fn keep_alive(&self, quiet_since: Instant, wakes: &mut Wakes) {
        let mut state = self.state();
        if state.last_event_at > quiet_since {
            return;
        }
        for (_, reader) in &mut state.readers {
            reader.keep_alive_due = true;
            if let Some(waker) = reader.waker.take() {
                wakes.push(waker);
            }
        }
    }

    /// Ends one reader's stream, once it has had what is there now.
    pub(super) fn end(&self, reader: usize, wakes: &mut Wakes) {
        let mut state = self.state();
        let newest = state.window.back().map_or(state.since, |stored| stored.seq);
        if let Some(reader) = state.readers.get_mut(reader) {
            reader.ends_at.get_or_insert(newest);
            if let Some(waker) = reader.waker.take() {
                wakes.push(waker);
            }
        }
    }
}

impl State {
    fn join_after(&mut self, cursor: Seq) -> Fetched {
        let from = self.window.partition_point(|stored| stored.seq <= cursor);
        let n_events = self.window.len() - from;
        let newest = &self.window[self.window.len() - 1];
        let to = newest.seq;
        let bytes = match &self.joined {
            _ if n_events == 1 => newest.frame.bytes().clone(),
            Some((after, _, bytes)) if *after == cursor => bytes.clone(),
            _ => {
                let events = || self.window.iter().skip(from);
                let size = events().map(|stored| stored.frame.bytes().len()).sum();
                let mut bytes = Vec::with_capacity(size);
                events().for_each(|stored| bytes.extend_from_slice(stored.frame.bytes()));
                let bytes = Bytes::from(bytes);
                self.joined = Some((cursor, to, bytes.clone()));
                bytes
            }
        };
        Fetched::Joined { bytes, to }
    }
}
