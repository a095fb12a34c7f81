//! Prepared restores: what is kept is what was asked for, whatever becomes of the head, and its length is told before.

#![expect(clippy::unwrap_used, reason = "a test")]

use bson::{Document, doc};
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, ErrorKind, OpTime, SeededEntropy, Timestamp, UnixMillis};
use tidemark_blockstore::{GcOptions, MemoryBackend, Quiet, Store};
use tidemark_head::HeadError;
use tidemark_head::dump::{ArchiveWriter, Compression};
use tidemark_head::export::{self, Restorable};
use tidemark_head::follow::follow;
use tidemark_head::fork::Fork;
use tidemark_head::head::{Head, HeadName, Taken};
use tidemark_head::import::Import;
use tidemark_head::snapshot::{self, Covered};
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::{Link, SliceWriter};

const UUIDS: [CollectionUuid; 2] = [CollectionUuid::from_bytes([1; 16]), CollectionUuid::from_bytes([2; 16])];

fn name() -> HeadName {
    HeadName::new("local", "rs0").unwrap()
}

const fn ts(secs: u32) -> Timestamp {
    Timestamp { secs, ordinal: 1 }
}

fn entry(secs: u32, fields: Document) -> Vec<u8> {
    let ts = bson::Timestamp { time: secs, increment: 1 };
    let mut entry = doc! {"ts": ts, "t": 1_i64, "v": 2_i64, "wall": bson::DateTime::from_millis(0)};
    entry.extend(fields);
    entry.to_vec().unwrap()
}

fn insert(secs: u32) -> Vec<u8> {
    let id = i32::try_from(secs).unwrap();
    let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: UUIDS[0].as_bytes().to_vec() };
    entry(secs, doc! {"ui": uuid, "op": "i", "ns": "app.c0", "o": {"_id": id}, "o2": {"_id": id}})
}

fn no_op(secs: u32) -> Vec<u8> {
    entry(secs, doc! {"op": "n", "ns": "", "o": {"msg": "periodic noop"}})
}

/// A head at 10 with two collections of which the second has a document.
fn head() -> (Store, Head) {
    let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(3))));
    let at = OpTime { ts: ts(10), term: 1 };
    let mut import = Import::begin(&store, at, Filter::default(), usize::MAX).unwrap();
    for (uuid, name) in UUIDS.into_iter().zip(["c0", "c1"]) {
        let (database, name) = ("app".to_owned(), name.to_owned());
        let options = Doc::EMPTY.as_bytes().to_vec();
        import.collection(uuid, Collection { database, name, options, indexes: Vec::new() }).unwrap();
    }
    let document = doc! {"_id": "x", "y": 1}.to_vec().unwrap();
    import.documents(UUIDS[1], &[Doc::new(&document).unwrap()]).unwrap();
    let head = import.finish(&name(), None).unwrap();
    name().slices(&store).start(&store.session(&[]).unwrap(), Link::genesis(at)).unwrap();
    (store, head)
}

fn go_on(head: &mut Head, entries: &[Vec<u8>]) {
    let store = head.store().clone();
    let slices = name().slices(&store);
    let mut writer = SliceWriter::new(slices.tip().unwrap().unwrap().link);
    entries.iter().for_each(|entry| writer.push(Doc::new(entry).unwrap()).unwrap());
    slices.append(&store.session(&[]).unwrap(), &writer.finish().unwrap().bytes).unwrap();
    let (tip, position) = (slices.tip().unwrap().unwrap(), head.state().position());
    follow(&slices, &tip, position, Timestamp::MAX, &mut |entries, end| {
        head.apply(entries)?;
        end.into_iter().try_for_each(|end| head.pass_slice(end))
    })
    .unwrap();
}

/// Prepares what the fork stands on, as a daemon does.
fn prepare(mut fork: Fork, id: &str, namespaces: &[&str]) -> Restorable {
    let mut restorable = Restorable {
        root: fork.flush().unwrap(),
        at: fork.state().at(),
        namespaces: namespaces.iter().map(|it| (*it).to_owned()).collect(),
        with_users: false,
        bytes: 0,
        divergences: 0,
        server: Some("6.0.5".to_owned()),
        prepared: UnixMillis(5),
    };
    let plan = restorable.plan(&fork).unwrap();
    let prepared = export::prepare(fork.state(), fork.session(), &plan).unwrap();
    restorable.bytes = restorable.archive_bytes(&plan, &prepared).unwrap();
    restorable.put(fork.session(), &name(), id).unwrap();
    restorable
}

fn archive(store: &Store, id: &str) -> Vec<u8> {
    let (fork, found) = Fork::of_restore(store, &name(), id).unwrap();
    let plan = found.plan(&fork).unwrap();
    let parts = plan.entries.iter().map(|it| it.part.clone()).collect();
    let writer =
        ArchiveWriter::new(Vec::new(), "memory", Compression::Plain, &found.versions(), parts).unwrap();
    export::write(fork.state(), fork.session(), &plan, writer).unwrap()
}

#[test]
fn a_restore_is_kept_whatever_becomes_of_the_head() {
    let (store, mut head) = head();
    go_on(&mut head, &[insert(11), insert(12)]);
    head.flush().unwrap();
    go_on(&mut head, &[insert(13), insert(14)]);
    let of_a_second = prepare(Fork::at(&store, &name(), ts(13)).unwrap(), "a1", &[]);
    assert_eq!(of_a_second.at.ts, ts(13));
    let of_one = prepare(Fork::of_head(&store, &name()).unwrap(), "a2", &["app.c1"]);
    let expected = [archive(&store, "a1"), archive(&store, "a2")];
    assert_eq!([of_a_second.bytes, of_one.bytes], expected.each_ref().map(|it| it.len() as u64));
    assert!(expected[0].len() > expected[1].len());
    // The oplog goes, and all garbage with it.
    head.flush().unwrap();
    name().slices(&store).expire(&store.session(&[]).unwrap(), ts(14)).unwrap();
    store.collect(GcOptions { sweep: true, ..GcOptions::default() }, &Quiet).unwrap();
    assert_eq!([archive(&store, "a1"), archive(&store, "a2")], expected);
    assert_eq!(
        Restorable::list(&store, &name()).unwrap(),
        [("a1".to_owned(), of_a_second), ("a2".to_owned(), of_one)]
    );
    Restorable::remove(&store, &name(), "a1").unwrap();
    Restorable::remove(&store, &name(), "a1").unwrap();
    let error = Fork::of_restore(&store, &name(), "a1").unwrap_err();
    assert!(matches!(error, HeadError::NoRestore { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn an_id_that_leads_elsewhere_is_none() {
    let (store, _) = head();
    for id in ["", "../head", "a/b", "."] {
        let error = Fork::of_restore(&store, &name(), id).unwrap_err();
        assert!(matches!(error, HeadError::BadName { .. }), "{error}");
        assert!(Restorable::remove(&store, &name(), id).is_err());
    }
}

#[test]
fn where_only_no_ops_came_the_snapshot_before_still_stands() {
    let (store, mut head) = head();
    let taken = head.snapshot_if_changed(&UnixMillis(0)).unwrap();
    assert!(matches!(taken, Taken::Snapshot(1, _)), "{taken:?}");
    go_on(&mut head, &[no_op(11), no_op(12)]);
    let until = OpTime { ts: ts(12), term: 1 };
    let taken = head.snapshot_if_changed(&UnixMillis(0)).unwrap();
    assert!(matches!(taken, Taken::Covered(it) if it == Covered { snapshot: 1, until }), "{taken:?}");
    assert_eq!(snapshot::covered(&store, &name()).unwrap(), Some(Covered { snapshot: 1, until }));
    go_on(&mut head, &[no_op(13), insert(14)]);
    let taken = head.snapshot_if_changed(&UnixMillis(0)).unwrap();
    assert!(matches!(taken, Taken::Snapshot(2, _)), "{taken:?}");
    assert_eq!(snapshot::list(&store, &name()).unwrap().len(), 2);
    // Going back, the head no longer stands where it was noted.
    head.rewind(1).unwrap();
    assert_eq!(snapshot::covered(&store, &name()).unwrap(), None);
}
