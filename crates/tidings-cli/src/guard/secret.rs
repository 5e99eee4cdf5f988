//! Secrets that requests show.

use std::hint::black_box;

/// Whether two texts are equal, in a time that does not tell where they differ.
pub(crate) fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).map(|(a, b)| a ^ b);
    one.len() == other.len() && differences.fold(0, |all, one| black_box(all | one)) == 0
}

#[cfg(test)]
mod tests {
    use super::is_equal;

    #[test]
    fn texts_are_equal_or_not() {
        assert!(is_equal(b"abc", b"abc"));
        for other in [&b"abd"[..], b"ab", b"abcd", b"", b"bbc"] {
            assert!(!is_equal(b"abc", other));
        }
    }
}
