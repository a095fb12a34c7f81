//! Choices that a seed decides.

use tidemark_base::{Entropy, SeededEntropy};

/// A source of choices; the same seed gives the same ones.
pub(crate) struct Dice(SeededEntropy);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    /// A number from 0 to `end`, exclusive.
    pub(crate) fn below(&mut self, end: u32) -> i32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        i32::try_from(u32::from_le_bytes(bytes) % end).unwrap()
    }

    pub(crate) fn one_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(u32::try_from(choices.len()).unwrap())).unwrap()]
    }
}
