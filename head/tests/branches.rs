//! Going back: what was left is never followed or restored again, and what stayed still is.

#![expect(clippy::unwrap_used, reason = "a test")]

use bson::{Document, doc};
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, ErrorKind, OpTime, SeededEntropy, Timestamp, UnixMillis};
use tidemark_blockstore::{MemoryBackend, Store};
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

fn insert(secs: u32, term: i64) -> Vec<u8> {
    let id = i32::try_from(secs).unwrap() + 1000 * i32::try_from(term).unwrap();
    let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: A.as_bytes().to_vec() };
    let ts = bson::Timestamp { time: secs, increment: 1 };
    doc! {"ts": ts, "t": term, "v": 2_i64, "wall": bson::DateTime::from_millis(0), "ui": uuid, "op": "i",
    "ns": "app.a", "o": {"_id": id}, "o2": {"_id": id}}
    .to_vec()
    .unwrap()
}

/// A head at 10,1 without documents, its store, and a log that begins there.
fn head() -> (Store, Head) {
    let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(3))));
    let at = OpTime { ts: ts(10), term: 1 };
    let mut import = Import::begin(&store, at, Filter::default(), usize::MAX).unwrap();
    let options = Doc::EMPTY.as_bytes().to_vec();
    let (database, name) = ("app".to_owned(), "a".to_owned());
    let _ = import.collection(A, Collection { database, name, options, indexes: Vec::new() });
    let head = import.finish(&self::name(), None).unwrap();
    let session = store.session(&[]).unwrap();
    head.name().slices(&store).start(&session, Link::genesis(at)).unwrap();
    (store, head)
}

/// Stores a slice with inserts at these seconds and brings the head up to it.
fn go_on(head: &mut Head, secs: &[u32], term: i64) {
    let store = head.store().clone();
    let slices = name().slices(&store);
    let mut writer = SliceWriter::new(slices.tip().unwrap().unwrap().link);
    secs.iter().for_each(|secs| writer.push(Doc::new(&insert(*secs, term)).unwrap()).unwrap());
    let session = store.session(&[]).unwrap();
    slices.append(&session, &writer.finish().unwrap().bytes).unwrap();
    catch_up(head);
}

/// Brings the head up to the tip.
fn catch_up(head: &mut Head) {
    let slices = name().slices(head.store());
    let (tip, position) = (slices.tip().unwrap().unwrap(), head.state().position());
    follow(&slices, &tip, position, Timestamp::MAX, &mut |entries, end| {
        head.apply(entries)?;
        end.into_iter().try_for_each(|end| head.pass_slice(end))
    })
    .unwrap();
    head.flush().unwrap();
}

fn ids_at(store: &Store, secs: u32) -> Result<Vec<i32>, HeadError> {
    let fork = Fork::at(store, &name(), ts(secs))?;
    let mut ids = Vec::new();
    fork.state().for_each(fork.session(), A, &mut |document| {
        ids.push(Document::from_reader(document).unwrap().get_i32("_id").unwrap());
        Ok(())
    })?;
    Ok(ids)
}

#[test]
fn after_going_back_the_log_goes_on_from_there_and_what_it_held_behind_is_left() {
    let (store, mut head) = head();
    head.snapshot(&UnixMillis(0)).unwrap();
    go_on(&mut head, &[11, 12], 1);
    let (kept, _) = head.snapshot(&UnixMillis(0)).unwrap();
    go_on(&mut head, &[13, 15], 1);
    head.rewind(kept).unwrap();
    let error = ids_at(&store, 13).unwrap_err();
    assert!(matches!(error, HeadError::TooLate { .. }), "{error}");
    catch_up(&mut head);
    assert_eq!(head.at().ts, ts(12));
    go_on(&mut head, &[14, 16], 2);
    assert_eq!(ids_at(&store, 15).unwrap(), [1011, 1012, 2014]);
    assert_eq!(ids_at(&store, 16).unwrap(), [1011, 1012, 2014, 2016]);
    // What lies before is restored from the chain that was left, however often that was.
    head.rewind(kept).unwrap();
    go_on(&mut head, &[20], 3);
    assert_eq!(ids_at(&store, 11).unwrap(), [1011]);
    assert_eq!(ids_at(&store, 20).unwrap(), [1011, 1012, 3020]);
}

#[test]
fn going_back_to_a_copy_reads_the_log_from_its_beginning_again() {
    let (store, mut head) = head();
    let (copy, _) = head.snapshot(&UnixMillis(0)).unwrap();
    go_on(&mut head, &[11], 1);
    head.rewind(copy).unwrap();
    go_on(&mut head, &[12], 2);
    head.rewind(copy).unwrap();
    assert_eq!(name().slices(&store).tip().unwrap().unwrap().link.at.ts, ts(10));
    go_on(&mut head, &[13], 3);
    assert_eq!(ids_at(&store, 13).unwrap(), [3013]);
}

#[test]
fn a_head_does_not_go_back_to_a_branch_that_it_left() {
    let (store, mut head) = head();
    let (first, _) = head.snapshot(&UnixMillis(0)).unwrap();
    go_on(&mut head, &[12, 15, 20], 1);
    let (left, _) = head.snapshot(&UnixMillis(0)).unwrap();
    head.rewind(first).unwrap();
    go_on(&mut head, &[14], 2);
    let error = head.rewind(left).unwrap_err();
    assert!(matches!(error, HeadError::DeadBranch { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(ids_at(&store, 14).unwrap(), [2014]);
    go_on(&mut head, &[15], 2);
}

#[test]
fn a_time_between_the_end_of_the_log_and_a_later_root_is_refused() {
    let (store, mut head) = head();
    go_on(&mut head, &[12, 15], 1);
    head.snapshot(&UnixMillis(0)).unwrap();
    let later = [insert(18, 1), insert(30, 1)];
    head.apply(&later.each_ref().map(|entry| Doc::new(entry).unwrap())).unwrap();
    head.flush().unwrap();
    assert_eq!(ids_at(&store, 15).unwrap(), [1012, 1015]);
    let error = ids_at(&store, 20).unwrap_err();
    assert!(matches!(error, HeadError::NoEntries { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(ids_at(&store, 30).unwrap().len(), 4);
}

#[test]
fn after_going_back_into_a_slice_its_entries_may_come_again_in_others() {
    let (store, mut head) = head();
    go_on(&mut head, &[11, 12], 1);
    let within = [insert(13, 1), insert(14, 1)];
    head.apply(&within.each_ref().map(|entry| Doc::new(entry).unwrap())).unwrap();
    let (kept, _) = head.snapshot(&UnixMillis(0)).unwrap();
    head.rewind(kept).unwrap();
    go_on(&mut head, &[13], 1);
    assert_eq!(head.at().ts, ts(14));
    go_on(&mut head, &[14, 15], 1);
    assert_eq!(ids_at(&store, 15).unwrap(), [1011, 1012, 1013, 1014, 1015]);
}
