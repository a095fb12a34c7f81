//! Leases: who works on something, until when. A hint only: what decides is an epoch that is compared where it counts.
//!
//! Clocks may jump, so a lease that seems to end later than any lease can is taken for ended: the clock was set back.

use crate::words::{Subject, form};
use serde::{Deserialize, Serialize};
use tidemark_base::UnixMillis;

/// Who has it, until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lease {
    /// Who.
    pub holder: Subject,
    /// Which start of the holder: a holder that starts again takes its own leases over at once.
    #[serde(with = "form::digits")]
    pub incarnation: [u8; 8],
    /// Until when, if it is not renewed.
    #[serde(with = "form::millis")]
    pub until: UnixMillis,
}

/// One who may hold leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub name: Subject,
    /// Which start.
    pub incarnation: [u8; 8],
}

impl Holder {
    /// A lease of so many milliseconds from now.
    #[must_use]
    pub fn lease(&self, now: UnixMillis, ms: u64) -> Lease {
        let until = UnixMillis(now.0.saturating_add(ms));
        Lease { holder: self.name.clone(), incarnation: self.incarnation, until }
    }
}

impl Lease {
    /// Whether it is this holder's, in this incarnation.
    #[must_use]
    pub fn is_of(&self, holder: &Holder) -> bool {
        self.holder == holder.name && self.incarnation == holder.incarnation
    }

    /// Whether `holder` may take it: it is over, it was the holder's in a former life, or it ends later than a lease
    /// of `ms` milliseconds can.
    #[must_use]
    pub fn is_free_for(&self, holder: &Holder, now: UnixMillis, ms: u64) -> bool {
        self.is_over(now, ms) || (self.holder == holder.name && self.incarnation != holder.incarnation)
    }

    /// Whether anybody may take it: it is over, or it ends later than a lease of `ms` milliseconds can.
    #[must_use]
    pub fn is_over(&self, now: UnixMillis, ms: u64) -> bool {
        now >= self.until || self.until.0 > now.0.saturating_add(ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(name: &str, incarnation: u8) -> Holder {
        Holder { name: Subject::new(name).unwrap(), incarnation: [incarnation; 8] }
    }

    #[test]
    fn a_lease_is_free_when_it_is_over() {
        let (a, b) = (holder("a", 1), holder("b", 1));
        let lease = a.lease(UnixMillis(1000), 500);
        for (now, free) in [(1000, false), (1499, false), (1500, true), (9999, true)] {
            assert_eq!(lease.is_free_for(&b, UnixMillis(now), 500), free, "{now}");
        }
        assert!(lease.is_of(&a) && !lease.is_of(&b));
    }

    #[test]
    fn a_holder_that_starts_again_need_not_wait() {
        let lease = holder("a", 1).lease(UnixMillis(1000), 500);
        assert!(lease.is_free_for(&holder("a", 2), UnixMillis(1001), 500));
        assert!(!lease.is_free_for(&holder("a", 1), UnixMillis(1001), 500), "it is its own already");
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nothing_locked() {
        let hour = 3_600_000;
        let lease = holder("a", 1).lease(UnixMillis(2 * hour), 500);
        assert!(lease.is_free_for(&holder("b", 1), UnixMillis(hour), 500));
    }
}
