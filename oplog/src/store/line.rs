//! The line of the log that leads to the tip: through the present chain, and the older ones that it goes on from.
//!
//! A chain that was begun where a head went back to is one history with the part of the older chain up to there;
//! what the older one holds behind that is of a branch that was left. Each slice names the one before it by its
//! digest, so the line is what is found by going back from the tip.

use super::{Result, SliceStore, StoreError, Stored, Tip};
use crate::slice::{Digest, Link};
use std::collections::HashMap;
use tidemark_base::Timestamp;
use tidemark_blockstore::{Expect, NewRef, RefChange};

impl SliceStore {
    /// The slices that hold the entries after `from`, or from the beginning of the line, up to and including
    /// `to`, which is not behind the tip; in their order, each following the one before. The first may begin
    /// earlier and the last end later.
    ///
    /// # Errors
    /// [`StoreError::NotCovered`] if they do not reach back to `from`; else as [`SliceStore::range`].
    pub fn line(&self, tip: &Tip, from: Option<Timestamp>, to: Timestamp) -> Result<Vec<Stored>> {
        if let Some(from) = from.filter(|from| *from >= tip.start.at.ts) {
            return self.range(tip.chain, from, to);
        }
        let mut line = self.back_from(tip, from.unwrap_or(Timestamp::ZERO))?;
        let begin = line.last().map_or(tip.start, |first| first.header.previous);
        if let Some(from) = from.filter(|from| begin.at.ts > *from && to > *from) {
            let why = format!("it begins after {}", begin.at);
            return Err(StoreError::NotCovered { chain: tip.chain, from, to, why });
        }
        line.retain(|it| it.header.first.ts <= to);
        line.reverse();
        Ok(line)
    }

    /// Where the line begins: what its oldest slice follows.
    ///
    /// # Errors
    /// As [`SliceStore::line`].
    pub fn line_start(&self, tip: &Tip) -> Result<Link> {
        let line = self.back_from(tip, Timestamp::ZERO)?;
        Ok(line.last().map_or(tip.start, |first| first.header.previous))
    }

    /// The change of the tip that begins a new chain after `at`, for a publish together with others; none if the
    /// present chain ends there, or there is none.
    ///
    /// # Errors
    /// [`StoreError::Ref`] if the tip is damaged; failures of the store.
    pub fn restarting(&self, at: Link) -> Result<Option<RefChange>> {
        let Some((tip, version)) = self.versioned_tip()?.filter(|(tip, _)| tip.link != at) else {
            return Ok(None);
        };
        let tip = Tip { chain: tip.chain.next(), start: at, link: at };
        let set = Some(NewRef { roots: Vec::new(), value: tip.encode() });
        Ok(Some(RefChange { name: self.names.tip(), expect: Expect::Version(version), set }))
    }

    /// The slices of the line from the tip back to the one that holds the first entry after `from`, newest first;
    /// fewer if there are fewer.
    fn back_from(&self, tip: &Tip, from: Timestamp) -> Result<Vec<Stored>> {
        let all = self.list(&self.names.slices())?;
        // Of two that end alike, which are the same slice in two chains, the newer.
        let ends: HashMap<Link, Stored> = all.into_iter().map(|(it, _)| (it.header.end(), it)).collect();
        let mut line = Vec::new();
        let mut at = tip.link;
        while at.at.ts > from
            && at.digest != Digest::NONE
            && let Some(stored) = ends.get(&at)
        {
            line.push(*stored);
            // Earlier, or its header would not have been decoded.
            at = stored.header.previous;
        }
        Ok(line)
    }
}
