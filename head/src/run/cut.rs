//! Where leaves and nodes end: decided by the hash of a key and the sizes, never by what came before.
//!
//! FastCDC's normalised sizes (Xia et al., IEEE TPDS 2020) over items instead of bytes: an item ends a block
//! with a probability in proportion to its length, a low one until the block has its target size, a high one
//! from there on. So one insertion or deletion moves the cuts around it only, and a change of a value, which
//! changes no hash, hardly ever moves any. Cut after an item: whether a block ended by itself can be told from
//! its last item and length alone. Changing anything here costs existing stores their deduplication; the cuts
//! are frozen by a test.

use tidemark_blockstore::{CutSizes, Superblock};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Sizes of index nodes: "about 4 KiB".
const NODE_SIZES: CutSizes = CutSizes { min_bytes: 1 << 10, target_bytes: 4 << 10, max_bytes: 16 << 10 };

/// How far apart the low and the high probability are: a factor of 4 each way, as FastCDC's level 2 has it.
const NORMALISATION: u64 = 4;

/// Decides where blocks of one level end.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyCutter {
    sizes: CutSizes,
    salt: u64,
}

impl KeyCutter {
    /// For the leaves of a store's runs.
    pub(super) const fn leaves(superblock: &Superblock) -> Self {
        Self { sizes: superblock.cut_sizes, salt: superblock.key_salt }
    }

    /// For the nodes of a level, from 1. Each level has a salt of its own, so that the ends of many blocks
    /// below are not the end of one above as well.
    pub(super) const fn nodes(superblock: &Superblock, level: u8) -> Self {
        // An odd number of high entropy: 2^64 divided by the golden ratio.
        let mixed = (level as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { sizes: NODE_SIZES, salt: superblock.key_salt ^ mixed }
    }

    /// No block is longer, but for one whose only item is.
    pub(super) const fn max_bytes(&self) -> usize {
        self.sizes.max_bytes as usize
    }

    /// Whether a block ends by itself after the item with this key: the item is `item_bytes` long, the block
    /// with it `block_bytes`.
    pub(super) fn ends(&self, key: &[u8], item_bytes: usize, block_bytes: usize) -> bool {
        block_bytes >= self.sizes.min_bytes as usize && self.ends_by(self.hash(key), item_bytes, block_bytes)
    }

    /// What of a key decides: for whoever computes it ahead.
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        xxh3_64_with_seed(key, self.salt)
    }

    /// As [`Self::ends`], of the hash of the key.
    pub(super) fn ends_by(&self, hash: u64, item_bytes: usize, block_bytes: usize) -> bool {
        if block_bytes < self.sizes.min_bytes as usize {
            return false;
        }
        let target = u64::from(self.sizes.target_bytes);
        let spacing = if block_bytes < self.sizes.target_bytes as usize {
            target * NORMALISATION
        } else {
            target / NORMALISATION
        };
        let per_byte = u64::MAX / spacing;
        hash < per_byte.saturating_mul(item_bytes as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::SeededEntropy;

    fn superblock(key_salt: u64) -> Superblock {
        Superblock { key_salt, ..Superblock::new(&mut SeededEntropy::new(1)) }
    }

    /// Lengths of the blocks that many items of one length make.
    fn lengths(cutter: KeyCutter, item_bytes: usize, items: u32) -> Vec<usize> {
        let (mut lengths, mut block) = (Vec::new(), 0);
        for n in 0..items {
            if block + item_bytes > cutter.max_bytes() {
                lengths.push(std::mem::take(&mut block));
            }
            block += item_bytes;
            if cutter.ends(&n.to_be_bytes(), item_bytes, block) {
                lengths.push(std::mem::take(&mut block));
            }
        }
        lengths
    }

    #[test]
    fn cuts_are_frozen() {
        // If this fails, runs written before no longer share their leaves with what is written now.
        let found = lengths(KeyCutter::leaves(&superblock(7)), 580, 1500);
        assert_eq!(found, GOLDEN_LEAVES);
        let found = lengths(KeyCutter::nodes(&superblock(7), 1), 50, 800);
        assert_eq!(found, GOLDEN_NODES);
    }

    const GOLDEN_LEAVES: &[usize] =
        &[104_980, 66_120, 30_160, 84_100, 79_460, 80_040, 73_660, 75_400, 71_920, 76_560, 66_700];
    const GOLDEN_NODES: &[usize] = &[7000, 3950, 2050, 5800, 4550, 4550, 5850, 4750];

    #[test]
    fn blocks_have_about_the_target_size_whatever_the_size_of_items() {
        for item_bytes in [30, 580, 4000, 15_000] {
            let items = u32::try_from((64 << 20) / item_bytes).unwrap();
            let found = lengths(KeyCutter::leaves(&superblock(3)), item_bytes, items);
            let mean = found.iter().sum::<usize>() / found.len();
            assert!((56 << 10..88 << 10).contains(&mean), "items of {item_bytes}: blocks of {mean}");
            assert!(found.iter().all(|len| (16 << 10..=256 << 10).contains(len)));
        }
    }

    #[test]
    fn levels_cut_apart() {
        let cutters = [0, 1, 2].map(|level| match level {
            0 => KeyCutter { sizes: NODE_SIZES, ..KeyCutter::leaves(&superblock(9)) },
            level => KeyCutter::nodes(&superblock(9), level),
        });
        let [a, b, c] = cutters.map(|cutter| lengths(cutter, 50, 5000));
        assert!(a != b && b != c && a != c);
    }
}
