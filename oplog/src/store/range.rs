//! Which stretches of the log are there, and the slices of a stretch.
//!
//! A store may hold a year of slices, and a head asks every few seconds for the newest: so a stretch is found
//! by listing *windows* of names, each the slices that begin within 4096 seconds, and only what cannot be
//! found so by listing a whole chain.

use super::refs::ChainNumber;
use super::{Result, SliceStore, StoreError, Stored};
use crate::chain;
use crate::slice::Link;
use tidemark_base::Timestamp;

/// How many of the 16 hexadecimal digits of a timestamp name a window; the last three of the seconds and
/// all of the ordinal are left open.
const WINDOW_DIGITS: usize = 5;
const WINDOW_SHIFT: usize = 64 - 4 * WINDOW_DIGITS;
/// How many windows are looked at before the whole chain is listed.
const MAX_WINDOWS: u64 = 512;

/// A stretch of the log without gaps: every state after `after`, up to and including `until`, can be made
/// from one that stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Its chain.
    pub chain: ChainNumber,
    /// What its first slice follows.
    pub after: Link,
    /// Where its last slice ends.
    pub until: Link,
    /// How many slices it has.
    pub slices: usize,
}

impl SliceStore {
    /// The stretches that are there, oldest chain first. A chain has one, unless it is damaged.
    ///
    /// # Errors
    /// [`StoreError::Ref`] for a ref that cannot be understood; failures of the store.
    pub fn restorable(&self) -> Result<Vec<Range>> {
        let mut ranges: Vec<Range> = Vec::new();
        for (Stored { chain, header, .. }, _) in self.list(&self.names.slices())? {
            match ranges.last_mut() {
                Some(range) if range.chain == chain && range.until == header.previous => {
                    range.until = header.end();
                    range.slices += 1;
                }
                _ => ranges.push(Range { chain, after: header.previous, until: header.end(), slices: 1 }),
            }
        }
        Ok(ranges)
    }

    /// The slices of a chain that hold the entries after `from` up to and including `to`, in their order,
    /// each following the one before. The first may begin earlier and the last end later.
    ///
    /// # Errors
    /// [`StoreError::NotCovered`] if the chain does not reach that far back or forward;
    /// [`StoreError::Broken`] if slices do not follow each other; failures of the store.
    pub fn range(&self, chain: ChainNumber, from: Timestamp, to: Timestamp) -> Result<Vec<Stored>> {
        if from >= to {
            return Ok(Vec::new());
        }
        let mut slices = match self.by_windows(chain, from, to)? {
            Some(slices) => slices,
            None => self.listed(&self.names.chain(chain))?,
        };
        slices.retain(|it| it.header.last.ts > from);
        // One beyond `to` stays for now: it shows that nothing is missing before it.
        let enough = slices.iter().position(|it| it.header.last.ts >= to);
        slices.truncate(enough.map_or(slices.len(), |at| at + 1));
        let not_covered = |why: String| StoreError::NotCovered { chain, from, to, why };
        let (Some(first), Some(last)) = (slices.first(), slices.last()) else {
            return Err(not_covered("it has nothing later".into()));
        };
        if let Some(problem) = chain::check(slices.iter().map(|it| &it.header)).into_iter().next() {
            return Err(StoreError::Broken { chain, problem });
        }
        if first.header.previous.at.ts > from {
            return Err(not_covered(format!("it begins after {}", first.header.previous.at)));
        }
        if last.header.last.ts < to {
            return Err(not_covered(format!("it ends with {}", last.header.last)));
        }
        if last.header.first.ts > to {
            slices.pop();
        }
        Ok(slices)
    }

    /// The slices from the one that reaches back to `from` to the one that reaches `to`, and some around
    /// them; `None` if that would take too many windows.
    fn by_windows(&self, chain: ChainNumber, from: Timestamp, to: Timestamp) -> Result<Option<Vec<Stored>>> {
        let at = window(from);
        let mut slices = Vec::new();
        let mut earliest = at;
        loop {
            let mut earlier = self.listed(&self.window_name(chain, earliest))?;
            earlier.append(&mut slices);
            slices = earlier;
            if slices.first().is_some_and(|it| it.header.previous.at.ts <= from) {
                break;
            }
            if earliest == 0 || at - earliest >= MAX_WINDOWS {
                return Ok(None);
            }
            earliest -= 1;
        }
        for later in at + 1.. {
            if slices.last().is_some_and(|it| it.header.last.ts >= to) {
                return Ok(Some(slices));
            }
            if later > window(Timestamp::MAX) || later - at > MAX_WINDOWS {
                break;
            }
            slices.extend(self.listed(&self.window_name(chain, later))?);
        }
        Ok(None)
    }

    fn window_name(&self, chain: ChainNumber, window: u64) -> String {
        format!("{}{window:0digits$x}", self.names.chain(chain), digits = WINDOW_DIGITS)
    }

    fn listed(&self, names_from: &str) -> Result<Vec<Stored>> {
        Ok(self.list(names_from)?.into_iter().map(|(stored, _)| stored).collect())
    }
}

const fn window(ts: Timestamp) -> u64 {
    ts.to_u64() >> WINDOW_SHIFT
}
