//! The terminal that a server was started in: its keys, and the end of standard input.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::Notify;

use super::control::Control;
use super::server;
use crate::config;
use crate::keyboard::{self, Input, KEYS, Key, Keys};
use crate::report::{Console, Message, Styles};

/// What the keys are about.
pub(super) struct Attended {
    console: Arc<Console>,
    control: Arc<Control>,
    /// The address for a browser on this machine.
    url: String,
    /// The page to open at once.
    open: Option<String>,
    /// Whether the end of standard input ends the process.
    stdin_quit: bool,
    /// Prints the addresses.
    addresses: Box<dyn Fn(&Console) + Send>,
}

impl Attended {
    /// `banner` has the addresses; `url` is the one for a browser on this machine.
    pub(super) fn new(
        config: &config::Server,
        url: String,
        banner: impl Message + Send + 'static,
        control: Arc<Control>,
        console: &Arc<Console>,
    ) -> Attended {
        Attended {
            console: Arc::clone(console),
            control,
            url,
            open: config.open.clone(),
            stdin_quit: config.stdin_quit,
            addresses: Box::new(move |console| console.banner("listening", &banner)),
        }
    }

    /// Opens the browser, if that was asked for, and returns when the process is to stop: for a signal, or
    /// because somebody wants to quit.
    pub(super) async fn until(self, signal: impl Future<Output = ()>) {
        if let Some(path) = &self.open {
            server::open_browser(&self.url, path, &self.console);
        }
        tokio::select! {
            () = signal => {}
            () = self.listen() => {}
        }
    }

    /// Listens to the terminal from now on. Resolves when somebody wants to quit.
    fn listen(self) -> impl Future<Output = ()> {
        let quit = Arc::new(Notify::new());
        let (at_key, at_end) = (Arc::clone(&quit), Arc::clone(&quit));
        let stdin_quit = self.stdin_quit;
        let console = Arc::clone(&self.console);
        let told = move |input| match input {
            Input::Key(Key::Quit) => at_key.notify_one(),
            Input::Key(key) => self.pressed(key),
            Input::Closed if stdin_quit => at_key.notify_one(),
            Input::Closed => {}
        };
        let keys = match console.is_json() {
            true => Keys::None,
            false => keyboard::listen(told),
        };
        match keys {
            Keys::Now => console.event("keys", &Hint),
            // Whoever listens to the keys hears of the end, too.
            Keys::Later => {}
            Keys::None => {
                let waits = || keyboard::wait_for_end(move || at_end.notify_one());
                if stdin_quit && waits().is_err() {
                    console.warn("the end of standard input is not noticed", None);
                }
            }
        }
        async move { quit.notified().await }
    }

    fn pressed(&self, key: Key) {
        match key {
            Key::Reload => self.control.reload_pages(),
            Key::Open => {
                let path = self.open.as_deref().unwrap_or_default();
                server::open_browser(&self.url, path, &self.console);
            }
            Key::Pause => self.control.toggle_pause(),
            Key::Addresses => (self.addresses)(&self.console),
            Key::Clear => self.console.clear(),
            Key::Help => self.console.event("help", &Help),
            // By whoever waits for it.
            Key::Quit => {}
        }
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
