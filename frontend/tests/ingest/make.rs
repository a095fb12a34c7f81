//! Slices, batches and descriptions, as an agent would make them.

use tidemark_base::bson::{Doc, DocWriter, kind};
use tidemark_base::{CollectionUuid, OpTime, Timestamp};
use tidemark_oplog::initial_sync::{Batch, BatchId, BatchWriter};
use tidemark_oplog::slice::{Link, Slice, SliceWriter};

pub(crate) const A: CollectionUuid = CollectionUuid::from_bytes([0xa1; 16]);

pub(crate) fn at(secs: u32) -> OpTime {
    OpTime { ts: Timestamp { secs, ordinal: 1 }, term: 1 }
}

/// Where the chains of these tests begin.
pub(crate) fn start() -> Link {
    Link::genesis(at(5))
}

fn entry(secs: u32, says: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut doc = DocWriter::new(&mut bytes);
    let open = doc.begin();
    doc.string(b"o", says.as_bytes());
    doc.timestamp(b"ts", at(secs).ts);
    doc.int64(b"t", 1);
    doc.end(open);
    bytes
}

/// A slice of one entry for each of these seconds; `says` makes slices of the same seconds differ.
pub(crate) fn slice(after: Link, secs: impl IntoIterator<Item = u32>, says: &str) -> Slice {
    let mut writer = SliceWriter::new(after);
    for secs in secs {
        writer.push(Doc::new(&entry(secs, says)).unwrap()).unwrap();
    }
    writer.finish().unwrap()
}

/// The hash by which an agent knows an entry again.
pub(crate) fn hash(secs: u32, says: &str) -> String {
    blake3::hash(&entry(secs, says)).to_hex().to_string()
}

/// So many slices of three entries each, a second apart, from second 6 on.
pub(crate) fn chain(count: u32) -> Vec<Slice> {
    let mut after = start();
    let mut next = || {
        let from = after.at.ts.secs + 1;
        let made = slice(after, from..from + 3, "x");
        after = made.header.end();
        made
    };
    (0..count).map(|_| next()).collect()
}

pub(crate) fn batch(sync: u32, scan: u32, number: u32, says: &str) -> Batch {
    let mut writer = BatchWriter::new(BatchId { sync, collection: A, scan, number });
    let mut bytes = Vec::new();
    let mut doc = DocWriter::new(&mut bytes);
    let open = doc.begin();
    doc.string(b"_id", format!("{says} {number}").as_bytes());
    doc.end(open);
    writer.push(Doc::new(&bytes).unwrap()).unwrap();
    writer.finish().unwrap()
}

pub(crate) fn description(database: &str, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut doc = DocWriter::new(&mut bytes);
    let open = doc.begin();
    doc.string(b"db", database.as_bytes());
    doc.string(b"name", name.as_bytes());
    doc.raw(kind::OBJECT, b"options", Doc::EMPTY.as_bytes());
    doc.raw(kind::ARRAY, b"indexes", Doc::EMPTY.as_bytes());
    doc.end(open);
    bytes
}
