//! A base and what belongs between its documents, as one base.
//!
//! Leaves into which nothing falls are taken over by name, unread, where that is what a writer would write: it must
//! stand at a cut, and the leaf must have ended by itself, which a leaf has that had room left for any item. What the
//! nodes say of a leaf stays true, also its separator: only keys are added here, and a key that changed it would lie
//! in the leaf. All others are read, and written until the cuts meet again.

#![warn(clippy::indexing_slicing)]

use super::leaves::{Leaf, Leaves};
use super::merged::Merged;
use super::tools::Tools;
use super::writer::BaseWriter;
use crate::run::error::{Problem, Result};
use crate::run::held::Held;
use crate::run::index::Amount;
use crate::run::open_leaf::OpenLeaf;
use crate::run::path::Found;
use crate::run::record::{Run, RunKind};
use crate::run::separator;
use crate::run::source::read_one;
use std::sync::Arc;
use tidemark_base::limits::MAX_SEPARATOR_BYTES;

/// Writes what is in `below` and in `above` as a new base; documents of `above` overwrite. No more than
/// `most_bytes` of memory are used beside what `above` has now.
///
/// # Errors
/// Damage; failures of the store.
pub(crate) fn merge_into(
    tools: &Arc<Tools>,
    below: Option<&Run>,
    mut above: Merged<'_>,
    most_bytes: usize,
) -> Result<Option<Run>> {
    let most_bytes = tools.meter.bytes() + most_bytes;
    let mut merge = Merge { tools, writer: BaseWriter::new(tools), above: &mut above, most_bytes, pushed: 0 };
    if let Some(run) = below {
        let mut leaves = Leaves::new(&tools.session, run);
        while let Some(leaf) = leaves.next()? {
            merge.leaf(leaf)?;
        }
    }
    merge.push_before(None)?;
    merge.writer.finish()
}

/// After so many documents it is seen how much waits.
const LOOK_EVERY: usize = 64;

struct Merge<'m, 's> {
    tools: &'m Tools,
    writer: BaseWriter,
    above: &'m mut Merged<'s>,
    most_bytes: usize,
    pushed: usize,
}

impl Merge<'_, '_> {
    fn leaf(&mut self, leaf: Leaf) -> Result<()> {
        if self.can_take_over(&leaf) {
            return self.writer.take_over(leaf.child, leaf.next.map(|(separator, _)| separator));
        }
        let Leaf { child, next } = leaf;
        let held = Held::of(RunKind::Base, child.id, read_one(&self.tools.session, child.id)?)?;
        let Held::Leaf(held) = held else { return Err(Problem::Form("a leaf of its run").of(child.id)) };
        let (low, high) = (child.separator, next.map(|(separator, _)| separator));
        let found = Found { id: child.id, leaf: held, amount: child.amount, low, high: high.clone() };
        let mut open = OpenLeaf::open(RunKind::Base, found, &self.tools.session)?;
        let (mut key, mut spare, mut is_first) = (Vec::new(), Vec::new(), true);
        while open.advance(&mut key, &mut is_first, &mut spare)? {
            self.push_before(Some(&key))?;
            if self.above.key() == Some(key.as_slice()) {
                continue;
            }
            self.writer.push_copy(&key, open.bytes())?;
        }
        match high {
            Some(high) => self.push_before(Some(&high)),
            None => Ok(()),
        }
    }

    fn can_take_over(&self, leaf: &Leaf) -> bool {
        let item = self.tools.max_leaf_item_bytes as u64;
        let is_large = |amount: &Amount| amount.items == 1 && amount.plain_bytes > item;
        let is_free = match (self.above.key(), &leaf.next) {
            (None, _) => true,
            (Some(key), Some((next, _))) => separator::is_passed(next, key),
            (Some(_), None) => false,
        };
        // A separator that was cut does not say enough.
        let is_cut = |separator: &[u8]| separator.len() >= MAX_SEPARATOR_BYTES;
        let is_clear =
            !is_cut(&leaf.child.separator) && leaf.next.as_ref().is_none_or(|(next, _)| !is_cut(next));
        if !is_free || !is_clear {
            return false;
        }
        if is_large(&leaf.child.amount) {
            return true;
        }
        let has_room = leaf.child.amount.plain_bytes + item <= self.tools.leaves.max_bytes() as u64;
        let ended_by_itself = has_room && leaf.next.as_ref().is_some_and(|(_, next)| !is_large(next));
        self.writer.is_at_cut() && ended_by_itself
    }

    /// Writes what comes before a key.
    fn push_before(&mut self, key: Option<&[u8]>) -> Result<()> {
        while self.above.key().is_some_and(|next| key.is_none_or(|key| next < key)) {
            let Some(item) = self.above.next()? else { break };
            self.writer.push(&item.batch, item.number..item.number + 1)?;
            self.pushed += 1;
            if self.pushed.is_multiple_of(LOOK_EVERY) {
                self.tools.meter.wait_for(self.most_bytes);
            }
        }
        Ok(())
    }
}
