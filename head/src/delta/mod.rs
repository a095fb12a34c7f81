//! The delta: what was applied and not flushed yet, in memory: for each document one patch.
//!
//! Filled by the applier, emptied by flush. Documents are spread over shards by the hash of collection and
//! key, and the shards are worked on in parallel: operations of one document always meet in one shard, in
//! order, so what comes out does not depend on threads or batches. Nothing here reads a document or the
//! store, and nothing here is precious: after a crash the oplog is applied again.

mod arena;
mod bulk;
mod hash;
mod patches;
mod record;
mod shard;
mod sorted;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use bulk::Bulk;
use hash::Hash;
use sorted::PLACE_BYTES;
pub(crate) use sorted::{Gathered, Sorted, by_ref};

use crate::divergence::{Divergence, Span, What, only_id};
use crate::patch::Patch;
use rayon::prelude::*;
use shard::Shard;
use std::collections::{BTreeMap, BTreeSet};
use tidemark_base::bson::Element;
use tidemark_base::{CollectionUuid, OpTime};

/// How many shards there are: a few for each thread that will ever be given. A power of two.
const SHARDS: usize = 64;

/// How many operations are worth waking threads for.
pub(crate) const WORTH_THREADS: usize = 256;

/// How much memory for folding each shard keeps for the next operations, in bytes, once it has done its part.
const MOST_SPARE_BYTES: usize = 512 << 10;

/// One operation on one document, routed.
#[derive(Clone, Debug)]
pub(crate) struct Operation<'a> {
    pub(crate) at: OpTime,
    pub(crate) uuid: CollectionUuid,
    pub(crate) namespace: &'a str,
    pub(crate) id: Element<'a>,
    pub(crate) key: Vec<u8>,
    pub(crate) patch: Patch<'a>,
}

/// Patches of documents, by collection and key.
#[derive(Debug)]
pub(crate) struct Delta {
    shards: Vec<Shard>,
    spans: BTreeMap<CollectionUuid, Span>,
}

/// What did not fit, each with the number of its operation.
type Found = Vec<((usize, u32), Divergence)>;

impl Delta {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), spans: BTreeMap::new() }
    }

    /// How much memory it takes, in bytes, with what is not filled, what is kept for folding, and what flushing it
    /// will take to sort it.
    pub(crate) fn bytes(&self) -> usize {
        let taken = |shard: &Shard| shard.held_bytes() + shard.spare_bytes() + shard.count() * PLACE_BYTES;
        self.shards.iter().map(taken).sum()
    }

    /// Applies operations, in order. What is certain not to fit is reported, in order.
    pub(crate) fn apply(&mut self, operations: Vec<Operation<'_>>) -> Vec<Divergence> {
        let is_worth_threads = operations.len() >= WORTH_THREADS;
        let mut parts: Vec<Vec<(u32, Hash, Operation<'_>)>> = (0..SHARDS).map(|_| Vec::new()).collect();
        for (number, operation) in (0..).zip(operations) {
            self.reaches(operation.uuid, Span { first: operation.at, last: operation.at });
            let hash = Hash::of(operation.uuid, &operation.key);
            if let Some(part) = parts.get_mut(hash.shard()) {
                part.push((number, hash, operation));
            }
        }
        let mut parts: Vec<_> = parts.into_iter().map(Some).collect();
        let shards = self.shards.iter_mut().zip(&mut parts);
        let work: Vec<_> = shards.map(|(shard, part)| (shard, part.take().unwrap_or_default())).collect();
        let found = if is_worth_threads {
            work.into_par_iter().flat_map_iter(|(shard, part)| apply_part(shard, part)).collect()
        } else {
            work.into_iter().flat_map(|(shard, part)| apply_part(shard, part)).collect()
        };
        Self::applied(found)
    }

    /// Takes note of operations on a collection.
    fn reaches(&mut self, uuid: CollectionUuid, span: Span) {
        self.spans.entry(uuid).or_insert(span).last = span.last;
    }

    /// What was found, in order.
    fn applied(mut found: Found) -> Vec<Divergence> {
        found.sort_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, divergence)| divergence).collect()
    }

    /// The patch of a document.
    pub(crate) fn get(&self, uuid: CollectionUuid, key: &[u8]) -> Option<Patch<'_>> {
        let hash = Hash::of(uuid, key);
        self.shards.get(hash.shard())?.get(uuid, hash, key)
    }

    /// How many patches a collection has.
    pub(crate) fn len(&self, uuid: CollectionUuid) -> usize {
        self.shards.iter().map(|shard| shard.len(uuid)).sum()
    }

    /// The collections that have patches.
    pub(crate) fn collections(&self) -> BTreeSet<CollectionUuid> {
        self.shards.iter().flat_map(Shard::collections).collect()
    }

    /// From which to which operation the patches of a collection are.
    pub(crate) fn span(&self, uuid: CollectionUuid) -> Option<Span> {
        self.spans.get(&uuid).copied()
    }

    /// Forgets the patches of a collection.
    pub(crate) fn forget(&mut self, uuid: CollectionUuid) {
        self.spans.remove(&uuid);
        self.shards.iter_mut().for_each(|shard| shard.forget(uuid));
    }

    /// Moves the patches of a collection to another UUID, of which there are none.
    pub(crate) fn give_uuid(&mut self, from: CollectionUuid, to: CollectionUuid) {
        if let Some(span) = self.spans.remove(&from) {
            self.spans.insert(to, span);
        }
        let owned = |shard: &Shard, at| (shard.key(at).to_vec(), shard.patch(at).into_owned());
        let moved: Vec<_> =
            self.shards.iter().flat_map(|shard| shard.records(from).map(|at| owned(shard, at))).collect();
        self.shards.iter_mut().for_each(|shard| shard.forget(from));
        for (key, patch) in moved {
            let hash = Hash::of(to, &key);
            if let Some(shard) = self.shards.get_mut(hash.shard()) {
                shard.apply(to, hash, &key, patch, &mut Vec::new());
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }
}

/// Applies the operations of one shard.
fn apply_part(shard: &mut Shard, operations: Vec<(u32, Hash, Operation<'_>)>) -> Found {
    let (mut found, mut misfits) = (Vec::new(), Vec::new());
    for (number, hash, operation) in operations {
        let Operation { at, uuid, namespace, id, key, patch } = operation;
        shard.apply(uuid, hash, &key, patch, &mut misfits);
        for misfit in misfits.drain(..) {
            let what = What::Document(misfit);
            found.push(((0, number), divergence(at, uuid, namespace, id, what)));
        }
    }
    shard.drop_spare_over(MOST_SPARE_BYTES);
    found
}

fn divergence(at: OpTime, uuid: CollectionUuid, namespace: &str, id: Element<'_>, what: What) -> Divergence {
    let (namespace, id) = (namespace.to_owned(), Some(only_id(id)));
    Divergence { at: Some(at), within: None, namespace, uuid: Some(uuid), id, key: None, what }
}
