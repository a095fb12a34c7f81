//! Heads: who may work on one, what is kept, and what an error leaves behind.

#![expect(clippy::unwrap_used, reason = "a test")]

use bson::{Document, doc};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tidemark_base::bson::Doc;
use tidemark_base::{Clock, CollectionUuid, ErrorKind, OpTime, SeededEntropy, Timestamp, UnixMillis};
use tidemark_blockstore::{Depth, GcOptions, MemoryBackend, Quiet, Store};
use tidemark_head::dump::{ArchiveReader, ArchiveWriter, Compression, Versions};
use tidemark_head::head::{Head, HeadName, look_up};
use tidemark_head::import::{Import, of_dump};
use tidemark_head::state::State;
use tidemark_head::{HeadError, export, snapshot};
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_testkit::dumps;

const A: CollectionUuid = CollectionUuid::from_bytes([1; 16]);

fn store() -> Store {
    Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(3))))
}

fn name() -> HeadName {
    HeadName::new("local", "rs0").unwrap()
}

fn optime(secs: u32) -> OpTime {
    OpTime { ts: Timestamp { secs, ordinal: 1 }, term: 1 }
}

fn collection(options: &Document) -> Collection {
    let options = options.to_vec().unwrap();
    Collection { database: "app".to_owned(), name: "a".to_owned(), options, indexes: Vec::new() }
}

/// A head with one collection of 100 documents, at 10,1.
fn head(store: &Store, options: &Document, fuzzy_until: Option<Timestamp>) -> Head {
    let mut import = Import::begin(store, optime(10), Filter::default(), usize::MAX).unwrap();
    import.collection(A, collection(options)).unwrap();
    let documents: Vec<_> = (0..100).map(|n| doc! {"_id": n, "x": 0}.to_vec().unwrap()).collect();
    let documents: Vec<_> = documents.iter().map(|it| Doc::new(it).unwrap()).collect();
    import.documents(A, &documents).unwrap();
    import.finish(&name(), fuzzy_until).unwrap()
}

fn entry(secs: u32, fields: Document) -> Vec<u8> {
    let ts = bson::Timestamp { time: secs, increment: 1 };
    let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: A.as_bytes().to_vec() };
    let mut entry =
        doc! {"ts": ts, "t": 1_i64, "v": 2_i64, "wall": bson::DateTime::from_millis(0), "ui": uuid};
    entry.extend(fields);
    entry.to_vec().unwrap()
}

fn insert(secs: u32, id: i32) -> Vec<u8> {
    entry(secs, doc! {"op": "i", "ns": "app.a", "o": {"_id": id, "x": 1}, "o2": {"_id": id}})
}

fn delete(secs: u32, id: i32) -> Vec<u8> {
    entry(secs, doc! {"op": "d", "ns": "app.a", "o": {"_id": id}})
}

fn apply(head: &mut Head, entries: &[Vec<u8>]) -> Result<(), HeadError> {
    let entries: Vec<_> = entries.iter().map(|it| Doc::new(it).unwrap()).collect();
    head.apply(&entries)
}

fn documents(head: &Head) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let each = &mut |document: &[u8]| {
        found.push(document.to_vec());
        Ok(())
    };
    head.state().for_each(head.store(), A, each).unwrap();
    found
}

/// A clock whose every reading is a millisecond later.
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.now().0)
    }
}

fn clean(store: &Store) {
    store.collect(GcOptions::default(), &Quiet).unwrap();
    store.collect(GcOptions::default(), &Quiet).unwrap();
    let report = store.verify(Depth::Full, &Quiet).unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn of_two_who_claim_a_head_the_first_is_fenced_and_changes_nothing() {
    let store = store();
    let mut first = head(&store, &doc! {}, None);
    let mut second = Head::claim(&store, &name()).unwrap();
    assert_eq!((first.epoch(), second.epoch()), (1, 2));
    apply(&mut first, &[insert(11, 500)]).unwrap();
    let error = first.flush().unwrap_err();
    assert!(matches!(error, HeadError::Fenced { ours: 1, found: 2, .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(matches!(first.flush(), Err(HeadError::Broken)));
    assert!(matches!(apply(&mut first, &[insert(12, 501)]), Err(HeadError::Broken)));
    apply(&mut second, &[insert(11, 600)]).unwrap();
    let root = second.flush().unwrap();
    assert_eq!(look_up(&store, &name()).unwrap().root, root);
    assert_eq!(documents(&second).len(), 101);
    drop(first);
    clean(&store);
}

#[test]
fn a_head_is_made_once_and_found_or_not() {
    let store = store();
    assert!(matches!(Head::claim(&store, &name()), Err(HeadError::NoHead { .. })));
    drop(head(&store, &doc! {}, None));
    let mut again = Import::begin(&store, optime(10), Filter::default(), usize::MAX).unwrap();
    again.collection(A, collection(&doc! {})).unwrap();
    let error = again.finish(&name(), None).unwrap_err();
    assert!(matches!(error, HeadError::HeadExists { .. }), "{error}");
}

#[test]
fn a_snapshot_outlives_what_comes_after_it_and_going_back_to_it_marks_the_branch() {
    let store = store();
    let mut head = head(&store, &doc! {}, None);
    apply(&mut head, &[insert(11, 500)]).unwrap();
    let (first, taken) = head.snapshot(&UnixMillis(1000)).unwrap();
    assert_eq!((taken.at, taken.collections, taken.proven), (optime(11), 1, None));
    let before = documents(&head);
    apply(&mut head, &[delete(12, 500), delete(13, 1)]).unwrap();
    let (second, taken) = head.snapshot(&UnixMillis(2000)).unwrap();
    assert!(taken.new_run_bytes < taken.run_bytes / 10, "{taken:?}");
    head.compact().unwrap();
    clean(&store);

    let proof = snapshot::prove(&store, &name(), second).unwrap();
    assert_eq!((proof.snapshot.proven.unwrap().documents, proof.divergences.len()), (99, 0));
    assert_eq!(snapshot::get(&store, &name(), second).unwrap(), proof.snapshot);

    head.rewind(first).unwrap();
    assert_eq!((head.at(), documents(&head)), (optime(11), before));
    let dead: Vec<_> = snapshot::list(&store, &name()).unwrap();
    assert_eq!(
        dead.iter().map(|(id, it)| (*id, it.is_dead_branch)).collect::<Vec<_>>(),
        [(1, false), (2, true)]
    );
    assert!(dead[1].1.proven.is_some());
    // The other branch has another term.
    apply(&mut head, &[insert(14, 700)]).unwrap();
    let clock = Ticking(AtomicU64::new(3000));
    let (third, taken) = head.snapshot(&clock).unwrap();
    assert_eq!(third, 3, "numbers are not used again");
    let listed = snapshot::get(&store, &name(), third).unwrap();
    assert_eq!(listed, taken);
    assert_eq!((taken.taken, taken.took_ms), (UnixMillis(3000), 1));

    snapshot::delete(&store, &name(), second).unwrap();
    let gone = snapshot::get(&store, &name(), second);
    assert!(matches!(gone, Err(HeadError::NoSnapshot { id: 2, .. })));
    clean(&store);
}

#[test]
fn a_fork_of_a_snapshot_follows_the_log_and_leaves_no_trace() {
    let store = store();
    let mut head = head(&store, &doc! {}, None);
    let (id, snapshot) = head.snapshot(&UnixMillis(0)).unwrap();
    let session = store.session(&[&name().snapshot(id)]).unwrap();
    let mut fork = State::open(&session, snapshot.root).unwrap();
    let entries = [insert(11, 500), delete(12, 7)];
    let entries: Vec<_> = entries.iter().map(|it| Doc::new(it).unwrap()).collect();
    fork.apply(&session, &entries).unwrap();
    let mut ids = Vec::new();
    let each = &mut |document: &[u8]| {
        ids.push(Document::from_reader(document).unwrap().get_i32("_id").unwrap());
        Ok(())
    };
    fork.for_each(&session, A, each).unwrap();
    assert_eq!(ids.len(), 100);
    assert!(ids.contains(&500) && !ids.contains(&7));
    assert_eq!((head.root(), documents(&head).len()), (snapshot.root, 100));
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    let store = store();
    let mut head = head(&store, &doc! {}, None);
    // Against what is in memory: at once. Against what lies below: when it is folded.
    apply(&mut head, &[insert(11, 500), insert(12, 500), delete(13, 999)]).unwrap();
    let found = head.take_divergences();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].at, found[0].namespace.as_str()), (Some(optime(12)), "app.a"));
    assert_eq!(found[0].id, Some(doc! {"_id": 500}.to_vec().unwrap()));
    head.compact().unwrap();
    let found = head.take_divergences();
    assert_eq!((found.len(), found[0].at), (1, None));
}

#[test]
fn a_state_that_is_not_consistent_yet_is_neither_kept_nor_exported() {
    let store = store();
    let mut head = head(&store, &doc! {}, Some(Timestamp { secs: 12, ordinal: 1 }));
    assert!(matches!(head.snapshot(&UnixMillis(0)), Err(HeadError::Fuzzy { .. })));
    let plan = export::plan(head.state(), &store, &Filter::default(), false);
    assert!(matches!(plan, Err(HeadError::Fuzzy { .. })));
    // Tolerant up to there.
    apply(&mut head, &[insert(11, 5), delete(12, 999)]).unwrap();
    head.snapshot(&UnixMillis(0)).unwrap();
    head.compact().unwrap();
    assert!(head.take_divergences().is_empty());
    export::plan(head.state(), &store, &Filter::default(), false).unwrap();
}

#[test]
fn entries_out_of_order_or_of_another_history_are_refused() {
    let store = store();
    let mut head = head(&store, &doc! {}, None);
    let error = apply(&mut head, &[insert(12, 500), insert(11, 501)]).unwrap_err();
    assert!(matches!(error, HeadError::Order { .. }), "{error}");
    apply(&mut head, &[insert(12, 500)]).unwrap();
    // The same again is passed over.
    apply(&mut head, &[insert(12, 500), insert(13, 501)]).unwrap();
    assert!(head.take_divergences().is_empty());
    let other = entry(13, doc! {"op": "n", "ns": "", "o": {"msg": "x"}, "t": 2_i64});
    assert!(matches!(apply(&mut head, &[other]), Err(HeadError::Fork { .. })));
    let broken = entry(14, doc! {"op": "?", "ns": "app.a", "o": {}});
    assert!(matches!(apply(&mut head, &[insert(14, 9), broken]), Err(HeadError::Entry(_))));
    // Nothing of that batch was applied, and the head goes on.
    assert_eq!((head.at(), documents(&head).len()), (optime(13), 102));
    head.flush().unwrap();
}

#[test]
fn a_capped_collection_keeps_its_order_through_flush_compaction_and_a_users_upsert() {
    let store = store();
    let mut head = head(&store, &doc! {"capped": true, "size": 4096}, None);
    let upsert = |secs: u32, id: i32| {
        let operation =
            doc! {"op": "u", "ns": "app.a", "o2": {"_id": id}, "o": {"$set": {"y": 1}}, "b": true};
        entry(secs, doc! {"op": "c", "ns": "app.$cmd", "o": {"applyOps": [operation], "alwaysUpsert": true}})
    };
    let ids = |head: &Head| -> Vec<i32> {
        let id = |it: &Vec<u8>| Document::from_reader(it.as_slice()).unwrap().get_i32("_id").unwrap();
        documents(head).iter().map(id).collect()
    };
    apply(&mut head, &[delete(11, 0), insert(12, -5), upsert(13, -7), upsert(14, 3)]).unwrap();
    let expected: Vec<i32> = (1..100).chain([-5, -7]).collect();
    assert_eq!(ids(&head), expected);
    head.flush().unwrap();
    assert_eq!(ids(&head), expected);
    let once = head.compact().unwrap();
    assert_eq!(ids(&head), expected);
    assert_eq!(head.compact().unwrap(), once);
}

#[test]
fn many_flushes_do_not_pile_up() {
    let store = store();
    let mut head = head(&store, &doc! {}, None);
    for n in 0..200 {
        apply(&mut head, &[insert(11 + n, 1000 + i32::try_from(n).unwrap())]).unwrap();
        head.flush().unwrap();
    }
    let root = tidemark_head::root::Root::read(&store, head.root()).unwrap();
    let entries = tidemark_head::catalog::read(&store, root.catalog.as_ref()).unwrap();
    assert!(entries[&A].documents.patches.len() < 64);
    assert_eq!(documents(&head).len(), 300);
    clean(&store);
}

/// An archive by the real mongodump, into a head and out again, twice.
#[test]
fn an_imported_dump_exported_and_imported_again_is_the_same_dump() {
    let through = |archive: &[u8]| -> Vec<u8> {
        let store = store();
        let mut import = Import::begin(&store, optime(10), Filter::default(), 1 << 16).unwrap();
        let mut reader = ArchiveReader::new(archive, "the archive").unwrap();
        let copied = of_dump(&mut import, &mut reader, &mut |_| Ok(())).unwrap();
        assert!(copied.documents > 0 && copied.collections > 0);
        let head = import.finish(&name(), None).unwrap();
        let plan = export::plan(head.state(), &store, &Filter::default(), true).unwrap();
        assert!(!plan.entries.is_empty());
        let parts = plan.entries.iter().map(|entry| entry.part.clone()).collect();
        let mut out = Vec::new();
        let versions = Versions::default();
        let writer = ArchiveWriter::new(&mut out, "memory", Compression::Plain, &versions, parts).unwrap();
        export::write(head.state(), &store, &plan, writer).unwrap();
        out
    };
    let original = dumps::file("archive.bin").unwrap();
    let once = through(original);
    assert_eq!(through(&once), once);
}

/// Otherwise what nobody follows any more would be exported as if it were of now.
#[test]
fn a_head_follows_what_it_was_made_to_follow_whoever_claims_it() {
    let store = store();
    let filter = Filter::new(["app.b"], ["app"]).unwrap();
    let mut import = Import::begin(&store, optime(10), filter, usize::MAX).unwrap();
    import.collection(A, collection(&doc! {})).unwrap();
    drop(import.finish(&name(), None).unwrap());
    let mut head = Head::claim(&store, &name()).unwrap();
    let b = CollectionUuid::from_bytes([2; 16]);
    let create = |name: &str, secs: u32, uuid: CollectionUuid| {
        let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: uuid.as_bytes().to_vec() };
        entry(secs, doc! {"op": "c", "ns": "app.$cmd", "ui": uuid, "o": {"create": name}})
    };
    apply(&mut head, &[insert(11, 1), create("b", 12, b)]).unwrap();
    head.flush().unwrap();
    head.compact().unwrap();
    let mut head = Head::claim(&store, &name()).unwrap();
    apply(&mut head, &[create("c", 13, CollectionUuid::from_bytes([3; 16])), create("b", 14, b)]).unwrap();
    let names: Vec<_> = head.state().catalog().iter().map(|(_, it)| it.name.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
    assert!(head.take_divergences().is_empty());
}
