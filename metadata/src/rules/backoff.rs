//! How long a failed job waits before it is tried again.

use std::time::Duration;
use tidemark_base::Entropy;

/// The wait after a first failure.
const FIRST: Duration = Duration::from_secs(10);
/// The longest wait.
const MOST: Duration = Duration::from_secs(3600);

/// The wait after so many failures in a row: doubled each time, up to an hour, and up to a quarter shorter by
/// chance, so that what failed together is not tried together.
#[must_use]
pub fn wait(failures: u32, entropy: &mut dyn Entropy) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let full = FIRST.saturating_mul(1 << doublings).min(MOST);
    let mut byte = [0];
    entropy.fill(&mut byte);
    full - full / 4 * u32::from(byte[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::SeededEntropy;

    #[test]
    fn waits_double_up_to_an_hour_and_differ() {
        let mut random = SeededEntropy::new(1);
        for (failures, most) in [(0, 10), (1, 10), (2, 20), (5, 160), (9, 2560), (10, 3600), (u32::MAX, 3600)]
        {
            let full = Duration::from_secs(most);
            let waits: Vec<_> = (0..100).map(|_| wait(failures, &mut random)).collect();
            assert!(waits.iter().all(|it| (full * 3 / 4..=full).contains(it)), "{failures}");
            assert!(waits.iter().any(|it| *it != waits[0]));
        }
    }
}
