//! Random tokens: session cookies, links, invitations, keys of agents. 256 bits each, shown once, stored hashed.
//!
//! A fast hash is enough, since nobody can guess 256 bits; each purpose hashes differently, so that no token
//! serves for another.

use crate::words::form;
use serde::{Deserialize, Serialize};
use std::fmt;
use tidemark_base::Entropy;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A person's session.
    Session,
    /// An invitation to a group.
    Invitation,
    /// A link to a restore.
    Link,
    /// An agent's key.
    AgentKey,
}

impl Purpose {
    /// What its tokens begin with, so that people and secret scanners recognise them.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "tms_",
            Self::Invitation => "tmi_",
            Self::Link => "tml_",
            Self::AgentKey => "tma_",
        }
    }

    /// The context of its hash. Never changes.
    const fn context(self) -> &'static str {
        match self {
            Self::Session => "tidemark metadata v1 session token",
            Self::Invitation => "tidemark metadata v1 invitation token",
            Self::Link => "tidemark metadata v1 restore link token",
            Self::AgentKey => "tidemark metadata v1 agent key",
        }
    }
}

/// A new token, in the only moment in which it is known.
pub struct Token {
    purpose: Purpose,
    text: String,
}

impl Token {
    /// A new random token.
    pub fn generate(purpose: Purpose, entropy: &mut dyn Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self { purpose, text: format!("{}{}", purpose.prefix(), hex::encode(bytes)) }
    }

    /// The token itself: for the one it is made for, and nobody else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        hash(self.purpose, &self.text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:?}, hidden)", self.purpose)
    }
}

/// What is stored of a token, and what it is found by.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(#[serde(with = "form::digits")] [u8; 32]);

impl TokenHash {
    /// The hash of a token that somebody showed; none if it cannot be one for this purpose.
    #[must_use]
    pub fn of(purpose: Purpose, shown: &str) -> Option<Self> {
        let digits = shown.strip_prefix(purpose.prefix())?;
        let shaped = digits.len() == 64 && digits.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        shaped.then(|| hash(purpose, shown))
    }

    /// The id of a record that is found by the token.
    #[must_use]
    pub fn as_id(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for TokenHash {
    /// Its beginning: enough to tell two apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({}…)", self.as_id().get(..8).unwrap_or_default())
    }
}

fn hash(purpose: Purpose, text: &str) -> TokenHash {
    TokenHash(blake3::derive_key(purpose.context(), text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::SeededEntropy;

    #[test]
    fn a_token_is_found_by_its_hash_and_serves_one_purpose() {
        let mut random = SeededEntropy::new(3);
        let token = Token::generate(Purpose::Link, &mut random);
        assert_eq!(TokenHash::of(Purpose::Link, token.reveal()), Some(token.hash()));
        let shown = token.reveal().strip_prefix("tml_").unwrap();
        for purpose in [Purpose::Session, Purpose::Invitation, Purpose::AgentKey] {
            assert_eq!(TokenHash::of(purpose, token.reveal()), None);
            let other = TokenHash::of(purpose, &format!("{}{shown}", purpose.prefix())).unwrap();
            assert_ne!(other, token.hash());
        }
        assert_ne!(Token::generate(Purpose::Link, &mut random).hash(), token.hash());
        assert_eq!(token.reveal().len(), 4 + 64, "256 bits");
    }

    #[test]
    fn what_cannot_be_a_token_is_not_looked_up() {
        let good = Token::generate(Purpose::Session, &mut SeededEntropy::new(1));
        for bad in
            ["", "tms_", &good.reveal()[..67], &good.reveal().to_uppercase(), &format!("{}0", good.reveal())]
        {
            assert_eq!(TokenHash::of(Purpose::Session, bad), None, "{bad}");
        }
        assert_eq!(TokenHash::of(Purpose::Session, &"x".repeat(1 << 20)), None);
    }

    #[test]
    fn tokens_and_hashes_do_not_show_themselves() {
        let token = Token::generate(Purpose::AgentKey, &mut SeededEntropy::new(9));
        assert_eq!(format!("{token:?}"), "Token(AgentKey, hidden)");
        assert!(format!("{:?}", token.hash()).len() < 25);
    }

    #[test]
    fn the_hash_of_a_token_is_frozen() {
        let shown = format!("tma_{}", "0123456789abcdef".repeat(4));
        let hash = TokenHash::of(Purpose::AgentKey, &shown).unwrap();
        assert_eq!(hash.as_id(), "f91e01fc6ee3376169eef4dab587d50b6f70d84000f5cbe1535b43626128b197");
    }
}
