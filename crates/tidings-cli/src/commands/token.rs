//! The token of this process: whoever has it may give it orders. Pages get it with their script, and local
//! programs of this user read it from a file (`instances.rs`).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::hint::black_box;

use http::HeaderMap;

/// The header with the token.
pub(super) const HEADER: &str = "tidings-token";

#[derive(Clone)]
pub(super) struct Token(String);

impl Token {
    /// One that nobody can guess.
    pub(super) fn new() -> Token {
        // The keys are random from the system, and cannot be derived from the hashes.
        let half = || RandomState::new().hash_one(0);
        Token(format!("{:016x}{:016x}", half(), half()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request has it, once.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut tokens = headers.get_all(HEADER).iter();
        match (tokens.next(), tokens.next()) {
            (Some(token), None) => is_equal(token.as_bytes(), self.0.as_bytes()),
            _ => false,
        }
    }
}

/// In a time that does not depend on where they differ.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).map(|(a, b)| a ^ b);
    one.len() == other.len() && differences.fold(0, |all, one| black_box(all | one)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_equal_or_not() {
        assert!(is_equal(b"abc", b"abc"));
        for other in [&b"abd"[..], b"ab", b"abcd", b"", b"bbc"] {
            assert!(!is_equal(b"abc", other));
        }
        assert_ne!(Token::new().as_str(), Token::new().as_str());
        assert_eq!(Token::new().as_str().len(), 32);
    }
}
