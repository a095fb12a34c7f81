//! One part of a delta: the patches of the documents whose hash belongs here.
//!
//! Worked on by one thread at a time. Operations of a document come in their order, so what comes out does not
//! depend on threads or batches.

use super::arena::At;
use super::hash::Hash;
use super::patches::Patches;
use super::record::Record;
use super::table::Table;
use crate::patch::{Misfit, Patch};
use std::collections::BTreeMap;
use tidemark_base::CollectionUuid;

/// Patches of documents, by collection and key.
#[derive(Debug, Default)]
pub(super) struct Shard {
    tables: BTreeMap<CollectionUuid, Table>,
    patches: Patches,
}

impl Shard {
    /// How much memory it takes, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        let tables: usize = self.tables.values().map(|table| TABLE_BYTES + table.held_bytes()).sum();
        tables + self.patches.held_bytes()
    }

    /// How many patches there are.
    pub(super) fn count(&self) -> usize {
        self.tables.values().map(Table::len).sum()
    }

    pub(super) const fn spare_bytes(&self) -> usize {
        self.patches.spare_bytes()
    }

    /// Gives back what is kept for folding if it is more than this, in bytes.
    pub(super) fn drop_spare_over(&mut self, most: usize) {
        if self.patches.spare_bytes() > most {
            self.patches.drop_spare();
        }
    }

    /// Applies one operation: a small record. What does not fit is added to `found`.
    pub(super) fn apply_record(
        &mut self,
        uuid: CollectionUuid,
        hash: Hash,
        record: &[u8],
        found: &mut Vec<Misfit>,
    ) {
        let Record::Small { key, head, payload } = Record::read(record) else { return };
        let Self { tables, patches } = self;
        let table = tables.entry(uuid).or_default();
        match table.find(hash.in_shard(), |at| patches.key(at) == key) {
            None => table.insert(hash.in_shard(), patches.add_record(record)),
            Some((slot, at)) => {
                let now = patches.change_by(at, (head, payload), found);
                self.changed(uuid, slot, at, now);
            }
        }
    }

    /// Something of what is needed for an operation, so that it is near then: of many at once memory is as fast as
    /// of one.
    pub(super) fn touch(&self, uuid: CollectionUuid, hash: Hash) -> Option<At> {
        self.tables.get(&uuid)?.touch(hash.in_shard())
    }

    pub(super) fn touch_record(&self, at: At) -> u8 {
        self.patches.touch(at)
    }

    /// A record of a slot was changed, and lies elsewhere now, perhaps.
    fn changed(&mut self, uuid: CollectionUuid, slot: usize, was: At, now: At) {
        if let Some(table) = self.tables.get_mut(&uuid).filter(|_| now != was) {
            table.moved(slot, now);
            if self.patches.has_much_garbage() {
                self.patches.tidy(self.tables.values_mut());
            }
        }
    }

    /// Applies one operation. What does not fit is added to `found`.
    pub(super) fn apply(
        &mut self,
        uuid: CollectionUuid,
        hash: Hash,
        key: &[u8],
        patch: Patch<'_>,
        found: &mut Vec<Misfit>,
    ) {
        let Self { tables, patches } = self;
        let table = tables.entry(uuid).or_default();
        match table.find(hash.in_shard(), |at| patches.key(at) == key) {
            None => table.insert(hash.in_shard(), patches.add(key, patch)),
            Some((slot, at)) => {
                let now = patches.change(at, patch, found);
                self.changed(uuid, slot, at, now);
            }
        }
    }

    /// The patch of a document.
    pub(super) fn get(&self, uuid: CollectionUuid, hash: Hash, key: &[u8]) -> Option<Patch<'_>> {
        let is = |at| self.patches.key(at) == key;
        let (_, at) = self.tables.get(&uuid)?.find(hash.in_shard(), is)?;
        Some(self.patches.patch(at))
    }

    /// The key of a record.
    #[inline]
    pub(super) fn key(&self, at: At) -> &[u8] {
        self.patches.key(at)
    }

    /// Its patch.
    pub(super) fn patch(&self, at: At) -> Patch<'_> {
        self.patches.patch(at)
    }

    /// The bytes of a record, if it lies in the arena.
    pub(super) fn small(&self, at: At) -> Option<&[u8]> {
        self.patches.small(at)
    }

    /// The records of a collection, in no order.
    pub(super) fn records(&self, uuid: CollectionUuid) -> impl Iterator<Item = At> {
        self.tables.get(&uuid).into_iter().flat_map(Table::iter)
    }

    /// How many records a collection has.
    pub(super) fn len(&self, uuid: CollectionUuid) -> usize {
        self.tables.get(&uuid).map_or(0, Table::len)
    }

    /// The collections that have patches here.
    pub(super) fn collections(&self) -> impl Iterator<Item = CollectionUuid> {
        self.tables.keys().copied()
    }

    /// Forgets the patches of a collection.
    pub(super) fn forget(&mut self, uuid: CollectionUuid) {
        let Some(table) = self.tables.remove(&uuid) else { return };
        table.iter().for_each(|at| self.patches.remove(at));
        if self.patches.has_much_garbage() {
            self.patches.tidy(self.tables.values_mut());
        }
    }
}

/// What a table takes beside its slots: itself and its key, in a node that may be half empty.
const TABLE_BYTES: usize = 2 * (size_of::<Table>() + size_of::<CollectionUuid>());
