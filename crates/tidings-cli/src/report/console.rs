//! What the terminal is told. The only place that prints.
//!
//! Standard output gets the address and one line per change; standard error gets trouble. With
//! `--json` each is one JSON object on one line. Colour only on a terminal, and never with NO_COLOR.

use std::borrow::Cow;
use std::io::Write;
use std::sync::Mutex;

use anstream::{AutoStream, ColorChoice};
use anstyle::{Effects, Style};
use serde::Serialize;
use serde_json::Value;

pub(crate) struct Say {
    quiet: bool,
    json: bool,
    paint: Paint,
    // Held while one line is written, so that lines of several threads do not mix.
    out: Mutex<std::io::Stdout>,
}

/// Something that can be told either way.
pub(crate) trait Line: Serialize {
    /// The line for people.
    fn plain(&self, paint: Paint) -> String;

    /// What is left of it where only the necessary shall be said.
    fn brief(&self, paint: Paint) -> String {
        self.plain(paint)
    }
}

/// A name as it can be shown on one line: names of files may hold line breaks, and sequences that
/// command a terminal.
pub(crate) fn printable(name: &str) -> Cow<'_, str> {
    if !name.contains(char::is_control) {
        return Cow::Borrowed(name);
    }
    let mut shown = String::with_capacity(name.len() + 8);
    for character in name.chars() {
        match character.is_control() {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// Styles, or none.
#[derive(Clone, Copy)]
pub(crate) struct Paint {
    coloured: bool,
}

impl Paint {
    pub(crate) fn bold(self, text: &str) -> String {
        self.styled(Effects::BOLD, text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.styled(Effects::DIMMED, text)
    }

    fn styled(self, effects: Effects, text: &str) -> String {
        let style = match self.coloured {
            true => Style::new().effects(effects),
            false => Style::new(),
        };
        format!("{style}{text}{style:#}")
    }
}

impl Say {
    pub(crate) fn new(quiet: bool, json: bool) -> Say {
        let out = std::io::stdout();
        // Terminal or not, NO_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM=dumb.
        let coloured = AutoStream::choice(&out) != ColorChoice::Never;
        Say {
            quiet,
            json,
            paint: Paint { coloured },
            out: Mutex::new(out),
        }
    }

    /// Says what everybody wants to know: where it listens.
    pub(crate) fn important(&self, event: &str, line: &impl Line) {
        let paint = self.paint;
        let text = match (self.json, self.quiet) {
            (true, _) => tagged(event, line),
            (false, true) => line.brief(paint),
            (false, false) => line.plain(paint),
        };
        if let Ok(mut out) = self.out.lock() {
            // Nobody reads any more: then there is nobody to tell.
            let _ = writeln!(out, "{text}");
            let _ = out.flush();
        }
    }

    /// Says what happens, unless it shall be quiet.
    pub(crate) fn happens(&self, event: &str, line: &impl Line) {
        if !self.quiet || self.json {
            self.important(event, line);
        }
    }

    /// Says what is wrong, and what can be done.
    pub(crate) fn trouble(&self, word: &str, message: &str, hint: Option<&str>) {
        let mut err = std::io::stderr().lock();
        if self.json {
            let line = serde_json::json!({"event": word, "message": message, "hint": hint});
            let _ = writeln!(err, "{line}");
            return;
        }
        let _ = writeln!(err, "{word}: {message}");
        if let Some(hint) = hint {
            let _ = writeln!(err, "hint: {hint}");
        }
    }

    /// Says why the program ends.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let hint = error
            .downcast_ref::<Hinted>()
            .map(|hinted| hinted.hint.as_str());
        let message = match error.downcast_ref::<Hinted>() {
            Some(hinted) => hinted.message.clone(),
            None => format!("{error:#}"),
        };
        self.trouble("error", &message, hint);
    }
}

fn tagged(event: &str, line: &impl Line) -> String {
    let mut value = serde_json::to_value(line).unwrap_or(Value::Null);
    if let Value::Object(fields) = &mut value {
        fields.insert("event".to_owned(), Value::from(event));
    }
    value.to_string()
}

/// An error that knows a way out.
#[derive(Debug)]
pub(crate) struct Hinted {
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl std::fmt::Display for Hinted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}
