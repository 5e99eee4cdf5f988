//! The token of this process: whoever has it may give it orders. Pages get it with their script, and local
//! programs of this user read it from a file (`instances.rs`).

use http::HeaderMap;
use ring::rand::{SecureRandom, SystemRandom};

use crate::guard::secret::is_equal;

/// The header with the token.
pub(super) const HEADER: &str = "tidings-token";

#[derive(Clone)]
pub(super) struct Token(String);

impl Token {
    /// One that nobody can guess.
    pub(super) fn new() -> anyhow::Result<Token> {
        let mut bytes = [0; 16];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| anyhow::anyhow!("the system has no random numbers"))?;
        Ok(Token(format!("{:032x}", u128::from_be_bytes(bytes))))
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
        let [one, other] = [Token::new().unwrap(), Token::new().unwrap()];
        assert_ne!(one.as_str(), other.as_str());
        assert_eq!(one.as_str().len(), 32);
    }
}
