//! What HTTP digest (RFC 7616) needs of an API key: H(public key ‖ realm ‖ private key), called HA1.
//!
//! A server cannot check a digest with a slow or salted hash of the secret: it needs HA1, and whoever has HA1 can
//! answer challenges of this realm. So it is only ever stored sealed; and since private keys are 256 random bits,
//! it leads neither back to the key nor, by guessing, to anything else. MD5 is what existing clients speak.

use super::{Sealed, SealingKey, Secret};
use crate::error::{Error, Result};
use sha2::{Digest as _, Sha256};
use std::fmt;
use tidemark_base::Entropy;

/// The realm of the public API, as Ops Manager calls it. A part of what is hashed: it never changes.
pub const REALM: &str = "MMS Public API";

/// HA1 in both algorithms.
#[derive(Clone, PartialEq, Eq)]
pub struct DigestHashes {
    /// For `algorithm=MD5`.
    pub md5: [u8; 16],
    /// For `algorithm=SHA-256`.
    pub sha256: [u8; 32],
}

impl DigestHashes {
    pub(crate) fn of(public: &str, private: &str) -> Self {
        let text = format!("{public}:{REALM}:{private}");
        Self { md5: md5::Md5::digest(&text).into(), sha256: Sha256::digest(&text).into() }
    }

    pub(crate) fn seal(&self, place: &str, key: &SealingKey, entropy: &mut dyn Entropy) -> Result<Sealed> {
        let secret = Secret::new([&self.md5[..], &self.sha256].concat())?;
        Ok(key.seal(place, &secret, entropy))
    }

    pub(crate) fn open(place: &str, key: &SealingKey, sealed: &Sealed) -> Result<Self> {
        let secret = key.open(place, sealed)?;
        let parts = secret.reveal().split_first_chunk::<16>();
        let hashes = parts.and_then(|(md5, rest)| Some(Self { md5: *md5, sha256: rest.try_into().ok()? }));
        let wrong = || Error::Corrupt {
            place: format!("the secret of {place}"),
            problem: "it is no pair of hashes".to_owned(),
        };
        hashes.ok_or_else(wrong)
    }
}

impl fmt::Debug for DigestHashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestHashes(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::SeededEntropy;

    #[test]
    fn the_hashes_are_those_of_the_standard() {
        // RFC 7616, 3.9.1, has another realm, so: printf 'a:MMS Public API:b' | md5sum, and sha256sum.
        let hashes = DigestHashes::of("a", "b");
        assert_eq!(hex::encode(hashes.md5), "9798bfcc988bc744af24acd8f08d29bf");
        assert_eq!(
            hex::encode(hashes.sha256),
            "9c1bd69da79790df158ee789fdf26096efb72a5ee9f1c361bea7f5855670a0cf"
        );
    }

    #[test]
    fn they_are_stored_sealed_and_show_nothing() {
        let key = SealingKey::from_bytes(&[3; 32]);
        let hashes = DigestHashes::of("public", "private");
        let sealed = hashes.seal("place", &key, &mut SeededEntropy::new(1)).unwrap();
        assert_eq!(DigestHashes::open("place", &key, &sealed).unwrap(), hashes);
        let text = String::from(sealed);
        assert!(!text.contains(&hex::encode(hashes.md5)) && !text.contains(&hex::encode(hashes.sha256)));
        assert_eq!(format!("{hashes:?}"), "DigestHashes(hidden)");
        let wrong = key.seal("place", &Secret::new(vec![0; 47]).unwrap(), &mut SeededEntropy::new(1));
        assert!(DigestHashes::open("place", &key, &wrong).is_err());
    }
}
