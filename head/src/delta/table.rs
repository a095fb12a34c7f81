//! A hash table from keys to places in an arena, which holds neither keys nor hashes longer than it must.
//!
//! One for each collection of a shard. Eight bytes a slot: half of the hash, and the place; zero is an empty slot.
//! Open addressing with linear probing. Nothing is ever taken out of it: a document that is gone has a patch that
//! says so, and a collection goes whole.

use super::arena::At;

const FEWEST_SLOTS: usize = 8;

/// The places of one collection's records.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// As many as a power of two, or none.
    slots: Vec<u64>,
    len: usize,
}

impl Table {
    /// How much memory it takes, in bytes.
    pub(super) const fn held_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
    }

    /// How many places there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The slot of the record with this hash for which `is` holds, and its place.
    #[inline]
    pub(super) fn find(&self, hash: u32, is: impl Fn(At) -> bool) -> Option<(usize, At)> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut number = hash as usize & mask;
        loop {
            let slot = *self.slots.get(number)?;
            if slot == 0 {
                return None;
            }
            if hash_of(slot) == hash && is(at_of(slot)) {
                return Some((number, at_of(slot)));
            }
            number = (number + 1) & mask;
        }
    }

    /// The place that is probably that of the record with this hash, so that it is near when it is needed.
    #[inline]
    pub(super) fn touch(&self, hash: u32) -> Option<At> {
        let slot = *self.slots.get(hash as usize & self.slots.len().checked_sub(1)?)?;
        (hash_of(slot) == hash).then(|| at_of(slot))
    }

    /// Adds a record that is not there yet.
    pub(super) fn insert(&mut self, hash: u32, at: At) {
        if self.len + 1 > self.slots.len() / 4 * 3 {
            self.grow();
        }
        self.len += 1;
        put(&mut self.slots, hash, at);
    }

    /// Says that the record of a slot lies elsewhere now.
    pub(super) fn moved(&mut self, number: usize, at: At) {
        if let Some(slot) = self.slots.get_mut(number) {
            *slot = slot_of(hash_of(*slot), at);
        }
    }

    /// The places of all records, each of which may be moved.
    pub(super) fn each_mut(&mut self, mut each: impl FnMut(At) -> At) {
        for slot in self.slots.iter_mut().filter(|slot| **slot != 0) {
            *slot = slot_of(hash_of(*slot), each(at_of(*slot)));
        }
    }

    /// The places of all records, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = At> {
        self.slots.iter().filter(|slot| **slot != 0).map(|slot| at_of(*slot))
    }

    fn grow(&mut self) {
        let mut slots = Vec::new();
        let len = (self.slots.len() * 2).max(FEWEST_SLOTS);
        slots.reserve_exact(len);
        slots.resize(len, 0);
        for slot in self.slots.iter().filter(|slot| **slot != 0) {
            put(&mut slots, hash_of(*slot), at_of(*slot));
        }
        self.slots = slots;
    }
}

/// Puts a record into the first empty slot from where its hash says. There is one.
fn put(slots: &mut [u64], hash: u32, at: At) {
    let mask = slots.len() - 1;
    let mut number = hash as usize & mask;
    while let Some(slot) = slots.get_mut(number) {
        if *slot == 0 {
            *slot = slot_of(hash, at);
            return;
        }
        number = (number + 1) & mask;
    }
}

const fn slot_of(hash: u32, at: At) -> u64 {
    (hash as u64) << 32 | at.0 as u64
}

const fn hash_of(slot: u64) -> u32 {
    (slot >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
const fn at_of(slot: u64) -> At {
    At(slot as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_found_also_where_hashes_are_alike() {
        // Of eight records each the hash is the same, and many differ only in what a small table leaves out.
        let hash = |n: u32| (n / 8).wrapping_mul(0x9e37_79b9) & 0xffff_0003;
        let mut table = Table::default();
        for n in 1..=5000 {
            assert_eq!(table.find(hash(n), |at| at.0 == n), None);
            table.insert(hash(n), At(n));
        }
        assert_eq!(table.len(), 5000);
        for n in 1..=5000 {
            let (slot, at) = table.find(hash(n), |at| at.0 == n).unwrap();
            assert_eq!(at, At(n));
            table.moved(slot, At(n + 10_000));
        }
        let mut all: Vec<u32> = table.iter().map(|at| at.0).collect();
        all.sort_unstable();
        assert_eq!(all, (10_001..=15_000).collect::<Vec<_>>());
        table.each_mut(|at| At(at.0 - 10_000));
        assert!((1..=5000).all(|n| table.find(hash(n), |at| at.0 == n).is_some()));
        assert_eq!(Table::default().find(7, |_| true), None);
    }
}
