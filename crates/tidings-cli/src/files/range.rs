//! The `Range` header (RFC 9110 14).
//!
//! Only single byte ranges are supported. A server may ignore a `Range` (14.2): multiple ranges, other units
//! and invalid values are ignored.

/// A single range, before the length of the file is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeHeader {
    /// `a-b`, `a-`: the last position is inclusive.
    From { first: u64, last: Option<u64> },
    /// `-n`
    Last { length: u64 },
}

impl RangeHeader {
    /// Parses the value of the header. `None`: the header is to be ignored.
    pub(crate) fn parse(value: &[u8]) -> Option<RangeHeader> {
        let value = std::str::from_utf8(value).ok()?;
        let (unit, set) = value.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
            return None;
        }
        let (first, last) = set.trim_matches([' ', '\t']).split_once('-')?;
        if first.is_empty() {
            return Some(RangeHeader::Last {
                length: number(last)?,
            });
        }
        let first = number(first)?;
        let last = match last {
            "" => None,
            last => Some(number(last)?),
        };
        // 14.1.1: a last position before the first makes the range invalid, not unsatisfiable.
        match last {
            Some(last) if last < first => None,
            last => Some(RangeHeader::From { first, last }),
        }
    }

    /// The range within a file of this length, as start and length. `None`: unsatisfiable, 416.
    pub(crate) fn within(self, len: u64) -> Option<(u64, u64)> {
        let (start, end) = match self {
            RangeHeader::From { first, last } => {
                let end = last.map_or(len, |last| last.saturating_add(1).min(len));
                (first, end)
            }
            RangeHeader::Last { length } => (len.saturating_sub(length), len),
        };
        (start < end).then(|| (start, end - start))
    }
}

/// Digits only: `u64::from_str` would accept a sign. Larger numbers are clamped.
fn number(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, len: u64, expected: Option<Option<(u64, u64)>>) {
        let range = RangeHeader::parse(value.as_bytes()).map(|range| range.within(len));
        assert_eq!(range, expected, "{value} of {len}");
    }

    #[test]
    fn single_ranges_are_cut_to_the_file() {
        check("bytes=0-0", 10, Some(Some((0, 1))));
        check("bytes=2-4", 10, Some(Some((2, 3))));
        check("bytes=2-", 10, Some(Some((2, 8))));
        check("bytes=2-99", 10, Some(Some((2, 8))));
        check("bytes=-3", 10, Some(Some((7, 3))));
        check("bytes=-99", 10, Some(Some((0, 10))));
        check("Bytes= 9-", 10, Some(Some((9, 1))));
        check("bytes=0-18446744073709551615", 10, Some(Some((0, 10))));
        check("bytes=0-99999999999999999999999", 10, Some(Some((0, 10))));
    }

    #[test]
    fn a_range_after_the_end_is_unsatisfiable() {
        check("bytes=10-", 10, Some(None));
        check("bytes=10-20", 10, Some(None));
        check("bytes=-0", 10, Some(None));
        check("bytes=0-", 0, Some(None));
        check("bytes=-5", 0, Some(None));
        check("bytes=99999999999999999999999-", 10, Some(None));
    }

    #[test]
    fn invalid_ranges_are_ignored() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=4-2",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1-+2",
            "items=0-1",
            "bytes=0-1,3-4",
            "bytes=1 - 2",
        ] {
            check(value, 10, None);
        }
    }
}
