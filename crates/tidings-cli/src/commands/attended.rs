//! The terminal that a server was started in: its keys, and the end of standard input.

use std::sync::Arc;

use serde::Serialize;
use tidings::reload::{Published, Reloader};
use tokio::sync::Notify;

use super::server;
use crate::config;
use crate::keyboard::{self, Input, KEYS, Key};
use crate::report::{ChangeReporter, Console, Message, Styles};

/// What the keys are about.
pub(super) struct Attended {
    pub(super) console: Arc<Console>,
    pub(super) reloader: Arc<Reloader>,
    pub(super) reporter: Arc<ChangeReporter>,
    /// The address for a browser on this machine, and the page to open.
    pub(super) url: String,
    pub(super) page: String,
    /// Prints the addresses.
    pub(super) addresses: Box<dyn Fn(&Console) + Send>,
}

impl Attended {
    /// Listens from now on. Resolves when somebody wants to quit. Must be called within a runtime.
    pub(super) fn start(self, config: &config::Server) -> impl Future<Output = ()> + use<> {
        let quit = Arc::new(Notify::new());
        let (at_key, at_end) = (Arc::clone(&quit), Arc::clone(&quit));
        let stdin_quit = config.stdin_quit;
        let console = Arc::clone(&self.console);
        let has_keys = !console.is_json()
            && keyboard::listen(move |input| match input {
                Input::Key(Key::Quit) => at_key.notify_one(),
                Input::Key(key) => self.pressed(key),
                Input::Closed if stdin_quit => at_key.notify_one(),
                Input::Closed => {}
            });
        if has_keys {
            console.event("keys", &Hint);
        } else if stdin_quit && keyboard::wait_for_end(move || at_end.notify_one()).is_err() {
            console.warn("the end of standard input is not noticed", None);
        }
        async move { quit.notified().await }
    }

    fn pressed(&self, key: Key) {
        match key {
            Key::Reload => {
                // An error means that the hub is closed: the process is about to exit.
                if let Ok(published) = self.reloader.reload_pages() {
                    self.published(published);
                }
            }
            Key::Open => server::open_browser(&self.url, &self.page, &self.console),
            Key::Pause => self.toggle_pause(),
            Key::Addresses => (self.addresses)(&self.console),
            Key::Clear => self.console.clear(),
            Key::Help => self.console.event("help", &Help),
            // By whoever waits for it.
            Key::Quit => {}
        }
    }

    fn published(&self, published: Published) {
        let open = self.reloader.hub().stats().open;
        self.reporter.published(published, open);
    }

    fn toggle_pause(&self) {
        let Some(held) = self.reloader.paused() else {
            if let Ok(Some(_)) = self.reloader.pause() {
                self.console.event("paused", &Paused { held: None });
            }
            return;
        };
        if let Ok(Some(resumed)) = self.reloader.resume() {
            self.console.event("resumed", &Paused { held: Some(held) });
            if let Some(published) = resumed.published {
                self.published(published);
            }
        }
    }
}

/// That changes are held, or not any more.
#[derive(Serialize)]
struct Paused {
    /// How many were held.
    held: Option<usize>,
}

impl Message for Paused {
    fn text(&self, styles: Styles) -> String {
        styles.dim(&match self.held {
            None => "paused: what is saved now shows when the pause ends".to_owned(),
            Some(held) => format!("the pause has ended; changes that were held: {held}"),
        })
    }
}

/// That there are keys.
#[derive(Serialize)]
struct Hint;

impl Message for Hint {
    fn text(&self, styles: Styles) -> String {
        styles.dim("press h for the keys, q to quit")
    }
}

#[derive(Serialize)]
struct Help;

impl Message for Help {
    fn text(&self, styles: Styles) -> String {
        let keys = KEYS.iter();
        let lines =
            keys.map(|(key, _, what)| format!("  {}  {what}", styles.bold(&key.to_string())));
        lines.collect::<Vec<_>>().join("\n")
    }
}
