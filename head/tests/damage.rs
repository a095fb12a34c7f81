//! Snapshots that cannot be read: noted when a proof fails, passed over by whatever goes on from a snapshot, and forgotten
//! when a later proof finds all of it sound; and slices that cannot be read.

#![expect(clippy::unwrap_used, reason = "a test")]

use bson::doc;
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, ErrorKind, OpTime, SeededEntropy, Timestamp, UnixMillis};
use tidemark_blockstore::{
    Backend, MemoryBackend, OwnerId, PackId, PackWriter, Result, Scratch, Store, Superblock, TxnBody,
};
use tidemark_head::follow::follow;
use tidemark_head::fork::Fork;
use tidemark_head::head::{Head, HeadName, Taken};
use tidemark_head::import::Import;
use tidemark_head::snapshot;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::{Link, SliceWriter};

/// A store of which no block reads as it was written, from some pack on.
struct Unreadable(Arc<MemoryBackend>, PackId);

impl Backend for Unreadable {
    fn scratch(&self) -> Result<Scratch> {
        self.0.scratch()
    }

    fn superblock(&self) -> &Superblock {
        self.0.superblock()
    }

    fn read(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.0.read(body)
    }

    fn write(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.0.write(body)
    }

    fn create_pack(&self, id: PackId) -> Result<Box<dyn PackWriter>> {
        self.0.create_pack(id)
    }

    fn read_pack(&self, id: PackId, offset: u32, len: u32) -> Result<Option<Vec<u8>>> {
        let read = self.0.read_pack(id, offset, len)?;
        let damaged = |byte: u8| if id < self.1 { byte } else { !byte };
        Ok(read.map(|bytes| bytes.into_iter().map(damaged).collect()))
    }

    fn remove_pack(&self, id: PackId) -> Result<()> {
        self.0.remove_pack(id)
    }

    fn list_packs(&self) -> Result<Vec<(PackId, u64)>> {
        self.0.list_packs()
    }

    fn owner(&self) -> OwnerId {
        self.0.owner()
    }

    fn owner_alive(&self, owner: OwnerId) -> Result<bool> {
        self.0.owner_alive(owner)
    }

    fn lock_collection(&self) -> Result<Box<dyn Send>> {
        self.0.lock_collection()
    }
}

const UUID: CollectionUuid = CollectionUuid::from_bytes([1; 16]);

fn name() -> HeadName {
    HeadName::new("local", "rs0").unwrap()
}

const fn ts(secs: u32) -> Timestamp {
    Timestamp { secs, ordinal: 1 }
}

/// A head at 10, its store, and where its blocks are.
fn head() -> (Arc<MemoryBackend>, Store, Head) {
    let backend = Arc::new(MemoryBackend::new(&mut SeededEntropy::new(3)));
    let store = Store::new(backend.clone());
    let at = OpTime { ts: ts(10), term: 1 };
    let mut import = Import::begin(&store, at, Filter::default(), usize::MAX).unwrap();
    let (database, name_of_it) = ("app".to_owned(), "c".to_owned());
    let options = Doc::EMPTY.as_bytes().to_vec();
    import.collection(UUID, Collection { database, name: name_of_it, options, indexes: Vec::new() }).unwrap();
    let head = import.finish(&name(), None).unwrap();
    name().slices(&store).start(&store.session(&[]).unwrap(), Link::genesis(at)).unwrap();
    (backend, store, head)
}

/// A store of the same blocks that cannot read those from some pack on.
fn unreadable(backend: &Arc<MemoryBackend>, from: PackId) -> Store {
    Store::new(Arc::new(Unreadable(backend.clone(), from)))
}

/// A document is inserted, and that is applied.
fn insert(head: &mut Head, secs: u32) {
    let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: UUID.as_bytes().to_vec() };
    let (ts, id) = (bson::Timestamp { time: secs, increment: 1 }, i32::try_from(secs).unwrap());
    let wall = bson::DateTime::from_millis(0);
    let entry = doc! {
        "ts": ts, "t": 1_i64, "v": 2_i64, "wall": wall, "ui": uuid, "op": "i", "ns": "app.c",
        "o": {"_id": id}, "o2": {"_id": id}
    };
    let store = head.store().clone();
    let slices = name().slices(&store);
    let mut writer = SliceWriter::new(slices.tip().unwrap().unwrap().link);
    writer.push(Doc::new(&entry.to_vec().unwrap()).unwrap()).unwrap();
    slices.append(&store.session(&[]).unwrap(), &writer.finish().unwrap().bytes).unwrap();
    let (tip, position) = (slices.tip().unwrap().unwrap(), head.state().position());
    follow(&slices, &tip, position, Timestamp::MAX, &mut |entries, end| {
        head.apply(entries)?;
        end.into_iter().try_for_each(|end| head.pass_slice(end))
    })
    .unwrap();
}

#[test]
fn nothing_goes_on_from_a_snapshot_whose_proof_failed_until_one_succeeds() {
    let (backend, store, mut head) = head();
    let unreadable = unreadable(&backend, PackId(0));
    head.snapshot(&UnixMillis(0)).unwrap();
    insert(&mut head, 11);
    insert(&mut head, 12);
    head.snapshot(&UnixMillis(0)).unwrap();
    snapshot::prove(&store, &name(), 2).unwrap();
    insert(&mut head, 13);
    head.flush().unwrap();
    // From here on only the second snapshot leads to that moment.
    name().slices(&store).expire(&store.session(&[]).unwrap(), ts(12)).unwrap();
    assert!(Fork::at(&store, &name(), ts(12)).is_ok());

    let error = snapshot::prove(&unreadable, &name(), 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let found = snapshot::get(&store, &name(), 2).unwrap();
    assert!(found.is_damaged && found.proven.is_none() && !found.is_live());
    assert!(!snapshot::get(&store, &name(), 1).unwrap().is_damaged);
    assert!(Fork::at(&store, &name(), ts(12)).is_err(), "a second does not begin at it");

    let proof = snapshot::prove(&store, &name(), 2).unwrap();
    assert!(!proof.snapshot.is_damaged && proof.snapshot.is_clean());
    assert_eq!(snapshot::get(&store, &name(), 2).unwrap(), proof.snapshot);
    assert!(Fork::at(&store, &name(), ts(12)).is_ok());
}

#[test]
fn a_snapshot_whose_proof_failed_does_not_stand_for_the_head() {
    let (backend, store, mut head) = head();
    let unreadable = unreadable(&backend, PackId(0));
    head.snapshot(&UnixMillis(0)).unwrap();
    let covered = head.snapshot_if_changed(&UnixMillis(0)).unwrap();
    assert!(matches!(covered, Taken::Covered(_)), "{covered:?}");
    snapshot::prove(&unreadable, &name(), 1).unwrap_err();
    let taken = head.snapshot_if_changed(&UnixMillis(0)).unwrap();
    assert!(matches!(taken, Taken::Snapshot(2, _)), "{taken:?}");
    assert_eq!(snapshot::list(&store, &name()).unwrap().len(), 2);
}

#[test]
fn what_stands_before_a_slice_that_cannot_be_read_is_handed_on() {
    let (backend, _, mut head) = head();
    let position = head.state().position();
    let mut packs = Vec::new();
    for secs in 11..15 {
        packs.push(backend.list_packs().unwrap().into_iter().map(|(id, _)| id.0 + 1).max().unwrap());
        insert(&mut head, secs);
    }
    for (readable, pack) in packs.into_iter().enumerate() {
        let slices = name().slices(&unreadable(&backend, PackId(pack)));
        let tip = slices.tip().unwrap().unwrap();
        let mut handed_on = Vec::new();
        let outcome = follow(&slices, &tip, position, Timestamp::MAX, &mut |_, end| {
            handed_on.extend(end.map(|end| end.at.ts.secs));
            Ok(())
        });
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(handed_on, (11..15).take(readable).collect::<Vec<_>>());
    }
}
