//! Compaction of a state: stacks are folded into their bases, as a whole or in stretches of keys.
//!
//! Folding everything is the plain way: the root follows from the documents alone then. In stretches, the base gets
//! new leaves there, and the patch runs lose what lies in them; what is outside is linked. Once all of a stack is
//! folded, its base is the same in both ways. Which stretches, [`crate::compaction`] decides. A capped collection
//! is always folded as a whole: its insertion numbers are given anew then, without gaps.

use super::all::all;
use super::flush::MAX_PATCH_RUNS;
use super::in_order::renumber;
use super::told::Misfits;
use super::{State, Stored};
use crate::catalog::RunStack;
use crate::compaction::{MOST_OVER_PERCENT, Pace, Plan, choose, measure, segments, window};
use crate::divergences::Divergences;
use crate::error::Result;
use crate::patch::Waiting;
use crate::run::{KeyRange, Run};
use crate::stack::{Report, Stack, cut_out, merge_into_base, merge_patches_above, merge_ranges_into_base};
use rayon::prelude::*;
use tidemark_base::{BlockId, CollectionUuid};
use tidemark_blockstore::Session;

/// Collections with so much in their runs, in bytes, are worked on one after the other, each with all threads; the
/// others beside each other.
const LARGE_BYTES: u64 = 32 << 20;

/// What became of one collection.
struct Compacted {
    uuid: CollectionUuid,
    documents: RunStack,
    order: Option<(Option<Run>, u64)>,
    divergences: Divergences,
}

impl State {
    /// Flushes, folds every stack into its base, and returns the new root. The session must pin what the
    /// state stands on.
    ///
    /// # Errors
    /// Damage; failures of the store.
    pub fn compact(&mut self, session: &Session) -> Result<BlockId> {
        self.check_usable()?;
        let outcome = self.flush_runs(session);
        let outcome = outcome.and_then(|()| self.fold_all(session)).and_then(|()| self.put_root(session));
        self.note(outcome)
    }

    /// Flushes, folds what the plan says, and returns the new root. The session must pin what the state stands on.
    /// Collections that are no longer there are passed over.
    ///
    /// # Errors
    /// Damage; failures of the store.
    pub fn compact_by(&mut self, session: &Session, plan: &Plan, pace: Pace<'_>) -> Result<BlockId> {
        self.check_usable()?;
        let outcome = self.flush_runs(session);
        let outcome = outcome
            .and_then(|()| self.fold_planned(session, plan, pace))
            .and_then(|()| self.put_root(session));
        self.note(outcome)
    }

    /// Flushes, folds what is worth it, if anything is, and returns the root of the state, and what was folded. The
    /// session must pin what the state stands on.
    ///
    /// # Errors
    /// Damage; failures of the store.
    pub fn compact_if_worth(&mut self, session: &Session, pace: Pace<'_>) -> Result<(BlockId, Plan)> {
        self.check_usable()?;
        let outcome = self.flush_runs(session).and_then(|()| self.plan_compaction(session));
        let outcome = outcome.and_then(|plan| {
            self.fold_planned(session, &plan, pace)?;
            Ok((self.put_root(session)?, plan))
        });
        self.note(outcome)
    }

    /// What is worth folding of what is flushed. Reads index nodes of the collections that have patches.
    ///
    /// # Errors
    /// Damage; failures of the store.
    pub fn plan_compaction(&self, session: &Session) -> Result<Plan> {
        let with_patches =
            |stored: &Stored| !stored.documents.patches.is_empty() || !stored.order.patches.is_empty();
        let changed: Vec<_> = self.stored.iter().filter(|(_, stored)| with_patches(stored)).collect();
        let worth = changed.into_par_iter().map(|(uuid, stored)| {
            let mut ranges = worth(session, &stored.documents)?;
            let is_capped = self.capped.contains(uuid);
            if is_capped && (!ranges.is_empty() || !worth(session, &stored.order)?.is_empty()) {
                ranges = vec![KeyRange::ALL];
            }
            Ok((*uuid, ranges))
        });
        let mut plan = Plan::new();
        for (uuid, ranges) in all(worth.collect())? {
            ranges.into_iter().for_each(|range| plan.add(uuid, range));
        }
        Ok(plan)
    }

    fn fold_all(&mut self, session: &Session) -> Result<()> {
        let collections: Vec<_> = self.stored.keys().map(|uuid| (*uuid, ())).collect();
        let compacted = self.each(collections, |uuid, ()| self.fold_one(session, uuid))?;
        self.take_compacted(compacted);
        Ok(())
    }

    fn fold_planned(&mut self, session: &Session, plan: &Plan, pace: Pace<'_>) -> Result<()> {
        let collections: Vec<_> = plan.iter().filter(|(uuid, _)| self.stored.contains_key(uuid)).collect();
        let compacted = self.each(collections, |uuid, ranges| {
            if self.capped.contains(&uuid) {
                return self.fold_one(session, uuid);
            }
            self.fold_ranges(session, uuid, ranges, pace)
        })?;
        self.take_compacted(compacted);
        Ok(())
    }

    /// Works on collections: on large ones with all threads.
    fn each<W: Send, T: Send>(
        &self,
        collections: Vec<(CollectionUuid, W)>,
        work: impl Fn(CollectionUuid, W) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let is_large = |uuid: &CollectionUuid| {
            let runs = self.stored.get(uuid).into_iter().flat_map(|stored| stored.documents.runs());
            runs.fold(0_u64, |bytes, run| bytes.saturating_add(run.plain_bytes)) >= LARGE_BYTES
        };
        let (large, small): (Vec<_>, Vec<_>) = collections.into_iter().partition(|(uuid, _)| is_large(uuid));
        let mut outcomes: Vec<_> = large.into_iter().map(|(uuid, what)| work(uuid, what)).collect();
        outcomes.par_extend(small.into_par_iter().map(|(uuid, what)| work(uuid, what)));
        all(outcomes)
    }

    fn take_compacted(&mut self, compacted: Vec<Compacted>) {
        let mut compacted = compacted;
        // What is told does not depend on which were large.
        compacted.sort_by_key(|it| it.uuid);
        for Compacted { uuid, documents, order, divergences } in compacted {
            self.divergences.append(divergences);
            let stored = self.stored.entry(uuid).or_default();
            stored.documents = documents;
            if let Some((base, next_order)) = order {
                stored.order = RunStack { base, patches: Vec::new() };
                stored.next_order = next_order;
            }
        }
    }

    fn fold_one(&self, session: &Session, uuid: CollectionUuid) -> Result<Compacted> {
        let stored = self.stored.get(&uuid).cloned().unwrap_or_default();
        let mut misfits = Misfits::new();
        let mut base = stored.documents.base.clone();
        if !stored.documents.patches.is_empty() {
            let report = &mut |key: &[u8], misfit| misfits.push((key.to_vec(), misfit));
            base = merge_into_base(session, stored.documents.as_stack(&[]), report)?;
        }
        let divergences = self.told(session, uuid, self.span_of(uuid), misfits)?;
        // Bases come from here: what nothing lies on is numbered already.
        let is_new = !(stored.documents.patches.is_empty() && stored.order.patches.is_empty());
        let is_in_order = self.capped.contains(&uuid) && is_new;
        let order =
            is_in_order.then(|| renumber(session, base.as_ref(), stored.order.as_stack(&[]))).transpose()?;
        let documents = RunStack { base, patches: Vec::new() };
        Ok(Compacted { uuid, documents, order, divergences })
    }

    fn fold_ranges(
        &self,
        session: &Session,
        uuid: CollectionUuid,
        ranges: &[KeyRange],
        pace: Pace<'_>,
    ) -> Result<Compacted> {
        let none = RunStack::default();
        let old = self.stored.get(&uuid).map_or(&none, |stored| &stored.documents);
        let mut misfits = Misfits::new();
        let report = &mut |key: &[u8], misfit| misfits.push((key.to_vec(), misfit));
        let base = merge_ranges_into_base(session, old.as_stack(&[]), ranges, pace, report)?;
        let patches: Vec<Result<Option<Run>>> =
            old.patches.par_iter().map(|run| Ok(cut_out(session, run, ranges)?)).collect();
        let patches = all(patches)?.into_iter().flatten().collect();
        let divergences = self.told(session, uuid, self.span_of(uuid), misfits)?;
        Ok(Compacted { uuid, documents: RunStack { base, patches }, order: None, divergences })
    }

    /// Merges some of the patch runs of a collection into one, where there are too many, without reading what lies
    /// below them but for documents that are changed over and over.
    pub(super) fn merge_runs(&mut self, session: &Session, uuid: CollectionUuid) -> Result<()> {
        let span = self.span_of(uuid);
        let Some(stored) = self.stored.get_mut(&uuid) else { return Ok(()) };
        let mut misfits = Misfits::new();
        let report = &mut |key: &[u8], misfit| misfits.push((key.to_vec(), misfit));
        merge_some(session, &mut stored.documents, report)?;
        merge_some(session, &mut stored.order, &mut |_, _| {})?;
        let found = self.told(session, uuid, span, misfits)?;
        self.divergences.append(found);
        Ok(())
    }
}

/// Which stretches of a stack are worth folding.
fn worth(session: &Session, stack: &RunStack) -> Result<Vec<KeyRange>> {
    if !may_be_worth(stack) {
        return Ok(Vec::new());
    }
    let base = stack.base.as_ref().map(|run| measure(session, run)).transpose()?;
    let patches = stack.patches.iter().map(|run| measure(session, run)).collect::<Result<Vec<_>, _>>()?;
    let (ranges, segments): (Vec<_>, Vec<_>) = segments(base.as_ref(), &patches).into_iter().unzip();
    let joined = choose(&segments).into_iter().filter_map(|chosen| {
        let (first, last) = (ranges.get(chosen.start)?, ranges.get(chosen.end.checked_sub(1)?)?);
        Some(KeyRange { from: first.from.clone(), before: last.before.clone() })
    });
    Ok(joined.collect())
}

/// Whether there is so much in the patches of a stack that its nodes are worth a look.
fn may_be_worth(stack: &RunStack) -> bool {
    /// Patches compress worse than documents: so many times at most, by a wide margin.
    const WORSE: u64 = 8;
    let sum = |of: fn(&Run) -> u64| stack.patches.iter().fold(0_u64, |sum, run| sum.saturating_add(of(run)));
    let (base_bytes, base_items) = stack.base.as_ref().map_or((0, 1), |base| (base.plain_bytes, base.items));
    // As if all of them were deletes.
    let deleted = sum(|run| run.items).saturating_mul(base_bytes / base_items);
    let over = sum(|run| run.plain_bytes).saturating_mul(WORSE).saturating_add(deleted);
    over > base_bytes / 100 * MOST_OVER_PERCENT
}

fn merge_some(session: &Session, stack: &mut RunStack, report: Report<'_>) -> Result<()> {
    if stack.patches.len() < MAX_PATCH_RUNS {
        return Ok(());
    }
    let bytes: Vec<u64> = stack.patches.iter().map(|run| run.plain_bytes).collect();
    let window = window(&bytes);
    let (below, rest) = stack.patches.split_at(window.start);
    let (some, _) = rest.split_at(window.len());
    let below = Stack { base: stack.base.as_ref(), patches: below, top: &[] };
    let some = Stack { base: None, patches: some, top: &[] };
    let merged = merge_patches_above(session, below, some, Waiting::MOST, report)?;
    stack.patches.splice(window, merged);
    Ok(())
}
