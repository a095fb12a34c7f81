//! Stretches by hand.

use crate::rig::{Rig, UUID, stretch};
use std::sync::atomic::{AtomicU64, Ordering};
use tidemark_base::{SeededEntropy, UnixMillis};
use tidemark_head::compaction::{Plan, UNPACED};
use tidemark_head::run::KeyRange;
use tidemark_testkit::generate::rounds::Rounds;

fn plan(ranges: impl IntoIterator<Item = KeyRange>) -> Plan {
    let mut plan = Plan::new();
    ranges.into_iter().for_each(|range| plan.add(UUID, range));
    plan
}

/// A head with some runs of all kinds of changes.
fn changed(orders: u64) -> Rig {
    let mut rig = Rig::new(orders);
    for _ in 0..4 {
        rig.apply(Rounds::ordinary);
        rig.head.flush().unwrap();
        rig.apply(Rounds::replacing);
        rig.head.flush().unwrap();
    }
    rig
}

#[test]
fn stretches_that_cover_everything_come_to_the_root_of_full_compaction() {
    let orders = 8000;
    let mut whole = changed(orders);
    let documents = whole.documents();
    whole.head.compact().unwrap();
    for seed in 0..4 {
        let mut random = SeededEntropy::new(seed);
        let mut rig = changed(orders);
        assert!(rig.documents() == documents);
        let mut bounds: Vec<u64> = (0..1 + seed).map(|_| random.below(orders + 400)).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let ends: Vec<Option<u64>> =
            [None].into_iter().chain(bounds.into_iter().map(Some)).chain([None]).collect();
        let mut stretches: Vec<_> = ends.windows(2).map(|pair| stretch(&rig, pair[0], pair[1])).collect();
        while !stretches.is_empty() {
            let at = usize::try_from(random.below(stretches.len() as u64)).unwrap();
            rig.head.compact_by(&plan([stretches.swap_remove(at)]), UNPACED).unwrap();
            assert!(rig.documents() == documents, "seed {seed}");
        }
        assert_eq!(rig.runs(), whole.runs());
        assert_eq!(rig.head.root(), whole.head.root(), "seed {seed}");
        assert!(rig.head.take_divergences().is_empty());
    }
}

#[test]
fn a_stretch_costs_what_lies_in_it() {
    let mut rig = changed(8000);
    rig.head.flush().unwrap();
    let (base, patches) = rig.runs();
    let (before, told) = (rig.written_bytes(), AtomicU64::new(0));
    let tenth = stretch(&rig, Some(4000), Some(4800));
    rig.head
        .compact_by(&plan([tenth]), &|bytes| {
            told.fetch_add(bytes, Ordering::Relaxed);
        })
        .unwrap();
    let (new_base, new_patches) = rig.runs();
    assert_eq!(patches.len(), new_patches.len());
    let items = |runs: &[tidemark_head::run::Run]| runs.iter().map(|run| run.items).sum::<u64>();
    let cut_out = items(&patches) - items(&new_patches);
    assert!((items(&patches) / 16..items(&patches) / 7).contains(&cut_out), "{cut_out}");
    let written = rig.written_bytes() - before;
    let all = rig.read_bytes();
    assert!(written < all / 6, "{written} of {all}");
    let told = told.into_inner();
    let tenth = new_base.unwrap().plain_bytes / 10;
    assert!((tenth * 9 / 10..tenth * 11 / 10).contains(&told), "{told} of {:?}", base.unwrap());
}

#[test]
fn the_end_of_the_keys_is_folded_alone() {
    let mut rig = Rig::new(8000);
    for _ in 0..4 {
        rig.apply(|rounds, out| rounds.ordinary(out));
        rig.head.flush().unwrap();
    }
    let before = rig.written_bytes();
    let end = stretch(&rig, Some(7990), None);
    rig.head.compact_by(&plan([end]), UNPACED).unwrap();
    let (written, all) = (rig.written_bytes() - before, rig.read_bytes());
    assert!(written < all / 10, "{written} of {all}");
    let inserted: u64 = rig.runs().1.iter().map(|run| run.plain_bytes).sum();
    assert!(inserted < 8000 * 4 * 3, "{inserted} bytes are left in patches");
}

#[test]
fn a_snapshot_counts_as_new_what_the_one_before_does_not_have() {
    let mut rig = changed(8000);
    let (_, first) = rig.head.snapshot(&UnixMillis(0)).unwrap();
    let some = stretch(&rig, Some(4000), Some(4100));
    rig.head.compact_by(&plan([some]), UNPACED).unwrap();
    let (_, second) = rig.head.snapshot(&UnixMillis(0)).unwrap();
    // A leaf or two at each end of the stretch, of each run.
    assert!(second.new_run_bytes > 0);
    assert!(second.new_run_bytes < first.new_run_bytes / 10, "{second:?} after {first:?}");
}

#[test]
fn stretches_of_unknown_collections_and_empty_ones_do_nothing() {
    let mut rig = changed(500);
    let root = rig.head.root();
    let mut nothing = plan([stretch(&rig, Some(10), Some(10)), stretch(&rig, Some(20), Some(3))]);
    nothing.add(tidemark_base::CollectionUuid::from_bytes([9; 16]), KeyRange::ALL);
    assert_eq!(rig.head.compact_by(&nothing, UNPACED).unwrap(), root);
}
