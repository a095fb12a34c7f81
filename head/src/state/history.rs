//! Whether entries are of the history that was applied.
//!
//! Asked before a batch is taken in, so that nothing of another history is applied. What holds in one history:
//! timestamps ascend, terms never fall, and whoever reads on from before the last entry meets that entry again.
//! Terms are compared where both are known: the note that begins an oplog has none.

use super::State;
use crate::error::{HeadError, Result};
use std::cmp::Ordering;
use tidemark_base::OpTime;
use tidemark_oplog::entry::Entry;

impl State {
    /// Checks that entries ascend, and that they go on from what was applied.
    pub(super) fn check_history(&self, pieces: &[Vec<Entry<'_>>]) -> Result<()> {
        let mut previous: Option<OpTime> = None;
        let (mut before, mut after): (Option<OpTime>, Option<OpTime>) = (None, None);
        for entry in pieces.iter().flatten() {
            if let Some(previous) = previous {
                if entry.at.ts <= previous.ts {
                    return Err(HeadError::Order { previous: previous.ts, found: entry.at });
                }
                if is_lower(entry.at, previous) {
                    return Err(HeadError::Fork { expected: previous, found: entry.at });
                }
            }
            previous = Some(entry.at);
            if self.is_of_another(entry.at) {
                return Err(HeadError::Fork { expected: self.at, found: entry.at });
            }
            if entry.at.ts <= self.at.ts {
                before = Some(entry.at);
            } else {
                after = after.or(Some(entry.at));
            }
        }
        if let (Some(last), Some(next)) = (before, after)
            && self.is_at_an_entry()
            && last.ts != self.at.ts
        {
            return Err(HeadError::Fork { expected: self.at, found: next });
        }
        Ok(())
    }

    /// Whether the position is that of an entry that was taken in. That of a copy may be of none.
    pub(super) fn is_at_an_entry(&self) -> bool {
        self.read_to == self.at.ts
    }

    fn is_of_another(&self, entry: OpTime) -> bool {
        match entry.ts.cmp(&self.at.ts) {
            Ordering::Less => is_lower(self.at, entry),
            Ordering::Equal => {
                let is_known = self.is_at_an_entry() || self.at.term != OpTime::NO_TERM;
                is_known && entry != self.at
            }
            Ordering::Greater => is_lower(entry, self.at),
        }
    }
}

/// Whether an entry has a lower term than one that lies before it.
pub(crate) const fn is_lower(later: OpTime, earlier: OpTime) -> bool {
    later.term != OpTime::NO_TERM && earlier.term != OpTime::NO_TERM && later.term < earlier.term
}
