//! Choices that a seed decides. Used by the workload and by the tests around it.

use tidemark_base::{Entropy, SeededEntropy};

/// A source of choices; the same seed gives the same ones.
#[derive(Debug)]
pub struct Dice(SeededEntropy);

impl Dice {
    /// The choices of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    /// A number from 0 to `end`, exclusive.
    ///
    /// # Panics
    /// If `end` is 0 or more than an `i32` holds.
    pub fn below(&mut self, end: u32) -> i32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        i32::try_from(u32::from_le_bytes(bytes) % end).unwrap()
    }

    /// Whether something that happens once in so many times happens.
    pub fn one_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(u32::try_from(choices.len()).unwrap())).unwrap()]
    }
}
