//! Heads built of what an initial sync has copied.

#![expect(clippy::unwrap_used, reason = "a test")]

use bson::{Document, doc};
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, ErrorKind, OpTime, SeededEntropy, Timestamp};
use tidemark_blockstore::{MemoryBackend, Session, Store};
use tidemark_head::HeadError;
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::{Copied, Import, of_sync};
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_oplog::initial_sync::{BatchId, BatchWriter};
use tidemark_oplog::store::initial_sync::{SyncState, SyncStore};

const A: CollectionUuid = CollectionUuid::from_bytes([1; 16]);
const B: CollectionUuid = CollectionUuid::from_bytes([2; 16]);

fn name() -> HeadName {
    HeadName::new("local", "rs0").unwrap()
}

fn at(secs: u32) -> OpTime {
    OpTime { ts: Timestamp { secs, ordinal: 1 }, term: 1 }
}

fn collection(name: &str) -> Collection {
    let empty = doc! {}.to_vec().unwrap();
    Collection { database: "shop".to_owned(), name: name.to_owned(), options: empty, indexes: Vec::new() }
}

struct Sync {
    store: Store,
    session: Session,
    syncs: SyncStore,
}

impl Sync {
    fn begin() -> Self {
        let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(3))));
        let (session, syncs) = (store.session(&[]).unwrap(), name().syncs(&store));
        syncs.begin(&session, None, at(5)).unwrap();
        for (uuid, name) in [(A, "a"), (B, "b")] {
            syncs.describe(&session, 1, uuid, &collection(name)).unwrap();
        }
        Self { store, session, syncs }
    }

    fn send(&self, collection: CollectionUuid, scan: u32, number: u32, documents: &[Document]) {
        let mut writer = BatchWriter::new(BatchId { sync: 1, collection, scan, number });
        for document in documents {
            writer.push(Doc::new(&document.to_vec().unwrap()).unwrap()).unwrap();
        }
        self.syncs.append(&self.session, &writer.finish().unwrap().bytes, None).unwrap();
    }

    fn end_scan(&self, collection: CollectionUuid, scan: u32, number: u32) {
        self.syncs.end_scan(&self.session, BatchId { sync: 1, collection, scan, number }).unwrap();
    }

    fn build(&self, filter: &Filter) -> Result<(Head, Copied), HeadError> {
        let state: SyncState = self.syncs.state().unwrap().unwrap();
        let mut import = Import::begin(&self.store, state.begin, filter.clone(), 1 << 20)?;
        let copied = of_sync(&mut import, &self.syncs, &state)?;
        Ok((import.finish(&name(), state.until)?, copied))
    }
}

fn documents(head: &Head, uuid: CollectionUuid) -> Vec<Document> {
    let mut found = Vec::new();
    let each = &mut |document: &[u8]| {
        found.push(bson::deserialize_from_slice(document).unwrap());
        Ok(())
    };
    head.state().for_each(head.store(), uuid, each).unwrap();
    found
}

#[test]
fn of_several_copies_the_last_one_of_the_last_scan_stays() {
    let sync = Sync::begin();
    sync.send(A, 1, 0, &[doc! {"_id": 2, "x": 1}, doc! {"_id": 1, "x": 1}]);
    sync.send(A, 1, 1, &[doc! {"_id": 2, "x": 2}, doc! {"_id": 3, "x": 2}]);
    sync.syncs.rescan(&sync.session, 1, A, 1).unwrap();
    sync.send(A, 2, 0, &[doc! {"_id": 3, "x": 3}]);
    sync.send(B, 1, 0, &[doc! {"_id": "b"}]);
    sync.end_scan(A, 2, 1);
    sync.end_scan(B, 1, 1);
    sync.syncs.end(&sync.session, 1, at(9).ts).unwrap();
    let (head, copied) = sync.build(&Filter::default()).unwrap();
    assert_eq!((copied.collections, copied.documents), (2, 6));
    assert_eq!((head.at(), head.state().fuzzy_until()), (at(5), Some(at(9).ts)));
    let expected = [doc! {"_id": 1, "x": 1}, doc! {"_id": 2, "x": 2}, doc! {"_id": 3, "x": 3}];
    assert_eq!(documents(&head, A), expected);
    assert_eq!(documents(&head, B), [doc! {"_id": "b"}]);
}

#[test]
fn what_is_not_copied_to_its_end_makes_no_head() {
    let sync = Sync::begin();
    sync.send(A, 1, 0, &[doc! {"_id": 1}]);
    sync.end_scan(A, 1, 1);
    let error = sync.build(&Filter::default()).unwrap_err();
    assert!(matches!(error, HeadError::UnfinishedSync { sync: 1, .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Retry);
    sync.end_scan(B, 1, 0);
    assert!(sync.build(&Filter::default()).is_err(), "it has not ended");
    sync.syncs.end(&sync.session, 1, at(9).ts).unwrap();
    assert_eq!(documents(&sync.build(&Filter::default()).unwrap().0, A), [doc! {"_id": 1}]);
}
