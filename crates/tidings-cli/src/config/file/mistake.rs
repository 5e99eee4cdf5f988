//! Mistakes in the file: where they are, and how it is written right.
//!
//! ```text
//! error: tidings.toml:2:1: unknown key `prot`
//!   2 | prot = 3000
//!     | ^^^^
//! hint: did you mean `port`?
//! ```

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::{Settings, keys};
use crate::report::{HintedError, printable};

/// How similar a name must be to be suggested.
const SIMILARITY: f64 = 0.6;

/// How much of a line is shown.
const MAX_LINE: usize = 100;

/// What is wrong, and where.
#[derive(Debug)]
struct Mistake {
    span: Range<usize>,
    message: String,
    hint: String,
}

pub(super) fn parse(text: &str, shown: &Path) -> Result<Settings, HintedError> {
    check(text).map_err(|mistake| mistake.in_file(text, shown))
}

fn check(text: &str) -> Result<Settings, Mistake> {
    // A byte order mark, as some editors write it, is not part of the text.
    let table = DeTable::parse(text).map_err(|error| Mistake {
        span: error.span().unwrap_or_default(),
        message: message_of(&error),
        hint: "docs/configuration.md describes the file; https://toml.io describes its syntax"
            .to_owned(),
    })?;
    if let Some(mistake) = unknown_key(table.get_ref()) {
        return Err(mistake);
    }
    let places = Places::of(table.get_ref());
    Settings::deserialize(Deserializer::from(table)).map_err(|error| {
        let span = error.span().unwrap_or_default();
        let place = places.around(&span);
        let (message, hint) = match place.and_then(|(section, name)| keys::find(section, name)) {
            Some(key) => (
                format!("`{}`: {}", key.name, message_of(&error)),
                format!("for example: {}", key.example),
            ),
            None => (
                message_of(&error),
                match place.and_then(|(section, name)| {
                    keys::header_of(match section {
                        "" => name,
                        section => section,
                    })
                }) {
                    Some(header) => format!("see {header} in docs/configuration.md"),
                    None => "see docs/configuration.md".to_owned(),
                },
            ),
        };
        Mistake {
            span,
            message,
            hint,
        }
    })
}

fn message_of(error: &Error) -> String {
    // Some messages of the parser have several lines.
    error.message().lines().collect::<Vec<_>>().join(", ")
}

/// The first key that does not exist.
fn unknown_key(top: &DeTable<'_>) -> Option<Mistake> {
    let mut found = unknown_keys_of("", top);
    for (name, value) in top {
        let section = name.get_ref().as_ref();
        match value.get_ref() {
            DeValue::Table(table) if keys::header_of(section).is_some() => {
                found.extend(unknown_keys_of(section, table));
            }
            DeValue::Array(tables) if keys::header_of(section).is_some() => {
                for table in tables.iter().filter_map(|table| table.get_ref().as_table()) {
                    found.extend(unknown_keys_of(section, table));
                }
            }
            _ => {}
        }
    }
    found.into_iter().min_by_key(|mistake| mistake.span.start)
}

fn unknown_keys_of(section: &str, table: &DeTable<'_>) -> Vec<Mistake> {
    let unknown = table
        .keys()
        .filter(|key| keys::names(section).all(|name| name != key.get_ref().as_ref()));
    unknown
        .map(|key| {
            let name = printable(key.get_ref());
            Mistake {
                span: key.span(),
                message: match keys::header_of(section) {
                    Some(header) => format!("unknown key `{name}` in {header}"),
                    None => format!("unknown key `{name}`"),
                },
                hint: hint_for_unknown(section, key.get_ref()),
            }
        })
        .collect()
}

fn hint_for_unknown(section: &str, given: &str) -> String {
    let given = given.to_lowercase().replace('_', "-");
    if keys::names(section).any(|name| name == given) {
        return format!("did you mean `{given}`?");
    }
    // The flags of some switches begin with `--no-`.
    let positive = given.strip_prefix("no-").unwrap_or(&given);
    if positive != given && keys::names(section).any(|name| name == positive) {
        return format!("write `{positive} = false`");
    }
    let elsewhere = keys::KEYS.iter().find(|key| key.name == positive);
    if let Some(key) = elsewhere {
        return match keys::header_of(key.section) {
            Some(header) => format!("`{}` belongs in {header}", key.name),
            None => format!(
                "`{}` is for all commands: move it to the top of the file, above the first section",
                key.name
            ),
        };
    }
    // Typing errors, such as letters that changed places.
    let similarity = |name: &str| strsim::normalized_damerau_levenshtein(name, &given);
    let nearest = keys::names(section).max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    match nearest.filter(|name| similarity(name) >= SIMILARITY) {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            let names: Vec<_> = keys::names(section).collect();
            format!("the keys here are {}", names.join(", "))
        }
    }
}

/// Where the keys and their values are.
struct Places(Vec<(Range<usize>, String, String)>);

impl Places {
    fn of(top: &DeTable<'_>) -> Places {
        let mut places = Places(Vec::new());
        places.add("", top);
        for (name, value) in top {
            let section = name.get_ref().as_ref();
            match value.get_ref() {
                DeValue::Table(table) => places.add(section, table),
                DeValue::Array(tables) => {
                    for table in tables.iter().filter_map(|table| table.get_ref().as_table()) {
                        places.add(section, table);
                    }
                }
                _ => {}
            }
        }
        places
    }

    fn add(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let (section, name_text) = (section.to_owned(), name.get_ref().to_string());
            // A section has the place of its header only.
            let span = value.span();
            let start = name.span().start.min(span.start);
            self.0.push((start..span.end, section, name_text));
        }
    }

    /// The section and name of the innermost key at this place.
    fn around(&self, span: &Range<usize>) -> Option<(&str, &str)> {
        let around = self
            .0
            .iter()
            .filter(|(place, ..)| place.start <= span.start && span.end <= place.end);
        around
            .min_by_key(|(place, ..)| place.len())
            .map(|(_, section, name)| (section.as_str(), name.as_str()))
    }
}

impl Mistake {
    fn in_file(&self, text: &str, shown: &Path) -> HintedError {
        let (line, column) = position(text, self.span.start);
        let number = (line + 1).to_string();
        let mut message = format!(
            "{}:{number}:{}: {}",
            shown.display(),
            column + 1,
            self.message
        );
        let content = text.split('\n').nth(line).unwrap_or_default();
        let content = content.strip_suffix('\r').unwrap_or(content);
        if column < MAX_LINE && !content.is_empty() {
            let start = self
                .span
                .start
                .saturating_sub(line_start(text, self.span.start));
            let end = (start + self.span.len()).min(content.len());
            let n_marked = content
                .get(start..end)
                .map_or(1, |s| s.chars().count())
                .max(1);
            // Tabs stay, so that the mark is below what it marks.
            let indent: String = content
                .chars()
                .take(column)
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            let content: String = content
                .chars()
                .take(MAX_LINE)
                .map(|c| {
                    if c.is_control() && c != '\t' {
                        '\u{fffd}'
                    } else {
                        c
                    }
                })
                .collect();
            let marks = "^".repeat(n_marked.min(MAX_LINE - column));
            let margin = " ".repeat(number.len());
            message.push_str(&format!(
                "\n  {number} | {content}\n  {margin} | {indent}{marks}"
            ));
        }
        HintedError {
            message,
            hint: self.hint.clone(),
        }
    }
}

fn line_start(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.rfind('\n').map_or(0, |newline| newline + 1)
}

/// Line and column, from 0, in characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count();
    let column = before[line_start(text, offset)..].chars().count();
    (line, column)
}

#[cfg(test)]
mod tests {
    use serde::de::{Error as _, Visitor};

    use super::*;

    /// The whole error.
    #[track_caller]
    fn error(text: &str) -> String {
        let error = parse(text, Path::new("tidings.toml")).unwrap_err();
        format!("{}\nhint: {}", error.message, error.hint)
    }

    #[track_caller]
    fn check_error(text: &str, expected: &[&str]) {
        let error = error(text);
        for expected in expected {
            assert!(error.contains(expected), "{expected:?} is not in:\n{error}");
        }
    }

    #[test]
    fn a_mistake_is_shown_with_its_line_and_a_suggestion() {
        assert_eq!(
            error("run = \"serve\"\nprot = 3000\n"),
            "tidings.toml:2:1: unknown key `prot`\n  2 | prot = 3000\n    | ^^^^\nhint: did you mean `port`?"
        );
    }

    #[test]
    fn an_unknown_key_says_where_it_belongs() {
        check_error("dir = \"x\"", &["1:1", "`dir` belongs in [serve]"]);
        check_error(
            "[proxy]\nurl = \"http://x\"\nport = 80",
            &["3:1", "in [proxy]", "above the first section"],
        );
        check_error("strict_port = true", &["did you mean `strict-port`?"]);
        check_error("no-gitignore = true", &["write `gitignore = false`"]);
        check_error("[serve]\nno-listing = true", &["write `listing = false`"]);
        check_error("[server]\ndir = \"x\"", &["1:2", "did you mean `serve`?"]);
        check_error("[[redirects]]\nform = \"/a\"", &["did you mean `from`?"]);
        check_error("[serve]\nxyz = 1", &["the keys here are dir, "]);
    }

    #[test]
    fn the_first_unknown_key_of_the_text_is_reported() {
        check_error("[serve]\nzzz = 1\n\n[proxy]\naaa = 1", &["2:1", "`zzz`"]);
    }

    #[test]
    fn a_wrong_type_or_value_says_how_it_is_written() {
        for (text, place, expected) in [
            ("port = \"80\"", "1:8", "for example: port = 8080"),
            ("port = 65536", "1:8", "a port number from 0 to 65535"),
            ("port = -1", "1:8", "a port number from 0 to 65535"),
            ("strict-port = 1", "1:15", "`strict-port`"),
            ("run = \"prxy\"", "1:7", "\"serve\" or \"proxy\""),
            ("host = \"http://x\"", "1:8", "neither an IP address"),
            ("host = 1", "1:8", "true, false or"),
            ("watch = 1", "1:9", "for example: watch"),
            ("watch = [\"a\", 1]", "1:15", "for example: watch"),
            ("[proxy]\ncommand = \"python app.py\"", "2:11", "a list"),
            ("[proxy]\ncommand = []", "2:11", "a list"),
            (
                "[proxy]\nurl = \"localhost\"",
                "2:7",
                "http://localhost:8000",
            ),
            ("[proxy]\nhealth = \"healthz\"", "2:10", "/healthz"),
            (
                "[proxy]\nstart-timeout = \"30s\"",
                "2:17",
                "a number of seconds",
            ),
            ("[proxy]\nstop-timeout = -1", "2:16", "a number of seconds"),
            ("[proxy]\nstop-signal = \"STOP\"", "2:15", "TERM"),
            ("[serve]\ncompress = \"gzip\"", "2:12", "always"),
            ("[serve]\nspa = \"../x\"", "2:7", "below the folder"),
            (
                "[serve]\nproxy = { \"api\" = \"http://x\" }",
                "2:11",
                "starts with a slash",
            ),
            (
                "[serve]\nmounts = { \"/a/../b\" = \"x\" }",
                "2:12",
                "is not a path such as /docs",
            ),
            (
                "[serve]\nmounts = { \"/\" = \"x\" }",
                "2:12",
                "is not a path such as /docs",
            ),
            (
                "[serve]\nproxy = { \"/api\" = \"x\" }",
                "2:20",
                "for example: proxy",
            ),
            ("serve = 1", "1:9", "[serve]"),
            ("[headers]\npath = \"/**\"", "1:1", "[[headers]]"),
            (
                "[[headers]]\npath = \"x\"\nset = {}",
                "2:8",
                "starts with a slash",
            ),
            ("[[headers]]\npath = \"/**\"", "1:1", "`set` or `preset`"),
            ("[[headers]]\nset = { a = \"b\" }", "1:1", "`path`"),
            (
                "[[headers]]\npath = \"/**\"\nset = { Content-Length = \"1\" }",
                "3:9",
                "Content-Length cannot be set",
            ),
            (
                "[[redirects]]\nfrom = \"/a\"\nto = \"//b\"",
                "3:6",
                "one slash",
            ),
            ("[[redirects]]\nfrom = \"/a\"\nto = \"/:b\"", "1:1", ":b"),
            (
                "[[redirects]]\nfrom = \"/a\"\nto = \"/b\"\nstatus = 200",
                "4:10",
                "spa",
            ),
        ] {
            check_error(text, &[&format!("tidings.toml:{place}: "), expected]);
        }
    }

    #[test]
    fn what_is_not_toml_is_an_error_with_its_place() {
        check_error("port = 80\nopen = yes", &["tidings.toml:2:8"]);
        check_error("port = 1\nport = 2", &["tidings.toml:2:1", "duplicate key"]);
        check_error("a = \"\u{1}", &["tidings.toml:1:"]);
    }

    #[test]
    fn a_line_of_any_length_and_content_can_be_shown() {
        let long = format!("ignore = [\"{}\", 1]", "ü".repeat(300));
        check_error(&long, &["tidings.toml:1:315"]);
        check_error("\tx = \"\u{1b}[2J\"", &["tidings.toml:1:7"]);
        check_error("\u{feff}prot = 1", &["`prot`"]);
    }

    /// The names of the fields that a struct is read from.
    fn fields_of<T: serde::de::DeserializeOwned>() -> &'static [&'static str] {
        struct Probe<'a>(&'a mut &'static [&'static str]);

        impl<'de> serde::Deserializer<'de> for Probe<'_> {
            type Error = serde::de::value::Error;

            fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
                Err(Self::Error::custom("only structs"))
            }

            fn deserialize_struct<V: Visitor<'de>>(
                self,
                _: &'static str,
                fields: &'static [&'static str],
                _: V,
            ) -> Result<V::Value, Self::Error> {
                *self.0 = fields;
                Err(Self::Error::custom("found"))
            }

            serde::forward_to_deserialize_any! {
                bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
                unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
            }
        }

        let mut fields: &[&str] = &[];
        let _ = T::deserialize(Probe(&mut fields));
        fields
    }

    #[test]
    fn the_keys_are_the_fields_that_are_read() {
        #[track_caller]
        fn check(section: &str, fields: &[&str]) {
            let mut fields = fields.to_vec();
            let mut names: Vec<_> = keys::names(section).collect();
            fields.sort_unstable();
            names.sort_unstable();
            assert_eq!(names, fields, "{section:?}");
        }
        check("", fields_of::<Settings>());
        check("serve", fields_of::<crate::config::file::Serve>());
        check("proxy", fields_of::<crate::config::file::Proxy>());
        check(
            "headers",
            fields_of::<crate::config::file::rules::RawHeaders>(),
        );
        check(
            "redirects",
            fields_of::<crate::config::file::rules::RawRedirect>(),
        );
    }

    #[test]
    fn every_key_is_listed_with_an_example_that_can_be_read() {
        for key in keys::KEYS {
            let example = key.example.split(", or ").next().unwrap();
            let more = match key.name {
                "path" => "set = {}",
                "set" | "preset" => "path = \"/**\"",
                "from" => "to = \"/\"",
                "to" => "from = \"/old/*\"",
                "status" => "from = \"/a\"\nto = \"/b\"",
                _ => "",
            };
            let header = keys::header_of(key.section).unwrap_or_default();
            let text = format!("{header}\n{example}\n{more}");
            assert!(parse(&text, Path::new("x")).is_ok(), "{}", error(&text));
        }
    }
}
