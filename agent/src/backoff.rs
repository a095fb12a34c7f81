//! How long to wait before something is tried again: longer each time, and never all agents at once.

use std::time::Duration;
use tidemark_base::{Entropy, OsEntropy};

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);

/// The pauses between attempts at one thing.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// It has worked: the next failure is a first one.
    pub(crate) const fn reset(&mut self) {
        self.attempts = 0;
    }

    /// The next pause: between the half and the whole of twice the last.
    pub(crate) fn next(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.attempts.min(16)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let mut random = [0; 2];
        OsEntropy.fill(&mut random);
        whole.mul_f64(0.5 + f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX) / 2.0)
    }

    /// Waits for the next pause.
    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.next()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_begin_anew() {
        let mut backoff = Backoff::default();
        for attempt in 0..40 {
            let whole = FIRST.saturating_mul(1 << attempt.min(16)).min(LONGEST);
            let pause = backoff.next();
            assert!(pause >= whole / 2 && pause <= whole, "{attempt}: {pause:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
