//! `ETag` and `Last-Modified`, and the conditions that refer to them (RFC 9110 8.8 and 13.1).
//!
//! An `ETag` is made from the metadata of a file, so that a 304 needs no reading. Invariant: two states of
//! a file that a browser can have seen never have the same `ETag`.
//!
//! Modification times are not enough for that: a file that is written twice within one tick of the file
//! system's clock keeps its time, and a browser may get the first state within milliseconds after the
//! save. So the `ETag` of such a young file is marked as unsettled: it never leads to a 304, and the settled
//! one that follows is different.
//!
//! `Last-Modified` has a resolution of one second, so it is only sent when that second is over: a later save
//! has another date then (8.8.2.1 and 8.8.2.2). It is the later one of modification and inode change,
//! because programs set the former back (`cp -p`, `tar`, `git`), and only exactly this date leads to a 304. It
//! never does for a response with a part besides the file ([`Validator::with_suffix`]): the date of the file
//! does not cover the script that was injected into a page.

use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime};

use http::HeaderValue;

/// Longer than a tick of any kernel's clock (10 ms at 100 Hz).
const TICK: Duration = Duration::from_millis(20);
/// For file systems with a resolution of one second (HFS+, some network ones) or two (FAT).
const COARSE_TICK: Duration = Duration::from_secs(3);

/// The validators of one state of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validator {
    opaque: String,
    settled: bool,
    /// In whole seconds; `None` while a later state could have the same.
    last_modified: Option<SystemTime>,
    /// Whether the response depends on the file alone.
    plain: bool,
}

impl Validator {
    /// `now` must be the time at which `meta` was read, or later.
    pub(crate) fn of(meta: &Metadata, now: SystemTime) -> Validator {
        let modified = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let state = State::of(meta);
        let since = |time: SystemTime| now.duration_since(time);
        let tick = match nanoseconds(modified) % 1_000_000_000 {
            0 => COARSE_TICK,
            _ => TICK,
        };
        // A modification time may be set to the future: that does not make the file young.
        let modified_since = since(modified).unwrap_or_else(|early| early.duration());
        let changed_since = state.changed.map(|time| since(time).unwrap_or_default());
        let settled = modified_since >= tick && changed_since.is_none_or(|age| age >= TICK);
        let mut opaque = format!("{:x}-{:x}", nanoseconds(modified), meta.len());
        if let Some(changed) = state.changed {
            // Tools that set modification times (reproducible builds, `cp -p`) cannot set the time of the
            // inode change. Inode numbers must not be disclosed, so a hash is used, with a fixed key: an `ETag`
            // remains valid over a restart.
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

    /// For a representation that is derived from the file: injected, compressed.
    pub(crate) fn with_suffix(mut self, part: &str) -> Validator {
        self.plain = false;
        self.opaque.push('-');
        // RFC 9110 8.8.3: no quotes, no spaces, no control characters.
        let allowed = |char: &char| char.is_ascii_graphic() && *char != '"';
        self.opaque.extend(part.chars().filter(allowed));
        self
    }

    /// Whether the file is older than a tick, so that no other version can have this `ETag`.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    pub(crate) fn to_header(&self) -> HeaderValue {
        HeaderValue::try_from(format!("\"{}\"", self.opaque))
            .unwrap_or(HeaderValue::from_static("\"\""))
    }

    /// `If-None-Match`: whether the client already has this state. Weak comparison (13.1.2).
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

    /// `If-Modified-Since`, which is ignored if there is an `If-None-Match` (13.1.3).
    pub(crate) fn matches_if_modified_since(&self, since: &[u8]) -> bool {
        let since = std::str::from_utf8(since).ok();
        let since = since.and_then(|since| httpdate::parse_http_date(since.trim()).ok());
        self.plain && since.is_some() && since == self.last_modified
    }

    /// `If-Range`: whether the client has a part of this state. Strong comparison (13.1.5), so weak tags and
    /// dates never match.
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

/// The time without the fraction of a second. `None` before the epoch.
fn whole_seconds(time: SystemTime) -> Option<SystemTime> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    // RFC 9110 5.6.7: years have four digits.
    let in_range = since.as_secs() < 253_402_300_800;
    in_range.then(|| SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs()))
}

/// Nanoseconds since the epoch. Times before it are mapped to distinct numbers.
fn nanoseconds(time: SystemTime) -> u128 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_nanos(),
        Err(before) => u128::MAX - before.duration().as_nanos(),
    }
}

/// The opaque parts of a list of entity tags. There may be commas within the quotes.
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
    fn a_file_that_may_change_within_a_tick_never_leads_to_a_304() {
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
    fn a_date_is_sent_when_its_second_is_over_and_must_match_exactly() {
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
    fn an_etag_does_not_disclose_the_inode() {
        use std::os::unix::fs::MetadataExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        let meta = file.as_file().metadata().unwrap();
        let tag = Validator::of(&meta, SystemTime::now()).opaque;
        let contains = |number: u64| tag.split('-').any(|part| part == format!("{number:x}"));
        assert!(!contains(meta.ino()), "{tag}");
    }

    #[test]
    fn a_suffix_cannot_contain_quotes() {
        assert_eq!(
            validator().with_suffix("x\"\r\ny z").to_header(),
            "\"a-b,c-xyz\""
        );
    }
}
