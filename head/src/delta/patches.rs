//! The patches of one shard, wherever they lie: small ones as records in an arena, long ones beside it.
//!
//! Called by the shard, which knows by their hashes where records are. It takes one copy of what it is given, and
//! no allocation for a small one. A patch that is changed is written over the old one if it fits there; else the
//! old one is given up, and the shard copies the rest to a new arena when that is worth it.

use super::arena::{Arena, At};
use super::record::{self, Record};
use super::table::Table;
use crate::patch::{Folder, Misfit, Patch, only_appends};

/// What a patch beside the arena takes beside its bytes: itself, in a list that may be half empty, and what the
/// allocator keeps.
const LARGE_BYTES: usize = 2 * size_of::<Option<Large>>() + 32;

/// A patch beside the arena.
#[derive(Debug)]
struct Large {
    key: Box<[u8]>,
    patch: Patch<'static>,
}

impl Large {
    fn held_bytes(&self) -> usize {
        LARGE_BYTES + self.key.len() + self.patch.held_bytes()
    }
}

/// The patches of all collections of a shard.
#[derive(Debug, Default)]
pub(super) struct Patches {
    arena: Arena,
    large: Vec<Option<Large>>,
    /// Numbers of `large` that are empty.
    free: Vec<u32>,
    large_bytes: usize,
    folder: Folder,
    /// A record being made.
    head: Vec<u8>,
    payload: Vec<u8>,
}

impl Patches {
    /// How much memory they take, in bytes.
    pub(super) const fn held_bytes(&self) -> usize {
        self.arena.held_bytes() + self.large_bytes
    }

    /// How much memory for folding is kept for the next operations, in bytes.
    pub(super) const fn spare_bytes(&self) -> usize {
        self.folder.held_bytes()
    }

    /// Gives it back.
    pub(super) fn drop_spare(&mut self) {
        self.folder = Folder::new();
    }

    pub(super) const fn has_much_garbage(&self) -> bool {
        self.arena.has_much_garbage()
    }

    #[inline]
    fn record(&self, at: At) -> Record<'_> {
        Record::read(self.arena.bytes(at))
    }

    fn large(&self, number: u32) -> &Large {
        let place = self.large.get(number as usize).and_then(Option::as_ref);
        place.expect("a record stands for each that there is")
    }

    /// Something of a record, so that it is near when it is needed.
    #[inline]
    pub(super) fn touch(&self, at: At) -> u8 {
        self.arena.bytes(at).first().copied().unwrap_or_default()
    }

    /// The key of a record.
    #[inline]
    pub(super) fn key(&self, at: At) -> &[u8] {
        match self.record(at) {
            Record::Small { key, .. } => key,
            Record::Large { number } => &self.large(number).key,
        }
    }

    /// The bytes of a record, if it lies in the arena.
    pub(super) fn small(&self, at: At) -> Option<&[u8]> {
        let bytes = self.arena.bytes(at);
        match Record::read(bytes) {
            record @ Record::Small { .. } => bytes.get(..record.len()),
            Record::Large { .. } => None,
        }
    }

    /// The patch of a record.
    pub(super) fn patch(&self, at: At) -> Patch<'_> {
        match self.record(at) {
            Record::Small { head, payload, .. } => record::patch(head, payload),
            Record::Large { number } => self.large(number).patch.borrowed(),
        }
    }

    /// Takes the first patch for a key.
    pub(super) fn add(&mut self, key: &[u8], patch: Patch<'_>) -> At {
        self.head.clear();
        patch.encode_head(&mut self.head);
        match record::lengths(key, &self.head, patch.payload()) {
            Some(lengths) => self.arena.push([&lengths, key, &self.head, patch.payload()]),
            None => self.add_large(key, patch.into_owned()),
        }
    }

    fn add_large(&mut self, key: &[u8], patch: Patch<'static>) -> At {
        let large = Large { key: key.into(), patch };
        self.large_bytes += large.held_bytes();
        let number = self.free.pop().unwrap_or_else(|| {
            self.large.push(None);
            u32::try_from(self.large.len() - 1).expect("a delta is flushed long before")
        });
        if let Some(place) = self.large.get_mut(number as usize) {
            *place = Some(large);
        }
        self.arena.push([&record::of_large(number), &[], &[], &[]])
    }

    fn take_large(&mut self, number: u32) -> Large {
        let large = self.large.get_mut(number as usize).and_then(Option::take);
        let large = large.expect("a record stands for each that there is");
        self.large_bytes -= large.held_bytes();
        self.free.push(number);
        large
    }

    /// Takes the first patch for a key, as a small record.
    pub(super) fn add_record(&mut self, record: &[u8]) -> At {
        self.arena.push([record, &[], &[], &[]])
    }

    /// Composes the patch of a small record, of `head` and `payload`, with the one of a record that is here. Returns
    /// where that lies then.
    pub(super) fn change_by(
        &mut self,
        at: At,
        (head, payload): (&[u8], &[u8]),
        found: &mut Vec<Misfit>,
    ) -> At {
        if let old @ Record::Small { key, head: old_head, payload: old_payload } = self.record(at)
            && only_appends(old_head, head, payload)
            && let Some(lengths) =
                record::lengths_of(key.len(), old_head.len(), old_payload.len() + payload.len())
        {
            let room = old.len();
            let (_, parts) = self.arena.bytes(at).split_at(record::LENGTHS_BYTES);
            self.payload.clear();
            self.payload.extend_from_slice(&lengths);
            self.payload.extend_from_slice(parts.get(..room - record::LENGTHS_BYTES).unwrap_or_default());
            self.payload.extend_from_slice(payload);
            return self.rewrite(at, room);
        }
        self.change(at, record::patch(head, payload), found)
    }

    /// Composes a patch with the one of a record. Returns where the record lies then.
    pub(super) fn change(&mut self, at: At, newer: Patch<'_>, found: &mut Vec<Misfit>) -> At {
        let (key, head, payload) = match Record::read(self.arena.bytes(at)) {
            Record::Small { key, head, payload } => (key, head, payload),
            Record::Large { number } => return self.change_large(at, number, newer, found),
        };
        let composed = self.folder.compose(record::patch(head, payload), newer, found);
        self.head.clear();
        composed.encode_head(&mut self.head);
        let room = record::LENGTHS_BYTES + key.len() + head.len() + payload.len();
        let Some(lengths) = record::lengths(key, &self.head, composed.payload()) else {
            let (key, patch) = (key.to_vec(), composed.into_owned());
            self.arena.give_up(room);
            return self.add_large(&key, patch);
        };
        self.payload.clear();
        self.payload.extend_from_slice(&lengths);
        self.payload.extend_from_slice(key);
        self.payload.extend_from_slice(&self.head);
        self.payload.extend_from_slice(composed.payload());
        self.rewrite(at, room)
    }

    /// Puts the record that was made where one of this length stood, or elsewhere.
    fn rewrite(&mut self, at: At, room: usize) -> At {
        let record = self.payload.as_slice();
        if let Some(place) = self.arena.bytes_mut(at).get_mut(..record.len()).filter(|it| it.len() <= room) {
            place.copy_from_slice(record);
            self.arena.give_up(room - record.len());
            return at;
        }
        self.arena.give_up(room);
        self.arena.push([record, &[], &[], &[]])
    }

    fn change_large(&mut self, at: At, number: u32, newer: Patch<'_>, found: &mut Vec<Misfit>) -> At {
        let Large { key, patch } = self.take_large(number);
        let patch = self.folder.compose(patch, newer, found).into_owned();
        self.arena.give_up(self.record(at).len());
        self.add(&key, patch)
    }

    /// Gives a record up for good.
    pub(super) fn remove(&mut self, at: At) {
        let record = self.record(at);
        let len = record.len();
        if let Record::Large { number } = record {
            self.take_large(number);
        }
        self.arena.give_up(len);
    }

    /// Copies the records of all tables to a new arena, without what was given up.
    pub(super) fn tidy<'t>(&mut self, tables: impl Iterator<Item = &'t mut Table>) {
        let old = std::mem::take(&mut self.arena);
        for table in tables {
            table.each_mut(|at| {
                let bytes = old.bytes(at);
                let len = Record::read(bytes).len();
                self.arena.push([bytes.get(..len).unwrap_or_default(), &[], &[], &[]])
            });
        }
    }
}
