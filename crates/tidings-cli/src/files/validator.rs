//! `ETag` and `Last-Modified`, and the conditions that refer to them (RFC 9110 8.8 and 13.1).
//!
//! A tag is made of what the file system knows of a file's state, so that a 304 needs no reading.
//! What must stay true: two states of a file that a browser can have seen never share a tag.
//!
//! Modification times alone cannot promise that: a file that is written twice within one tick of
//! the file system's clock keeps its time, and with a server that answers milliseconds after a save
//! somebody will have seen the first state. So while a file is that young its tag is marked as
//! unsettled: it is never confirmed by a 304, and the settled tag that follows is another one.
//!
//! `Last-Modified` has a resolution of one second, so it is only sent when that second is over: what
//! is saved later has another date then (8.8.2.1 and 8.8.2.2). It is the later one of modification and
//! inode change, because anybody can set the former back (`cp -p`, `tar`, `git`), and it must be
//! repeated exactly to be confirmed. It is never confirmed for what has a part besides the file
//! ([`Validator::with`]): the file's date says nothing about the script that was put into a page.

use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime};

use http::HeaderValue;

/// Longer than a tick of any kernel's clock (10 ms at 100 Hz).
const TICK: Duration = Duration::from_millis(20);
/// For file systems that keep whole seconds (HFS+, some network ones) or even ones (FAT).
const COARSE_TICK: Duration = Duration::from_secs(3);

/// The tag of one state of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validator {
    opaque: String,
    settled: bool,
    /// In whole seconds; `None` while it could be that of two states.
    last_modified: Option<SystemTime>,
    /// Whether the file alone decides about what is sent.
    plain: bool,
}

impl Validator {
    /// `now` must not be earlier than when `meta` was taken, or a young file could look settled.
    pub(crate) fn of(meta: &Metadata, now: SystemTime) -> Validator {
        let modified = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let state = State::of(meta);
        let since = |time: SystemTime| now.duration_since(time);
        let tick = match nanoseconds(modified) % 1_000_000_000 {
            0 => COARSE_TICK,
            _ => TICK,
        };
        // Anyone may set a modification time into the future: that does not make a file young.
        let modified_since = since(modified).unwrap_or_else(|early| early.duration());
        let changed_since = state.changed.map(|time| since(time).unwrap_or_default());
        let settled = modified_since >= tick && changed_since.is_none_or(|age| age >= TICK);
        let mut opaque = format!("{:x}-{:x}", nanoseconds(modified), meta.len());
        if let Some(changed) = state.changed {
            // Tools that pin modification times (reproducible builds, `cp -p`) cannot pin this.
            // The numbers of inodes are nobody's business, so only a hash is shown, with the same
            // key for ever: a tag outlives the process.
            let mut hasher = DefaultHasher::new();
            (state.inode, nanoseconds(changed), nanoseconds(modified)).hash(&mut hasher);
            opaque.push_str(&format!("-{:016x}", hasher.finish()));
        }
        if !settled {
            opaque.push_str("-new");
        }
        let last = state
            .changed
            .map_or(modified, |changed| changed.max(modified));
        let last_modified = whole_seconds(last)
            .filter(|last| settled && since(*last).is_ok_and(|age| age >= Duration::from_secs(1)));
        Validator {
            opaque,
            settled,
            last_modified,
            plain: true,
        }
    }

    /// For a representation that is made from the file: injected, compressed.
    pub(crate) fn with_suffix(mut self, part: &str) -> Validator {
        self.plain = false;
        self.opaque.push('-');
        // RFC 9110 8.8.3: no quotes, no spaces, no controls.
        let allowed = |char: &char| char.is_ascii_graphic() && *char != '"';
        self.opaque.extend(part.chars().filter(allowed));
        self
    }

    /// Whether the file is older than a tick: no other version can have this tag.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    pub(crate) fn to_header(&self) -> HeaderValue {
        HeaderValue::try_from(format!("\"{}\"", self.opaque))
            .unwrap_or(HeaderValue::from_static("\"\""))
    }

    /// `If-None-Match`: whether the client has this state already. Weak comparison (13.1.2).
    pub(crate) fn matches_if_none_match(&self, if_none_match: &[u8]) -> bool {
        self.settled
            && (if_none_match.trim_ascii() == b"*"
                || tags(if_none_match).any(|tag| tag == self.opaque.as_bytes()))
    }

    /// For `Last-Modified`.
    pub(crate) fn last_modified(&self) -> Option<HeaderValue> {
        let date = httpdate::fmt_http_date(self.last_modified?);
        HeaderValue::try_from(date).ok()
    }

    /// `If-Modified-Since`, which counts only where there is no `If-None-Match` (13.1.3).
    pub(crate) fn matches_if_modified_since(&self, since: &[u8]) -> bool {
        let since = std::str::from_utf8(since).ok();
        let since = since.and_then(|since| httpdate::parse_http_date(since.trim()).ok());
        self.plain && since.is_some() && since == self.last_modified
    }

    /// `If-Range`: whether the client's part is a part of this state. Strong comparison (13.1.5),
    /// so neither a weak tag nor a date will do.
    pub(crate) fn matches_if_range(&self, if_range: &[u8]) -> bool {
        let if_range = if_range.trim_ascii();
        self.settled
            && if_range
                .strip_prefix(b"\"")
                .and_then(|tag| tag.strip_suffix(b"\""))
                == Some(self.opaque.as_bytes())
    }
}

struct State {
    inode: u64,
    changed: Option<SystemTime>,
}

impl State {
    #[cfg(unix)]
    fn of(meta: &Metadata) -> State {
        use std::os::unix::fs::MetadataExt;
        let seconds = u64::try_from(meta.ctime()).unwrap_or(0);
        let nanoseconds = u32::try_from(meta.ctime_nsec()).unwrap_or(0);
        State {
            inode: meta.ino(),
            changed: SystemTime::UNIX_EPOCH
                .checked_add(Duration::new(seconds, nanoseconds.min(999_999_999))),
        }
    }

    #[cfg(not(unix))]
    fn of(_meta: &Metadata) -> State {
        State {
            inode: 0,
            changed: None,
        }
    }
}

/// Without the fraction of a second. `None` before the epoch, where no date of HTTP begins.
fn whole_seconds(time: SystemTime) -> Option<SystemTime> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    // RFC 9110 5.6.7: years have four digits.
    let in_range = since.as_secs() < 253_402_300_800;
    in_range.then(|| SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs()))
}

/// Since the epoch; times before it are as good as any other number.
fn nanoseconds(time: SystemTime) -> u128 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_nanos(),
        Err(before) => u128::MAX - before.duration().as_nanos(),
    }
}

/// The opaque parts of a list of entity tags. A comma may stand inside the quotes.
fn tags(mut list: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let start = list.iter().position(|&byte| byte == b'"')? + 1;
        let length = list[start..].iter().position(|&byte| byte == b'"')?;
        let tag = &list[start..start + length];
        list = &list[start + length + 1..];
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validator() -> Validator {
        Validator {
            opaque: "a-b,c".into(),
            settled: true,
            last_modified: None,
            plain: true,
        }
    }

    #[test]
    fn none_match_compares_weakly_and_reads_lists() {
        for value in [
            "\"a-b,c\"",
            "W/\"a-b,c\"",
            "\"x\", W/\"a-b,c\" , \"y\"",
            "*",
            " * ",
        ] {
            assert!(
                validator().matches_if_none_match(value.as_bytes()),
                "{value}"
            );
        }
        for value in ["", "\"a-b\"", "a-b,c", "\"x\",\"y\"", "\"a-b,c", "\"\""] {
            assert!(
                !validator().matches_if_none_match(value.as_bytes()),
                "{value}"
            );
        }
    }

    #[test]
    fn range_compares_strongly() {
        assert!(validator().matches_if_range(b"\"a-b,c\""));
        for value in [
            "W/\"a-b,c\"",
            "Sat, 01 Jan 2000 00:00:00 GMT",
            "\"a\"",
            "a-b,c",
            "\"",
        ] {
            assert!(!validator().matches_if_range(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn a_file_that_may_change_within_its_tick_is_never_confirmed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let meta = file.as_file().metadata().unwrap();
        let modified = meta.modified().unwrap();
        let young = Validator::of(&meta, modified + Duration::from_millis(1));
        let settled = Validator::of(&meta, modified + Duration::from_secs(10));
        assert!(!young.matches_if_none_match(young.to_header().as_bytes()));
        assert!(!young.matches_if_range(young.to_header().as_bytes()));
        let early = Validator::of(&meta, modified - Duration::from_millis(30));
        assert!(!early.matches_if_none_match(early.to_header().as_bytes()) || cfg!(not(unix)));
        assert!(settled.matches_if_none_match(settled.to_header().as_bytes()));
        assert!(!settled.matches_if_none_match(young.to_header().as_bytes()));
    }

    #[test]
    fn a_date_is_said_when_its_second_is_over_and_must_be_repeated_exactly() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let meta = file.as_file().metadata().unwrap();
        let second = whole_seconds(meta.modified().unwrap()).unwrap();
        let at = |after_ms| Validator::of(&meta, second + Duration::from_millis(after_ms));
        assert_eq!(at(999).last_modified(), None);
        let settled = at(5000);
        let date = settled.last_modified().unwrap();
        assert_eq!(date, httpdate::fmt_http_date(second).as_str());
        assert!(settled.matches_if_modified_since(date.as_bytes()));
        let later = httpdate::fmt_http_date(second + Duration::from_secs(1));
        for other in [later.as_str(), "", "yesterday"] {
            assert!(
                !settled.matches_if_modified_since(other.as_bytes()),
                "{other}"
            );
        }
        let page = settled.with_suffix("stamp");
        assert_eq!(page.last_modified().unwrap(), date);
        assert!(!page.matches_if_modified_since(date.as_bytes()));
    }

    #[cfg(unix)]
    #[test]
    fn a_tag_does_not_tell_the_inode() {
        use std::os::unix::fs::MetadataExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        let meta = file.as_file().metadata().unwrap();
        let tag = Validator::of(&meta, SystemTime::now()).opaque;
        let told = |number: u64| tag.split('-').any(|part| part == format!("{number:x}"));
        assert!(!told(meta.ino()), "{tag}");
    }

    #[test]
    fn a_part_cannot_break_out_of_the_quotes() {
        assert_eq!(
            validator().with_suffix("x\"\r\ny z").to_header(),
            "\"a-b,c-xyz\""
        );
    }
}
