//! The listing of a directory that has no index file.
//!
//! It lists only what is served: no hidden names, no keys, no links that lead out of the root, no devices.

use std::cmp::Ordering;
use std::ffi::OsString;
use std::fmt::Write;
use std::io;
use std::time::SystemTime;

use super::open::{Kind, Root};
use super::resolve::{self, RelPath};
use super::template::{self, escape};

/// More rows would make the browser slow.
const MAX_ROWS: usize = 5000;

#[derive(Debug)]
struct Entry {
    name: OsString,
    shown: String,
    kind: Kind,
    modified: Option<SystemTime>,
}

/// The page, or `None` if there is no such directory (any more).
pub(crate) fn page(
    root: &Root,
    mount: &str,
    path: &RelPath,
    snippet: &str,
) -> io::Result<Option<String>> {
    let Some(mut entries) = entries(root, path)? else {
        return Ok(None);
    };
    entries.sort_by(|a, b| {
        let directories_first = |entry: &Entry| entry.kind != Kind::Directory;
        directories_first(a)
            .cmp(&directories_first(b))
            .then_with(|| natural(&a.shown, &b.shown))
            .then_with(|| a.name.cmp(&b.name))
    });
    Ok(Some(template::page(
        &format!("{mount}{}", path.decoded()),
        snippet,
        &content(mount, path, &entries),
    )))
}

fn entries(root: &Root, path: &RelPath) -> io::Result<Option<Vec<Entry>>> {
    let Some(directory) = root.directory(path)? else {
        return Ok(None);
    };
    let mut entries = Vec::new();
    for entry in directory.read_dir()? {
        // Entries that were removed meanwhile, or cannot be examined, are omitted.
        let Ok(entry) = entry else { continue };
        let name = entry.file_name();
        let Ok(Some(kind)) = root.probe(&path.child(&name)) else {
            continue;
        };
        // Names that no URL can have (with a backslash) are omitted.
        if resolve::parse_target(&format!("/{}", resolve::percent_encode(&name))).is_err() {
            continue;
        }
        entries.push(Entry {
            shown: name.to_string_lossy().into_owned(),
            modified: std::fs::metadata(entry.path())
                .and_then(|meta| meta.modified())
                .ok(),
            name,
            kind,
        });
    }
    Ok(Some(entries))
}

fn content(mount: &str, path: &RelPath, entries: &[Entry]) -> String {
    let mut html = String::with_capacity(1024 + entries.len() * 160);
    // Writing to a string cannot fail.
    let _ = writeln!(html, "<h1>{}</h1>", breadcrumb(mount, path));
    if entries.is_empty() {
        html.push_str("<p class=\"dim\">Nothing here yet.</p>");
        return html;
    }
    html.push_str("<table>\n<tr><th>Name<th class=\"n\">Size<th class=\"n t\">Modified (UTC)\n");
    for entry in &entries[..entries.len().min(MAX_ROWS)] {
        let href = resolve::percent_encode(&entry.name);
        let shown = escape(&entry.shown);
        let (slash, size) = match entry.kind {
            Kind::Directory => ("/", String::new()),
            Kind::File { len } => ("", size(len)),
        };
        let time = entry.modified.map(utc).unwrap_or_default();
        let _ = writeln!(
            html,
            "<tr><td><a href=\"{href}{slash}\">{shown}{slash}</a><td class=\"n\">{size}<td class=\"n t\">{time}"
        );
    }
    html.push_str("</table>");
    if let Some(more @ 1..) = entries.len().checked_sub(MAX_ROWS) {
        let _ = write!(html, "\n<p class=\"dim\">and {more} more</p>");
    }
    html
}

fn breadcrumb(mount: &str, path: &RelPath) -> String {
    let mut href = format!("{mount}/");
    let mut html = format!("<a href=\"{href}\">{href}</a>");
    for name in path.segments() {
        href.push_str(&resolve::percent_encode(name));
        href.push('/');
        let shown = name.to_string_lossy();
        let _ = write!(html, "<a href=\"{href}\">{}</a><i>/</i>", escape(&shown));
    }
    html
}

fn size(len: u64) -> String {
    let mut value = len as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if value < 1000.0 {
            return match unit {
                "B" => format!("{len} B"),
                unit => format!("{value:.1} {unit}"),
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// `2026-03-01 14:05`.
fn utc(time: SystemTime) -> String {
    let Ok(since) = time.duration_since(SystemTime::UNIX_EPOCH) else {
        return String::new();
    };
    let minutes = since.as_secs() / 60;
    // Howard Hinnant's `civil_from_days`: years begin in March, an era is 400 years.
    let days = minutes / 1440 + 719_468;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + days / 146_097 * 400 + u64::from(month <= 2);
    format!(
        "{year}-{month:02}-{day:02} {:02}:{:02}",
        minutes / 60 % 24,
        minutes % 60
    )
}

/// Natural order: without case, and `page2` before `page10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        match (digits(a), digits(b)) {
            (0, _) | (_, 0) => {}
            (a_digits, b_digits) => {
                let number =
                    |text: &str, end: usize| text[..end].trim_start_matches('0').to_owned();
                let (left, right) = (number(a, a_digits), number(b, b_digits));
                let order = left.len().cmp(&right.len()).then_with(|| left.cmp(&right));
                if order.is_ne() {
                    return order;
                }
                (a, b) = (&a[a_digits..], &b[b_digits..]);
            }
        }
        let (mut left, mut right) = (a.chars(), b.chars());
        match (left.next(), right.next()) {
            (Some(x), Some(y)) => {
                let order = x.to_lowercase().cmp(y.to_lowercase());
                if order.is_ne() {
                    return order;
                }
            }
            (x, y) => return x.is_some().cmp(&y.is_some()),
        }
        (a, b) = (left.as_str(), right.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn numbers_in_names_are_compared_as_numbers() {
        let mut names = vec![
            "page10", "Page2", "page1", "a", "page01b", "10", "9", "page", "",
        ];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            [
                "", "9", "10", "a", "page", "page1", "page01b", "Page2", "page10"
            ]
        );
    }

    #[test]
    fn sizes_and_times_are_for_people() {
        assert_eq!(
            [0, 999, 1000, 1_500_000].map(size),
            ["0 B", "999 B", "1.0 KB", "1.5 MB"]
        );
        let at = |seconds| utc(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00");
        assert_eq!(at(951_827_696), "2000-02-29 12:34");
        assert_eq!(at(1_772_373_900), "2026-03-01 14:05");
        assert_eq!(at(4_102_444_799), "2099-12-31 23:59");
    }
}
