//! The checksum of a collection's documents, in pieces: CRC-64/XZ.

use super::archive::checksum;
use crc_fast::Digest;

/// The checksum of bytes, to which more can be added.
#[derive(Clone, Debug)]
pub struct Sum(Digest);

impl Default for Sum {
    fn default() -> Self {
        Self(checksum())
    }
}

impl Sum {
    /// The checksum of these bytes, one behind the other.
    pub fn of<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> Self {
        let mut sum = Self::default();
        pieces.into_iter().for_each(|piece| sum.add(piece));
        sum
    }

    /// Adds what follows.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Adds what follows, of which the checksum is known. As dear as adding some MiB (measured: a third of a
    /// millisecond), so for long stretches only.
    pub fn append(&mut self, behind: &Self) {
        self.0.combine(&behind.0);
    }

    /// The checksum.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_of_pieces_make_the_sum_of_all(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..8),
            split in any::<prop::sample::Index>(),
        ) {
            let mut whole = checksum();
            whole.update(&pieces.concat());
            let (before, behind) = pieces.split_at(split.index(pieces.len() + 1));
            let mut sum = Sum::of(before.iter().map(Vec::as_slice));
            sum.append(&Sum::of(behind.iter().map(Vec::as_slice)));
            prop_assert_eq!(sum.value(), whole.finalize());
            // And on from there, either way.
            sum.append(&Sum::of([b"more".as_slice()]));
            sum.add(b" of it");
            whole.update(b"more of it");
            prop_assert_eq!(sum.value(), whole.finalize());
        }
    }
}
