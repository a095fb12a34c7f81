//! Repair after damage keeps the rest, and what it has rebuilt is safe from collections.

use crate::fixture::{Fixture, expected};
use tidemark_blockstore::{Expect, GcOptions, LocalBackend, NewRef, Quiet, RefChange, RepairReport, repair};

impl Fixture {
    /// Rebuilds the index as if it had been lost.
    pub(crate) fn repair(&self) -> RepairReport {
        std::fs::remove_file(self.path("index.db")).unwrap();
        repair(&self.path("")).unwrap()
    }
}

#[test]
fn repair_indexes_everything_that_is_whole_and_lists_the_rest() {
    let fixture = Fixture::new();
    let (a, c) = (fixture.find(1, "a").from, fixture.find(1, "c").from);
    fixture.damage(1, "c");
    fixture.damage_header(1, "a");
    let report = fixture.repair();
    assert_eq!((report.packs, report.blocks, report.refs), (2, 6, 3));
    assert!(!report.left_out_last_publish);
    assert_eq!(report.damage.len(), 2, "{:?}", report.damage);
    assert!(report.damage[0].contains(&format!("pack 1 at {c}, block {}", fixture.ids["c"])), "{report:?}");
    assert!(report.damage[1].contains(&format!("pack 1 at {a}, ")), "{report:?}");
    let store = fixture.open();
    // `c` is still found by its header, `a` by being missed.
    let hurt = expected(&[("-", &[]), ("a", &["one"]), ("c", &["one", "two"])]);
    assert_eq!(fixture.named(&store), hurt);
    fixture.assert_lost(&store, &["a", "c"]);
}

#[test]
fn a_pack_with_a_damaged_header_keeps_its_blocks() {
    let fixture = Fixture::new();
    fixture.edit(1, |bytes| bytes[20] ^= 1);
    let report = fixture.repair();
    assert_eq!((report.packs, report.blocks, report.damage.len()), (2, 8, 1));
    let store = fixture.open();
    fixture.assert_lost(&store, &[]);
    assert_eq!(fixture.named(&store), expected(&[("-", &[])]));
}

/// Repair once numbered records without those it left out, collections with them: another record was then
/// copied out of a sparse pack than the one in use, and that was deleted with the pack.
#[test]
fn a_collection_after_a_repair_with_damage_keeps_what_is_in_use() {
    let mut fixture = Fixture::new();
    fixture.add_sparse_pack();
    fixture.damage(3, "dead 1");
    fixture.repair();
    let store = fixture.open();
    fixture.assert_lost(&store, &["dead 1"]);
    for rewritten in [1, 0, 0] {
        let report = store.collect(GcOptions { dry_run: false, sweep: true }, &Quiet).unwrap();
        assert_eq!((report.rewritten_packs, report.damaged.len()), (rewritten, 0), "{:?}", report.damaged);
        assert!(store.get_one(fixture.ids["live"]).is_ok());
    }
}

/// With the index lost too, refs behind the damage would vanish without a word, and the next collection would
/// take their blocks.
#[test]
fn a_log_damaged_in_the_middle_is_not_healed_without_being_asked() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let session = store.session(&[]).unwrap();
    for name in ["early", "middle", "late"] {
        let root = store.get_ref("one").unwrap().unwrap().roots;
        let set = Some(NewRef { roots: root, value: vec![7; 500] });
        session.publish(&[RefChange { name: name.into(), expect: Expect::Any, set }]).unwrap();
    }
    drop(session);
    drop(store);
    let log = fixture.path("refs.log");
    let mut bytes = std::fs::read(&log).unwrap();
    let at = bytes.windows(6).position(|window| window == b"middle").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    std::fs::remove_file(fixture.path("index.db")).unwrap();

    let refused = LocalBackend::open(&fixture.path("")).unwrap_err().to_string();
    for word in ["refs.log", "damaged in the middle", "put back a copy", "store repair"] {
        assert!(refused.contains(word), "{refused}");
    }
    let report = repair(&fixture.path("")).unwrap();
    assert!(report.damage.iter().any(|line| line.starts_with("refs.log")), "{report:?}");
    let store = fixture.open();
    assert!(store.get_ref("early").unwrap().is_some());
    assert!(store.get_ref("late").unwrap().is_none());
}
