//! [`Excerpt`]: the lines of a file around the place that a problem is about.

use serde::Serialize;

use super::Place;

/// How many lines are shown before and after the one that is meant.
const CONTEXT: usize = 3;

/// Longer lines are cut.
const MAX_LINE_CHARS: usize = 200;

/// A few lines of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    /// The file's name.
    file: String,
    /// The line that is meant, from 1.
    line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    /// The number of the first line.
    first: u32,
    lines: Vec<String>,
}

impl Excerpt {
    /// The lines around a place in a file with this content; `None` if it does not have that line, or is no
    /// text.
    pub fn of(place: &Place, content: &str) -> Option<Excerpt> {
        if content.contains('\0') {
            return None;
        }
        let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
        let first = index.saturating_sub(CONTEXT);
        let lines: Vec<_> = content
            .lines()
            .skip(first)
            .take(index - first + 1 + CONTEXT)
            .map(shown)
            .collect();
        let has_line = lines.len() > index - first;
        has_line.then(|| Excerpt {
            file: place.file.clone(),
            line: place.line,
            column: place.column,
            first: first as u32 + 1,
            lines,
        })
    }

    /// The line that is meant.
    fn text(&self) -> &str {
        &self.lines[(self.line - self.first) as usize]
    }

    /// Whether an output has the same line already, with its number, as many compilers print it.
    pub(super) fn is_in(&self, output: &str) -> bool {
        let (number, text) = (self.line.to_string(), self.text().trim());
        output.lines().any(|line| {
            let line = line.trim_start_matches(['>', ' ', '\t']);
            let rest = line.strip_prefix(&number);
            rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric) && rest.contains(text))
        })
    }

    /// The place that is meant.
    pub(super) fn place(&self) -> Place {
        Place {
            file: self.file.clone(),
            line: self.line,
            column: self.column,
        }
    }

    /// The lines, each with its number before it.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u32, &str)> {
        (self.first..).zip(self.lines.iter().map(String::as_str))
    }

    pub(super) fn line(&self) -> u32 {
        self.line
    }
}

fn shown(line: &str) -> String {
    let visible = line.chars().filter(|&c| c == '\t' || !c.is_control());
    visible.take(MAX_LINE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32) -> Place {
        Place {
            file: "a.rs".to_owned(),
            line,
            column: Some(2),
        }
    }

    #[track_caller]
    fn check(line: u32, content: &str, expected: Option<&str>) {
        let excerpt = Excerpt::of(&at(line), content);
        let text = excerpt.map(|excerpt| {
            let lines = excerpt.numbered();
            let lines: Vec<_> = lines.map(|(n, text)| format!("{n} {text}")).collect();
            lines.join("|")
        });
        assert_eq!(text.as_deref(), expected, "{line}");
    }

    #[test]
    fn the_lines_around_a_place_are_shown_as_far_as_there_are_any() {
        let content = "a\r\nb\nc\nd\ne\nf\ng\nh\n";
        check(1, content, Some("1 a|2 b|3 c|4 d"));
        check(5, content, Some("2 b|3 c|4 d|5 e|6 f|7 g|8 h"));
        check(8, content, Some("5 e|6 f|7 g|8 h"));
        check(9, content, None);
        check(0, content, None);
        check(u32::MAX, content, None);
        check(1, "", None);
        check(1, "bin\0ary", None);
        check(1, "\x1b[2Jx\ty", Some("1 [2Jx\ty"));
        assert_eq!(
            Excerpt::of(&at(1), &"x".repeat(500)).unwrap().text().len(),
            200
        );
    }

    #[test]
    fn what_the_compiler_has_printed_with_its_number_is_not_shown_twice() {
        let excerpt = Excerpt::of(&at(2), "fn main() {\n    let x = 1\n}\n").unwrap();
        assert!(excerpt.is_in(" --> a.rs:2:2\n  |\n2 |     let x = 1\n  |    ^"));
        assert!(excerpt.is_in("> 2 |   let x = 1"));
        assert!(!excerpt.is_in("12 | let x = 1"));
        assert!(!excerpt.is_in("20 | let x = 1"));
        assert!(!excerpt.is_in("    let x = 1\nNameError"));
    }
}
