//! The sync store: what is acknowledged is kept once and in order, whoever sends what, how often, and whatever fails.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use tidemark_base::bson::{Doc, DocWriter};
use tidemark_base::{CollectionUuid, ErrorKind, OpTime, SeededEntropy, Timestamp, threads};
use tidemark_blockstore::fault::{Fault, FaultAt, FaultBackend};
use tidemark_blockstore::{Depth, GcOptions, MemoryBackend, Quiet, Session, Store};
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::initial_sync::{Batch, BatchId, BatchWriter};
use tidemark_oplog::slice::Link;
use tidemark_oplog::store::initial_sync::{Kept, Resume, SyncStore, SyncStoreError};
use tidemark_oplog::store::{ChainNumber, SliceStore, Tip};

const PREFIX: &str = "g/local/h/rs0";
const A: CollectionUuid = CollectionUuid::from_bytes([1; 16]);
const B: CollectionUuid = CollectionUuid::from_bytes([2; 16]);

fn at(secs: u32) -> OpTime {
    OpTime { ts: Timestamp { secs, ordinal: 1 }, term: 1 }
}

fn memory() -> Arc<MemoryBackend> {
    Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1)))
}

fn collection(name: &str) -> Collection {
    let empty = Doc::EMPTY.as_bytes().to_vec();
    Collection { database: "shop".to_owned(), name: name.to_owned(), options: empty, indexes: Vec::new() }
}

fn id(sync: u32, collection: CollectionUuid, scan: u32, number: u32) -> BatchId {
    BatchId { sync, collection, scan, number }
}

/// A batch of three documents that show which it is.
fn batch(id: BatchId, says: &str) -> Batch {
    let mut writer = BatchWriter::new(id);
    for n in 0..3 {
        let mut bytes = Vec::new();
        let mut w = DocWriter::new(&mut bytes);
        let open = w.begin();
        w.int32(b"_id", n);
        w.string(b"is", format!("{says} {id}").as_bytes());
        w.end(open);
        writer.push(Doc::new(&bytes).unwrap()).unwrap();
    }
    writer.finish().unwrap()
}

/// The numbers of the batches that can be read, with the scan in front.
fn kept(syncs: &SyncStore, sync: u32, uuid: CollectionUuid) -> Vec<(u32, u32)> {
    let stored = syncs.batches(sync, uuid).unwrap();
    for it in &stored {
        let mut plain = Vec::new();
        assert_eq!(syncs.read(it, &mut plain).unwrap().iter().count(), 3);
    }
    stored.iter().map(|it| (it.header.id.scan, it.header.id.number)).collect()
}

struct Place {
    store: Store,
    session: Session,
    syncs: SyncStore,
}

/// A place where sync 1 is under way and A is described.
fn place() -> Place {
    let store = Store::new(memory());
    let (session, syncs) = (store.session(&[]).unwrap(), SyncStore::new(&store, PREFIX));
    syncs.begin(&session, None, at(5)).unwrap();
    syncs.describe(&session, 1, A, &collection("a")).unwrap();
    Place { store, session, syncs }
}

#[test]
fn batches_are_kept_once_and_in_order_and_outlive_a_collection() {
    let Place { store, session, syncs } = place();
    let resume = Resume { node: "db1:27017".to_owned(), token: vec![7; 300] };
    for number in 0..3 {
        let sent = batch(id(1, A, 1, number), "x");
        let Kept::Now(progress) = syncs.append(&session, &sent.bytes, Some(&resume)).unwrap() else {
            panic!("it was not there")
        };
        assert_eq!((progress.next, progress.documents), (number + 1, 3 * u64::from(number + 1)));
        let again = syncs.append(&session, &sent.bytes, Some(&resume)).unwrap();
        assert_eq!(again, Kept::Before(progress));
    }
    assert_eq!(syncs.end_scan(&session, id(1, A, 1, 3)).unwrap(), {
        let ended = syncs.end_scan(&session, id(1, A, 1, 3)).unwrap();
        assert!(ended.is_done && ended.resume.is_none());
        ended
    });
    assert_eq!(syncs.end(&session, 1, at(9).ts).unwrap().until, Some(at(9).ts));
    assert_eq!(syncs.end(&session, 1, at(9).ts).unwrap().until, Some(at(9).ts), "asked again");
    drop(session);
    (0..2).for_each(|_| drop(store.collect(GcOptions::default(), &Quiet).unwrap()));
    assert_eq!(kept(&syncs, 1, A), [(1, 0), (1, 1), (1, 2)]);
    let [(uuid, progress, described)] = &syncs.collections(1).unwrap()[..] else { panic!("one") };
    assert_eq!((*uuid, progress.is_done, described), (A, true, &collection("a")));
    assert!(store.verify(Depth::Full, &Quiet).unwrap().is_clean());
}

#[test]
fn what_does_not_follow_is_refused_with_what_is_expected() {
    let Place { session, syncs, .. } = place();
    let send = |id, says| syncs.append(&session, &batch(id, says).bytes, None);
    send(id(1, A, 1, 0), "x").unwrap();
    send(id(1, A, 1, 1), "x").unwrap();
    let next = id(1, A, 1, 2);
    for strange in [id(1, A, 1, 3), id(1, A, 2, 0), id(1, A, 2, 2)] {
        let error = send(strange, "x").unwrap_err();
        assert!(matches!(error, SyncStoreError::Refused { expected, .. } if expected == next), "{error}");
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
    let other = send(id(1, A, 1, 0), "something else").unwrap_err();
    assert!(matches!(other, SyncStoreError::Refused { .. }), "{other}");
    assert!(matches!(send(id(1, B, 1, 0), "x"), Err(SyncStoreError::NoCollection { .. })));
    assert!(matches!(send(id(2, A, 1, 2), "x"), Err(SyncStoreError::OtherSync { asked: 2, .. })));
    assert!(matches!(syncs.end(&session, 1, at(9).ts), Err(SyncStoreError::NotDone { uuid: A, .. })));
    assert!(matches!(syncs.end_scan(&session, id(1, A, 1, 1)), Err(SyncStoreError::Refused { .. })));
    syncs.end_scan(&session, next).unwrap();
    assert!(matches!(send(next, "x"), Err(SyncStoreError::Ended { .. })));
    let mut broken = batch(next, "x").bytes;
    broken[20] ^= 1;
    assert!(matches!(syncs.append(&session, &broken, None), Err(SyncStoreError::Given(_))));
    let long = Resume { node: "x".repeat(5000), token: Vec::new() };
    let error = syncs.append(&session, &batch(next, "x").bytes, Some(&long)).unwrap_err();
    assert!(matches!(error, SyncStoreError::LongResume { len: 5000, .. }), "{error}");
    assert_eq!(kept(&syncs, 1, A), [(1, 0), (1, 1)]);
}

#[test]
fn a_scan_that_was_begun_again_counts_more_than_the_one_before() {
    let Place { session, syncs, .. } = place();
    let send = |id| syncs.append(&session, &batch(id, "x").bytes, None);
    send(id(1, A, 1, 0)).unwrap();
    send(id(1, A, 1, 1)).unwrap();
    for _ in 0..2 {
        let progress = syncs.rescan(&session, 1, A, 1).unwrap();
        assert_eq!((progress.scan, progress.next, progress.documents), (2, 0, 6));
    }
    assert!(matches!(send(id(1, A, 1, 1)), Err(SyncStoreError::Refused { .. })), "of the scan before");
    send(id(1, A, 2, 0)).unwrap();
    assert!(matches!(syncs.rescan(&session, 1, A, 1), Err(SyncStoreError::Refused { .. })), "it goes on");
    assert_eq!(kept(&syncs, 1, A), [(1, 0), (1, 1), (2, 0)]);
}

#[test]
fn a_new_sync_refuses_the_old_one_and_what_is_over_is_removed() {
    let Place { session, syncs, .. } = place();
    let sent = batch(id(1, A, 1, 0), "x");
    syncs.append(&session, &sent.bytes, None).unwrap();
    let again = syncs.begin(&session, None, at(5)).unwrap();
    assert_eq!(again.number, 1, "asked again");
    assert!(matches!(syncs.begin(&session, None, at(6)), Err(SyncStoreError::OtherSync { .. })));
    assert_eq!(syncs.begin(&session, Some(1), at(6)).unwrap().number, 2);
    for outcome in [
        syncs.append(&session, &batch(id(1, A, 1, 1), "x").bytes, None).map(drop),
        syncs.describe(&session, 1, B, &collection("b")).map(drop),
        syncs.rescan(&session, 1, A, 1).map(drop),
        syncs.end(&session, 1, at(9).ts).map(drop),
    ] {
        let error = outcome.unwrap_err();
        assert!(matches!(error, SyncStoreError::OtherSync { asked: 1, .. }), "{error}");
    }
    syncs.describe(&session, 2, A, &collection("a")).unwrap();
    syncs.append(&session, &batch(id(2, A, 1, 0), "x").bytes, None).unwrap();
    assert_eq!(syncs.remove(&session, 1).unwrap(), 2);
    assert_eq!((kept(&syncs, 1, A), kept(&syncs, 2, A)), (vec![], vec![(1, 0)]));
}

#[test]
fn of_two_who_send_the_same_scan_each_batch_is_kept_once() {
    let Place { store, syncs, .. } = place();
    const BATCHES: u32 = 60;
    let sender = |says: &'static str| {
        let (store, syncs) = (store.clone(), syncs.clone());
        threads::spawn("sender", move || {
            let session = store.session(&[]).unwrap();
            let (mut won, mut number) = (0, 0);
            while number < BATCHES {
                number = match syncs.append(&session, &batch(id(1, A, 1, number), says).bytes, None) {
                    Ok(Kept::Now(progress)) => {
                        won += 1;
                        progress.next
                    }
                    Err(SyncStoreError::Refused { expected, .. }) => expected.number,
                    other => panic!("{other:?}"),
                };
            }
            won
        })
        .unwrap()
    };
    let (a, b) = (sender("a"), sender("b"));
    assert_eq!(a.join().unwrap() + b.join().unwrap(), BATCHES);
    assert_eq!(kept(&syncs, 1, A), (0..BATCHES).map(|n| (1, n)).collect::<Vec<_>>());
}

#[test]
fn a_copy_and_its_oplog_begin_together_and_once() {
    let store = Store::new(memory());
    let (session, syncs) = (store.session(&[]).unwrap(), SyncStore::new(&store, PREFIX));
    let slices = SliceStore::new(&store, PREFIX);
    let begin = |last, secs| syncs.begin_with_log(&session, &slices, last, at(secs));
    let tip = |chain, secs| {
        let link = Link::genesis(at(secs));
        Tip { chain: ChainNumber(chain), start: link, link }
    };
    for _ in 0..2 {
        let (state, began) = begin(None, 5).unwrap();
        assert_eq!((state.number, state.begin, began), (1, at(5), tip(1, 5)));
    }
    let error = begin(None, 7).unwrap_err();
    assert!(matches!(error, SyncStoreError::OtherSync { asked: 1, .. }), "{error}");
    assert_eq!(slices.tip().unwrap(), Some(tip(1, 5)), "who lost begins no chain either");
    for _ in 0..2 {
        assert_eq!(begin(Some(1), 9).unwrap().1, tip(2, 9));
    }
    assert_eq!(syncs.state().unwrap().unwrap().number, 2);
    assert!(matches!(begin(Some(1), 8), Err(SyncStoreError::OtherSync { asked: 2, .. })));
}

#[test]
fn whatever_call_fails_a_copy_never_begins_without_its_oplog() {
    for fault in [Fault::Fail, Fault::FailAfter, Fault::Tear] {
        for call in 1.. {
            let backend = memory();
            let at_call = FaultAt { call, fault, and_all_later: false };
            let faulty = Arc::new(FaultBackend::new(backend.clone(), at_call));
            let store = Store::new(faulty.clone());
            let (syncs, slices) = (SyncStore::new(&store, PREFIX), SliceStore::new(&store, PREFIX));
            let mut session = None;
            for (last, secs) in [(None, 5), (Some(1), 9)] {
                insists(&store, &mut session, |it| {
                    let begun = syncs.begin_with_log(it, &slices, last, at(secs));
                    let tip = slices.tip().ok().flatten();
                    // Whatever came of it, both are where the same copy begins.
                    assert_eq!(syncs.state().ok().flatten().map(|it| it.begin), tip.map(|it| it.start.at));
                    begun
                });
            }
            drop(session);
            backend.crash();
            let store = Store::new(backend);
            let (syncs, slices) = (SyncStore::new(&store, PREFIX), SliceStore::new(&store, PREFIX));
            assert_eq!(syncs.state().unwrap().map(|it| (it.number, it.begin)), Some((2, at(9))));
            assert_eq!(slices.tip().unwrap().map(|it| (it.chain.0, it.start.at)), Some((2, at(9))));
            if faulty.calls() < call {
                assert!(call > 3, "{call}");
                break;
            }
        }
    }
}

#[test]
fn one_collection_is_found_as_in_the_list() {
    let Place { syncs, .. } = place();
    let (progress, described) = syncs.collection(1, A).unwrap().unwrap();
    assert_eq!(syncs.collections(1).unwrap(), [(A, progress, described)]);
    assert_eq!(syncs.collection(1, B).unwrap(), None);
}

/// A sender that opens a new session after a failure and sends again.
fn insists<T>(
    store: &Store,
    session: &mut Option<Session>,
    work: impl Fn(&Session) -> Result<T, SyncStoreError>,
) -> T {
    for _ in 0..4 {
        let Some(held) = session.take().or_else(|| store.session(&[]).ok()) else { continue };
        match work(&held) {
            Ok(done) => {
                *session = Some(held);
                return done;
            }
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Retry | ErrorKind::Fenced), "{error}");
            }
        }
    }
    panic!("one failure was injected")
}

#[test]
fn whatever_call_fails_a_sender_that_sends_again_has_everything_kept_once() {
    for fault in [Fault::Fail, Fault::FailAfter, Fault::Tear] {
        for call in 1.. {
            let backend = memory();
            let faulty =
                Arc::new(FaultBackend::new(backend.clone(), FaultAt { call, fault, and_all_later: false }));
            let store = Store::new(faulty.clone());
            let (syncs, mut session) = (SyncStore::new(&store, PREFIX), None);
            insists(&store, &mut session, |it| syncs.begin(it, None, at(5)));
            for uuid in [A, B] {
                insists(&store, &mut session, |it| syncs.describe(it, 1, uuid, &collection("a")));
                for number in 0..2 {
                    let sent = batch(id(1, uuid, 1, number), "x");
                    insists(&store, &mut session, |it| syncs.append(it, &sent.bytes, None));
                }
                insists(&store, &mut session, |it| syncs.end_scan(it, id(1, uuid, 1, 2)));
            }
            insists(&store, &mut session, |it| syncs.end(it, 1, at(9).ts));
            drop(session);
            backend.crash();
            let store = Store::new(backend);
            let syncs = SyncStore::new(&store, PREFIX);
            assert_eq!(syncs.state().unwrap().unwrap().until, Some(at(9).ts));
            for uuid in [A, B] {
                assert_eq!(kept(&syncs, 1, uuid), [(1, 0), (1, 1)], "call {call}");
            }
            if faulty.calls() < call {
                assert!(call > 20, "{call}");
                break;
            }
        }
    }
}
