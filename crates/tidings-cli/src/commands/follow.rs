//! Follows the configuration file while the server runs: what can be applied is applied, and for the rest
//! the console says that a restart is needed. A file with a mistake changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tidings::watch::{self, Notice, WatchError, Watcher};

use crate::config::Config;
use crate::config::file::ConfigFile;
use crate::report::{Console, HintedError, Message, Styles};

/// What has become of a change of the file.
#[derive(Debug, Serialize)]
struct Reconfigured {
    file: PathBuf,
    /// Keys that count from now on.
    applied: Vec<&'static str>,
    /// Keys whose new values need a restart.
    restart: Vec<&'static str>,
}

struct Follower<C, F> {
    file: PathBuf,
    running: C,
    /// What the command line and this version of the file mean together.
    reread: F,
    console: Arc<Console>,
    /// What was said to need a restart.
    waiting: Vec<&'static str>,
}

/// Follows the file until the process ends. `running` is what the server was started with.
pub(crate) fn follow<C: Config>(
    file: &Path,
    running: C,
    reread: impl Fn(&ConfigFile) -> anyhow::Result<C> + Send + 'static,
    console: &Arc<Console>,
) {
    let mut options = watch::Options::new([file]);
    options.gitignore = false;
    options.poll = running.watched().poll;
    // A link to a file elsewhere is the user's own affair.
    options.scope = watch::Scope::Anywhere;
    let mut follower = Follower {
        file: file.to_owned(),
        running,
        reread,
        console: Arc::clone(console),
        waiting: Vec::new(),
    };
    let watcher = Watcher::start(options, move |notice| match notice {
        Notice::Ready { changes, .. } if changes.is_empty() => {}
        Notice::Ready { .. } | Notice::Changed(_) => follower.changed(),
        // The watcher of the pages says this, too.
        Notice::Warning(WatchError::TooManyWatchers { .. } | WatchError::Unreported { .. }) => {}
        Notice::Warning(warning) => {
            let hint = warning.hint();
            follower.console.warn(&warning.to_string(), hint.as_deref());
        }
        _ => {}
    });
    match watcher {
        // Dropped, it would wait for its thread, which may be blocked by a file system.
        Ok(watcher) => std::mem::forget(watcher),
        Err(error) => {
            let message = format!("changes of {} are not noticed: {error}", file.display());
            console.warn(&message, error.hint().as_deref());
        }
    }
}

impl<C: Config, F: Fn(&ConfigFile) -> anyhow::Result<C>> Follower<C, F> {
    fn changed(&mut self) {
        let new = match ConfigFile::read(self.file.clone()).and_then(|file| (self.reread)(&file)) {
            Ok(new) => new,
            Err(error) => {
                let (message, hint) = match error.downcast::<HintedError>() {
                    Ok(HintedError { message, hint }) => (message, format!("{hint}; ")),
                    Err(error) => (format!("{error:#}"), String::new()),
                };
                let hint = format!("{hint}the settings from before stay in use");
                self.console.warn(&message, Some(&hint));
                return;
            }
        };
        let applied = self.apply_rules(&new);
        let restart = self.running.differences(&new);
        let is_news = !applied.is_empty() || (restart != self.waiting && !restart.is_empty());
        self.waiting.clone_from(&restart);
        if is_news {
            let message = Reconfigured {
                file: self.file.clone(),
                applied,
                restart,
            };
            self.console.event("reconfigured", &message);
        }
    }

    fn apply_rules(&self, new: &C) -> Vec<&'static str> {
        let (old, new) = (self.running.rules().current(), new.rules().current());
        let mut applied = Vec::new();
        if old.headers != new.headers {
            applied.push("headers");
        }
        if old.redirects != new.redirects {
            applied.push("redirects");
        }
        if !applied.is_empty() {
            self.running.rules().replace(new);
        }
        applied
    }
}

impl Message for Reconfigured {
    fn text(&self, styles: Styles) -> String {
        let mut parts = Vec::new();
        if !self.applied.is_empty() {
            parts.push(format!("{} applied", self.applied.join(" and ")));
        }
        if !self.restart.is_empty() {
            parts.push(format!(
                "{} changed: restart tidings to use it",
                self.restart.join(", ")
            ));
        }
        let file = styles.bold(&self.file.display().to_string());
        format!("{file} -> {}", parts.join("; "))
    }
}
