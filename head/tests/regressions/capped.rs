//! The order of capped collections, as the real mongod keeps it.

use crate::rig::*;
use std::time::Duration;
use tidemark_base::{Clock as _, SystemClock};
use tidemark_blockstore::{GcOptions, Quiet, Store};
use tidemark_head::HeadError;
use tidemark_head::catalog::{self, RunStack};
use tidemark_head::head::Head;
use tidemark_head::root::Root;

#[test]
fn a_users_insert_over_a_document_leaves_it_in_its_place() {
    for upsert in [false, true] {
        let mut head = head(&store(), &capped());
        let op = |id: i32| doc! {"op": "i", "ns": "app.a", "ui": uuid(), "o": {"_id": id, "x": 9}};
        apply(&mut head, &[users(11, upsert, op(0)), users(12, upsert, op(7)), users(13, upsert, op(7))])
            .unwrap();
        assert_eq!(ids(&head), [0, 1, 2, 7]);
        head.flush().unwrap();
        apply(&mut head, &[delete(14, 1), users(15, upsert, op(1)), insert(16, 8)]).unwrap();
        assert_eq!(ids(&head), [0, 2, 7, 1, 8]);
        head.compact().unwrap();
        assert_eq!(ids(&head), [0, 2, 7, 1, 8]);
    }
}

fn stacks(store: &Store, head: &Head) -> (RunStack, RunStack) {
    let root = Root::read(store, head.root()).unwrap();
    let mut entries = catalog::read(store, root.catalog.as_ref()).unwrap();
    let entry = entries.remove(&A).unwrap();
    (entry.documents, entry.order)
}

/// The second is made of what the first holds in the end.
#[test]
fn a_compacted_root_depends_on_documents_and_their_order_alone() {
    let (one, other) = (store(), store());
    let mut first = head_at(&one, optime(10, 1), &capped(), &[doc! {"_id": 1}, doc! {"_id": 2}], None);
    let spelled = doc! {"op": "u", "ns": "app.a", "o": {"_id": 1.0, "x": 0}, "o2": {"_id": 1}};
    // A place without a document: of an upsert that fails.
    let fails = doc! {"op": "u", "ns": "app.a", "ui": uuid(), "o2": {"_id": 3}, "o": {"$set": {"_id": 4}}};
    apply(&mut first, &[entry(11, spelled), users(12, true, fails), insert(13, 5)]).unwrap();
    first.compact().unwrap();
    let documents = [doc! {"_id": 1.0, "x": 0}, doc! {"_id": 2}, doc! {"_id": 5, "x": 1}];
    let second = head_at(&other, optime(13, 1), &capped(), &documents, None);
    assert_eq!(stacks(&one, &first), stacks(&other, &second));
    let once = first.root();
    assert_eq!(first.compact().unwrap(), once);
}

#[test]
fn a_capped_collection_with_random_keys_is_read_about_as_fast_as_by_key() {
    let documents: Vec<_> = (0..40_000_u64)
        .map(|n| doc! {"_id": (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1).cast_signed(), "x": "y".repeat(550)})
        .collect();
    let store = store();
    let head = head_at(&store, optime(10, 1), &capped(), &documents, None);
    let clock = SystemClock::new();
    let timed = |is_in_order: bool| -> Duration {
        let mut read = Vec::new();
        let each = &mut |document: &[u8]| {
            read.push(Document::from_reader(document).unwrap().get_i64("_id").unwrap());
            Ok(())
        };
        let start = clock.monotonic();
        let state = head.state();
        if is_in_order { state.for_each(&store, A, each) } else { state.fold(&store, A, each) }.unwrap();
        let took = clock.monotonic() - start;
        if is_in_order {
            assert!(documents.iter().map(|it| it.get_i64("_id").unwrap()).eq(read));
        } else {
            assert!(read.is_sorted());
        }
        took
    };
    let (by_key, in_order) = (timed(false), timed(true));
    assert!(in_order < 10 * by_key + Duration::from_millis(200), "{in_order:?} against {by_key:?}");
}

/// What its state stands on is gone.
#[test]
fn a_holder_that_was_taken_over_is_told_so_when_applying_finds_no_block() {
    let store = store();
    let mut first = head(&store, &capped());
    for n in 0..3 {
        apply(&mut first, &[insert(11 + n, 100 + i32::try_from(n).unwrap())]).unwrap();
        first.flush().unwrap();
    }
    let mut second = Head::claim(&store, &name()).unwrap();
    apply(&mut second, &[delete(20, 0)]).unwrap();
    second.compact().unwrap();
    for _ in 0..4 {
        store.collect(GcOptions::default(), &Quiet).unwrap();
    }
    let upsert = doc! {"op": "u", "ns": "app.a", "ui": uuid(), "o": {"$set": {"y": 1}}, "o2": {"_id": 2}};
    let outcome = apply(&mut first, &[users(20, true, upsert)]);
    assert!(matches!(outcome, Err(HeadError::Fenced { ours: 1, found: 2, .. })), "{outcome:?}");
}
