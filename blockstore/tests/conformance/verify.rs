//! Verify and stats on stores that are sound; broken ones are in `tests/damage.rs`.

use crate::harness::{Harness, leaf, node, noise, set};
use tidemark_blockstore::{Depth, Quiet};

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
