//! Sessions: fences, pins, checkpoints.

use crate::harness::{Harness, collect, delete, has, leaf, node, set};
use tidemark_blockstore::Error;

pub(crate) fn an_expired_session_is_fenced(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let id = leaf(&session, b"work of a session that was taken for dead");
    store.expire_session(session.id()).unwrap();
    assert!(matches!(session.publish(&[set("r", id)]), Err(Error::SessionGone { .. })));
    assert_eq!(store.get_ref("r").unwrap(), None);
    // From then on it is of no use; another goes on.
    assert!(session.sync().is_err());
    let next = store.session(&[]).unwrap();
    leaf(&next, b"work of a session that was taken for dead");
    next.publish(&[set("r", id)]).unwrap();
}

pub(crate) fn pins_must_be_refs_that_exist(harness: &dyn Harness) {
    let store = harness.open();
    assert!(matches!(store.session(&["nothing"]), Err(Error::NoSuchRef { .. })));
}

pub(crate) fn a_checkpoint_protects_only_what_it_pins(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let child = leaf(&session, b"child of what is finished");
    let finished = node(&session, &[child], b"finished");
    let other = harness.open();
    // Unfinished work lies in another pack: of another session, gone since.
    let helper = other.session(&[]).unwrap();
    let unfinished = leaf(&helper, b"unfinished");
    helper.sync().unwrap();
    leaf(&session, b"unfinished");
    drop(helper);
    // The session's next epoch is newer only if a collection has begun since its last.
    collect(&other);
    session.checkpoint(&[], &[finished]).unwrap();
    for _ in 0..3 {
        collect(&other);
    }
    assert!(has(&other, finished) && has(&other, child));
    assert!(!has(&other, unfinished), "neither pinned nor put again");
    // Put again, it is written again.
    assert_eq!(leaf(&session, b"unfinished"), unfinished);
    let root = node(&session, &[finished, unfinished], b"");
    session.publish(&[set("r", root)]).unwrap();
    assert!(matches!(session.checkpoint(&[], &[root, child]), Ok(())));
    let absent = tidemark_base::BlockId::of(tidemark_base::BlockKind::Leaf, b"absent");
    assert!(matches!(session.checkpoint(&[], &[absent]), Err(Error::Missing { .. })));
}

pub(crate) fn a_closed_session_leaves_no_open_pack(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let id = leaf(&session, b"kept by nothing");
    session.sync().unwrap();
    leaf(&session, b"never synced");
    drop(session);
    let empty = store.session(&[]).unwrap();
    leaf(&empty, b"never synced either");
    drop(empty);
    collect(&store);
    collect(&store);
    assert!(!has(&store, id));
    assert_eq!(store.stats(&tidemark_blockstore::Quiet).unwrap().packs, 0);
    let session = store.session(&[]).unwrap();
    session.publish(&[delete("nothing")]).unwrap();
}
