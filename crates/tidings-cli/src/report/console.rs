//! The console: the only place that prints.
//!
//! Standard output gets the address and one line per change, standard error gets warnings and errors.
//! With `--json` each message is one JSON object on one line. There is colour only on a terminal, and
//! none where NO_COLOR is set.
//!
//! What must stay true: while nobody reads what a server prints, it goes on answering. Its console queues lines; only
//! the lines of the command that it runs wait until they are read, and with them the command.

mod queue;

use std::borrow::Cow;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anstyle::{Effects, Style};
use serde::Serialize;
use serde_json::Value;

use queue::Queue;

/// How long the last lines may take at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) struct Console {
    quiet: bool,
    json: bool,
    styles: Styles,
    is_terminal: bool,
    /// `None`: each message is written at once.
    queues: Option<Queues>,
}

/// One for each stream: standard output that nobody reads holds up no warning.
struct Queues {
    out: Queue,
    err: Queue,
}

/// A message that can be printed as text or as JSON.
pub(crate) trait Message: Serialize {
    /// The text for people.
    fn text(&self, styles: Styles) -> String;

    /// The text with `--quiet`, if the message is printed at all.
    fn quiet_text(&self, styles: Styles) -> String {
        self.text(styles)
    }
}

/// Escapes control characters: file names may contain line breaks and terminal escape sequences.
pub(crate) fn printable(name: &str) -> Cow<'_, str> {
    if !name.contains(char::is_control) {
        return Cow::Borrowed(name);
    }
    let mut escaped = String::with_capacity(name.len() + 8);
    for character in name.chars() {
        match character.is_control() {
            true => escaped.extend(character.escape_default()),
            false => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

/// Text styles; they do nothing where the output is not a terminal.
#[derive(Clone, Copy)]
pub(crate) struct Styles {
    enabled: bool,
}

impl Styles {
    #[cfg(test)]
    pub(crate) fn for_tests(enabled: bool) -> Styles {
        Styles { enabled }
    }

    pub(crate) fn are_enabled(self) -> bool {
        self.enabled
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.apply(Effects::BOLD, text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.apply(Effects::DIMMED, text)
    }

    fn apply(self, effects: Effects, text: &str) -> String {
        let style = match self.enabled {
            true => Style::new().effects(effects),
            false => Style::new(),
        };
        format!("{style}{text}{style:#}")
    }
}

impl Console {
    pub(crate) fn new(quiet: bool, json: bool) -> Console {
        let out = std::io::stdout();
        // This considers whether it is a terminal, NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM=dumb.
        let enabled = AutoStream::choice(&out) != ColorChoice::Never;
        Console {
            quiet,
            json,
            styles: Styles { enabled },
            is_terminal: out.is_terminal(),
            queues: None,
        }
    }

    /// For a server: nobody waits until what it says is read.
    pub(crate) fn queued(self) -> Console {
        let queues = Queues {
            out: Queue::new(write_out),
            err: Queue::new(write_err),
        };
        Console {
            queues: Some(queues),
            ..self
        }
    }

    /// The same without the queue, for threads that may be blocked.
    pub(crate) fn direct(&self) -> Console {
        Console {
            queues: None,
            ..*self
        }
    }

    /// Waits until what was queued is written, but not for long.
    pub(crate) fn flush(&self) {
        if let Some(Queues { out, err }) = &self.queues {
            out.flush(FLUSH_TIMEOUT);
            err.flush(FLUSH_TIMEOUT);
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a message that is shown even with `--quiet`: the server's addresses.
    pub(crate) fn banner(&self, event: &str, message: &impl Message) {
        let text = match (self.json, self.quiet) {
            (true, _) => json(event, message),
            (false, true) => message.quiet_text(self.styles),
            (false, false) => message.text(self.styles),
        };
        self.raw(format!("{text}\n").as_bytes());
    }

    /// Prints a message about something that has happened. `--quiet` suppresses it, unless the output
    /// is JSON.
    pub(crate) fn event(&self, event: &str, message: &impl Message) {
        if !self.quiet || self.json {
            self.banner(event, message);
        }
    }

    /// Clears the screen, where it is one: also without colours.
    pub(crate) fn clear(&self) {
        if self.is_terminal {
            // ECMA-48 8.3.39 and 8.3.21: what is shown and what has scrolled away, and the cursor home.
            self.raw(b"\x1b[2J\x1b[3J\x1b[H");
        }
    }

    /// Prints this as it is.
    pub(crate) fn raw(&self, text: &[u8]) {
        match &self.queues {
            Some(queues) => queues.out.add(text.to_owned()),
            None => write_out(text),
        }
    }

    /// Prints a message that is for programs only.
    pub(crate) fn detail(&self, event: &str, message: &impl Message) {
        if self.json {
            self.banner(event, message);
        }
    }

    /// Prints a warning, and how to resolve it.
    pub(crate) fn warn(&self, message: &str, hint: Option<&str>) {
        self.problem("warning", message, hint);
    }

    /// Prints the error that the program exits with.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        match error.downcast_ref::<HintedError>() {
            Some(HintedError { message, hint }) => self.problem("error", message, Some(hint)),
            None => self.problem("error", &format!("{error:#}"), None),
        }
    }

    fn problem(&self, level: &str, message: &str, hint: Option<&str>) {
        let text = match (self.json, hint) {
            (true, _) => {
                let line = serde_json::json!({"event": level, "message": message, "hint": hint});
                format!("{}\n", json_line(&line))
            }
            (false, Some(hint)) => format!("{level}: {message}\nhint: {hint}\n"),
            (false, None) => format!("{level}: {message}\n"),
        };
        match &self.queues {
            Some(queues) => queues.err.add(text.into_bytes()),
            None => write_err(text.as_bytes()),
        }
    }
}

/// Locked while one message is written, so that the lines of several threads do not mix.
fn write_out(text: &[u8]) {
    let mut out = std::io::stdout().lock();
    // An error means that the reader has closed the pipe, as `head` does. The server goes on.
    let _ = out.write_all(text);
    let _ = out.flush();
}

fn write_err(text: &[u8]) {
    let _ = std::io::stderr().lock().write_all(text);
}

fn json(event: &str, message: &impl Message) -> String {
    let mut value = serde_json::to_value(message).unwrap_or(Value::Null);
    if let Value::Object(fields) = &mut value {
        fields.insert("event".to_owned(), Value::from(event));
    }
    json_line(&value)
}

/// JSON without any control characters. RFC 8259 7 lets those from U+007F on pass as they are, and a terminal may take
/// U+009B for the begin of a control sequence.
fn json_line(value: &Value) -> String {
    let line = value.to_string();
    if !line.contains(char::is_control) {
        return line;
    }
    let mut escaped = String::with_capacity(line.len() + 8);
    for character in line.chars() {
        match character.is_control() {
            true => escaped.push_str(&format!("\\u{:04x}", u32::from(character))),
            false => escaped.push(character),
        }
    }
    escaped
}

/// An error with a hint on how to resolve it.
#[derive(Debug)]
pub(crate) struct HintedError {
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl fmt::Display for HintedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for HintedError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_no_control_characters_and_is_the_same_value() {
        let text = "\u{1b}[2J \u{7f} \u{80} \u{9b}2J \u{9f} \u{a0} \u{e9} \n";
        let value = Value::from(text);
        let line = json_line(&value);
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(line.contains("\\u009b2J"), "{line:?}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
    }
}
