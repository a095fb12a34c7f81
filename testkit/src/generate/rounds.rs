//! Rounds of changes to orders, between which snapshots are taken: what a store has to bear for weeks, in short.
//!
//! Used by tests and benches of compaction. A round is a part of the orders that are there when it begins; each is
//! met once in it, chosen at random. Keeps 16 bytes per live order.

use super::oplog_mix::{Effect, Live, OplogMix, Target};
use super::orders::{Orders, Version};
use std::ops::Range;
use tidemark_base::{OpTime, SeededEntropy, Timestamp};

/// Rounds of one seed.
#[derive(Clone, Debug)]
pub struct Rounds {
    mix: OplogMix,
    entropy: SeededEntropy,
    live: Vec<Live>,
    next_number: u64,
}

impl Rounds {
    /// Rounds over the orders 0 to `initial`, all as inserted. Entries come after the timestamp `after`.
    #[must_use]
    pub fn new(orders: Orders, target: Target, initial: u64, seed: u64, after: Timestamp) -> Self {
        let live = (0..initial).map(|number| Live { number, version: Version::default() }).collect();
        let mix = OplogMix::new(orders, target, 0, seed, after);
        Self { mix, entropy: SeededEntropy::new(seed), live, next_number: initial }
    }

    /// The position of the last entry.
    #[must_use]
    pub const fn last(&self) -> OpTime {
        self.mix.last()
    }

    /// How many orders there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether there are no orders.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Appends the entries of an ordinary round: 1 % updates, 1 % inserts at the end of the keys, 0.2 % deletes.
    pub fn ordinary(&mut self, out: &mut Vec<u8>) {
        let (hundredth, few) = (self.live.len() / 100, self.live.len() / 500);
        for number in 0..hundredth {
            let at = self.pick(number);
            let order = self.changed(at);
            self.mix.write(Effect::Update(order), out);
        }
        for _ in 0..few {
            let at = self.pick(hundredth);
            let gone = self.live.swap_remove(at);
            self.mix.write(Effect::Delete(gone), out);
        }
        for _ in 0..hundredth {
            let order = Live { number: self.next_number, version: Version::default() };
            self.next_number += 1;
            self.live.push(order);
            self.mix.write(Effect::Insert(order), out);
        }
    }

    /// Appends the entries of a round that replaces 5 % of all orders as a whole.
    pub fn replacing(&mut self, out: &mut Vec<u8>) {
        for number in 0..self.live.len() / 20 {
            let at = self.pick(number);
            let order = self.changed(at);
            self.mix.replacement(order, out);
        }
    }

    /// Appends entries that replace so many of the orders that lie at these places of the list; while nothing is
    /// deleted and no other round was played, that are those with these numbers.
    pub fn replacing_among(&mut self, places: Range<u64>, count: u64, out: &mut Vec<u8>) {
        for _ in 0..count {
            let at = places.start + self.entropy.below(places.end - places.start);
            let order = self.changed(usize::try_from(at).expect("a place in memory"));
            self.mix.replacement(order, out);
        }
    }

    /// Chooses one of the orders behind the first so many, and puts it where those end.
    fn pick(&mut self, chosen: usize) -> usize {
        let left = (self.live.len() - chosen).max(1) as u64;
        let at = chosen + usize::try_from(self.entropy.below(left)).unwrap_or_default();
        self.live.swap(chosen, at);
        chosen
    }

    fn changed(&mut self, at: usize) -> Live {
        let order = &mut self.live[at];
        order.version.updates += 1;
        *order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use tidemark_base::CollectionUuid;
    use tidemark_base::bson::split;

    #[test]
    fn a_round_has_the_entries_that_it_says() {
        let target = Target { namespace: "a.b".to_owned(), uuid: CollectionUuid::from_bytes([1; 16]) };
        let mut rounds = Rounds::new(Orders::new(1), target, 10_000, 1, Timestamp { secs: 1, ordinal: 1 });
        let ops = |bytes: &[u8]| -> Vec<String> {
            let op = |entry: tidemark_base::bson::Doc<'_>| {
                entry.get("op").unwrap().unwrap().as_str().unwrap().to_owned()
            };
            split(bytes).map(|entry| op(entry.unwrap())).collect()
        };
        let mut out = Vec::new();
        rounds.ordinary(&mut out);
        let ordinary = ops(&out);
        let count = |op: &str| ordinary.iter().filter(|it| *it == op).count();
        assert_eq!((count("u"), count("i"), count("d")), (100, 100, 20));
        assert_eq!(rounds.len(), 10_080);
        out.clear();
        rounds.replacing(&mut out);
        let ids: BTreeSet<Vec<u8>> =
            split(&out).map(|entry| entry.unwrap().get("o2").unwrap().unwrap().value.to_vec()).collect();
        assert_eq!(ids.len(), 504);
    }
}
