//! Finds the places in files that a message names, so that a page can make them stand out.

use std::ops::Range;

use super::runs::Cell;

/// Longer words are no names of files.
const MAX_WORD: usize = 300;

/// Marks the places in files in one line of output.
pub(super) fn mark(line: &mut [Cell]) {
    let text: Vec<char> = line.iter().map(|cell| cell.char).collect();
    for place in places(&text) {
        for cell in &mut line[place] {
            cell.style.file = true;
        }
    }
}

/// `src/main.rs:4:5` and `app.js:3` (compilers, Ruby, Node.js, Go), `src/app.ts(3,5)` (TypeScript, MSBuild),
/// `File "app.py", line 3` (Python) and `/srv/app.php on line 3` (PHP).
fn places(line: &[char]) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut start = 0;
    while start < line.len() {
        let end = (start..line.len())
            .find(|&at| is_boundary(line, at))
            .unwrap_or(line.len());
        if let Some(len) = place_in(&line[start..end], &line[end..]) {
            places.push(start..start + len);
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

/// The length of the place that a word names; `rest` is what follows.
fn place_in(word: &[char], rest: &[char]) -> Option<usize> {
    let digits = |from: usize| {
        word[from..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count()
    };
    let follows = |text: &str| {
        let mut rest = rest.iter();
        text.chars().all(|c| rest.next() == Some(&c))
            && rest.next().is_some_and(char::is_ascii_digit)
    };
    if word.len() > MAX_WORD {
        return None;
    }
    for at in 1..word.len() {
        if !":(".contains(word[at]) || digits(at + 1) == 0 || !is_file(&word[..at]) {
            continue;
        }
        let line_end = at + 1 + digits(at + 1);
        match word[at] {
            ':' => {
                let has_column = word.get(line_end) == Some(&':') && digits(line_end + 1) > 0;
                return Some(match has_column {
                    true => line_end + 1 + digits(line_end + 1),
                    false => line_end,
                });
            }
            '(' => {
                let end = word[line_end..].iter().position(|&c| c == ')')?;
                return Some(line_end + end + 1);
            }
            _ => {}
        }
    }
    (is_file(word) && (follows("\", line ") || follows(" on line "))).then_some(word.len())
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
    fn check(line: &str, expected: &[&str]) {
        let line: Vec<char> = line.chars().collect();
        let found = places(&line);
        let found: Vec<String> = found
            .into_iter()
            .map(|place| line[place].iter().collect())
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn places_of_many_tools_are_found() {
        check("  --> src/main.rs:4:5", &["src/main.rs:4:5"]);
        check("./main.go:10:2: undefined: x", &["./main.go:10:2"]);
        check("app/a b.rb:3:in `index'", &["b.rb:3"]);
        check("    at f (/srv/app.js:3:5)", &["/srv/app.js:3:5"]);
        check("file:///srv/app.mjs:3", &["file:///srv/app.mjs:3"]);
        check("src/app.ts(3,5): error TS2304", &["src/app.ts(3,5)"]);
        check(r#"  File "/srv/app.py", line 3, in f"#, &["/srv/app.py"]);
        check("in /srv/app.php on line 3", &["/srv/app.php"]);
        check(r"C:\srv\app.cs:3", &[r"C:\srv\app.cs:3"]);
    }

    #[test]
    fn addresses_and_times_are_no_places() {
        check("on http://localhost.test:8000/ and 127.0.0.1:80", &[]);
        check("12:30:05 v1.2 a: 3", &[]);
        check("", &[]);
    }
}
