//! What all parts need: a head of orders in a folder, and oplog that changes them.

use std::path::Path;
use std::sync::Arc;
use tidemark_base::bson::{Doc, DocWriter, kind, split};
use tidemark_base::{CollectionUuid, OpTime, Timestamp};
use tidemark_blockstore::{LocalBackend, Store};
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_testkit::generate::orders::{Orders, Version};

pub(crate) const UUID: CollectionUuid = CollectionUuid::from_bytes([7; 16]);
const BEGIN: OpTime = OpTime { ts: Timestamp { secs: 1_700_000_000, ordinal: 0 }, term: 1 };
/// What an import may hold in memory.
const BUDGET_BYTES: usize = 256 << 20;
/// How much is made and handed over at once, in bytes.
const BATCH_BYTES: usize = 8 << 20;

pub(crate) fn name() -> HeadName {
    HeadName::new("local", "rs0").unwrap()
}

/// A head of orders, and the oplog that comes after it.
pub(crate) struct Rig {
    pub(crate) head: Head,
    pub(crate) store: Store,
    source: Orders,
    orders: u64,
    /// Orders that were inserted since.
    inserted: u64,
    /// Entries so far: the seconds of the next ones.
    entries: u32,
}

impl Rig {
    pub(crate) fn build(folder: &Path, orders: u64) -> Self {
        let store = Store::new(Arc::new(LocalBackend::create(folder).unwrap()));
        let mut import = Import::begin(&store, BEGIN, Filter::default(), BUDGET_BYTES).unwrap();
        let options = bson::doc! {}.to_vec().unwrap();
        let (database, collection) = ("shop".to_owned(), "orders".to_owned());
        let collection = Collection { database, name: collection, options, indexes: Vec::new() };
        import.collection(UUID, collection).unwrap();
        let source = Orders::new(1);
        each_batch(source, orders, |batch| {
            let documents: Vec<Doc<'_>> = split(batch).map(Result::unwrap).collect();
            import.documents(UUID, &documents).unwrap();
        });
        let head = import.finish(&name(), None).unwrap();
        Self { head, store, source, orders, inserted: 0, entries: 0 }
    }

    /// The number of the `n`-th order of those that are changed, all over the collection.
    fn chosen(&self, n: u64) -> u64 {
        // A prime that divides no power of ten: each order comes once in a round through all.
        n.wrapping_mul(7_368_787) % self.orders
    }

    /// One patch run: so many of 1000 orders updated by diffs, replaced, deleted, and as many inserted.
    pub(crate) fn layer(&mut self, round: u64, share: Share) {
        let part = |thousandths: u64| self.orders * thousandths / 1000;
        let (updates, replaced) = (part(share.updated), part(share.replaced));
        let (deleted, inserted) = (part(share.deleted), part(share.inserted));
        let mut bytes = Vec::new();
        let first = round * (updates + replaced + deleted);
        for n in 0..updates {
            let id = self.document(self.chosen(first + n), 0);
            self.entry("u", &mut bytes, |w| {
                let o = w.begin_field(kind::OBJECT, b"o");
                w.int32(b"$v", 2);
                let diff = w.begin_field(kind::OBJECT, b"diff");
                let fields = w.begin_field(kind::OBJECT, b"u");
                w.string(b"status", format!("status {round}").as_bytes());
                w.int64(b"updated", i64::from(self.entries));
                w.end(fields);
                w.end(diff);
                w.end(o);
                id_field(b"o2", &id, w);
            });
            self.apply(&mut bytes);
        }
        for n in updates..updates + replaced {
            let document = self.document(self.chosen(first + n), 1 + round);
            self.entry("u", &mut bytes, |w| {
                w.raw(kind::OBJECT, b"o", &document);
                id_field(b"o2", &document, w);
            });
            self.apply(&mut bytes);
        }
        for n in updates + replaced..updates + replaced + deleted {
            let id = self.document(self.chosen(first + n), 0);
            self.entry("d", &mut bytes, |w| id_field(b"o", &id, w));
            self.apply(&mut bytes);
        }
        for _ in 0..inserted {
            let document = self.document(self.orders + self.inserted, 0);
            self.entry("i", &mut bytes, |w| {
                w.raw(kind::OBJECT, b"o", &document);
                id_field(b"o2", &document, w);
            });
            self.inserted += 1;
            self.apply(&mut bytes);
        }
        self.apply_all(&mut bytes);
        self.head.flush().unwrap();
    }

    /// An order, after so many updates.
    pub(crate) fn document(&self, number: u64, updates: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let version = Version { updates: u32::try_from(updates).unwrap(), pushed: 0 };
        self.source.document_at(number, version, &mut out);
        out
    }

    fn entry(&self, op: &str, out: &mut Vec<u8>, fill: impl FnOnce(&mut DocWriter<'_>)) {
        let mut w = DocWriter::new(out);
        let open = w.begin();
        w.string(b"op", op.as_bytes());
        w.string(b"ns", b"shop.orders");
        w.binary(b"ui", 4, UUID.as_bytes());
        fill(&mut w);
        w.timestamp(b"ts", Timestamp { secs: BEGIN.ts.secs + 1 + self.entries, ordinal: 1 });
        w.int64(b"t", 1);
        w.int64(b"v", 2);
        w.raw(kind::DATE, b"wall", &0_i64.to_le_bytes());
        w.end(open);
    }

    /// Counts an entry, and applies once there are many.
    fn apply(&mut self, bytes: &mut Vec<u8>) {
        self.entries += 1;
        if bytes.len() >= BATCH_BYTES {
            self.apply_all(bytes);
        }
    }

    fn apply_all(&mut self, bytes: &mut Vec<u8>) {
        let entries: Vec<Doc<'_>> = split(bytes).map(Result::unwrap).collect();
        self.head.apply(&entries).unwrap();
        bytes.clear();
    }

    /// All documents as the peer has them: compressed blocks of 64 KiB, with their length.
    pub(crate) fn bare_blocks(&self) -> Vec<Vec<u8>> {
        use rayon::prelude::*;
        let mut blocks = Vec::new();
        each_batch(self.source, self.orders, |batch| {
            let packed: Vec<Vec<u8>> =
                batch.par_chunks(BLOCK_BYTES).map(|block| zstd::bulk::compress(block, 3).unwrap()).collect();
            blocks.extend(packed);
        });
        blocks
    }
}

pub(crate) const BLOCK_BYTES: usize = 65_536;

/// How many of 1000 orders a layer touches.
#[derive(Clone, Copy, Default)]
pub(crate) struct Share {
    pub(crate) updated: u64,
    pub(crate) replaced: u64,
    pub(crate) deleted: u64,
    pub(crate) inserted: u64,
}

fn each_batch(source: Orders, orders: u64, mut each: impl FnMut(&[u8])) {
    let mut batch = Vec::new();
    for number in 0..orders {
        source.document(number, &mut batch);
        if batch.len() >= BATCH_BYTES || number + 1 == orders {
            each(&batch);
            batch.clear();
        }
    }
}

fn id_field(name: &[u8], document: &[u8], w: &mut DocWriter<'_>) {
    let id = Doc::new(document).unwrap().get("_id").unwrap().unwrap();
    let field = w.begin_field(kind::OBJECT, name);
    w.raw(id.kind, b"_id", id.value);
    w.end(field);
}
