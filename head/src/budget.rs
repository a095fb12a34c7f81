//! One budget of memory for what many heads have applied and not flushed.
//!
//! Used by whoever applies oplogs in a process: each head has a share, says after every batch what it holds, and is
//! told whether to flush. From seven eighths of the budget on the head that holds most is asked, which it learns
//! when it says the next time, or looks ([`Share::is_asked`]) because it has nothing to apply. If that does not
//! come to pass, and the budget is used up, whoever speaks is told. So what all hold together is bounded by the
//! budget, an eighth of it, and one batch for each head. No thread, no clock: nothing happens but in the calls.
//!
//! What a flush cannot give back, the entries of open transactions, counts as used, but nobody is told to flush
//! because of them alone: that would make a run of every batch.

use crate::error::Result;
use crate::head::Head;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Less than this part of the budget is not worth a flush, whoever is short of memory.
const LEAST_PART: usize = 64;

/// Nor is less than this part of an even share in it: so all that is not worth a flush is bounded, too.
const LEAST_PART_OF_EVEN: usize = 8;

/// The budget.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Mutex<Used>>);

#[derive(Debug)]
struct Used {
    bytes: usize,
    next_share: u64,
    shares: BTreeMap<u64, Held>,
    asked: Option<u64>,
}

/// What a head holds, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// What a flush gives back.
    pub delta_bytes: usize,
    /// What it does not: entries of open transactions.
    pub open_bytes: usize,
}

/// One head's part in a budget; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    number: u64,
}

impl Budget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let used = Used { bytes, next_share: 0, shares: BTreeMap::new(), asked: None };
        Self(Arc::new(Mutex::new(used)))
    }

    /// A share for one more head, which holds nothing yet.
    #[must_use]
    pub fn share(&self) -> Share {
        let mut used = self.lock();
        let number = used.next_share;
        used.next_share += 1;
        used.shares.insert(number, Held::default());
        Share { budget: self.clone(), number }
    }

    /// What all heads hold together, as they said last, in bytes.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.lock().sum()
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    fn sum(&self) -> usize {
        self.shares
            .values()
            .fold(0, |sum, it| sum.saturating_add(it.delta_bytes).saturating_add(it.open_bytes))
    }

    /// Whether this one is to flush, and if not, who is asked to.
    fn judge(&mut self, number: u64) -> bool {
        let sum = self.sum();
        if sum <= self.bytes - self.bytes / 8 {
            self.asked = None;
            return false;
        }
        let least = self.bytes / LEAST_PART.max(LEAST_PART_OF_EVEN * self.shares.len());
        let is_worth = |held: &Held| held.delta_bytes > least;
        let asked = self.asked.filter(|asked| self.shares.get(asked).is_some_and(is_worth));
        // Of those that hold alike the one that came first.
        let worth = self.shares.iter().rev().filter(|(_, held)| is_worth(held));
        let largest = || worth.max_by_key(|(_, held)| held.delta_bytes).map(|(it, _)| *it);
        self.asked = asked.or_else(largest);
        let is_out = sum > self.bytes || self.asked == Some(number);
        is_out && self.shares.get(&number).is_some_and(is_worth)
    }
}

impl Share {
    /// Says what the head holds now. Whether it is to flush before it applies more, and then say again.
    #[must_use]
    pub fn holds(&self, held: Held) -> bool {
        let mut used = self.budget.lock();
        used.shares.insert(self.number, held);
        used.judge(self.number)
    }

    /// Whether the head is to flush although it has nothing to apply, because others need the memory.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.budget.lock().asked == Some(self.number)
    }

    /// Says what a head holds, and flushes it if it is to. Whether it was.
    ///
    /// # Errors
    /// As [`Head::flush`].
    pub fn keep(&self, head: &mut Head) -> Result<bool> {
        if !self.holds(head.state().held()) {
            return Ok(false);
        }
        head.flush()?;
        let _ = self.holds(head.state().held());
        Ok(true)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut used = self.budget.lock();
        used.shares.remove(&self.number);
        if used.asked == Some(self.number) {
            used.asked = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::SeededEntropy;

    const fn delta(delta_bytes: usize) -> Held {
        Held { delta_bytes, open_bytes: 0 }
    }

    #[test]
    fn one_head_is_told_when_the_budget_is_nearly_used() {
        let budget = Budget::new(800);
        let share = budget.share();
        assert!(!share.holds(delta(700)) && !share.is_asked());
        assert!(share.holds(delta(701)) && share.is_asked());
        assert!(!share.holds(delta(0)) && !share.is_asked());
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn the_largest_is_asked_first_and_when_nothing_is_left_whoever_speaks() {
        let budget = Budget::new(800);
        let [a, b, c] = [(); 3].map(|()| budget.share());
        assert!(!a.holds(delta(400)) && !b.holds(delta(200)) && !c.holds(delta(99)));
        assert!(!c.holds(delta(150)), "there is a larger one");
        assert!(a.is_asked() && !b.is_asked() && !c.is_asked());
        assert!(!c.holds(delta(200)), "it may still flush");
        assert!(c.holds(delta(201)), "nothing is left");
        assert!(a.holds(delta(400)));
        assert!(!a.holds(delta(0)) && !a.is_asked());
        assert!(!b.holds(delta(300)));
    }

    #[test]
    fn what_a_flush_does_not_give_back_makes_nobody_flush_every_batch() {
        let budget = Budget::new(6400);
        let share = budget.share();
        let held = |delta_bytes| Held { delta_bytes, open_bytes: 7000 };
        assert!(!share.holds(held(100)));
        assert!(share.holds(held(101)));
    }

    #[test]
    fn who_has_nothing_worth_a_flush_is_not_asked_for_one() {
        let budget = Budget::new(6400);
        let (open, idle) = (budget.share(), budget.share());
        assert!(!open.holds(Held { delta_bytes: 0, open_bytes: 7000 }));
        assert!(!idle.holds(delta(0)));
        // Whoever looks because it has nothing to apply would flush nothing, again and again.
        assert!(!open.is_asked() && !idle.is_asked());
        assert!(idle.holds(delta(101)) && idle.is_asked());
    }

    #[test]
    fn many_heads_that_hold_little_each_hold_no_more_than_the_budget_and_an_eighth() {
        const BUDGET: usize = 640_000;
        let budget = Budget::new(BUDGET);
        let mut heads: Vec<(Share, usize)> = (0..500).map(|_| (budget.share(), 0)).collect();
        for _ in 0..100 {
            for (share, held) in &mut heads {
                *held += 100;
                if share.holds(delta(*held)) {
                    *held = 0;
                    assert!(!share.holds(delta(0)));
                }
            }
            assert!(budget.used_bytes() <= BUDGET + BUDGET / 8 + 500 * 100, "{}", budget.used_bytes());
        }
    }

    #[test]
    fn who_leaves_gives_everything_back() {
        let budget = Budget::new(800);
        let (a, b) = (budget.share(), budget.share());
        assert!(a.holds(delta(790)));
        assert!(!b.holds(delta(5)));
        drop(a);
        assert_eq!(budget.used_bytes(), 5);
        assert!(!b.holds(delta(600)) && !b.is_asked());
    }

    #[test]
    fn however_heads_come_and_go_all_hold_no_more_than_the_budget_and_a_batch_each() {
        const BUDGET: usize = 10_000;
        const BATCH: u64 = 300;
        let mut entropy = SeededEntropy::new(1);
        let budget = Budget::new(BUDGET);
        let mut heads: Vec<(Share, usize)> = (0..5).map(|_| (budget.share(), 0)).collect();
        let mut flushes = 0;
        for _ in 0..20_000 {
            let which = usize::try_from(entropy.below(5)).unwrap();
            if entropy.below(500) == 0 {
                heads[which] = (budget.share(), 0);
                continue;
            }
            // The last ones apply little, and rarely look.
            if which > 2 && entropy.below(20) != 0 {
                continue;
            }
            let (share, held) = &mut heads[which];
            *held += usize::try_from(entropy.below(BATCH)).unwrap();
            if share.holds(delta(*held)) {
                flushes += 1;
                *held = 0;
                assert!(!share.holds(delta(0)));
            }
            let sum: usize = heads.iter().map(|(_, held)| held).sum();
            assert_eq!(budget.used_bytes(), sum);
            assert!(sum <= BUDGET + 5 * 300, "{sum}");
        }
        assert!(flushes > 50, "{flushes}");
    }
}
