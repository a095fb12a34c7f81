//! The oplog that all processes know by heart: every entry follows from its position, and so does the state there.

use bson::{Document, doc};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, Entropy as _, OpTime, SeededEntropy, Timestamp};
use tidemark_blockstore::Store;
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::{Link, SliceWriter};

const UUID: CollectionUuid = CollectionUuid::from_bytes([1; 16]);
/// The first copy stands here, just before an entry of the first kind.
pub(crate) const START_SECS: u32 = 3;
/// It has documents with the numbers before 0, so many.
const FIRST_DOCUMENTS: i32 = 300;
const ENTRIES_OF_A_SLICE: u32 = 6;
const FILLING_BYTES: usize = 300;

/// All documents, by `_id`.
pub(crate) type Documents = BTreeMap<i32, Vec<u8>>;

/// What one entry does.
enum Operation {
    Insert(i32),
    /// Sets a field to the entry's position.
    Set(i32),
    Delete(i32),
}

/// Every operation fits: of four entries two insert, the third sets a field of the second's document or of one of
/// the copy's, the fourth deletes the first's.
fn operation(secs: u32) -> Operation {
    let id = i32::try_from(secs).unwrap();
    match secs % 4 {
        0 | 1 => Operation::Insert(id),
        2 if secs % 8 == 2 => Operation::Set(id - 1),
        2 => Operation::Set(-1 - id * 7 % FIRST_DOCUMENTS),
        _ => Operation::Delete(id - 3),
    }
}

fn document(id: i32) -> Document {
    let mut filling = vec![0; FILLING_BYTES];
    SeededEntropy::new(u64::from(id.cast_unsigned())).fill(&mut filling);
    let filling = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: filling };
    doc! {"_id": id, "x": 0, "filling": filling}
}

fn entry(secs: u32) -> Vec<u8> {
    let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: UUID.as_bytes().to_vec() };
    let mut entry = doc! {
        "ts": bson::Timestamp { time: secs, increment: 1 }, "t": 1_i64, "v": 2_i64,
        "wall": bson::DateTime::from_millis(0), "ns": "app.a", "ui": uuid,
    };
    entry.extend(match operation(secs) {
        Operation::Insert(id) => doc! {"op": "i", "o": document(id)},
        Operation::Set(id) => {
            doc! {"op": "u", "o": {"$v": 2, "diff": {"u": {"x": i64::from(secs)}}}, "o2": {"_id": id}}
        }
        Operation::Delete(id) => doc! {"op": "d", "o": {"_id": id}},
    });
    entry.to_vec().unwrap()
}

/// All documents there are at a position.
pub(crate) fn documents_at(secs: u32) -> Documents {
    let mut documents: BTreeMap<i32, Document> = (-FIRST_DOCUMENTS..0).map(|id| (id, document(id))).collect();
    for secs in START_SECS + 1..=secs {
        match operation(secs) {
            Operation::Insert(id) => drop(documents.insert(id, document(id))),
            Operation::Set(id) => drop(documents.get_mut(&id).unwrap().insert("x", i64::from(secs))),
            Operation::Delete(id) => drop(documents.remove(&id).unwrap()),
        }
    }
    documents.into_iter().map(|(id, document)| (id, document.to_vec().unwrap())).collect()
}

/// The slice that follows another.
pub(crate) fn slice(after: Link) -> Vec<u8> {
    let mut writer = SliceWriter::new(after);
    for secs in after.at.ts.secs + 1..=after.at.ts.secs + ENTRIES_OF_A_SLICE {
        writer.push(Doc::new(&entry(secs)).unwrap()).unwrap();
    }
    writer.finish().unwrap().bytes
}

pub(crate) fn name() -> HeadName {
    HeadName::new("local", "rs0").unwrap()
}

/// Begins the log, and makes the head of the first copy.
pub(crate) fn begin(store: &Store) -> Head {
    let at = OpTime { ts: Timestamp { secs: START_SECS, ordinal: 1 }, term: 1 };
    let session = store.session(&[]).unwrap();
    name().slices(store).start(&session, Link::genesis(at)).unwrap();
    let mut import = Import::begin(store, at, Filter::default(), usize::MAX).unwrap();
    let options = Document::new().to_vec().unwrap();
    let (database, name_) = ("app".to_owned(), "a".to_owned());
    let collection = Collection { database, name: name_, options, indexes: Vec::new() };
    import.collection(UUID, collection).unwrap();
    let documents: Vec<Arc<Vec<u8>>> = documents_at(START_SECS).into_values().map(Arc::new).collect();
    let documents: Vec<_> = documents.iter().map(|it| Doc::new(it).unwrap()).collect();
    import.documents(UUID, &documents).unwrap();
    import.finish(&name(), None).unwrap()
}

/// What a state holds.
pub(crate) fn documents_of(
    store: &Store,
    state: &tidemark_head::state::State,
) -> tidemark_head::Result<Documents> {
    let mut found = Documents::new();
    let misfits = state.fold(store, UUID, &mut |document| {
        let id = Document::from_reader(document).unwrap().get_i32("_id").unwrap();
        found.insert(id, document.to_vec());
        Ok(())
    })?;
    assert!(misfits.is_empty(), "{misfits:?}");
    Ok(found)
}
