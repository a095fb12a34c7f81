//! Full compaction: every stack becomes one base, from which the root follows by the documents alone.
//!
//! The plain way, against which what is cleverer is tested. Insertion numbers of capped collections are
//! given anew, without gaps.

use super::State;
use super::all::all;
use super::in_order::renumber;
use super::told::Misfits;
use crate::catalog::RunStack;
use crate::divergences::Divergences;
use crate::error::Result;
use crate::patch::Waiting;
use crate::run::Run;
use crate::stack::{merge_into_base, merge_patches};
use rayon::prelude::*;
use tidemark_base::{BlockId, CollectionUuid};
use tidemark_blockstore::Session;

/// What became of one collection.
struct Compacted {
    uuid: CollectionUuid,
    base: Option<Run>,
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

    fn fold_all(&mut self, session: &Session) -> Result<()> {
        let collections: Vec<CollectionUuid> = self.stored.keys().copied().collect();
        let compacted: Vec<Result<Compacted>> =
            collections.into_par_iter().map(|uuid| self.fold_one(session, uuid)).collect();
        for Compacted { uuid, base, order, divergences } in all(compacted)? {
            self.divergences.append(divergences);
            let stored = self.stored.entry(uuid).or_default();
            stored.documents = RunStack { base, patches: Vec::new() };
            if let Some((base, next_order)) = order {
                stored.order = RunStack { base, patches: Vec::new() };
                stored.next_order = next_order;
            }
        }
        Ok(())
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
        Ok(Compacted { uuid, base, order, divergences })
    }

    /// Merges the patch runs of a collection into one, without reading its base but for documents that are
    /// changed over and over.
    pub(super) fn merge_runs(&mut self, session: &Session, uuid: CollectionUuid) -> Result<()> {
        let span = self.span_of(uuid);
        let Some(stored) = self.stored.get_mut(&uuid) else { return Ok(()) };
        let mut misfits = Misfits::new();
        let report = &mut |key: &[u8], misfit| misfits.push((key.to_vec(), misfit));
        let merged = merge_patches(session, stored.documents.as_stack(&[]), Waiting::MOST, report)?;
        stored.documents.patches = merged.into_iter().collect();
        let merged = merge_patches(session, stored.order.as_stack(&[]), Waiting::MOST, &mut |_, _| {})?;
        stored.order.patches = merged.into_iter().collect();
        let found = self.told(session, uuid, span, misfits)?;
        self.divergences.append(found);
        Ok(())
    }
}
