//! The patches of one collection by key: for flush, and for reading what was not flushed yet.

use super::Delta;
use super::arena::At;
use super::record::Record;
use super::shard::Shard;
use crate::patch::Patch;
use rayon::prelude::*;
use std::ops::Range;
use tidemark_base::CollectionUuid;

/// Where a patch lies, and how its key begins.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The first 16 bytes of the key, filled up with zeros: most keys differ there, and need not be looked up.
    begin: [u64; 2],
    shard: u32,
    at: At,
}

/// What sorting takes for each patch, in bytes.
pub(super) const PLACE_BYTES: usize = size_of::<Place>();

/// Patches by ascending key.
#[derive(Debug)]
pub(crate) struct Sorted<'d> {
    delta: &'d Delta,
    places: Vec<Place>,
}

impl Delta {
    /// All patches of a collection, by key.
    pub(crate) fn sorted(&self, uuid: CollectionUuid) -> Sorted<'_> {
        // Filled where they stand: to collect them would take the memory twice.
        let none = Place { begin: [0; 2], shard: 0, at: At(0) };
        let mut places = vec![none; self.len(uuid)];
        let (mut parts, mut rest) = (Vec::with_capacity(self.shards.len()), places.as_mut_slice());
        for (number, shard) in (0..).zip(&self.shards) {
            let (part, behind) = rest.split_at_mut(shard.len(uuid));
            rest = behind;
            parts.push((number, shard, part));
        }
        parts.into_par_iter().for_each(|(number, shard, part)| {
            for (place, at) in part.iter_mut().zip(shard.records(uuid)) {
                *place = Place { begin: begin(shard.key(at)), shard: number, at };
            }
        });
        let sorted = Sorted { delta: self, places: Vec::new() };
        places.par_sort_unstable_by(|a, b| {
            a.begin.cmp(&b.begin).then_with(|| sorted.key(*a).cmp(sorted.key(*b)))
        });
        Sorted { places, ..sorted }
    }
}

/// The same patches, borrowed, as a stack takes them on top.
pub(crate) fn by_ref<'a>(patches: &'a [(&'a [u8], Patch<'a>)]) -> Vec<(&'a [u8], &'a Patch<'a>)> {
    patches.iter().map(|(key, patch)| (*key, patch)).collect()
}

fn begin(key: &[u8]) -> [u64; 2] {
    let mut bytes = [0; 16];
    let len = key.len().min(bytes.len());
    if let (Some(to), Some(from)) = (bytes.get_mut(..len), key.get(..len)) {
        to.copy_from_slice(from);
    }
    let number = u128::from_be_bytes(bytes);
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    [(number >> 64) as u64, number as u64]
}

impl<'d> Sorted<'d> {
    fn key(&self, place: Place) -> &'d [u8] {
        self.shard(place).key(place.at)
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.places.len()
    }

    /// All of them, by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'d [u8], Patch<'d>)> {
        self.places.iter().map(|place| (self.key(*place), self.shard(*place).patch(place.at)))
    }

    fn shard(&self, place: Place) -> &'d Shard {
        self.delta.shards.get(place.shard as usize).expect("it is one of these shards")
    }

    /// Copies those with these numbers, as far as there are so many, to one place, over what was there.
    pub(crate) fn gather(&self, part: Range<usize>, into: &mut Gathered<'d>) {
        let end = part.end.min(self.len());
        into.records.clear();
        into.starts.clear();
        into.large.clear();
        for place in self.places.get(part.start.min(end)..end).unwrap_or_default() {
            if let Some(record) = self.shard(*place).small(place.at) {
                into.starts.push(Some(into.records.len()));
                into.records.extend_from_slice(record);
            } else {
                into.starts.push(None);
                into.large.push((self.key(*place), self.shard(*place).patch(place.at)));
            }
        }
    }
}

/// Patches by ascending key, one behind the other in memory; only large ones are where they were.
#[derive(Debug, Default)]
pub(crate) struct Gathered<'d> {
    records: Vec<u8>,
    /// Where each record starts; none for the next of the large ones.
    starts: Vec<Option<usize>>,
    large: Vec<(&'d [u8], Patch<'d>)>,
}

impl Gathered<'_> {
    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], Patch<'_>)> {
        let mut large = self.large.iter();
        self.starts.iter().map(move |start| match start {
            Some(start) => {
                let record = Record::read(self.records.get(*start..).unwrap_or_default());
                record.small().expect("only small ones are copied")
            }
            None => {
                let (key, patch) = large.next().expect("there is one for each that was not copied");
                (*key, patch.borrowed())
            }
        })
    }
}
