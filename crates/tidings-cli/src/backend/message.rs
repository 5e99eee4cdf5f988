//! What the supervisor is told.

use std::path::PathBuf;

use tokio::sync::oneshot;

use super::lifecycle::Generation;
use super::process::Notice;

pub(super) enum Message {
    Start,
    Changed(Vec<PathBuf>),
    Healthy(Generation),
    Drained(Generation),
    Instance(Generation, Notice),
    Build(u64, Notice),
    /// Somebody waits until no build or start is under way.
    TellWhenSettled(oneshot::Sender<()>),
    Stop(oneshot::Sender<()>),
    Kill,
}

/// Tells whoever waits; they may have gone.
pub(super) fn tell_all(waiting: &mut Vec<oneshot::Sender<()>>) {
    for waiting in waiting.drain(..) {
        let _ = waiting.send(());
    }
}
