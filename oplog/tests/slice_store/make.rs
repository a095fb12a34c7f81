//! Slices with contents that can be known again.

use tidemark_base::bson::{Doc, DocWriter};
use tidemark_base::{OpTime, Timestamp};
use tidemark_blockstore::Store;
use tidemark_oplog::slice::{Link, Slice, SliceWriter};
use tidemark_oplog::store::{SliceStore, Stored};

pub(crate) const PREFIX: &str = "g/local/h/rs0";

pub(crate) fn slices_of(store: &Store) -> SliceStore {
    SliceStore::new(store, PREFIX)
}

pub(crate) fn at(secs: u32, term: i64) -> OpTime {
    OpTime { ts: Timestamp { secs, ordinal: 1 }, term }
}

pub(crate) fn ts(secs: u32) -> Timestamp {
    at(secs, 0).ts
}

pub(crate) fn start() -> Link {
    Link::genesis(at(5, 1))
}

/// A slice of one entry for each of these seconds; `says` makes slices of the same seconds differ.
pub(crate) fn slice(after: Link, secs: impl IntoIterator<Item = u32>, says: &str) -> Slice {
    let mut writer = SliceWriter::new(after);
    for secs in secs {
        let mut bytes = Vec::new();
        let mut doc = DocWriter::new(&mut bytes);
        let open = doc.begin();
        doc.string(b"o", says.repeat(20).as_bytes());
        doc.timestamp(b"ts", ts(secs));
        doc.int64(b"t", after.at.term);
        doc.end(open);
        writer.push(Doc::new(&bytes).unwrap()).unwrap();
    }
    writer.finish().unwrap()
}

/// This many slices of three entries each, a second apart.
pub(crate) fn chain(after: Link, count: u32, says: &str) -> Vec<Slice> {
    let mut slices = Vec::new();
    let mut after = after;
    for _ in 0..count {
        let from = after.at.ts.secs + 1;
        let next = slice(after, from..from + 3, says);
        after = next.header.end();
        slices.push(next);
    }
    slices
}

/// The entries of a slice, one behind the other.
pub(crate) fn entries(slice: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let reader = tidemark_oplog::slice::SliceReader::open(slice).unwrap();
    reader.decode(&mut plain).unwrap();
    plain
}

/// What the stored slices hold.
pub(crate) fn read_all(store: &SliceStore, stored: &[Stored]) -> Vec<Vec<u8>> {
    stored.iter().map(|it| store.read(it, &mut Vec::new()).unwrap().as_bytes().to_vec()).collect()
}
