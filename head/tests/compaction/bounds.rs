//! The bounds, through many rounds of changes: what reading costs, what is written, what snapshots keep.

use crate::rig::Rig;
use tidemark_head::compaction::UNPACED;
use tidemark_testkit::generate::rounds::Rounds;

const ORDERS: u64 = 12_000;

/// 30 rounds that replace 5 % each, with or without compaction: bytes written, of it the changes, bytes that the last
/// snapshot reads, and that it would read compacted.
fn replaced(compacts: bool) -> (u64, u64, u64, u64) {
    let mut rig = Rig::new(ORDERS);
    let (first, mut changes) = (rig.written_bytes(), 0);
    for _ in 0..30 {
        rig.apply(Rounds::replacing);
        let before = rig.written_bytes();
        rig.head.flush().unwrap();
        changes += rig.written_bytes() - before;
        if compacts {
            rig.head.compact_if_worth(UNPACED).unwrap();
        }
        rig.snapshot();
    }
    let (written, read) = (rig.written_bytes() - first, rig.read_bytes());
    (written, changes, read, rig.compacted_bytes())
}

#[test]
fn replaced_documents_are_written_few_times_and_do_not_burden_reading() {
    let (written, changes, read, compacted) = replaced(true);
    println!("written {written}, changed {changes}, read {read}, compacted {compacted}");
    assert!(written <= changes * 10, "{written} bytes are written for {changes} of changes");
    assert!(read * 10 <= compacted * 13, "{read} bytes are read of {compacted}");
    // Better than it must be, so that what makes it worse is seen.
    assert!(written <= changes * 5);
}

#[test]
fn without_compaction_the_same_check_fails() {
    let (written, changes, read, compacted) = replaced(false);
    println!("written {written}, changed {changes}, read {read}, compacted {compacted}");
    assert!(read * 10 > compacted * 13, "{read} bytes are read of {compacted}");
}

#[test]
fn fifty_snapshots_of_small_changes_are_kept_in_twice_the_room_of_the_first() {
    let mut rig = Rig::new(ORDERS);
    rig.snapshot();
    let first = rig.kept_bytes();
    let mut worst = 0;
    for _ in 0..50 {
        rig.apply(Rounds::ordinary);
        rig.head.compact_if_worth(UNPACED).unwrap();
        rig.snapshot();
        let patches = rig.runs().1.len();
        worst = worst.max(patches);
    }
    let (kept, read) = (rig.kept_bytes(), rig.read_bytes());
    let compacted = rig.compacted_bytes();
    println!("first {first}, kept {kept}, read {read}, compacted {compacted}, {worst} patch runs");
    assert!(kept <= first * 2, "{kept} bytes are kept, {first} after the first snapshot");
    assert!(read * 10 <= compacted * 13, "{read} bytes are read of {compacted}");
    assert!(worst < 64);
}

#[test]
fn a_hot_stretch_is_folded_again_and_again_and_the_rest_is_never_touched() {
    let mut rig = Rig::new(ORDERS);
    let (mut folded, first) = (0, rig.written_bytes());
    let whole = rig.read_bytes();
    for _ in 0..60 {
        // Few enough to lie in a leaf or two; a tenth of the orders.
        rig.apply(|rounds, out| rounds.replacing_among(ORDERS / 2..ORDERS * 6 / 10, 100, out));
        rig.head.flush().unwrap();
        let plan = rig.head.compact_if_worth(UNPACED).unwrap();
        for (_, ranges) in plan.iter() {
            folded += 1;
            for range in ranges {
                let inside = |n: u64| range.contains(&rig.key(n));
                assert!(!inside(ORDERS / 10) && !inside(ORDERS * 9 / 10), "{range:?}");
            }
        }
    }
    assert!(folded > 3, "folded {folded} times");
    let written = rig.written_bytes() - first;
    let changed = 60 * 100 * whole / ORDERS;
    assert!(written < 6 * changed, "{written} bytes are written for {changed}");
    let (read, compacted) = (rig.read_bytes(), rig.compacted_bytes());
    assert!(read * 10 <= compacted * 13, "{read} bytes are read of {compacted}");
}
