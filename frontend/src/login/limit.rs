//! How often something may be tried, for each of many keys: so many times in a stretch of time, then not until it is over.
//!
//! In memory and for this process only, and bounded: when it is full, the oldest entries make room.

use std::collections::HashMap;
use std::time::Duration;

/// Most keys that are remembered.
const MAX_KEYS: usize = 20_000;

/// Counts tries.
#[derive(Debug)]
pub(crate) struct Limit {
    most: u32,
    stretch: Duration,
    tries: HashMap<[u8; 32], Tries>,
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    since: Duration,
    count: u32,
}

impl Limit {
    /// So many tries in a stretch of time.
    pub(crate) fn new(most: u32, stretch: Duration) -> Self {
        Self { most, stretch, tries: HashMap::new() }
    }

    /// Counts a try at a moment of the monotonic clock.
    ///
    /// # Errors
    /// If there were too many: how long to wait.
    pub(crate) fn count(&mut self, key: &str, now: Duration) -> Result<(), Duration> {
        let key = *blake3::hash(key.as_bytes()).as_bytes();
        if !self.tries.contains_key(&key) {
            self.make_room(now);
        }
        let tries = self.tries.entry(key).or_insert(Tries { since: now, count: 0 });
        if now.saturating_sub(tries.since) >= self.stretch {
            *tries = Tries { since: now, count: 0 };
        }
        if tries.count >= self.most {
            return Err(self.stretch.saturating_sub(now.saturating_sub(tries.since)));
        }
        tries.count += 1;
        Ok(())
    }

    /// Forgets the tries of one that has shown to be right.
    pub(crate) fn forget(&mut self, key: &str) {
        self.tries.remove(blake3::hash(key.as_bytes()).as_bytes());
    }

    /// Takes back a try that was none.
    pub(crate) fn give_back(&mut self, key: &str) {
        if let Some(tries) = self.tries.get_mut(blake3::hash(key.as_bytes()).as_bytes()) {
            tries.count = tries.count.saturating_sub(1);
        }
    }

    fn make_room(&mut self, now: Duration) {
        if self.tries.len() < MAX_KEYS {
            return;
        }
        let stretch = self.stretch;
        self.tries.retain(|_, it| now.saturating_sub(it.since) < stretch);
        if self.tries.len() >= MAX_KEYS {
            // Half of them at once, so that a flood of new keys does not look through all of them each time.
            let mut ages: Vec<Duration> = self.tries.values().map(|it| it.since).collect();
            ages.sort_unstable();
            let median = ages.get(ages.len() / 2).copied().unwrap_or(now);
            self.tries.retain(|_, it| it.since > median);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn each_key_has_its_own_tries_and_waits_until_the_stretch_is_over() {
        let mut limit = Limit::new(3, MINUTE);
        for _ in 0..3 {
            limit.count("ann", Duration::ZERO).unwrap();
        }
        assert_eq!(limit.count("ann", Duration::from_secs(20)), Err(Duration::from_secs(40)));
        limit.count("bob", Duration::ZERO).unwrap();
        limit.count("ann", MINUTE).unwrap();
        limit.forget("ann");
        for _ in 0..3 {
            limit.count("ann", MINUTE).unwrap();
        }
        limit.give_back("ann");
        limit.count("ann", MINUTE).unwrap();
        assert!(limit.count("ann", MINUTE).is_err());
    }

    #[test]
    fn a_flood_of_keys_costs_bounded_memory() {
        let mut limit = Limit::new(1, MINUTE);
        for key in 0..3 * MAX_KEYS as u64 {
            limit.count(&key.to_string(), Duration::from_micros(key)).unwrap();
        }
        assert!(limit.tries.len() <= MAX_KEYS);
    }
}
