//! Full compaction: every stack becomes one base, from which the root follows by the documents alone.
//!
//! The plain way, against which what is cleverer is tested. Insertion numbers of capped collections are
//! given anew, without gaps; that needs their keys in memory.

use super::{State, capped};
use crate::catalog::RunStack;
use crate::divergence::{Divergence, What, only_id_of};
use crate::error::Result;
use crate::patch::Misfit;
use crate::run::{KeyRange, Run, RunKind, RunWriter, Source};
use crate::stack::{MergeCursor, get, merge_into_base, merge_patches};
use rayon::prelude::*;
use tidemark_base::bson::Doc;
use tidemark_base::{BlockId, CollectionUuid};
use tidemark_blockstore::Session;

/// What did not fit, and at which key.
pub(super) type Misfits = Vec<(Vec<u8>, Misfit)>;

/// What became of one collection.
struct Compacted {
    uuid: CollectionUuid,
    base: Option<Run>,
    order: Option<(Option<Run>, u64)>,
    divergences: Vec<Divergence>,
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
        let compacted: Result<Vec<Compacted>> =
            collections.into_par_iter().map(|uuid| self.fold_one(session, uuid)).collect();
        for Compacted { uuid, base, order, divergences } in compacted? {
            self.divergences.extend(divergences);
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
        let divergences = self.told(session, uuid, misfits)?;
        let order = if self.capped.contains(&uuid) { Some(renumber(session, &stored.order)?) } else { None };
        Ok(Compacted { uuid, base, order, divergences })
    }

    /// Merges the patch runs of a collection into one, without reading its base.
    pub(super) fn merge_runs(&mut self, session: &Session, uuid: CollectionUuid) -> Result<()> {
        let Some(stored) = self.stored.get_mut(&uuid) else { return Ok(()) };
        let mut misfits = Misfits::new();
        let report = &mut |key: &[u8], misfit| misfits.push((key.to_vec(), misfit));
        let merged = merge_patches(session, &stored.documents.patches, report)?;
        stored.documents.patches = merged.into_iter().collect();
        let merged = merge_patches(session, &stored.order.patches, &mut |_, _| {})?;
        stored.order.patches = merged.into_iter().collect();
        let found = self.told(session, uuid, misfits)?;
        self.divergences.extend(found);
        Ok(())
    }

    /// What was found while folding, as a person is told. Rare, so a document is read again for its `_id`.
    pub(super) fn told(
        &self,
        source: &dyn Source,
        uuid: CollectionUuid,
        misfits: Misfits,
    ) -> Result<Vec<Divergence>> {
        let name = |it: &tidemark_oplog::catalog::Collection| format!("{}.{}", it.database, it.name);
        let namespace = self.catalog.get(uuid).map_or_else(String::new, name);
        let told = misfits.into_iter().map(|(key, misfit)| {
            let document = match self.stored.get(&uuid) {
                Some(stored) => get(source, stored.documents.as_stack(&[]), &key)?,
                None => None,
            };
            let id = document.as_deref().and_then(only_id_of);
            let (namespace, what) = (namespace.clone(), What::Document(misfit));
            Ok(Divergence { at: None, namespace, uuid: Some(uuid), id, what })
        });
        told.collect()
    }
}

/// Gives the documents of a capped collection the numbers from 0 on, in the order they have.
fn renumber(session: &Session, order: &RunStack) -> Result<(Option<Run>, u64)> {
    let mut places = Vec::new();
    let mut documents = MergeCursor::open(session, order.as_stack(&[]), &KeyRange::ALL);
    while let Some((key, place)) = documents.next(&mut |_, _| {})? {
        let number = Doc::new(place).ok().and_then(capped::number).unwrap_or(u64::MAX);
        places.extend(only_id_of(place).map(|id| (number, key.to_vec(), id)));
    }
    places.sort_unstable();
    let next = places.len() as u64;
    let mut by_key: Vec<_> = places.into_iter().zip(0_u64..).map(|((_, key, id), n)| (key, id, n)).collect();
    by_key.sort_unstable();
    let mut writer = RunWriter::new(session, RunKind::Base);
    for (key, id, number) in by_key {
        let id = Doc::new(&id).ok().and_then(|id| id.first_element().ok().flatten());
        if let Some(id) = id {
            writer.push(&key, &capped::place(id, number), &[])?;
        }
    }
    Ok((writer.finish()?, next))
}
