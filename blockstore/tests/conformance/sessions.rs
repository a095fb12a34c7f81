//! Sessions: fences, pins, checkpoints.

use crate::harness::{Harness, collect, delete, has, leaf, node, noise, set};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tidemark_base::threads::spawn;
use tidemark_blockstore::{BlockRef, Error, Session};

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

/// Runs tasks of rayon that put, on more threads than most machines for tests have.
fn tasks_that_put(session: &Session, also: impl Fn() + Sync) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().unwrap();
    pool.scope(|scope| {
        for task in 0..60u64 {
            let also = &also;
            scope.spawn(move |_| {
                let bytes: Vec<_> = (0..20).map(|i| noise(task * 1000 + i, 5000)).collect();
                let blocks: Vec<_> = bytes.iter().map(|bytes| BlockRef::leaf(bytes)).collect();
                let ids = session.put(&blocks).unwrap();
                also();
                assert!(session.get(&ids).iter().all(Result::is_ok));
            });
        }
    });
}

/// A put that waits for its parallel part is given other tasks meanwhile, which may put or sync as well.
pub(crate) fn puts_and_syncs_within_tasks_of_a_pool_come_to_an_end(harness: &dyn Harness) {
    let store = harness.open();
    let (done, ended) = std::sync::mpsc::channel();
    let worker = spawn("tasks", move || {
        let session = Arc::new(store.session(&[]).unwrap());
        tasks_that_put(&session, || session.sync().unwrap());
        let stop = Arc::new(AtomicBool::new(false));
        let syncing = {
            let (session, stop) = (Arc::clone(&session), Arc::clone(&stop));
            spawn("syncing", move || {
                while !stop.load(Ordering::SeqCst) {
                    session.sync().unwrap();
                }
            })
            .unwrap()
        };
        tasks_that_put(&session, || ());
        stop.store(true, Ordering::SeqCst);
        syncing.join().unwrap();
        done.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_secs(120)).expect("the tasks wait for each other, or one has failed");
    worker.unwrap().join().unwrap();
}

pub(crate) fn a_checkpoint_within_a_task_of_a_pool_is_refused(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let refused = pool.install(|| session.checkpoint(&[], &[]));
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    session.checkpoint(&[], &[]).unwrap();
}

pub(crate) fn what_a_put_has_returned_can_be_read_whoever_else_puts_it(harness: &dyn Harness) {
    let store = harness.open();
    let session = Arc::new(store.session(&[]).unwrap());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let session = Arc::clone(&session);
            spawn("putting", move || {
                for round in 0..30 {
                    let id = leaf(&session, &noise(round, 100_000));
                    session.get(&[id]).remove(0).unwrap();
                }
            })
            .unwrap()
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
