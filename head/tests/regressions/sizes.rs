//! Documents that are changed over and over, and what is far larger than usual.

use crate::rig::*;
use std::collections::BTreeMap;
use tidemark_base::UnixMillis;
use tidemark_base::bson::Doc;
use tidemark_head::catalog::{self, Entry};
use tidemark_head::head::Head;
use tidemark_head::root::Root;
use tidemark_head::run::Run;
use tidemark_head::state::State;

fn diff(secs: u32, id: i32, diff: Document) -> Vec<u8> {
    entry(secs, doc! {"op": "u", "ns": "app.a", "o": {"$v": 2, "diff": diff}, "o2": {"_id": id}})
}

/// An update of so many bytes.
fn large(secs: u32, id: i32, bytes: usize) -> Vec<u8> {
    let bytes = vec![u8::try_from(secs % 251).unwrap(); bytes];
    let blob = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes };
    diff(secs, id, doc! {"u": {"x": blob}})
}

fn get(head: &Head, id: i32) -> Option<Document> {
    let id = doc! {"_id": id}.to_vec().unwrap();
    let id = Doc::new(&id).unwrap().first_element().unwrap().unwrap();
    let found = head.state().get(head.store(), A, id).unwrap();
    found.map(|found| Document::from_reader(found.as_slice()).unwrap())
}

/// The first byte of the field that [`large`] writes.
fn x_of(head: &Head) -> u8 {
    get(head, 0).unwrap().get_binary_generic("x").unwrap()[0]
}

fn stack(head: &Head) -> Vec<Run> {
    let root = Root::read(head.store(), head.root()).unwrap();
    catalog::read(head.store(), root.catalog.as_ref()).unwrap()[&A].documents.runs().cloned().collect()
}

fn misfits(head: &mut Head) -> u64 {
    head.take_divergences().diverged().operations
}

#[test]
fn a_document_that_is_changed_over_and_over_between_two_flushes_is_flushed() {
    let store = store();
    let mut head = head(&store, &doc! {});
    for n in 0..130 {
        apply(&mut head, &[large(11 + n, 0, 1 << 20)]).unwrap();
    }
    head.flush().unwrap();
    assert!(stack(&head)[1].plain_bytes < 2 << 20);
    drop(head);
    let mut head = Head::claim(&store, &name()).unwrap();
    assert_eq!((x_of(&head), misfits(&mut head)), (140, 0));
}

#[test]
fn a_document_that_is_changed_over_and_over_between_many_flushes_is_merged_and_read() {
    let store = store();
    let mut head = head(&store, &doc! {});
    let mut secs = 10;
    // As much between two flushes as may wait, and more.
    for bytes in [300 << 10, 1 << 20] {
        for _ in 0..70 {
            for _ in 0..3 {
                secs += 1;
                apply(&mut head, &[large(secs, 0, bytes)]).unwrap();
            }
            head.flush().unwrap();
        }
        assert!(stack(&head).iter().all(|run| run.plain_bytes < 2 << 20));
        assert_eq!(u32::from(x_of(&head)), secs % 251);
    }
    head.compact().unwrap();
    assert_eq!((u32::from(x_of(&head)), misfits(&mut head)), (secs % 251, 0));
}

#[test]
fn many_small_updates_between_two_flushes_become_a_document() {
    let mut head = head(&store(), &doc! {});
    let entries: Vec<_> =
        (0..1025_i32).map(|n| diff(11 + n.cast_unsigned(), 0, doc! {"u": {"x": n}})).collect();
    apply(&mut head, &entries).unwrap();
    head.flush().unwrap();
    assert!(stack(&head)[1].plain_bytes < 100);
    assert_eq!(get(&head, 0).unwrap(), doc! {"_id": 0, "x": 1024});
}

#[test]
fn how_a_document_that_is_changed_over_and_over_is_stored_depends_on_no_batch() {
    let entries: Vec<_> = (11..31).map(|secs| large(secs, 0, 100 << 10)).collect();
    let roots = [1, 3, 20].map(|at_once| {
        let mut head = head(&store(), &doc! {});
        entries.chunks(at_once).for_each(|some| apply(&mut head, some).unwrap());
        head.flush().unwrap()
    });
    assert!(roots.iter().all(|root| *root == roots[0]));
}

/// What is certain to be found some time is found once, also if the document is settled in between.
#[test]
fn what_does_not_fit_is_told_once_of_a_document_that_is_changed_over_and_over() {
    let store = store();
    let mut head = head(&store, &doc! {});
    // A part without a place; then the document goes on, and would be replaced before anybody tried that.
    apply(&mut head, &[diff(11, 0, doc! {"sx": {"u": {"y": 1}}, "sz": {"u": {"y": 1}}})]).unwrap();
    // Two updates and a delete of documents that are not there.
    apply(
        &mut head,
        &[diff(12, 98, doc! {"u": {"x": 1}}), diff(13, 99, doc! {"u": {"x": 1}}), delete(14, 99)],
    )
    .unwrap();
    head.flush().unwrap();
    assert_eq!(misfits(&mut head), 0);
    for n in 0..2 {
        let secs = 20 + 10 * n;
        let entries = [large(secs, 0, 2 << 20), large(secs + 1, 98, 2 << 20), large(secs + 2, 99, 2 << 20)];
        apply(&mut head, &entries).unwrap();
        head.flush().unwrap();
        // Two updates that find nothing; at first also the part without a place.
        assert_eq!(misfits(&mut head), if n == 0 { 3 } else { 2 });
    }
    // What was found missing below, and stayed there.
    head.compact().unwrap();
    assert_eq!(misfits(&mut head), 3);
    assert_eq!((get(&head, 98), get(&head, 99)), (None, None));
}

#[test]
fn an_id_that_has_a_key_of_many_megabytes_stops_nothing() {
    let store = store();
    let mut head = head(&store, &doc! {});
    let id = |last: i32| {
        let tiny = bson::Bson::Double(f64::from_bits((1 << 52) - 1));
        let mut values = vec![tiny; 66_000];
        values.push(last.into());
        doc! {"a": values}
    };
    let insert = |secs, last| entry(secs, doc! {"op": "i", "ns": "app.a", "o": {"_id": id(last), "n": last}});
    apply(&mut head, &[insert(11, 1), insert(12, 2)]).unwrap();
    head.flush().unwrap();
    let set = doc! {"op": "u", "ns": "app.a", "o": {"$v": 2, "diff": {"u": {"n": 7}}}, "o2": {"_id": id(1)}};
    apply(&mut head, &[entry(13, set), entry(14, doc! {"op": "d", "ns": "app.a", "o": {"_id": id(2)}})])
        .unwrap();
    head.snapshot(&UnixMillis(0)).unwrap();
    head.compact().unwrap();
    let mut found = Vec::new();
    let each = &mut |document: &[u8]| {
        found.push(Document::from_reader(document).unwrap());
        Ok(())
    };
    head.state().fold(&store, A, each).unwrap();
    assert_eq!((found.len(), misfits(&mut head)), (4, 0));
    assert!(found.contains(&doc! {"_id": id(1), "n": 7}));
}

#[test]
fn sizes_of_runs_that_overflow_are_counted_as_far_as_one_can() {
    let store = store();
    let given = head(&store, &doc! {});
    let root = Root::read(&store, given.root()).unwrap();
    let mut entries: BTreeMap<_, Entry> = catalog::read(&store, root.catalog.as_ref()).unwrap();
    let session = store.session(&[&name().head()]).unwrap();
    let stack = &mut entries.get_mut(&A).unwrap().documents;
    let base = stack.base.clone().unwrap();
    stack.base = Some(Run { plain_bytes: u64::MAX, ..base });
    entries.get_mut(&A).unwrap().order.base = Some(Run { plain_bytes: u64::MAX, ..base });
    let catalog = catalog::write(&session, entries.iter().map(|(uuid, entry)| (*uuid, entry))).unwrap();
    let root = Root { catalog, ..root }.put(&session).unwrap();
    State::open(&session, root).unwrap();
    let other = tidemark_head::head::HeadName::new("local", "hostile").unwrap();
    let mut head = Head::create(&session, &other, root).unwrap();
    let (_, taken) = head.snapshot(&UnixMillis(0)).unwrap();
    assert_eq!(taken.run_bytes, u64::MAX);
}
