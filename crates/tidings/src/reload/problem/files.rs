//! Finds the places in files that a message names, so that a page can make them stand out, and show what is there.

use std::fmt;
use std::ops::Range;

use super::runs::Cell;

/// Longer words are no names of files.
const MAX_WORD: usize = 300;

/// A place in a file, as a message names it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The file's name as it was written: relative to a directory that only who wrote it knows, or absolute.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, if it is known.
    pub column: Option<u32>,
}

/// `src/main.rs:4:5`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        match self.column {
            Some(column) => write!(f, ":{column}"),
            None => Ok(()),
        }
    }
}

/// Marks the places in files in one line of output.
pub(super) fn mark(line: &mut [Cell]) {
    let text: Vec<char> = line.iter().map(|cell| cell.char).collect();
    for (marked, _) in places(&text) {
        for cell in &mut line[marked] {
            cell.style.file = true;
        }
    }
}

/// The places that one line of output names.
pub(super) fn named(line: &str) -> impl Iterator<Item = Place> {
    let line: Vec<char> = line.chars().collect();
    places(&line).into_iter().map(|(_, place)| place)
}

/// `src/main.rs:4:5` and `app.js:3` (compilers, Ruby, Node.js, Go), `src/app.ts(3,5)` (TypeScript, MSBuild),
/// `File "app.py", line 3` (Python) and `/srv/app.php on line 3` (PHP). Of the last two only the name is marked.
fn places(line: &[char]) -> Vec<(Range<usize>, Place)> {
    let mut places = Vec::new();
    let mut start = 0;
    while start < line.len() {
        let end = (start..line.len())
            .find(|&at| is_boundary(line, at))
            .unwrap_or(line.len());
        if let Some((len, place)) = place_in(&line[start..end], &line[end..]) {
            places.push((start..start + len, place));
        }
        start = end + 1;
    }
    places
}

fn is_boundary(line: &[char], at: usize) -> bool {
    match line[at] {
        // As in `app.ts(3,5)`.
        '(' => !line.get(at + 1).is_some_and(char::is_ascii_digit),
        c => c.is_whitespace() || "\"'`<>[]{}|".contains(c),
    }
}

/// The place that a word names, and its length; `rest` is what follows.
fn place_in(word: &[char], rest: &[char]) -> Option<(usize, Place)> {
    if word.len() > MAX_WORD {
        return None;
    }
    let place = |end: usize, line: &[char], column: Option<&[char]>| {
        Some(Place {
            file: word[..end].iter().collect(),
            line: number(line)?,
            column: column.and_then(number),
        })
    };
    for at in 1..word.len() {
        let line = digits(&word[at + 1..]);
        if !":(".contains(word[at]) || line.is_empty() || !is_file(&word[..at]) {
            continue;
        }
        let after = at + 1 + line.len();
        let column = match word.get(after) {
            Some(':' | ',') => Some(digits(&word[after + 1..])).filter(|digits| !digits.is_empty()),
            _ => None,
        };
        let len = match word[at] {
            ':' => after + column.map_or(0, |column| 1 + column.len()),
            _ => after + 1 + word[after..].iter().position(|&c| c == ')')?,
        };
        return Some((len, place(at, line, column)?));
    }
    let line = ["\", line ", " on line "].into_iter().find_map(|text| {
        let is_next = text.chars().eq(rest.iter().copied().take(text.len()));
        is_next.then(|| digits(&rest[text.len()..]))
    })?;
    is_file(word).then_some(())?;
    Some((word.len(), place(word.len(), line, None)?))
}

/// The digits that a text begins with.
fn digits(text: &[char]) -> &[char] {
    let end = text.iter().position(|c| !c.is_ascii_digit());
    &text[..end.unwrap_or(text.len())]
}

fn number(digits: &[char]) -> Option<u32> {
    digits.iter().collect::<String>().parse().ok()
}

/// Whether a word looks like the name of a file: with an extension that begins with a letter, and no
/// address of a server.
fn is_file(word: &[char]) -> bool {
    let name_start = word
        .iter()
        .rposition(|&c| c == '/' || c == '\\')
        .map_or(0, |at| at + 1);
    let text: String = word.iter().collect();
    if text.contains("://") && !text.starts_with("file:") {
        return false;
    }
    let extension = word[name_start..].rsplit(|&c| c == '.').next();
    let has_extension = word[name_start..].contains(&'.');
    has_extension
        && extension.is_some_and(|extension| {
            extension.first().is_some_and(char::is_ascii_alphabetic)
                && extension.iter().all(char::is_ascii_alphanumeric)
        })
}

#[cfg(test)]
mod tests {
    use super::places;

    #[track_caller]
    fn check(line: &str, expected: &[(&str, &str)]) {
        let line: Vec<char> = line.chars().collect();
        let found: Vec<(String, String)> = places(&line)
            .into_iter()
            .map(|(marked, place)| {
                let column = place.column.map_or(String::new(), |n| format!(" {n}"));
                let place = format!("{} {}{column}", place.file, place.line);
                (line[marked].iter().collect(), place)
            })
            .collect();
        let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn places_of_many_tools_are_found() {
        check(
            "  --> src/main.rs:4:5",
            &[("src/main.rs:4:5", "src/main.rs 4 5")],
        );
        check(
            "./main.go:10:2: undefined: x",
            &[("./main.go:10:2", "./main.go 10 2")],
        );
        check("app/a b.rb:3:in `index'", &[("b.rb:3", "b.rb 3")]);
        check(
            "    at f (/srv/app.js:3:5)",
            &[("/srv/app.js:3:5", "/srv/app.js 3 5")],
        );
        check(
            "file:///srv/app.mjs:3",
            &[("file:///srv/app.mjs:3", "file:///srv/app.mjs 3")],
        );
        check(
            "src/app.ts(3,5): error TS2304",
            &[("src/app.ts(3,5)", "src/app.ts 3 5")],
        );
        check("src/app.cs(3)", &[("src/app.cs(3)", "src/app.cs 3")]);
        check(
            r#"  File "/srv/app.py", line 3, in f"#,
            &[("/srv/app.py", "/srv/app.py 3")],
        );
        check(
            "in /srv/app.php on line 3",
            &[("/srv/app.php", "/srv/app.php 3")],
        );
        check(
            r"C:\srv\app.cs:3",
            &[(r"C:\srv\app.cs:3", r"C:\srv\app.cs 3")],
        );
    }

    #[test]
    fn addresses_and_times_are_no_places() {
        check("on http://localhost.test:8000/ and 127.0.0.1:80", &[]);
        check("12:30:05 v1.2 a: 3", &[]);
        check("a.rs:99999999999", &[]);
        check("a.py\", line x", &[]);
        check("", &[]);
    }
}
