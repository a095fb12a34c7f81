//! Putting, syncing, getting.

use crate::harness::{Harness, leaf, noise};
use tidemark_base::limits::{MAX_BLOCK_BYTES, PACK_TARGET_BYTES};
use tidemark_base::threads;
use tidemark_base::{BlockId, BlockKind};
use tidemark_blockstore::{BlockRef, Error};

pub(crate) fn what_is_put_and_synced_is_read_back_in_order(harness: &dyn Harness) {
    let store = harness.open();
    let values: Vec<Vec<u8>> = (0..300u64).map(|n| noise(n, (n * 37 % 9000) as usize)).collect();
    let blocks: Vec<_> = values.iter().map(|bytes| BlockRef::leaf(bytes)).collect();
    let session = store.session(&[]).unwrap();
    let ids = session.put(&blocks).unwrap();
    session.sync().unwrap();
    assert_eq!(ids, blocks.iter().map(BlockRef::id).collect::<Vec<_>>());
    for opened in [store, harness.open()] {
        let mut wanted = ids.clone();
        wanted.reverse();
        for (block, value) in opened.get(&wanted).into_iter().zip(values.iter().rev()) {
            let block = block.unwrap();
            assert_eq!((block.kind(), block.bytes()), (BlockKind::Leaf, value.as_slice()));
        }
    }
}

pub(crate) fn a_block_put_twice_is_stored_once(harness: &dyn Harness) {
    let store = harness.open();
    let value = noise(1, 50_000);
    let session = store.session(&[]).unwrap();
    let block = BlockRef::leaf(&value);
    let ids = session.put(&[block, block]).unwrap();
    assert_eq!(ids[0], ids[1]);
    session.put(&[block]).unwrap();
    session.sync().unwrap();
    session.put(&[block]).unwrap();
    session.sync().unwrap();
    let other = harness.open();
    let second = other.session(&[]).unwrap();
    second.put(&[block]).unwrap();
    second.sync().unwrap();
    drop((session, second));
    let stored = other.stats(&tidemark_blockstore::Quiet).unwrap().pack_bytes;
    assert!((50_000..51_000).contains(&stored), "{stored} bytes for one block of 50,000");
}

pub(crate) fn unsynced_blocks_are_read_by_their_session_only(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let id = leaf(&session, b"not yet");
    assert_eq!(session.get(&[id])[0].as_ref().unwrap().bytes(), b"not yet");
    assert!(matches!(store.get_one(id), Err(Error::Missing { .. })));
    session.sync().unwrap();
    assert_eq!(store.get_one(id).unwrap().bytes(), b"not yet");
}

pub(crate) fn unsynced_blocks_do_not_survive_their_session(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let synced = leaf(&session, b"synced");
    session.sync().unwrap();
    let lost = leaf(&session, b"not synced");
    session.close().unwrap();
    assert!(store.get_one(synced).is_ok());
    assert!(store.get_one(lost).is_err());
}

pub(crate) fn a_missing_block_is_an_error_and_does_not_fail_the_others(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let id = leaf(&session, b"here");
    session.sync().unwrap();
    let absent = BlockId::of(BlockKind::Leaf, b"never put");
    let found = store.get(&[id, absent, id]);
    assert!(found[0].is_ok() && found[2].is_ok());
    assert!(matches!(&found[1], Err(Error::Missing { id }) if *id == absent));
}

pub(crate) fn oversized_blocks_and_bad_nodes_are_refused(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let huge = vec![0; MAX_BLOCK_BYTES + 1];
    assert!(matches!(session.put(&[BlockRef::leaf(&huge)]), Err(Error::TooLarge { .. })));
    assert!(matches!(session.put(&[BlockRef::node(&[9, 0, 0, 0])]), Err(Error::BadNode(_))));
    // Refused before anything was written: the session goes on.
    let id = session.put(&[BlockRef::leaf(&huge[1..])]).unwrap()[0];
    session.sync().unwrap();
    assert_eq!(store.get_one(id).unwrap().bytes().len(), MAX_BLOCK_BYTES);
}

pub(crate) fn many_threads_put_at_once(harness: &dyn Harness) {
    let store = harness.open();
    let session = std::sync::Arc::new(store.session(&[]).unwrap());
    let threads: Vec<_> = (0..4u64)
        .map(|thread| {
            let session = std::sync::Arc::clone(&session);
            threads::spawn("putter", move || {
                // Half of what each thread puts, the others put too.
                let mut ids = Vec::new();
                for n in 0..50u64 {
                    let seed = if n % 2 == 0 { n } else { thread * 1000 + n };
                    ids.push(leaf(&session, &noise(seed, 3000)));
                    if n % 10 == 9 {
                        session.sync().unwrap();
                        let store = session.store();
                        assert!(ids.iter().all(|id| store.get_one(*id).is_ok()), "synced, so readable");
                    }
                }
                ids
            })
            .unwrap()
        })
        .collect();
    for thread in threads {
        for id in thread.join().unwrap() {
            assert!(store.get_one(id).is_ok());
        }
    }
}

pub(crate) fn packs_are_filled_and_followed_by_the_next(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let values: Vec<Vec<u8>> = (0..20).map(|n| noise(n, 4 << 20)).collect();
    let blocks: Vec<_> = values.iter().map(|bytes| BlockRef::leaf(bytes)).collect();
    let ids = session.put(&blocks).unwrap();
    session.sync().unwrap();
    drop(session);
    let stats = store.stats(&tidemark_blockstore::Quiet).unwrap();
    assert_eq!(stats.packs, (20 * (4 << 20) / PACK_TARGET_BYTES) + 1);
    for (id, value) in ids.iter().zip(&values) {
        assert_eq!(store.get_one(*id).unwrap().bytes(), *value);
    }
}
