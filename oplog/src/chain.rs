//! Whether slices follow each other: gaps, overlaps, forks and duplicates, judged from headers alone.
//!
//! Used by the slice store before it appends, by whoever checks a stored chain, and by nobody else. Pure.
//! What the judgements rest on: within one history timestamps are unique and grow, terms never fall, and one
//! position always holds the same entry (Raft's log matching). Headers show only the ends of slices, so a
//! fork that lies wholly inside of what two slices cover can look like an overlap; it never looks like a
//! slice that may be appended, or like one that is there already.

#![warn(clippy::indexing_slicing)]

use crate::slice::{Header, Link};
use std::collections::BTreeMap;
use std::fmt;
use tidemark_base::{OpTime, Timestamp};

/// How a slice stands to a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It follows the tip exactly.
    Appends,
    /// It is there, just so.
    Duplicate,
    /// It begins after the tip: what lies between is missing.
    Gap {
        /// The tip, which it should follow.
        expected: OpTime,
        /// What it follows.
        found: OpTime,
    },
    /// It begins before the tip, and is not there just so: cut otherwise, or expired since.
    Overlap {
        /// The tip, from which the chain goes on.
        until: OpTime,
    },
    /// It is of another history (a rollback, or another replica set), or of another chain over the same.
    Fork {
        /// A position that only one of the two histories can have, or that they reach in different ways.
        at: OpTime,
    },
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Appends => f.write_str("it follows the chain's end"),
            Self::Duplicate => f.write_str("it is there already"),
            Self::Gap { expected, found } => {
                write!(f, "gap: entries after {expected} up to {found} are missing")
            }
            Self::Overlap { until } => write!(f, "overlap: the chain has entries up to {until} already"),
            Self::Fork { at } => write!(f, "fork: its history is not the chain's, as {at} shows"),
        }
    }
}

/// Judges a slice against the tip of a chain, and against the slice of the chain that begins with the same
/// timestamp, if there is one.
#[must_use]
pub fn judge(tip: &Link, stored: Option<&Header>, slice: &Header) -> Judgement {
    if stored.is_some_and(|stored| stored.digest == slice.digest) {
        return Judgement::Duplicate;
    }
    if let Some(at) = contradiction(tip, stored, slice) {
        return Judgement::Fork { at };
    }
    match slice.previous.at.ts.cmp(&tip.at.ts) {
        std::cmp::Ordering::Equal => Judgement::Appends,
        std::cmp::Ordering::Greater => Judgement::Gap { expected: tip.at, found: slice.previous.at },
        std::cmp::Ordering::Less => Judgement::Overlap { until: tip.at },
    }
}

/// A position that shows that the slice is of another history than the chain.
fn contradiction(tip: &Link, stored: Option<&Header>, slice: &Header) -> Option<OpTime> {
    let theirs = [slice.previous.at, slice.first, slice.last];
    let ours =
        [Some(tip.at), stored.map(|it| it.previous.at), stored.map(|it| it.first), stored.map(|it| it.last)];
    for ours in ours.into_iter().flatten() {
        if let Some(at) = theirs.into_iter().find(|theirs| !one_history(ours, *theirs)) {
            return Some(at);
        }
        // The slice says that nothing lies between what it follows and its first entry.
        if between(ours, slice.previous.at, slice.first) {
            return Some(ours);
        }
    }
    let stored_hole = stored.map(|it| (it.previous.at, it.first));
    if let Some((before, first)) = stored_hole
        && let Some(at) = theirs.into_iter().find(|theirs| between(*theirs, before, first))
    {
        return Some(at);
    }
    if slice.previous.at == tip.at && slice.previous.digest != tip.digest {
        return Some(tip.at);
    }
    // Cut alike after the same slice, and yet not the same.
    let alike = stored.is_some_and(|it| it.previous == slice.previous && it.last == slice.last);
    alike.then_some(slice.first)
}

/// Whether one history can have both positions.
fn one_history(a: OpTime, b: OpTime) -> bool {
    match a.ts.cmp(&b.ts) {
        std::cmp::Ordering::Less => a.term <= b.term,
        std::cmp::Ordering::Equal => a.term == b.term,
        std::cmp::Ordering::Greater => a.term >= b.term,
    }
}

fn between(at: OpTime, before: OpTime, after: OpTime) -> bool {
    before.ts < at.ts && at.ts < after.ts
}

/// A slice of a list that does not follow what comes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its number in the list, from 0.
    pub index: usize,
    /// Its first entry.
    pub first: OpTime,
    /// Its last entry.
    pub last: OpTime,
    /// How it stands to the slices before; never [`Judgement::Appends`].
    pub judgement: Judgement,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slice {} of {} to {}: {}", self.index, self.first, self.last, self.judgement)
    }
}

/// Checks slices, in the order of their chain. Nothing is found if and only if each follows the one before.
///
/// After a gap or an overlap the chain is taken to go on from the slice's end; a slice of another history is
/// left aside.
#[must_use]
pub fn check<'a>(slices: impl IntoIterator<Item = &'a Header>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut tip: Option<Link> = None;
    let mut known: BTreeMap<Timestamp, &Header> = BTreeMap::new();
    for (index, slice) in slices.into_iter().enumerate() {
        let before = *tip.get_or_insert(slice.previous);
        let judgement = judge(&before, known.get(&slice.first.ts).copied(), slice);
        if judgement != Judgement::Appends {
            problems.push(Problem { index, first: slice.first, last: slice.last, judgement });
        }
        let goes_on = match judgement {
            Judgement::Appends | Judgement::Gap { .. } => true,
            Judgement::Overlap { .. } => slice.last.ts > before.at.ts,
            Judgement::Duplicate | Judgement::Fork { .. } => false,
        };
        if goes_on {
            tip = Some(slice.end());
            known.entry(slice.first.ts).or_insert(slice);
        }
    }
    problems
}

#[cfg(test)]
mod tests;
