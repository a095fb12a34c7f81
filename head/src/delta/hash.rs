//! Where a document's patch lies: in which shard, and where in it.

use super::SHARDS;
use tidemark_base::CollectionUuid;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The hash of a collection and a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash(u64);

impl Hash {
    #[inline]
    pub(crate) fn of(uuid: CollectionUuid, key: &[u8]) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = *uuid.as_bytes();
        Self(xxh3_64_with_seed(key, u64::from_le_bytes([a, b, c, d, e, f, g, h])))
    }

    /// The number of the shard.
    #[expect(clippy::cast_possible_truncation, reason = "there are fewer shards than a byte tells")]
    #[inline]
    pub(crate) const fn shard(self) -> usize {
        // Taken from other bits than those that tell records of a shard apart.
        (self.0 as u8) as usize & (SHARDS - 1)
    }

    /// What tells records of a shard apart, nearly always.
    #[inline]
    pub(crate) const fn in_shard(self) -> u32 {
        (self.0 >> 32) as u32
    }
}
