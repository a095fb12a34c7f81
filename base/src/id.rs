//! Sixteen-byte ids as types of their own, so that no two kinds of id can be mixed up.
//!
//! An id is made from an [`Entropy`] given by the caller, or read from somewhere; it carries no meaning.

use crate::entropy::Entropy;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A text that is not the id it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a {what}: expected {digits} hexadecimal digits")]
pub struct ParseIdError {
    /// What was expected, for instance `collection uuid`.
    pub what: &'static str,
    /// What was found, cut to 80 characters.
    pub text: String,
    /// How many digits were expected.
    pub digits: usize,
}

/// Decodes exactly `N` bytes of hexadecimal digits.
pub(crate) fn parse_hex<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N], ParseIdError> {
    let mut bytes = [0; N];
    match hex::decode_to_slice(text, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(ParseIdError { what, text: text.chars().take(80).collect(), digits: 2 * N }),
    }
}

macro_rules! uuid_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name([u8; 16]);

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, ParseIdError> {
                text.parse()
            }
        }

        impl $name {
            /// A new random (version 4) uuid from the given source.
            pub fn random(entropy: &mut dyn Entropy) -> Self {
                let mut bytes = [0; 16];
                entropy.fill(&mut bytes);
                let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
                *version = (*version & 0x0f) | 0x40;
                *variant = (*variant & 0x3f) | 0x80;
                Self(bytes)
            }

            /// Wraps bytes read from somewhere; nothing is checked.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The sixteen bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (i, byte) in self.0.iter().enumerate() {
                    if matches!(i, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            /// Accepts 32 digits, or the usual form with dashes.
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let dashed = text.len() == 36
                    && text.bytes().enumerate().all(|(i, b)| (b == b'-') == matches!(i, 8 | 13 | 18 | 23));
                let digits = if dashed { text.replace('-', "") } else { text.to_owned() };
                parse_hex($what, &digits).map(Self).map_err(|e| ParseIdError {
                    text: text.chars().take(80).collect(),
                    ..e
                })
            }
        }
    };
}

uuid_type! {
    /// The UUID of a collection: its identity through renames, as MongoDB assigns it.
    CollectionUuid, "collection uuid"
}

uuid_type! {
    /// The identity of one blockstore: blocks, refs and indexes of another store are foreign.
    StoreId, "store id"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn a_random_uuid_is_version_4() {
        let text = StoreId::random(&mut SeededEntropy::new(7)).to_string();
        assert_eq!(text.as_bytes()[14], b'4');
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }

    #[test]
    fn both_text_forms_parse() {
        let id: CollectionUuid = "e152f689-eca5-4e2f-ba22-357219901c94".parse().expect("dashed form");
        assert_eq!("e152f689eca54e2fba22357219901c94".parse(), Ok(id));
        assert_eq!(id.to_string(), "e152f689-eca5-4e2f-ba22-357219901c94");
    }

    #[test]
    fn wrong_dashes_wrong_length_and_non_ascii_are_refused() {
        for bad in [
            "",
            "e152f689eca5-4e2f-ba22-357219901c94-",
            "e152f689-eca5-4e2f-ba22-357219901c9",
            "é",
            "üüüü-eca5-4e2f-ba22-357219901c9",
        ] {
            let error = bad.parse::<CollectionUuid>().expect_err("must be refused");
            assert_eq!(error.what, "collection uuid");
        }
    }
}
