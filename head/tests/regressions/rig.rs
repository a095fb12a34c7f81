//! A head with one collection, and entries for it.

pub(crate) use bson::{Document, doc};
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, OpTime, SeededEntropy, Timestamp};
use tidemark_blockstore::{MemoryBackend, Store};
use tidemark_head::HeadError;
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;

pub(crate) const A: CollectionUuid = CollectionUuid::from_bytes([1; 16]);

pub(crate) fn store() -> Store {
    Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(3))))
}

pub(crate) fn name() -> HeadName {
    HeadName::new("local", "rs0").unwrap()
}

pub(crate) fn timestamp(secs: u32) -> Timestamp {
    Timestamp { secs, ordinal: 1 }
}

pub(crate) fn optime(secs: u32, term: i64) -> OpTime {
    OpTime { ts: timestamp(secs), term }
}

pub(crate) fn capped() -> Document {
    doc! {"capped": true, "size": 1 << 30}
}

/// A head at this position, of these documents.
pub(crate) fn head_at(
    store: &Store,
    at: OpTime,
    options: &Document,
    documents: &[Document],
    fuzzy_until: Option<Timestamp>,
) -> Head {
    let mut import = Import::begin(store, at, Filter::default(), usize::MAX).unwrap();
    let options = options.to_vec().unwrap();
    let (database, name_of) = ("app".to_owned(), "a".to_owned());
    import.collection(A, Collection { database, name: name_of, options, indexes: Vec::new() }).unwrap();
    let documents: Vec<_> = documents.iter().map(|it| it.to_vec().unwrap()).collect();
    let documents: Vec<_> = documents.iter().map(|it| Doc::new(it).unwrap()).collect();
    import.documents(A, &documents).unwrap();
    import.finish(&name(), fuzzy_until).unwrap()
}

/// A head at 10,1 in term 1, of documents 0, 1 and 2.
pub(crate) fn head(store: &Store, options: &Document) -> Head {
    let documents: Vec<_> = (0..3).map(|n| doc! {"_id": n, "x": 0}).collect();
    head_at(store, optime(10, 1), options, &documents, None)
}

pub(crate) fn uuid() -> bson::Binary {
    bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: A.as_bytes().to_vec() }
}

pub(crate) fn entry(secs: u32, fields: Document) -> Vec<u8> {
    let ts = bson::Timestamp { time: secs, increment: 1 };
    let mut entry =
        doc! {"ts": ts, "t": 1_i64, "v": 2_i64, "wall": bson::DateTime::from_millis(0), "ui": uuid()};
    entry.extend(fields);
    entry.to_vec().unwrap()
}

pub(crate) fn insert(secs: u32, id: i32) -> Vec<u8> {
    insert_in(secs, 1, id)
}

pub(crate) fn insert_in(secs: u32, term: i64, id: i32) -> Vec<u8> {
    entry(secs, doc! {"op": "i", "ns": "app.a", "o": {"_id": id, "x": 1}, "o2": {"_id": id}, "t": term})
}

pub(crate) fn delete(secs: u32, id: i32) -> Vec<u8> {
    entry(secs, doc! {"op": "d", "ns": "app.a", "o": {"_id": id}})
}

pub(crate) fn noop(secs: u32, term: i64) -> Vec<u8> {
    entry(secs, doc! {"op": "n", "ns": "", "o": {"msg": "x"}, "t": term})
}

/// An operation in a user's `applyOps`.
pub(crate) fn users(secs: u32, upsert: bool, operation: Document) -> Vec<u8> {
    let o = doc! {"applyOps": [operation], "alwaysUpsert": upsert};
    entry(secs, doc! {"op": "c", "ns": "app.$cmd", "o": o})
}

pub(crate) fn apply(head: &mut Head, entries: &[Vec<u8>]) -> Result<(), HeadError> {
    let entries: Vec<_> = entries.iter().map(|it| Doc::new(it).unwrap()).collect();
    head.apply(&entries)
}

/// The values of `_id`, in the order of an export.
pub(crate) fn ids(head: &Head) -> Vec<i32> {
    let mut ids = Vec::new();
    let each = &mut |document: &[u8]| {
        ids.push(Document::from_reader(document).unwrap().get_i32("_id").unwrap());
        Ok(())
    };
    head.state().for_each(head.store(), A, each).unwrap();
    ids
}
