//! Keys in the terminal, where standard input is one; and the end of standard input.
//!
//! What must stay true:
//! - The terminal is as it was whenever we do not have it: after any end (also by Ctrl-C and by a panic), and
//!   while we are stopped by Ctrl-Z.
//! - In the background it is neither read nor changed: the system would stop us for that (POSIX, general terminal
//!   interface, 11.1.4).
//! - Signals stay what they are: Ctrl-C, Ctrl-Z and Ctrl-\ are no keys.

#[cfg(unix)]
mod reader;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod terminal;

use std::io::{self, IsTerminal as _};
use std::thread;

/// What somebody asks for by a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Reload,
    Open,
    Pause,
    Addresses,
    Clear,
    Quit,
    Help,
}

/// Each key, and what it does.
pub(crate) const KEYS: [(char, Key, &str); 7] = [
    ('r', Key::Reload, "reload all pages"),
    ('o', Key::Open, "open the browser"),
    (
        'p',
        Key::Pause,
        "pause: hold changes, and show them all when the pause ends",
    ),
    ('u', Key::Addresses, "show the addresses"),
    ('c', Key::Clear, "clear the screen"),
    ('q', Key::Quit, "quit"),
    ('h', Key::Help, "show this help"),
];

/// What comes from standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Key(Key),
    /// There will be nothing more.
    Closed,
}

impl Key {
    /// The key of one byte that the terminal sends.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no keys"))]
    fn of(byte: u8) -> Option<Key> {
        let typed = char::from(byte).to_ascii_lowercase();
        let found = KEYS.iter().find(|(character, _, _)| *character == typed);
        found.map(|(_, key, _)| *key)
    }
}

/// Whether there are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Standard input is no terminal, or cannot be listened to.
    None,
    /// As soon as we are in the foreground.
    Later,
    Now,
}

/// Calls `told` with each key, and at the end of the input, on a thread of its own, until the process ends, where
/// standard input is a terminal.
///
/// Must be called within a runtime, which handles the signals that stop and continue us.
#[cfg(unix)]
pub(crate) fn listen(told: impl Fn(Input) + Send + 'static) -> Keys {
    if !io::stdin().is_terminal() {
        return Keys::None;
    }
    let is_ours = terminal::enter();
    let started = signals::handle().and_then(|()| {
        thread::Builder::new()
            .name("tidings-keys".to_owned())
            .spawn(move || reader::read_keys(told))
    });
    match started {
        Ok(_) if is_ours => Keys::Now,
        Ok(_) => Keys::Later,
        Err(_) => {
            terminal::leave();
            Keys::None
        }
    }
}

#[cfg(not(unix))]
pub(crate) fn listen(_: impl Fn(Input) + Send + 'static) -> Keys {
    Keys::None
}

/// Gives the terminal back as it was. To be called before the process ends.
pub(crate) fn leave_terminal() {
    #[cfg(unix)]
    terminal::leave();
}

/// Calls `closed` at the end of standard input. What comes before is not looked at.
pub(crate) fn wait_for_end(closed: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name("tidings-stdin".to_owned())
        .spawn(move || {
            #[cfg(unix)]
            if io::stdin().is_terminal() {
                reader::read_to_end();
                return closed();
            }
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            closed();
        })
        .map(drop)
}
