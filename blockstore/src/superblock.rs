//! What a store is: its identity, format version, hash scheme, cutting parameters and salts.
//!
//! Written once when a store is made and read whenever it is opened; nothing in it ever changes. A store is
//! one domain of deduplication and trust. Layout in `docs/format.md`.

#![warn(clippy::indexing_slicing)]

use crate::checksum::{checksum, strip};
use crate::cutter::Cutter;
use crate::error::{Error, Result};
use std::path::Path;
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};
use tidemark_base::{Entropy, StoreId};

/// First bytes of a superblock.
const MAGIC: [u8; 8] = *b"TIDESTOR";
/// The format written here, and the newest that can be read.
pub(crate) const VERSION: u32 = 1;
/// Names are BLAKE3-256 of (kind byte ‖ plain bytes).
const HASH_SCHEME_BLAKE3: u32 = 1;
/// Length in bytes.
pub(crate) const LEN: usize = 72;

/// Sizes of pieces when something is cut by content, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutSizes {
    /// No piece but the last is shorter.
    pub min_bytes: u32,
    /// The size aimed at.
    pub target_bytes: u32,
    /// No piece is longer.
    pub max_bytes: u32,
}

impl CutSizes {
    /// 16, 64 and 256 KiB (design part 5).
    pub const DEFAULT: Self = Self { min_bytes: 16 << 10, target_bytes: 64 << 10, max_bytes: 256 << 10 };

    /// What FastCDC accepts, narrowed to what a block may be.
    const fn is_valid(self) -> bool {
        self.min_bytes >= 64
            && self.min_bytes <= 1 << 20
            && self.min_bytes <= self.target_bytes
            && self.target_bytes <= self.max_bytes
            && self.target_bytes >= 256
            && self.target_bytes <= 4 << 20
            && self.max_bytes >= 1024
            && self.max_bytes <= 16 << 20
            && self.min_bytes.is_multiple_of(2)
            && self.target_bytes.is_multiple_of(2)
            && self.max_bytes.is_multiple_of(2)
    }
}

/// The identity and the frozen parameters of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Which store this is.
    pub store: StoreId,
    /// Sizes for cutting large values and runs.
    pub cut_sizes: CutSizes,
    /// Salt of the cutter of large values.
    pub value_salt: u64,
    /// Salt for cutting runs by key; each level mixes in its number.
    pub key_salt: u64,
}

impl Superblock {
    /// A new store's superblock, with salts of its own.
    pub fn new(entropy: &mut dyn Entropy) -> Self {
        let store = StoreId::random(entropy);
        let mut salt = || {
            let mut bytes = [0; 8];
            entropy.fill(&mut bytes);
            u64::from_le_bytes(bytes)
        };
        Self { store, cut_sizes: CutSizes::DEFAULT, value_salt: salt(), key_salt: salt() }
    }

    /// The cutter for large values of this store.
    #[must_use]
    pub const fn cutter(&self) -> Cutter {
        Cutter::new(self.cut_sizes, self.value_salt)
    }

    /// The bytes on disk.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend_from_slice(&MAGIC);
        bytes.put_u32(VERSION);
        bytes.put_u32(HASH_SCHEME_BLAKE3);
        bytes.extend_from_slice(self.store.as_bytes());
        bytes.put_u32(self.cut_sizes.min_bytes);
        bytes.put_u32(self.cut_sizes.target_bytes);
        bytes.put_u32(self.cut_sizes.max_bytes);
        bytes.put_u32(0);
        bytes.put_u64(self.value_salt);
        bytes.put_u64(self.key_salt);
        let sum = checksum(&bytes);
        bytes.put_u64(sum);
        bytes
    }

    /// Reads a superblock; `path` is for the messages.
    ///
    /// # Errors
    /// [`Error::NotAStore`] for anything that is not one, [`Error::NewerFormat`], [`Error::BadRow`] for a
    /// damaged one.
    pub fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        let not_a_store = |why: &str| Error::NotAStore { path: path.into(), why: why.into() };
        let damaged = |problem: String| Error::BadRow { place: path.display().to_string(), problem };
        let mut reader = Reader::new(bytes);
        if reader.array("magic").ok() != Some(MAGIC) {
            return Err(not_a_store("its superblock does not start with TIDESTOR"));
        }
        let version = reader.u32("format version").map_err(|e| damaged(e.to_string()))?;
        if bytes.len() != LEN || strip(bytes).is_none() {
            // A newer format may have another length; its version field keeps its place.
            return Err(if version > VERSION && version < 1000 {
                Error::NewerFormat { path: path.into(), found: version, supported: VERSION }
            } else {
                damaged("length or checksum is wrong".into())
            });
        }
        if version != VERSION {
            return Err(Error::NewerFormat { path: path.into(), found: version, supported: VERSION });
        }
        let fields = (|| {
            let scheme = reader.u32("hash scheme")?;
            let store = StoreId::from_bytes(reader.array("store id")?);
            let cut_sizes = CutSizes {
                min_bytes: reader.u32("cut min")?,
                target_bytes: reader.u32("cut target")?,
                max_bytes: reader.u32("cut max")?,
            };
            reserved(&mut reader)?;
            let (value_salt, key_salt) = (reader.u64("value salt")?, reader.u64("key salt")?);
            Ok::<_, tidemark_base::codec::CodecError>((
                scheme,
                Self { store, cut_sizes, value_salt, key_salt },
            ))
        })();
        match fields {
            Ok((HASH_SCHEME_BLAKE3, superblock)) if superblock.cut_sizes.is_valid() => Ok(superblock),
            Ok((HASH_SCHEME_BLAKE3, _)) => Err(damaged("its cutting sizes are impossible".into())),
            Ok((scheme, _)) => Err(damaged(format!("hash scheme {scheme} is not known"))),
            Err(e) => Err(damaged(e.to_string())),
        }
    }
}

/// Four bytes that are 0 in this version.
pub(crate) fn reserved(reader: &mut Reader<'_>) -> Result<(), CodecError> {
    match reader.clone().u32("reserved bytes")? {
        0 => reader.u32("reserved bytes").map(drop),
        other => Err(reader.error("reserved bytes", CodecProblem::Unknown { value: u64::from(other) })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::SeededEntropy;

    fn decode(bytes: &[u8]) -> Result<Superblock> {
        Superblock::decode(bytes, Path::new("superblock"))
    }

    #[test]
    fn it_round_trips() {
        let superblock = Superblock::new(&mut SeededEntropy::new(1));
        let bytes = superblock.encode();
        assert_eq!(bytes.len(), LEN);
        assert_eq!(decode(&bytes).unwrap(), superblock);
    }

    #[test]
    fn every_flip_and_every_cut_is_found() {
        let good = Superblock::new(&mut SeededEntropy::new(1)).encode();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bad).is_err(), "bit {bit}");
        }
        for len in 0..good.len() {
            assert!(decode(&good[..len]).is_err(), "cut to {len}");
        }
    }

    #[test]
    fn a_newer_format_says_so() {
        let mut bytes = Superblock::new(&mut SeededEntropy::new(1)).encode();
        bytes[8] = 2;
        bytes.extend_from_slice(b"more fields");
        assert!(matches!(decode(&bytes), Err(Error::NewerFormat { found: 2, supported: 1, .. })));
    }

    #[test]
    fn another_file_is_not_a_store() {
        assert!(matches!(decode(b"hello"), Err(Error::NotAStore { .. })));
        assert!(matches!(decode(b""), Err(Error::NotAStore { .. })));
    }

    /// The cutter panics on sizes outside of its own limits.
    #[test]
    fn sizes_are_accepted_up_to_the_cutters_limits_and_no_further() {
        let sizes = |min_bytes, target_bytes, max_bytes| CutSizes { min_bytes, target_bytes, max_bytes };
        for good in [sizes(64, 256, 1024), sizes(1 << 20, 4 << 20, 16 << 20), CutSizes::DEFAULT] {
            let superblock = Superblock { cut_sizes: good, ..Superblock::new(&mut SeededEntropy::new(1)) };
            let decoded = decode(&superblock.encode()).unwrap();
            assert_eq!(decoded.cutter().cut(&[7; 2000]).map(<[u8]>::len).sum::<usize>(), 2000);
        }
        for bad in [
            sizes(62, 256, 1024),
            sizes(64, 254, 1024),
            sizes(64, 256, 1022),
            sizes((1 << 20) + 2, 4 << 20, 16 << 20),
            sizes(1 << 20, (4 << 20) + 2, 16 << 20),
            sizes(1 << 20, 4 << 20, (16 << 20) + 2),
        ] {
            let superblock = Superblock { cut_sizes: bad, ..Superblock::new(&mut SeededEntropy::new(1)) };
            assert!(decode(&superblock.encode()).is_err(), "{bad:?}");
        }
    }
}
