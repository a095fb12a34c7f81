//! Verify and stats on stores that are sound; broken ones are in `tests/damage.rs`.

use crate::harness::{Harness, leaf, node, noise, set};
use tidemark_blockstore::{Depth, Observer, Others, Quiet, encode_node};

pub(crate) fn a_sound_store_is_clean(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let leaves: Vec<_> = (0..50).map(|n| leaf(&session, &noise(n, 2000))).collect();
    let root = node(&session, &leaves, b"");
    session.publish(&[set("r", root)]).unwrap();
    for depth in [Depth::Quick, Depth::Full] {
        let report = store.verify(depth, &Quiet).unwrap();
        assert!(report.is_clean(), "{:?}", report.damage);
        assert_eq!((report.records, report.reached_blocks), (51, 51));
    }
    let report = store.verify_roots(&[root], &Quiet).unwrap();
    assert!(report.is_clean());
    assert_eq!(report.reached_blocks, 51);
}

pub(crate) fn stats_add_up(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let zeros = leaf(&session, &[0; 100_000]);
    let noise = leaf(&session, &noise(1, 1000));
    let inner = node(&session, &[zeros, zeros], b"");
    let one = node(&session, &[inner, noise], b"1");
    let two = node(&session, &[inner], b"2");
    session.publish(&[set("one", one), set("two", two)]).unwrap();
    let stats = store.stats(&Quiet).unwrap();
    let (inner_len, one_len, two_len) = (4 + 64, 4 + 64 + 1, 4 + 32 + 1);
    assert_eq!(stats.blocks, 5);
    assert_eq!(stats.unique_bytes, 101_000 + inner_len + one_len + two_len);
    let sizes: Vec<_> = stats.refs.iter().map(|found| found.logical_bytes).collect();
    assert_eq!(sizes, [201_000 + inner_len + one_len, 200_000 + inner_len + two_len]);
    assert_eq!(stats.logical_bytes, sizes.iter().sum::<u64>());
    assert!(stats.compression_ratio() > 20.0 && stats.dedup_ratio() > 3.9);
}

pub(crate) fn a_leaf_reached_on_two_ways_counts_twice(harness: &dyn Harness) {
    let store = harness.open();
    let session = store.session(&[]).unwrap();
    let shared = leaf(&session, &[7; 1000]);
    let lower = node(&session, &[shared], b"");
    let upper = node(&session, &[shared, lower], b"");
    let nodes =
        [[shared].as_slice(), &[shared, lower]].map(|ids| encode_node(ids, b"").unwrap().len() as u64);
    session.publish(&[set("r", upper), set("leaf", shared)]).unwrap();
    let logical: u64 = 2 * 1000 + nodes.iter().sum::<u64>();
    assert_eq!(store.stats(&Quiet).unwrap().logical_bytes, logical + 1000);
}

/// Notes on which threads it is told to pace.
#[derive(Default)]
struct Threads(std::sync::Mutex<Vec<std::thread::ThreadId>>);

impl Observer for Threads {
    fn pace(&self, _bytes: u64, _others: Others) {
        self.0.lock().unwrap().push(std::thread::current().id());
    }
}

/// A rest on a thread of the pool would keep those from working for whose sake it is taken.
pub(crate) fn a_check_rests_on_the_callers_thread(harness: &dyn Harness) {
    let store = harness.open();
    for _ in 0..3 {
        let session = store.session(&[]).unwrap();
        leaf(&session, &noise(1, 1000));
        session.sync().unwrap();
    }
    for depth in [Depth::Quick, Depth::Full] {
        let threads = Threads::default();
        assert!(store.verify(depth, &threads).unwrap().is_clean());
        let threads = threads.0.into_inner().unwrap();
        assert!(!threads.is_empty() && threads.iter().all(|id| *id == std::thread::current().id()));
    }
}
