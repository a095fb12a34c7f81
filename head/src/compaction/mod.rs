//! Compaction: which stretches of which collections are folded into their bases.
//!
//! Deciding (`plan`) is pure: statistics of a stack in, stretches of keys out. What it is about: reading a
//! stack costs at most so much more than reading the same documents in a base alone, and keeping it so costs few
//! writes. The worst stretches are folded first, and no more of them than it takes; so hot ones are folded often
//! and cold ones are left alone, and where changes are spread evenly the work is spread over time. Statistics
//! (`segments`) come from the index nodes of runs and the stored lengths of some of their leaves (`measure`).
//! Doing it is the state's (`state/compact.rs`), when it is worth doing the caller's.

mod measure;
mod merge;
mod plan;
mod segments;

pub(crate) use measure::measure;
pub(crate) use merge::window;
pub(crate) use plan::{MOST_OVER_PERCENT, choose};
pub(crate) use segments::segments;

use crate::run::KeyRange;
use std::collections::BTreeMap;
use tidemark_base::CollectionUuid;

/// Is told of bytes of documents before they are written, and may wait: who calls limits the rate of work by it.
/// Called from several threads at once.
pub type Pace<'p> = &'p (dyn Fn(u64) + Sync);

/// As fast as it goes.
pub const UNPACED: Pace<'static> = &|_| {};

/// What is to be folded into bases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// For each collection stretches of its keys, ascending, that do not touch each other.
    ranges: BTreeMap<CollectionUuid, Vec<KeyRange>>,
}

impl Plan {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stretch of a collection. A capped collection is always folded as a whole.
    pub fn add(&mut self, uuid: CollectionUuid, range: KeyRange) {
        let is_empty = range.from.as_deref().is_some_and(|from| !range.is_before_end(from));
        if is_empty {
            return;
        }
        let ranges = self.ranges.entry(uuid).or_default();
        ranges.push(range);
        ranges.sort_by(|a, b| a.from.cmp(&b.from));
        ranges.dedup_by(|later, earlier| {
            let touches = match (&earlier.before, &later.from) {
                (Some(before), Some(from)) => from <= before,
                _ => true,
            };
            if touches && earlier.before.is_some() && earlier.before < later.before
                || later.before.is_none() && touches
            {
                earlier.before = later.before.take();
            }
            touches
        });
    }

    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// What is folded, by collection.
    pub fn iter(&self) -> impl Iterator<Item = (CollectionUuid, &[KeyRange])> {
        self.ranges.iter().map(|(uuid, ranges)| (*uuid, ranges.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: Option<u8>, before: Option<u8>) -> KeyRange {
        KeyRange { from: from.map(|it| vec![it]), before: before.map(|it| vec![it]) }
    }

    #[test]
    fn stretches_that_touch_are_one() {
        let uuid = CollectionUuid::from_bytes([1; 16]);
        let planned = |ranges: &[(Option<u8>, Option<u8>)]| {
            let mut plan = Plan::new();
            ranges.iter().for_each(|(from, before)| plan.add(uuid, range(*from, *before)));
            plan.iter().flat_map(|(_, ranges)| ranges.to_vec()).collect::<Vec<_>>()
        };
        let (a, b, c, d) = (Some(1), Some(2), Some(3), Some(4));
        assert_eq!(planned(&[(c, d), (a, b)]), [range(a, b), range(c, d)]);
        assert_eq!(planned(&[(b, c), (a, b)]), [range(a, c)]);
        assert_eq!(planned(&[(a, d), (b, c)]), [range(a, d)]);
        assert_eq!(planned(&[(None, b), (b, None)]), [KeyRange::ALL]);
        assert_eq!(planned(&[(a, None), (b, c)]), [range(a, None)]);
        assert_eq!(planned(&[(b, b), (c, a)]), []);
        assert_eq!(planned(&[(a, b), (c, d), (b, c)]), [range(a, d)]);
    }
}
