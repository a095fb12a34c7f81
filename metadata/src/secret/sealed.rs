//! Secrets that must be read back: connection strings for agents, hashes for HTTP digest. AES-256-GCM under a key
//! that lies in a file outside the store, bound to the place they belong to.
//!
//! So the database alone, or a copy of it, gives nobody the secrets of a source; and a sealed secret that is
//! moved to another record does not open.

use crate::error::{Error, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use tidemark_base::Entropy;
use tidemark_base::limits::MAX_SECRET_BYTES;

/// Version 1, four bytes that tell keys apart, the nonce.
const HEADER: usize = 1 + 4 + NONCE_LEN;
const VERSION: u8 = 1;
const TAG: usize = 16;

/// A secret in the clear.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes a secret.
    ///
    /// # Errors
    /// `Invalid` if it is over [`MAX_SECRET_BYTES`].
    pub fn new(bytes: Vec<u8>) -> Result<Self> {
        if bytes.len() > MAX_SECRET_BYTES {
            let problem = format!("{} bytes, at most {MAX_SECRET_BYTES} are allowed", bytes.len());
            return Err(Error::invalid("secret", problem));
        }
        Ok(Self(bytes))
    }

    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// A secret as it is stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sealed(Vec<u8>);

impl TryFrom<String> for Sealed {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let lower = !text.bytes().any(|it| it.is_ascii_uppercase());
        let bounded = text.len() <= 2 * (HEADER + MAX_SECRET_BYTES + TAG);
        match hex::decode(&text) {
            Ok(bytes) if lower && bounded && bytes.len() >= HEADER + TAG => Ok(Self(bytes)),
            _ => Err(Error::invalid("sealed secret", "it is not in the form in which secrets are stored")),
        }
    }
}

impl From<Sealed> for String {
    fn from(sealed: Sealed) -> Self {
        hex::encode(sealed.0)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// The key that seals and opens.
pub struct SealingKey {
    key: LessSafeKey,
    /// Tells this key from others without saying anything about it.
    mark: [u8; 4],
    /// What other keys are made of.
    others: [u8; 32],
}

impl SealingKey {
    /// The key made of 32 random bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let key = blake3::derive_key("tidemark metadata v1 sealing key", bytes);
        let [a, b, c, d, ..] = blake3::derive_key("tidemark metadata v1 sealing key mark", bytes);
        let others = blake3::derive_key("tidemark metadata v1 other keys", bytes);
        let key = UnboundKey::new(&AES_256_GCM, &key).expect("AES-256 takes 32 bytes");
        Self { key: LessSafeKey::new(key), mark: [a, b, c, d], others }
    }

    /// A key for something else, the same in all processes of an installation. Leads neither back nor to other contexts.
    #[must_use]
    pub fn other(&self, context: &'static str) -> [u8; 32] {
        blake3::derive_key(context, &self.others)
    }

    /// Seals a secret for one place, for instance `backupConfig <id>`. Nonces are random: with 96 bits one key may
    /// seal some four thousand million times.
    #[must_use]
    pub fn seal(&self, place: &str, secret: &Secret, entropy: &mut dyn Entropy) -> Sealed {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut bytes = vec![VERSION];
        bytes.extend(self.mark);
        bytes.extend(nonce);
        let mut text = secret.0.clone();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(nonce, Aad::from(place), &mut text)
            .expect("a secret is far below the limits of AES-GCM");
        bytes.extend(text);
        Sealed(bytes)
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// `Invalid` if it was sealed with another key; `Corrupt` if it was changed or belongs elsewhere.
    pub fn open(&self, place: &str, sealed: &Sealed) -> Result<Secret> {
        let broken = || Error::Corrupt {
            place: format!("the secret of {place}"),
            problem: "it does not open with its key".to_owned(),
        };
        let (header, text) = sealed.0.split_at_checked(HEADER).ok_or_else(broken)?;
        let (&[version, a, b, c, d], nonce) = header.split_first_chunk::<5>().ok_or_else(broken)?;
        if version > VERSION {
            let place = format!("the secret of {place}");
            return Err(Error::Newer { place, found: version.into(), supported: VERSION.into() });
        }
        if version < VERSION {
            return Err(broken());
        }
        if [a, b, c, d] != self.mark {
            let advice = "put the former key file back, or enter the secret again";
            return Err(Error::refused(format!("the secret of {place} was sealed with another key"), advice));
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let mut text = text.to_vec();
        let plain = self.key.open_in_place(nonce, Aad::from(place), &mut text).map_err(|_| broken())?;
        Secret::new(plain.to_vec())
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::{ErrorKind, SeededEntropy};

    fn secret() -> Secret {
        Secret::new(b"mongodb://backup:hunter2@db1".to_vec()).unwrap()
    }

    #[test]
    fn other_keys_differ_by_context_and_by_key() {
        let (one, two) = (SealingKey::from_bytes(&[1; 32]), SealingKey::from_bytes(&[2; 32]));
        assert_eq!(one.other("a"), SealingKey::from_bytes(&[1; 32]).other("a"));
        assert!(one.other("a") != one.other("b") && one.other("a") != two.other("a"));
    }

    #[test]
    fn a_secret_opens_with_its_key_in_its_place_only() {
        let mut random = SeededEntropy::new(1);
        let (key, other) = (SealingKey::from_bytes(&[1; 32]), SealingKey::from_bytes(&[2; 32]));
        let sealed = key.seal("here", &secret(), &mut random);
        assert_eq!(key.open("here", &sealed).unwrap(), secret());
        assert_eq!(key.open("there", &sealed).unwrap_err().kind(), ErrorKind::Corrupt);
        let error = other.open("here", &sealed).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("enter the secret again"), "{error}");
        assert_ne!(key.seal("here", &secret(), &mut random), sealed, "never twice the same");
    }

    #[test]
    fn every_flip_and_every_cut_is_found() {
        let key = SealingKey::from_bytes(&[1; 32]);
        let sealed = key.seal("here", &secret(), &mut SeededEntropy::new(1));
        for bit in 0..sealed.0.len() * 8 {
            let mut bad = sealed.clone();
            bad.0[bit / 8] ^= 1 << (bit % 8);
            assert!(key.open("here", &bad).is_err(), "bit {bit}");
        }
        for len in 0..sealed.0.len() {
            assert!(key.open("here", &Sealed(sealed.0[..len].to_vec())).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn the_stored_form_round_trips_and_shows_nothing() {
        let key = SealingKey::from_bytes(&[7; 32]);
        let sealed = key.seal("here", &secret(), &mut SeededEntropy::new(1));
        let text = serde_json::to_string(&sealed).unwrap();
        assert!(!text.contains(&hex::encode("hunter2")) && !text.contains("hunter2"));
        assert_eq!(serde_json::from_str::<Sealed>(&text).unwrap(), sealed);
        for bad in ["\"\"", "\"00\"", "\"zz\"", &text.to_uppercase()] {
            assert!(serde_json::from_str::<Sealed>(bad).is_err(), "{bad}");
        }
        let shown = format!("{sealed:?} {:?} {key:?}", secret());
        assert!(shown.contains("Secret(hidden) SealingKey(hidden)") && shown.len() < 60, "{shown}");
    }

    #[test]
    fn what_was_sealed_once_opens_for_ever() {
        let text = "016bfe838ec15c0289ec2d0a9167ec8e65cb42903c0f92b8d09c5488c1cb1ae37ccb524d034e853d35b5d7c16cbbc08715aa1399908aa7ff26ca65cfaf";
        let sealed: Sealed = text.to_owned().try_into().unwrap();
        assert_eq!(SealingKey::from_bytes(&[7; 32]).open("here", &sealed).unwrap(), secret());
    }
}
