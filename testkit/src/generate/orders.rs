//! Orders of a shop: the workload G of our benchmarks.
//!
//! Document `n` of a seed is a pure function of both: about 580 bytes, nested line items, customer, address,
//! payment, dates, decimals, doubles, a few texts; compressible by zstd about 3.4 times in pieces of 64 KiB.
//! `_id` is an ObjectId ascending in time, or a random UUID. An order also has later versions, after updates
//! and pushes, as pure functions of their numbers: [`super::oplog_mix`] writes the entries that lead there.

use super::words::{
    CITIES, FIRST_NAMES, LAST_NAMES, NOUNS, PAYMENT_STATES, PHRASES, STATUSES, STREETS, below_i32, pick,
    stream,
};
use super::writer::{Index, Writer, document};
use tidemark_base::{Entropy, SeededEntropy};

/// When order 0 was made: seconds since 1970.
const FIRST_SECOND: u64 = 1_700_000_000;
/// How many orders a second; a power of two, so that the counter of the ObjectIds wraps between seconds.
const ORDERS_PER_SECOND: u64 = 64;

/// Purposes of streams; items take [`ITEM`] plus their index.
const BASE: u64 = 0;
const CHANGE: u64 = 1;
const ID: u64 = 2;
const ITEM: u64 = 1 << 32;

/// What the `_id`s are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdStyle {
    ObjectId,
    Uuid,
}

/// All orders of one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orders {
    seed: u64,
    ids: IdStyle,
}

/// How far an order has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// How often it was updated; each update replaces the values of the one before.
    pub updates: u32,
    /// How many items were pushed.
    pub pushed: u32,
}

/// What one update writes.
pub(super) struct Change {
    pub(super) status: &'static str,
    pub(super) updated_ms: i64,
    pub(super) payment_state: Option<&'static str>,
    pub(super) note: Option<[&'static str; 2]>,
}

impl Orders {
    /// Orders with ObjectIds that ascend with `n`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, ids: IdStyle::ObjectId }
    }

    /// The same orders with random UUIDs as `_id`.
    #[must_use]
    pub const fn with_uuid_ids(seed: u64) -> Self {
        Self { seed, ids: IdStyle::Uuid }
    }

    /// Appends order `n` as it was inserted.
    pub fn document(&self, n: u64, out: &mut Vec<u8>) {
        self.document_at(n, Version::default(), out);
    }

    /// Appends order `n` after updates and pushes.
    pub fn document_at(&self, n: u64, version: Version, out: &mut Vec<u8>) {
        document(out, |w| self.write(n, version, w));
    }

    /// Appends the fields of order `n` at a version to an open document, for instance an entry's `o`.
    pub fn write(&self, n: u64, version: Version, w: &mut Writer<'_>) {
        self.id(n, w);
        self.fields(n, version, w);
    }

    /// How many items order `n` has when it is inserted.
    #[must_use]
    pub fn items(&self, n: u64) -> u32 {
        u32::try_from(1 + stream(self.seed, n, BASE).below(3)).expect("at most three")
    }

    /// Appends the `_id` of order `n`.
    pub fn id(&self, n: u64, w: &mut Writer<'_>) {
        match self.ids {
            IdStyle::ObjectId => {
                let mut id = [0; 12];
                let second = FIRST_SECOND + n / ORDERS_PER_SECOND;
                let process = stream(self.seed, 0, ID).next_u64();
                id[..4].copy_from_slice(&second.to_be_bytes()[4..]);
                id[4..9].copy_from_slice(&process.to_be_bytes()[3..]);
                id[9..].copy_from_slice(&n.to_be_bytes()[5..]);
                w.object_id("_id", id);
            }
            IdStyle::Uuid => {
                let mut id = [0; 16];
                stream(self.seed, n, ID).fill(&mut id);
                id[6] = (id[6] & 0x0f) | 0x40;
                id[8] = (id[8] & 0x3f) | 0x80;
                w.binary("_id", 4, &id);
            }
        }
    }

    fn fields(&self, n: u64, version: Version, w: &mut Writer<'_>) {
        let mut e = stream(self.seed, n, BASE);
        // The first draw of the stream: `items` makes it again.
        let items = u64::from(version.pushed) + 1 + e.below(3);
        let created = created_ms(n);
        let last = (version.updates > 0).then(|| self.change(n, version.updates));
        w.i64("number", i64::try_from(n).unwrap_or(i64::MAX));
        w.str("status", last.as_ref().map_or(STATUSES[0], |change| change.status));
        w.date("created", created);
        w.date("updated", last.as_ref().map_or(created, |change| change.updated_ms));
        w.i32("version", i32::try_from(version.updates).unwrap_or(i32::MAX));
        w.object("customer", |w| customer(&mut e, w));
        w.object("address", |w| {
            w.strs("street", &[&Index::new(1 + e.below(200)), " ", pick(&STREETS, &mut e)]);
            w.str("city", pick(&CITIES, &mut e));
            w.str("zip", &Index::padded(e.below(100_000), 5));
        });
        w.object("payment", |w| {
            w.str("state", self.payment_state(n, version.updates).unwrap_or(PAYMENT_STATES[0]));
            w.decimal("amount", 500 + e.below(50_000), -2);
            w.text("token", |out| code(&mut e, 48, out));
        });
        w.array("items", |w| {
            for index in 0..items {
                w.object(&Index::new(index), |w| self.item(n, index, w));
            }
        });
        w.text("tracking", |out| code(&mut e, 24, out));
        if e.below(4) == 0 {
            w.str("comment", pick(&PHRASES, &mut e));
        }
        if let Some(note) = self.note(n, version.updates) {
            w.strs("note", &note);
        }
    }

    /// Appends the fields of item `index` of order `n`, whether it was there from the start or pushed.
    pub(super) fn item(&self, n: u64, index: u64, w: &mut Writer<'_>) {
        let mut e = stream(self.seed, n, ITEM + index);
        w.text("sku", |out| code(&mut e, 16, out));
        w.str("title", pick(&NOUNS, &mut e));
        w.i32("qty", 1 + below_i32(&mut e, 5));
        w.f64("price", f64::from(99 + below_i32(&mut e, 20_000)) / 100.0);
    }

    /// What update number `update` (from 1) of order `n` writes.
    pub(super) fn change(&self, n: u64, update: u32) -> Change {
        let mut e = stream(self.seed, n, CHANGE + (u64::from(update) << 8));
        let status = pick(&STATUSES, &mut e);
        let updated_ms =
            created_ms(n) + i64::from(update) * 3_600_000 + i64::from(below_i32(&mut e, 3_600_000));
        let payment_state = (e.below(4) == 0).then(|| pick(&PAYMENT_STATES, &mut e));
        let note = (e.below(3) == 0).then(|| [pick(&PHRASES, &mut e), "; see the log"]);
        Change { status, updated_ms, payment_state, note }
    }

    /// The note after `updates` updates: the last one that was written.
    pub(super) fn note(&self, n: u64, updates: u32) -> Option<[&'static str; 2]> {
        (1..=updates).rev().find_map(|update| self.change(n, update).note)
    }

    fn payment_state(&self, n: u64, updates: u32) -> Option<&'static str> {
        (1..=updates).rev().find_map(|update| self.change(n, update).payment_state)
    }
}

fn created_ms(n: u64) -> i64 {
    i64::try_from(FIRST_SECOND * 1000 + n * 1000 / ORDERS_PER_SECOND).expect("orders are not that many")
}

/// A code of that many letters and digits, such as shops print: five bits in each.
fn code(e: &mut SeededEntropy, letters: usize, out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKLMNPQRSTUVWX";
    let mut bits = 0;
    for letter in 0..letters {
        if letter % 12 == 0 {
            bits = e.next_u64();
        }
        out.push(ALPHABET[(bits & 31) as usize]);
        bits >>= 5;
    }
}

fn customer(e: &mut SeededEntropy, w: &mut Writer<'_>) {
    let (first, last) = (pick(&FIRST_NAMES, e), pick(&LAST_NAMES, e));
    w.i32("id", below_i32(e, 1_000_000));
    w.strs("name", &[first, " ", last]);
    w.text("email", |out| {
        code(e, 8, out);
        out.extend_from_slice(b"@ex.org");
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::IdKey;

    fn documents(orders: Orders, range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
        range
            .map(|n| {
                let mut out = Vec::new();
                orders.document(n, &mut out);
                out
            })
            .collect()
    }

    #[test]
    fn the_mean_size_is_about_580_bytes() {
        let total: usize = documents(Orders::new(1), 0..20_000).iter().map(Vec::len).sum();
        let mean = total / 20_000;
        assert!((570..=590).contains(&mean), "{mean}");
    }

    #[test]
    fn pieces_of_64_kib_compress_about_3_4_times() {
        let all = documents(Orders::new(1), 0..20_000).concat();
        let packed: usize = all.chunks(64 << 10).map(|c| zstd::bulk::compress(c, 3).unwrap().len()).sum();
        let hundredths = all.len() * 100 / packed;
        assert!((320..=360).contains(&hundredths), "{hundredths}");
    }

    #[test]
    fn every_order_is_valid_and_the_same_when_made_again() {
        let orders = Orders::with_uuid_ids(9);
        for (n, bytes) in documents(orders, 0..500).iter().enumerate() {
            let n = n as u64;
            let read = bson::Document::from_reader(bytes.as_slice()).unwrap();
            assert_eq!(&read.to_vec().unwrap(), bytes);
            assert_eq!(read.get_array("items").unwrap().len(), orders.items(n) as usize);
            assert_eq!(&documents(orders, n..n + 1)[0], bytes);
        }
    }

    #[test]
    fn ids_ascend_across_the_wrap_of_their_counter() {
        let wrap = 1 << 24;
        for range in [0..300, wrap - 300..wrap + 300] {
            let ids: Vec<_> = documents(Orders::new(3), range)
                .iter()
                .map(|d| IdKey::of_document(d).unwrap().unwrap())
                .collect();
            assert!(ids.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn seeds_and_numbers_make_different_orders() {
        let (a, b) = (documents(Orders::new(1), 0..2), documents(Orders::new(2), 0..2));
        assert!(a[0] != a[1] && a[0] != b[0] && a[1] != b[1]);
    }
}
