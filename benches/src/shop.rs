//! Workload G and its changes: a collection of orders that lives through rounds.
//!
//! The state is a version for each order, so that the dump of any moment can be made, in order of `_id`, and
//! the oplog entries that lead to the next. All deterministic. Gigabytes are made on all threads and streamed.

use anyhow::{Context, Result};
use rayon::prelude::*;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use tidemark_base::{CollectionUuid, OpTime, SeededEntropy, Timestamp};
use tidemark_oplog::slice::{Link, SliceWriter, TARGET_BYTES};
use tidemark_testkit::generate::oplog_mix::{Effect, Live, OplogMix, Target};
use tidemark_testkit::generate::orders::{Orders, Version};

/// Workload G.
pub const G: u64 = 4_000_000;
/// The same, to see that it works.
pub const QUICK: u64 = 100_000;
/// The collection.
pub const UUID: CollectionUuid = CollectionUuid::from_bytes([7; 16]);
/// Where the first dump stands in the oplog.
pub const BEGIN: OpTime = OpTime { ts: Timestamp { secs: 1_700_000_000, ordinal: 0 }, term: 1 };

/// Stands for the version of an order that was deleted.
const GONE: u32 = u32::MAX;
/// Orders that one thread makes at a time: about 8 MB.
const BATCH: usize = 1 << 14;
/// Batches made at once.
const BATCHES: usize = 4;

/// How many documents a round changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Updated at random, as diffs.
    pub updates: u64,
    /// Inserted.
    pub inserts: u64,
    /// Deleted at random.
    pub deletes: u64,
    /// Replaced as a whole, at random.
    pub replaced: u64,
}

impl Round {
    /// 1 % random updates, 1 % inserts, 0.2 % deletes.
    #[must_use]
    pub const fn usual(orders: u64) -> Self {
        Self { updates: orders / 100, inserts: orders / 100, deletes: orders / 500, replaced: 0 }
    }

    /// 5 % of the documents replaced at random.
    #[must_use]
    pub const fn replacing(orders: u64) -> Self {
        Self { updates: 0, inserts: 0, deletes: 0, replaced: orders / 20 }
    }
}

/// The collection at some moment.
#[derive(Debug)]
pub struct Shop {
    orders: Orders,
    /// By number.
    versions: Vec<u32>,
    mix: OplogMix,
    entropy: SeededEntropy,
}

impl Shop {
    /// So many orders, as they were inserted.
    ///
    /// # Panics
    /// If they do not fit into memory at four bytes each.
    #[must_use]
    pub fn new(orders: Orders, count: u64) -> Self {
        let target = Target { namespace: "shop.orders".to_owned(), uuid: UUID };
        let mix = OplogMix::new(orders, target, 0, 1, BEGIN.ts);
        let count = usize::try_from(count).expect("orders are numbered in memory");
        Self { orders, versions: vec![0; count], mix, entropy: SeededEntropy::new(5) }
    }

    /// Gives all documents in order of their numbers, which is that of ObjectIds, about 8 MB at a time.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn documents(&self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        for (group, versions) in self.versions.chunks(BATCH * BATCHES).enumerate() {
            let begin = group * BATCH * BATCHES;
            let made: Vec<_> = versions
                .par_chunks(BATCH)
                .enumerate()
                .map(|(index, versions)| self.batch(begin + index * BATCH, versions))
                .collect();
            made.iter().try_for_each(|batch| take(batch))?;
        }
        Ok(())
    }

    fn batch(&self, begin: usize, versions: &[u32]) -> Vec<u8> {
        let mut out = Vec::with_capacity(BATCH * 640);
        for (n, updates) in (begin as u64..).zip(versions).filter(|(_, it)| **it != GONE) {
            self.orders.document_at(n, Version { updates: *updates, pushed: 0 }, &mut out);
        }
        out
    }

    /// Writes a dump as mongodump does: `shop/orders.bson` and what belongs to it. Returns the bytes of
    /// documents.
    ///
    /// # Errors
    /// Those of the files.
    pub fn dump(&self, folder: &Path) -> Result<u64> {
        let folder = folder.join("shop");
        fs::create_dir_all(&folder)?;
        let uuid: String = UUID.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let metadata = format!(
            "{{\"indexes\":[{{\"v\":{{\"$numberInt\":\"2\"}},\"key\":{{\"_id\":{{\"$numberInt\":\"1\"}}}},\
             \"name\":\"_id_\"}}],\"uuid\":\"{uuid}\",\"collectionName\":\"orders\",\"type\":\"collection\"}}"
        );
        fs::write(folder.join("orders.metadata.json"), metadata)?;
        let mut file = File::create(folder.join("orders.bson"))?;
        let mut bytes = 0;
        self.documents(&mut |batch| {
            bytes += batch.len() as u64;
            file.write_all(batch).context("cannot write a dump; is the disk full?")
        })?;
        // What is still on its way to the disk would be paid for by whoever is measured next.
        file.sync_all()?;
        Ok(bytes)
    }

    /// Lets a round happen; returns its oplog entries.
    pub fn round(&mut self, round: Round) -> Vec<u8> {
        let mut entries = Vec::new();
        let Round { mut updates, mut inserts, mut deletes, mut replaced } = round;
        while updates + inserts + deletes + replaced > 0 {
            let dice = self.entropy.below(updates + inserts + deletes + replaced);
            if dice < updates {
                updates -= 1;
                let order = self.changed();
                self.mix.write(Effect::Update(order), &mut entries);
            } else if dice < updates + inserts {
                inserts -= 1;
                let order = Live { number: self.versions.len() as u64, version: Version::default() };
                self.versions.push(0);
                self.mix.write(Effect::Insert(order), &mut entries);
            } else if dice < updates + inserts + deletes {
                deletes -= 1;
                let (number, updates) = self.any();
                let version = Version { updates: *updates, pushed: 0 };
                *updates = GONE;
                self.mix.write(Effect::Delete(Live { number, version }), &mut entries);
            } else {
                replaced -= 1;
                let order = self.changed();
                self.mix.replacement(order, &mut entries);
            }
        }
        entries
    }

    /// An order that exists, at its next version.
    fn changed(&mut self) -> Live {
        let (number, updates) = self.any();
        *updates += 1;
        Live { number, version: Version { updates: *updates, pushed: 0 } }
    }

    /// An order that exists.
    fn any(&mut self) -> (u64, &mut u32) {
        let count = self.versions.len() as u64;
        loop {
            let number = self.entropy.below(count);
            let at = usize::try_from(number).expect("below the length");
            if self.versions[at] != GONE {
                return (number, &mut self.versions[at]);
            }
        }
    }

    /// The `_id` of an order that exists, as a document that holds nothing else.
    pub fn any_id(&mut self) -> Vec<u8> {
        let (number, _) = self.any();
        let mut out = Vec::new();
        tidemark_testkit::generate::writer::document(&mut out, |w| self.orders.id(number, w));
        out
    }
}

/// Entries as slices of a chain that goes on from one call to the next.
#[derive(Debug)]
pub struct Slices(SliceWriter);

impl Default for Slices {
    fn default() -> Self {
        Self(SliceWriter::new(Link::genesis(BEGIN)))
    }
}

impl Slices {
    /// Cuts entries into slices, each as it is sent.
    ///
    /// # Errors
    /// If they are no entries, or not in order.
    pub fn of(&mut self, entries: &[u8]) -> Result<Vec<Vec<u8>>> {
        let (mut slices, mut len) = (Vec::new(), 0);
        for entry in tidemark_base::bson::split(entries) {
            let entry = entry?;
            self.0.push(entry)?;
            len += entry.as_bytes().len();
            if len >= TARGET_BYTES || self.0.is_full() {
                slices.extend(self.0.finish().map(|slice| slice.bytes));
                len = 0;
            }
        }
        slices.extend(self.0.finish().map(|slice| slice.bytes));
        Ok(slices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::bson::split;

    #[test]
    fn rounds_change_what_they_say_and_the_dump_follows() {
        let mut shop = Shop::new(Orders::new(1), 1000);
        let entries = shop.round(Round { updates: 30, inserts: 20, deletes: 10, replaced: 5 });
        assert_eq!(split(&entries).count(), 65);
        let folder = tempfile::tempdir().unwrap();
        let bytes = shop.dump(folder.path()).unwrap();
        let dump = fs::read(folder.path().join("shop/orders.bson")).unwrap();
        assert_eq!((dump.len() as u64, split(&dump).count()), (bytes, 1010));
        let mut again = Shop::new(Orders::new(1), 1000);
        assert_eq!(again.round(Round { updates: 30, inserts: 20, deletes: 10, replaced: 5 }), entries);
    }

    #[test]
    fn slices_hold_all_entries_in_one_chain() {
        let mut shop = Shop::new(Orders::new(1), 100);
        let mut slices = Slices::default();
        for _ in 0..2 {
            let entries = shop.round(Round::usual(10_000));
            assert!(!slices.of(&entries).unwrap().is_empty());
        }
    }
}
