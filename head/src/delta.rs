//! The delta: what was applied and not flushed yet, in memory: for each document one patch.
//!
//! Filled by the applier, emptied by flush. Documents are spread over shards by the hash of collection and
//! key, and the shards are worked on in parallel: operations of one document always meet in one shard, in
//! order, so what comes out does not depend on threads or batches. Nothing here reads a document or the
//! store, and nothing here is precious: after a crash the oplog is applied again.

use crate::divergence::{Divergence, Span, What, only_id};
use crate::patch::{Folder, Patch};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tidemark_base::bson::Element;
use tidemark_base::{CollectionUuid, OpTime};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How many shards there are: a few for each thread that will ever be given.
const SHARDS: usize = 64;

/// How many operations are worth waking threads for.
const WORTH_THREADS: usize = 256;

/// How much memory for folding is kept for the next operations, in bytes: enough for a few large documents that
/// are changed over and over.
const MOST_SPARE_BYTES: usize = 128 << 20;

/// What a key and a patch take beside their bytes, roughly.
const OVERHEAD_BYTES: usize = 120;

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

type Patches = HashMap<Box<[u8]>, Patch<'static>>;

#[derive(Debug, Default)]
struct Shard {
    collections: HashMap<CollectionUuid, Patches>,
    bytes: usize,
    folder: Folder,
}

/// Patches of documents, by collection and key.
#[derive(Debug)]
pub(crate) struct Delta {
    shards: Vec<Shard>,
    spans: BTreeMap<CollectionUuid, Span>,
}

impl Delta {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), spans: BTreeMap::new() }
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.bytes).sum()
    }

    /// Applies operations, in order. What is certain not to fit is reported, in order.
    pub(crate) fn apply(&mut self, operations: Vec<Operation<'_>>) -> Vec<Divergence> {
        let mut parts: Vec<Vec<(usize, Operation<'_>)>> = (0..SHARDS).map(|_| Vec::new()).collect();
        for (number, operation) in operations.into_iter().enumerate() {
            let span = Span { first: operation.at, last: operation.at };
            self.spans.entry(operation.uuid).or_insert(span).last = operation.at;
            if let Some(part) = parts.get_mut(shard_of(operation.uuid, &operation.key)) {
                part.push((number, operation));
            }
        }
        let mut found: Vec<_> = if parts.iter().map(Vec::len).sum::<usize>() < WORTH_THREADS {
            let shards = self.shards.iter_mut().zip(parts);
            shards.flat_map(|(shard, part)| shard.apply(part)).collect()
        } else {
            let shards = self.shards.par_iter_mut().zip(parts);
            shards.flat_map_iter(|(shard, part)| shard.apply(part)).collect()
        };
        if self.shards.iter().map(|shard| shard.folder.held_bytes()).sum::<usize>() > MOST_SPARE_BYTES {
            self.shards.iter_mut().for_each(|shard| shard.folder = Folder::new());
        }
        found.sort_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, divergence)| divergence).collect()
    }

    /// The patch of a document.
    pub(crate) fn get(&self, uuid: CollectionUuid, key: &[u8]) -> Option<&Patch<'static>> {
        self.shards.get(shard_of(uuid, key))?.collections.get(&uuid)?.get(key)
    }

    /// All patches of a collection, by key.
    pub(crate) fn sorted(&self, uuid: CollectionUuid) -> Vec<(&[u8], &Patch<'static>)> {
        let patches = self.shards.iter().filter_map(|shard| shard.collections.get(&uuid)).flatten();
        let mut sorted: Vec<_> = patches.map(|(key, patch)| (key.as_ref(), patch)).collect();
        sorted.par_sort_unstable_by_key(|(key, _)| *key);
        sorted
    }

    /// The collections that have patches.
    pub(crate) fn collections(&self) -> BTreeSet<CollectionUuid> {
        self.shards.iter().flat_map(|shard| shard.collections.keys().copied()).collect()
    }

    /// From which to which operation the patches of a collection are.
    pub(crate) fn span(&self, uuid: CollectionUuid) -> Option<Span> {
        self.spans.get(&uuid).copied()
    }

    /// Forgets the patches of a collection.
    pub(crate) fn forget(&mut self, uuid: CollectionUuid) {
        self.spans.remove(&uuid);
        for shard in &mut self.shards {
            if let Some(patches) = shard.collections.remove(&uuid) {
                shard.bytes -= patches.iter().map(|(key, patch)| cost(key, patch)).sum::<usize>();
            }
        }
    }

    /// Moves the patches of a collection to another UUID, of which there are none.
    pub(crate) fn give_uuid(&mut self, from: CollectionUuid, to: CollectionUuid) {
        if let Some(span) = self.spans.remove(&from) {
            self.spans.insert(to, span);
        }
        let moved: Vec<_> =
            self.shards.iter_mut().filter_map(|shard| shard.collections.remove(&from)).collect();
        for (key, patch) in moved.into_iter().flatten() {
            let bytes = cost(&key, &patch);
            if let Some(shard) = self.shards.get_mut(shard_of(from, &key)) {
                shard.bytes -= bytes;
            }
            if let Some(shard) = self.shards.get_mut(shard_of(to, &key)) {
                shard.bytes += bytes;
                shard.collections.entry(to).or_default().insert(key, patch);
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }
}

impl Shard {
    fn apply(&mut self, operations: Vec<(usize, Operation<'_>)>) -> Vec<(usize, Divergence)> {
        let mut divergences = Vec::new();
        let mut found = Vec::new();
        for (number, operation) in operations {
            let Operation { at, uuid, namespace, id, key, patch } = operation;
            let patches = self.collections.entry(uuid).or_default();
            if let Some(held) = patches.get_mut(key.as_slice()) {
                self.bytes -= cost(&key, held);
                let older = std::mem::replace(held, Patch::nothing());
                *held = self.folder.compose(older, patch, &mut found).into_owned();
                self.bytes += cost(&key, held);
            } else {
                self.bytes += cost(&key, &patch);
                patches.insert(key.into_boxed_slice(), patch.into_owned());
            }
            for misfit in found.drain(..) {
                let (namespace, id) = (namespace.to_owned(), Some(only_id(id)));
                let what = What::Document(misfit);
                let (at, within, uuid, key) = (Some(at), None, Some(uuid), None);
                divergences.push((number, Divergence { at, within, namespace, uuid, id, key, what }));
            }
        }
        divergences
    }
}

fn cost(key: &[u8], patch: &Patch<'_>) -> usize {
    OVERHEAD_BYTES + key.len() + patch.payload().len()
}

fn shard_of(uuid: CollectionUuid, key: &[u8]) -> usize {
    let [a, b, c, d, e, f, g, h, ..] = *uuid.as_bytes();
    let hash = xxh3_64_with_seed(key, u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    usize::try_from(hash % SHARDS as u64).expect("there are few shards")
}
