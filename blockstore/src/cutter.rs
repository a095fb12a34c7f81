//! Cuts a large value into blocks by content, so that an edit changes only the blocks around it.
//!
//! FastCDC (Xia et al., IEEE TPDS 2020, normalisation level 2) with the sizes of the superblock and its salt. The crate is pinned
//! to the exact version and the cut points are frozen by golden tests: a store whose cuts moved would lose
//! its deduplication against everything written before.

use crate::superblock::CutSizes;
use fastcdc::v2020::{FastCDC, Normalization};

/// Cuts values by content. Cheap to make; pure.
#[derive(Clone, Copy, Debug)]
pub struct Cutter {
    sizes: CutSizes,
    salt: u64,
}

impl Cutter {
    pub(crate) const fn new(sizes: CutSizes, salt: u64) -> Self {
        Self { sizes, salt }
    }

    /// The pieces of a value, in order; together they are the value. An empty value has no pieces.
    pub fn cut<'a>(&self, value: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let CutSizes { min_bytes, target_bytes, max_bytes } = self.sizes;
        let chunks = FastCDC::with_level_and_seed(
            value,
            min_bytes as usize,
            target_bytes as usize,
            max_bytes as usize,
            Normalization::Level2,
            self.salt,
        );
        // Cut points of the crate lie inside the value; an empty slice would show up in every test.
        chunks.map(|chunk| value.get(chunk.offset..chunk.offset + chunk.length).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidemark_base::{Entropy, SeededEntropy};

    fn noise(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        SeededEntropy::new(2024).fill(&mut bytes);
        bytes
    }

    fn lengths(salt: u64, value: &[u8]) -> Vec<usize> {
        Cutter::new(CutSizes::DEFAULT, salt).cut(value).map(<[u8]>::len).collect()
    }

    #[test]
    fn cut_points_are_frozen() {
        // If this fails, stores written before no longer deduplicate against what is written now.
        assert_eq!(lengths(0, &noise(1 << 20)), GOLDEN_SALT_0);
        assert_eq!(lengths(0x7469_6465, &noise(1 << 20)), GOLDEN_SALTED);
        assert_eq!(lengths(0, &vec![0; 600_000]), [262_144, 262_144, 75_712]);
    }

    const GOLDEN_SALT_0: &[usize] = &[
        77996, 73381, 113615, 35054, 80886, 93760, 70747, 93409, 87416, 67651, 64215, 36523, 91783, 22872,
        39268,
    ];
    const GOLDEN_SALTED: &[usize] = &[
        83751, 50788, 65669, 75576, 69309, 87741, 43272, 70378, 88671, 77713, 65709, 75172, 33787, 80500,
        80540,
    ];

    #[test]
    fn an_insertion_moves_only_the_cuts_around_it() {
        let before = noise(8 << 20);
        let mut after = before.clone();
        after.splice(3_000_000..3_000_000, *b"inserted");
        let cutter = Cutter::new(CutSizes::DEFAULT, 1);
        let old: std::collections::HashSet<&[u8]> = cutter.cut(&before).collect();
        let fresh = cutter.cut(&after).filter(|piece| !old.contains(piece)).count();
        assert!((1..=3).contains(&fresh), "{fresh} new pieces");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn pieces_make_up_the_value_within_the_sizes(seed: u64, salt: u64, len in 0usize..2_000_000) {
            let mut value = vec![0; len];
            SeededEntropy::new(seed).fill(&mut value);
            let pieces: Vec<&[u8]> = Cutter::new(CutSizes::DEFAULT, salt).cut(&value).collect();
            prop_assert_eq!(&pieces.concat(), &value);
            let sizes = CutSizes::DEFAULT;
            for (i, piece) in pieces.iter().enumerate() {
                prop_assert!(piece.len() <= sizes.max_bytes as usize);
                prop_assert!(i + 1 == pieces.len() || piece.len() >= sizes.min_bytes as usize);
            }
        }
    }
}
