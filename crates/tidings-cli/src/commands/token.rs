//! The token of this process: whoever has it may give it orders. Pages get it with their script, and local
//! programs of this user read it from a file (`instances.rs`).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use http::HeaderMap;

use crate::guard::secret::is_equal;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tokens_are_the_same() {
        assert_ne!(Token::new().as_str(), Token::new().as_str());
        assert_eq!(Token::new().as_str().len(), 32);
    }
}
