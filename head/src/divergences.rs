//! Divergences together: how many there are, since when, and the first of them.
//!
//! A head that has lost its source's thread may meet one with every entry, so only some are kept for people;
//! all are counted. The count goes into roots, so that nobody takes a state for sound whose divergences were
//! told to somebody else long ago.

use crate::divergence::Divergence;
use std::ops::Deref;
use tidemark_base::OpTime;

/// So many are kept.
const MOST_KEPT: usize = 1000;

/// How far a state is not that of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diverged {
    /// Operations that did not fit.
    pub operations: u64,
    /// No earlier entry than this one did not fit. [`OpTime::NULL`] if nothing is known of that, or there is none.
    pub first: OpTime,
}

impl Diverged {
    /// Everything fits.
    pub const NONE: Self = Self { operations: 0, first: OpTime::NULL };

    /// Whether everything fits.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.operations == 0
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let first = match (self.is_none(), other.is_none()) {
            (true, _) => other.first,
            (_, true) => self.first,
            _ if other.first.ts < self.first.ts => other.first,
            _ => self.first,
        };
        Self { operations: self.operations.saturating_add(other.operations), first }
    }
}

impl Default for Diverged {
    fn default() -> Self {
        Self::NONE
    }
}

/// What was found not to fit: as a slice, those that are kept.
#[derive(Clone, Debug, Default)]
pub struct Divergences {
    kept: Vec<Divergence>,
    diverged: Diverged,
}

impl Divergences {
    /// How many operations did not fit, also of those that are not kept, and since when.
    #[must_use]
    pub const fn diverged(&self) -> Diverged {
        self.diverged
    }

    /// Whether everything fits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.diverged.is_none()
    }

    pub(crate) fn push(&mut self, found: Divergence) {
        self.count(Diverged { operations: found.operations(), first: found.earliest() });
        if self.kept.len() < MOST_KEPT {
            self.kept.push(found);
        }
    }

    /// Counts what nobody has kept.
    pub(crate) fn count(&mut self, more: Diverged) {
        self.diverged = self.diverged.and(more);
    }

    pub(crate) fn append(&mut self, found: Self) {
        self.count(found.diverged);
        let room = MOST_KEPT - self.kept.len();
        self.kept.extend(found.kept.into_iter().take(room));
    }
}

impl Deref for Divergences {
    type Target = [Divergence];

    fn deref(&self) -> &[Divergence] {
        &self.kept
    }
}

impl Extend<Divergence> for Divergences {
    fn extend<I: IntoIterator<Item = Divergence>>(&mut self, found: I) {
        found.into_iter().for_each(|found| self.push(found));
    }
}

impl IntoIterator for Divergences {
    type Item = Divergence;
    type IntoIter = std::vec::IntoIter<Divergence>;

    fn into_iter(self) -> Self::IntoIter {
        self.kept.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::What;
    use tidemark_base::Timestamp;

    fn divergence(secs: u32) -> Divergence {
        let at = Some(OpTime { ts: Timestamp { secs, ordinal: 1 }, term: 1 });
        let (namespace, what) = ("app.a".to_owned(), What::NoCollection);
        Divergence { at, within: None, namespace, uuid: None, id: None, key: None, what }
    }

    #[test]
    fn the_first_thousand_are_kept_and_all_are_counted() {
        let mut found = Divergences::default();
        assert!(found.is_empty());
        found.extend((10..2010).map(divergence));
        let mut more = Divergences::default();
        more.extend([divergence(5), divergence(6)]);
        found.append(more);
        assert_eq!((found.len(), found.diverged().operations), (1000, 2002));
        assert_eq!(found.diverged().first.ts.secs, 5);
        assert_eq!(found[0], divergence(10));
    }
}
