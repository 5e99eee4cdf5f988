//! Stands in for `tidings::reload::{Injector, Outcome}` until that is there. To be deleted.

use bytes::{Bytes, BytesMut};

/// Holds back at most this much before it decides.
const LIMIT: usize = 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Injected,
    LeftAlone(&'static str),
}

#[derive(Debug)]
pub(crate) struct Injector {
    snippet: Bytes,
    held: BytesMut,
    outcome: Option<Outcome>,
}

impl Injector {
    pub(crate) fn new(snippet: Bytes) -> Injector {
        Injector {
            snippet,
            held: BytesMut::new(),
            outcome: None,
        }
    }

    pub(crate) fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) {
        if self.outcome.is_some() {
            out.push(chunk);
            return;
        }
        self.held.extend_from_slice(&chunk);
        if let Some(at) = self.held.windows(6).position(|window| window == b"<head>") {
            self.insert(at + 6, out);
        } else if !self.held.trim_ascii().is_empty() {
            self.insert(0, out);
        } else if self.held.len() > LIMIT {
            self.outcome = Some(Outcome::LeftAlone("its first MiB is white space"));
            out.push(self.held.split().freeze());
        }
    }

    pub(crate) fn finish(&mut self, out: &mut Vec<Bytes>) {
        if self.outcome.is_none() {
            self.insert(0, out);
        }
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    fn insert(&mut self, at: usize, out: &mut Vec<Bytes>) {
        out.push(self.held.split_to(at).freeze());
        out.push(self.snippet.clone());
        out.push(self.held.split().freeze());
        self.outcome = Some(Outcome::Injected);
    }
}
