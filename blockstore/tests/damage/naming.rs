//! Verify names the damaged block, its place and every ref that it hurts; get of everything else works.

use crate::fixture::{Fixture, expected, swap};
use std::sync::Arc;
use tidemark_blockstore::{Error, Healed, RECORD_HEADER_LEN, Store};

#[test]
fn a_store_without_damage_has_nothing_to_name() {
    let fixture = Fixture::new();
    let store = fixture.open();
    assert_eq!(fixture.named(&store), expected(&[]));
    fixture.assert_lost(&store, &[]);
}

#[test]
fn a_leaf_of_one_ref_hurts_that_ref() {
    let fixture = Fixture::new();
    fixture.damage(1, "a");
    let store = fixture.open();
    assert_eq!(fixture.named(&store), expected(&[("a", &["one"])]));
    fixture.assert_lost(&store, &["a"]);
}

#[test]
fn a_leaf_below_a_shared_node_hurts_both_refs_and_is_named_with_its_place() {
    let fixture = Fixture::new();
    fixture.damage(1, "c");
    let at = fixture.find(1, "c").from;
    let store = fixture.open();
    assert_eq!(fixture.named(&store), expected(&[("c", &["one", "two"])]));
    let said = fixture.said_of(&store, "c");
    assert!(said.contains(&format!("pack 1 at {at}")) && said.contains("checksum"), "{said}");
    fixture.assert_lost(&store, &["c"]);
    let error = store.get_one(fixture.ids["c"]).unwrap_err();
    assert!(matches!(error, Error::Damaged { place, .. } if place.offset as usize == at), "{error}");
    let roots = [fixture.ids["one"]];
    let report = store.verify_roots(&roots, &tidemark_blockstore::Quiet).unwrap();
    assert_eq!(report.damage.iter().map(|it| it.block).collect::<Vec<_>>(), [Some(fixture.ids["c"])]);
}

#[test]
fn a_damaged_header_is_named_by_the_index() {
    let fixture = Fixture::new();
    fixture.damage_header_and_check("c", &["one", "two"]);
}

impl Fixture {
    fn damage_header_and_check(&self, name: &'static str, hurts: &[&str]) {
        self.damage_header(1, name);
        let store = self.open();
        // The stretch that is no record any more, and the block whose record it was.
        assert_eq!(self.named(&store), expected(&[("-", &[]), (name, hurts)]));
        self.assert_lost(&store, &[name]);
    }
}

#[test]
fn a_damaged_inner_node_hurts_all_above_it_and_what_is_below_is_still_read() {
    let fixture = Fixture::new();
    fixture.damage(1, "shared");
    let store = fixture.open();
    assert_eq!(fixture.named(&store), expected(&[("shared", &["one", "two"])]));
    fixture.assert_lost(&store, &["shared"]);
}

#[test]
fn several_damages_are_named_each_with_its_own_refs() {
    let fixture = Fixture::new();
    for (pack, name) in [(1, "a"), (1, "c"), (1, "b"), (2, "e")] {
        fixture.damage(pack, name);
    }
    let store = fixture.open();
    let all = expected(&[("a", &["one"]), ("b", &["two"]), ("c", &["one", "two"]), ("e", &["three"])]);
    assert_eq!(fixture.named(&store), all);
    fixture.assert_lost(&store, &["a", "b", "c", "e"]);
}

#[test]
fn a_pack_that_vanishes_from_an_open_store_costs_what_was_in_it() {
    let fixture = Fixture::new();
    let store = fixture.open();
    std::fs::remove_file(fixture.pack(2)).unwrap();
    assert_eq!(fixture.named(&store), expected(&[("-", &[]), ("e", &["three"])]));
    fixture.assert_lost(&store, &["e"]);
}

#[test]
fn a_pack_that_is_missing_when_the_store_is_opened_is_told_and_costs_what_was_in_it() {
    let fixture = Fixture::new();
    std::fs::remove_file(fixture.pack(2)).unwrap();
    let backend = fixture.open_backend();
    assert!(matches!(backend.healed(), [Healed::IndexRebuilt { why, .. }] if why.contains("pack 2")));
    let store = Store::new(Arc::new(backend));
    assert_eq!(fixture.named(&store), expected(&[("e", &["three"])]));
    fixture.assert_lost(&store, &["e"]);
}

#[test]
fn a_pack_cut_within_a_record_costs_the_records_from_there_on() {
    let fixture = Fixture::new();
    let at = fixture.find(1, "b");
    fixture.edit(1, |bytes| bytes.truncate(at.from + RECORD_HEADER_LEN + 10));
    let store = fixture.open();
    // `b` is below `two`, which is gone as well: nothing can tell that it is `two` that reaches it.
    assert_eq!(fixture.named(&store), expected(&[("-", &[]), ("b", &[]), ("two", &["two"])]));
    fixture.assert_lost(&store, &["b", "two"]);
}

#[test]
fn garbage_between_records_moves_what_follows_and_repair_finds_it_again() {
    let fixture = Fixture::new();
    let at = fixture.find(1, "a").from;
    fixture.edit(1, |bytes| drop(bytes.splice(at..at, [0x5a; 100])));
    let store = fixture.open();
    let moved = expected(&[("-", &[]), ("a", &[]), ("b", &[]), ("one", &["one"]), ("two", &["two"])]);
    assert_eq!(fixture.named(&store), moved);
    fixture.assert_lost(&store, &["a", "b", "one", "two"]);
    drop(store);
    let report = fixture.repair();
    assert_eq!((report.blocks, report.refs), (8, 3));
    assert_eq!(report.damage.len(), 1, "{:?}", report.damage);
    assert!(report.damage[0].starts_with(&format!("pack 1 at {at}, 100 bytes")), "{:?}", report.damage);
    let store = fixture.open();
    fixture.assert_lost(&store, &[]);
    assert_eq!(fixture.named(&store), expected(&[("-", &[])]));
}

#[test]
fn swapped_records_are_named_and_repair_finds_them_again() {
    let fixture = Fixture::new();
    let (c, d) = (fixture.find(1, "c"), fixture.find(1, "d"));
    fixture.edit(1, |bytes| swap(bytes, c, d));
    let store = fixture.open();
    assert_eq!(fixture.named(&store), expected(&[("c", &["one", "two"]), ("d", &["one", "two"])]));
    assert!(fixture.said_of(&store, "c").contains("another block"));
    fixture.assert_lost(&store, &["c", "d"]);
    drop(store);
    assert_eq!(fixture.repair().damage, [""; 0]);
    let store = fixture.open();
    assert_eq!(fixture.named(&store), expected(&[]));
    fixture.assert_lost(&store, &[]);
}

#[test]
fn a_record_copied_over_another_costs_the_other() {
    let fixture = Fixture::new();
    let (c, d) = (fixture.find(1, "c"), fixture.find(1, "d"));
    fixture.edit(1, |bytes| bytes.copy_within(c.from..c.to, d.from));
    let store = fixture.open();
    assert_eq!(fixture.named(&store), expected(&[("d", &["one", "two"])]));
    fixture.assert_lost(&store, &["d"]);
}

#[test]
fn a_header_copied_over_another_costs_the_other_and_does_not_accuse_its_own_block() {
    let fixture = Fixture::new();
    let (a, d) = (fixture.find(1, "a"), fixture.find(1, "d"));
    fixture.edit(1, |bytes| bytes.copy_within(a.from..a.from + RECORD_HEADER_LEN, d.from));
    let store = fixture.open();
    assert_eq!(fixture.named(&store), expected(&[("-", &[]), ("d", &["one", "two"])]));
    fixture.assert_lost(&store, &["d"]);
}
