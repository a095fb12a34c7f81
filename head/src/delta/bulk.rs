//! Many changes at once: routed in parallel, and applied by the shards in parallel.
//!
//! The applier makes one of these from each piece of a batch, on whatever thread, while the entries are near; the
//! delta takes them together. Patches are copied as the records that shards keep, one behind the other, so that a
//! shard finds what it takes in few places.

use super::record::{self, LENGTHS_BYTES};
use super::shard::Shard;
use super::{Delta, Found, Hash, MOST_SPARE_BYTES, SHARDS, WORTH_THREADS, divergence};
use crate::divergence::{Divergence, Span, What};
use crate::key::{self, KeyError};
use crate::patch::{Misfit, Patch, encode_of};
use rayon::prelude::*;
use tidemark_base::{CollectionUuid, OpTime};
use tidemark_oplog::entry::{Body, Change, Entry};

/// About how long a record is, in bytes.
const RECORD_BYTES: usize = 200;

/// How many changes of a shard are looked at before the first is applied.
const AHEAD: usize = 16;

/// A change.
#[derive(Clone, Copy, Debug)]
struct Routed {
    hash: Hash,
    /// The number of its entry in the piece.
    entry: u32,
    collection: u32,
    /// Where its record begins and ends; the same if it is too long for one.
    start: u32,
    end: u32,
}

/// The changes of one piece of a batch that go into the delta.
#[derive(Debug, Default)]
pub(crate) struct Bulk {
    /// In order; by shard after [`Bulk::seal`], and in order within each.
    routed: Vec<Routed>,
    records: Vec<u8>,
    /// Where the changes of each shard begin.
    starts: Vec<u32>,
    collections: Vec<(CollectionUuid, Span)>,
    /// What does not fit whatever there is, by the number of the entry.
    found: Vec<(u32, What)>,
    misfits: Vec<Misfit>,
    head: Vec<u8>,
}

impl Bulk {
    /// Nothing yet, with room for so many changes.
    pub(crate) fn new(changes: usize) -> Self {
        let (routed, records) = (Vec::with_capacity(changes), Vec::with_capacity(changes * RECORD_BYTES));
        Self { routed, records, ..Self::default() }
    }

    /// Adds the next change, to this collection. Its entry has this number in the piece.
    ///
    /// # Errors
    /// If its `_id` has no key.
    pub(crate) fn push(
        &mut self,
        entry: u32,
        at: OpTime,
        uuid: CollectionUuid,
        change: &Change<'_>,
    ) -> Result<(), KeyError> {
        let start = self.records.len();
        self.records.extend_from_slice(&[0; LENGTHS_BYTES]);
        key::encode(change.id(), &mut self.records)?;
        let key_end = self.records.len();
        let key = self.records.get(start + LENGTHS_BYTES..).unwrap_or_default();
        let (hash, key_len) = (Hash::of(uuid, key), key.len());
        self.head.clear();
        // Its head is of one byte: it is one operation.
        self.records.push(0);
        encode_of(change, &mut self.head, &mut self.records, &mut self.misfits);
        self.found.extend(self.misfits.drain(..).map(|misfit| (entry, What::Document(misfit))));
        self.found.extend(change.doubt().map(|doubt| (entry, What::Doubt(doubt))));
        let lengths = record::lengths_of(key_len, 1, self.records.len() - key_end - 1);
        if let (Some(lengths), &[head]) = (lengths, self.head.as_slice()) {
            self.overwrite(start, &lengths);
            self.overwrite(key_end, &[head]);
        } else {
            self.records.truncate(start);
        }
        let narrow = |at: usize| u32::try_from(at).expect("a piece is far below 4 GiB");
        let (start, end) = (narrow(start), narrow(self.records.len()));
        let collection = narrow(self.collection(uuid, at));
        self.routed.push(Routed { hash, entry, collection, start, end });
        Ok(())
    }

    fn overwrite(&mut self, start: usize, bytes: &[u8]) {
        if let Some(place) = self.records.get_mut(start..start + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// The number of a collection, in which there is a change at this position.
    fn collection(&mut self, uuid: CollectionUuid, at: OpTime) -> usize {
        let number = self.collections.iter().rposition(|(other, _)| *other == uuid);
        let number = number.unwrap_or(self.collections.len());
        match self.collections.get_mut(number) {
            Some((_, span)) => span.last = at,
            None => self.collections.push((uuid, Span { first: at, last: at })),
        }
        number
    }

    /// Orders the changes by shard.
    pub(crate) fn seal(&mut self) {
        let mut starts = vec![0_u32; SHARDS + 1];
        for routed in &self.routed {
            if let Some(count) = starts.get_mut(routed.hash.shard() + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let Some(any) = self.routed.first() else { return };
        let mut next = starts.clone();
        let mut by_shard = vec![*any; self.routed.len()];
        for routed in &self.routed {
            let Some(next) = next.get_mut(routed.hash.shard()) else { continue };
            if let Some(place) = by_shard.get_mut(*next as usize) {
                *place = *routed;
            }
            *next += 1;
        }
        (self.starts, self.routed) = (starts, by_shard);
    }

    fn of_shard(&self, shard: usize) -> &[Routed] {
        let start = |at: usize| self.starts.get(at).map_or(0, |start| *start as usize);
        self.routed.get(start(shard)..start(shard + 1)).unwrap_or_default()
    }

    fn uuid(&self, routed: &Routed) -> CollectionUuid {
        let collection = self.collections.get(routed.collection as usize);
        collection.expect("it was noted with the change").0
    }

    /// Applies the changes that belong to a shard.
    fn apply(&self, entries: &[Entry<'_>], number: usize, shard: &mut Shard, found: &mut Vec<(u32, What)>) {
        let mut misfits = Vec::new();
        for group in self.of_shard(number).chunks(AHEAD) {
            let mut places = [None; AHEAD];
            for (place, routed) in places.iter_mut().zip(group) {
                *place = shard.touch(self.uuid(routed), routed.hash);
            }
            let touched = places.iter().flatten().fold(0, |sum, at| sum ^ shard.touch_record(*at));
            std::hint::black_box(touched);
            for routed in group {
                let uuid = self.uuid(routed);
                if routed.start < routed.end {
                    let record = self.records.get(routed.start as usize..routed.end as usize);
                    shard.apply_record(uuid, routed.hash, record.unwrap_or_default(), &mut misfits);
                } else if let Some(change) = entries.get(routed.entry as usize).and_then(change_of) {
                    let mut key = Vec::new();
                    key::encode(change.id(), &mut key).expect("it was encoded when it was routed");
                    // What it may find was found when it was routed.
                    let patch = Patch::of(change, &mut Vec::new());
                    shard.apply(uuid, routed.hash, &key, patch, &mut misfits);
                }
                found.extend(misfits.drain(..).map(|misfit| (routed.entry, What::Document(misfit))));
            }
        }
    }
}

fn change_of<'e, 'a>(entry: &'e Entry<'a>) -> Option<&'e Change<'a>> {
    match &entry.body {
        Body::Change(change) => Some(change),
        _ => None,
    }
}

impl Delta {
    /// Applies changes: pieces in order, each with its entries. What is certain not to fit is reported, in order.
    pub(crate) fn apply_bulk(&mut self, mut pieces: Vec<(&[Entry<'_>], Bulk)>) -> Vec<Divergence> {
        for (uuid, span) in pieces.iter().flat_map(|(_, piece)| &piece.collections) {
            self.reaches(*uuid, *span);
        }
        let before: Vec<_> = pieces.iter_mut().map(|(_, piece)| std::mem::take(&mut piece.found)).collect();
        let of_piece = |piece: usize, found: Vec<(u32, What)>| {
            found.into_iter().map(move |(entry, what)| ((piece, entry), what))
        };
        let mut all: Vec<_> =
            before.into_iter().enumerate().flat_map(|(piece, it)| of_piece(piece, it)).collect();
        let apply = |(number, shard): (usize, &mut Shard)| {
            let mut all = Vec::new();
            for (piece, (entries, bulk)) in pieces.iter().enumerate() {
                let mut found = Vec::new();
                bulk.apply(entries, number, shard, &mut found);
                all.extend(of_piece(piece, found));
            }
            shard.drop_spare_over(MOST_SPARE_BYTES);
            all
        };
        let found: Vec<_> = if pieces.iter().map(|(_, it)| it.routed.len()).sum::<usize>() < WORTH_THREADS {
            self.shards.iter_mut().enumerate().flat_map(apply).collect()
        } else {
            self.shards.par_iter_mut().enumerate().flat_map_iter(apply).collect()
        };
        all.extend(found);
        let told = all.into_iter().filter_map(|((piece, number), what)| {
            let entry = pieces.get(piece)?.0.get(number as usize)?;
            let (change, bulk) = (change_of(entry)?, &pieces.get(piece)?.1);
            let routed = bulk.routed.iter().find(|routed| routed.entry == number)?;
            let namespace = change.target.namespace.full();
            let divergence = divergence(entry.at, bulk.uuid(routed), namespace, change.id(), what);
            Some(((piece, number), divergence))
        });
        let told: Found = told.collect();
        Self::applied(told)
    }
}
