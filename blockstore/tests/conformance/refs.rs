//! Publishing, reading and listing refs.

use crate::harness::{Harness, delete, leaf, set};
use tidemark_base::limits::{MAX_REF_NAME_BYTES, MAX_REF_ROOTS, MAX_REF_VALUE_BYTES};
use tidemark_base::{BlockId, BlockKind};
use tidemark_blockstore::{Error, Expect, NewRef, RefChange};

pub(crate) fn a_ref_is_set_read_listed_and_deleted(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let id = leaf(&session, b"root");
    let version = session.publish(&[set("g/a/1", id), set("g/a/2", id), set("g/b", id)]).unwrap();
    for opened in [store, harness.open()] {
        let found = opened.get_ref("g/a/1").unwrap().unwrap();
        assert_eq!((found.version, found.roots, found.value), (version, vec![id], b"g/a/1".to_vec()));
        let names: Vec<_> = opened.list_refs("g/a/").unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["g/a/1", "g/a/2"]);
    }
    session.publish(&[delete("g/a/1"), delete("never there")]).unwrap();
    assert_eq!(harness.open().get_ref("g/a/1").unwrap(), None);
    assert_eq!(harness.open().list_refs("").unwrap().len(), 2);
}

pub(crate) fn a_publish_is_all_or_nothing(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let id = leaf(&session, b"root");
    session.publish(&[set("taken", id)]).unwrap();
    let absent = RefChange { expect: Expect::Absent, ..set("taken", id) };
    let refused = session.publish(&[set("first", id), absent, delete("taken")]);
    assert!(matches!(refused, Err(Error::Invalid { .. })), "one name twice");
    let absent = RefChange { expect: Expect::Absent, ..set("taken", id) };
    let refused = session.publish(&[set("first", id), absent]);
    assert!(matches!(refused, Err(Error::RefConflict { name, .. }) if name == "taken"));
    assert_eq!(store.get_ref("first").unwrap(), None);
    // A conflict is an answer, not a failure: the session goes on.
    session.publish(&[set("second", id)]).unwrap();
}

pub(crate) fn two_publishers_cannot_both_win(harness: &dyn Harness) {
    let (one, two) = (harness.open(), harness.open());
    let (first, second) = (one.session(&[]).unwrap(), two.session(&[]).unwrap());
    let id = leaf(&first, b"root");
    let seen = first.publish(&[set("tip", id)]).unwrap();
    leaf(&second, b"root");
    let next = |version| RefChange { expect: Expect::Version(version), ..set("tip", id) };
    let won = second.publish(&[next(seen)]).unwrap();
    assert!(won > seen);
    assert!(matches!(first.publish(&[next(seen)]), Err(Error::RefConflict { .. })));
    first.publish(&[next(won)]).unwrap();
}

pub(crate) fn a_root_must_be_in_the_store(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let absent = BlockId::of(BlockKind::Leaf, b"never put");
    assert!(matches!(session.publish(&[set("r", absent)]), Err(Error::Missing { .. })));
    assert_eq!(store.get_ref("r").unwrap(), None);
}

pub(crate) fn names_and_sizes_are_checked(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let id = leaf(&session, b"root");
    let long = "x".repeat(MAX_REF_NAME_BYTES + 1);
    let value = NewRef { roots: Vec::new(), value: vec![0; MAX_REF_VALUE_BYTES + 1] };
    let roots = NewRef { roots: vec![id; MAX_REF_ROOTS + 1], value: Vec::new() };
    let with = |new| RefChange { name: "r".into(), expect: Expect::Any, set: Some(new) };
    for bad in [set("", id), set("a\nb", id), set(&long, id), with(value), with(roots)] {
        assert!(matches!(session.publish(&[bad]), Err(Error::Invalid { .. })));
    }
    assert!(matches!(session.publish(&[]), Err(Error::Invalid { .. })));
    session.publish(&[set(&long[1..], id), set("g/ä/ü", id)]).unwrap();
}

pub(crate) fn publish_makes_what_was_put_durable(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let id = leaf(&session, b"put, never synced by hand");
    session.publish(&[set("r", id)]).unwrap();
    drop(session);
    drop(store);
    assert!(harness.open().get_one(id).is_ok());
}
