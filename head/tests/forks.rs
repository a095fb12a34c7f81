//! Forks: a state at a point in time, from the nearest root and the stored oplog, leaving no trace.

#![expect(clippy::unwrap_used, reason = "a test")]

use bson::{Document, doc};
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, ErrorKind, OpTime, SeededEntropy, Timestamp, UnixMillis};
use tidemark_blockstore::{Depth, GcOptions, MemoryBackend, Quiet, Store};
use tidemark_head::HeadError;
use tidemark_head::follow::follow;
use tidemark_head::fork::Fork;
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::{Link, SliceWriter};

const A: CollectionUuid = CollectionUuid::from_bytes([1; 16]);

fn name() -> HeadName {
    HeadName::new("local", "rs0").unwrap()
}

fn ts(secs: u32) -> Timestamp {
    Timestamp { secs, ordinal: 1 }
}

const fn second(secs: u32) -> Timestamp {
    Timestamp { secs, ordinal: u32::MAX }
}

fn optime(secs: u32) -> OpTime {
    OpTime { ts: ts(secs), term: 1 }
}

fn insert(secs: u32) -> Vec<u8> {
    let id = i32::try_from(secs).unwrap();
    let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: A.as_bytes().to_vec() };
    let ts = bson::Timestamp { time: secs, increment: 1 };
    doc! {"ts": ts, "t": 1_i64, "v": 2_i64, "wall": bson::DateTime::from_millis(0), "ui": uuid, "op": "i",
    "ns": "app.a", "o": {"_id": id}, "o2": {"_id": id}}
    .to_vec()
    .unwrap()
}

/// A head at 10,1 without documents, and its store.
fn head() -> (Store, Head) {
    let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(3))));
    let mut import = Import::begin(&store, optime(10), Filter::default(), usize::MAX).unwrap();
    let options = Doc::EMPTY.as_bytes().to_vec();
    let (database, of_head) = ("app".to_owned(), "a".to_owned());
    let collection = Collection { database, name: of_head, options, indexes: Vec::new() };
    import.collection(A, collection).unwrap();
    let head = import.finish(&name(), None).unwrap();
    let session = store.session(&[]).unwrap();
    head.name().slices(&store).start(&session, Link::genesis(optime(10))).unwrap();
    (store, head)
}

/// Appends a slice with an insert of each of these seconds.
fn append(store: &Store, secs: std::ops::Range<u32>) {
    let slices = name().slices(store);
    let mut writer = SliceWriter::new(slices.tip().unwrap().unwrap().link);
    secs.for_each(|secs| writer.push(Doc::new(&insert(secs)).unwrap()).unwrap());
    let session = store.session(&[]).unwrap();
    slices.append(&session, &writer.finish().unwrap().bytes).unwrap();
}

/// Applies what is stored up to a place.
fn follow_to(head: &mut Head, until: Timestamp) {
    let slices = head.name().slices(head.store());
    let (tip, position) = (slices.tip().unwrap().unwrap(), head.state().position());
    follow(&slices, &tip, position, until, &mut |entries, end| {
        head.apply(entries)?;
        end.into_iter().try_for_each(|end| head.pass_slice(end))
    })
    .unwrap();
    head.flush().unwrap();
}

fn ids(fork: &Fork) -> Vec<i32> {
    let mut ids = Vec::new();
    let each = &mut |document: &[u8]| {
        ids.push(Document::from_reader(document).unwrap().get_i32("_id").unwrap());
        Ok(())
    };
    fork.state().for_each(fork.session(), A, each).unwrap();
    ids
}

fn at(store: &Store, until: Timestamp) -> Result<Fork, HeadError> {
    Fork::at(store, &name(), until)
}

#[test]
fn a_fork_stands_where_it_was_asked_to_whatever_root_is_nearest() {
    let (store, mut head) = head();
    append(&store, 11..15);
    append(&store, 15..20);
    let roots = [(10, 1), (13, 2), (17, 3)];
    for (secs, number) in roots {
        follow_to(&mut head, ts(secs));
        assert_eq!(head.snapshot(&UnixMillis(0)).unwrap().0, number);
    }
    let root = head.root();
    for secs in 10..20 {
        let fork = at(&store, ts(secs)).unwrap();
        let expected: Vec<_> = (11..=i32::try_from(secs).unwrap()).collect();
        assert_eq!((fork.state().at().ts, ids(&fork)), (ts(secs), expected.clone()));
        assert_eq!(ids(&at(&store, second(secs)).unwrap()), expected);
    }
    // Nothing was published, and what the forks stood on goes when nothing else keeps it.
    assert_eq!(tidemark_head::head::look_up(&store, &name()).unwrap().root, root);
    store.collect(GcOptions { sweep: true, ..GcOptions::default() }, &Quiet).unwrap();
    assert!(store.verify(Depth::Full, &Quiet).unwrap().is_clean());
}

#[test]
fn what_is_not_kept_is_refused_with_the_border() {
    let (store, mut head) = head();
    append(&store, 11..15);
    follow_to(&mut head, ts(13));
    let late = at(&store, ts(15)).unwrap_err();
    assert!(matches!(late, HeadError::TooLate { last, .. } if last == optime(14)), "{late}");
    assert!(matches!(at(&store, second(15)), Err(HeadError::TooLate { .. })));
    let early = at(&store, ts(12)).unwrap_err();
    assert!(matches!(early, HeadError::TooEarly { oldest, .. } if oldest == optime(13)), "{early}");
    assert_eq!((late.kind(), early.kind()), (ErrorKind::NotFound, ErrorKind::NotFound));
}

#[test]
fn a_dead_branch_is_never_begun_at() {
    let (store, mut head) = head();
    append(&store, 11..15);
    let (first, _) = head.snapshot(&UnixMillis(0)).unwrap();
    follow_to(&mut head, ts(13));
    head.snapshot(&UnixMillis(0)).unwrap();
    head.rewind(first).unwrap();
    // The oplog goes on from there, as the source has it now.
    assert!(matches!(at(&store, ts(13)), Err(HeadError::TooLate { last, .. }) if last == optime(10)));
    append(&store, 12..15);
    assert_eq!(ids(&at(&store, ts(13)).unwrap()), [12, 13]);
    // The dead one is left when it is asked for by its number only.
    assert_eq!(ids(&Fork::of_snapshot(&store, &name(), 2).unwrap()), [11, 12, 13]);
    assert!(ids(&Fork::of_head(&store, &name()).unwrap()).is_empty());
}

/// The second snapshot stood on a slice of the old chain: a fork began at it and found that the new one does not go
/// on from there.
#[test]
fn a_snapshot_at_the_same_entry_that_the_new_chain_does_not_go_on_from_is_of_a_dead_branch() {
    let (store, mut head) = head();
    head.apply(&[Doc::new(&insert(11)).unwrap()]).unwrap();
    let (first, _) = head.snapshot(&UnixMillis(0)).unwrap();
    append(&store, 11..12);
    follow_to(&mut head, ts(11));
    let (second, _) = head.snapshot(&UnixMillis(0)).unwrap();
    head.rewind(first).unwrap();
    append(&store, 11..14);
    follow_to(&mut head, ts(13));
    for secs in 11..14 {
        let expected: Vec<_> = (11..=i32::try_from(secs).unwrap()).collect();
        assert_eq!(ids(&at(&store, ts(secs)).unwrap()), expected);
        assert_eq!(ids(&at(&store, self::second(secs)).unwrap()), expected);
    }
    assert!(matches!(head.rewind(second), Err(HeadError::DeadBranch { .. })));
    head.rewind(first).unwrap();
}

#[test]
fn entries_that_are_gone_are_missed() {
    let (store, mut head) = head();
    head.snapshot(&UnixMillis(0)).unwrap();
    append(&store, 11..13);
    append(&store, 13..15);
    follow_to(&mut head, ts(14));
    let (session, slices) = (store.session(&[]).unwrap(), name().slices(&store));
    slices.expire(&session, ts(12)).unwrap();
    for secs in 11..14 {
        assert!(matches!(at(&store, ts(secs)), Err(HeadError::Oplog(_))), "{secs}");
    }
    assert!(ids(&at(&store, ts(10)).unwrap()).is_empty());
    assert_eq!(ids(&at(&store, ts(14)).unwrap()), [11, 12, 13, 14]);
}

#[test]
fn slices_of_another_history_are_not_followed() {
    let (store, mut head) = head();
    append(&store, 11..15);
    follow_to(&mut head, ts(14));
    let slices = name().slices(&store);
    let tip = slices.tip().unwrap().unwrap();
    let session = store.session(&[]).unwrap();
    let elsewhere = Link { at: optime(14), digest: tidemark_oplog::slice::Digest([9; 32]) };
    slices.restart(&session, &tip, elsewhere).unwrap();
    append(&store, 15..17);
    let error = at(&store, ts(16)).unwrap_err();
    assert!(matches!(error, HeadError::Fork { .. }), "{error}");
}

#[test]
fn what_is_not_consistent_is_refused_even_if_it_is_said_late() {
    let (store, mut head) = head();
    append(&store, 11..15);
    head.extend_fuzzy_until(ts(13)).unwrap();
    // Never shortened.
    head.extend_fuzzy_until(ts(12)).unwrap();
    drop(head);
    let mut head = Head::claim(&store, &name()).unwrap();
    assert_eq!(head.state().fuzzy_until(), Some(ts(13)));
    assert!(matches!(at(&store, ts(12)), Err(HeadError::Fuzzy { .. })));
    assert_eq!(ids(&at(&store, ts(13)).unwrap()), [11, 12, 13]);
    follow_to(&mut head, ts(14));
    // What lies behind has no bearing any more.
    head.extend_fuzzy_until(ts(14)).unwrap();
    assert_eq!(head.state().fuzzy_until(), Some(ts(13)));
}

#[test]
fn a_copy_gets_its_position_once_and_keeps_it() {
    let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(3))));
    let import = Import::begin(&store, OpTime::NULL, Filter::default(), usize::MAX).unwrap();
    let mut head = import.finish(&name(), None).unwrap();
    head.set_position(optime(10)).unwrap();
    drop(head);
    let mut head = Head::claim(&store, &name()).unwrap();
    assert_eq!((head.at(), head.state().taken_in()), (optime(10), None));
    assert!(matches!(head.set_position(optime(11)), Err(HeadError::HasPosition { .. })));
}
